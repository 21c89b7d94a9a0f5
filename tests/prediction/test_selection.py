"""The choice of model and dimension: its rule on tables, and its runs on real networks."""

import json
import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lsm_stan import InputError, LatentSpaceModel, Network, simulate
from lsm_stan.cmdstan import compiled
from lsm_stan.cmdstan.compilation import compile_with_fallback
from lsm_stan.model.family import MODELS
from lsm_stan.model.likelihood import pair_log_likelihood
from lsm_stan.prediction import selection
from lsm_stan.prediction.choice import candidates, choose
from lsm_stan.prediction.holdout import hold_out
from lsm_stan.prediction.selection import n_parameters, select
from lsm_stan.report.selection_page import write_selection


def table(scores, parameters):
    """Scores by candidate, (model, dim) to one a split, and how many parameters each has."""
    return pd.DataFrame(
        {
            "model": model,
            "dim": dim,
            "split": split,
            "log_density": value,
            "auc": 0.5,
            "parameters": parameters[model, dim],
        }
        for (model, dim), values in scores.items()
        for split, value in enumerate(values, start=1)
    )


def baseline(*values):
    return pd.DataFrame(
        {"model": "constant", "split": range(1, len(values) + 1), "log_density": values}
    )


SIZES = {("a", 1): 10, ("a", 2): 20, ("a", 3): 30, ("b", 2): 20}
POOR = baseline(-9.0, -9.0, -9.0)

#: Of the dyads held out in a split; a standard error over three splits is larger by
SHARE, FACTOR = 0.1, np.sqrt(1 + 3 / 9)


def test_the_best_is_chosen_where_it_is_clearly_best():
    scores = {("a", 1): [-3.0, -4.0, -5.0], ("a", 2): [-1.0, -2.0, -3.1]}
    choice = choose(table(scores, SIZES), POOR, SHARE)
    assert (choice.model, choice.dim) == ("a", 2)
    assert choice.reason == "a with K = 2: the best"


def test_the_simplest_within_one_paired_standard_error_is_chosen():
    best, less = np.array([-1.0, -2.0, -3.0]), np.array([-1.1, -1.96, -3.0])
    choice = choose(table({("a", 3): best, ("a", 2): less, ("a", 1): less - 5}, SIZES), POOR, SHARE)
    assert (choice.model, choice.dim) == ("a", 2)
    row = choice.table.set_index(["model", "dim"]).loc[("a", 2)]
    assert row["difference"] == pytest.approx(-0.02)
    assert row["difference_error"] == pytest.approx(
        FACTOR * np.std(less - best, ddof=1) / np.sqrt(3)
    )
    assert row["error"] == pytest.approx(FACTOR * np.std(less, ddof=1) / np.sqrt(3))
    assert "within one standard error of the best, a with K = 3 (-0.0200" in choice.reason
    # differences of one size on all splits are no matter of chance
    steady = choose(table({("a", 3): best, ("a", 2): best - 0.02}, SIZES), POOR, SHARE)
    assert steady.dim == 3


def test_candidates_that_the_data_do_not_tell_apart_are_not_told_apart():
    scores = {("a", 2): [-1.0, -2.0, -3.0], ("b", 2): [-1.1, -1.9, -3.01], ("a", 1): [-9.0] * 3}
    choice = choose(table(scores, SIZES), POOR, SHARE)
    assert choice.model is None
    assert choice.dim is None
    assert "a with K = 2 and b with K = 2 are equally simple" in choice.reason


def test_what_is_no_better_than_a_baseline_is_not_chosen():
    scores = {("a", 1): [-1.0, -2.0, -3.0]}
    choice = choose(table(scores, SIZES), baseline(-1.2, -2.1, -2.8), SHARE)
    assert choice.model is None
    assert "better than the baseline 'constant'" in choice.reason
    assert "no choice" not in choice.reason, "who shows it says so"
    better = choose(table(scores, SIZES), baseline(-1.2, -2.1, -3.1), SHARE)
    assert better.model == "a"


def test_what_is_chosen_beats_the_baseline_itself():
    # within one standard error of the best, simpler, and no better than no positions at all
    best, poor = np.array([-1.0, -2.0, -3.0]), np.array([-1.6, -1.8, -3.2])
    less = np.array([-1.1, -1.95, -3.0])
    scores = {("a", 3): best, ("a", 2): less, ("a", 1): poor}
    table_of = table(scores, SIZES)
    assert choose(table_of, POOR, SHARE).dim == 1
    assert choose(table_of, baseline(-1.3, -2.2, -3.2), SHARE).dim == 2


def test_standard_errors_know_that_splits_share_dyads():
    """The score is the squared error of a mean, in random tenths that it was not taken of."""
    rng = np.random.default_rng(3)
    n, n_splits, repeats = 200, 10, 300
    rows = []
    for _ in range(repeats):
        sample = rng.normal(size=n)
        for split in range(1, n_splits + 1):
            out = rng.choice(n, n // 10, replace=False)
            fitted = np.delete(sample, out).mean()
            rows.append(("a", split, -np.mean((sample[out] - fitted) ** 2)))
    scores = pd.DataFrame(rows, columns=["model", "split", "log_density"])
    errors, means = [], []
    for first in range(0, len(rows), n_splits):
        actual = candidates(scores.iloc[first : first + n_splits], SHARE, ["model"]).iloc[0]
        means.append(actual["log_density"])
        errors.append(actual["error"])
    # a standard deviation of S normal means has relative error 1 / sqrt(2 S); 4.5 of them are
    # 18 %, and errors that knew of no sharing would be 31 % too small
    bound = 4.5 / np.sqrt(2 * repeats)
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(np.std(means), rel=bound)


def test_one_split_decides_nothing():
    choice = choose(table({("a", 1): [-1.0], ("a", 2): [-5.0]}, SIZES), baseline(-9.0), SHARE)
    assert choice.model is None
    assert choice.reason == "one split has no standard error; take more splits"


@pytest.mark.parametrize(
    ("model", "directed", "size"),
    [
        ("tutorial", True, 30),
        ("poisson-inverse", True, 30 + 1),
        ("nb-exponential", True, 30 + 1 + 1 + 1),  # intercept, phi, sigma_z
        ("nb-exponential-effects", True, 30 + 3 + 20 + 2 + 1),  # two scales, a correlation
        ("nb-exponential-effects", False, 30 + 3 + 10 + 1),
    ],
)
def test_parameters_are_counted(model, directed, size):
    assert n_parameters(MODELS[model], 10, 3, directed=directed) == size


# --- runs ---------------------------------------------------------------------------------------

GRID = {"models": ["poisson-inverse"], "n_splits": 3, "seed": 1, "arguments": {"starts": 2}}


@pytest.fixture(scope="module")
def selected(toolchain, tmp_path_factory):
    # a ring: no line holds it
    angle = np.linspace(0, 2 * np.pi, 50, endpoint=False)
    places = 3 * np.column_stack([np.cos(angle), np.sin(angle)])
    parameters = {"z": places, "intercept": np.array(0.5)}
    network, _ = simulate(50, 2, seed=7, model="poisson-inverse", parameters=parameters)
    folder = tmp_path_factory.mktemp("selection") / "chosen"
    said = []
    result = select(network, folder, dims=[1, 2], **GRID, say=said.append)
    write_selection(result, folder)
    return network, result, said, folder


def test_two_dimensions_are_found_where_there_are_two(selected):
    _, result, *_ = selected
    assert (result.choice.model, result.choice.dim) == ("poisson-inverse", 2)
    assert (result.scores["auc"] > 0.5).all()


def test_pairs_held_out_together_are_scored_together(toolchain, tmp_path):
    parameters = {
        "z": np.random.default_rng(3).normal(size=(30, 2)),
        "intercept": np.array(1.0),
        "phi": np.array(0.5),
    }
    network, _ = simulate(30, 2, seed=8, model="dyadic-squared", parameters=parameters)
    asked = {"dims": [2], "n_splits": 1, "models": ["dyadic-squared"], "say": lambda _: None}
    result = select(network, tmp_path, **{**GRID, **asked})
    sender, receiver = hold_out(network, 0.1, seed=1)
    model = LatentSpaceModel(network.hide(sender, receiver), 2, model="dyadic-squared")
    fit = model.optimize(seed=1, starts=2, show_progress=False)
    pairs = np.column_stack([sender, receiver])[sender < receiver]
    joint = pair_log_likelihood(fit.spec, fit.estimate, network, pairs)
    assert result.scores["log_density"][0] == pytest.approx(joint.sum() / len(sender))
    assert result.scores["log_density_error"][0] == pytest.approx(stats.sem(joint / 2))


@pytest.mark.parametrize("seed", [1, 3])
def test_positions_get_no_credit_for_the_density(toolchain, tmp_path, seed):
    """Edges of one probability, which Bernoulli weights without positions know as well."""
    matrix = np.random.default_rng(seed).random((40, 40)) < 0.4
    network = Network.from_matrix(matrix & ~np.eye(40, dtype=bool))
    asked = {**GRID, "models": ["bernoulli-squared"], "arguments": {"starts": 1}}
    result = select(network, tmp_path, dims=[1], **asked, say=lambda _: None)
    assert result.choice.model is None
    assert "better than the baseline 'constant'" in result.choice.reason


def test_the_folder_holds_what_others_rely_on(selected):
    _, result, _, folder = selected
    written = pd.read_csv(folder / "scores.csv")
    assert written.columns[:6].tolist() == ["model", "dim", "split", "dyads", "log_density", "auc"]
    pd.testing.assert_frame_equal(written, result.scores)
    assert len(written) == 2 * 3
    assert (written["dyads"] == 2 * round(0.1 * 50 * 49 / 2)).all()
    figures = [f"figures/{name}.png" for name in ("scores", "differences", "calibration")]
    for file in ("baselines.csv", "calibration.csv", *figures):
        assert (folder / file).stat().st_size > 0
    page = (folder / "README.md").read_text()
    assert result.choice.reason in page
    assert all(figure in page for figure in figures)
    assert len(pd.read_csv(folder / "calibration.csv")) == 3 * 10
    assert set(result.baselines["split"]) == {1, 2, 3}


def test_a_selection_goes_on_where_it_stopped(selected, monkeypatch):
    network, result, said, folder = selected
    assert any(sentence.startswith("[6/6]") for sentence in said)
    cells = sorted((folder / "cells").glob("*.json"))
    cells[0].unlink()  # as if it had been interrupted
    lost = {tuple(json.loads(c.read_text())["of"].values()) for c in cells[1:]}
    said = []
    again = select(network, folder, dims=[1, 2], **GRID, say=said.append)
    assert said[0] == "5 of 6 fits are already done, and kept"
    assert len(said) == 2
    assert len(lost) == 5
    kept = ["model", "dim", "split", "dyads", "log_density", "auc"]
    pd.testing.assert_frame_equal(again.scores[kept], result.scores[kept])

    def refuse(_self):
        raise AssertionError("a fit was run")

    monkeypatch.setattr(selection._Cell, "run", refuse)
    select(network, folder, dims=[2], **GRID, say=said.append)
    for other in ({"seed": 2}, {"share": 0.2}, {"arguments": {"starts": 1}}, {"together": False}):
        with pytest.raises(AssertionError, match="a fit was run"):
            select(network, folder, dims=[2], **{**GRID, **other}, say=said.append)


def test_an_interrupted_command_goes_on_where_it_stopped(toolchain, tmp_path):
    network, _ = simulate(20, 2, seed=6)
    network.edge_frame().to_csv(tmp_path / "edges.csv", index=False)

    def command(out, splits):
        options = ["--models", "poisson-inverse", "--dims", "1-2", "--splits", splits]
        options += ["--seed", "1", "--set", "starts=2", "--jobs", "1"]
        return subprocess.Popen(
            [sys.executable, "-m", "lsm_stan", "select", "edges.csv", "--out", out, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=tmp_path,
        )

    said = []
    # so many splits that the interrupt finds it running, however late it comes
    with command("chosen", "100") as first:
        for line in first.stdout:
            said.append(line)
            # the second Ctrl-C comes while it ends
            if line.startswith("[2/200]") or "of 200 fits are done" in line:
                first.send_signal(signal.SIGINT)
    assert first.returncode == 130, said
    assert not any("Traceback" in line or "does not compile" in line for line in said), said
    assert [path.name for path in (tmp_path / "chosen").iterdir()] == ["cells"]
    kept = {path: path.read_bytes() for path in (tmp_path / "chosen" / "cells").iterdir()}
    assert 2 <= len(kept) < 200
    assert any(
        line.startswith(f"{len(kept)} of 200 fits are done, and kept: run it again to go on")
        for line in said
    ), said
    assert all(json.loads(content)["scores"] for content in kept.values())
    # the first splits of many are those of few
    for out in ("chosen", "at-once"):
        with command(out, "3") as again:
            output, _ = again.communicate()
        assert again.returncode == 0, output
        actual = f"{min(len(kept), 6)} of 6 fits are already done" in output
        assert actual == (out == "chosen")
    assert all(path.read_bytes() == content for path, content in kept.items())
    one, other = (pd.read_csv(tmp_path / out / "scores.csv") for out in ("chosen", "at-once"))
    pd.testing.assert_frame_equal(one.drop(columns="seconds"), other.drop(columns="seconds"))


@pytest.mark.parametrize("content", [b"", b"{", b"{}", b"\xff", b'{"scores": {}}', b"[]"])
def test_a_damaged_cell_is_made_again(selected, content):
    network, result, _, folder = selected
    cell = sorted((folder / "cells").glob("*.json"))[0]
    cell.write_bytes(content)
    said = []
    again = select(network, folder, dims=[1, 2], **GRID, say=said.append)
    assert said[0] == f"{cell} is damaged: the fit is made again"
    assert said[1] == "5 of 6 fits are already done, and kept"
    kept = ["model", "dim", "split", "dyads", "log_density", "auc"]
    pd.testing.assert_frame_equal(again.scores[kept], result.scores[kept])
    assert json.loads(cell.read_text())["of"]["dim"] in (1, 2)


def test_numbers_of_numpy_are_pythons(selected):
    network, result, _, folder = selected
    numbers = {**GRID, "seed": np.int64(GRID["seed"]), "n_splits": np.int32(GRID["n_splits"])}
    said = []
    again = select(network, folder, dims=np.arange(1, 3), **numbers, say=said.append)
    assert said == ["6 of 6 fits are already done, and kept"]
    unlike = ["seconds"]  # of a cell that was made again
    pd.testing.assert_frame_equal(
        again.scores.drop(columns=unlike), result.scores.drop(columns=unlike)
    )


def test_the_program_is_compiled_once_for_all_cells(selected, tmp_path, monkeypatch):
    network, *_ = selected
    programs = []

    def compile_once(*args, **options):
        programs.append(args)
        return compile_with_fallback(*args, **options)

    monkeypatch.setattr(compiled, "compile_with_fallback", compile_once)
    select(network, tmp_path, dims=[1], **GRID, say=lambda _: None)
    assert len(programs) == 1


def test_cells_that_are_done_outlive_one_that_fails(selected, tmp_path, monkeypatch):
    network, *_ = selected
    run = selection._Cell.run
    done = []

    def fail_second(cell):
        if done:
            raise InputError("no more")
        done.append(cell)
        return run(cell)

    monkeypatch.setattr(selection._Cell, "run", fail_second)
    with pytest.raises(InputError, match="no more"):
        select(network, tmp_path, dims=[1], **GRID, jobs=1, say=lambda _: None)
    assert len(list((tmp_path / "cells").glob("*.json"))) == 1
    assert not (tmp_path / "scores.csv").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"dims": []}, "dims are \\[\\]; at least one"),
        ({"dims": [2, 2]}, "dims are \\[2, 2\\]; at least one is needed, each once"),
        ({"models": []}, "models are"),
        ({"models": ["quux"]}, "no model 'quux'"),
        ({"models": ["bernoulli-inverse"]}, "needs weights of 0 and 1"),
        ({"n_splits": 0}, "0 splits"),
        ({"share": 2.0}, "share is 2.0"),
        ({"arguments": {"quux": 1}}, "'quux'"),
    ],
)
def test_a_selection_that_makes_no_sense(tmp_path, change, words):
    network, _ = simulate(12, 2, seed=1)
    with pytest.raises(InputError, match=words):
        select(network, tmp_path / "out", **{"dims": [1], **GRID, **change})
    assert not (tmp_path / "out").exists()
