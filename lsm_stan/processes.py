"""What every process that we start needs: how many may run at once, how much of a failed one."""

from __future__ import annotations

import os

#: How much of a failed command's output an error shows.
LAST_LINES = 15


def cores() -> int:
    """Return how many cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
