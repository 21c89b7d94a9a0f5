"""What every implementation has: a value and a gradient, and how long they take."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Protocol

from lsm_stan.typing import FloatArray


class Evaluator(Protocol):
    """One implementation, ready for one problem."""

    def evaluate(self, positions: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return ``(M,)`` log joints and ``(M, N, K)`` gradients at ``(M, N, K)`` positions."""
        ...

    def measure(self, at_least: float) -> float:
        """Return the seconds of one value and gradient, from a run of so many seconds."""
        ...


class Repeated(ABC):
    """Measures calls one after the other: as many as take long enough."""

    _calls = 1

    def measure(self, at_least: float) -> float:
        """Return the seconds of one value and gradient."""
        while (elapsed := self._run(self._calls)) < 0.9 * at_least:
            self._calls = math.ceil(self._calls * min(100, 1.2 * at_least / elapsed))
        return elapsed / self._calls

    @abstractmethod
    def _run(self, calls: int) -> float:
        """Return the seconds of so many calls."""
