"""Several fits, by their names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lsm_stan.errors import InputError
from lsm_stan.inference.fit import Fit


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
