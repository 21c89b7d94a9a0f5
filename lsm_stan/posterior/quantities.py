"""Everything that rotations and reflections leave unchanged, by its name and its items."""

from __future__ import annotations

from collections.abc import Sequence

from lsm_stan.model.family import ModelSpec
from lsm_stan.model.likelihood import expected_strengths, log_mean, mean_weight
from lsm_stan.model.parameters import Parameters
from lsm_stan.network.network import Network
from lsm_stan.network.two_sets import sets_of
from lsm_stan.posterior.clusters import Clusters
from lsm_stan.posterior.invariants import distinct, pair_distances, pair_labels, radii
from lsm_stan.typing import FloatArray, IntArray


def parameter_quantities(
    spec: ModelSpec, parameters: Parameters, clusters: Clusters | None
) -> dict[str, tuple[str, Sequence[str], FloatArray]]:
    """Return the draws of scalars, of coefficients, and of clusters.

    Parameters
    ----------
    spec : ModelSpec
        The model, bound to the network's covariates.
    parameters : dict of str to ndarray
        Draws, leading axes ``(chain, draw)``.
    clusters : Clusters or None
        Clusters with one label in all draws, where the model has them.

    Returns
    -------
    dict of str to tuple
        As :func:`invariant_quantities` returns it.
    """
    quantities: dict[str, tuple[str, Sequence[str], FloatArray]] = {
        name: ("", (), values) for name, values in distinct(parameters).items() if values.ndim == 2
    }
    if spec.with_coefficient:
        quantities["beta"] = ("covariate", spec.coords["covariate"], parameters["beta"])
    if clusters is not None:
        numbers = [str(number) for number in spec.coords["cluster"]]
        quantities["theta"] = ("cluster", numbers, clusters.theta)
        quantities["sigma_cluster"] = ("cluster", numbers, clusters.sigma)
    return quantities


def invariant_quantities(
    network: Network,
    spec: ModelSpec,
    parameters: Parameters,
    clusters: Clusters | None,
    pairs: IntArray,
    nodes: IntArray,
) -> dict[str, tuple[str, Sequence[str], FloatArray]]:
    """Return the draws of a model's invariant quantities.

    Parameters
    ----------
    network : Network
        The network.
    spec : ModelSpec
        The model, bound to the network's covariates.
    parameters : dict of str to ndarray
        Draws, leading axes ``(chain, draw)``.
    clusters : Clusters or None
        Clusters with one label in all draws, where the model has them.
    pairs : ndarray of shape (P, 2)
        Nodes, from 0, whose distances and rates are wanted.
    nodes : ndarray of shape (M,)
        Nodes, from 0, whose distances from the origin and expected strengths are wanted.

    Returns
    -------
    dict of str to tuple
        By name: the dim of the items, or ``""``; their labels; and the draws, of shape
        (chain, draw) or (chain, draw, item).
    """
    quantities = parameter_quantities(spec, parameters, clusters)
    labels = pair_labels(network.names, pairs)
    rates = mean_weight(spec, log_mean(spec, parameters, *pairs.T))
    quantities["distance"] = ("pair", labels, pair_distances(parameters["z"], pairs))
    quantities["rate"] = ("pair", labels, rates)
    if len(nodes):
        names = [network.names[node] for node in nodes]
        quantities["radius"] = ("node", names, radii(parameters["z"][..., nodes, :]))
        sent, received = expected_strengths(spec, parameters, nodes, sets_of(network))
        if network.directed and not spec.symmetric:
            quantities["out_strength"] = ("node", names, sent)
            quantities["in_strength"] = ("node", names, received)
        else:
            quantities["strength"] = ("node", names, sent)
    return quantities
