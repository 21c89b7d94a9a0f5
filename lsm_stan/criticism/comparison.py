"""Several fits of one network side by side: what each method got right, and at what price."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lsm_stan.errors import InputError
from lsm_stan.inference.fit import Fit
from lsm_stan.inference.fits import ensure_fits
from lsm_stan.inference.methods import METHODS
from lsm_stan.posterior import idata as container
from lsm_stan.posterior.alignment import procrustes_rmse, spread
from lsm_stan.posterior.intervals import interval
from lsm_stan.posterior.invariants import MONITORED_PAIRS, pair_distances, sample_pairs
from lsm_stan.typing import FloatArray


@dataclass(frozen=True, eq=False)
class Comparison:
    """Fits of one network, measured against one of them.

    Attributes
    ----------
    table : DataFrame
        A row a fit. ``method``; ``seconds``; ``log_joint`` at its one position set (mode or mean)
        in nats; ``elbo``; ``khat``, PSIS k-hat of an approximation; and against the reference
        fit ``procrustes_rmse`` of the position sets, ``distance_rmse`` of the mean distances of
        the monitored pairs, ``sd_ratio``, the median ratio of the nodes' posterior spreads, and
        ``coverage90``, the reference's mean probability of the fit's 90 % intervals of distances.
        Then ``log_joint_draws`` and ``log_joint_draws_sd``, over draws, and ``fit``, its name.
        NaN where a method has none, as a mode has no spread, and where the log joint is of another
        density than the reference's (:func:`comparable_log_joints`).
    mean_distances : DataFrame
        A row a monitored pair, a column a fit.
    spreads : DataFrame
        A row a node, a column a fit with draws: its posterior spread.
    reference : str
        The name of the fit that the others are measured against.
    """

    table: pd.DataFrame
    mean_distances: pd.DataFrame
    spreads: pd.DataFrame
    reference: str

    @property
    def note(self) -> str:
        """Why log joints are missing; nothing where none is."""
        missing = self.table.loc[self.table["log_joint"].isna(), "fit"]
        if missing.empty:
            return ""
        return (
            f"The log joint of {', '.join(missing)} is left out: at a mode scales are fixed that"
            f" {self.reference} learns, so that it is of another density, of fewer parameters."
        )


def reference_fit(fits: Mapping[str, Fit]) -> str:
    """Return the name of the fit the others are measured against.

    It is one by the most exact method (the last in :data:`~lsm_stan.inference.methods.METHODS`).
    Among several the choice is one whose checks passed, then the one with the most draws.

    Parameters
    ----------
    fits : Mapping of str to Fit
        Fits of one network, by name.

    Returns
    -------
    str
    """
    order = list(METHODS)

    def rank(name: str) -> tuple[int, bool, int]:
        fit = fits[name]
        return order.index(fit.method), fit.converged, fit.draws.shape[0] * fit.draws.shape[1]

    return max(fits, key=rank)


def comparable_log_joints(fits: Mapping[str, Fit]) -> set[str]:
    """Return the names of the fits whose log joint is of the same density as the reference's.

    A mode is sought with scales held fixed, which samplers learn where a model has any: theirs is
    a density of more parameters, with the priors of scales.

    Parameters
    ----------
    fits : Mapping of str to Fit
        Fits of one network, by name.

    Returns
    -------
    set of str
    """
    learned = fits[reference_fit(fits)].learned
    return {name for name, fit in fits.items() if fit.learned == learned}


def compare(fits: Mapping[str, Fit]) -> Comparison:
    """Compare fits of one network.

    Parameters
    ----------
    fits : Mapping of str to Fit
        One or more fits by name.

    Returns
    -------
    Comparison

    Raises
    ------
    InputError
        If there are no fits, or they are not of one network by one model in one dimension.
    """
    ensure_fits(fits)
    _check_comparable(fits)
    reference = reference_fit(fits)
    target = fits[reference]
    pairs = sample_pairs(target.network.n_nodes, MONITORED_PAIRS)
    distances = {name: _flat(pair_distances(fit.draws, pairs)) for name, fit in fits.items()}
    spreads = {
        name: spread(fit.draws, fit.positions)
        for name, fit in fits.items()
        if len(distances[name]) > 1
    }
    truth = distances[reference]
    comparable = comparable_log_joints(fits)
    rows = []
    for name, fit in fits.items():
        details, log_joint = fit.record.details, container.log_joint_of(fit.idata)
        log_joint = log_joint if name in comparable else np.full_like(log_joint, np.nan)
        draws, many = distances[name], len(distances[name]) > 1
        error = draws.mean(axis=0) - truth.mean(axis=0)
        both = name in spreads and reference in spreads
        rows.append(
            {
                "method": fit.method,
                "seconds": fit.record.seconds,
                "log_joint": fit.log_joint if name in comparable else np.nan,
                "elbo": details.get("elbo"),
                "khat": details.get("khat"),
                # that of the reference is 0 but for rounding
                "procrustes_rmse": float(
                    procrustes_rmse(fit.positions, target.positions).round(12)
                ),
                "distance_rmse": float(np.sqrt(np.mean(error**2))),
                "sd_ratio": np.median(spreads[name] / spreads[reference]) if both else np.nan,
                "coverage90": _coverage(draws, truth) if both else np.nan,
                "log_joint_draws": float(log_joint.mean()),
                "log_joint_draws_sd": float(log_joint.std(ddof=1)) if many else np.nan,
                "fit": name,
            }
        )
    names = target.network.names
    return Comparison(
        table=pd.DataFrame(rows).astype({"elbo": float, "khat": float}),
        mean_distances=pd.DataFrame(
            {name: draws.mean(axis=0) for name, draws in distances.items()},
            index=[f"{names[i]}–{names[j]}" for i, j in pairs],
        ),
        spreads=pd.DataFrame(spreads, index=list(names)),
        reference=reference,
    )


def _coverage(draws: FloatArray, truth: FloatArray) -> float:
    """Return the mean probability that draws of the truth lie in the central interval of draws."""
    low, high = interval(draws)
    return float(((truth >= low) & (truth <= high)).mean())


def _flat(values: FloatArray) -> FloatArray:
    """Pool ``(chain, draw, item)`` over chains."""
    return values.reshape(-1, values.shape[-1])


def _waves(fit: Fit, other: Fit) -> str:
    """Return what can be done with fits of two networks that share nodes, such as two waves."""
    shared = set(fit.network.names) & set(other.network.names)
    if len(shared) < 2 or fit.record.dim != other.record.dim:
        return ""
    return (
        f". Positions of the {len(shared)} nodes that both have can be set side by side after"
        " alignment: lsm_stan.align(positions, target) in Python, docs/python.md"
    )


def _check_comparable(fits: Mapping[str, Fit]) -> None:
    if not fits:
        raise InputError("no fits to compare; name at least one fit's folder")
    (first, first_fit), *others = fits.items()
    for name, fit in others:
        if fit.network.digest != first_fit.network.digest:
            raise InputError(
                f"{name} and {first} are fits of different networks"
                f" ({fit.network.title} and {first_fit.network.title}); fits of one network are"
                f" compared{_waves(fit, first_fit)}"
            )
        if fit.record.dim != first_fit.record.dim:
            raise InputError(
                f"{name} has K = {fit.record.dim} and {first} K = {first_fit.record.dim};"
                " fits with one number of dimensions are compared"
            )
        if fit.spec != first_fit.spec:
            raise InputError(
                f"{name} is a fit of the model {fit.spec.label} and {first} of"
                f" {first_fit.spec.label}; methods are compared on one model"
            )
        if fit.spec.digest(fit.network) != first_fit.spec.digest(first_fit.network):
            raise InputError(
                f"the covariates of {name} and {first} have different values; methods are compared"
                " on the same data"
            )
