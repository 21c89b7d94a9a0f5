"""Accidents at random moments: the next run ends with what an uninterrupted one has.

Where chains of NUTS were interrupted it has the draws of before, and others after them.

Run them by ``pytest -m accidents``: they take some twenty minutes, and are left out otherwise.
"""

import os
import random
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lsm_stan import Fit, simulate
from lsm_stan.inference.sample import PILOT

pytestmark = [pytest.mark.accidents, pytest.mark.slow, pytest.mark.cmdstan]

SHORT = "chains = 2, iter_warmup = 100, iter_sampling = 500"

CONFIG = f"""
network = "edges.csv"
dim = 2
[[fit]]
method = "map"
seed = 1
arguments = {{ starts = 2 }}
[[fit]]
method = "nuts"
seed = 2
arguments = {{ {SHORT}, init = "out/fits/map" }}
"""

#: What is run, in a folder with edges.csv, run.toml and given/, a fit.
COMMANDS = {
    "run": ["run", "run.toml", "--out", "out"],
    "fit": [
        *("fit", "edges.csv", "--method", "nuts", "--dim", "2", "--seed", "2", "--out", "out"),
        *("--init", "random", "--force"),
        *(word for pair in SHORT.split(", ") for word in ("--set", pair.replace(" ", ""))),
    ],
    "select": [
        *("select", "edges.csv", "--models", "tutorial,poisson-squared", "--dims", "1,2"),
        *("--splits", "2", "--seed", "1", "--set", "starts=1", "--out", "out"),
    ],
    "report": ["report", "given", "--out", "out"],
}

#: How often each command is killed, again and again as it goes on, before it ends undisturbed.
KILLS = 5

#: How many such series each command has, and how many accidents of each other kind.
SERIES = {"run": 5, "fit": 2, "select": 5, "report": 1}
ACCIDENTS = {"full": 3, "damaged": 3, "twice": 2}


def command(
    folder: Path, name: str, before: Callable[[], None] | None = None
) -> subprocess.Popen[str]:
    """Start a command in a folder, with temporary folders of its own."""
    (folder / "temporary").mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-m", "lsm_stan", *COMMANDS[name]],
        cwd=folder,
        env={**os.environ, "TMPDIR": str(folder / "temporary")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=before,
    )


def ended(process: subprocess.Popen[str], codes: tuple[int, ...] = (0,)) -> str:
    said, _ = process.communicate()
    assert process.returncode in codes, said
    assert "Traceback" not in said, said
    return said


def outcome(folder: Path) -> dict[str, Any]:
    """Return what a folder of results holds, but for times."""
    held: dict[str, Any] = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        if "cmdstan" in path.parts:
            continue  # CmdStan's names have times in them
        held[name] = True
        if path.suffix == ".csv":
            table = pd.read_csv(path)
            held[name] = table.drop(columns="seconds", errors="ignore").to_csv()
        elif path.name == "fit.json":
            held[name] = Fit.load(path.parent)
    return held


def assert_same(first: dict[str, Any], second: dict[str, Any]) -> None:
    assert first.keys() == second.keys()
    fits = {name: here for name, here in first.items() if isinstance(here, Fit)}
    same = [assert_same_or_longer(here, second[name]) for name, here in fits.items()]
    if all(same):  # then tables and pages are
        others = first.keys() - fits.keys()
        assert {name: first[name] for name in others} == {name: second[name] for name in others}


def assert_same_or_longer(here: Fit, there: Fit) -> bool:
    """Hold a fit against the one without an accident; return whether they have to be the same."""
    details = dict(here.record.details)
    before = details.pop("from_before", {})
    whole = here.record.arguments.get("iter_sampling")
    assert here.draws.shape == there.draws.shape
    lengths = {"pilot": PILOT, "jumps": 2 * PILOT, "chains": whole}
    broken = [stage for stage in before if set(before[stage]) - {0, lengths[stage]}]
    if not broken:
        np.testing.assert_array_equal(here.draws, there.draws)
        assert details == there.record.details
    elif broken == ["chains"]:  # what came before them was whole
        for chain, count in enumerate(before["chains"]):
            kept = count or whole  # a chain in its warmup begins anew, and is the same
            np.testing.assert_array_equal(here.draws[chain, :kept], there.draws[chain, :kept])
    assert np.isfinite(here.draws).all()
    return not broken


def inputs(folder: Path) -> None:
    network, _ = simulate(15, 2, seed=6)
    network.edge_frame().to_csv(folder / "edges.csv", index=False)
    (folder / "run.toml").write_text(CONFIG)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> dict[str, tuple[Path, dict[str, Any], float]]:
    """Run every command; return its folder, its outcome and how many seconds it took."""
    runs = {}
    given: Path | None = None
    for name in COMMANDS:
        folder = tmp_path_factory.mktemp(name)
        inputs(folder)
        if given is not None:
            shutil.copytree(given, folder / "given")
        started = time.monotonic()
        ended(command(folder, name))
        runs[name] = folder, outcome(folder / "out"), time.monotonic() - started
        given = runs["run"][0] / "out" / "fits" / "nuts"
    return runs


@contextmanager
def disturbed(tmp_path: Path, runs: dict, name: str, whole: bool) -> Iterator[Path]:
    """Give the folder of a command before it is run, or after; then see that it can be run."""
    before, expected, _ = runs[name]
    folder = shutil.copytree(before, tmp_path / "folder")
    if not whole:
        shutil.rmtree(folder / "out")
    yield folder
    ended(command(folder, name))
    assert_same(outcome(folder / "out"), expected)
    assert not [path for path in folder.rglob("*") if path.name.endswith(".partial")]
    assert list((folder / "temporary").glob("lsm-stan-*")) == []


@pytest.mark.parametrize(
    ("name", "number"), [(name, number) for name in SERIES for number in range(SERIES[name])]
)
def test_killed(undisturbed, tmp_path: Path, name: str, number: int) -> None:
    seconds, choice = undisturbed[name][2], random.Random(f"{name} {number}")
    with disturbed(tmp_path, undisturbed, name, whole=bool(number % 2)) as folder:
        for _ in range(KILLS):
            process = command(folder, name)
            time.sleep(choice.uniform(0.1, 0.9) * seconds)
            process.kill()
            process.communicate()


def _limit(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("number", range(ACCIDENTS["full"]))
def test_full(undisturbed, tmp_path: Path, name: str, number: int) -> None:
    size = int(2 ** random.Random(f"{name} {number}").uniform(10, 20))
    with disturbed(tmp_path, undisturbed, name, whole=False) as folder:
        said = ended(command(folder, name, partial(_limit, size)), (0, 1))
        assert "error: " not in said or len(said.splitlines()[-1]) > 20, said


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("number", range(ACCIDENTS["damaged"]))
def test_damaged(undisturbed, tmp_path: Path, name: str, number: int) -> None:
    choice = random.Random(f"{name} {number}")
    with disturbed(tmp_path, undisturbed, name, whole=True) as folder:
        files = [path for path in sorted((folder / "out").rglob("*")) if path.is_file()]
        file = choice.choice([path for path in files if "cmdstan" not in path.parts])
        content = file.read_bytes()
        damages = [b"", content[: len(content) // 2], b"\xff\xfe\x00", b"{}"]
        file.write_bytes(choice.choice(damages))


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("number", range(ACCIDENTS["twice"]))
def test_twice(undisturbed, tmp_path: Path, name: str, number: int) -> None:
    moment = random.Random(f"{name} {number}").uniform(0.0, 0.8) * undisturbed[name][2]
    with disturbed(tmp_path, undisturbed, name, whole=False) as folder:
        first = command(folder, name)
        time.sleep(moment)
        second = command(folder, name)
        ended(first)
        ended(second)


def test_there_are_fifty_moments_of_run_and_select() -> None:
    assert KILLS * (SERIES["run"] + SERIES["select"]) >= 50
    assert SERIES.keys() == COMMANDS.keys()
