"""Formats of network files: which reader reads a suffix, and what goes wrong in one sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lsm_stan.errors import InputError
from lsm_stan.network.arrays import read_mtx, read_npy, read_npz
from lsm_stan.network.graphs import read_gexf, read_gml, read_graphml
from lsm_stan.network.pajek import read_pajek
from lsm_stan.network.reading import Reading
from lsm_stan.network.sources import EdgeList, Matrix
from lsm_stan.network.tables import read_table
from lsm_stan.network.text_files import TABLES, inner_suffix

NO_MEMORY = "it needs more memory than there is"

_ARRAYS: dict[str, Callable[[Path], Matrix | EdgeList]] = {
    ".npy": read_npy,
    ".npz": read_npz,
    ".mtx": read_mtx,
}
_GRAPHS: dict[str, Callable[[Path], Matrix | EdgeList]] = {
    ".net": read_pajek,
    ".paj": read_pajek,
    ".gml": read_gml,
    ".gexf": read_gexf,
    ".graphml": read_graphml,
}

#: What to do with files that are not read.
_SAVE_AS = dict.fromkeys(
    (".xlsx", ".xls", ".ods", ".numbers"), "; save the sheet as .csv (UTF-8)"
) | dict.fromkeys(
    (".dot", ".gv", ".json", ".g6", ".s6", ".pkl", ".pickle", ".dl", ".graph"),
    "; networkx, igraph or Gephi can write it as .graphml",
)


def is_network_file(path: Path) -> bool:
    """Return whether a file's suffix is one that is read.

    Parameters
    ----------
    path : Path
        A file or folder.

    Returns
    -------
    bool
    """
    known = {*_ARRAYS, *_GRAPHS, *TABLES}
    return path.is_file() and not path.name.startswith(".") and inner_suffix(path) in known


def read_file(path: Path, how: Reading) -> Matrix | EdgeList:
    """Read a file by its suffix.

    Parameters
    ----------
    path : Path
        The file.
    how : Reading
        What the user says.

    Returns
    -------
    Matrix or EdgeList

    Raises
    ------
    InputError
        If it cannot be read, or its suffix is not known.
    """
    suffix = inner_suffix(path)
    read = (_ARRAYS | _GRAPHS).get(suffix)
    if read is None and suffix not in TABLES:
        raise InputError(
            f"{path}: the suffix {path.suffix!r} is not that of a network file; "
            f"{', '.join([*_ARRAYS, *TABLES, *_GRAPHS])} can be read{_SAVE_AS.get(suffix, '')}"
        )
    with readable(path):
        return read_table(path, how) if read is None else read(path)


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn whatever goes wrong in reading a file into one sentence.

    Parameters
    ----------
    path : Path
        The file.

    Yields
    ------
    None

    Raises
    ------
    InputError
        If anything does.
    """
    try:
        yield
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file") from None
    except MemoryError:
        raise InputError(f"{path}: {NO_MEMORY}") from None
    # Parsers of foreign formats fail in as many ways as files can be corrupt.
    except Exception as error:
        what = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path}: cannot be read as a {path.suffix} file ({what})") from error
