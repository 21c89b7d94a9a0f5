"""Pathfinder: the best normal density along the way of L-BFGS to a mode.

Zhang, Carpenter, Gelman & Vehtari, JMLR 23(306), 2022. Several paths go side by side: one process
of the compiled program evaluates the points of all of them at a time, under every CmdStan.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from lsm_stan.errors import InferenceError
from lsm_stan.inference.fit import Fit
from lsm_stan.inference.preconditioning import Preconditioner
from lsm_stan.inference.run import Run
from lsm_stan.model.parameters import Parameters, flat
from lsm_stan.posterior.checks import MAX_PARETO_K, Check
from lsm_stan.posterior.diagnostics import importance_weights
from lsm_stan.typing import FloatArray

#: Pairs of steps and changes of the gradient that L-BFGS remembers (the paper's J).
HISTORY = 6

#: Most iterations of a path; the last are near a mode, where normal densities are all alike.
ITERATIONS = 300

#: Shares of a step that are tried at once; the first step of a path knows no length.
SHARES = 0.5 ** np.arange(8)
FIRST_SHARES = 0.25 ** np.arange(16)

#: Least increase, in shares of what the slope promises (Nocedal & Wright, 2006, 3.1).
ARMIJO = 1e-4

#: A path ends where a step gains less than this share of the log density, or of a nat.
TOLERANCE = 1e-9

#: Standard deviation of the noise that sets the paths out apart from a mode, in Stan's coordinates.
NOISE = 0.5

#: Draws that the ELBO of a normal density is estimated from (the paper's K).
ELBO_DRAWS = 10

#: Maps points of shape (M, P) to log densities and gradients there.
Density = Callable[[FloatArray], tuple[FloatArray, FloatArray]]


@dataclass(eq=False)
class Trajectory:
    """The way of one L-BFGS run.

    Attributes
    ----------
    points, gradients : list of ndarray of shape (P,)
        Where it has been, and the gradients of the log density there.
    value : float
        The log density where it is.
    steps, changes : list of ndarray of shape (P,)
        What L-BFGS remembers: steps, and how much the gradient fell along them.
    normals : list of Normal
        A normal density for each point after the first.
    alpha : ndarray of shape (P,)
        Diagonal of the inverse Hessian's estimate.
    ended : bool
        Whether it goes no farther.
    """

    points: list[FloatArray]
    gradients: list[FloatArray]
    value: float
    alpha: FloatArray
    steps: list[FloatArray] = field(default_factory=list)
    changes: list[FloatArray] = field(default_factory=list)
    normals: list[Normal] = field(default_factory=list)
    ended: bool = False

    def direction(self) -> FloatArray:
        """Return where L-BFGS goes next.

        Returns
        -------
        ndarray of shape (P,)
        """
        gradient = self.gradients[-1]
        if not self.steps:
            return gradient / max(float(np.linalg.norm(gradient)), 1e-300)
        return inverse_times(self.alpha, self.steps, self.changes, gradient)

    def move(self, point: FloatArray, value: float, gradient: FloatArray) -> None:
        """Go to a point, and learn the curvature along the step.

        Parameters
        ----------
        point : ndarray of shape (P,)
            Where it goes.
        value : float
            The log density there.
        gradient : ndarray of shape (P,)
            Its gradient there.
        """
        step, change = point - self.points[-1], self.gradients[-1] - gradient
        gain = value - self.value
        self.points.append(point)
        self.gradients.append(gradient)
        self.value = value
        slope = float(step @ change)
        if slope > 1e-10 * float(change @ change):
            self.alpha = scaled(self.alpha, step, change)
            self.steps = [*self.steps, step][-HISTORY:]
            self.changes = [*self.changes, change][-HISTORY:]
        if self.steps:
            self.normals.append(Normal.at(self))
        self.ended = gain <= TOLERANCE * max(abs(value), 1.0)


def scaled(alpha: FloatArray, step: FloatArray, change: FloatArray) -> FloatArray:
    """Return the diagonal of the inverse Hessian after one more step (Gilbert & Lemaréchal, 1989).

    Parameters
    ----------
    alpha : ndarray of shape (P,)
        The diagonal before.
    step, change : ndarray of shape (P,)
        The step, and how much the gradient fell along it.

    Returns
    -------
    ndarray of shape (P,)
    """
    a, b, c = change @ (alpha * change), step @ change, step @ (step / alpha)
    return 1 / (a / (b * alpha) + change**2 / b - a * step**2 / (b * c * alpha**2))


def inverse_times(
    alpha: FloatArray, steps: list[FloatArray], changes: list[FloatArray], vector: FloatArray
) -> FloatArray:
    """Multiply by L-BFGS's estimate of the inverse Hessian (Nocedal & Wright, 2006, 7.4).

    Parameters
    ----------
    alpha : ndarray of shape (P,)
        Diagonal of the first estimate.
    steps, changes : list of ndarray of shape (P,)
        What is remembered, oldest first.
    vector : ndarray of shape (P,)
        What is multiplied.

    Returns
    -------
    ndarray of shape (P,)
    """
    pairs = [(s, y, 1 / float(s @ y)) for s, y in zip(steps, changes, strict=True)]
    product, shares = vector.copy(), []
    for step, change, rho in reversed(pairs):
        shares.append(rho * float(step @ product))
        product -= shares[-1] * change
    product *= alpha
    for (step, change, rho), share in zip(pairs, reversed(shares), strict=True):
        product += (share - rho * float(change @ product)) * step
    return product


@dataclass(frozen=True, eq=False)
class Normal:
    """A normal density with L-BFGS's inverse Hessian as covariance, a diagonal and a low rank.

    Attributes
    ----------
    mean : ndarray of shape (P,)
        Mean.
    root : ndarray of shape (P,)
        Square roots of the diagonal.
    basis : ndarray of shape (P, R)
        Orthonormal columns, in units of the diagonal.
    factor : ndarray of shape (R, R)
        Cholesky factor of the covariance within them.
    """

    mean: FloatArray
    root: FloatArray
    basis: FloatArray
    factor: FloatArray

    @classmethod
    def at(cls, path: Trajectory) -> Normal:
        """Return the density where a path is; algorithm 4 of the paper.

        Parameters
        ----------
        path : Trajectory
            The path; it has learned some curvature.

        Returns
        -------
        Normal
        """
        steps, changes = np.column_stack(path.steps), np.column_stack(path.changes)
        alpha, root = path.alpha, np.sqrt(path.alpha)
        beta = np.column_stack([alpha[:, None] * changes, steps])
        upper = np.triu(steps.T @ changes)
        inverse = np.linalg.inv(upper)
        inner = np.diag(np.diag(upper)) + changes.T @ (alpha[:, None] * changes)
        gamma = np.block(
            [[np.zeros_like(upper), -inverse], [-inverse.T, inverse.T @ inner @ inverse]]
        )
        columns = beta / root[:, None]
        sizes, axes = np.linalg.eigh(columns.T @ columns)
        kept = sizes > 1e-12 * sizes.max()
        mixed = np.sqrt(sizes[kept, None]) * axes[:, kept].T
        basis = columns @ (axes[:, kept] / np.sqrt(sizes[kept]))
        within = np.eye(len(mixed)) + mixed @ gamma @ mixed.T
        # rounding can take the last digits of a positive definite matrix
        values, vectors = np.linalg.eigh((within + within.T) / 2)
        values = np.maximum(values, 1e-12 * values.max())
        factor = np.linalg.cholesky((vectors * values) @ vectors.T)
        mean = path.points[-1] + inverse_times(alpha, path.steps, path.changes, path.gradients[-1])
        return cls(mean, root, basis, factor)

    def draw(self, draws: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Draw from the density.

        Parameters
        ----------
        draws : int
            Number of draws, S.
        rng : Generator
            Source of random numbers.

        Returns
        -------
        points : ndarray of shape (S, P)
        log_q : ndarray of shape (S,)
            Log densities, in nats.
        """
        noise = rng.normal(size=(draws, len(self.mean)))
        within = noise @ self.basis
        moved = noise + (within @ self.factor.T - within) @ self.basis.T
        log_volume = np.log(self.root).sum() + np.log(np.diag(self.factor)).sum()
        log_q = -0.5 * np.sum(noise**2, axis=1) - log_volume
        return self.mean + self.root * moved, log_q - 0.5 * len(self.mean) * np.log(2 * np.pi)


def follow_paths(
    density: Density, starts: FloatArray, on_step: Callable[[], object] = lambda: None
) -> list[Trajectory]:
    """Run L-BFGS from several starts, side by side.

    Parameters
    ----------
    density : callable
        Log density and gradient.
    starts : ndarray of shape (M, P)
        Starts.
    on_step : callable, default: does nothing
        Called after each iteration.

    Returns
    -------
    list of Trajectory
    """
    values, gradients = density(starts)
    paths = [
        Trajectory([start], [gradient], float(value), np.ones_like(start))
        for start, value, gradient in zip(starts, values, gradients, strict=True)
    ]
    for path in paths:
        path.ended = not np.isfinite(path.value) or not np.isfinite(path.gradients[0]).all()
    for _ in range(ITERATIONS):
        going = [path for path in paths if not path.ended]
        if not going:
            break
        directions = [path.direction() for path in going]
        shares = [SHARES if path.steps else FIRST_SHARES for path in going]
        tries = [
            path.points[-1] + share[:, None] * direction
            for path, direction, share in zip(going, directions, shares, strict=True)
        ]
        values, gradients = density(np.concatenate(tries))
        ends = np.cumsum([len(points) for points in tries])[:-1]
        for path, direction, share, points, value, gradient in zip(
            going, directions, shares, tries, np.split(values, ends), np.split(gradients, ends),
            strict=True,
        ):  # fmt: skip
            promised = share * float(path.gradients[-1] @ direction)
            good = (value >= path.value + ARMIJO * promised) & np.isfinite(gradient).all(axis=1)
            if not good.any():
                path.ended = True
                continue
            best = int(np.argmax(np.where(good, value, -np.inf)))
            path.move(points[best], float(value[best]), gradient[best])
        on_step()
    return paths


def best_normals(
    density: Density, paths: list[Trajectory], rng: np.random.Generator
) -> list[tuple[Normal, float]]:
    """Return the normal density of highest ELBO of each path, and the ELBO.

    Parameters
    ----------
    density : callable
        Log density and gradient.
    paths : list of Trajectory
        Paths; those that made no step have none.
    rng : Generator
        Source of random numbers.

    Returns
    -------
    list of tuple of (Normal, float)
    """
    best = []
    for path in paths:
        if not path.normals:
            continue
        draws = [normal.draw(ELBO_DRAWS, rng) for normal in path.normals]
        values = density(np.concatenate([points for points, _ in draws]))[0]
        log_q = np.concatenate([log_q for _, log_q in draws])
        gains = np.where(np.isfinite(values), values, -np.inf) - log_q
        elbos = gains.reshape(len(path.normals), ELBO_DRAWS).mean(axis=1)
        number = int(np.argmax(elbos))
        best.append((path.normals[number], float(elbos[number])))
    return best


def approximate_along_paths(
    run: Run, starts: list[Parameters], change: Preconditioner | None, draws: int
) -> Fit:
    """Follow paths from starts, and draw from the best normal densities along them.

    Draws of all paths are weighed by their importance and drawn again (PSIS; Vehtari et al.,
    JMLR 25(72), 2024), or, where k-hat says that few would be left, those of the best path are
    taken as they are.

    Parameters
    ----------
    run : Run
        The run; its seed draws everything random.
    starts : list of dict of str to ndarray
        Parameters without leading axes; equal ones are set apart by noise.
    change : Preconditioner or None
        The change of variables.
    draws : int
        Number of draws.

    Returns
    -------
    Fit

    Raises
    ------
    InferenceError
        If no path gets away from its start.
    """
    problem, learned = run.problem, run.problem.hierarchical
    rng = np.random.default_rng(run.seed)
    points = np.stack(
        [flat(problem.coordinates(s, learned=learned, change=change)) for s in starts]
    )
    if len(np.unique(points, axis=0)) < len(points):
        points = points + rng.normal(scale=NOISE, size=points.shape)
    run.say(f"{len(starts)} paths")
    data = problem.stan_data(learned=learned, change=change)
    with run.compiled.density(data) as process:
        density = process.log_prob_grad
        paths = follow_paths(density, points)
        normals = best_normals(density, paths, rng)
        if not normals:
            raise InferenceError(
                "pathfinder: no path made a step from its start; give another seed, or init='map'"
            )
        drawn = [normal.draw(draws, rng) for normal, _ in normals]
        candidates = np.concatenate([at for at, _ in drawn])
        log_q = np.concatenate([q for _, q in drawn])
        log_joint = density(candidates)[0]  # that of z: C has no part in it
    ratio = np.where(np.isfinite(log_joint), log_joint - log_q, -np.inf)
    weights, khat = importance_weights(ratio)
    elbos = [elbo for _, elbo in normals]
    if resampled := khat <= MAX_PARETO_K:
        kept = rng.choice(len(candidates), size=draws, p=weights)
    else:  # the weights would leave a handful of draws
        kept = int(np.argmax(elbos)) * draws + np.arange(draws)
    parameters = problem.at_coordinates(candidates[kept], learned=learned, change=change)
    volume = 0.0 if change is None else problem.dim * change.log_volume
    elbos = [elbo + volume for elbo in elbos]
    return run.finish(
        draws={name: values[None] for name, values in parameters.items()},
        log_joint=log_joint[kept][None],
        estimate={name: values.mean(axis=0) for name, values in parameters.items()},
        sample_stats={"log_q": log_q[kept][None]},
        checks=[_paths_check(paths, elbos)],
        details={
            "elbo": max(elbos),
            "elbo_of_paths": elbos,
            "khat": khat,
            "draws": draws,
            "gradients": process.gradients,
            "resampled": resampled,
            "preconditioned": change is not None,
        },
    )


def _paths_check(paths: list[Trajectory], elbos: list[float]) -> Check:
    ended = sum(path.ended for path in paths)
    return Check(
        "paths",
        ended > 0,
        f"{ended} of {len(paths)} paths ended within {ITERATIONS} iterations; the ELBOs of their"
        f" normal densities lie between {min(elbos):,.1f} and {max(elbos):,.1f}",
    )
