"""Several fits, by their names."""

from __future__ import annotations

import contextlib
import secrets
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lsm_stan.cmdstan.cache import folder_lock
from lsm_stan.errors import DamagedError, InputError, MachineError
from lsm_stan.inference.compiled_model import CompiledModel
from lsm_stan.inference.fit import Fit as Fit
from lsm_stan.inference.fit_folder import INIT
from lsm_stan.inference.going_on import holds_draws
from lsm_stan.inference.latent_space_model import LatentSpaceModel
from lsm_stan.inference.layered_fit import LayeredFit
from lsm_stan.inference.methods import find_method
from lsm_stan.inference.record import read_record
from lsm_stan.inference.starts import MADE, given_start, read_start, without_path
from lsm_stan.inference.unfinished import discard, folder_beside, remove
from lsm_stan.progress import Progress


def load_fits(folders: Sequence[str | Path]) -> dict[str, Fit]:
    """Read several fits, named after their folders, or by their paths where names are the same.

    Parameters
    ----------
    folders : sequence of str or Path
        Folders of fits.

    Returns
    -------
    dict of str to Fit

    Raises
    ------
    InputError
        If a folder is not a finished fit, or is named twice.
    """
    paths = [Path(folder) for folder in folders]
    names = [path.resolve().name for path in paths]
    fits: dict[str, Fit] = {}
    for path, name in zip(paths, names, strict=True):
        key = name if names.count(name) == 1 else str(path)
        if key in fits:
            raise InputError(f"{path} is named twice; name each fit once")
        fits[key] = Fit.load(path)
    return fits


def ensure_fits(fits: object) -> None:
    """Refuse what is no fit yet, such as a network, a graph or a table.

    Parameters
    ----------
    fits : object
        What is given for a fit, or a mapping of names to such.

    Raises
    ------
    InputError
        If one is not a `Fit`, or one of layers.
    """
    for value in fits.values() if isinstance(fits, Mapping) else [fits]:
        if not isinstance(value, Fit):
            raise InputError(
                f"the fit is an object of type {type(value).__name__}; a Fit is needed, which the"
                f" methods of lsm_stan.LatentSpaceModel(network) make, of a network that"
                f" lsm_stan.read_network makes of graphs, data frames, arrays and files"
            )
        if isinstance(value, LayeredFit):
            raise InputError(
                "the fit is of layers, and this takes fits of one network; predictive_layers,"
                " score_layer and the report judge layers (docs/layers.md)"
            )


def kept_fit(
    folder: Path,
    model: CompiledModel,
    asked: tuple[str, int, Mapping[str, Any]],
    which: str,
    say: Progress,
) -> Fit | None:
    """Return the fit of a folder where it is the one that is asked for.

    Parameters
    ----------
    folder : Path
        Where it may be.
    model : CompiledModel
        The model of the network.
    asked : tuple of str, int and Mapping
        Method, seed and arguments, the method's own among them.
    which : str
        What it is called.
    say : callable
        Takes a sentence where it is damaged.

    Returns
    -------
    Fit or None
        None where there is none, another, or a damaged one.
    """
    try:
        return Fit.load(folder) if _is_done(folder, model, *asked) else None
    except DamagedError as error:
        say(f"{which}: it is made again, since it is damaged: {error}")
        return None


def _is_done(
    folder: Path, model: CompiledModel, method: str, seed: int, arguments: Mapping[str, Any]
) -> bool:
    """Return whether a folder has the fit that is asked for."""
    record = read_record(folder)
    if record is None or (
        record.method,
        record.seed,
        without_path(record.arguments),
        record.model,
        record.network.digest,
        record.program,
    ) != (
        method,
        seed,
        without_path(arguments),
        model.as_record(),
        model.problem.digest,
        model.compiled.program,
    ):
        return False
    if arguments.get("init", MADE[0]) in MADE:
        return True
    # whatever it is called: an earlier fit of this run may have been run again
    start = given_start(model.problem, arguments["init"])
    try:
        had = read_start(folder / "cmdstan" / INIT)
    except InputError as error:
        raise DamagedError(str(error)) from error
    return start.keys() == had.keys() and all(np.array_equal(start[k], had[k]) for k in start)


def fit_and_save(
    model: LatentSpaceModel,
    method: str,
    seed: int,
    arguments: Mapping[str, Any],
    folder: Path,
    say: Progress,
) -> Fit:
    """Fit, and save the fit; chains go on where an earlier process was interrupted.

    Parameters
    ----------
    model : LatentSpaceModel
        The model of the network.
    method : str
        A key of :data:`lsm_stan.inference.methods.METHODS`.
    seed : int
        Seed of the fit.
    arguments : Mapping
        The method's.
    folder : Path
        Where the fit is to be saved. Chains lie beside it until it is
        (:mod:`lsm_stan.inference.unfinished`).
    say : callable
        Takes a sentence where another process is making the same fit.

    Returns
    -------
    Fit
        As it is read from its folder.

    Raises
    ------
    LsmStanError
        If the fit fails, or cannot be saved.
    """
    unfinished = folder_beside(folder)
    of_chains = {"unfinished": unfinished} if find_method(method).chains else {}
    with folder_lock(folder, say, f"fitting into {folder}"):
        try:
            if not of_chains:
                discard(unfinished)
            save_or_rescue(model.fit(method, seed=seed, **of_chains, **arguments), folder)
        except BaseException:
            if not holds_draws(unfinished):
                remove(unfinished)
            raise
        remove(unfinished)
    return Fit.load(folder)


def save_or_rescue(fit: Fit, folder: Path) -> None:
    """Save a fit, elsewhere if it must be: what was computed is not lost.

    Parameters
    ----------
    fit : Fit
        The fit.
    folder : Path
        Where it is to be saved.

    Raises
    ------
    MachineError
        If the folder cannot be written any more. The message says where the fit is instead.
    """
    try:
        fit.save(folder)
    except (OSError, InputError) as error:
        elsewhere = _rescue(fit, folder.name)
        if elsewhere is None:
            raise
        raise MachineError(
            f"{error}. The fit is not lost, it is in {elsewhere}: move it where you want it"
        ) from error


def _rescue(fit: Fit, name: str) -> Path | None:
    """Save a fit wherever there is room; return where, or None."""
    for base in (Path.cwd, Path.home, tempfile.gettempdir):
        with contextlib.suppress(OSError, InputError, RuntimeError):
            elsewhere = Path(base()) / f"{name}-{secrets.token_hex(4)}"
            return fit.save(elsewhere)
    return None
