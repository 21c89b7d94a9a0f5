"""A fit's folder: whole or not there, the same when read again, and able to repeat itself."""

import copy
import hashlib
import json
import multiprocessing
import os
import pickle
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import lsm_stan
from lsm_stan import Fit, InputError, LatentSpaceModel, Network, simulate
from lsm_stan.analysis import run
from lsm_stan.config import load_config
from lsm_stan.errors import DamagedError, MachineError
from lsm_stan.inference.fits import save_or_rescue
from lsm_stan.posterior import idata
from lsm_stan.temporary import Scratch
from tests.support.made import made_fit, scattered


@pytest.fixture(scope="module")
def network() -> Network:
    return replace(simulate(15, 2, seed=2)[0], notes=("Columns not used: type.",))


@pytest.fixture(scope="module")
def fit(network: Network) -> Fit:
    """Return a fit as any: of draws that no sampler made."""
    rng = np.random.default_rng(1)
    return made_fit(network, scattered(rng.normal(size=(15, 2)), rng, 0.1, chains=2, size=20))


@pytest.fixture(scope="module")
def sampled(network: Network, toolchain) -> Fit:
    start = np.random.default_rng(1).normal(size=(15, 2))
    return LatentSpaceModel(network, 2).sample(
        seed=5, chains=2, init=start, iter_warmup=30, iter_sampling=20, show_progress=False
    )


def test_round_trip(sampled: Fit, tmp_path) -> None:
    folder = sampled.save(tmp_path / "fits" / "nuts")
    again = Fit.load(folder)
    assert again.record == sampled.record
    assert again.network.digest == sampled.network.digest
    assert again.network.notes == sampled.network.notes == ("Columns not used: type.",)
    assert set(again.idata) == set(sampled.idata)
    for name in sampled.idata:
        xr.testing.assert_identical(
            idata.group(again.idata, name), idata.group(sampled.idata, name)
        )
    assert repr(again) == repr(sampled)


def test_record_has_the_names_others_rely_on(sampled: Fit, tmp_path) -> None:
    record = json.loads((sampled.save(tmp_path / "f") / "fit.json").read_text())
    names = [
        "method",
        "seed",
        "seconds",
        "log_joint",
        "loss",
        "nodes",
        "dim",
        "total_weight",
        "converged",
        "versions",
    ]
    assert set(names) <= record.keys()
    assert (record["method"], record["seed"], record["nodes"], record["dim"]) == ("nuts", 5, 15, 2)
    assert record["total_weight"] == sampled.network.total_weight
    assert {"cmdstan", "compiler", "cmdstanpy", "arviz", "lsm-stan"} <= record["versions"].keys()


def test_folder_keeps_cmdstans_files(sampled: Fit, tmp_path) -> None:
    cmdstan = sampled.save(tmp_path / "f") / "cmdstan"
    assert len(list(cmdstan.glob("chains/*.csv"))) == 2
    assert len(list(cmdstan.glob("pilot/*.csv"))) == 2
    assert any("Elapsed" in p.read_text() for p in cmdstan.glob("chains/*stdout.txt"))


def test_config_repeats_the_fit(sampled: Fit, tmp_path) -> None:
    folder = sampled.save(tmp_path / "f")
    analysis = run(load_config(folder / "config.toml"), tmp_path / "again")
    np.testing.assert_array_equal(analysis.report.fits["nuts"].draws, sampled.draws)


def test_nothing_half_written_is_left(fit: Fit, tmp_path, monkeypatch) -> None:
    def full_disk(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(idata, "save", full_disk)
    with pytest.raises(OSError, match="no space"):
        fit.save(tmp_path / "f")
    assert list(tmp_path.iterdir()) == []


def test_an_earlier_fit_is_replaced(fit: Fit, tmp_path) -> None:
    folder = fit.save(tmp_path / "f")
    (folder / "left-over").touch()
    fit.save(folder)
    assert not (folder / "left-over").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_other_folders_are_not_replaced(fit: Fit, tmp_path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(InputError, match="exists and is not a fit"):
        fit.save(tmp_path)
    assert (tmp_path / "thesis.tex").exists()


def test_load_refuses_what_is_not_a_fit(fit: Fit, tmp_path) -> None:
    with pytest.raises(InputError, match=r"no finished fit here \(no fit.json\)"):
        Fit.load(tmp_path)
    folder = fit.save(tmp_path / "f")
    edges = (folder / "edges.csv").read_text().splitlines()
    (folder / "edges.csv").write_text("\n".join(edges[:-1]))
    with pytest.raises(InputError, match="is not the network that was fitted"):
        Fit.load(folder)
    (folder / "fit.json").write_text("{")
    with pytest.raises(InputError, match=r"fit\.json is damaged .*; run the fit again"):
        Fit.load(folder)


def test_an_interrupt_while_an_earlier_fit_is_replaced_loses_nothing(
    fit: Fit, tmp_path, monkeypatch
) -> None:
    folder = fit.save(tmp_path / "f")
    (folder / "left-over").touch()
    rename = Path.rename

    def interrupted(path: Path, target: Path) -> None:
        monkeypatch.setattr(Path, "rename", rename)
        path.rename(target)
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fit.save(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["f"]
    assert not (folder / "left-over").exists()
    np.testing.assert_array_equal(Fit.load(folder).draws, fit.draws)


#: A save that is killed when the earlier fit has left its place.
KILLED = """
import os, signal, sys
from pathlib import Path
from lsm_stan import Fit
rename = Path.rename

def killed(path, target):
    rename(path, target)
    os.kill(os.getpid(), signal.SIGKILL)

fit = Fit.load(sys.argv[1])
Path.rename = killed
fit.save(sys.argv[2])
"""


@pytest.mark.slow
@pytest.mark.parametrize("next_use", ["load", "save"])
def test_a_kill_while_an_earlier_fit_is_replaced_loses_nothing(
    fit: Fit, network: Network, tmp_path, next_use
) -> None:
    folder = made_fit(network, fit.draws + 1.0).save(tmp_path / "f")
    other = fit.save(tmp_path / "f-2")
    environment = {**os.environ, "PYTHONPATH": str(Path(lsm_stan.__file__).parents[1])}
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, other, folder], env=environment, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert not folder.exists()
    fit.save(other)  # what it sweeps is its own
    if next_use == "load":
        np.testing.assert_array_equal(Fit.load(folder).draws, fit.draws)
    else:
        made_fit(network, fit.draws + 2.0).save(folder)
        np.testing.assert_array_equal(Fit.load(folder).draws, fit.draws + 2.0)
        assert {path.name for path in tmp_path.iterdir()} == {"f", "f-2"}, "it is swept"


@pytest.mark.parametrize("earlier", [False, True])
def test_fits_that_are_saved_at_once_do_not_disturb_each_other(
    fit: Fit, tmp_path, monkeypatch, earlier
) -> None:
    folder = tmp_path / "f"
    if earlier:
        fit.save(folder)
    rename = Path.rename
    with ThreadPoolExecutor() as pool:
        others = []

        def meanwhile(path: Path, target: Path) -> Path:
            if target == folder and not others:
                others.append(pool.submit(fit.save, folder))
                wait(others, timeout=1)
            return rename(path, target)

        monkeypatch.setattr(Path, "rename", meanwhile)
        fit.save(folder)
        assert others[0].result() == folder
    assert [path.name for path in tmp_path.iterdir()] == ["f"]
    np.testing.assert_array_equal(Fit.load(folder).draws, fit.draws)


@pytest.fixture
def with_files(fit: Fit) -> Fit:
    """Return the fit with a file of CmdStan's in a folder of its own."""
    scratch = Scratch({"chains/one.csv": b"1,2"})
    return replace(fit, cmdstan_output=scratch.path, _scratch=scratch)


def saved_file(folder: Path) -> bytes:
    return (folder / "cmdstan" / "chains" / "one.csv").read_bytes()


@pytest.mark.parametrize("carry", [lambda fit: pickle.loads(pickle.dumps(fit)), copy.deepcopy])
def test_a_fit_carries_its_files(with_files: Fit, tmp_path, carry) -> None:
    carried = carry(with_files)
    shutil.rmtree(with_files.cmdstan_output)
    assert saved_file(carried.save(tmp_path / "f")) == b"1,2"
    again = Fit.load(tmp_path / "f")
    np.testing.assert_array_equal(again.draws, with_files.draws)
    shutil.copytree(tmp_path / "f", tmp_path / "moved")
    carried = carry(Fit.load(tmp_path / "moved"))
    shutil.rmtree(tmp_path / "moved")
    assert saved_file(carried.save(tmp_path / "g")) == b"1,2"


def _of_another_process(draws: np.ndarray) -> Fit:
    made = made_fit(simulate(4, 2, seed=2)[0], draws, "map")
    (made.cmdstan_output / "console.txt").write_text("said")
    return made


@pytest.mark.slow
def test_a_fit_comes_from_a_process_pool(tmp_path) -> None:
    draws = np.random.default_rng(1).normal(size=(1, 1, 4, 2))
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        made = pool.apply(_of_another_process, (draws,))
    folder = made.save(tmp_path / "f")
    assert (folder / "cmdstan" / "console.txt").read_text() == "said"


def test_a_loaded_fit_whose_files_have_gone_is_saved_without(with_files: Fit, tmp_path) -> None:
    folder = with_files.save(tmp_path / "f")
    loaded = Fit.load(folder)
    (folder / "cmdstan" / "chains" / "one.csv").write_text("another fit's")
    with pytest.warns(UserWarning, match=r"files of this fit are no longer in .*cmdstan: it is"):
        loaded.save(tmp_path / "g")
    shutil.rmtree(folder)
    with pytest.warns(UserWarning, match="it is saved without"):
        loaded.save(tmp_path / "h")
    for name in "gh":
        assert list((tmp_path / name / "cmdstan").iterdir()) == []
        np.testing.assert_array_equal(Fit.load(tmp_path / name).draws, with_files.draws)


def test_draws_of_another_fit_are_refused(fit: Fit, network: Network, tmp_path) -> None:
    folder = fit.save(tmp_path / "f")
    other = made_fit(network, fit.draws + 1.0).save(tmp_path / "other")
    shutil.copy(other / "idata.nc", folder / "idata.nc")
    with pytest.raises(
        DamagedError, match=r"idata\.nc is damaged, or another fit's: .* run the fit"
    ):
        Fit.load(folder)


@pytest.mark.parametrize(
    ("name", "damage", "words"),
    [
        ("fit.json", lambda _: b"{}", "fit.json is no record of a fit"),
        ("fit.json", lambda _: b"\xff\xfe", "fit.json is damaged"),
        ("fit.json", lambda whole: whole[:100], "fit.json is damaged"),
        ("fit.json", lambda whole: whole.replace(b'"tutorial"', b"[1]"), "is damaged"),
        ("idata.nc", lambda whole: whole[: len(whole) // 2], "idata.nc is damaged"),
        ("idata.nc", lambda _: b"", "idata.nc is damaged"),
        ("idata.nc", None, "idata.nc cannot be read"),
        ("edges.csv", lambda _: b"", "edges.csv"),
        ("edges.csv", None, "edges.csv"),
        ("nodes.csv", lambda _: b"\xff\xfe\x00", "nodes.csv"),
        ("nodes.csv", lambda whole: whole.replace(b"x", b"y") + b"\n", "nodes.csv is damaged"),
    ],
)
def test_a_damaged_fit_is_named_in_one_sentence(fit: Fit, tmp_path, name, damage, words) -> None:
    file = fit.save(tmp_path / "f") / name
    if damage is None:
        file.unlink()
    else:
        file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(DamagedError) as caught:
        Fit.load(tmp_path / "f")
    assert words in str(caught.value)
    assert str(tmp_path / "f") in str(caught.value)
    assert "run the fit again" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_damaged_draws_of_an_earlier_fit_are_named(fit: Fit, tmp_path) -> None:
    folder = fit.save(tmp_path / "f")
    record = json.loads((folder / "fit.json").read_text())
    files = record.pop("files")
    assert set(files) == {"idata.nc", "edges.csv", "nodes.csv", "config.toml"}
    assert files["idata.nc"] == hashlib.sha256((folder / "idata.nc").read_bytes()).hexdigest()
    (folder / "fit.json").write_text(json.dumps(record))  # as before there were digests
    np.testing.assert_array_equal(Fit.load(folder).draws, fit.draws)
    whole = (folder / "idata.nc").read_bytes()
    (folder / "idata.nc").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DamagedError, match=r"idata\.nc cannot be read"):
        Fit.load(folder)


def test_a_fit_that_cannot_be_saved_is_saved_elsewhere(fit: Fit, tmp_path, monkeypatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    save = idata.save

    def full_there(container: object, path: Path) -> None:
        if path.is_relative_to(tmp_path / "full"):
            raise OSError(28, "No space left on device", str(path))
        save(container, path)

    monkeypatch.setattr(idata, "save", full_there)
    with pytest.raises(MachineError, match=r"No space left on device; .* not lost, it is in .*/f-"):
        save_or_rescue(fit, tmp_path / "full" / "f")
    assert list((tmp_path / "full").iterdir()) == []
    [rescued] = (tmp_path / "elsewhere").iterdir()
    np.testing.assert_array_equal(Fit.load(rescued).draws, fit.draws)
