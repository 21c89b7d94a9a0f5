"""What every process that we start needs: how many run at once, why one failed, when it ends.

A process must not outlive us, even where we are killed (``kill -9``) and can end nothing any more.
Linux could tell a child so by itself (``PR_SET_PDEATHSIG``), but that call belongs between fork and
exec, where CmdStanPy lets nobody in, and macOS has none. So a watcher waits beside us, a process of
its own that holds one end of a pipe whose other end only we have: it reads until we are gone, then
ends what works in our temporary folder, and removes the folder. This file is its program.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

#: How much of a failed command's output an error shows.
LAST_LINES = 15

#: What helps where a disk is full.
MORE_ROOM = "free some space, or set TMPDIR and LSM_STAN_CACHE to folders on a disk that has some"

#: What compilers, make and CmdStan say where the machine gives no more, and what helps.
LIMITS = {
    r"No space left on device|Disk quota exceeded|^cannot write ": MORE_ROOM,
    r"File size limit exceeded|File too large": "raise the limit on the size of files (ulimit -f)",
    r"Read-only file system": "set TMPDIR and LSM_STAN_CACHE to folders that can be written",
    r"Cannot allocate memory|virtual memory exhausted|out of memory allocating|\bKilled\b"
    r"|^\s*(what\(\):\s*)?std::bad_alloc": "more memory is needed, or fewer processes at once",
}

#: What the machine ends a process by, in the words above.
SIGNALS = {signal.SIGXFSZ: "File size limit exceeded", signal.SIGKILL: "Killed"}

#: A watcher ends when it has seen nothing of ours so many times, some tenths of a second apart: a
#: process that was just being started is seen then.
LOOKS, PAUSE = 3, 0.1

#: A word to the watcher, that there is nothing to do.
FAREWELL = b"."


def cores() -> int:
    """Return how many cores this process may run on.

    Returns
    -------
    int
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def limit_reached(code: int, output: str) -> str | None:
    """Return what the machine did not give a process that failed, and what helps.

    Parameters
    ----------
    code : int
        How it ended, as :mod:`subprocess` says it: minus the number of a signal.
    output : str
        What it printed.

    Returns
    -------
    str or None
        One clause; None where it was not the machine's fault.
    """
    printed = [*output.splitlines(), SIGNALS.get(-code, "")]  # type: ignore[call-overload]
    for pattern, help_ in LIMITS.items():
        for line in printed:
            if re.search(pattern, line):
                return f"{line.strip()}; {help_}"
    return None


def end_with_us(folder: Path) -> None:
    """Let processes that work in a folder end when this process does, and the folder go with them.

    Parameters
    ----------
    folder : Path
        A folder of this process: a process works in it whose command line names it.
    """
    command = [sys.executable, "-I", __file__, str(os.getpid()), str(folder)]
    try:
        watcher = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C, and the end of a terminal, are not for it
        )
    except OSError:  # no Python beside us: then nobody watches
        return
    us = os.getpid()

    def dismiss() -> None:
        if os.getpid() == us and watcher.stdin is not None:
            with contextlib.suppress(OSError):
                watcher.stdin.write(FAREWELL)
                watcher.stdin.close()
            watcher.wait()

    atexit.register(dismiss)
    if watcher.stdin is not None:  # a fork must not keep our end of the pipe open
        os.register_at_fork(after_in_child=watcher.stdin.close)


def _watch(watched: int, folder: str) -> None:
    """Wait until a process is gone; end what works in its folder, and remove it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if sys.stdin.buffer.read() == FAREWELL:
        return
    while os.getppid() == watched:  # what it leaves behind gets another parent, as we do
        time.sleep(PAUSE)
    import psutil  # not while all is well: it takes memory

    looks = 0
    while looks < LOOKS:
        looks += 1
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                left_behind = process.ppid() == os.getppid() and process.pid != os.getpid()
                if left_behind and any(folder in word for word in process.cmdline()):
                    looks = 0
                    for each in (*process.children(recursive=True), process):
                        with contextlib.suppress(psutil.Error):
                            each.kill()
        time.sleep(PAUSE)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    _watch(int(sys.argv[1]), sys.argv[2])
