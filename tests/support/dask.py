"""A Dask scheduler and its workers, processes of their own, in folders that share nothing."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

WORKERS = 2

#: Seconds in which a scheduler has to be there.
PATIENCE = 60


class Cluster:
    """A scheduler and two workers of one thread each."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self._stack = stack
        file = folder / "scheduler.json"
        self._start(
            "scheduler", "--port", "0", "--dashboard-address", ":0", "--scheduler-file", str(file)
        )
        deadline = time.monotonic() + PATIENCE
        while not file.exists():
            assert time.monotonic() < deadline, "the scheduler did not start"
            time.sleep(0.05)
        self.workers = [
            self._start(
                *("worker", "--scheduler-file", str(file), "--nthreads", "1", "--no-nanny"),
                *("--no-dashboard", "--name", str(number)),
            )
            for number in range(WORKERS)
        ]
        self.address = json.loads(file.read_text())["address"]
        from distributed import Client  # slow to import

        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(WORKERS, timeout=PATIENCE)

    def _start(self, what: str, *options: str) -> subprocess.Popen[bytes]:
        name = f"{what}-{time.monotonic_ns()}"
        folder = self.folder / name
        folder.mkdir()
        log = self._stack.enter_context((folder / "log").open("wb"))
        process = subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.dask_{what}", *options],
            cwd=folder,
            stdout=log,
            stderr=log,
            env={**os.environ, "TMPDIR": str(folder)},
        )
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)
        return process


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """Start a scheduler and workers; end them."""
    with ExitStack() as stack:
        yield Cluster(folder, stack)
