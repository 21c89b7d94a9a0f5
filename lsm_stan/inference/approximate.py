"""MAP of large networks: the sum over pairs is approximate, and its error is measured.

L-BFGS runs here, around the log likelihood of :mod:`lsm_stan.model.approximate` and the priors, in
units of :func:`widths`: it takes some tenth of the gradients there. Where it ends, the sums of
random nodes are made exactly too: what the sum is wrong by stands in the record, and a check fails
where that is more than was asked for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import gammaln

from lsm_stan.blas import on_one_blas_thread
from lsm_stan.errors import InferenceError, InputError
from lsm_stan.inference.fit import Fit
from lsm_stan.inference.mode_checks import MAX_NEWTON_GAIN
from lsm_stan.inference.problem import Problem
from lsm_stan.inference.run import Run
from lsm_stan.inference.starts import prior_starts
from lsm_stan.model.approximate import (
    approximate_sums,
    charges,
    check_served,
    exact_sums,
    log_likelihood_and_gradient,
)
from lsm_stan.model.log_prior import log_jacobian, log_prior
from lsm_stan.model.parameters import Parameters, flat
from lsm_stan.posterior.checks import Check
from lsm_stan.text import counted
from lsm_stan.typing import FloatArray

#: Relative error of the sum that is asked for by default.
TOLERANCE = 1e-4

#: Nodes whose sums are made exactly, and the stream of random numbers that chooses them.
MEASURED, STREAM = 200, 7

#: L-BFGS: most iterations, how many it remembers, and the relative gain of one that is the last.
ITERATIONS, MEMORY, LEAST_GAIN = 2000, 10, 1e-10

#: How SciPy says that a line search found no better point.
STUCK = 2


@dataclass(frozen=True)
class Approximate:
    """The log joint density of a problem with an approximate sum over pairs.

    Attributes
    ----------
    problem : Problem
        The model and its network.
    tolerance : float
        Relative error of the sum that is aimed at.
    threads : int
        Threads of the sum.
    """

    problem: Problem
    tolerance: float = TOLERANCE
    threads: int = 1

    def at_flat(self, point: FloatArray) -> tuple[float, FloatArray]:
        """Evaluate it, and its gradient, in Stan's own coordinates; scales are fixed.

        Parameters
        ----------
        point : ndarray of shape (P,)
            Parameters as :func:`lsm_stan.model.parameters.flat` lays them out.

        Returns
        -------
        log_joint : float
            In nats, with every constant.
        gradient : ndarray of shape (P,)

        Raises
        ------
        InferenceError
            If too many pairs have large rates for an approximate sum.
        """
        problem, spec = self.problem, self.problem.spec
        directed, parameters = problem.network.directed, problem.at_flat(point)
        value, slope = log_likelihood_and_gradient(
            spec, parameters, problem.network, tolerance=self.tolerance, threads=self.threads
        )
        priors: dict[str, Any] = {"directed": directed, "prior_scale": problem.prior_scale}
        value += float(sum(log_prior(spec, parameters, **priors).values()))
        value += float(log_jacobian(spec, parameters, **priors)) + self._diagonal
        declared = problem.declared(parameters)
        gradient = {name: np.zeros_like(values) for name, values in declared.items()}
        gradient["z_raw"] = slope["z"] - declared["z_raw"] / problem.prior_scale**2
        if spec.intercept:
            level = declared["intercept"]
            gradient["intercept"] = slope["intercept"] - level / spec.intercept_scale**2
        if spec.dispersed:
            prior = 0.5 / (float(parameters["phi"]) * spec.phi_scale**2) - 0.5
            gradient["log_phi"] = np.atleast_1d(slope["log_phi"] + prior)
        if spec.effects:
            sent, received = slope["sender_effect"], slope["receiver_effect"]
            columns = [sent, received] if directed else [sent + received]
            effects = declared["effect_raw"]
            gradient["effect_raw"] = spec.sigma_fixed * np.stack(columns, axis=-1) - effects
        return value, flat(gradient)

    @property
    def _diagonal(self) -> float:
        """The log probability of the self-loops, which is a constant."""
        if not self.problem.spec.diagonal:
            return 0.0
        network, rate = self.problem.network, self.problem.jitter**-0.5
        loops = network.weight[network.sender == network.receiver]
        logs = loops * math.log(rate) - gammaln(loops + 1)
        return float(logs.sum() - network.n_nodes * rate)


def check_arguments(
    problem: Problem, ladder: Sequence[float] | None, hops: int | None, others: Mapping[str, Any]
) -> None:
    """Refuse what an approximate sum does not serve.

    Parameters
    ----------
    problem : Problem
        The model and its network.
    ladder : sequence of float, or None
        Softenings that were asked for.
    hops : int or None
        Number of hops that were asked for.
    others : Mapping
        Arguments of CmdStanPy.

    Raises
    ------
    InputError
        If there is any.
    """
    for name in others:
        if name != "iter":
            raise InputError(f"{name} is of CmdStan, which sum = 'approximate' does not run")
    if ladder or hops:
        name, value = ("ladder", list(ladder)) if ladder else ("hops", hops)
        raise InputError(f"{name} is {value}; sum = 'approximate' has none: leave it out")
    if problem.layered:
        raise InputError("sum = 'approximate' is of one network, and not of layers: leave it out")
    check_served(problem.spec, problem.dim)


@on_one_blas_thread
def approximate_mode(run: Run, starts: int, tolerance: float, iterations: int | None) -> Fit:
    """Find a mode from starts that are drawn from the prior, and measure the error of the sum.

    Parameters
    ----------
    run : Run
        The run.
    starts : int
        Number of starts, one after another.
    tolerance : float
        Relative error of the sum that is asked for.
    iterations : int or None
        Most iterations of L-BFGS.

    Returns
    -------
    Fit
    """
    problem = run.problem
    density = Approximate(problem, tolerance, run.compiled.threads)
    ends = []
    for number, start in enumerate(prior_starts(problem, starts, run.seed), start=1):
        run.say(f"start {number} of {starts}, with an approximate sum over pairs")
        ends.append(climb(density, levelled(problem, start), iterations or ITERATIONS))
    best = max(ends, key=lambda end: end.log_joint)
    point = problem.at_flat(best.point)
    run.say(f"the exact sums of {min(MEASURED, problem.network.n_nodes)} random nodes")
    error = measured_error(density, point, best.log_joint, run.seed)
    enough = max(MAX_NEWTON_GAIN, tolerance * abs(best.log_joint))
    return run.finish(
        draws={name: np.asarray(value)[None, None] for name, value in point.items()},
        log_joint=np.full((1, 1), best.log_joint),
        estimate=point,
        height=best.log_joint,
        checks=[
            Check(
                "gradient",
                best.promise <= enough,
                f"a quasi-Newton step would gain about {best.promise:.2g} nats (at most"
                f" {enough:.2g}, the tolerance of the sum over pairs, is asked for)",
                "" if best.promise <= enough else "give it more iterations (iter)",
            ),
            Check(
                "sum",
                error["relative_error"] <= tolerance,
                "the sum over pairs is approximate: by the exact sums of"
                f" {counted(error['nodes'], 'random node')} the log joint is wrong by at most"
                f" {error['relative_error']:.1g} of itself ({tolerance:g} is allowed), and 95 % of"
                f" the nodes' gradients by {error['gradient_error_95']:.1g}",
                "" if error["relative_error"] <= tolerance else "take a smaller tolerance",
            ),
        ],
        details={
            "sum": "approximate",
            "tolerance": tolerance,
            "sum_error": error,
            "newton_gain": best.promise,
            "gradients": sum(end.gradients for end in ends),
            "starts": [
                {"start": i + 1, "loss": -ends[i].log_joint}
                for i in sorted(range(starts), key=lambda i: -ends[i].log_joint)
            ],
        },
    )


@dataclass(frozen=True, eq=False)
class End:
    """Where L-BFGS ended.

    Attributes
    ----------
    point : ndarray of shape (P,)
        In Stan's own coordinates.
    log_joint, promise : float
        The height, and what another step would gain, in nats.
    gradients : int
        How many were evaluated.
    """

    point: FloatArray
    log_joint: float
    promise: float
    gradients: int


def levelled(problem: Problem, start: Parameters) -> Parameters:
    """Return a start at which the expected total weight is the observed one, and φ at least 1.

    Parameters
    ----------
    problem : Problem
        The model and its network.
    start : dict of str to ndarray
        Parameters without leading axes, and without effects.

    Returns
    -------
    dict of str to ndarray
        With another intercept, where the model has one: an approximate sum of a negative binomial
        or Bernoulli likelihood needs small rates, in units of φ. What positions and effects will
        explain is not dispersion.
    """
    spec, network = problem.spec, problem.network
    if not spec.intercept:
        return start
    ones = np.ones(network.n_nodes)
    poisson = replace(spec, likelihood="poisson")
    total = approximate_sums(poisson, start["z"], ones, ones, tolerance=TOLERANCE).value.sum()
    observed = network.total_weight * (1 if network.directed else 2)
    dispersion = {"phi": np.maximum(start["phi"], 1.0)} if spec.dispersed else {}
    return {**start, **dispersion, "intercept": np.log((observed + 0.5) / total)}


def widths(problem: Problem, start: Parameters) -> FloatArray:
    """Return about how uncertain each coordinate is, from the strengths of the nodes.

    An edge of weight y tells the logarithm of its rate with a precision of y, or y / (1 + y / φ)
    where weights are negative binomial. A node that many edges reach can move less than others.

    Parameters
    ----------
    problem : Problem
        The model and its network.
    start : dict of str to ndarray
        Parameters without leading axes.

    Returns
    -------
    ndarray of shape (P,)
        Positive, in units of each coordinate.
    """
    spec, network = problem.spec, problem.network
    weight = network.weight.astype(float)
    told = weight / (1 + weight / float(start["phi"])) if spec.dispersed else weight
    usual = told.sum() / network.n_nodes  # pairs without an edge tell something too
    sent, received = (
        usual + np.bincount(ends, told, network.n_nodes)
        for ends in (network.sender, network.receiver)
    )
    precision = {name: np.ones_like(part) for name, part in problem.declared(start).items()}
    # the second derivative of log exp(-d²), and about that of other forms
    precision["z_raw"] = np.broadcast_to(
        problem.prior_scale**-2 + 2 * (sent + received)[:, None], precision["z_raw"].shape
    )
    if spec.effects:
        ends = [sent, received] if network.directed else [sent + received]
        precision["effect_raw"] = 1 + spec.sigma_fixed**2 * np.stack(ends, axis=-1)
    if spec.intercept:
        precision["intercept"] = np.atleast_1d(spec.intercept_scale**-2 + told.sum())
    if spec.dispersed:
        precision["log_phi"] = np.atleast_1d(1.0 + network.n_edges)
    return flat(precision) ** -0.5


def climb(density: Approximate, start: Parameters, iterations: int) -> End:
    """Climb from a start by L-BFGS.

    Parameters
    ----------
    density : Approximate
        The density.
    start : dict of str to ndarray
        Parameters without leading axes.
    iterations : int
        Most iterations.

    Returns
    -------
    End

    Raises
    ------
    InferenceError
        If the density cannot be evaluated at the start, or where the way leads.
    """
    unit, refusals = widths(density.problem, start), []
    lowest = gain = math.inf

    def descent(steps: FloatArray) -> tuple[float, FloatArray]:
        nonlocal lowest, gain
        try:
            value, gradient = density.at_flat(steps * unit)
        except InferenceError as error:
            if not math.isfinite(lowest):
                raise
            refusals.append(error)
            value, gradient = -math.inf, np.zeros(len(steps))
        if not (math.isfinite(value) and np.isfinite(gradient).all()):
            # there is no sum: worse by what the last step gained, so that the next is shorter
            return lowest + gain, np.zeros(len(steps))
        if -value < lowest:
            gain, lowest = min(lowest + value, abs(value)), -value
        return -value, -gradient * unit

    begin = flat(density.problem.declared(start)) / unit
    options: Any = {"maxiter": iterations, "maxfun": 4 * iterations, "maxcor": MEMORY}
    options |= {"ftol": LEAST_GAIN, "gtol": 0.0}
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        result = minimize(descent, begin, jac=True, method="L-BFGS-B", options=options)
    if not math.isfinite(lowest):
        raise InferenceError("map: the log joint is not finite at the start; take another seed")
    if refusals and result.status == STUCK:
        raise refusals[-1]
    inverse_hessian: Any = result.hess_inv
    promise = 0.5 * float(result.jac @ inverse_hessian(result.jac))
    return End(result.x * unit, -float(result.fun), promise, int(result.nfev))


def measured_error(
    density: Approximate, parameters: Parameters, log_joint: float, seed: int
) -> dict[str, Any]:
    """Compare the sums of random nodes with their exact sums.

    Parameters
    ----------
    density : Approximate
        The density.
    parameters : dict of str to ndarray
        Where, without leading axes.
    log_joint : float
        The log joint density there, in nats.
    seed : int
        Seed of the choice of nodes.

    Returns
    -------
    dict
        ``nodes``, how many; ``error``, that of the log joint, in nats, with its
        ``standard_error`` from the choice of nodes; ``relative_error``, the bound that both give,
        in units of the log joint; and ``gradient_error_95``, the error of the gradients of 95 % of
        the nodes, in units of what pairs contribute to each.
    """
    spec, network = density.problem.spec, density.problem.network
    rng = np.random.default_rng([seed, STREAM])
    size = min(MEASURED, network.n_nodes)
    nodes = np.sort(rng.choice(network.n_nodes, size, replace=False))
    z, both = parameters["z"], charges(spec, parameters)
    about = approximate_sums(spec, z, *both, tolerance=density.tolerance, threads=density.threads)
    exact = exact_sums(spec, z, *both, nodes)
    nats = float(parameters["phi"]) if spec.dispersed else 1.0
    nats *= network.n_nodes * (1.0 if network.directed else 0.5)
    off = nats * (about.value[nodes] - exact.value)
    error, standard_error = float(off.mean()), float(off.std(ddof=1) / math.sqrt(size))
    lengths = np.maximum(np.linalg.norm(exact.slope, axis=1), 1e-300)
    apart = np.linalg.norm(about.slope[nodes] - exact.slope, axis=1) / lengths
    return {
        "nodes": size,
        "error": error,
        "standard_error": standard_error,
        "relative_error": (abs(error) + 2 * standard_error) / abs(log_joint),
        "gradient_error_95": float(np.quantile(apart, 0.95)),
    }
