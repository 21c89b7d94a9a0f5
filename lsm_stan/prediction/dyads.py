"""The dyads that a fit says most about: likely edges not seen, and weights it did not expect."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import bernoulli, nbinom, poisson

from lsm_stan.errors import InputError
from lsm_stan.inference.fit import Fit
from lsm_stan.inference.fits import ensure_fits
from lsm_stan.model.family import ModelSpec
from lsm_stan.model.likelihood import CHUNK, chunks, frailty, log_likelihood, log_mean, mean_weight
from lsm_stan.model.parameters import Parameters
from lsm_stan.network.network import Network
from lsm_stan.network.pairs import dyad_blocks
from lsm_stan.network.two_sets import sets_of
from lsm_stan.posterior.draws import flat_draws
from lsm_stan.posterior.intervals import interval
from lsm_stan.prediction.scores import log_mean_exp
from lsm_stan.progress import doing
from lsm_stan.typing import FloatArray, IntArray

#: The most dyads that are looked at at a time.
BLOCK = 250_000


def predict(fit: Fit, top: int = 50) -> pd.DataFrame:
    """Return the likeliest unobserved, the likeliest empty and the least expected dyads of a fit.

    Parameters
    ----------
    fit : Fit
        A fit by any method; a mode has one draw, and no intervals.
    top : int, default 50
        Largest number of dyads of each kind.

    Returns
    -------
    DataFrame
        Columns

        ``kind``
            ``hidden``: not observed; ``empty``: observed, weight 0; ``heavy``: an edge.
        ``source``, ``target``
            Names of the nodes.
        ``weight``
            What was observed; missing where hidden.
        ``probability``
            Predictive probability of an edge.
        ``expected``
            Predictive mean of the weight.
        ``probability_low``, ``probability_high``, ``expected_low``, ``expected_high``
            90 % intervals over draws of the two, given the parameters; missing for a mode.
        ``tail``
            Predictive probability of a weight at least as large as was observed; missing where
            hidden.

        Hidden and empty dyads are sorted by falling ``probability``, heavy ones by rising
        ``tail``. What is said of observed dyads is about data that the fit has seen. Where a
        model correlates the directions of a pair (``dyadic``) all are given the reverse dyad's
        weight, if it is known.

    Raises
    ------
    InputError
        If `fit` is none, or `top` < 1.
    """
    ensure_fits(fit)
    doing("looking through all dyads for the likeliest")
    if top < 1:
        raise InputError(f"top is {top}; at least one dyad is needed")
    spec, network, draws = fit.spec, fit.network, flat_draws(fit.parameters)
    size = max(1, min(BLOCK, CHUNK // len(draws["z"])))
    likeliest = {kind: _Leaders(top) for kind in ("hidden", "empty", "heavy")}
    sets = sets_of(network)
    for sender, receiver in dyad_blocks(network, size):
        if sets is not None:  # no edge can be within a set
            between = sets[sender] != sets[receiver]
            sender, receiver = sender[between], receiver[between]
        weight = network.weight_of(sender, receiver)
        reverse = network.weight_of(receiver, sender)
        for kind, chosen in {"hidden": weight < 0, "empty": weight == 0}.items():
            s, r = sender[chosen], receiver[chosen]
            absent = log_likelihood(spec, draws, s, r, np.zeros_like(s), reverse[chosen])
            likeliest[kind].add(s, r, log_mean_exp(absent))
    between = np.flatnonzero(network.sender != network.receiver)
    for part in chunks(len(between), len(draws["z"])):
        edges = between[part]
        s, r = network.sender[edges], network.receiver[edges]
        likeliest["heavy"].add(s, r, _tails(spec, draws, network, s, r, network.weight[edges]))
    tables = [
        _describe(spec, draws, network, kind, *leaders.dyads) for kind, leaders in likeliest.items()
    ]
    return pd.concat(tables, ignore_index=True)


class _Leaders:
    """The dyads of smallest score among all that were added."""

    def __init__(self, top: int) -> None:
        self.top = top
        self.score = np.zeros(0)
        self.dyads: tuple[IntArray, IntArray] = (np.zeros(0, np.int64), np.zeros(0, np.int64))

    def add(self, sender: IntArray, receiver: IntArray, score: FloatArray) -> None:
        if len(self.score) == self.top:  # most are none of the first
            better = score < self.score[-1]
            sender, receiver, score = sender[better], receiver[better], score[better]
        score = np.concatenate([self.score, score])
        first = np.argsort(score, kind="stable")[: self.top]
        self.score = score[first]
        self.dyads = (
            np.concatenate([self.dyads[0], sender])[first],
            np.concatenate([self.dyads[1], receiver])[first],
        )


def _describe(
    spec: ModelSpec,
    draws: Parameters,
    network: Network,
    kind: str,
    sender: IntArray,
    receiver: IntArray,
) -> pd.DataFrame:
    """Return the rows of dyads of one kind."""
    names = np.array(network.names, dtype=object)
    weight = network.weight_of(sender, receiver)
    reverse = network.weight_of(receiver, sender)
    empty = log_likelihood(spec, draws, sender, receiver, np.zeros_like(sender), reverse)
    quantities = {
        "probability": -np.expm1(empty),
        "expected": _size_and_mean(spec, draws, network, sender, receiver)[1],
    }
    table = pd.DataFrame({"kind": kind, "source": names[sender], "target": names[receiver]})
    table["weight"] = pd.Series(weight, dtype="Int64").where(weight >= 0)
    for name, values in quantities.items():
        table[name] = values.mean(axis=0)
    for name, values in quantities.items():
        table[f"{name}_low"], table[f"{name}_high"] = interval(values)
    table["tail"] = (
        np.nan if kind == "hidden" else _tails(spec, draws, network, sender, receiver, weight)
    )
    return table


def _tails(
    spec: ModelSpec,
    draws: Parameters,
    network: Network,
    sender: IntArray,
    receiver: IntArray,
    weight: IntArray,
) -> FloatArray:
    """Return the predictive probabilities of weights at least as large as those given."""
    size, mean = _size_and_mean(spec, draws, network, sender, receiver)
    if spec.likelihood == "bernoulli":
        tail = bernoulli.sf(weight - 1, mean)
    elif spec.dispersed:
        tail = nbinom.sf(weight - 1, size, size / (size + mean))
    else:
        tail = poisson.sf(weight - 1, mean)
    return np.asarray(np.mean(tail, axis=0))


def _size_and_mean(
    spec: ModelSpec, draws: Parameters, network: Network, sender: IntArray, receiver: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Return, of every draw, the size of the frailty (infinite without one) and the mean weight."""
    log_mu = log_mean(spec, draws, sender, receiver)
    size = np.asarray(np.inf)
    if spec.dispersed:
        reverse = network.weight_of(receiver, sender)
        size, log_mu = frailty(spec, draws, sender, receiver, reverse, log_mu)
    return size, mean_weight(spec, log_mu)
