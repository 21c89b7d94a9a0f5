"""Types of arrays, and numbers without them."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]
BoolArray: TypeAlias = NDArray[np.bool_]


def plain(value: Any) -> Any:
    """Return a number of NumPy's as Python's own, and lists of them; anything else as it is.

    Records, JSON and TOML know no others; what callers give passes here where it enters.

    Parameters
    ----------
    value : Any
        The value.

    Returns
    -------
    Any
    """
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        return value.item()
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value
