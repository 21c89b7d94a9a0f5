"""The log likelihood of a fit's draws, one number an observation: arrays in, an array out."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lsm_stan.errors import InputError
from lsm_stan.model.family import ModelSpec
from lsm_stan.model.likelihood import chunks, log_likelihood, pair_log_likelihood
from lsm_stan.model.parameters import Parameters
from lsm_stan.network.network import Network
from lsm_stan.network.pairs import dyad_blocks
from lsm_stan.typing import IntArray

#: What one observation is: a dyad, given the reverse one; or both directions of a pair.
Unit = Literal["dyad", "pair"]

#: Gigabytes that one array of draws of dyads may take, unless more are asked for.
MAX_GIGABYTES = 2.0


def pointwise_log_likelihood(
    spec: ModelSpec,
    parameters: Parameters,
    network: Network,
    units: IntArray,
    by: Unit = "dyad",
    dtype: str = "float64",
) -> NDArray[np.floating]:
    """Return the log likelihood of observations at every draw.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    parameters : dict of str to ndarray
        Parameters with any leading axes.
    network : Network
        N nodes.
    units : ndarray of int64 of shape (D, 2)
        0-based node indices of observed dyads, or of pairs.
    by : {"dyad", "pair"}, default "dyad"
        ``"dyad"``: each dyad given the weight of its reverse, which matters in ``dyadic``
        alone. ``"pair"``: both directions together; over all pairs these sum to the log
        likelihood, the diagonal left out.
    dtype : {"float64", "float32"}, default "float64"
        Type of the result. What is computed is of 64 bits.

    Returns
    -------
    ndarray of shape (..., D)
        Log likelihoods, in nats. Memory beyond it is bounded.
    """
    z = parameters["z"]
    values = np.empty((*z.shape[:-2], len(units)), dtype=dtype)
    for part in chunks(len(units), max(1, z.size // z.shape[-2])):
        if by == "pair":
            values[..., part] = pair_log_likelihood(spec, parameters, network, units[part])
            continue
        sender, receiver = units[part].T
        weight = network.weight_of(sender, receiver)
        reverse = network.weight_of(receiver, sender)
        values[..., part] = log_likelihood(spec, parameters, sender, receiver, weight, reverse)
    return values


def observed_units(network: Network, by: Unit = "dyad") -> IntArray:
    """Return all observed dyads, or the pairs of which a direction was observed.

    Parameters
    ----------
    network : Network
        N nodes.
    by : {"dyad", "pair"}, default "dyad"
        What an observation is.

    Returns
    -------
    ndarray of int64 of shape (D, 2)
        0-based node indices, in the order of edges; in a pair the smaller first.
    """
    blocks = []
    for sender, receiver in dyad_blocks(network, 1_000_000):
        seen = network.weight_of(sender, receiver) >= 0
        if by == "pair":
            seen |= network.weight_of(receiver, sender) >= 0
            seen &= sender < receiver
        blocks.append(np.column_stack([sender, receiver])[seen])
    return np.concatenate(blocks)


def count_units(network: Network, by: Unit = "dyad") -> int:
    """Return how many :func:`observed_units` there are, without listing them.

    Parameters
    ----------
    network : Network
        N nodes.
    by : {"dyad", "pair"}, default "dyad"
        What an observation is.

    Returns
    -------
    int
    """
    if by == "dyad" or not network.directed:
        return network.n_observed
    sender, receiver = network.hidden_sender, network.hidden_receiver
    hidden = np.count_nonzero((sender < receiver) & (network.weight_of(receiver, sender) < 0))
    return network.n_nodes * (network.n_nodes - 1) // 2 - int(hidden)


def read_units(network: Network, units: ArrayLike, by: Unit = "dyad") -> IntArray:
    """Return dyads or pairs that somebody named, each once as it was named.

    Parameters
    ----------
    network : Network
        N nodes.
    units : array_like of int of shape (D, 2)
        0-based node indices.
    by : {"dyad", "pair"}, default "dyad"
        What an observation is.

    Returns
    -------
    ndarray of int64 of shape (D, 2)

    Raises
    ------
    InputError
        If they are no node indices of the network, a node with itself, or were not observed.
    """
    ends = np.asarray(units)
    if ends.ndim != 2 or ends.shape[1] != 2 or ends.dtype.kind not in "iu" or not len(ends):
        raise InputError(
            f"dyads have shape {ends.shape} and type {ends.dtype}; (D, 2) node indices from 0 are"
            " needed, D >= 1"
        )
    names = network.names
    outside = (ends < 0) | (ends >= network.n_nodes)
    for index in ends[outside][:1]:
        raise InputError(f"dyads name node {index}; indices go from 0 to {network.n_nodes - 1}")
    sender, receiver = ends.T
    for i in sender[sender == receiver][:1]:
        raise InputError(f"dyads have node {names[i]!r} with itself; two different ones are needed")
    seen = network.weight_of(sender, receiver) >= 0
    if by == "pair":
        seen |= network.weight_of(receiver, sender) >= 0
    for i, j in ends[~seen][:1]:
        raise InputError(
            f"the {by} {names[i]!r} to {names[j]!r} was not observed; leave hidden ones out"
        )
    return ends.astype(np.int64)


def check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Raise InputError if an argument is none of its choices.

    Parameters
    ----------
    name : str
        The argument.
    value : object
        Its value.
    choices : tuple of str
        What it may be.

    Raises
    ------
    InputError
        If it is none of them.
    """
    if value not in choices:
        raise InputError(f"{name} is {value!r}; one of {', '.join(map(repr, choices))} is needed")


def chosen_units(
    what: str,
    network: Network,
    units: ArrayLike | None,
    by: Unit,
    *,
    n_draws: int,
    thin: int,
    dtype: str,
    max_gigabytes: float,
) -> IntArray:
    """Return the dyads or pairs that are wanted, if an array of their draws is not too large.

    Parameters
    ----------
    what : str
        What the array holds, for the message.
    network : Network
        The network.
    units : array_like of shape (D, 2) or None
        Nodes, from 0, as in :func:`read_units`; all by default.
    by : {"dyad", "pair"}
        What is one observation.
    n_draws, thin : int
        How many draws the array has, and every how many one is kept.
    dtype : str
        Type of its numbers.
    max_gigabytes : float
        The largest size allowed, in units of 1e9 bytes.

    Returns
    -------
    ndarray of shape (D, 2)

    Raises
    ------
    InputError
        If a dyad was not observed, or the array would be too large.
    """
    named = None if units is None else read_units(network, units, by)
    n_units = count_units(network, by) if named is None else len(named)
    check_size(what, n_draws, n_units, by, thin=thin, dtype=dtype, max_gigabytes=max_gigabytes)
    return observed_units(network, by) if named is None else named


def check_size(
    what: str, n_draws: int, n_units: int, by: str, *, thin: int, dtype: str, max_gigabytes: float
) -> None:
    """Refuse an array that would be too large, before anything is computed.

    Parameters
    ----------
    what : str
        What the array holds, for the message.
    n_draws : int
        How many draws it has.
    n_units : int
        How many observations it has.
    by : str
        What an observation is, for the message.
    thin : int
        Every how many draws one is kept.
    dtype : {"float64", "float32"}
        Type of its numbers.
    max_gigabytes : float
        The largest size allowed, in units of 1e9 bytes.

    Raises
    ------
    InputError
        If the array would be larger.
    """
    size, most = n_draws * n_units * np.dtype(dtype).itemsize, max_gigabytes * 1e9
    if size > most:
        thinner = thin * math.ceil(size / most)
        narrower = ", dtype='float32'" if dtype == "float64" else ""
        raise InputError(
            f"{what} of {n_units:,} {by}s at {n_draws:,} draws would take {_bytes(size)}, more than"
            f" {_bytes(most)} (max_gigabytes = {max_gigabytes:g}): take thin={thinner}{narrower},"
            " some of the dyads, or allow more"
        )


def _bytes(size: float) -> str:
    """Return a size in the largest unit that it has one of."""
    for unit, number in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= number:
            return f"{size / number:,.1f} {unit}"
    return f"{size:.0f} bytes"
