"""The search for good modes: softened continuation from many starts.

The log joint has very many modes, and L-BFGS from a random start ends in a poor one, or stops
far from any: two nodes whose distance passes through zero meet an infinite barrier, so nodes
cannot change places. With d replaced by ``sqrt(d^2 + ε^2)`` they can. Continuation runs L-BFGS
at a large ε, then, from where that ended, at the next smaller one, and ends at ε = 0, the
exact model (graduated non-convexity: Blake & Zisserman, Visual Reconstruction, 1987).

Nothing here knows the model: only a density with a softening.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Protocol, TypeVar

import numpy as np

from lsm_stan.model.family import Form
from lsm_stan.posterior.alignment import procrustes_rmse
from lsm_stan.processes import cores
from lsm_stan.typing import FloatArray, IntArray

Point = TypeVar("Point")
Rung = TypeVar("Rung", contravariant=True)

#: ε of the successive runs, in units of distance; the exact model follows by itself. The first
#: decides which mode is reached: from ε = 3 modes are 10 to 20 nats better than from ε = 1. Finer
#: steps (30 of them, ratio 0.8) end in the same modes.
LADDER: tuple[float, ...] = tuple(3.0 * 0.5**k for k in range(9))

#: By the distance form. The others are smooth where nodes meet, and gain nothing.
LADDERS: dict[Form, tuple[float, ...]] = {
    "inverse": LADDER,
    "exponential": (),
    "squared": (),
    "inner": (),
}

#: Modes closer than this (root mean squared distance a node, after alignment) are one mode.
SAME_MODE_RMSE = 0.01

#: Modes whose log densities differ by more than this are different, where these are known so well.
SAME_MODE_NATS = 1e-3


class Descent(Protocol[Point, Rung]):
    """One L-BFGS run: from a point, on a rung of the ladder, to a better one."""

    def __call__(self, point: Point, rung: Rung, *, start: int) -> Point:
        """Return the end point."""
        ...


def continuation(
    descend: Descent[Point, Rung],
    points: Sequence[Point],
    rungs: Sequence[Rung],
    on_rung: Callable[[], object] = lambda: None,
) -> list[Point]:
    """Run continuation from every start, in parallel over the cores.

    Parameters
    ----------
    descend : callable
        A :class:`Descent`: one L-BFGS run.
    points : sequence
        The starts: positions, or all parameters of a model.
    rungs : sequence
        The models that a start descends in, the exact one last.
    on_rung : callable, default: does nothing
        Called after each run, from any thread.

    Returns
    -------
    list
        The end points, in the order of the starts.
    """
    stop = threading.Event()

    def run(start: int) -> Point:
        point = points[start]
        for rung in rungs:
            if stop.is_set():
                break
            point = descend(point, rung, start=start)
            on_rung()
        return point

    with ThreadPoolExecutor(max_workers=cores()) as pool:
        futures = [pool.submit(run, start) for start in range(len(points))]
        try:
            for future in as_completed(futures):
                future.result()
        except BaseException:
            # an interrupt or a failed run: let no thread begin another rung
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise
    return [future.result() for future in futures]


def distinct_modes(modes: FloatArray, heights: FloatArray | None = None) -> IntArray:
    """Give modes numbers, the same to those equal up to rotation and reflection.

    Parameters
    ----------
    modes : ndarray of shape (M, N, K)
        Positions.
    heights : ndarray of shape (M,), or None, default None
        Log densities there, in nats: modes whose heights differ are different.

    Returns
    -------
    ndarray of int64 of shape (M,)
        For each mode the number of its class, from 0 in order of appearance.

    Examples
    --------
    >>> import numpy as np
    >>> mode = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]])
    >>> distinct_modes(np.stack([mode, 2 * mode, -mode]))
    array([0, 1, 0])
    """
    numbers = np.zeros(len(modes), dtype=np.int64)
    firsts: list[int] = []
    for i, mode in enumerate(modes):
        alike = np.arange(len(firsts))
        if heights is not None:
            alike = np.flatnonzero(np.abs(heights[firsts] - heights[i]) < SAME_MODE_NATS)
        known = modes[[firsts[number] for number in alike]]
        same = alike[procrustes_rmse(known, mode) < SAME_MODE_RMSE] if len(alike) else alike
        numbers[i] = same[0] if len(same) else len(firsts)
        if not len(same):
            firsts.append(i)
    return numbers
