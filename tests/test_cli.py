"""The command line: what it prints, what it writes, and its exit codes. Nothing is compiled."""

import dataclasses
import errno
import io
import os
import re
import signal
import subprocess
import sys
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import lsm_stan
from lsm_stan import __main__, cli, load_celegans, read_network, simulate
from lsm_stan.analysis import WRITTEN
from lsm_stan.config import AnalysisConfig, FitConfig, PublishedLoss
from lsm_stan.errors import InputError
from lsm_stan.network.reading import Reading
from lsm_stan.network.summary import describe
from lsm_stan.prediction.choice import choose
from lsm_stan.prediction.selection import Selection
from tests.support.made import made_fit

FIT = ("fit", "celegans", "--method", "map", "--seed", "1")
COMMANDS = (
    *("setup", "info", "fit", "select", "predict", "simulate", "run"),
    *("compare", "loo", "weigh", "report", "export"),
)
#: The options of every command that reads a network.
OF_READING = (
    *("--undirected", "--parallel-edges", "--no-header", "--source", "--target", "--weight"),
    *("--where", "COLUMN=VALUE", "--binary", "--nodes", "--hidden", "--dyads"),
)


class Outcome(NamedTuple):
    """An exit code and what was printed."""

    code: int
    out: str
    err: str


@pytest.fixture
def command(monkeypatch, tmp_path, capsys):
    """Call `main` as the console script does, in an empty folder; processes are refused."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["lsm-stan", *map(str, arguments)])
        capsys.readouterr()
        code = 0
        try:
            __main__.main()
        except SystemExit as stop:
            code = stop.code or 0
        return Outcome(code, *capsys.readouterr())

    def refuse(*_args, **_kwargs):
        raise AssertionError("a process was started")

    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(subprocess, "Popen", refuse)
    yield call
    for number, handler in handlers.items():
        signal.signal(number, handler)


def assert_refused(outcome, *words):
    """Bad usage or input: exit code 2; the last line, however long, says what; no traceback."""
    assert outcome.code == 2
    assert "Traceback" not in outcome.err
    last = outcome.err.splitlines()[-1]
    assert last.startswith("error: "), "an error is one line"
    for word in words:
        assert str(word) in last


# --- help ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("setup", ["--source", "--check"]),
        (
            "info",
            ["NETWORK", *OF_READING],
        ),
        (
            "fit",
            ["NETWORK", "--method", "--out", "--seed", "--dim", "--starts", "--ladder", "--init",
             "--set", "NAME=VALUE", "--kernel", *OF_READING],
        ),
        (
            "select",
            ["NETWORK", "--models", "--out", "--seed", "--dims", "--splits", "--share", "--scheme",
             "--single", "--method", "--set", "--jobs", *OF_READING],
        ),
        ("predict", ["FIT", "--out", "--top"]),
        ("simulate", ["--out", "--seed", "--nodes", "--dim", "--undirected"]),
        ("run", ["CONFIG.toml", "--out"]),
        ("export", ["FIT", "FILE", ".csv", ".graphml", ".gexf"]),
    ],
)  # fmt: skip
def test_the_help_of_a_command_names_its_arguments(name, arguments):
    result = CliRunner().invoke(cli.app, [name, "--help"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    for argument in arguments:
        assert argument in result.output


def test_the_help_of_run_names_every_key_of_a_configuration():
    result = CliRunner().invoke(cli.app, ["run", "--help"], env={"COLUMNS": "200"})
    assert "[[fit]]" in result.output
    words = set(re.findall(r"\w+", result.output.split("Arguments")[0]))
    of_models = AnalysisConfig, FitConfig, PublishedLoss
    keys = [key for model in of_models for key in model.model_fields]
    keys += ["file", *(field.name for field in dataclasses.fields(Reading))]
    assert [key for key in keys if key not in words] == []


def test_simulate_offers_no_covariates():
    output = CliRunner().invoke(cli.app, ["simulate", "--help"], env={"COLUMNS": "200"}).output
    assert "clusters(G)" in output
    assert "--dyads" not in output


@pytest.mark.parametrize(
    ("name", "default"),
    [("info", "as the file says"), ("fit", "as the file says"), ("run", "CONFIG without")],
)
def test_help_tells_defaults_that_are_no_values(name, default):
    result = CliRunner().invoke(cli.app, [name, "--help"], env={"COLUMNS": "200"})
    assert default in result.output


def test_help_lists_the_commands():
    result = CliRunner().invoke(cli.app, ["--help"])
    assert result.exit_code == 0
    for name in COMMANDS:
        assert name in result.output


def test_without_a_command_help_is_shown(command):
    outcome = command()
    assert outcome.code == 2
    assert "Usage" in outcome.out


@pytest.mark.parametrize("arguments", [["--help"], ["fit", "--help"]])
def test_the_module_is_the_command_line(arguments):
    done = subprocess.run(
        [sys.executable, "-m", "lsm_stan", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert "Usage" in done.stdout
    assert done.stderr == ""


# --- info ---------------------------------------------------------------------------------------


def test_info_shows_the_packaged_network(command):
    outcome = command("info", "celegans")
    assert outcome.code == 0
    for text in ("297", "2,345 directed", "8,743", "14 parallel edges: dropped"):
        assert text in outcome.out
    assert outcome.err == ""


def test_info_sums_parallel_edges_where_told(command):
    assert "8,819" in command("info", "celegans", "--parallel-edges", "sum").out


def test_info_reads_an_undirected_network_with_a_node_table(command, tmp_path):
    (tmp_path / "edges.csv").write_text("source,target,weight\na,b,2\nb,a,3\n")
    (tmp_path / "nodes.csv").write_text("name,class\na,x\nb,y\nc,z\n")
    outcome = command("info", "edges.csv", "--undirected", "--nodes", "nodes.csv")
    assert outcome.code == 0
    assert "3 (1 isolated)" in outcome.out
    assert "1 undirected" in outcome.out


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("edges.csv", "source,target,weight\na,b,-1\n", ["edges.csv", "'a' -> 'b'", "negative"]),
        ("edges.csv", "source,target,weight\na,b,0.5\n", ["0.5", "not a whole number"]),
        ("edges.csv", "", ["edges.csv", "empty"]),
        ("graph.gml", "graph [ node [", ["graph.gml", "cannot be read"]),
        ("graph.xls", "", ["'.xls'", ".graphml can be read"]),
        ("[bold]x[/bold].csv", "", ["[bold]x[/bold].csv"]),
    ],
)
def test_a_network_that_cannot_be_read(command, tmp_path, name, text, words):
    (tmp_path / "[bold]x[").mkdir()
    (tmp_path / name).write_text(text)
    assert_refused(command("info", name), *words)


def test_a_network_that_is_not_there(command):
    assert_refused(command("info", "nowhere.csv"), "nowhere.csv: there is no such file")


@pytest.mark.slow
def test_a_refusal_is_one_line_in_a_real_process_too(tmp_path):
    (tmp_path / "edges.csv").write_text("source,target,weight\na,b,-1\n")
    done = subprocess.run(
        [sys.executable, "-m", "lsm_stan", "info", "edges.csv"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.stdout == ""
    assert_refused(Outcome(done.returncode, done.stdout, done.stderr), "-1, which is negative")


def test_info_counts_hidden_dyads(command, tmp_path):
    (tmp_path / "edges.csv").write_text("source,target\na,b\nb,c\n")
    (tmp_path / "hidden.csv").write_text("source,target\na,b\nc,a\n")
    outcome = command("info", "edges.csv", "--hidden", "hidden.csv")
    assert outcome.code == 0
    assert "hidden dyads" in outcome.out
    assert "hidden.csv: 2 dyads not observed" in outcome.out
    assert "25.0%" not in outcome.out
    assert "75.0% zero" in outcome.out  # of four observed dyads one has an edge


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("source,target\na,x\n", ["hidden.csv", "no node 'x'"]),
        ("source,target\na,a\n", ["diagonal"]),
        (",a,b\na,0,1\nb,1,0\n", ["hidden.csv", "source and target"]),
    ],
)
def test_a_list_of_hidden_dyads_that_makes_no_sense(command, tmp_path, text, words):
    (tmp_path / "edges.csv").write_text("source,target\na,b\nb,c\n")
    (tmp_path / "hidden.csv").write_text(text)
    assert_refused(command("info", "edges.csv", "--hidden", "hidden.csv"), *words)


def test_info_shows_what_covariates_there_are(command, tmp_path):
    (tmp_path / "edges.csv").write_text("source,target\na,b\nb,c\n")
    (tmp_path / "nodes.csv").write_text("name,class,[b],id\na,x,1,p\nb,y,2,q\nc,x,3,r\n")
    (tmp_path / "dyads.csv").write_text("source,target,contact\na,b,1.5\nc,a,2\n")
    outcome = command("info", "edges.csv", "--nodes", "nodes.csv", "--dyads", "dyads.csv")
    assert outcome.code == 0
    actual = dict(re.findall(r"^ (.*, of a (?:node|dyad)) +(.*?) *$", outcome.out, re.MULTILINE))
    assert actual == {
        "class, of a node": "nodematch",
        "[b], of a node": "nodeocov, nodeicov, nodecov, absdiff",
        "id, of a node": "no covariate",
        "contact, of a dyad": "edgecov",
    }


def test_the_packaged_network_takes_a_table_of_dyads(command, tmp_path):
    (tmp_path / "dyads.tsv").write_text("from\tto\tcontact\nAVAL\tAVAR\t1\n")
    outcome = command("info", "celegans", "--dyads", "dyads.tsv")
    assert outcome.code == 0
    assert "contact, of a dyad" in outcome.out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("source,target,x\na,y,1\n", ["'a' to 'y'", "no node 'y'"]),
        ("source,target,x\na,a,1\n", ["'a' with itself"]),
        ("source,target,x\na,b,1\na,b,2\n", ["'a' to 'b' twice"]),
        ("source,target\na,b\n", ["source and target and one more"]),
        ("one,other,x\na,b,1\n", ["source and target and one more"]),
        ("source,target,x,x\na,b,1,2\n", ["two columns 'x'"]),
        ("source,target,x\na,b\n", ["line 2 has 2 cells"]),
        ("i,j,source\na,b,1\n", ["column 'source'"]),
    ],
)
def test_a_table_of_dyads_that_makes_no_sense(command, tmp_path, text, words):
    (tmp_path / "edges.csv").write_text("source,target\na,b\nb,c\n")
    (tmp_path / "dyads.csv").write_text(text)
    assert_refused(command("info", "edges.csv", "--dyads", "dyads.csv"), "dyads.csv", *words)


@pytest.mark.parametrize(
    "arguments",
    [
        ("info",),
        ("fit", "--method", "map", "--seed", "1", "--out", "fit", "--model", "no-model"),
        ("select", "--models", "no-model", "--seed", "1", "--out", "chosen"),
    ],
)
def test_what_is_done_with_the_input_is_said_before_anything_is_run(command, tmp_path, arguments):
    (tmp_path / "edges.csv").write_text("source,target,remark\na,b,seen\na,b,seen\n")
    (tmp_path / "hidden.csv").write_text("source,target\nb,a\n")
    name, *options = arguments
    out = command(name, "edges.csv", "--hidden", "hidden.csv", *options).out
    for words in ("not used: remark.", "No weights are given", "1 parallel edge:", "hidden.csv: 1"):
        assert out.count(words) == 1


SYNAPSES = "vor,nach,type,strong\n1,2,chemical,5\n1,2,gap,2\n2,3,chemical,3\n3,1,gap,1\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("info",),
        ("fit", "--method", "map", "--seed", "1", "--out", "fit", "--model", "no-model"),
        ("select", "--models", "no-model", "--seed", "1", "--out", "chosen"),
    ],
)
def test_every_command_reads_a_network_by_the_same_options(command, tmp_path, arguments):
    (tmp_path / "s.csv").write_text(SYNAPSES)
    name, *others = arguments
    options = ["--header", "--source", "vor", "--target", "nach", "--weight", "strong"]
    options += ["--where", "type=chemical", "--binary"]
    outcome = command(name, "s.csv", *options, *others)
    assert "2 of 4 rows kept: type=chemical." in outcome.out
    assert "Weights are in the column 'strong'." in outcome.out
    assert_refused(command(name, "s.csv", *others), "s.csv", "--source vor", "--target nach")
    assert_refused(command(name, "s.csv", "--source", "vor", *others), "--target")
    assert_refused(command(name, "celegans", "--where", "a=b", *others), "celegans", "--where")


def test_what_is_read_by_options(command, tmp_path):
    (tmp_path / "s.csv").write_text(SYNAPSES)
    ends = ["--source", "vor", "--target", "nach"]
    assert (
        "total weight               11" in command("info", "s.csv", *ends, "--weight", "strong").out
    )
    out = command("info", "s.csv", *ends, "--weight", "none", "--binary", "--undirected").out
    assert "total weight      3" in re.sub("  +", "      ", out)
    assert_refused(command("info", "s.csv", *ends), "'strong'", "--weight strong")


def test_a_working_directory_that_was_deleted(command, tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert_refused(command("info", "celegans"), "the working directory is not there any more")


# --- fit: refused before anything is compiled ---------------------------------------------------


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (["--set", "quux=1"], ["'quux'", "map", "starts", "history_size"]),
        (["--set", "seed=2"], ["'seed'"]),
        (["--set", "quux"], ["--set quux", "NAME=VALUE"]),
        (["--set", "=1"], ["--set =1", "NAME=VALUE"]),
        (["--set", "starts=0"], ["starts is 0", "equal to 1"]),
        (["--set", "starts=two"], ["starts", "two"]),
        (["--set", "ladder=3"], ["ladder", "3"]),
        (["--ladder", "2,one"], ["--ladder 2,one", "2,1,0.5"]),
        (["--ladder", ""], ["--ladder", "2,1,0.5"]),
        (["--ladder", "1,0"], ["ladder", "greater than 0"]),
        (["--ladder=-1"], ["ladder", "greater than 0"]),
        (["--ladder", "inf"], ["ladder", "inf"]),
        (["--ladder", "nan"], ["ladder", "nan"]),
        (["--dim", "0"], ["dim is 0"]),
        (["--init", "map"], ["'init'", "map"]),
        (["--nodes", "nodes.csv"], ["celegans", "node table"]),
        (["--undirected"], ["celegans", "directed"]),
        (["--dyads", "nowhere.csv"], ["nowhere.csv: there is no such file"]),
        (["--dyads", "dyads.xls"], ["'.xls' is not that of a table of dyads", ".tsv"]),
        (["--model", "nb-squared+match(class)"], ["no term 'match(class)'", "nodematch(COLUMN)"]),
        (["--model", "nb-squared+nodematch(age)"], ["no column 'age'", "which has label, class"]),
        (["--model", "nb-squared+edgecov(x)"], ["edgecov(x)", "dyad table, which is not there"]),
        (["--model", "nb-squared+absdiff(class)"], ["absdiff(class): node", "take nodematch"]),
    ],
)
def test_a_fit_that_makes_no_sense(command, tmp_path, option, words):
    assert_refused(command(*FIT, "--out", "fit", *option), *words)
    assert not (tmp_path / "fit").exists()


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (["--method", "mcmc"], "mcmc"),
        (["--seed", "-1"], "--seed"),
        (["--starts", "0"], "--starts"),
        (["--kernel", "fortran"], "fortran"),
        (["--parallel-edges", "last"], "last"),
        (["--no-such-option"], "--no-such-option"),
    ],
)
def test_an_option_that_makes_no_sense(command, change, word):
    outcome = command(*FIT, "--out", "fit", *change)
    assert outcome.code == 2
    assert word in outcome.err
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize("left_out", ["--method", "--seed", "--out"])
def test_what_a_fit_cannot_do_without(command, left_out):
    arguments = [*FIT, "--out", "fit"]
    at = arguments.index(left_out)
    outcome = command(*arguments[:at], *arguments[at + 2 :])
    assert outcome.code == 2
    assert left_out in outcome.err


def test_a_folder_that_holds_something_else_is_left_alone(command, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("years of work")
    assert_refused(command(*FIT, "--out", "thesis"), "thesis exists and is not a fit")
    assert (tmp_path / "thesis" / "chapter.tex").read_text() == "years of work"


def test_a_file_is_no_folder_for_a_fit(command, tmp_path):
    (tmp_path / "notes").write_text("a file")
    assert_refused(command(*FIT, "--out", "notes"), "notes exists and is not a fit")


def test_a_bad_network_is_refused_before_the_model_is_compiled(command):
    outcome = command("fit", "nowhere.csv", "--method", "nuts", "--seed", "1", "--out", "fit")
    assert_refused(outcome, "nowhere.csv")


# --- select and predict: refused before anything is compiled ------------------------------------

SELECT = ("select", "celegans", "--models", "tutorial", "--seed", "1", "--out", "chosen")


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (["--dims", "two"], ["--dims two", "2,3 or 1-6"]),
        (["--dims", "1-2-3"], ["--dims 1-2-3"]),
        (["--dims", ""], ["--dims"]),
        (["--dims", "3-1"], ["--dims 3-1", "rising ranges", "1-6"]),
        (["--dims", "2-"], ["--dims 2-", "1-6"]),
        (["--dims", "1,-2"], ["--dims 1,-2"]),
        (["--dims", "1-3,2"], ["dims are [1, 2, 3, 2]", "each once"]),
        (["--dims", "0"], ["dim is 0"]),
        (["--models", "quux"], ["no model 'quux'", "LIKELIHOOD-FORM"]),
        (["--models", "tutorial,tutorial"], ["each once"]),
        (["--models", "bernoulli-inverse"], ["weights of 0 and 1"]),
        (["--models", "tutorial,tutorial+nodematch(a,b)"], ["no column 'a,b'"]),
        (["--models", "tutorial,tutorial+edgecov(x)"], ["dyad table, which is not there"]),
        (["--share", "1"], ["share is 1.0", "between 0 and 1"]),
        (["--splits", "1", "--scheme", "folds"], ["1 folds", "2 to"]),
        (["--set", "quux=1"], ["'quux'", "map"]),
        (["--set", "starts=0"], ["starts is 0"]),
        (["--hidden", "nowhere.csv"], ["nowhere.csv: there is no such file"]),
        (["--out", "thesis"], ["thesis exists and is not a selection"]),
    ],
)
def test_a_selection_that_makes_no_sense(command, tmp_path, option, words):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("years of work")
    assert_refused(command(*SELECT, *option), *words)
    assert not (tmp_path / "chosen").exists()


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (["--scheme", "alphabetical"], "alphabetical"),
        (["--splits", "0"], "--splits"),
        (["--jobs", "0"], "--jobs"),
        (["--method", "mcmc"], "mcmc"),
    ],
)
def test_an_option_of_a_selection_that_makes_no_sense(command, change, word):
    outcome = command(*SELECT, *change)
    assert outcome.code == 2
    assert word in outcome.err
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize("margin", [0.5, 0.0])
def test_select_names_a_choice_or_none(command, monkeypatch, margin):
    scores = pd.DataFrame(
        {
            "model": ["a", "a", "b", "b"],
            "dim": 2,
            "split": [1, 2, 1, 2],
            "log_density": [-1.0, -2.0, -1.1 - margin, -1.9 - margin],
            "auc": 0.9,
            "parameters": 10,
        }
    )
    baselines = pd.DataFrame(
        {"model": "constant", "split": [1, 2], "log_density": -9.0, "auc": 0.5}
    )
    asked = {}

    def run(network, folder, **arguments):
        asked.update(arguments)
        nothing = pd.DataFrame()
        choice = choose(scores, baselines, 0.1)
        facts = describe(load_celegans())
        return Selection(scores, baselines, nothing, nothing, 0.1, choice, facts, "", "")

    monkeypatch.setattr(lsm_stan, "select", run)
    monkeypatch.setattr(lsm_stan, "write_selection", lambda _, folder: folder / "README.md")
    outcome = command(*SELECT, "--dims", "1-2,4", "--single", "--set", "starts=3")
    assert outcome.code == 0
    assert asked["dims"] == [1, 2, 4]
    assert asked["arguments"] == {"starts": 3}
    assert not asked["together"]
    assert "(constant)" in outcome.out
    wanted = "choice: a with K = 2" if margin else "no choice: a with K = 2 and b with K = 2"
    assert f"\n{wanted}" in outcome.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere", "--out", "dyads.csv"], ["nowhere: no finished fit here"]),
        (["nowhere", "--out", "dyads.txt"], ["dyads.txt", ".csv"]),
    ],
)
def test_a_prediction_that_makes_no_sense(command, arguments, words):
    assert_refused(command("predict", *arguments), *words)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Save a fit, before processes are refused."""
    network, truth = simulate(12, 2, seed=4)
    draws = np.stack([truth["z"]] * 4)[None]
    return made_fit(network, draws, "vi").save(tmp_path_factory.mktemp("saved") / "fit")


def test_export_writes_a_file_and_refuses_another_before_the_fit_is_read(saved, command, tmp_path):
    outcome = command("export", saved, "new/nodes.csv")
    assert outcome.code == 0
    assert "new/nodes.csv" in outcome.err
    assert "axis1_sd" in pd.read_csv("new/nodes.csv")
    assert_refused(command("export", "nowhere", "nodes.txt"), "nodes.txt", ".gexf")
    assert_refused(command("export", "nowhere", "new/nodes.csv/a.csv"), "is a file, no folder")
    assert_refused(command("export", "nowhere", "nodes.csv"), "nowhere", "no finished fit here")


def test_predict_writes_a_table(command, tmp_path, monkeypatch):
    table = pd.DataFrame(
        [["empty", "a", "[b]", 0, 0.5, 0.7, np.nan], ["hidden", "b", "c", pd.NA, 0.2, 0.3, np.nan]],
        columns=["kind", "source", "target", "weight", "probability", "expected", "tail"],
    )
    asked = []
    monkeypatch.setattr(lsm_stan.Fit, "load", lambda folder: folder)
    monkeypatch.setattr(lsm_stan, "predict", lambda *args: asked.append(args) or table)
    outcome = command("predict", "fit", "--top", "7", "--out", "new/dyads.csv")
    assert outcome.code == 0
    assert [(str(fit), top) for fit, top in asked] == [("fit", 7)]
    assert "[b]" in outcome.out
    assert "2 dyads: new/dyads.csv" in outcome.err
    assert len(pd.read_csv(tmp_path / "new" / "dyads.csv")) == 2


# --- simulate -----------------------------------------------------------------------------------


@pytest.mark.parametrize("directed", [True, False])
def test_a_simulated_network_comes_back_from_its_files(command, tmp_path, directed):
    flag = "--directed" if directed else "--undirected"
    outcome = command(
        "simulate", "--seed", 3, "--nodes", 15, "--dim", 3, flag, "--out", "new/net.csv"
    )
    assert outcome.code == 0
    assert "net.csv" in outcome.err
    assert "net-nodes.csv" in outcome.err
    edges, nodes = tmp_path / "new" / "net.csv", tmp_path / "new" / "net-nodes.csv"
    network = read_network(edges, nodes=nodes, directed=directed)
    drawn, truth = simulate(15, 3, seed=3, directed=directed)
    assert network.n_nodes == 15
    assert network.digest == drawn.digest
    table = pd.read_csv(nodes, dtype=str)
    assert list(table.columns) == ["name", "z1", "z2", "z3"]
    np.testing.assert_array_equal(table[["z1", "z2", "z3"]].astype(float), truth["z"])


def test_the_same_seed_writes_the_same_files(command, tmp_path):
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        assert command("simulate", "--seed", seed, "--nodes", 12, "--out", f"{name}.csv").code == 0
    for suffix in (".csv", "-nodes.csv"):
        a, b, c = ((tmp_path / f"{name}{suffix}").read_bytes() for name in "abc")
        assert a == b
        assert a != c


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (["--out", "net.txt"], ["net.txt", ".csv"]),
        (["--out", "net.csv", "--nodes", "1"], ["1", "at least 2 nodes"]),
        (["--out", "net.csv", "--dim", "0"], ["dim is 0"]),
        (
            ["--out", "net.csv", "--model", "poisson-squared+nodematch(class)"],
            ["nodematch(class) has covariates", "lsm_stan.simulate takes node_table"],
        ),
        (["--out", "file.txt/net.csv"], ["file.txt"]),
        (["--out", "folder.csv"], ["folder.csv"]),
    ],
)
def test_a_simulation_that_makes_no_sense(command, tmp_path, option, words):
    (tmp_path / "file.txt").write_text("a file")
    (tmp_path / "folder.csv").mkdir()
    assert_refused(command("simulate", "--seed", "1", *option), *words)


# --- run: configurations ------------------------------------------------------------------------

ONE_FIT = 'network = "celegans"\n[[fit]]\nmethod = "map"\nseed = 1\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["network"]),
        ("network = celegans", ["analysis.toml", "not TOML", "line 1"]),
        ("\xff", ["analysis.toml", "cannot be read"]),
        ('network = "celegans"', ["analysis.toml", "fit"]),
        ('network = "celegans"\nfit = []', ["analysis.toml", "fit"]),
        ('network = "celegans"\nfits = 1', ["analysis.toml", "fit"]),
        ("colour = 1\n" + ONE_FIT, ["analysis.toml", "colour"]),
        ("dim = 0\n" + ONE_FIT, ["analysis.toml", "dim"]),
        ("prior_scale = -1\n" + ONE_FIT, ["analysis.toml", "prior_scale"]),
        ("jitter = inf\n" + ONE_FIT, ["jitter"]),
        ("model = {foo = 1}\n" + ONE_FIT, ["analysis.toml", "'foo'", "it has form"]),
        ('model = {phi_scale = "a"}\n' + ONE_FIT, ["analysis.toml", "phi_scale is 'a'"]),
        ('model = {terms = "nodematch(class)"}\n' + ONE_FIT, ["analysis.toml", "terms is"]),
        ('kernel = "fortran"\n' + ONE_FIT, ["analysis.toml", "kernel"]),
        ('parallel_edges = "last"\n' + ONE_FIT, ["analysis.toml", "parallel_edges"]),
        (ONE_FIT.replace("map", "mcmc"), ["'mcmc'", "map, laplace, pathfinder, vi, advi, nuts"]),
        (ONE_FIT.replace("seed = 1", "seed = -1"), ["analysis.toml", "fit.0.seed"]),
        (ONE_FIT.replace("seed = 1", ""), ["analysis.toml", "fit.0.seed"]),
        (ONE_FIT + 'name = "../elsewhere"\n', ["analysis.toml", "fit.0.name"]),
        (ONE_FIT + 'colour = "red"\n', ["analysis.toml", "fit.0.colour"]),
        (ONE_FIT + "[fit.arguments]\nquux = 1\n", ["'quux'", "map"]),
        (ONE_FIT + "[fit.arguments]\nstarts = 'two'\n", ["starts", "two"]),
        (ONE_FIT + '[[fit]]\nmethod = "map"\nseed = 2\n', ["analysis.toml", "two fits", "'map'"]),
        (
            ONE_FIT + '[[fit]]\nmethod = "advi"\nname = "map"\nseed = 2\n',
            ["analysis.toml", "two fits", "'map'"],
        ),
        (ONE_FIT.replace("celegans", "nowhere.csv"), ["nowhere.csv", "no such file"]),
    ],
)
def test_a_configuration_that_makes_no_sense(command, tmp_path, text, words):
    (tmp_path / "analysis.toml").write_text(text, encoding="latin-1")
    assert_refused(command("run", "analysis.toml"), *words)
    assert not (tmp_path / "analysis").exists()


def test_a_configuration_that_is_not_there(command):
    assert_refused(command("run", "nowhere.toml"), "nowhere.toml", "cannot be read")


def test_paths_in_a_configuration_are_relative_to_it(command, tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "analysis.toml").write_text(ONE_FIT.replace("celegans", "edges.csv"))
    assert_refused(command("run", "deep/analysis.toml"), tmp_path / "deep" / "edges.csv")


def test_a_folder_that_a_run_may_not_replace_is_found_before_it_starts(command, tmp_path):
    (tmp_path / "analysis.toml").write_text(ONE_FIT)
    taken = tmp_path / "out" / "fits" / "map"
    taken.mkdir(parents=True)
    (taken / "chapter.tex").write_text("years of work")
    outcome = command("run", "analysis.toml", "--out", "out")
    assert_refused(outcome, "exists and is not a fit")
    assert (taken / "chapter.tex").read_text() == "years of work"


# --- pages: what they do not replace ------------------------------------------------------------


@pytest.mark.parametrize(
    ("there", "report", "run"),
    [
        ([], True, True),
        (["index.html", "nodes.csv", "mine"], True, True),
        (["fits"], False, True),
        (["README.md"], False, False),
        (["nodes.csv", "fits"], False, False),
        (["fit.json", "nodes.csv"], False, False),
        (["fit.json", "index.html"], False, False),
        (["index.html", "README.md"], True, False),
    ],
)
def test_a_page_replaces_nothing_but_a_page(command, tmp_path, there, report, run):
    (tmp_path / "out").mkdir()
    for name in there:
        (tmp_path / "out" / name).write_text("years of work")
    (tmp_path / "analysis.toml").write_text(ONE_FIT.replace("celegans", "nowhere.csv"))
    refused = "out exists and is not"
    for accepted, *arguments in ((report, "report", "nowhere"), (run, "run", "analysis.toml")):
        outcome = command(*arguments, "--out", "out")
        assert_refused(outcome, *(["nowhere"] if accepted else [refused, *sorted(there)]))


def test_a_run_is_known_by_its_readme(command, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "nodes.csv").touch()
    (tmp_path / "out" / "README.md").write_text(f"# Title\n\n{WRITTEN}, which also\n")
    (tmp_path / "analysis.toml").write_text(ONE_FIT.replace("celegans", "nowhere.csv"))
    assert_refused(command("run", "analysis.toml", "--out", "out"), "nowhere.csv", "no such file")


# --- accidents ----------------------------------------------------------------------------------


def test_a_fit_is_replaced_only_by_force(command, tmp_path, monkeypatch):
    (tmp_path / "fit").mkdir()
    (tmp_path / "fit" / "fit.json").write_text("{}")
    assert_refused(command(*FIT, "--out", "fit"), "fit holds a fit", "--force")

    def reached(*_args, **_options):
        raise InputError("reached")

    monkeypatch.setattr("lsm_stan.network.layer_readers.open_source", reached)
    assert_refused(command(*FIT, "--out", "fit", "--force"), "reached")
    assert_refused(command(*FIT, "--out", "new"), "reached")


@pytest.mark.parametrize(("answer", "word"), [("y\n", "reached"), ("n\n", "Aborted")])
def test_a_fit_is_replaced_if_the_terminal_says_so(command, tmp_path, monkeypatch, answer, word):
    (tmp_path / "fit").mkdir()
    (tmp_path / "fit" / "fit.json").write_text("{}")

    def reached(*_args, **_options):
        raise InputError("reached")

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr("lsm_stan.network.layer_readers.open_source", reached)
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    outcome = command(*FIT, "--out", "fit")
    assert word in outcome.err
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize(
    "arguments",
    [
        (*FIT, "--out", "edges.csv/fit"),
        ("predict", "fit", "--out", "edges.csv/dyads.csv"),
        ("loo", "fit", "--out", "edges.csv/loo.csv"),
        ("weigh", "fit", "--out", "edges.csv/modes"),
        ("compare", "fit", "--out", "edges.csv/tables"),
        ("report", "fit", "--out", "edges.csv/report"),
        ("simulate", "--seed", "1", "--out", "edges.csv/drawn.csv"),
        ("select", "celegans", "--models", "tutorial", "--seed", "1", "--out", "edges.csv/chosen"),
        ("run", "analysis.toml", "--out", "edges.csv/results"),
    ],
)
def test_what_cannot_be_written_is_refused_first(command, tmp_path, arguments):
    (tmp_path / "edges.csv").touch()
    (tmp_path / "analysis.toml").write_text(
        'network = "celegans"\n[[fit]]\nmethod = "map"\nseed = 1\n'
    )
    assert_refused(command(*arguments), "edges.csv is a file, no folder", "name another")


def test_an_error_of_the_system_is_one_sentence(command, monkeypatch):
    def full(*_args, **_options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/somewhere")

    monkeypatch.setattr("lsm_stan.network.layer_readers.open_source", full)
    outcome = command("info", "celegans")
    assert (outcome.code, outcome.err) == (1, "error: /somewhere: No space left on device\n")
