"""What is said while work goes on: lines and bars on the error stream."""

from __future__ import annotations

import sys
from collections.abc import Callable

from lsm_stan.visible import visible

#: Takes one line that tells the user what is being done.
Progress = Callable[[str], None]


def print_progress(message: str) -> None:
    """Show a progress line on the error stream, whether or not it is a terminal."""
    print(visible(message), file=sys.stderr, flush=True)  # rich would repeat it after an interrupt


def has_bars(show_progress: bool) -> bool:
    """Return whether to draw progress bars: where somebody sees them move."""
    return show_progress and sys.stderr.isatty()
