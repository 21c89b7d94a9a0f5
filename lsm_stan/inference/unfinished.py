"""Folders of runs that are not finished: whose they are, and what they hold.

CmdStan's files of a fit that samples lie beside it, in ``NAME.chains.partial``, until it is whole.
Whatever ends the process, the next that is asked for the same fit goes on from them.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lsm_stan.files import ensure_ours, files_in, write_whole
from lsm_stan.inference.going_on import holds_draws
from lsm_stan.model.parameters import Parameters
from lsm_stan.progress import print_progress
from lsm_stan.temporary import PARTIAL

#: What the folder beside a fit is called after the fit's name.
SUFFIX = f".chains{PARTIAL}"

#: In such a folder: what was asked for, and CmdStan's files.
ASKED, FILES = "unfinished.json", "cmdstan"


def folder_beside(target: Path) -> Path:
    """Return the folder of what is not finished of a fit.

    Parameters
    ----------
    target : Path
        The folder that the fit gets.

    Returns
    -------
    Path

    Examples
    --------
    >>> folder_beside(Path("/fits/nuts")).as_posix()
    '/fits/nuts.chains.partial'
    """
    target = target.resolve()
    return target.with_name(f"{target.name}{SUFFIX}")


def claim(folder: Path, asked: Mapping[str, Any]) -> float:
    """Give a folder to a run: what is left there of the same run stays, of any other goes.

    Parameters
    ----------
    folder : Path
        The folder, which may be there.
    asked : Mapping
        Everything that the run depends on, as JSON can hold it.

    Returns
    -------
    float
        Seconds that the run has taken before.

    Raises
    ------
    InputError
        If the folder holds something else.
    """
    ensure_ours(folder, "a folder of unfinished chains", (folder / ASKED).exists())
    wanted, spent = json.loads(json.dumps(asked)), 0.0
    left = _left(folder)
    if left is not None and left["asked"] == wanted:
        spent = left["seconds"] + _seconds_since(folder / ASKED, folder)
    else:
        discard(folder)
    record = {"seconds": round(spent, 3), "asked": wanted}
    write_whole(folder / ASKED, json.dumps(record, indent=2).encode())
    (folder / FILES).mkdir(exist_ok=True)
    return spent


def discard(folder: Path) -> None:
    """Remove a folder of chains that nobody goes on with, and say so.

    Parameters
    ----------
    folder : Path
        The folder; nothing happens where there is none, or it is something else.
    """
    if (folder / ASKED).exists() and holds_draws(folder):
        print_progress(f"{folder} holds chains of another fit, or of another version: it goes")
    remove(folder)


def remove(folder: Path) -> None:
    """Remove such a folder; the file that it is known by goes last.

    Parameters
    ----------
    folder : Path
        The folder; nothing happens where there is none, or it is something else.
    """
    if (folder / ASKED).exists():
        shutil.rmtree(folder / FILES, ignore_errors=True)
        (folder / ASKED).unlink()
        with contextlib.suppress(OSError):  # something else is in it
            folder.rmdir()


def digest_of_start(start: Parameters | None) -> str | None:
    """Return a digest of starting values that were given.

    Parameters
    ----------
    start : dict of str to ndarray, or None
        Parameters without leading axes.

    Returns
    -------
    str or None
        SHA-256, in hexadecimal digits.
    """
    if start is None:
        return None
    digest = hashlib.sha256()
    for name in sorted(start):
        digest.update(f"{name} {start[name].shape}".encode() + start[name].tobytes())
    return digest.hexdigest()


def _left(folder: Path) -> dict[str, Any] | None:
    """Return what a folder says of itself; None where nothing can be read."""
    try:
        left = json.loads((folder / ASKED).read_text(encoding="utf-8"))
        return {"asked": left["asked"], "seconds": float(left["seconds"])}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _seconds_since(begun: Path, folder: Path) -> float:
    """Return how long the last process worked in a folder."""
    last = max(path.stat().st_mtime for path in files_in(folder).values())
    return last - begun.stat().st_mtime
