"""Why a process failed: the machine, or what it was given."""

import signal

import pytest

from lsm_stan.processes import limit_reached


@pytest.mark.parametrize(
    ("code", "output", "words"),
    [
        (1, "x\nas: out.o: No space left on device\ny", ["as: out.o", "free some space"]),
        (2, "make: write error: Disk quota exceeded", ["Disk quota", "free some space"]),
        (1, "cannot write /tmp/output", ["cannot write /tmp/output", "free some space"]),
        (-signal.SIGXFSZ, "", ["File size limit exceeded", "ulimit -f"]),
        (1, "ld: final link failed: File too large", ["File too large", "ulimit -f"]),
        (-signal.SIGKILL, "", ["Killed", "memory"]),
        (1, "g++: fatal error: Killed signal terminated program cc1plus", ["cc1plus", "memory"]),
        (1, "cc1plus: out of memory allocating 65536 bytes", ["65536", "memory"]),
        (-signal.SIGABRT, "terminate called\n  what():  std::bad_alloc", ["bad_alloc", "memory"]),
        (1, "mkdir: Read-only file system", ["Read-only", "TMPDIR"]),
    ],
)
def test_what_the_machine_did_not_give(code, output, words) -> None:
    said = limit_reached(code, output)
    assert said is not None
    assert all(word in said for word in words)
    assert "\n" not in said


@pytest.mark.parametrize(
    ("code", "output"),
    [(1, ""), (-signal.SIGSEGV, ""), (1, "a.hpp:3: error: catch (std::bad_alloc&) unexpected")],
)
def test_what_is_not_the_machines_fault(code, output) -> None:
    assert limit_reached(code, output) is None
