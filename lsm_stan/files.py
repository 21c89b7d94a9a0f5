"""Files that are there whole or not at all, and what tables and figures are in them."""

from __future__ import annotations

import secrets
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from lsm_stan.errors import InputError
from lsm_stan.progress import Progress

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

#: Dots an inch of still figures: sharp on dense screens and on paper.
DPI = 144


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that appears only when it is whole; its folder is made if it is not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # a name of its own: another process may write the same file
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files, by their paths in a folder, one after the other, each whole."""
    for name, content in files.items():
        write_whole(folder / name, content)


@contextmanager
def lock(path: Path, progress: Progress, purpose: str) -> Iterator[None]:
    """Hold a lock between processes, saying so if another holds it.

    Parameters
    ----------
    path
        The lock file.
    progress
        Takes the line that says that this process waits.
    purpose
        What the other process is doing.
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
    """Raise InputError if a folder is there that is neither empty nor ours to write into."""
    inside = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    if ours or not folder.exists() or (folder.is_dir() and not inside):
        return
    holds = f"it holds {', '.join(inside[:3])}{', ...' * (len(inside) > 3)}" if inside else "a file"
    raise InputError(
        f"{folder} exists and is not {kind} ({holds}); name a new or empty folder, or one that"
        f" holds {kind}"
    )


def as_csv(frame: pd.DataFrame) -> bytes:
    """Return a table as CSV: ten digits, since the last ones of an ESS are those of rounding."""
    return frame.to_csv(index=False, float_format="%.10g").encode()


def as_png(figure: Figure) -> bytes:
    """Return a figure as PNG on white."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, facecolor="white")
    return buffer.getvalue()


class Scratch:
    """A temporary folder that lives as long as this object, or as what holds it."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="lsm-stan-"))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)
