"""What is said while work goes on: lines and bars on the error stream."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Callable

from lsm_stan.visible import visible

#: Takes one line that tells the user what is being done.
Progress = Callable[[str], None]


#: Seconds without a word, after which a line says that work goes on.
QUIET = 60.0

#: Seconds of a step after which a terminal shows what goes on, and seconds between its changes.
SHORT, TICK = 2.0, 0.5

#: Back to the start of a terminal's line, and nothing on it.
_CLEAR = "\r\x1b[K"


class _Said:
    """What was said last, and when; what a terminal shows of it."""

    message = "working"
    since = 0.0
    still = False
    line = ""


def print_progress(message: str) -> None:
    """Show a progress line on the error stream, whether or not it is a terminal.

    Parameters
    ----------
    message : str
        What is being done, or was done.
    """
    doing(message)
    print(visible(message), file=sys.stderr, flush=True)  # rich would repeat it after an interrupt


def doing(message: str) -> None:
    """Say what is being done where it takes long: a terminal shows it after two seconds.

    Parameters
    ----------
    message : str
        What is being done.
    """
    clear_line()
    _Said.message, _Said.since, _Said.still = message, time.monotonic(), False


def clear_line() -> None:
    """Take the moving line from the terminal, where something else is to stand."""
    if _Said.line:
        _Said.line = ""
        print(_CLEAR, end="", file=sys.stderr, flush=True)


def say_that_work_goes_on(quiet: float = QUIET, tick: float = TICK) -> threading.Event:
    """Show from now on what goes on, and for how long.

    A terminal has a line that moves, unless a bar does. In a file, or where another program reads,
    there is a line a minute.

    Parameters
    ----------
    quiet : float, default 60.0
        Seconds without a word before each line of a file.
    tick : float, default 0.5
        Seconds between the changes of a terminal's line.

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

    def move() -> None:
        while not end.wait(tick):
            elapsed = time.monotonic() - _Said.since
            if elapsed >= SHORT and not _Said.still:
                minutes, seconds = divmod(int(elapsed), 60)
                room = shutil.get_terminal_size().columns - 8
                _Said.line = f"{visible(_Said.message)[:room]} {minutes}:{seconds:02}"
                print(f"{_CLEAR}{_Said.line}", end="", file=sys.stderr, flush=True)
        clear_line()

    target = move if sys.stderr.isatty() else talk
    threading.Thread(target=target, daemon=True).start()
    return end


def has_bars(show_progress: bool) -> bool:
    """Return whether to draw progress bars: where somebody sees them move.

    Parameters
    ----------
    show_progress : bool
        Whether progress is to be shown.

    Returns
    -------
    bool
        If so, the bars stand for the moving line until something else is said.
    """
    bars = show_progress and sys.stderr.isatty()
    if bars:
        be_still()
    return bars


def be_still() -> None:
    """Show no moving line until something is said: a bar or a question stands there."""
    clear_line()
    _Said.still = True
