"""Files that are there whole or not at all; what tables and figures are as files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from lsm_stan.errors import InputError, MachineError, describe_os_error
from lsm_stan.processes import MORE_ROOM
from lsm_stan.progress import Progress
from lsm_stan.temporary import PARTIAL, partial_folder

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

#: Dots an inch of still figures: sharp on dense screens and on paper.
DPI = 144


def write_whole(path: Path, content: bytes, mode: int | None = None) -> None:
    """Write a file that appears only when it is whole; its folder is made if it is not there.

    Parameters
    ----------
    path : Path
        The file.
    content : bytes
        What it is to hold.
    mode : int or None, default None
        Its permissions; those of a new file by default.
    """
    with needs_room(f"{path} was not written: ", ROOM_THERE), partial_folder(path) as folder:
        (folder / path.name).write_bytes(content)
        if mode is not None:
            (folder / path.name).chmod(mode)
        (folder / path.name).replace(path)


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files, by their paths in a folder; none appears before all are written.

    The last of them is the one by which the folder is known, such as its page. It is moved to its
    place first: whoever is stopped between two moves shall find the folder his own.

    Parameters
    ----------
    folder : Path
        The folder.
    files : Mapping of str to bytes
        The content of each file by its path in the folder.
    """
    *others, known = files
    with (
        needs_room(f"{folder} was not written: ", ROOM_THERE),
        partial_folder(folder / known) as partial,
    ):
        for name, content in files.items():
            (partial / name).parent.mkdir(parents=True, exist_ok=True)
            (partial / name).write_bytes(content)
        for name in (known, *others):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (partial / name).replace(folder / name)


def content_of(folder: Path) -> list[str]:
    """Return the names in a folder; what a killed process left half made there is nothing.

    Parameters
    ----------
    folder : Path
        The folder.

    Returns
    -------
    list of str
    """
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(PARTIAL))


#: What helps where results cannot be written.
ROOM_THERE = "free some space there, or name a folder on another disk"

#: Bytes that a disk that is not full has room for.
_ROOM = 2**20


@contextmanager
def needs_room(what: str = "", what_helps: str = MORE_ROOM) -> Iterator[None]:
    """Raise MachineError, which says what helps, where a file cannot be written.

    Parameters
    ----------
    what : str, default ""
        What the error begins with.
    what_helps : str, default MORE_ROOM
        What it ends with.

    Yields
    ------
    None

    Raises
    ------
    MachineError
        If the disk is full, or the file may not be written.
    """
    try:
        yield
    except MachineError:
        raise
    except OSError as error:
        raise MachineError(f"{what}{describe_os_error(error)}; {what_helps}") from error


def ensure_room(folder: Path) -> None:
    """Raise MachineError if a disk is full: CmdStan does not see that it has written in vain.

    Parameters
    ----------
    folder : Path
        A folder on the disk.

    Raises
    ------
    MachineError
        If it is full.
    """
    file = folder / f"room{PARTIAL}"
    try:
        with needs_room():
            file.write_bytes(bytes(_ROOM))
    finally:
        file.unlink(missing_ok=True)


def ensure_writable(target: Path, what_helps: str) -> None:
    """Raise InputError if a file or folder cannot be made, or replaced.

    Parameters
    ----------
    target : Path
        The file or folder.
    what_helps : str
        What to do then.

    Raises
    ------
    InputError
        If it cannot.
    """
    made = [folder for folder in target.resolve().parents if not folder.exists()]
    for folder in target.resolve().parents:
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{target}: {folder} is a file, no folder; {what_helps}")
    try:
        with partial_folder(target):
            pass
    except OSError as error:
        raise InputError(
            f"{target}: cannot be written ({describe_os_error(error)}); {what_helps}"
        ) from error
    finally:
        for folder in made:  # the inner first; nothing is left where nothing is made after all
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()


@contextmanager
def lock(path: Path, progress: Progress, purpose: str) -> Iterator[None]:
    """Hold a lock between processes, saying so if another holds it.

    Parameters
    ----------
    path : Path
        The lock file.
    progress : callable
        Takes the line that says that this process waits.
    purpose : str
        What the other process is doing.

    Yields
    ------
    None
    """
    file_lock = FileLock(path)
    try:
        file_lock.acquire(timeout=0)
    except Timeout:
        progress(f"another process is {purpose}; waiting for it…")
        file_lock.acquire()
    try:
        yield
    finally:
        file_lock.release()


def ensure_ours(folder: Path, kind: str, ours: bool) -> None:
    """Raise InputError if a folder is there that is neither empty nor ours to write into.

    Parameters
    ----------
    folder : Path
        The folder.
    kind : str
        What it should be, for the message.
    ours : bool
        Whether it is.

    Raises
    ------
    InputError
        If it holds something else.
    """
    inside = content_of(folder) if folder.is_dir() else []
    if ours or not folder.exists() or (folder.is_dir() and not inside):
        return
    holds = f"it holds {', '.join(inside[:3])}{', ...' * (len(inside) > 3)}" if inside else "a file"
    raise InputError(
        f"{folder} exists and is not {kind} ({holds}); name a new or empty folder, or one that"
        f" holds {kind}"
    )


def as_csv(frame: pd.DataFrame) -> bytes:
    """Return a table as CSV: ten digits, since the last ones of an ESS are those of rounding.

    Parameters
    ----------
    frame : DataFrame
        The table.

    Returns
    -------
    bytes
    """
    return frame.to_csv(index=False, float_format="%.10g").encode()


def as_png(figure: Figure) -> bytes:
    """Return a figure as PNG on white.

    Parameters
    ----------
    figure : Figure
        The figure, which is closed.

    Returns
    -------
    bytes
    """
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, facecolor="white")
    return buffer.getvalue()


def digest_of_file(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    str
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files_in(folder: Path) -> dict[str, Path]:
    """Return the files in a folder and below, by their paths from there, in order.

    Parameters
    ----------
    folder : Path
        The folder.

    Returns
    -------
    dict of str to Path
    """
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path for path in paths}


def contents(folder: Path) -> dict[str, bytes]:
    """Return the content of the files in a folder and below, by their paths from there.

    Parameters
    ----------
    folder : Path
        The folder.

    Returns
    -------
    dict of str to bytes
    """
    return {name: path.read_bytes() for name, path in files_in(folder).items()}
