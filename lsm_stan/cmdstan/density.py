"""Log densities and gradients of a compiled program, exactly as its sampler has them."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import cmdstanpy
import numpy as np
from pydantic_core import to_json

from lsm_stan.errors import InferenceError, LsmStanError, MachineError
from lsm_stan.files import needs_room
from lsm_stan.processes import LAST_LINES, limit_reached
from lsm_stan.temporary import temporary_folder
from lsm_stan.typing import FloatArray

#: What the process can be asked for; stan/methods/density.hpp has the same numbers.
LOG_PROB, LOG_PROB_GRAD, ASCEND = 0, 1, 2


def write_data(path: Path, data: Mapping[str, Any]) -> Path:
    """Write Stan data as JSON to a file.

    Numbers keep their last digit. Millions of them take a fraction of CmdStanPy's time.

    Parameters
    ----------
    path : Path
        The file.
    data : mapping of str to object
        Stan data.

    Returns
    -------
    Path
        The file.
    """
    path.write_bytes(to_json(data, fallback=lambda array: array.tolist()))
    return path


class Density:
    """The log density of a compiled program, answered by a process that has read the data.

    A context: the process runs until it ends.

    Parameters
    ----------
    executable : Path
        A program that this package compiled.
    data : mapping of str to object, or Path
        Stan data, or a JSON file of them.
    threads : int, default 1
        How many of Stan's own threads run, where they are compiled in.

    Attributes
    ----------
    seconds : float
        How long the last answer took, its way to and fro left out.
    gradients : int
        How many gradients have been evaluated.

    Raises
    ------
    InferenceError
        If the executable fails, or the model has another number of parameters than is given.
    MachineError
        If there is no room for its files, or no memory.
    """

    def __init__(
        self, executable: Path, data: Mapping[str, Any] | Path, *, threads: int = 1
    ) -> None:
        self.seconds, self.gradients = 0.0, 0
        self._name = executable.name
        with ExitStack() as end:
            folder = end.enter_context(temporary_folder())
            with needs_room():
                file = data if isinstance(data, Path) else write_data(folder / "data.json", data)
                self._said = end.enter_context((folder / "said").open("w+b"))
            self._process = subprocess.Popen(
                [executable, "density", file],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._said,
                env={**os.environ, "STAN_NUM_THREADS": str(threads)},
            )
            end.callback(self._stop)
            self._end = end.pop_all()

    def __enter__(self) -> Density:
        return self

    def __exit__(self, *error: object) -> None:
        self._end.close()

    def log_prob(self, points: FloatArray) -> FloatArray:
        """Evaluate the log density.

        Parameters
        ----------
        points : ndarray of shape (M, P)
            M points on the unconstrained scale, P numbers each.

        Returns
        -------
        ndarray of shape (M,)
            In nats, with every constant and the Jacobian of the constraining transforms; -inf
            where the model rejects the point.
        """
        return self._ask(LOG_PROB, points, 1)[:, 0]

    def log_prob_grad(self, points: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Evaluate the log density and its gradient.

        Parameters
        ----------
        points : ndarray of shape (M, P)
            As in :meth:`log_prob`.

        Returns
        -------
        log_density : ndarray of shape (M,)
            As :meth:`log_prob` returns it.
        gradient : ndarray of shape (M, P)
            Gradients; NaN where the model rejects the point.
        """
        table = self._ask(LOG_PROB_GRAD, points, 1 + points.shape[1])
        self.gradients += len(table)
        return table[:, 0], table[:, 1:]

    def ascend(
        self,
        points: FloatArray,
        *,
        iterations: int = 2000,
        history: int = 20,
        first_step: float = 1e-3,
        tolerance: float = 1e-8,
    ) -> tuple[FloatArray, FloatArray]:
        """Climb by Stan's own L-BFGS.

        Parameters
        ----------
        points : ndarray of shape (M, P)
            Where it starts, as in :meth:`log_prob`.
        iterations : int, default 2000
            Most iterations.
        history : int, default 20
            How many steps L-BFGS remembers.
        first_step : float, default 1e-3
            Length of the first step, in gradients.
        tolerance : float, default 1e-8
            It ends where an iteration gains less, in nats.

        Returns
        -------
        log_density : ndarray of shape (M,)
            Log densities where it ends.
        ends : ndarray of shape (M, P)
            Points where it ends.
        """
        options = np.array([iterations, history, first_step, tolerance], dtype=np.float64)
        table = self._ask(ASCEND, points, 2 + points.shape[1], options)
        self.gradients += int(table[:, 1].sum())
        return table[:, 0], table[:, 2:]

    def memory(self) -> float:
        """Return the most memory that the process has had.

        Returns
        -------
        float
            Bytes; 0 where the system does not tell.
        """
        try:
            status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="utf-8")
        except OSError:
            return 0.0
        peak = re.search(r"VmHWM:\s*([0-9]+) kB", status)
        return 1024.0 * float(peak[1]) if peak else 0.0

    def _ask(
        self, operation: int, points: FloatArray, width: int, options: FloatArray | None = None
    ) -> FloatArray:
        """Send a request and return the rows of its answer."""
        rows = np.ascontiguousarray(points, dtype=np.float64)
        head = np.array([operation, *rows.shape], dtype=np.int64)
        answer = np.empty(1 + len(rows) * width)
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        with contextlib.suppress(BrokenPipeError):  # what it said tells more
            stdin.write(head.tobytes())
            if options is not None:
                stdin.write(options.tobytes())
            stdin.write(rows.data if rows.size else b"")
            stdin.flush()
        if stdout.readinto(answer.data.cast("B")) != answer.nbytes:  # type: ignore[attr-defined]
            raise self._failure()
        self.seconds = answer[0]
        return answer[1:].reshape(len(rows), width)

    def _failure(self) -> LsmStanError:
        """Return what to raise where the process ended before its answer."""
        code = self._process.wait()
        self._said.seek(0)
        said = self._said.read().decode(errors="replace")
        what = f"the log density of {self._name} cannot be evaluated"
        if limit := limit_reached(code, said):
            return MachineError(f"{what}: {limit}")
        return InferenceError("\n".join([f"{what} ({code}):", *said.splitlines()[-LAST_LINES:]]))

    def _stop(self) -> None:
        """End the process: nothing that it could still say is needed."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        self._process.wait()


def log_prob_grad(
    model: cmdstanpy.CmdStanModel,
    data: Mapping[str, Any] | Path,
    unconstrained: FloatArray,
    *,
    threads: int = 1,
) -> tuple[FloatArray, FloatArray]:
    """Evaluate a model's log density and gradient once; :class:`Density` does so many times.

    Parameters
    ----------
    model : cmdstanpy.CmdStanModel
        A model that this package compiled.
    data : mapping of str to object, or Path
        As in :class:`Density`.
    unconstrained : ndarray of shape (M, P)
        As in :meth:`Density.log_prob`.
    threads : int, default 1
        As in :class:`Density`.

    Returns
    -------
    log_density : ndarray of shape (M,)
        As :meth:`Density.log_prob_grad` returns them.
    gradient : ndarray of shape (M, P)
        As :meth:`Density.log_prob_grad` returns them.
    """
    with Density(Path(str(model.exe_file)), data, threads=threads) as density:
        return density.log_prob_grad(unconstrained)
