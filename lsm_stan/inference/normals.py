"""The normal densities of variational inference, and the evidence lower bound (ELBO) they have."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import LinAlgError, cholesky
from scipy.linalg.lapack import dtrtri
from scipy.special import softmax

from lsm_stan.inference.problem import Problem
from lsm_stan.model.expected_likelihood import ExpectedLikelihood
from lsm_stan.model.expected_prior import expected_log_prior
from lsm_stan.model.normal_pairs import Gradient
from lsm_stan.model.parameters import Parameters
from lsm_stan.model.sites import Sites
from lsm_stan.typing import FloatArray

#: What a density is over besides sites: as Stan declares it, but for effects in nats.
OTHERS = (
    "intercept",
    "log_phi",
    "effect",
    "log_sigma",
    "rho_raw",
    "log_sigma_role",
    "log_sigma_z",
    "coefficient",
    "theta_raw",
    "log_omega",
)

#: Most variance of positions at first, where it is of inner products: at 1 the ELBO is infinite.
MOST_INNER = 0.5

#: Entropy of a standard normal variable, in nats.
UNIT_ENTROPY = 0.5 * (1 + math.log(2 * math.pi))


@dataclass(frozen=True, eq=False)
class Shape:
    """What a normal density has besides its means.

    Attributes
    ----------
    precision : ndarray of shape (M, M) or (M,)
        The inverse of S, the covariance of the sites in each coordinate; or, where sites are
        independent, of its diagonal.
    variance : dict of str to ndarray
        Variances of all other parameters, which are independent; by the names of :data:`OTHERS`.
    """

    precision: FloatArray
    variance: dict[str, FloatArray]

    @cached_property
    def factor(self) -> FloatArray:
        """C with ``C C' = S``, or its diagonal.

        Raises
        ------
        LinAlgError
            If the precision is not positive definite.
        """
        if not np.isfinite(self.precision).all():
            raise LinAlgError("a precision is not finite")
        if self.precision.ndim == 1:
            if not (self.precision > 0).all():
                raise LinAlgError("a variance is not positive")
            return 1 / np.sqrt(self.precision)
        lower = cholesky(self.precision, lower=True)
        return np.asarray(dtrtri(lower, lower=1)[0].T)

    @cached_property
    def spread(self) -> FloatArray:
        """S, or its diagonal."""
        return self.factor**2 if self.factor.ndim == 1 else self.factor @ self.factor.T

    @cached_property
    def sd(self) -> dict[str, FloatArray]:
        """Standard deviations of the other parameters."""
        return {name: np.sqrt(values) for name, values in self.variance.items()}

    def scale(self, name: str, values: FloatArray) -> FloatArray:
        """Give a parameter in units of the density its scale.

        Parameters
        ----------
        name : str
            The parameter.
        values : ndarray of shape (..., M, K) or (..., S)
            Values in units of the density.

        Returns
        -------
        ndarray of shape (..., M, K) or (..., S)
        """
        if name != "z":
            return self.sd[name] * values
        return self.factor[:, None] * values if self.factor.ndim == 1 else self.factor @ values

    def in_units(self, gradient: Gradient) -> Iterator[FloatArray]:
        """Yield the derivatives in the means in units of the density.

        Parameters
        ----------
        gradient : Gradient
            Derivatives.

        Yields
        ------
        ndarray
            In the order of the means.
        """
        for name, values in gradient.mean.items():
            turned = name == "z" and self.factor.ndim == 2
            yield self.factor.T @ values if turned else self.scale(name, values)

    def entropy(self, dim: int) -> float:
        """Return the entropy.

        Parameters
        ----------
        dim : int
            K, the number of coordinates.

        Returns
        -------
        float
            In nats.
        """
        factor = self.factor
        sd = factor if factor.ndim == 1 else np.diagonal(factor)
        total = dim * float(np.log(sd).sum() + len(sd) * UNIT_ENTROPY)
        for values in self.sd.values():
            total += float(np.log(values).sum()) + values.size * UNIT_ENTROPY
        return total


@dataclass(frozen=True, eq=False)
class Normals:
    """A normal density: coordinates of sites share a covariance, all else is independent.

    Attributes
    ----------
    mean : dict of str to ndarray
        Means: sites, ``z`` of shape (M, K) (:mod:`lsm_stan.model.sites`), and others by the names
        of :data:`OTHERS`.
    shape : Shape
        Covariance and variances.
    """

    mean: dict[str, FloatArray]
    shape: Shape

    @classmethod
    def around(
        cls, problem: Problem, start: Parameters, variance: float, *, shared: bool
    ) -> Normals:
        """Return a density around a point.

        Parameters
        ----------
        problem : Problem
            The model and its network.
        start : dict of str to ndarray
            Parameters without leading axes.
        variance : float
            Variance of everything; of sites in squared units of the positions' scale.
        shared : bool
            Whether sites have a covariance.

        Returns
        -------
        Normals
        """
        values = problem.declared(start, learned=problem.spec.hierarchical)
        none = np.zeros(problem.network.n_nodes)
        ends = [start.get(name, none) for name in ("sender_effect", "receiver_effect")]
        values["effect"] = np.stack(ends, axis=1)[:, : values["effect_raw"].shape[1]]
        points = {"role": np.zeros_like(start["z"])} | dict(start) | {"centre": values["centre"]}
        mean = {"z": Sites.of(problem.spec, len(none)).joined(points)}
        mean |= {name: np.array(values[name]) for name in OTHERS if values[name].size}
        each = np.full(len(mean["z"]), 1 / (variance * widest(problem)))
        others = {name: np.full(mean[name].shape, variance) for name in mean if name != "z"}
        return cls(mean, Shape(np.diag(each) if shared else each, others))

    def entropy(self) -> float:
        """Return the entropy.

        Returns
        -------
        float
            In nats.
        """
        return self.shape.entropy(self.mean["z"].shape[1])

    def draw(
        self, draws: int, rng: np.random.Generator
    ) -> tuple[dict[str, FloatArray], FloatArray]:
        """Draw from the density.

        Parameters
        ----------
        draws : int
            Number of draws, D.
        rng : Generator
            Source of random numbers.

        Returns
        -------
        values : dict of str to ndarray
            Sites and other parameters, with a leading axis.
        log_q : ndarray of shape (D,)
            Log densities, in nats.
        """
        log_q, values = np.full(draws, -self.entropy()), {}
        for name, mean in self.mean.items():
            noise = rng.normal(size=(draws, *mean.shape))
            log_q += 0.5 * (mean.size - np.sum(noise**2, axis=tuple(range(1, noise.ndim))))
            values[name] = mean + self.shape.scale(name, noise)
        return values, log_q


def widest(problem: Problem) -> float:
    """Return the most variance that positions have at first.

    Parameters
    ----------
    problem : Problem
        The model and its network.

    Returns
    -------
    float
        In squared units of positions: the prior's, or less where the ELBO would not be finite.
    """
    variance = problem.prior_scale**2
    return min(variance, MOST_INNER) if problem.spec.form == "inner" else variance


def parameters_of(problem: Problem, values: Parameters) -> dict[str, FloatArray]:
    """Return the parameters of the model that a density's values are.

    Parameters
    ----------
    problem : Problem
        The model and its network.
    values : dict of str to ndarray
        Values by the names that a density has, with any leading axes ``(...)``.

    Returns
    -------
    dict of str to ndarray
        By the names of :mod:`lsm_stan.model.parameters`.
    """
    spec = problem.spec
    parameters = Sites.of(spec, problem.network.n_nodes).split(values["z"])
    if "intercept" in values:
        parameters["intercept"] = values["intercept"][..., 0]
    if "log_phi" in values:
        parameters["phi"] = np.exp(values["log_phi"][..., 0])
    if "effect" in values:
        for column, end in ((0, "sender"), (-1, "receiver")):
            parameters[f"{end}_effect"] = values["effect"][..., column]
            parameters[f"sigma_{end}"] = np.exp(values["log_sigma"][..., column])
    if "rho_raw" in values:
        parameters["rho"] = np.tanh(values["rho_raw"][..., 0])
    for name in ("sigma_role", "sigma_z"):
        if f"log_{name}" in values:
            parameters[name] = np.exp(values[f"log_{name}"][..., 0])
    if spec.covariates is not None and "coefficient" in values:
        parameters["beta"] = values["coefficient"] / spec.covariates.scale
    if spec.clusters:
        last = np.zeros((*values["theta_raw"].shape[:-1], 1))
        parameters["theta"] = softmax(np.concatenate([values["theta_raw"], last], -1), axis=-1)
        scale = parameters.get("sigma_z", np.asarray(problem.prior_scale))
        parameters["sigma_cluster"] = np.exp(values["log_omega"]) * scale[..., None]
    return parameters


def log_volume(problem: Problem, values: Parameters) -> FloatArray | float:
    """Return the log volume of what a density is over in one of what Stan declares.

    Stan declares positions, roles and effects in units of their scales, where those are learned.

    Parameters
    ----------
    problem : Problem
        The model and its network.
    values : dict of str to ndarray
        As in :func:`parameters_of`.

    Returns
    -------
    float or ndarray of shape (...)
        In nats.
    """
    n_nodes, dim = problem.network.n_nodes, problem.dim
    total: FloatArray | float = Sites.of(problem.spec, n_nodes).log_volume(dim)
    for name in ("log_sigma_z", "log_sigma_role"):
        if name in values:
            total = total + n_nodes * dim * values[name][..., 0]
    if "log_sigma" in values:
        total = total + n_nodes * values["log_sigma"].sum(axis=-1)
    if "rho_raw" in values:
        total = total - n_nodes * np.log(np.cosh(values["rho_raw"][..., 0]))
    return total


class Bound:
    """The expected log joint density under normal densities; with their entropy, the ELBO.

    Parameters
    ----------
    problem : Problem
        The model and its network.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.likelihood = ExpectedLikelihood(problem.spec, problem.network, problem.jitter)
        self.evaluations = 0

    def energy(self, normals: Normals, *, means_only: bool = False) -> tuple[float, Gradient]:
        """Return the expected log joint density, or the lower bound of it that can be had.

        Parameters
        ----------
        normals : Normals
            The density.
        means_only : bool, default False
            Whether to leave out the derivatives in the covariance of the nodes.

        Returns
        -------
        value : float
            In nats.
        gradient : Gradient
        """
        self.evaluations += 1
        mean, spread, variance = normals.mean, normals.shape.spread, normals.shape.variance
        value, total = self.likelihood.at(mean, spread, variance, means_only=means_only)
        value += expected_log_prior(
            self.problem.spec,
            self.likelihood.sites,
            mean,
            spread,
            variance,
            self.problem.prior_scale,
            total,
        )
        return value, total

    @property
    def exact(self) -> bool:
        """Whether it is the expectation itself, no lower bound."""
        return self.likelihood.exact and not self.problem.spec.clusters

    def tighten(self, normals: Normals) -> None:
        """Make the bounds of the expected log likelihood as tight as they can be at a density.

        Parameters
        ----------
        normals : Normals
            The density.
        """
        if not self.likelihood.exact:
            self.evaluations += 1
            self.likelihood.retilt(normals.mean, normals.shape.spread, normals.shape.variance)

    def elbo(self, normals: Normals) -> float:
        """Return the ELBO.

        Parameters
        ----------
        normals : Normals
            The density.

        Returns
        -------
        float
            In nats, every constant of model and density included; comparable with ADVI's.
        """
        return self.energy(normals)[0] + normals.entropy()
