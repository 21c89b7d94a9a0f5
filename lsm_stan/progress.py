"""What is said while work goes on: lines and bars on the error stream."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable

from lsm_stan.visible import visible

#: Takes one line that tells the user what is being done.
Progress = Callable[[str], None]


#: Seconds without a word, after which a line says that work goes on.
QUIET = 60.0


class _Said:
    """What was said last, and when."""

    message = "working"
    since = 0.0


def print_progress(message: str) -> None:
    """Show a progress line on the error stream, whether or not it is a terminal."""
    _Said.message, _Said.since = message, time.monotonic()
    print(visible(message), file=sys.stderr, flush=True)  # rich would repeat it after an interrupt


def say_that_work_goes_on(quiet: float = QUIET) -> threading.Event:
    """Let a line say from now on, where nothing else does, what goes on, and for how long.

    A terminal has bars that move. In a file, or where another program reads, nothing does.

    Parameters
    ----------
    quiet
        Seconds without a word before each line.

    Returns
    -------
    Event
        It ends this.
    """
    end = threading.Event()
    _Said.since = time.monotonic()

    def talk() -> None:
        lines = 0
        while not end.wait(quiet / 10):
            elapsed = time.monotonic() - _Said.since
            lines = min(lines, int(elapsed / quiet))  # fewer: something else was said
            if elapsed >= (lines + 1) * quiet:
                lines += 1
                line = f"still at it after {elapsed / 60:.0f} min: {_Said.message}"
                print(line, file=sys.stderr, flush=True)

    if not sys.stderr.isatty():
        threading.Thread(target=talk, daemon=True).start()
    return end


def has_bars(show_progress: bool) -> bool:
    """Return whether to draw progress bars: where somebody sees them move."""
    return show_progress and sys.stderr.isatty()
