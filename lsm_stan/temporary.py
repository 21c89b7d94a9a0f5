"""Temporary folders, and private ones beside what is being made.

What is being made lies in a folder of its own that its process keeps locked: where the lock is
free, the process was killed, and the next one that makes something there sweeps it away.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import re
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from lsm_stan.errors import MachineError, describe_os_error
from lsm_stan.processes import end_with_us

#: How temporary folders are called, and those in which something else is being made; and their
#: locks.
TEMPORARY, PARTIAL, LOCK = "lsm-stan-", ".partial", ".lock"

_temporary: dict[tuple[int, Path], Path] = {}


def temporary_root(base: Path | None = None) -> Path:
    """Return this process's folder of everything temporary, which goes when the process ends.

    What works in it ends with this process too, however that ends.

    Parameters
    ----------
    base : Path or None, default None
        Where it lies: where all temporary folders do by default.

    Returns
    -------
    Path

    Raises
    ------
    MachineError
        If no folder can be made.
    """
    try:
        base = base or Path(tempfile.gettempdir())
        key = os.getpid(), base
        if key not in _temporary or not _temporary[key].is_dir():
            _sweep(base.glob(f"{TEMPORARY}*"))
            folder, _ = _locked_folder(base, TEMPORARY)
            atexit.register(_remove, folder, os.getpid())
            end_with_us(folder)
            _temporary[key] = folder
    except OSError as error:
        raise MachineError(
            f"no temporary folder can be made: {describe_os_error(error)}; set TMPDIR to a folder"
            " that can be written"
        ) from error
    return _temporary[key]


@contextmanager
def temporary_folder(base: Path | None = None) -> Iterator[Path]:
    """Give a temporary folder, which is removed in the end.

    Parameters
    ----------
    base : Path or None, default None
        Where it lies: where all temporary folders do by default.

    Yields
    ------
    Path
    """
    with tempfile.TemporaryDirectory(
        dir=temporary_root(base), ignore_cleanup_errors=True
    ) as folder:
        yield Path(folder)


@contextmanager
def partial_folder(target: Path) -> Iterator[Path]:
    """Give a private folder beside a file or folder that is being made; removed in the end.

    Parameters
    ----------
    target : Path
        What is being made; the folder that it will lie in is made if it is not there.

    Yields
    ------
    Path
    """
    base, prefix = target.parent, f".{target.name}-"
    base.mkdir(parents=True, exist_ok=True)
    names = re.compile(rf"{re.escape(prefix)}[^-]*{re.escape(PARTIAL)}")
    _sweep(path for path in base.glob(f".*{PARTIAL}") if names.fullmatch(path.name))
    folder, lock = _locked_folder(base, prefix, PARTIAL)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _locked_folder(base: Path, prefix: str, suffix: str = "") -> tuple[Path, int]:
    """Make a folder that is locked as long as this process lives, or its lock is open."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=prefix, suffix=suffix, dir=base))
        try:
            lock = os.open(folder / LOCK, os.O_CREAT | os.O_RDWR, 0o600)
        except FileNotFoundError:  # somebody cleans up here
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        except OSError:  # no locks on this disk: then nobody sweeps it either
            return folder, lock
        if (folder / LOCK).exists():
            return folder, lock
        os.close(lock)


def _sweep(folders: Iterable[Path]) -> None:
    """Remove folders whose process is gone."""
    for folder in folders:
        try:
            if folder.is_symlink() or folder.stat().st_uid != os.getuid():
                continue
            lock = os.open(folder / LOCK, os.O_RDWR)
        except OSError:  # without a lock it is none of ours
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            pass  # in use
        finally:
            os.close(lock)


def _remove(folder: Path, process: int) -> None:
    """Remove a folder of a process: a fork of it leaves what both have in common alone."""
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)


class Scratch:
    """A temporary folder that lives as long as this object, or as what holds it.

    Parameters
    ----------
    files : Mapping of str to bytes, or None, default None
        What it holds at first: the content of each file by its path.
    """

    def __init__(self, files: Mapping[str, bytes] | None = None) -> None:
        self.path = Path(tempfile.mkdtemp(dir=temporary_root()))
        weakref.finalize(self, _remove, self.path, os.getpid())
        for name, content in (files or {}).items():
            (self.path / name).parent.mkdir(parents=True, exist_ok=True)
            (self.path / name).write_bytes(content)
