"""Whether the chains of a sample sit in one mode or in several.

A posterior of positions has very many modes. Chains that started apart may each explore its
own, well mixed within and never meeting: their pooled draws then weigh the modes by how many
chains happened to find each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lsm_stan.inference.fit import Fit
from lsm_stan.model.likelihood import pair_log_likelihood
from lsm_stan.posterior import diagnostics
from lsm_stan.posterior import idata as container
from lsm_stan.posterior.alignment import mean_positions, procrustes_rmse
from lsm_stan.posterior.invariants import sample_pairs
from lsm_stan.typing import FloatArray

#: Chains are apart when their mean positions differ by this many times what the two halves of
#: one chain differ by.
APART = 2.0

#: Pairs and draws of a chain that stacking weighs chains by.
STACKED_PAIRS, STACKED_DRAWS = 10_000, 200


@dataclass(frozen=True, eq=False)
class ModeReport:
    """Where the chains of one sample are.

    Attributes
    ----------
    chains : DataFrame
        A row a chain: ``chain``, ``log_joint`` (mean over its draws), ``log_joint_sd``,
        ``halves`` (Procrustes distance between the mean positions of its two halves),
        ``nearest`` and ``farthest`` (to the mean positions of the other chains), and ``weight``,
        its stacking weight: the share in the mixture of chains that predicts a left-out pair
        best. The weight is NaN where the chains are not apart: it then says nothing.
    distances : ndarray of shape (chain, chain)
        Procrustes distances of mean positions, root mean square a node.
    apart : bool
        Whether some chains are in different modes.
    """

    chains: pd.DataFrame
    distances: FloatArray
    apart: bool


def mode_report(fit: Fit) -> ModeReport | None:
    """Compare the chains of a sample with each other.

    Parameters
    ----------
    fit : Fit
        Samples have at least 2 chains of 4 draws.

    Returns
    -------
    ModeReport or None
        None for any other fit.
    """
    draws, log_joint = fit.draws, container.log_joint_of(fit.idata)
    if draws.shape[0] < 2 or draws.shape[1] < 4:
        return None
    reference = draws.reshape(-1, *draws.shape[2:])[log_joint.argmax()]
    means = [mean_positions(chain, reference) for chain in draws]
    halves = np.array(
        [
            procrustes_rmse(*(mean_positions(half, mean) for half in np.array_split(chain, 2)))
            for chain, mean in zip(draws, means, strict=True)
        ]
    )
    distances = np.array([[procrustes_rmse(mean, other) for mean in means] for other in means])
    others = distances[~np.eye(len(means), dtype=bool)].reshape(len(means), -1)
    apart = bool(distances.max() > APART * halves.max())
    chains = pd.DataFrame(
        {
            "chain": np.arange(len(means)) + 1,
            "log_joint": log_joint.mean(axis=1),
            "log_joint_sd": log_joint.std(axis=1, ddof=1),
            "halves": halves,
            "nearest": others.min(axis=1),
            "farthest": others.max(axis=1),
            "weight": _stacking_weights(fit) if apart else np.nan,
        }
    )
    return ModeReport(chains, distances, apart)


def _stacking_weights(fit: Fit) -> FloatArray:
    """Return a stacking weight for every chain, from a random set of pairs."""
    pairs = sample_pairs(fit.network.n_nodes, STACKED_PAIRS)
    step = max(1, fit.draws.shape[1] // STACKED_DRAWS)
    draws = {name: values[:, ::step] for name, values in fit.parameters.items()}
    return diagnostics.stacking_weights(pair_log_likelihood(fit.spec, draws, fit.network, pairs))
