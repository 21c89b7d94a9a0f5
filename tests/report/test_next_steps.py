"""What a report says is next: a command that the command line takes, fit for what was done."""

import re
import shlex
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import typer

from lsm_stan import Fit, cli, simulate
from lsm_stan.criticism.advice import NextModel
from lsm_stan.criticism.comparison import compare
from lsm_stan.criticism.ppc import PredictiveCheck, predictive_checks
from lsm_stan.model.family import find_model
from lsm_stan.posterior.checks import Check
from lsm_stan.report.next_steps import next_step
from lsm_stan.report.report import Report
from tests.support.made import made_fit, scattered

NETWORK, TRUTH = simulate(12, 2, seed=4)


def commands(text: str) -> list[list[str]]:
    return [shlex.split(line) for line in text.replace("\\\n", "").splitlines()]


def parsed(command: list[str]) -> typer.Context | None:
    """Parse a command as the command line does, without running it."""
    program, name, *arguments = command
    assert program == "lsm-stan"
    group = typer.main.get_command(cli.app)
    return group.commands[name].make_context(name, arguments)  # type: ignore[attr-defined]


def options(command: list[str]) -> dict[str, str]:
    return {option: value for option, value in pairwise(command) if option.startswith("--")}


@pytest.fixture(scope="module")
def good() -> PredictiveCheck:
    check = predictive_checks(made_fit(NETWORK, TRUTH["z"][None, None], "map"), replications=20)
    passed = [replace(one, passed=True) for one in check.checks]
    return replace(check, checks=passed, next_model=None)


def step(fit: Fit, check: PredictiveCheck, name: str = "nuts"):
    nothing = None
    report = Report(
        {name: fit}, compare({name: fit}), {}, {name: check},
        *[nothing] * 6,  # type: ignore[list-item]
    )  # fmt: skip
    return next_step(report)


def saved(fit: Fit, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Fit:
    """Save and load a fit, from the folder that the user is in."""
    monkeypatch.chdir(folder)
    fit.save(Path("my fits", "nuts"))
    return Fit.load(Path("my fits", "nuts"))


@pytest.fixture
def sample() -> Fit:
    rng = np.random.default_rng(1)
    return made_fit(NETWORK, scattered(TRUTH["z"], rng, 0.02, size=50), checks=[])


def test_a_model_that_fails_is_followed_by_the_next_one(good, sample, tmp_path, monkeypatch):
    failed = [replace(one, passed=False) for one in good.checks]
    model = find_model("nb-squared-effects+clusters(2)")
    check = replace(good, checks=failed, next_model=NextModel(model, 0))
    following = step(saved(sample, tmp_path, monkeypatch), check)
    assert "nb-squared-effects+clusters(2)" in following.reason
    mode, nuts, report = commands(following.command.text)
    for command in (mode, nuts):
        assert options(command)["--model"] == "nb-squared-effects+clusters(2)"
        assert options(command)["--nodes"] == "my fits/nuts/nodes.csv"
        assert command[2] == "my fits/nuts/edges.csv"
        assert "--directed" in command
        assert parsed(command)
    assert options(nuts)["--init"] == options(mode)["--out"]
    assert report[2:4] == [options(mode)["--out"], options(nuts)["--out"]]
    assert parsed(report)


def test_a_mode_is_followed_by_a_sample_from_it(good, tmp_path, monkeypatch):
    mode = saved(made_fit(NETWORK, TRUTH["z"][None, None], "map"), tmp_path, monkeypatch)
    (command,) = commands(step(mode, good).command.text)
    assert options(command)["--method"] == "nuts"
    assert options(command)["--init"] == "my fits/nuts"
    assert parsed(command)


def test_a_bad_sample_is_followed_by_what_its_checks_ask_for(good, sample, tmp_path, monkeypatch):
    checks = [
        Check("divergences", False, "10 of them", "take smaller steps, adapt_delta = 0.95"),
        Check("ess", False, "few", "run longer, iter_sampling = 2000"),
        Check("ess_tail", False, "few", "run longer, iter_sampling = 4000"),
    ]  # fmt: skip
    record = replace(sample.record, checks=checks, arguments={"iter_sampling": 50, "chains": 3})
    fit = saved(replace(sample, record=record), tmp_path, monkeypatch)
    (command,) = commands(step(fit, good).command.text)
    settings = dict(re.findall(r"--set (\w+)=(\S+)", " ".join(command)))
    assert settings == {"adapt_delta": "0.95", "iter_sampling": "4000", "chains": "3"}
    assert options(command)["--out"] == "my fits/nuts-again"
    assert parsed(command)


def test_positions_that_mean_nothing_are_compared_with_none(good, tmp_path, monkeypatch):
    rng = np.random.default_rng(2)
    fit = saved(made_fit(NETWORK, rng.normal(size=(4, 60, 12, 2))), tmp_path, monkeypatch)
    (command,) = commands(step(fit, good).command.text)
    assert command[:3] == ["lsm-stan", "select", "my fits/nuts/edges.csv"]
    assert options(command)["--dims"] == "1-3"
    assert parsed(command)


def test_a_good_sample_is_followed_by_predictions(good, sample, tmp_path, monkeypatch):
    record = replace(sample.record, checks=[])
    fit = saved(replace(sample, record=record), tmp_path, monkeypatch)
    (command,) = commands(step(fit, good).command.text)
    assert command[:3] == ["lsm-stan", "predict", "my fits/nuts"]
    assert parsed(command)


def test_what_is_not_in_a_folder_is_followed_by_python(good):
    mode = made_fit(NETWORK, TRUTH["z"][None, None], "map")
    assert "model.sample(seed=2" in step(mode, good, "map").command.text
    failed = [replace(one, passed=False) for one in good.checks]
    check = replace(good, checks=failed, next_model=NextModel(find_model("nb-squared"), 0))
    text = step(mode, check, "map").command.text
    compile(text, "next", "exec")
    assert "model='nb-squared'" in text
