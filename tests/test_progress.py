"""What is said while work goes on, where no bar moves."""

import io
import sys
import threading

from lsm_stan import progress


class Lines(io.StringIO):
    """An error stream that lets a test wait for lines."""

    def __init__(self, *, terminal: bool = False) -> None:
        super().__init__()
        self.terminal = terminal
        self.three = threading.Event()

    def isatty(self) -> bool:
        return self.terminal

    def flush(self) -> None:
        if self.getvalue().count("\n") >= 3:
            self.three.set()


def test_lines_say_that_work_goes_on(monkeypatch) -> None:
    lines = Lines()
    monkeypatch.setattr(sys, "stderr", lines)
    progress.print_progress("NUTS: 4 chains")
    end = progress.say_that_work_goes_on(quiet=0.01)
    assert lines.three.wait(60)
    end.set()
    first, *others = lines.getvalue().splitlines()
    assert first == "NUTS: 4 chains"
    assert set(others) == {"still at it after 0 min: NUTS: 4 chains"}


def test_a_terminal_has_bars_instead(monkeypatch) -> None:
    lines = Lines(terminal=True)
    monkeypatch.setattr(sys, "stderr", lines)
    threads = threading.active_count()
    progress.say_that_work_goes_on(quiet=0.01)
    assert threading.active_count() == threads
