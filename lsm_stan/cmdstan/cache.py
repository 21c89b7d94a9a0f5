"""The user's cache directory: where what was compiled is kept, whole or not at all."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path

import platformdirs

from lsm_stan.files import lock
from lsm_stan.progress import Progress


def cache_dir() -> Path:
    """Return where executables are kept: ``$LSM_STAN_CACHE`` or the user's cache directory.

    Returns
    -------
    Path
    """
    return Path(os.environ.get("LSM_STAN_CACHE") or platformdirs.user_cache_dir("lsm-stan"))


def cache_lock(name: str, progress: Progress, purpose: str) -> AbstractContextManager[None]:
    """Hold a lock that lies in the cache directory; see :func:`lsm_stan.files.lock`.

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
    locks.mkdir(parents=True, exist_ok=True)
    return lock(locks / f"{name}.lock", progress, purpose)


def build_once(
    target: Path,
    build: Callable[[Path], Path],
    progress: Progress,
    purpose: str,
    duration: str,
) -> Path:
    """Build a file of the cache if it is not there.

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

    Returns
    -------
    Path
        The file.
    """
    if target.exists():
        return target
    name = "-".join(target.relative_to(cache_dir()).parts)
    with cache_lock(name, progress, purpose):
        if not target.exists():  # while waiting for the lock, another may have built it
            progress(f"{purpose} ({duration})…")
            # Not in the cache: make cannot work in a path with a space.
            with tempfile.TemporaryDirectory(prefix="lsm-stan-") as folder:
                built = build(Path(folder))
                target.parent.mkdir(parents=True, exist_ok=True)
                partial = target.with_suffix(".partial")
                shutil.copy(built, partial)
                partial.replace(target)
    return target


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
