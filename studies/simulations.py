"""Simulations of studies: seeds, several at once, finished ones kept so that a run goes on."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np

from lsm_stan import LatentSpaceModel, simulate
from lsm_stan.cmdstan.compiled import Compiled
from lsm_stan.progress import print_progress
from lsm_stan.sweeps import sweep
from studies.calibration_study import Record, Study

#: Draws parameters and a network, and fits it, by the simulation's number.
Simulation = Callable[[Study, int, Compiled | None], Record]


def seeds(study: Study, number: int) -> tuple[int, ...]:
    """Return four independent seeds: of the truth, of the network, another, and of the fits.

    With one seed for all a start could be the truth, and chains that do not move would look
    calibrated.

    Parameters
    ----------
    study : Study
        Which model.
    number : int
        Of the simulation; it, the model's name and K are the seed.
    """
    sequence = np.random.SeedSequence([zlib.crc32(study.label.encode()), study.dim, number])
    return tuple(int(seed) >> 1 for seed in sequence.generate_state(4))  # CmdStan's end at 2³¹


def run(
    simulation: Simulation,
    studies: dict[Study, int],
    folder: Path,
    jobs: int | None,
    scheduler: str | None = None,
) -> dict[Study, list[Record]]:
    """Run the simulations that are missing.

    Parameters
    ----------
    simulation : Simulation
        What is done for each number; its record has ``simulation``, the number, and where it
        failed ``error``.
    studies : dict of Study to int
        And how many simulations each is to have.
    folder : Path
        Of finished simulations, a file a study. Failed ones are not kept, and tried again.
    jobs : int or None
        How many run at once on this machine.
    scheduler : str or None, default None
        The address of a Dask scheduler whose workers run them; see
        :func:`lsm_stan.sweeps.sweep`.

    Returns
    -------
    dict
        The records of each study, in the order of their numbers.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kept = {study: folder / study.file for study in studies}  # of the program as it is now
    records = {study: read_kept(kept[study]) for study in studies}
    missing = [
        (study, number)
        for study, size in studies.items()
        for number in range(size)
        if number not in records[study]
    ]
    # all studies get on alike, so that what is found can be looked at early
    missing.sort(key=lambda task: (task[1] + 0.5) / studies[task[0]])
    # workers of a scheduler find the program where they are
    compiled = None if scheduler else LatentSpaceModel(simulate(2, 1, seed=1)[0], 1).compiled

    def take(task: tuple[Study, int], record: Record) -> None:
        records[task[0]][task[1]] = record
        if "error" not in record:
            keep(kept[task[0]], record)

    sweep(
        partial(_record, simulation, compiled),
        {task: task for task in missing},
        take,
        jobs=jobs,
        scheduler=scheduler,
        title="networks",
        finished=sum(studies.values()) - len(missing),
        say=print_progress,
    )
    return {study: [records[study][k] for k in range(size)] for study, size in studies.items()}


def _record(simulation: Simulation, compiled: Compiled | None, task: tuple[Study, int]) -> Record:
    return simulation(*task, compiled)


def read_kept(path: Path) -> dict[int, Record]:
    """Return finished simulations by their numbers; a line that was cut short is none."""
    records = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        with suppress(json.JSONDecodeError):
            record = json.loads(line)
            records[record["simulation"]] = record
    return records


def keep(path: Path, record: Record) -> None:
    """Add a finished simulation to a file, on a line of its own even after one cut short."""
    before = path.read_bytes() if path.exists() else b""
    begin = "\n" if before and not before.endswith(b"\n") else ""
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{begin}{json.dumps(record)}\n")
