"""Log densities and gradients of a compiled program, exactly as its sampler has them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cmdstanpy
import numpy as np
from pydantic_core import to_json

from lsm_stan.errors import InferenceError, MachineError
from lsm_stan.files import needs_room, temporary_folder
from lsm_stan.processes import LAST_LINES, limit_reached
from lsm_stan.typing import FloatArray


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


def log_prob_grad(
    model: cmdstanpy.CmdStanModel,
    data: Mapping[str, Any] | Path,
    unconstrained: FloatArray,
    *,
    threads: int = 1,
) -> tuple[FloatArray, FloatArray]:
    """Evaluate a model's log density and gradient, exactly as its sampler does.

    Parameters
    ----------
    model : cmdstanpy.CmdStanModel
        A model that this module compiled.
    data : mapping of str to object, or Path
        Stan data, or a JSON file of them.
    unconstrained : ndarray of shape (M, P)
        M positions on the unconstrained scale, P numbers each.
    threads : int, default 1
        How many of Stan's own threads run, where they are compiled in.

    Returns
    -------
    log_density : ndarray of shape (M,)
        Log densities, in nats, with every constant and the Jacobian of the constraining transforms;
        -inf where the model rejects the position.
    gradient : ndarray of shape (M, P)
        Gradients; NaN where the model rejects the position.

    Raises
    ------
    InferenceError
        If the executable fails, or the model has not P parameters.
    MachineError
        If there is no room for its files, or no memory.
    """
    rows = np.ascontiguousarray(unconstrained, dtype=np.float64)
    n_rows, n_parameters = rows.shape
    with temporary_folder() as folder:
        positions, output = folder / "positions", folder / "output"
        with needs_room():
            data_file = data if isinstance(data, Path) else write_data(folder / "data.json", data)
            positions.write_bytes(rows.tobytes())
        run = subprocess.run(
            [str(model.exe_file), "log_prob_grad", data_file, positions, output],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "STAN_NUM_THREADS": str(threads)},
        )
        if run.returncode:
            said = run.stdout + run.stderr
            if limit := limit_reached(run.returncode, said):
                raise MachineError(f"log_prob_grad of {model.name} failed: {limit}")
            last = said.splitlines()[-LAST_LINES:]
            raise InferenceError(
                "\n".join([f"log_prob_grad of {model.name} failed ({run.returncode}):", *last])
            )
        result = np.fromfile(output)
    if result.size != n_rows * (1 + n_parameters):
        raise InferenceError(f"{model.name} does not have {n_parameters} unconstrained parameters")
    table = result.reshape(n_rows, 1 + n_parameters)
    return table[:, 0].copy(), table[:, 1:].copy()
