"""What the command line prints: names as they are, and whole."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lsm_stan import load_celegans, make_report, read_network, simulate, terminal
from lsm_stan.analysis import Analysis
from lsm_stan.config import AnalysisConfig, FitConfig
from lsm_stan.network.network import Network
from lsm_stan.network.summary import describe
from lsm_stan.prediction.choice import choose
from lsm_stan.prediction.selection import Selection
from lsm_stan.progress import print_progress
from lsm_stan.text import brief
from tests.support.made import fit_of, made_fit

#: Names that are markup or emoji to Rich.
UNITS = ["rate [/min]", "speed [m/s]", "[bold]", "a :bug: b"]


@pytest.fixture
def network() -> Network:
    """Return a path of four nodes with facts in all kinds of units."""
    names = ["a", "b", "c", "d"]
    table = pd.DataFrame({unit: [1.0, 2.0, 4.0, 8.0] for unit in UNITS}, names)
    edges = (names[:-1], names[1:], [1, 2, 3])
    return Network.from_edges(*edges, node_table=table, title="[/] :bug: [x]")


def selection(tmp_path, *models):
    scores = pd.DataFrame(
        {
            "model": np.repeat(models, 2),
            "dim": 2,
            "split": [1, 2] * len(models),
            "log_density": -1.0 - np.arange(2 * len(models)),
            "auc": 0.9,
            "parameters": 1033,
        }
    )
    baselines = pd.DataFrame(
        {"model": "constant", "split": [1, 2], "log_density": -9.0, "auc": 0.5}
    )
    nothing = pd.DataFrame()
    choice = choose(scores, baselines, 0.1)
    facts = describe(load_celegans())
    return Selection(scores, baselines, nothing, nothing, 0.1, choice, facts, "", "")


@pytest.mark.parametrize(
    ("weights", "shown"), [([1, 2, 3, 4, 5, 7], "7: 1"), ([1, 2, 3, 4, 5, 7, 9], "7 to 9: 2")]
)
def test_heavy_weights_are_counted_together(weights, shown, capsys):
    names = [str(k) for k in range(len(weights) + 1)]
    terminal.show_network(Network.from_edges(names[:-1], names[1:], weights))
    assert f"5: 1, {shown}" in " ".join(capsys.readouterr().out.split())


def test_columns_with_units_are_printed_as_they_are(network, tmp_path, capsys):
    model = "tutorial" + "".join(f"+nodecov({unit})" for unit in UNITS)
    positions = np.random.default_rng(1).normal(size=(1, 1, 4, 2))
    beta = np.full((1, 1, len(UNITS)), 0.25)
    fit = made_fit(network, positions, "map", model=model, others={"beta": beta})
    terminal.show_network(network)
    info = capsys.readouterr().out
    terminal.show_fit(fit, tmp_path / "[/fit]")
    out = capsys.readouterr().out
    for unit in UNITS:
        assert f"{unit}, of a node" in info
        assert f"nodecov({unit})" in out
    assert info.count(network.title) == out.count(network.title) == 1
    assert "/[/fit]" in out


def column(table, number):
    """Return what a column of a printed table says, line after line, without blanks."""
    lines = [line for line in table.splitlines() if "│" in line]
    assert max(map(len, lines)) <= 80
    return "".join(line.split("│")[number] for line in lines).replace(" ", "")


@pytest.mark.parametrize("unit", UNITS)
def test_models_are_printed_as_they_are_and_whole(unit, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    models = [f"nb-squared-effects+nodecov({unit})", f"nb-squared-effects+absdiff({unit})"]
    names = "".join(models).replace(" ", "")
    terminal.show_selection(selection(tmp_path, *models))
    table, choice = capsys.readouterr().out.split("choice: ")
    assert choice.startswith(f"{models[0]} with K = 2: the best")
    assert column(table, 1) == f"{names}(constant)"
    assert column(table, 3) == "1,0331,033", "counts are whole numbers"
    numbers = ["elpd", "se", "p", "difference", "difference_se"]
    rows = [
        {"fit": unit, "model": model, "dim": 3, "warning": model} | dict.fromkeys(numbers, -12345.6)
        for model in models
    ]
    terminal.show_loo(pd.DataFrame(rows))
    said = capsys.readouterr().out
    assert column(said, 2) == names
    assert all(f"! {unit}: {model}\n" in said for model in models)


def test_the_log_joint_of_draws_is_theirs(network, tmp_path, capsys):
    rng = np.random.default_rng(1)
    log_joint = np.array([[-110.0, -90.0], [-130.0, -70.0]])
    nuts = made_fit(network, rng.normal(size=(2, 2, 4, 2)), log_joint=log_joint)
    mode = made_fit(network, rng.normal(size=(1, 1, 4, 2)), "map")
    terminal.show_fit(nuts, tmp_path)
    said = capsys.readouterr().out
    assert "log joint -100.0 ± 25.8 over draws" in said
    assert "loss" not in said
    report = make_report({"map": mode, "nuts": nuts}, lambda _: None)
    fit = FitConfig(method="nuts", seed=1)
    config = AnalysisConfig(network="celegans", fit=(fit,))
    terminal.show_analysis(Analysis(config, report, tmp_path))
    summary = capsys.readouterr().out.split("methods compared")[0]
    assert column(summary, 3) == f"{brief(mode.log_joint)}-100±25.82"
    assert column(summary, 4) == brief(mode.loss)


#: What moves the cursor, colours, renames the window, or turns the direction of writing.
CONTROLS = ["\x1b[31m", "\x1b]0;title\x07", "\x9b2J", "\u202e", "\x08", "\x7f"]


@pytest.mark.parametrize("control", CONTROLS)
def test_controls_in_names_do_not_reach_the_terminal(control, tmp_path, capsys):
    (tmp_path / "e.csv").write_text(
        f"source,target,weight,k{control}ind\n{control}a,b,1,x\nb,c,2,y\nc,{control}a,3,z\n"
    )
    nodes = pd.DataFrame({"name": [f"{control}a", "b", "c"], f"x{control}": [1, 2, 3]})
    network = read_network(tmp_path / "e.csv", nodes=nodes, title=f"t{control}")
    assert network.names[0] == f"{control}a", "the name itself is kept"
    terminal.show_network(network)
    rows = {"kind": ["hidden"], "source": [f"{control}a"], "target": ["b"]}
    numbers = {n: [0.5] for n in ("weight", "probability", "expected", "tail")}
    terminal.show_predictions(pd.DataFrame(rows | numbers))
    terminal.complain(f"no node {control}a")
    print_progress(f"writing {control}a")
    said = "".join(capsys.readouterr())
    assert control not in said
    visible = control.encode("unicode_escape").decode().split("\\x07")[0]
    least = 1 if control == "\x08" else 5  # Rich itself leaves out a backspace
    assert said.replace("\n", "").count(visible[:4]) >= least


def test_a_fit_with_many_modes_is_said_to_have_them(network, tmp_path, capsys):
    """As on the page, and not in the report alone."""
    rng = np.random.default_rng(1)
    starts = [{"mode": k + 1, "loss": 1033.0 + k / 4} for k in range(8)]
    mode = made_fit(
        network,
        rng.normal(size=(1, 1, 4, 2)),
        "map",
        details={"distinct_modes": 8, "starts": starts},
    )
    terminal.show_fit(mode, tmp_path)
    said = capsys.readouterr().out
    assert "converged: every check passed" in said
    assert "8 different modes were found" in said
    assert "7 of the others come within 1.8 nats of it" in said


def test_densities_are_told_apart_and_no_name_is_empty():
    network, truth = simulate(4, 2, seed=1)
    nameless = replace(network, title="")
    mode = repr(made_fit(nameless, truth["z"][None, None], "map"))
    draws = repr(made_fit(nameless, np.repeat(truth["z"][None, None], 3, axis=1)))
    assert mode.startswith("Fit(map, 4 nodes, K = 2, loss ")
    assert "loss" not in draws
    assert re.search(r"log joint -?[\d.,]+ ± [\d.]+ over draws, (NOT )?converged\)$", draws)
    learned = fit_of(
        nameless,
        {"z": truth["z"][None, None], "intercept": np.zeros((1, 1)), "sigma_z": np.ones((1, 1))},
        "poisson-squared",
    )
    assert "(scales learned)" in repr(learned)
