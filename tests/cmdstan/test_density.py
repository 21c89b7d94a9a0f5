"""The process that answers for a log density: whole batches, one request after another, its end."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import optimize

from lsm_stan import InferenceError, LatentSpaceModel, simulate
from lsm_stan.cmdstan.density import Density, write_data

pytestmark = pytest.mark.cmdstan


@pytest.fixture(scope="module")
def model():
    return LatentSpaceModel(simulate(30, 2, seed=1)[0], 2)


@pytest.fixture
def density(model):
    with model.compiled.density(model.stan_data()) as process:
        yield process


def test_many_requests_have_the_answers_of_one(model, density):
    points = np.random.default_rng(0).normal(size=(300, 60))  # more than a pipe holds
    together = density.log_prob_grad(points)
    for row in (0, 150, 299):
        alone = density.log_prob_grad(points[row : row + 1])
        assert alone[0][0] == together[0][row]
        assert (alone[1][0] == together[1][row]).all()
    assert_allclose(density.log_prob(points), together[0], rtol=1e-14)
    z = np.swapaxes(points.reshape(-1, 2, 30), 1, 2)
    assert_allclose(model.log_prob_grad(z)[0], together[0], rtol=1e-14)
    assert density.seconds > 0


def test_it_climbs_to_where_the_gradient_vanishes(density):
    start = np.random.default_rng(1).normal(size=(2, 60))
    before = density.gradients
    value, ends = density.ascend(start, iterations=5000, tolerance=1e-12)
    assert density.gradients > before + 100
    reached, slope = density.log_prob_grad(ends)
    assert_allclose(value, reached, rtol=1e-14)
    assert (value > density.log_prob(start)).all()
    assert np.abs(slope).max() < 1e-2

    def loss(x):
        height, slope = density.log_prob_grad(x[None])
        return -height[0], -slope[0]

    # SciPy's L-BFGS climbs no higher from there
    again = optimize.minimize(loss, ends[0], jac=True, method="L-BFGS-B")
    assert -again.fun - value[0] < 1e-4


def test_a_climb_ends_when_it_is_told_to(density):
    start = np.random.default_rng(1).normal(size=(1, 60))
    before = density.gradients
    value, _ = density.ascend(start, iterations=3)
    assert 3 <= density.gradients - before < 20
    assert value > density.log_prob(start)


def test_coincident_nodes_end_a_climb_where_it_began(density):
    before = density.gradients
    value, end = density.ascend(np.zeros((1, 60)))
    assert (end == 0).all()
    assert density.gradients == before + 1
    assert not np.isfinite(value[0])


def test_the_process_ends_with_its_context(model):
    with model.compiled.density(model.stan_data()) as process:
        running = process._process
        assert running.poll() is None
    assert running.poll() is not None
    assert running.stdin.closed


def test_one_that_was_ended_is_said_to_be(model):
    with model.compiled.density(model.stan_data()) as process:
        process._process.terminate()
        with pytest.raises(InferenceError, match="log density of latent_space cannot be evaluated"):
            process.log_prob(np.zeros((1, 60)))


def test_half_a_request_is_refused_by_the_program(model, tmp_path):
    data = write_data(tmp_path / "data.json", model.stan_data())
    command = [str(model.compiled.executable.exe_file), "density", data]
    half = np.array([0, 1, 60]).tobytes() + np.zeros(3).tobytes()
    for request in (half, half[:10]):
        run = subprocess.run(command, input=request, capture_output=True, check=False)
        assert run.returncode != 0
        assert b"before it is whole" in run.stderr


def test_a_program_that_cannot_start_is_named(tmp_path):
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho no TBB here >&2\nexit 3\n")
    broken.chmod(0o755)
    with (
        pytest.raises(InferenceError, match=r"(?s)broken cannot be evaluated \(3\).*no TBB here"),
        Density(Path(broken), {}) as process,
    ):
        process.log_prob(np.zeros((1, 2)))
