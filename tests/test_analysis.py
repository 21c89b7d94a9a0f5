"""`lsm-stan run`: results of several fits, and what an interruption leaves."""

import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lsm_stan import Fit, LatentSpaceModel, analysis, simulate
from lsm_stan.analysis import run
from lsm_stan.config import load_config
from lsm_stan.errors import InputError, MachineError
from lsm_stan.inference.chain_files import ChainFile

pytestmark = pytest.mark.cmdstan

CONFIG = """
network = "edges.csv"
dim = 2
note = "More is [elsewhere](other.md)."
[reference]
label = "a published result"
loss = 12345.6
[[fit]]
method = "map"
seed = 1
arguments = { starts = 2 }
[[fit]]
method = "advi"
seed = 2
arguments = { iter = 300, init = "random" }
[[fit]]
name = "nuts-short"
method = "nuts"
seed = 3
arguments = { chains = 2, iter_warmup = 50, iter_sampling = 60, init = "results/fits/map" }
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_config(tmp_path, CONFIG)


def write_config(folder: Path, text: str) -> Path:
    network, _ = simulate(20, 2, seed=6)
    network.edge_frame().to_csv(folder / "edges.csv", index=False)
    (folder / "results.toml").write_text(text)
    return folder / "results.toml"


def start(config: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "lsm_stan", "run", str(config)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_results(config: Path) -> None:
    folder = config.with_suffix("")
    said: list[str] = []
    run(load_config(config), folder, said.append)
    summary = pd.read_csv(folder / "summary.csv")
    assert summary["method"].tolist() == ["map", "advi", "nuts"]
    assert summary["fit"].tolist() == ["map", "advi", "nuts-short"]
    assert (summary["loss"] == -summary["log_joint"]).all()
    assert not summary["converged"].iloc[2]
    invariants = pd.read_csv(folder / "invariants.csv")
    assert {"fit", "quantity", "mean", "sd", "r_hat", "ess_bulk"} <= set(invariants.columns)
    assert not invariants["quantity"].str.startswith("z").any()
    nuts = invariants[invariants["fit"] == "nuts-short"]
    assert nuts["quantity"].str.startswith("distance[").sum() == 12
    assert nuts["r_hat"].notna().all()
    comparison = pd.read_csv(folder / "comparison.csv")
    assert comparison.columns[:9].tolist() == [
        "method", "seconds", "log_joint", "elbo", "khat", "procrustes_rmse", "distance_rmse",
        "sd_ratio", "coverage90",
    ]  # fmt: skip
    checks = pd.read_csv(folder / "ppc.csv")
    assert checks.columns.tolist() == [
        "fit", "statistic", "observed", "predicted_median", "predicted_low", "predicted_high",
        "p_value",
    ]  # fmt: skip
    assert checks["fit"].unique().tolist() == ["map", "advi", "nuts-short"]
    assert (folder / "index.html").exists()
    readme = (folder / "README.md").read_text()
    assert "More is [elsewhere](other.md)." in readme
    first = [readme.index(f"## {part}") for part in ("What was found", "Whether to", "What to do")]
    assert first == sorted(first)
    # which command: test_next_steps.py; of so few draws the judgement is near its limit
    assert readme.index("    lsm-stan ", first[-1]) < readme.index("## Fits")
    assert "| *a published result* |  | -12,345.6 | 12,345.6 |  |" in readme
    rows = [[cell.strip() for cell in line.split("|")] for line in readme.splitlines()]
    losses = {row[1]: row[4] for row in rows if len(row) == 7}  # of five columns: the fits
    assert losses["map"] == f"{summary['loss'][0]:,.1f}"
    assert losses["nuts-short"] == "", "a mean of draws has no loss"
    shown = re.findall(r"figures/([\w-]+)\.png", readme)
    assert shown == ["embedding", "rates", "predictive", "distances"]
    assert all((folder / "figures" / f"{name}.png").exists() for name in shown)


def test_an_interrupted_run_goes_on_where_it_stopped(config: Path) -> None:
    # the last fit takes so long that the interrupt finds it running, however late it comes
    config.write_text(CONFIG.replace("iter_sampling = 60", "iter_sampling = 200_000"))
    said = []
    with start(config) as first:
        assert first.stdout is not None
        for line in first.stdout:
            said.append(line)
            if line.startswith("[3/3]"):
                first.terminate()
    assert first.returncode == 130, said
    assert not any("Traceback" in line for line in said), said
    assert "2 of 3 fits are done, and kept: run it again to go on\n" in said
    fits = config.with_suffix("") / "fits"
    done = {path.parent.name: path.stat().st_mtime_ns for path in fits.glob("*/fit.json")}
    assert done.keys() == {"map", "advi"}
    config.write_text(CONFIG)
    with start(config) as second:
        output, _ = second.communicate()
    assert second.returncode == 0, output
    assert "[1/3] map: already done" in output
    assert "[2/3] advi: already done" in output
    assert "[3/3] nuts-short: nuts, seed 3" in output
    assert all((fits / name / "fit.json").stat().st_mtime_ns == done[name] for name in done)
    assert {path.name for path in fits.iterdir()} == {"map", "advi", "nuts-short"}


def test_a_changed_fit_is_run_again(config: Path) -> None:
    folder = config.with_suffix("")
    short = CONFIG[: CONFIG.index('[[fit]]\nmethod = "advi"')]
    said: list[str] = []
    for text in (short, short, short.replace("seed = 1", "seed = 7")):
        config.write_text(text)
        run(load_config(config), folder, said.append)
    started = [line for line in said if line.startswith("[1/1]")]
    assert ["already done" in line for line in started] == [False, True, False]


def test_a_fit_whose_start_has_changed_is_run_again(config: Path) -> None:
    base = CONFIG[: CONFIG.index("[[fit]]")]
    first = '[[fit]]\nmethod = "map"\nseed = {}\narguments = {{ starts = 1 }}\n'
    short = 'chains = 1, iter_warmup = 20, iter_sampling = 20, init = "out/fits/map"'
    second = f'[[fit]]\nmethod = "nuts"\nseed = 2\narguments = {{ {short} }}\n'
    fits = config.parent / "out" / "fits"
    said: list[str] = []

    def kept(folder: Path, seed: int) -> list[bool]:
        said.clear()
        (folder / "analysis.toml").write_text(base + first.format(seed) + second)
        run(load_config(folder / "analysis.toml"), folder / "out", said.append)
        return ["already done" in line for line in said if line.startswith("[")]

    assert kept(config.parent, 1) == [False, False]
    assert kept(config.parent, 1) == [True, True]
    assert kept(config.parent, 7) == [False, False], "NUTS starts from another mode"
    with np.load(fits / "nuts" / "cmdstan" / "init.npz") as start:
        np.testing.assert_array_equal(start["z"], Fit.load(fits / "map").positions)
    moved = config.parent.rename(config.parent.with_name("moved"))
    assert kept(moved, 7) == [True, True]


def test_a_column_that_is_not_there_is_refused_before_anything_is_fitted(tmp_path: Path) -> None:
    (tmp_path / "edges.csv").write_text("source,target,weight\na,b,1\nb,c,2\n")
    file = tmp_path / "a.toml"
    file.write_text(
        'network = "edges.csv"\ncolour_by = "club"\n[[fit]]\nmethod = "map"\nseed = 1\n'
    )
    with pytest.raises(InputError, match="no column 'club' in the table of nodes"):
        run(load_config(file), tmp_path / "out")
    assert not (tmp_path / "out").exists()


ONE = CONFIG[: CONFIG.index('[[fit]]\nmethod = "advi"')]


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run one fit; return the folder of the run."""
    config = write_config(tmp_path_factory.mktemp("run"), ONE)
    run(load_config(config), config.with_suffix(""), lambda _: None)
    return config.with_suffix("")


@pytest.fixture
def whole(config: Path, made_once: Path) -> Path:
    """Return a folder of a run of one fit, beside its configuration."""
    config.write_text(ONE)
    return shutil.copytree(made_once, config.with_suffix(""))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("fit.json", b"{}"),
        ("fit.json", b"\xff\xfe"),
        ("idata.nc", b"CDF"),
        ("idata.nc", None),
        ("edges.csv", b""),
    ],
)
def test_a_damaged_fit_is_named_and_made_again(config: Path, whole: Path, name, content) -> None:
    before = Fit.load(whole / "fits" / "map")
    file = whole / "fits" / "map" / name
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)
    said: list[str] = []
    run(load_config(config), whole, said.append)
    assert said[0].startswith("[1/1] map: it is made again, since it is damaged: ")
    assert name in said[0]
    assert said[1] == "[1/1] map: map, seed 1"
    np.testing.assert_array_equal(Fit.load(whole / "fits" / "map").draws, before.draws)


@pytest.mark.parametrize("moved_before", range(4))
def test_a_stop_while_the_page_is_written_is_made_good(
    config: Path, whole: Path, monkeypatch, moved_before
) -> None:
    files = {path.relative_to(whole) for path in whole.rglob("*") if path.is_file()}
    for path in [*whole.rglob("*.csv"), *whole.rglob("*.png"), *whole.glob("*.*")]:
        if path.is_file() and "fits" not in path.parts:
            path.unlink()
    replace, moved = Path.replace, []

    def stopped(path: Path, target: Path) -> Path:
        if len(moved) == moved_before:
            raise KeyboardInterrupt
        moved.append(target)
        return replace(path, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", stopped)
        with pytest.raises(KeyboardInterrupt):
            run(load_config(config), whole, lambda _: None)
    said: list[str] = []
    run(load_config(config), whole, said.append)
    assert "already done" in said[0]
    assert {path.relative_to(whole) for path in whole.rglob("*") if path.is_file()} == files


def test_what_cannot_be_written_is_refused_before_anything_runs(config: Path, monkeypatch) -> None:
    monkeypatch.setattr(analysis, "LatentSpaceModel", None)
    with pytest.raises(InputError, match=r"edges\.csv is a file, no folder; name another folder"):
        run(load_config(config), config.with_name("edges.csv") / "out", lambda _: None)


def test_a_fit_that_cannot_be_saved_is_not_lost(config: Path, tmp_path, monkeypatch) -> None:
    config.write_text(ONE)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    rename = Path.rename

    def full(path: Path, target: Path) -> Path:
        if target == config.with_suffix("") / "fits" / "map":
            raise OSError(28, "No space left on device", str(target))
        return rename(path, target)

    said: list[str] = []
    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", full)
        with pytest.raises(MachineError, match="not lost, it is in ") as caught:
            run(load_config(config), config.with_suffix(""), said.append)
    assert said[-1] == "0 of 1 fits are done, and kept: run it again to go on"
    [rescued] = (tmp_path / "elsewhere").iterdir()
    assert str(rescued) in str(caught.value)
    rescued.rename(config.with_suffix("") / "fits" / "map")
    run(load_config(config), config.with_suffix(""), said.append)
    assert any(line.startswith("[1/1] map: already done") for line in said)


@pytest.mark.slow
def test_a_killed_run_goes_on_from_its_last_draws(config: Path) -> None:
    both = CONFIG.index('[[fit]]\nmethod = "advi"'), CONFIG.index('[[fit]]\nname = "nuts-short"')
    text = CONFIG[: both[0]] + CONFIG[both[1] :]
    config.write_text(text.replace("iter_sampling = 60", "iter_sampling = 2000"))
    left = config.with_suffix("") / "fits" / "nuts-short.chains.partial" / "cmdstan" / "chains"
    with start(config) as first:
        while first.poll() is None and not any(map(draws_in, left.glob("*.csv"))):
            time.sleep(0.01)
        first.kill()
        output, _ = first.communicate()
    assert first.returncode == -signal.SIGKILL, output
    with start(config) as second:
        output, _ = second.communicate()
    assert second.returncode == 0, output
    before = [int(number) for number in re.findall(r"chains: (\d+) of 4,?000 draws", output)]
    fit = Fit.load(config.with_suffix("") / "fits" / "nuts-short")
    assert fit.draws.shape[:2] == (2, 2000)
    assert before == [sum(fit.record.details["from_before"]["chains"])]
    assert before[0] > 0
    assert not left.exists()
    undisturbed = LatentSpaceModel(fit.network, 2).sample(
        seed=3, init=config.with_suffix("") / "fits" / "map", show_progress=False,
        chains=2, iter_warmup=50, iter_sampling=2000,
    )  # fmt: skip
    for chain, count in enumerate(fit.record.details["from_before"]["chains"]):
        expected = undisturbed.draws[chain, : count or None]
        np.testing.assert_array_equal(fit.draws[chain, : count or None], expected)


def draws_in(file: Path) -> int:
    return len(ChainFile.read(file.read_bytes()).draws)


TWO_STARTS = """
network = "edges.csv"
dim = 2
[[fit]]
name = "first"
method = "map"
seed = 1
arguments = { starts = 1, hops = 0 }
[[fit]]
name = "second"
method = "map"
seed = 2
arguments = { starts = 1, hops = 0 }
[[fit]]
method = "laplace"
seed = 3
arguments = { init = "results/fits/second", draws = 50 }
"""


@pytest.mark.slow
@pytest.mark.parametrize(("jobs", "scheduler"), [(2, None), (2, "local")])
def test_several_fits_at_once_are_those_made_one_by_one(
    config: Path, jobs, scheduler, monkeypatch
) -> None:
    def enough(*_arguments, **_options):
        raise InputError("no report")

    monkeypatch.setattr(analysis, "make_report", enough)
    config.write_text(TWO_STARTS)

    def made(**options) -> list[str]:
        said: list[str] = []
        with pytest.raises(InputError, match="no report"):
            run(load_config(config), config.with_suffix(""), said.append, **options)
        return said

    made()
    together = config.with_suffix("")  # where the third fit finds its start
    alone = together.rename(config.with_name("alone"))
    said = made(jobs=jobs, scheduler=scheduler)
    # the third waits for the second, whose mode it starts at
    assert said.index("[3/3] laplace: laplace, seed 3") > said.index("[1/3] first: map, seed 1")
    for name in ("first", "second", "laplace"):
        here, there = (Fit.load(each / "fits" / name) for each in (alone, together))
        np.testing.assert_array_equal(here.draws, there.draws)
    assert sum("already done" in line for line in made()) == 3
