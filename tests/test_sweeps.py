"""Many tasks at once: on this machine, or by workers of a real Dask scheduler."""

import logging
import pickle
import threading

import numpy as np
import pandas as pd
import pytest

from lsm_stan import InputError, LatentSpaceModel, MachineError, select, simulate, sweeps
from lsm_stan.sweeps import sweep
from tests.support.dask import cluster

GRID = {"dims": [1, 2], "models": ["poisson-squared"], "n_splits": 3, "seed": 1}


def square(number):
    if number < 0:
        raise InputError(f"{number} is negative")
    return number**2


def squares(numbers, **options):
    results = {}
    sweep(square, dict(enumerate(numbers)), results.__setitem__, say=lambda _: None, **options)
    return results


@pytest.fixture(scope="module")
def dask(tmp_path_factory):
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with cluster(tmp_path_factory.mktemp("dask")) as running:
        yield running


def test_results_are_handed_on_by_their_keys():
    assert squares(range(20), jobs=3) == {number: number**2 for number in range(20)}


def test_an_error_stops_a_sweep_and_what_is_done_stays():
    begun, results = [], {}
    gate = threading.Event()

    def work(number):
        begun.append(number)
        if number == 1:
            gate.set()
            raise InputError("one")
        gate.wait()
        return number

    with pytest.raises(InputError, match="one"):
        sweep(work, dict(enumerate(range(50))), results.__setitem__, jobs=2)
    assert results[0] == 0, "it was being done when the other failed"
    assert set(results) == set(begun) - {1}
    assert len(begun) < 50


@pytest.mark.slow
def test_workers_do_what_this_process_does(dask):
    assert squares(range(20), scheduler=dask.address) == squares(range(20))


@pytest.mark.slow
def test_an_error_of_a_worker_is_this_packages(dask):
    with pytest.raises(InputError, match="-1 is negative"):
        squares([1, -1, 2], scheduler=dask.address)


def test_a_scheduler_that_does_not_answer(monkeypatch):
    monkeypatch.setattr(sweeps, "PATIENCE", 0.2)
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    for address in ("tcp://127.0.0.1:1", "quux://here", "127.0.0.1"):
        with pytest.raises(InputError, match="no scheduler answers there"):
            squares([1], scheduler=address)


def test_jobs_are_of_this_machine():
    with pytest.raises(InputError, match="leave --jobs out, or take --scheduler local"):
        squares([1], jobs=2, scheduler="tcp://127.0.0.1:1")


def test_dask_that_is_not_installed(monkeypatch):
    monkeypatch.setattr(sweeps, "import_module", lambda _name: exec("import quux"))
    with pytest.raises(InputError, match=r"pip install 'lsm-stan\[dask\]'"):
        squares([1], scheduler="local")


@pytest.mark.slow
def test_workers_that_this_process_starts():
    assert squares(range(5), jobs=2, scheduler="local") == squares(range(5))


@pytest.fixture(scope="module")
def network():
    rng = np.random.default_rng(1)
    parameters = {"z": rng.normal(size=(40, 2)), "intercept": np.array(0.5)}
    return simulate(40, 2, seed=7, model="poisson-squared", parameters=parameters)[0]


@pytest.fixture(scope="module")
def local(toolchain, network, tmp_path_factory):
    folder = tmp_path_factory.mktemp("selection") / "local"
    return select(network, folder, **GRID, say=lambda _: None)


@pytest.mark.slow
def test_a_selection_by_workers_outlives_one_of_them(local, network, tmp_path):
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with cluster(tmp_path) as running:
        said = []

        def say(sentence):
            said.append(sentence)
            if len(said) == 2:  # each worker is at its next fits
                running.workers[0].kill()

        result = select(network, tmp_path / "chosen", **GRID, scheduler=running.address, say=say)
        assert running.workers[0].wait() < 0
        assert running.workers[1].poll() is None
    assert [sentence[:5] for sentence in said] == [f"[{number}/6]" for number in range(1, 7)]
    pd.testing.assert_frame_equal(
        result.scores.drop(columns="seconds"),
        local.scores.drop(columns="seconds"),
        check_exact=True,
    )
    pd.testing.assert_frame_equal(result.calibration, local.calibration, check_exact=True)
    cells = sorted(path.name for path in (tmp_path / "chosen" / "cells").iterdir())
    assert len(cells) == 6
    again = []
    select(network, tmp_path / "chosen", **GRID, say=again.append)
    assert again == ["6 of 6 fits are already done, and kept"]


def test_a_model_leaves_its_program_behind(toolchain, network):
    model = LatentSpaceModel(network, 2, model="poisson-squared")
    program = model.compiled.program
    carried = pickle.loads(pickle.dumps(model))
    assert "compiled" not in carried.__dict__
    assert carried.compiled.program == program
    other = pickle.loads(pickle.dumps(model))
    other._program = "0123"
    with pytest.raises(MachineError, match="install one version of lsm-stan everywhere"):
        other.compile()
