"""Ctrl-C: what a command started is stopped before the command itself."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from types import FrameType

#: Seconds in which Ctrl-C pressed again says nothing new.
PATIENCE = 1.0


class Stop:
    """Stop CmdStan's processes, which CmdStanPy would wait for, then the command itself.

    Where signals come faster than :data:`PATIENCE`, the first is on its way, and the others would
    only disturb it.
    """

    def __init__(self) -> None:
        self.asked = -math.inf

    def __call__(self, _signal: int, _frame: FrameType | None) -> None:
        """Take a signal."""
        now = time.monotonic()
        if now - self.asked > PATIENCE:
            self.asked = now
            threading.Thread(target=_terminate_children, daemon=True).start()
            raise KeyboardInterrupt


def _terminate_children() -> None:
    import psutil

    while True:  # CmdStanPy starts queued chains as others end; stop those too
        for child in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                child.terminate()
        time.sleep(0.05)
