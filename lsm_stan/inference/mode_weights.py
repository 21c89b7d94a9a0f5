"""Modes weighed against each other: how much of the posterior lies around each.

Every point of the posterior belongs to one mode: the one that L-BFGS climbs to from there. Draws
of NUTS, from chains that may have explored different modes, are sorted by that. The mass around a
mode is an integral, which bridge sampling gives from the draws there and a normal density fitted to
half of them, in coordinates without rotations. Where each draw climbs to a mode of its own, modes
are too many to be weighed, and are not what the posterior is made of: that is said instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import logsumexp
from scipy.stats import Covariance, multivariate_normal

from lsm_stan.cmdstan.density import Density
from lsm_stan.errors import InputError
from lsm_stan.inference.compiled_model import CompiledModel
from lsm_stan.inference.continuation import distinct_modes
from lsm_stan.inference.fit import Fit
from lsm_stan.inference.fits import ensure_fits
from lsm_stan.inference.preconditioning import Preconditioner
from lsm_stan.inference.problem import Problem
from lsm_stan.inference.units import first_step, length
from lsm_stan.model.parameters import SCALES, Parameters, flat
from lsm_stan.posterior import idata as container
from lsm_stan.posterior.alignment import procrustes_rmse
from lsm_stan.posterior.bridge import Integral, bridge
from lsm_stan.posterior.slice import RotationSlice
from lsm_stan.progress import doing
from lsm_stan.text import counted
from lsm_stan.typing import FloatArray, IntArray

#: A climb ends where an iteration gains less, in nats; and most iterations.
CLIMB_TOLERANCE, CLIMB_ITERATIONS = 1e-9, 5000

#: Where a record has the weights, among its details.
MODES = "modes"

#: Blocks of Stan's parameters that turn with the positions.
TURNING = ("z_raw", "role_raw", "centre")

#: A normal density is fitted to half of a mode's draws: to at least this many for each number that
#: it has. With fewer, masses of 30 nodes came out wrong by several times their error.
DRAWS_A_NUMBER = 8


@dataclass(frozen=True)
class ModeWeights:
    """Modes and the mass of the posterior around each.

    Attributes
    ----------
    table : DataFrame
        A row a mode that draws climb to, the heaviest first, those that could not be weighed last:
        ``loss`` in nats, ``draws``, ``log_mass`` in nats with its Monte-Carlo standard ``error``
        (NaN where draws are too few), ``weight`` among the weighed modes.
    positions : ndarray of shape (M, N, K)
        The modes, in the order of the table.
    idata : InferenceData, DataTree or None
        One posterior: draws around the weighed modes, as many of each as it weighs; None if there
        is none.
    """

    table: pd.DataFrame
    positions: FloatArray
    idata: container.InferenceData | None

    def __str__(self) -> str:
        draws, weighed = self.table["draws"], self.table["log_mass"].notna()
        text = f"{counted(int(draws.sum()), 'draw')} climb to {counted(len(draws), 'mode')}"
        left = int(draws[~weighed].sum())
        if left > draws.sum() / 2:
            return (
                f"{text}, at most {draws.max():,} to one: the modes are too many to be weighed, and"
                " the posterior is not made of the surroundings of a few of them"
            )
        best, n_weighed = self.table.iloc[0], int(weighed.sum())
        if n_weighed > 1:
            text += f"; the heaviest of {n_weighed:,} weighed modes, of loss {best['loss']:,.2f},"
            text += f" holds {best['weight']:.1%} of their mass"
        elif len(draws) > 1:
            text += f"; that of loss {best['loss']:,.2f} alone has enough of them to be weighed"
        else:
            text += f", of loss {best['loss']:,.2f}"
        if left:
            text += (
                f"; {counted(left, 'draw lies', 'draws lie')} around the others, too few to weigh"
            )
        return text

    def as_record(self) -> dict[str, Any]:
        """Return what a fit's record keeps of them.

        Returns
        -------
        dict
            ``summary``, the sentence; ``draws`` and ``modes``, how many; and ``weighed``, the rows
            of the table that have a mass.
        """
        return {
            "summary": str(self),
            "draws": int(self.table["draws"].sum()),
            "modes": len(self.table),
            "weighed": self.table.dropna().to_dict("records"),
        }

    def recorded(self, fit: Fit) -> Fit:
        """Return a fit with the weights in its record, which reports then tell.

        Parameters
        ----------
        fit : Fit
            A fit whose draws were weighed.

        Returns
        -------
        Fit
            The same but for ``record.details["modes"]``.
        """
        details = {**fit.record.details, MODES: self.as_record()}
        return replace(fit, record=replace(fit.record, details=details))


def weigh_modes(
    model: CompiledModel, fits: Sequence[Fit], *, seed: int = 0, draws: int = 4000
) -> ModeWeights:
    """Weigh the modes that draws of NUTS lie around.

    Parameters
    ----------
    model : LatentSpaceModel
        The model that was fitted.
    fits : sequence of Fit
        Fits of it by NUTS, which may have started at different modes.
    seed : int, default 0
        Seed of the draws that masses are estimated from.
    draws : int, default 4000
        Most draws, of all fits together.

    Returns
    -------
    ModeWeights

    Raises
    ------
    InputError
        If a fit is of another network, model or number of dimensions, or has no draws of the
        posterior.

    Notes
    -----
    A mass is that of the mode's own region, its copies by rotation and reflection included. Where
    scales are learned, regions are those of the density with the scales as they are at modes.

    Examples
    --------
    >>> from lsm_stan import LatentSpaceModel, simulate, weigh_modes
    >>> model = LatentSpaceModel(simulate(8, 2, seed=2)[0], 2)
    >>> fit = model.sample(seed=1, iter_sampling=500, show_progress=False)  # doctest: +SKIP
    >>> print(weigh_modes(model, [fit]))  # doctest: +SKIP
    2000 draws climb to 6 modes; the heaviest of 4 weighed modes, of loss 92.69, holds 45.2% of ...
    """
    ensure_fits(dict(enumerate(fits)))
    parameters = _gathered(model, fits, draws)
    rng = np.random.default_rng(seed)
    problem = model.problem
    # a region depends on the coordinates that L-BFGS climbs in: they are the same for all points
    change = problem.preconditioner(fits[0].positions[None])
    rows = []
    with ExitStack() as stack:
        densities = (
            stack.enter_context(model.compiled.density(data))
            for data in (
                problem.stan_data(change=change),
                problem.stan_data(learned=problem.spec.hierarchical),
            )
        )
        weigher = _Weigher(problem, change, *densities)
        doing(f"climbing from {counted(len(parameters['z']), 'draw')}")
        heights, ends = weigher.climb(parameters)
        best_first = np.argsort(-heights)
        numbers = np.empty(len(ends), dtype=np.int64)
        numbers[best_first] = weigher.numbers(heights[best_first], ends[best_first])
        firsts = np.unique(numbers, return_index=True)[1]
        for mode, first in enumerate(firsts):
            inside = np.flatnonzero(numbers == mode)
            doing(f"weighing mode {mode + 1} of {len(firsts)}")
            around = {name: values[inside] for name, values in parameters.items()}
            mass = weigher.mass(around, heights[first], ends[first], rng)
            rows.append(
                {
                    "loss": -heights[first],
                    "draws": inside.size,
                    "log_mass": np.nan if mass is None else mass.log_value,
                    "error": np.nan if mass is None else mass.error,
                }
            )
    table = pd.DataFrame(rows)
    table["weight"] = np.exp(table["log_mass"] - logsumexp(table["log_mass"].dropna()))
    ranks = table.sort_values(["weight", "draws"], ascending=False, na_position="last").index
    labels = np.argsort(ranks)[numbers]
    table = table.loc[ranks].reset_index(drop=True)
    posterior = _posterior(model, parameters, labels, table, rng)
    return ModeWeights(table, ends[firsts][ranks], posterior)


def _gathered(model: CompiledModel, fits: Sequence[Fit], most: int) -> dict[str, FloatArray]:
    """Return draws of fits, one after the other, as parameters with one leading axis."""
    problem = model.problem
    for fit in fits:
        same = (fit.spec, fit.record.dim) == (problem.spec, problem.dim)
        if not same or fit.record.network.digest != problem.digest:
            raise InputError(
                f"the fit by {fit.method} is of {fit.record.model_name}, K = {fit.record.dim}, of"
                f" {fit.record.network.title or 'a network'}; needed: fits of the model that is"
                " given, to the same network"
            )
        if fit.method != "nuts":
            raise InputError(
                f"the fit is by {fit.method}; draws of the posterior are by nuts: weigh a fit of"
                " --method nuts"
            )
    if not fits:
        raise InputError("no fit is given; needed: at least one, by nuts")
    each = [{n: v.reshape(-1, *v.shape[2:]) for n, v in fit.parameters.items()} for fit in fits]
    every = max(1, -(-sum(len(of_fit["z"]) for of_fit in each) // most))
    return {name: np.concatenate([of_fit[name][::every] for of_fit in each]) for name in each[0]}


@dataclass(frozen=True)
class _Weigher:
    """Two processes, for all modes: one climbs, one has the density that is integrated."""

    problem: Problem
    change: Preconditioner | None
    climbs: Density
    masses: Density

    def climb(self, parameters: Parameters) -> tuple[FloatArray, FloatArray]:
        """Climb from points; return the heights and the positions there."""
        at_modes = {name: v for name, v in parameters.items() if name not in SCALES}
        values = self.problem.coordinates(at_modes, change=self.change)
        heights, ends = self.climbs.ascend(
            flat(values),
            iterations=CLIMB_ITERATIONS,
            first_step=first_step(self.problem.network),
            tolerance=CLIMB_TOLERANCE,
        )
        return heights, np.asarray(self.problem.at_coordinates(ends, change=self.change)["z"])

    def numbers(self, heights: FloatArray, ends: FloatArray) -> IntArray:
        """Give numbers to the modes that climbs ended at."""
        return distinct_modes(ends / length(self.problem), heights)

    def mass(
        self, draws: Parameters, height: float, mode: FloatArray, rng: np.random.Generator
    ) -> Integral | None:
        """Integrate the posterior over a mode's region; None where its draws do not suffice."""
        problem, learned = self.problem, self.problem.spec.hierarchical
        values = problem.declared(draws, learned=learned)
        count, dim = len(draws["z"]), problem.dim
        n_numbers = flat(values).shape[1] - dim * (dim - 1) // 2
        if count < 2 * DRAWS_A_NUMBER * n_numbers:
            return None
        turning = [name for name in TURNING if values[name].size]
        heads = np.cumsum([values[name].shape[1] for name in turning])[:-1]
        together = np.concatenate([values[name] for name in turning], axis=1)
        by_slice = RotationSlice(together[int(np.argmin(procrustes_rmse(draws["z"], mode)))])
        rest = {name: v.reshape(count, -1) for name, v in values.items() if name not in turning}
        widths = np.cumsum([v.shape[1] for v in rest.values()])[:-1]
        coordinates = np.concatenate([by_slice.coordinates(together), *rest.values()], axis=1)
        n_slice = n_numbers - sum(v.shape[1] for v in rest.values())

        def points(at: FloatArray) -> tuple[FloatArray, FloatArray]:
            turned = by_slice.positions(at[:, :n_slice])
            of_slice = zip(turning, np.split(turned, heads, axis=1), strict=True)
            others = zip(rest, np.split(at[:, n_slice:], widths, axis=1), strict=True)
            both = {**dict(of_slice), **dict(others)}
            return turned, flat(
                {name: both[name].reshape(len(at), *v.shape[1:]) for name, v in values.items()}
            )

        def log_mass(at: FloatArray) -> FloatArray:
            turned, rows = points(at)
            return self.masses.log_prob(rows) + by_slice.log_orbit(turned)

        half = rng.permutation(count) < count // 2
        # decomposed once, for draws and densities
        root = np.linalg.cholesky(np.cov(coordinates[half], rowvar=False))
        normal = multivariate_normal(coordinates[half].mean(axis=0), Covariance.from_cholesky(root))
        at_draws, at_normals = coordinates[~half], normal.rvs(int((~half).sum()), random_state=rng)
        ratio = log_mass(at_normals) - normal.logpdf(at_normals)
        heights, ends = self.climb(problem.at_flat(points(at_normals)[1], learned=learned))
        among = np.append(height, heights), np.concatenate([mode[None], ends])
        ratio[self.numbers(*among)[1:] != 0] = -np.inf
        mass = bridge((log_mass(at_draws) - normal.logpdf(at_draws))[None], ratio)
        return mass if np.isfinite(mass.log_value) else None


def _posterior(
    model: CompiledModel,
    parameters: Parameters,
    labels: IntArray,
    table: pd.DataFrame,
    rng: np.random.Generator,
) -> container.InferenceData | None:
    """Draw from all weighed modes, by their weights and then evenly among each one's draws."""
    weights = table["weight"].fillna(0.0).to_numpy()
    if not weights.any():
        return None
    of_draws = weights[labels] / table["draws"].to_numpy()[labels]
    kept = rng.choice(len(labels), size=len(labels), p=of_draws / of_draws.sum())
    draws = {name: values[kept][None] for name, values in parameters.items()}
    problem = model.problem
    log_joint = model.log_joint.at(draws)[0]
    best = {name: values[0, int(np.argmax(log_joint))] for name, values in draws.items()}
    return container.build(
        problem.network,
        draws=draws,
        log_joint=log_joint,
        estimate=best,
        constants={"prior_scale": problem.prior_scale, "jitter": problem.jitter},
        coords=problem.spec.coords,
        attrs={"method": "nuts, modes weighed"},
    )
