r"""A linear change of variables that takes the stiffness out of the posterior.

Heavy pairs sit in narrow shells (width about 0.003 for the strongest synapses of *C. elegans*)
inside a cloud of radius 4, so a sampler in z needs thousands of tiny steps to cross the cloud.
Sampling ``z_raw`` with ``z = C z_raw`` leaves the posterior of z as it is, and moves pairs
together along the network's own slow directions.

**Derivation.** A pair at distance d with total weight s over its n ordered cells has energy
``u(d) = s log d + n / d``. The mean of its Hessian over directions is (Δu / K) times the
identity, with the Laplacian in K dimensions

.. math:: \Delta u = u'' + \frac{K-1}{d} u'
          = \frac{s (K - 2)}{d^2} + \frac{n (3 - K)}{d^3}.

Summed over pairs this is the graph Laplacian L with weights ``w_ij = E[Δu_ij] / K``, the same
in every coordinate; with the prior's precision,

.. math:: \Sigma = (I / \tau^2 + L)^{-1}, \qquad C = \Sigma^{1/2}

(τ the prior's scale) is the covariance of a Gaussian with the posterior's mean curvature. At
K = 3, ``1/d`` is harmonic and only observed edges count. Elsewhere every pair does; a pair
whose mean curvature is negative (K = 1, or K > 3 at short distance) is left out.

**What else was tried**, on *C. elegans* with two chains of 2,000 draws from the posterior; the
5 % quantile of the ESS of 500 distances, per million gradients (these vary by some tens of per
cent from run to run):

=====================================================  =====
metric of NUTS in the new coordinates                  ESS
=====================================================  =====
none (unit), what is used                              240
diagonal, adapted by Stan, C = V λ^(-1/2)              124
diagonal, adapted by Stan, C = V λ^(-1/2) Vᵀ            59
none, each mode scaled by its sd in a long run          63
the same, by the root of that sd                        79
=====================================================  =====

(V, λ: eigenvectors and eigenvalues of Σ⁻¹. Without a metric the choice of the root is of no
consequence.) Slow modes wander far, but along curved paths that are locally as stiff as any
other: a metric that stretches them costs step size and gains nothing.

**Other models are not so stiff.** ``nb-squared-effects`` (K = 3) takes 60 gradients a draw under
Stan's diagonal metric as it is; per million gradients its distances have a 5 % quantile of 7,800
and a median of 14,500, thirty times the tutorial's. What is slow are scalars (scales, their
correlation, the log joint: 2,000), which no change of positions helps. Trees of depth 6 at most
change nothing (8,500, 15,100 and 2,100). Four chains of 1,000 + 2,000 iterations pass every check
in 170 seconds of one core, 0.94 million gradients.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lsm_stan.model.family import MODELS, ModelSpec
from lsm_stan.network.network import Network
from lsm_stan.typing import FloatArray

#: Beyond this many nodes the N x N factor costs more than it saves.
MAX_NODES = 2000


@dataclass(frozen=True)
class Preconditioner:
    """The change of variables ``z = factor @ z_raw`` and its inverse.

    Attributes
    ----------
    factor : ndarray of shape (N, N)
        C, from ``z_raw`` to positions.
    inverse : ndarray of shape (N, N)
        Its inverse, from positions to ``z_raw``.
    """

    factor: FloatArray
    inverse: FloatArray

    @property
    def log_volume(self) -> float:
        """Log of the volume that ``factor`` gives a unit of volume in one dimension of z_raw."""
        return float(np.linalg.slogdet(self.factor)[1])


def pair_curvature(network: Network, positions: FloatArray) -> FloatArray:
    """Return the mean curvature ``w_ij = E[Δu_ij] / K`` of every pair.

    Parameters
    ----------
    network : Network
        N nodes.
    positions : ndarray of shape (M, N, K)
        Position sets: one mode, or draws of the posterior.

    Returns
    -------
    ndarray of shape (N, N)
        Symmetric, non-negative, zero on the diagonal; in nats per squared unit of distance.
    """
    n_draws, n_nodes, dim = positions.shape
    strength = np.zeros((n_nodes, n_nodes))
    np.add.at(strength, (network.sender, network.receiver), network.weight)
    strength += strength.T
    np.fill_diagonal(strength, 0.0)
    cells = 2 if network.directed else 1
    total = np.zeros((n_nodes, n_nodes))
    off_diagonal = ~np.eye(n_nodes, dtype=bool)
    for z in positions:
        norm = np.einsum("ik,ik->i", z, z)
        squared = np.where(off_diagonal, norm[:, None] + norm - 2 * z @ z.T, np.inf)
        # guard the cancellation of near pairs
        squared = np.maximum(squared, 1e-12)
        total += strength * (dim - 2) / squared + cells * (3 - dim) * squared**-1.5
    return np.asarray(np.maximum(total, 0.0) / (n_draws * dim))


def preconditioner(
    network: Network, positions: FloatArray, prior_scale: float = 1.0
) -> Preconditioner:
    """Return the change of variables for a network from positions of its posterior.

    Parameters
    ----------
    network : Network
        N nodes.
    positions : ndarray of shape (M, N, K)
        Position sets to average the curvature over.
    prior_scale : float, default 1.0
        Standard deviation of each coordinate's prior.

    Returns
    -------
    Preconditioner
        Its factor is the symmetric root of Σ, which commutes with relabelling the nodes.

    Examples
    --------
    >>> import numpy as np
    >>> from lsm_stan.network.network import Network
    >>> network = Network.from_edges(["a", "b"], ["b", "c"], [3, 1])
    >>> change = preconditioner(network, np.random.default_rng(0).normal(size=(1, 3, 2)))
    >>> np.allclose(change.factor @ change.inverse, np.eye(3))
    True
    """
    weight = pair_curvature(network, positions)
    precision = np.diag(weight.sum(axis=1) + prior_scale**-2) - weight
    values, vectors = np.linalg.eigh(precision)
    # none is below the prior's precision, but by rounding, where weights are very large
    root = np.sqrt(np.maximum(values, 0.5 * prior_scale**-2))
    return Preconditioner(factor=(vectors / root) @ vectors.T, inverse=(vectors * root) @ vectors.T)


def is_preconditioned(spec: ModelSpec, network: Network) -> bool:
    """Return whether a model is stiff, and its network small enough for the factor.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    network : Network
        N nodes; at most :data:`MAX_NODES` are few enough.

    Returns
    -------
    bool
    """
    return spec == MODELS["tutorial"] and network.n_nodes <= MAX_NODES


def preconditioner_of(
    spec: ModelSpec, network: Network, positions: FloatArray, prior_scale: float
) -> Preconditioner | None:
    """Return what :func:`preconditioner` does where a model is preconditioned, else None.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    network : Network
        N nodes.
    positions : ndarray of shape (M, N, K)
        Position sets to average the curvature over.
    prior_scale : float
        Standard deviation of each coordinate's prior.

    Returns
    -------
    Preconditioner or None
    """
    if not is_preconditioned(spec, network):
        return None
    return preconditioner(network, positions, prior_scale)
