"""Files of arrays: NumPy's ``.npy``, SciPy's ``.npz`` and Matrix Market's ``.mtx``.

What a file says of itself is checked before memory is taken for it: a kilobyte can announce a
matrix of 10⁹ nodes, and indices of a sparse matrix that point outside it read foreign memory.
"""

from __future__ import annotations

import inspect
import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import io as scipy_io
from scipy import sparse

from lsm_stan.errors import InputError
from lsm_stan.network.checks import check_size
from lsm_stan.network.sources import Matrix
from lsm_stan.network.text_files import contents

#: SciPy before 1.15 returns sparse matrices only; since, it asks which is wanted.
_AS_ARRAY: dict[str, Any] = (
    {"spmatrix": False} if "spmatrix" in inspect.signature(scipy_io.mmread).parameters else {}
)

_FORMATS = ("csr", "csc", "bsr", "coo", "dia")


def read_npy(path: Path) -> Matrix:
    """Read a ``.npy`` file.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    Matrix

    Raises
    ------
    InputError
        If it holds an archive of arrays.
    """
    content = io.BytesIO(contents(path))
    if bytes(content.getbuffer()[:6]) == b"\x93NUMPY":
        version = np.lib.format.read_magic(content)
        read = np.lib.format.read_array_header_1_0
        read = read if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(content)
        if dtype.itemsize == 0 or dtype.kind == "V":
            raise InputError(
                f"{path}: its cells are of type {dtype}, which are no numbers; weights are"
            )
        size = int(np.prod([int(n) for n in shape], dtype=object))
        there = content.getbuffer().nbytes - content.tell()
        if size * dtype.itemsize > there and dtype.kind != "O":
            raise InputError(
                f"{path}: cannot be read as a .npy file (it announces {size:,} cells, and is too"
                f" short to hold them)"
            )
        content.seek(0)
    cells = np.load(content, allow_pickle=False)
    if not isinstance(cells, np.ndarray):
        raise InputError(f"{path}: holds an archive of arrays; a .npy file holds one matrix")
    return Matrix(cells)


def read_npz(path: Path) -> Matrix:
    """Read a ``.npz`` file that SciPy wrote.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    Matrix

    Raises
    ------
    InputError
        If its parts are no sparse matrix of numbers.
    """
    content = contents(path)
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        if "format" not in archive or "shape" not in archive:
            raise InputError(
                f"{path}: it holds the arrays {', '.join(archive.files) or 'none'}; a sparse matrix"
                f" as scipy.sparse.save_npz writes it is needed, or one array as numpy.save does"
            )
        kind = np.asarray(archive["format"]).item()
        kind = kind.decode("ascii", "replace") if isinstance(kind, bytes) else str(kind)
        shape = np.asarray(archive["shape"])
        if kind not in _FORMATS or shape.shape != (2,) or shape.dtype.kind not in "iu":
            raise InputError(
                f"{path}: it says that it is a sparse matrix of format {kind!r} and shape"
                f" {shape.tolist()}; one of {', '.join(_FORMATS)} and two numbers are needed"
            )
        check_size(max(int(n) for n in shape), str(path))
        data = archive["data"]
        if data.dtype.kind not in "biuf":
            raise InputError(
                f"{path}: its cells are of type {data.dtype}, which are no numbers; weights are"
            )
        for name in ("indices", "indptr", "row", "col", "offsets", "coords"):
            if name in archive and archive[name].dtype.kind not in "iu":
                raise InputError(
                    f"{path}: {name} holds {archive[name].dtype}, and no whole numbers"
                )
    return Matrix(checked_sparse(sparse.load_npz(io.BytesIO(content)), str(path)))


def checked_sparse(matrix: Any, source: str) -> sparse.coo_array:
    """Return a sparse array by coordinates, refusing one whose indices lie outside it.

    Parameters
    ----------
    matrix : SciPy sparse array or matrix
        The matrix.
    source : str
        File name or description, for error messages.

    Returns
    -------
    SciPy sparse array
        In format ``coo``.

    Raises
    ------
    InputError
        If its indices cannot be those of such a matrix.
    """
    try:
        if hasattr(matrix, "check_format"):
            matrix.check_format(full_check=True)
        coo = sparse.coo_array(matrix)
    except (ValueError, IndexError, OverflowError) as error:
        raise InputError(
            f"{source}: its indices are not those of a sparse matrix ({error}); save it again"
        ) from error
    shape: tuple[int, ...] = coo.shape
    if len(shape) != 2:
        raise InputError(f"{source}: it has {len(shape)} dimensions; a matrix has two")
    for index, size in zip((coo.row, coo.col), shape, strict=True):
        if index.size and (index.min() < 0 or index.max() >= size):
            raise InputError(
                f"{source}: its indices go from {index.min()} to {index.max()}, outside a matrix of"
                f" {shape[0]} x {shape[1]} cells; save it again"
            )
    return coo


def read_mtx(path: Path) -> Matrix:
    """Read a Matrix Market file.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    Matrix
        Undirected if the file says that it is symmetric.

    Raises
    ------
    InputError
        If it is too large.
    """
    content = contents(path)
    rows, columns, *_, symmetry = scipy_io.mminfo(io.BytesIO(content))
    check_size(max(int(rows), int(columns)), str(path))
    matrix: NDArray[Any] | Any = scipy_io.mmread(io.BytesIO(content), **_AS_ARRAY)
    cells = matrix if isinstance(matrix, np.ndarray) else checked_sparse(matrix, str(path))
    return Matrix(cells, directed=False if symmetry == "symmetric" else None)
