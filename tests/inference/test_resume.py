"""Chains of NUTS go on where they ended."""

import re
import subprocess
import sys

import numpy as np
import pytest

from lsm_stan import Fit, InputError, LatentSpaceModel, resume, simulate
from lsm_stan.inference import resume as module
from lsm_stan.inference.moves import moves_data

SHORT = {"chains": 2, "iter_warmup": 200, "iter_sampling": 100, "show_progress": False}


@pytest.fixture(scope="module")
def fits(toolchain):
    """Fits with moves, and in the model's own coordinates with an adapted metric."""
    network, _ = simulate(15, 2, seed=3)
    plain, _ = simulate(15, 2, seed=3, model="poisson-squared-effects")
    return {
        "moves": LatentSpaceModel(network, 2).sample(seed=1, init="random", **SHORT),
        "metric": LatentSpaceModel(plain, 2, model="poisson-squared-effects").sample(
            seed=1, init="random", max_treedepth=7, **SHORT
        ),
    }


@pytest.mark.parametrize("kind", ["moves", "metric"])
def test_chains_go_on_with_what_they_learned(fits, kind, monkeypatch, tmp_path):
    fit = fits[kind]
    asked = {}
    sample_chains = module.sample_chains

    def watched(run, name, starts, change, cmdstan, moves):
        asked.update(starts=starts, change=change, cmdstan=cmdstan, moves=moves, seed=run.seed)
        return sample_chains(run, name, starts, change, cmdstan, moves)

    monkeypatch.setattr(module, "sample_chains", watched)
    longer = resume(fit, draws=50, show_progress=False)
    assert longer.draws.shape[:2] == (2, 150)
    for name, values in fit.parameters.items():
        np.testing.assert_array_equal(longer.parameters[name][:, :100], values)
        for chain, start in enumerate(asked["starts"]):
            np.testing.assert_array_equal(start[name], values[chain, -1])
    assert asked["seed"] == 2
    assert longer.record.details["gradients"] > fit.record.details["gradients"]
    for chain in (1, 2):
        first, second = (
            next((each.cmdstan_output / name).glob(f"*_{chain}.csv")).read_text()
            for each, name in ((fit, "chains"), (longer, "resumed-1"))
        )
        step, same = (re.findall(r"# Step size = (\S+)", text) for text in (first, second))
        assert len(step) == 1
        assert step == same
    if kind == "moves":
        assert asked["moves"].keys() == moves_data(longer_problem(fit), asked["change"]).keys()
        assert len(asked["moves"]["chance"]) == fit.record.details["jumps"]
    else:
        assert asked["cmdstan"]["metric"] == "diag_e"
        assert asked["cmdstan"]["max_treedepth"] == 7
    # and on again, from the disk
    longer.save(tmp_path / "fit")
    longest = resume(Fit.load(tmp_path / "fit"), draws=25, show_progress=False)
    assert longest.draws.shape[:2] == (2, 175)
    np.testing.assert_array_equal(longest.draws[:, :150], longer.draws)
    assert longest.record.details["resumed"] == 2
    assert longest.record.arguments["iter_sampling"] == 175


def longer_problem(fit):
    return LatentSpaceModel(fit.network, 2, model=fit.spec).problem


def test_the_command_replaces_the_fit(fits, tmp_path):
    folder = fits["metric"].save(tmp_path / "fit")
    command = [sys.executable, "-m", "lsm_stan", "resume", str(folder), "--draws", "20"]
    subprocess.run(command, check=True)
    assert Fit.load(folder).draws.shape[:2] == (2, 120)


def test_other_methods_have_no_chains(toolchain):
    network, _ = simulate(12, 2, seed=1)
    fit = LatentSpaceModel(network, 2).optimize(seed=1, starts=1, hops=0, show_progress=False)
    with pytest.raises(InputError, match="by MAP, which has no chains that could go on"):
        resume(fit, draws=10)


@pytest.mark.parametrize("draws", [0, 1.5, "many"])
def test_draws_are_a_number(fits, draws):
    with pytest.raises(InputError, match="an integer from 1 is needed"):
        resume(fits["metric"], draws=draws)
