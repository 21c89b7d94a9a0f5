"""The user's cache directory: where what was compiled is kept, whole or not at all.

In ``notes`` lies a note on each: the digest of its content, and what its maker wants to know of it
later. A file that has not that digest any more is damaged, and is made again.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import platformdirs

from lsm_stan.errors import MachineError
from lsm_stan.files import digest_of_file, ensure_writable, lock, needs_room, write_whole
from lsm_stan.progress import Progress
from lsm_stan.temporary import temporary_folder

#: What helps where the cache directory cannot be written.
ANOTHER_CACHE = "set LSM_STAN_CACHE to a folder that can be written"

#: What make cannot work with in the path of a folder.
_REFUSED_BY_MAKE = re.compile(r"[^\w./+,@-]")

#: Where it works if temporary folders have such paths.
_WITHOUT_BLANKS = (Path("/tmp"), Path("/var/tmp"))


def cache_dir() -> Path:
    """Return where executables are kept: ``$LSM_STAN_CACHE`` or the user's cache directory.

    Returns
    -------
    Path
    """
    return Path(os.environ.get("LSM_STAN_CACHE") or platformdirs.user_cache_dir("lsm-stan"))


def cache_lock(name: str, progress: Progress, purpose: str) -> AbstractContextManager[None]:
    """Hold a lock that lies in the cache directory; see :func:`lsm_stan.files.lock`.

    Where nothing can be written there, it lies among the temporary files.

    Parameters
    ----------
    name : str
        Name of the lock.
    progress : callable
        Takes a line if another process holds the lock.
    purpose : str
        What the lock is held for, in words.

    Returns
    -------
    context manager
    """
    locks = cache_dir() / "locks"
    try:
        ensure_writable(locks / name, ANOTHER_CACHE)
    except ValueError:
        locks = Path(tempfile.gettempdir(), f"lsm-stan.{os.getuid()}.locks")
    locks.mkdir(parents=True, exist_ok=True)
    return lock(locks / f"{name}.lock", progress, purpose)


def folder_lock(folder: Path, progress: Progress, purpose: str) -> AbstractContextManager[None]:
    """Hold a lock on a folder of results, which two processes must not fill at once.

    Parameters
    ----------
    folder : Path
        The folder; nothing is written there.
    progress : callable
        Takes a line if another process holds the lock.
    purpose : str
        What the lock is held for, in words.

    Returns
    -------
    context manager
    """
    return cache_lock(f"results-{digest_of([str(folder.resolve())])}", progress, purpose)


def build_once(
    target: Path,
    build: Callable[[Path], Path],
    progress: Progress,
    purpose: str,
    duration: str,
    facts: Mapping[str, Any] | None = None,
) -> Path:
    """Build a file of the cache if it is not there, or damaged.

    Parameters
    ----------
    target : Path
        The file. It appears at once and whole, or not at all.
    build : callable
        Makes it in the temporary folder it is given, and returns where.
    progress : callable
        Takes the line that says what is being done.
    purpose, duration : str
        What is being done, and how long it takes.
    facts : mapping of str to object, optional
        What its note keeps: text, numbers, lists and dictionaries.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    MachineError
        If there is no room for it, or the cache directory cannot be written.
    """
    if is_whole(target):
        return target
    with cache_lock(_flat_name(target), progress, purpose):
        if is_whole(target):  # while waiting for the lock, another may have built it
            return target
        try:
            ensure_writable(target, ANOTHER_CACHE)
        except ValueError as error:
            raise MachineError(f"{purpose}: {error}") from error
        progress(f"{purpose} ({duration})…")
        with needs_room(f"{purpose}: "), temporary_folder(_folder_for_make()) as folder:
            built = build(folder)
            write_whole(target, built.read_bytes(), mode=built.stat().st_mode)
            note(target, facts or {})
    return target


def note(target: Path, facts: Mapping[str, Any]) -> None:
    """Write the note on a file of the cache.

    Parameters
    ----------
    target : Path
        The file.
    facts : mapping of str to object
        What is wanted later.
    """
    text = json.dumps({**facts, "sha256": digest_of_file(target)}, indent=1)
    write_whole(_note_of(target), f"{text}\n".encode())


def read_note(target: Path) -> dict[str, Any] | None:
    """Read the note on a file of the cache.

    Parameters
    ----------
    target : Path
        The file.

    Returns
    -------
    dict or None
        None if there is none that can be read.
    """
    try:
        values = json.loads(_note_of(target).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return values if isinstance(values, dict) else None


def is_whole(target: Path) -> bool:
    """Return whether a file of the cache is there, and as it was made.

    Parameters
    ----------
    target : Path
        The file.

    Returns
    -------
    bool
    """
    noted = read_note(target)
    try:
        if noted is None:  # made before there were notes
            return target.stat().st_size > 0
        return digest_of_file(target) == noted.get("sha256")
    except OSError:
        return False


def _note_of(target: Path) -> Path:
    return cache_dir() / "notes" / f"{_flat_name(target)}.json"


def _flat_name(target: Path) -> str:
    return "-".join(target.relative_to(cache_dir()).parts)


def _folder_for_make() -> Path:
    """Return where make can work: not in the cache, nor in any path that has a blank."""
    wanted = Path(tempfile.gettempdir())
    for folder in (wanted, *_WITHOUT_BLANKS):
        if not _REFUSED_BY_MAKE.search(str(folder)) and os.access(folder, os.W_OK | os.X_OK):
            return folder
    raise MachineError(
        f"make cannot work in {wanted}, whose path has blanks or signs; set TMPDIR to a folder"
        " without"
    )


def digest_of(parts: Iterable[str | bytes]) -> str:
    """Return the digest of some parts.

    Parameters
    ----------
    parts : iterable of str or bytes
        In their order.

    Returns
    -------
    str
        Sixteen hexadecimal digits.
    """
    digest = hashlib.sha256()
    for part in parts:
        text = part.encode() if isinstance(part, str) else part
        digest.update(len(text).to_bytes(8, "big") + text)
    return digest.hexdigest()[:16]
