"""The targets of the Makefile run: those whose results are reports in a quick form."""

import re
from pathlib import Path

import pandas as pd
import pytest

from lsm_stan.cmdstan.find import Toolchain
from lsm_stan.config import load_config
from lsm_stan.inference.methods import METHODS
from tests.support.makefile import ROOT, links, recipe, run_quickly, targets

#: Targets that are run as they are, and what each other is tested by, in a quick form.
PLAIN = {"help", "test", "test-versions", "lint", "format", "clean"}
QUICK = {
    "analysis": "test_analysis.py",
    "notebook": "test_notebook.py",
    "docs": "test_site.py",
    "gallery": "test_docs.py",
    **dict.fromkeys(
        ("approximations", "bench", "calibration", "choosing", "models", "worms"), "test_targets.py"
    ),
}


def test_every_target_has_a_test() -> None:
    assert targets() == PLAIN | QUICK.keys()


def test_the_configuration_of_make_analysis_is_read() -> None:
    [file] = re.findall(r"lsm-stan run (\S+)", recipe("analysis"))
    assert [fit.method for fit in load_config(ROOT / file).fit] == list(METHODS)


def whole(folder: Path, text: str) -> set[str]:
    """Return the files a page names, all of which are there and hold something."""
    named = set(links(text))
    assert all((folder / name).stat().st_size > 0 for name in named)
    return named


@pytest.mark.slow
@pytest.mark.cmdstan
def test_make_calibration(toolchain: Toolchain, tmp_path: Path) -> None:
    text = run_quickly("calibration", tmp_path)
    tables = {"sbc.csv", "coverage.csv", "fits.csv"}
    assert whole(tmp_path, text) == {*tables, "figures/sbc.png", "figures/coverage.png"}
    fits = pd.read_csv(tmp_path / "fits.csv")
    assert fits["model"].tolist() == ["tutorial", "nb-squared-effects"]
    assert (fits["simulations"] == 2).all()


@pytest.mark.slow
@pytest.mark.cmdstan
def test_make_approximations(toolchain: Toolchain, tmp_path: Path) -> None:
    text = run_quickly("approximations", tmp_path)
    assert whole(tmp_path, text) == {"coverage.csv", "figures/coverage.png"}
    fits = pd.read_csv(tmp_path / "fits.csv")
    assert set(fits["method"]) == METHODS.keys() - {"map"}
    # of 28 distances each; NUTS's draws are of the posterior that the truth is a draw of
    assert fits["covered_90%"].between(0, 1).all()
    assert fits.loc[fits["method"] == "nuts", "covered_90%"].mean() > 0.6


@pytest.mark.slow
@pytest.mark.cmdstan
def test_make_choosing(toolchain: Toolchain, tmp_path: Path) -> None:
    text = run_quickly("choosing", tmp_path)
    assert whole(tmp_path, text) == {"choices.csv", "candidates.csv", "figures/choices.png"}
    choices = pd.read_csv(tmp_path / "choices.csv")
    candidates = pd.read_csv(tmp_path / "candidates.csv")
    assert choices["true_dim"].tolist() == [2, 3]
    assert candidates.groupby("true_dim")["dim"].agg(set).tolist() == [{1, 2, 3, 4}] * 2
    actual = (choices["chosen"] == choices["true_dim"]).sum()
    assert "| `poisson` | all |" in text
    assert f"| {actual} of 2 |" in text


@pytest.mark.slow
@pytest.mark.cmdstan
def test_make_models(toolchain: Toolchain, tmp_path: Path) -> None:
    text = run_quickly("models", tmp_path)
    tables = {"scores.csv", "candidates.csv", "calibration.csv"}
    figures = {f"figures/{name}.png" for name in ("scores", "differences", "calibration")}
    assert whole(tmp_path, text) == tables | figures
    scores = pd.read_csv(tmp_path / "scores.csv")
    fitted = scores[scores["run"].isin(["single-map", "edges-map", "pairs-map"])].dropna(
        subset="method"
    )
    assert (fitted.groupby("run")["split"].nunique() == 5).all()
    assert "spectral-nb, K = 3" in text
    assert "that are not in" not in text


@pytest.mark.slow
@pytest.mark.cmdstan
def test_make_worms(toolchain: Toolchain, tmp_path: Path) -> None:
    text = run_quickly("worms", tmp_path)
    tables = {"folds.csv", "whole.csv", "choice.csv"}
    packaged = "../../lsm_stan/network/data/worms/README.md"
    named = set(links(text)) - {packaged}
    assert named == tables | {"figures/scores.png"}
    assert all((tmp_path / name).stat().st_size > 0 for name in named)
    folds, whole = pd.read_csv(tmp_path / "folds.csv"), pd.read_csv(tmp_path / "whole.csv")
    predictors = {"model", "both", "counts", "counts of 3", "constant"}
    for _, of_structure in folds.groupby("structure"):
        assert set(of_structure["predictor"]) == predictors
        assert (of_structure.groupby("predictor")["dyads"].sum() == 14 * 13).all()
    assert (whole["dyads"] == 14 * 13).all()
    mean = folds[folds["predictor"] == "constant"]["log_density"].mean()
    assert f"a constant {mean:.3f}" in text


def test_the_configurations_of_make_worms_are_read() -> None:
    for name in ("exchangeable", "ordered"):
        config = load_config(ROOT / "reports" / "worms" / f"{name}.toml")
        assert (config.network.file, config.layers) == ("witvliet2021", name)
        assert [fit.method for fit in config.fit] == ["map", "nuts"]


@pytest.mark.slow
@pytest.mark.cmdstan
def test_make_bench(toolchain: Toolchain, tmp_path: Path) -> None:
    """JAX and PyMC take part where they are installed: ``make bench`` installs them."""
    text = run_quickly("bench", tmp_path)
    names = ("gradient", "map", "nuts")
    files = {f"{name}.csv" for name in names} | {f"figures/{name}.png" for name in names}
    assert whole(tmp_path, text) == files
    results = pd.read_csv(tmp_path / "gradient.csv")
    stan = {"stan-literal", "stan-distance", "stan-reference", "lsm-kernel"}
    assert stan <= set(results["implementation"])
    assert (results["ms_low"] <= results["ms_high"]).all()
    assert "a quick trial, whose numbers are not to be relied on" in text
