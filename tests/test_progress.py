"""What is said while work goes on: a line that moves, or a line a minute."""

import io
import re
import sys
import threading
import time

from lsm_stan import progress


class Lines(io.StringIO):
    """An error stream that lets a test wait for so many writes."""

    def __init__(self, *, terminal: bool = False) -> None:
        super().__init__()
        self.terminal = terminal
        self.three = threading.Event()
        self.flushed = 0

    def isatty(self) -> bool:
        return self.terminal

    def flush(self) -> None:
        self.flushed += 1
        if self.flushed >= 3:
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


def shown_after(monkeypatch, *steps: str) -> Lines:
    """Return a terminal on which a line has moved three times."""
    lines = Lines(terminal=True)
    monkeypatch.setattr(sys, "stderr", lines)
    monkeypatch.setattr(progress, "SHORT", 0.0)
    for step in steps:
        progress.doing(step)
    end = progress.say_that_work_goes_on(tick=0.01)
    assert lines.three.wait(60)
    end.set()
    while progress._Said.line:  # until it is taken away
        time.sleep(0.005)
    return lines


def test_a_terminal_has_a_line_that_moves(monkeypatch) -> None:
    lines = shown_after(monkeypatch, "reading a", "drawing b\x1b")
    shown = lines.getvalue().split("\r\x1b[K")
    assert shown[0] == ""
    assert re.fullmatch(r"drawing b[^\x1b]+ 0:00", shown[1])
    assert "\n" not in lines.getvalue()


def test_what_is_printed_takes_the_place_of_the_line(monkeypatch) -> None:
    lines = Lines(terminal=True)
    monkeypatch.setattr(sys, "stderr", lines)
    monkeypatch.setattr(progress._Said, "line", "drawing b 0:03")
    progress.print_progress("report: c")
    assert lines.getvalue() == "\r\x1b[Kreport: c\n"


def test_a_bar_or_a_question_stands_instead_of_the_line(monkeypatch) -> None:
    lines = Lines(terminal=True)
    monkeypatch.setattr(sys, "stderr", lines)
    monkeypatch.setattr(progress, "SHORT", 0.0)
    progress.doing("drawing networks")
    assert not progress.has_bars(False)
    assert progress.has_bars(True)
    end = progress.say_that_work_goes_on(tick=0.001)
    assert not lines.three.wait(0.3)
    end.set()
    assert lines.getvalue() == ""
    assert shown_after(monkeypatch, "tables").getvalue().startswith("\r\x1b[Ktables")
