"""Continuation, modes and curvature, on densities whose answers are known."""

import itertools
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from math import comb

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import ortho_group

from lsm_stan.inference.continuation import (
    LADDER,
    SAME_MODE_NATS,
    SAME_MODE_RMSE,
    continuation,
    distinct_modes,
)
from lsm_stan.inference.curvature import (
    Known,
    independent,
    newton_step,
    quadratic,
    tangents,
)
from lsm_stan.inference.differences import minus_hessian
from lsm_stan.network.datasets import load_celegans

# --- continuation -------------------------------------------------------------------------------


class Recorder:
    """A descent that notes its calls and moves each start one step on."""

    def __init__(self):
        self.calls = []
        self.lock = threading.Lock()

    def __call__(self, positions, rung, *, start):
        with self.lock:
            self.calls.append((start, rung, float(positions[0, 0])))
        return positions + 1.0

    def of(self, start):
        return [call[1:] for call in self.calls if call[0] == start]


def starts(count):
    return [np.full((4, 2), 100.0 * k) for k in range(count)]


def test_every_start_goes_down_the_ladder():
    descend, done = Recorder(), []
    ends = continuation(descend, starts(5), [2.0, 1.0, 0.0], lambda: done.append(1))
    for start, end in enumerate(ends):
        z = 100.0 * start
        assert descend.of(start) == [(2.0, z), (1.0, z + 1), (0.0, z + 2)]
        assert_allclose(end, z + 3)
    assert len(done) == 15


def test_the_order_of_the_ends_is_that_of_the_starts():
    second_ends = threading.Event()

    def descend(positions, _rung, *, start):
        if start == 0:
            second_ends.wait(timeout=1)  # with one core it never does
        second_ends.set()
        return positions

    ends = continuation(descend, starts(4), [1.0])
    assert [end[0, 0] for end in ends] == [0.0, 100.0, 200.0, 300.0]


def test_the_positions_given_are_not_changed():
    given = starts(2)
    continuation(Recorder(), given, [1.0])
    assert_allclose(given, starts(2))


def test_the_ladder_goes_below_the_distances_of_celegans():
    assert all(a > b > 0 for a, b in itertools.pairwise(LADDER))
    # a pair's energy s log d + 2 / d is lowest at d = 2 / s: no pair is nearer than this
    dense = load_celegans().to_dense()
    assert LADDER[-1] < 2 / (dense + dense.T).max()


class BrokenError(Exception):
    """A failure of one start."""


@pytest.mark.parametrize("failure", [BrokenError, KeyboardInterrupt])
def test_a_failure_in_one_start_stops_the_others(failure, monkeypatch):
    begun = []
    threads = set(threading.enumerate())
    second_runs, pool_ends = threading.Event(), threading.Event()
    shutdown = ThreadPoolExecutor.shutdown

    def shut_down(pool, **options):
        pool_ends.set()
        shutdown(pool, **options)

    monkeypatch.setattr(ThreadPoolExecutor, "shutdown", shut_down)

    def descend(positions, softening, *, start):
        begun.append((start, softening))
        if start == 0:
            second_runs.wait(timeout=1)  # with one core it never does
            raise failure("no way down")
        second_runs.set()
        pool_ends.wait()  # a run that outlasts the failure
        return positions

    with pytest.raises(failure, match="no way down"):
        continuation(descend, starts(40), np.linspace(2.0, 1.0, 100).tolist())
    assert {softening for _, softening in begun} == {2.0}, "no start goes on"
    assert len(begun) <= 1 + os.cpu_count(), "no other begins: one took the failed one's place"
    assert set(threading.enumerate()) <= threads, "nothing runs on"


# --- modes --------------------------------------------------------------------------------------


def test_turned_and_mirrored_modes_are_one():
    rng = np.random.default_rng(1)
    one, other = rng.normal(size=(2, 30, 3))
    mirror = np.diag([1.0, 1.0, -1.0])
    turn = ortho_group.rvs(3, random_state=rng)
    modes = np.stack([one, other, one @ turn, other @ mirror, one @ mirror])
    assert distinct_modes(modes).tolist() == [0, 1, 0, 1, 0]
    assert distinct_modes(modes[:0]).tolist() == []


def test_modes_differ_by_distance_not_by_rounding():
    rng = np.random.default_rng(2)
    mode = rng.normal(size=(200, 3))
    noise = rng.normal(size=mode.shape) / np.sqrt(3)  # about 1 a node
    near, far = (mode + share * SAME_MODE_RMSE * noise for share in (0.5, 2.0))
    assert distinct_modes(np.stack([mode, near, far])).tolist() == [0, 0, 1]


def test_modes_of_different_heights_are_different():
    modes = np.repeat(np.random.default_rng(3).normal(size=(1, 20, 2)), 4, axis=0)
    heights = 5.0 + SAME_MODE_NATS * np.array([0.0, 2.0, 0.5, 2.5])
    assert distinct_modes(modes, heights).tolist() == [0, 1, 0, 1]


# --- curvature ----------------------------------------------------------------------------------

N, K = 6, 3


def paraboloid(values, centre, seed=0):
    """Return minus the gradient's matrix and the gradients of -x'Ax/2, A with eigenvalues known."""
    q = ortho_group.rvs(len(values), random_state=seed)
    matrix = q @ np.diag(values) @ q.T

    def gradients(z):
        flat = z.reshape(len(z), -1) - centre.reshape(-1)
        return -(flat @ matrix).reshape(z.shape)

    return matrix, gradients


def eigenvalues_scaled(matrix):
    """Return eigenvalues in coordinates of which each has a curvature of 1 or -1."""
    scale = 1 / np.sqrt(np.abs(np.diag(matrix)))
    return np.linalg.eigvalsh(scale[:, None] * matrix * scale)


def curvature(gradients, mode, gradient):
    """Judge positions by gradients of position sets."""

    def of_rows(points):
        return gradients(points.reshape(-1, *mode.shape)).reshape(points.shape)

    moved = tangents(mode)
    mix = independent(moved, 1e-5)
    rotations = Known(moved @ mix, -tangents(gradient) @ mix)
    return quadratic(minus_hessian(of_rows, mode.reshape(-1)), rotations).judged(
        gradient.reshape(-1)
    )


def test_a_line_has_no_rotations_and_all_eigenvalues_count():
    """With K = 1 nothing is left out, so that every number can be checked."""
    values = np.geomspace(1e-4, 1e4, 8)
    centre = np.random.default_rng(1).normal(size=(8, 1))
    matrix, gradients = paraboloid(values, centre)
    actual = curvature(gradients, centre, gradients(centre[None])[0])
    assert actual.rotations == 0
    assert (actual.negative, actual.flat, actual.is_mode) == (0, 0, True)
    scaled = eigenvalues_scaled(matrix)
    assert actual.smallest == pytest.approx(scaled.min(), rel=1e-3)
    assert actual.largest == pytest.approx(scaled.max(), rel=1e-6)
    assert actual.newton_gain == pytest.approx(0.0, abs=1e-12)
    point = centre + 0.01
    gradient = gradients(point[None])[0]
    off = (point - centre).reshape(-1)
    gain = curvature(gradients, point, gradient).newton_gain
    assert gain == pytest.approx(off @ matrix @ off / 2, rel=1e-4)


@pytest.mark.parametrize("down", [1, 3])
def test_directions_that_go_up_are_counted(down):
    values = np.concatenate([-np.linspace(1, 2, down), np.linspace(1, 5, 8 - down)])
    centre = np.zeros((8, 1))
    matrix, gradients = paraboloid(values, centre)
    actual = curvature(gradients, centre, np.zeros_like(centre))
    assert (actual.negative, actual.flat, actual.is_mode) == (down, 0, False)
    assert actual.smallest == pytest.approx(eigenvalues_scaled(matrix).min(), rel=1e-6)


def springs(frame):
    """Return gradients of -sum_i (r_i - R_i)^2 - sum_i<j (d_ij - D_ij)^2 / 2, R and D a frame's.

    Of this rotation-invariant density every turned copy of the frame is a mode.
    """
    pairs = np.triu_indices(len(frame), 1)
    wanted = np.linalg.norm(frame[pairs[0]] - frame[pairs[1]], axis=1)
    sizes = np.linalg.norm(frame, axis=1)

    def gradients(z):
        length = np.linalg.norm(z, axis=-1, keepdims=True)
        slope = -2 * (length - sizes[:, None]) * z / length
        apart = z[:, pairs[0]] - z[:, pairs[1]]
        distance = np.linalg.norm(apart, axis=-1, keepdims=True)
        pull = (distance - wanted[:, None]) * apart / distance
        for k, (i, j) in enumerate(zip(*pairs, strict=True)):
            slope[:, i] -= pull[:, k]
            slope[:, j] += pull[:, k]
        return slope

    return gradients


@pytest.mark.parametrize("dim", [2, 3, 4])
def test_rotations_are_no_flat_directions(dim):
    frame = np.random.default_rng(dim).normal(size=(7, dim))
    gradients = springs(frame)
    turn = ortho_group.rvs(dim, random_state=1)
    for mode in (frame, frame @ turn):
        actual = curvature(gradients, mode, gradients(mode[None])[0])
        assert actual.rotations == comb(dim, 2)
        assert (actual.negative, actual.flat) == (0, 0)
        assert actual.is_mode
        assert actual.error < 1e-7 * actual.largest
        assert actual.smallest > 1e-3
        assert actual.newton_gain < 1e-12


def test_a_rotation_invariant_quadratic_has_known_eigenvalues():
    """Of -sum_i a_i |z_i|^2 / 2 every coordinate has a curvature of its own; scaled they are 1."""
    a = np.array([1.0, 2.0, 4.0, 8.0])

    def gradients(z):
        return -a[:, None] * z

    actual = curvature(gradients, np.zeros((4, 3)), np.zeros((4, 3)))
    assert actual.rotations == 0, "at the origin nothing turns"
    assert actual.is_mode
    assert (actual.smallest, actual.largest) == (pytest.approx(1.0), pytest.approx(1.0))


def test_a_flat_direction_is_no_mode():
    """A node that only its distance from the origin holds is free to move on its sphere."""
    sizes = np.array([1.0, 2.0, 3.0])

    def gradients(z):
        length = np.linalg.norm(z, axis=-1, keepdims=True)
        return -(length - sizes[:, None]) * z / length

    rng = np.random.default_rng(3)
    mode = rng.normal(size=(3, 2))
    mode *= (sizes / np.linalg.norm(mode, axis=1))[:, None]
    actual = curvature(gradients, mode, gradients(mode[None])[0])
    assert actual.rotations == 1
    assert (actual.negative, actual.flat) == (0, 2), "three angles, one of which is the rotation"
    assert not actual.is_mode


def test_more_columns_than_one_batch_holds():
    values = np.linspace(1.0, 3.0, 300)
    centre = np.zeros((300, 1))
    matrix, gradients = paraboloid(values, centre)
    actual = curvature(gradients, centre, np.zeros_like(centre))
    assert actual.is_mode
    scaled = eigenvalues_scaled(matrix)
    assert actual.smallest == pytest.approx(scaled.min())
    assert actual.largest == pytest.approx(scaled.max())


def test_a_record_is_plain():
    _, gradients = paraboloid(np.ones(8), np.zeros((8, 1)))
    record = curvature(gradients, np.zeros((8, 1)), np.zeros((8, 1))).as_record()
    assert record["is_mode"] is True
    assert all(type(value) in (bool, int, float) for value in record.values())


# --- a Newton step without a Hessian ------------------------------------------------------------


@pytest.mark.parametrize("preconditioned", [False, True])
def test_conjugate_gradients_find_what_a_newton_step_gains(preconditioned):
    rng = np.random.default_rng(2)
    values = np.geomspace(1e-2, 1e3, 40)
    matrix, gradients = paraboloid(values, np.zeros(40), seed=3)
    point = rng.normal(size=40)
    scale = 1 / np.sqrt(np.diag(matrix)) if preconditioned else np.ones(40)
    actual = newton_step(gradients, point, gradients(point[None])[0], lambda v: scale * v)
    assert actual.settled
    assert actual.is_mode
    assert actual.newton_gain == pytest.approx(point @ matrix @ point / 2, rel=0.01)


def test_conjugate_gradients_that_are_cut_short_bound_the_gain(monkeypatch):
    monkeypatch.setattr("lsm_stan.inference.curvature.CG_PRODUCTS", 5)
    matrix, gradients = paraboloid(np.geomspace(1e-2, 1e3, 40), np.zeros(40))
    point = np.random.default_rng(2).normal(size=40)
    actual = newton_step(gradients, point, gradients(point[None])[0], lambda v: v)
    assert not actual.settled
    assert actual.products == 5
    assert 0 < actual.newton_gain < point @ matrix @ point / 2


def test_conjugate_gradients_see_a_direction_that_goes_up():
    _, gradients = paraboloid(np.append(np.linspace(1, 5, 19), -0.1), np.zeros(20))
    point = np.random.default_rng(2).normal(size=20)
    actual = newton_step(gradients, point, gradients(point[None])[0], lambda v: v)
    assert not actual.is_mode
    assert not actual.settled


def test_conjugate_gradients_do_not_mind_rotations():
    """Near a turned frame the springs' gain is the energy that is left in them."""
    frame = np.random.default_rng(4).normal(size=(7, 3))
    gradients = springs(frame)
    point = frame + 1e-4 * np.random.default_rng(5).normal(size=frame.shape)
    pairs = np.triu_indices(7, 1)
    apart = [np.linalg.norm(z[pairs[0]] - z[pairs[1]], axis=1) for z in (frame, point)]
    sizes = [np.linalg.norm(z, axis=1) for z in (frame, point)]
    energy = np.sum((sizes[1] - sizes[0]) ** 2) + np.sum((apart[1] - apart[0]) ** 2) / 2

    def flat_gradients(points):
        return gradients(points.reshape(-1, 7, 3)).reshape(points.shape)

    actual = newton_step(
        flat_gradients, point.reshape(-1), gradients(point[None]).reshape(-1), np.copy
    )
    assert actual.settled
    assert actual.newton_gain == pytest.approx(energy, rel=1e-3)
