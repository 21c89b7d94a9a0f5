"""Linear algebra on one thread: of matrices as small as ours, more threads wait for each other."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from threadpoolctl import threadpool_limits

P = ParamSpec("P")
T = TypeVar("T")


def on_one_blas_thread(function: Callable[P, T]) -> Callable[P, T]:
    """Return a function that does the same with BLAS on one thread.

    Parameters
    ----------
    function : callable
        Any function.

    Returns
    -------
    callable
        Two threads took three times the CPU time of one in the report of 297 nodes; on busy cores
        OpenBLAS's threads wait for each other a hundred times as long as they work.
    """

    @wraps(function)
    def alone(*args: P.args, **kwargs: P.kwargs) -> T:
        with threadpool_limits(1, "blas"):
            return function(*args, **kwargs)

    return alone
