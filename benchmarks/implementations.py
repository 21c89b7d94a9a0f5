"""The list of implementations of the log joint's value and gradient."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmarks.evaluator import Evaluator
from benchmarks.problem import Problem


@dataclass(frozen=True)
class Implementation:
    """A way to compute the log joint and its gradient.

    Attributes
    ----------
    name : str
        As in the results. Of several variants of one name the fastest stands for the name.
    variant : str
        Which, or empty.
    make : callable
        Readies it for a problem, compilation included.
    bytes_a_cell : float
        Memory it takes for each of the N×N cells, as measured; 0 where it grows as N + E.
    """

    name: str
    variant: str
    make: Callable[[Problem], Evaluator]
    bytes_a_cell: float

    def __str__(self) -> str:
        return f"{self.name} ({self.variant})" if self.variant else self.name


def implementations() -> Iterator[Implementation]:
    """Yield every implementation whose libraries are installed."""
    from benchmarks import in_stan

    yield Implementation("stan-literal", "", in_stan.literal, 700)
    yield Implementation("stan-distance", "", in_stan.distance, 340)
    yield Implementation("stan-reference", "", in_stan.reference, 160)
    yield Implementation("lsm-kernel", "", in_stan.kernel, 0)
    yield Implementation("lsm-kernel", "in the sampler", in_stan.kernel_in_sampler, 0)
    if importlib.util.find_spec("jax"):
        from benchmarks import in_jax

        for form, bytes_a_cell in in_jax.FORMS.items():
            for inside in (False, True):
                variant = f"{form}, {'in a loop of XLA' if inside else 'call by call'}"
                make = in_jax.maker(form, inside)
                yield Implementation("jax", variant, make, bytes_a_cell)
    if importlib.util.find_spec("pymc"):
        from benchmarks import in_pymc

        for form, bytes_a_cell in in_pymc.FORMS.items():
            for mode in (None, "NUMBA"):
                variant = f"{form}, {'numba' if mode else 'default backend'}"
                yield Implementation("pymc", variant, in_pymc.maker(form, mode), bytes_a_cell)
