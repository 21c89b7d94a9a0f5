"""Alignment: rotations that are found again, and agreement with SciPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import orthogonal_procrustes
from scipy.stats import ortho_group

from lsm_stan.posterior.alignment import (
    align,
    gram_positions,
    mean_gram,
    mean_positions,
    principal_axes,
    procrustes_rmse,
    rotation_onto,
    spread,
    strays,
    target_sensitivity,
)

DIMS = (1, 2, 3, 5)


def orthogonal(dim, rng, *, reflection=False):
    """Return a random orthogonal matrix of determinant 1, or -1."""
    q = np.eye(1) if dim == 1 else ortho_group.rvs(dim, random_state=rng)
    if (np.linalg.det(q) < 0) != reflection:
        q[:, 0] = -q[:, 0]
    return q


@pytest.mark.parametrize("dim", DIMS)
@pytest.mark.parametrize("reflection", [False, True])
def test_a_planted_rotation_is_found(dim, reflection):
    rng = np.random.default_rng(dim)
    positions = rng.normal(size=(20, dim))
    planted = orthogonal(dim, rng, reflection=reflection)
    actual = rotation_onto(positions, positions @ planted)
    np.testing.assert_allclose(actual, planted, atol=1e-12)
    np.testing.assert_allclose(align(positions, positions @ planted), positions @ planted)
    assert procrustes_rmse(positions, positions @ planted) < 1e-12


@given(st.integers(0, 2**32 - 1), st.sampled_from(DIMS), st.integers(1, 30))
def test_the_residual_is_that_of_scipy(seed, dim, n_nodes):
    rng = np.random.default_rng(seed)
    positions, target = rng.normal(size=(2, n_nodes, dim))
    ours = rotation_onto(positions, target)
    np.testing.assert_allclose(ours.T @ ours, np.eye(dim), atol=1e-12)
    theirs, _ = orthogonal_procrustes(positions, target)
    residual = np.linalg.norm(positions @ theirs - target)
    assert np.linalg.norm(positions @ ours - target) == pytest.approx(residual, abs=1e-10)
    rmse = residual / np.sqrt(n_nodes)
    assert procrustes_rmse(positions, target) == pytest.approx(rmse, abs=1e-10)


def test_the_rotation_is_that_of_scipy():
    rng = np.random.default_rng(1)
    positions, target = rng.normal(size=(2, 30, 3))
    theirs, _ = orthogonal_procrustes(positions, target)
    np.testing.assert_allclose(rotation_onto(positions, target), theirs, atol=1e-12)


def test_batches_of_any_shape():
    rng = np.random.default_rng(2)
    draws = rng.normal(size=(2, 4, 10, 3))
    target = rng.normal(size=(10, 3))
    rotations = rotation_onto(draws, target)
    aligned = align(draws, target)
    errors = procrustes_rmse(draws, target)
    assert rotations.shape == (2, 4, 3, 3)
    assert aligned.shape == draws.shape
    assert errors.shape == (2, 4)
    for batch in np.ndindex(2, 4):
        np.testing.assert_allclose(rotations[batch], rotation_onto(draws[batch], target))
        np.testing.assert_allclose(aligned[batch], align(draws[batch], target))
        assert errors[batch] == pytest.approx(float(procrustes_rmse(draws[batch], target)))


def test_nothing_is_translated_or_scaled():
    positions = np.random.default_rng(3).normal(size=(50, 2))
    shift = np.array([3.0, 0.0])
    assert procrustes_rmse(2 * positions, positions) == pytest.approx(
        np.sqrt(np.mean(np.sum(positions**2, axis=1)))
    )
    assert procrustes_rmse(positions + shift, positions) > 1


@pytest.mark.parametrize("dim", DIMS)
def test_principal_axes_do_not_depend_on_how_the_cloud_is_turned(dim):
    rng = np.random.default_rng(4)
    # Skewed, and with a spread of its own along every axis.
    positions = rng.gamma(2.0, size=(200, dim)) * 2.0 ** -np.arange(dim)
    turned = principal_axes(positions)
    covariance = np.atleast_2d(np.cov(turned.T))
    spread = np.diag(covariance)
    assert np.all(np.diff(spread) <= 0)
    np.testing.assert_allclose(covariance, np.diag(spread), atol=1e-12)
    assert np.all(((turned - turned.mean(axis=0)) ** 3).sum(axis=0) > 0)
    assert procrustes_rmse(turned, positions) < 1e-12, "a rotation and nothing else"
    for reflection in (False, True):
        again = principal_axes(positions @ orthogonal(dim, rng, reflection=reflection))
        np.testing.assert_allclose(again, turned, atol=1e-10)


@pytest.mark.parametrize("dim", DIMS)
def test_the_mean_of_turned_copies_is_the_original(dim):
    rng = np.random.default_rng(5)
    positions = rng.normal(size=(12, dim))
    turns = [orthogonal(dim, rng, reflection=k % 2 == 1) for k in range(6)]
    draws = np.stack([positions @ turn for turn in turns]).reshape(2, 3, 12, dim)
    np.testing.assert_allclose(mean_positions(draws, positions), positions, atol=1e-12)
    assert procrustes_rmse(mean_positions(draws, draws[1, 2]), positions) < 1e-12


def test_the_mean_hardly_depends_on_the_target():
    rng = np.random.default_rng(6)
    positions = rng.normal(size=(40, 3))
    noise = 0.1
    draws = np.stack(
        [
            (positions + noise * rng.normal(size=(40, 3))) @ orthogonal(3, rng, reflection=k % 2)
            for k in range(100)
        ]
    )
    one, other = mean_positions(draws, draws[0]), mean_positions(draws, draws[1])
    assert procrustes_rmse(one, other) < 0.01 * noise
    assert procrustes_rmse(one, positions) < 3 * noise * np.sqrt(3 / 100)


@pytest.mark.parametrize("dim", DIMS)
def test_gram_matrices_bring_back_the_positions_up_to_rotation(dim):
    rng = np.random.default_rng(8)
    positions = rng.normal(size=(15, dim))
    positions -= positions.mean(axis=0)
    draws = np.stack([positions @ orthogonal(dim, rng, reflection=k % 2) for k in range(6)])
    np.testing.assert_allclose(mean_gram(draws + [2.0] * dim), positions @ positions.T, atol=1e-12)
    actual = gram_positions(mean_gram(draws.reshape(2, 3, 15, dim)), dim)
    assert procrustes_rmse(actual, positions) < 1e-7


def test_spread_is_the_root_mean_square_about_the_mean():
    rng = np.random.default_rng(10)
    positions = rng.normal(scale=5, size=(60, 3))
    draws = positions + 0.1 * rng.normal(size=(2, 1000, 60, 3))
    np.testing.assert_allclose(spread(draws, positions), 0.1 * np.sqrt(3), rtol=0.1)


def test_nodes_are_flagged_where_the_target_decides_their_place():
    """Half of the nodes turn about the centre: which half is held depends on the target."""
    rng = np.random.default_rng(11)
    positions = rng.normal(size=(20, 2)) + np.array([4.0, 0.0])
    angle = rng.uniform(-1.2, 1.2, size=400)
    turn = np.moveaxis(
        np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]), -1, 0
    )
    fixed, loose = positions[:10], positions[10:]
    draws = np.concatenate([np.broadcast_to(fixed, (400, 10, 2)), loose @ turn], axis=1)
    first = np.concatenate([10 * fixed, loose])
    last = np.concatenate([fixed, 10 * loose @ turn[0]])
    agree = target_sensitivity(draws, {"one": first, "same": first @ -np.eye(2)})
    assert not agree["flagged"].any()
    np.testing.assert_allclose(agree["shift"], 0, atol=1e-12)
    differ = target_sensitivity(draws, {"one": first, "other": last})
    assert differ["flagged"].any()
    assert (differ["flagged"] == (differ["shift"] > 0.5 * differ["spread"])).all()


def test_a_node_that_wanders_strays():
    """Of a place uniform on an arc of half-angle a the mean has radius R sin(a)/a."""
    half = np.array([0.0, 1.2, 1.6, np.pi])
    shrunk = np.array([1.0, *(np.sin(half[1:]) / half[1:])])
    angle = np.linspace(-1, 1, 2001)[:, np.newaxis] * half
    draws = 8 * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    mean = draws.mean(axis=0)
    np.testing.assert_allclose(np.linalg.norm(mean, axis=-1), 8 * shrunk, atol=0.01)
    assert strays(draws, mean).tolist() == [False, False, True, True]
    assert not strays(draws[:1], draws[0]).any()
