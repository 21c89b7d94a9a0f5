"""What the commands write: asked about before, refused where it cannot be written."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import typer

from lsm_stan.errors import InputError
from lsm_stan.files import ensure_writable
from lsm_stan.progress import be_still


def ask_to_replace(folder: Path) -> None:
    """Ask whether a fit is to be replaced.

    Parameters
    ----------
    folder : pathlib.Path
        Where the new fit will be written.

    Raises
    ------
    InputError
        If it holds a fit and nobody can be asked.
    typer.Abort
        If the answer is no.
    """
    from lsm_stan.inference.record import RECORD

    if not (folder / RECORD).exists():
        return
    if not sys.stdin.isatty():
        raise InputError(
            f"{folder} holds a fit; --force replaces it, or name another folder with --out"
        )
    be_still()
    typer.confirm(f"{folder} holds a fit. Replace it?", abort=True)


def ensure_csv(file: Path) -> None:
    """Ensure that a file's name is that of a CSV file, and that it can be written.

    Parameters
    ----------
    file : pathlib.Path
        What a command will write.

    Raises
    ------
    InputError
        If it is not.
    """
    if file.suffix != ".csv" or file.is_dir():
        raise InputError(f"{file}: the name of a file that ends in .csv is needed")
    ensure_writable(file, "name another file with --out")


def write_file(write: Callable[[], None], file: Path) -> None:
    """Write a file, in a folder that is made if it is not there.

    Parameters
    ----------
    write : callable
        What writes it.
    file : pathlib.Path
        Its name.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write()
    except OSError as error:
        raise InputError(f"{file}: cannot be written ({error})") from error
