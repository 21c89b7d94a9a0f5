"""One model fitted to each network of a folder: here, by workers, and after an interruption."""

import logging
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from lsm_stan import Fit, InferenceError, InputError, fit_each, open_networks, simulate
from lsm_stan.tasks import FitTask
from tests.support.dask import cluster

ASKED = {
    "method": "map",
    "seed": 1,
    "dim": 2,
    "model": "poisson-squared",
    "arguments": {"starts": 2, "hops": 0},
}


@pytest.fixture(scope="module")
def connectomes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("connectomes")
    for number in range(4):
        rng = np.random.default_rng(number)
        parameters = {"z": rng.normal(size=(25, 2)), "intercept": np.array(0.5)}
        network, _ = simulate(25, 2, seed=number, model="poisson-squared", parameters=parameters)
        network.edge_frame().to_csv(folder / f"worm-{number}.csv", index=False)
    (folder / "notes.md").write_text("not a network")
    (folder / ".hidden.csv").write_text("not,one")
    return folder


@pytest.fixture(scope="module")
def fitted(toolchain, connectomes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("fits") / "all"
    table = fit_each(open_networks(connectomes), folder, **ASKED, say=lambda _: None)
    return folder, table


def test_every_network_of_a_folder_is_read(connectomes):
    networks = open_networks(connectomes)
    assert list(networks) == [f"worm-{number}" for number in range(4)]
    assert all(network.n_edges > 0 for network in networks.values())


def test_a_folder_without_networks(tmp_path):
    with pytest.raises(InputError, match="has no file of a network"):
        open_networks(tmp_path)


def test_two_files_of_one_name(connectomes, tmp_path):
    for name in ("worm.csv", "worm.csv.gz"):
        shutil.copy(connectomes / "worm-0.csv", tmp_path / name)
    (tmp_path / "worm.csv.gz").unlink()
    shutil.copy(connectomes / "worm-0.csv", tmp_path / "worm.tab.csv")
    with pytest.raises(InputError, match="two files called 'worm'"):
        open_networks(tmp_path)


def test_each_has_the_fit_that_it_has_by_itself(fitted, connectomes, tmp_path):
    folder, table = fitted
    assert table["network"].tolist() == [f"worm-{number}" for number in range(4)]
    pd.testing.assert_frame_equal(pd.read_csv(folder / "fits.csv"), table)
    command = ["fit", str(connectomes / "worm-2.csv"), "--out", str(tmp_path / "fit")]
    options = ["--method", "map", "--seed", "1", "--dim", "2", "--model", "poisson-squared"]
    options += ["--set", "starts=2", "--set", "hops=0"]
    subprocess.run([sys.executable, "-m", "lsm_stan", *command, *options], check=True)
    alone = Fit.load(tmp_path / "fit")
    np.testing.assert_array_equal(alone.positions, Fit.load(folder / "worm-2").positions)
    assert table["log_joint"][2] == alone.log_joint


@pytest.mark.slow
def test_workers_fit_the_same_and_one_that_is_lost_loses_nothing(fitted, connectomes, tmp_path):
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    folder, table = fitted
    with cluster(tmp_path) as running:
        said = []

        def say(sentence):
            said.append(sentence)
            if len(said) == 1:
                running.workers[1].kill()

        networks = open_networks(connectomes)
        by_workers = fit_each(
            networks, tmp_path / "fits", **ASKED, scheduler=running.address, say=say
        )
        assert running.workers[1].wait() < 0
    assert [sentence[:5] for sentence in said] == [f"[{number}/4]" for number in range(1, 5)]
    columns = ["network", "nodes", "edges", "log_joint", "converged"]
    pd.testing.assert_frame_equal(by_workers[columns], table[columns], check_exact=True)
    for name in networks:
        here, there = Fit.load(folder / name), Fit.load(tmp_path / "fits" / name)
        np.testing.assert_array_equal(here.positions, there.positions)
        assert (tmp_path / "fits" / name / "cmdstan" / "start-1").is_dir(), "results come whole"


def test_what_is_done_is_kept(fitted, connectomes, tmp_path, monkeypatch):
    folder, table = fitted
    shutil.copytree(folder, tmp_path / "all")
    shutil.rmtree(tmp_path / "all" / "worm-1")
    said, fits = [], []
    fit = FitTask.fit_and_save
    monkeypatch.setattr(FitTask, "fit_and_save", lambda task: fits.append(task) or fit(task))
    again = fit_each(open_networks(connectomes), tmp_path / "all", **ASKED, say=said.append)
    assert said[0] == "3 of 4 fits are already done, and kept"
    assert len(fits) == 1
    columns = ["network", "nodes", "edges", "log_joint", "converged"]
    pd.testing.assert_frame_equal(again[columns], table[columns])


def test_other_fits_are_replaced_by_force_only(fitted, connectomes, tmp_path):
    folder, _ = fitted
    shutil.copytree(folder, tmp_path / "all")
    networks, asked = open_networks(connectomes), {**ASKED, "seed": 2, "say": lambda _: None}
    with pytest.raises(InputError, match=r"not those asked for: worm-0.*--force replaces them"):
        fit_each(networks, tmp_path / "all", **asked)
    assert Fit.load(tmp_path / "all" / "worm-0").record.seed == ASKED["seed"]
    (tmp_path / "all" / "worm-3" / "idata.nc").write_bytes(b"")  # a damaged one is none
    shutil.rmtree(tmp_path / "all" / "worm-0")
    fit_each(networks, tmp_path / "all", force=True, **asked)
    seeds = {Fit.load(tmp_path / "all" / name).record.seed for name in networks}
    assert seeds == {2}


def test_a_fit_that_fails_does_not_stop_the_others(fitted, connectomes, tmp_path, monkeypatch):
    fit = FitTask.fit_and_save

    def fail_one(task):
        if task.model.network == networks["worm-1"]:
            return InferenceError("no mode here")
        return fit(task)

    networks = open_networks(connectomes)
    monkeypatch.setattr(FitTask, "fit_and_save", fail_one)
    with pytest.raises(InferenceError, match="1 network of 4 could not be fitted: worm-1; the oth"):
        fit_each(networks, tmp_path / "fits", **ASKED, say=lambda _: None)
    kept = sorted(path.name for path in (tmp_path / "fits").iterdir())
    assert kept == ["worm-0", "worm-2", "worm-3"]


def test_a_folder_of_something_else_is_left_alone(connectomes, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="is not fits of many networks"):
        fit_each(open_networks(connectomes), tmp_path, **ASKED)


@pytest.mark.slow  # a process of its own
def test_a_scheduler_is_of_a_folder(connectomes, tmp_path):
    command = ["fit", str(connectomes / "worm-2.csv"), "--out", str(tmp_path / "fit")]
    options = ["--method", "map", "--seed", "1", "--scheduler", "local"]
    run = subprocess.run(
        [sys.executable, "-m", "lsm_stan", *command, *options], capture_output=True, text=True
    )
    assert run.returncode == 2
    assert "--jobs and --scheduler are of a folder of networks" in run.stderr
