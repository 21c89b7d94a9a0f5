"""Several fits, by their names."""

from __future__ import annotations

import contextlib
import secrets
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from lsm_stan.errors import InputError, MachineError
from lsm_stan.inference.fit import Fit as Fit
from lsm_stan.inference.layered_fit import LayeredFit


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
