"""Build a CmdStan: in a private folder of ``~/.cmdstan``, renamed when it is whole.

What carries the name of a CmdStan therefore is one.
"""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from lsm_stan.cmdstan.find import DEFAULT_COMPILER, dot_cmdstan, problem_of
from lsm_stan.errors import ToolchainError
from lsm_stan.processes import LAST_LINES
from lsm_stan.progress import Progress

_TICK = 15.0  # seconds between two progress lines of one long command

# Must not start with "cmdstan-": CmdStanPy takes such a folder for a CmdStan.
WORK_PREFIX = "lsm-stan-install-"


def build_environment(make: str, cxx: str, target: Path) -> dict[str, str]:
    """Return the environment for make while it builds a CmdStan that will be moved.

    Parameters
    ----------
    make : str
        The command that runs make.
    cxx : str
        The command that runs the compiler.
    target : Path
        Where the CmdStan will lie.

    Returns
    -------
    dict of str to str
        Environment variables.
    """
    libraries = target / "stan" / "lib" / "stan_math" / "lib" / "tbb"
    return {
        **os.environ,
        "MAKE": make,
        "CXX": cxx,
        # Variables in MAKEFLAGS count as given on make's command line. The first:
        # programs look for TBB where it will be, not where it is built. The second:
        # a precompiled header takes 750 MB, does not make compilation faster, and
        # clang refuses one that was moved.
        "MAKEFLAGS": f"TBB_BIN_ABSOLUTE_PATH={libraries} PRECOMPILED_HEADERS=false",
    }


@contextmanager
def work_folder() -> Iterator[Path]:
    """Make a private folder beside the CmdStans, so that a rename is enough to move one.

    Yields
    ------
    Path
        The folder, which is removed in the end.
    """
    with tempfile.TemporaryDirectory(
        prefix=WORK_PREFIX, dir=dot_cmdstan(), ignore_cleanup_errors=True
    ) as folder:
        yield Path(folder)


def move_into_place(tree: Path, target: Path, cxx: str) -> None:
    """Give a CmdStan that was built its name, if it can be used.

    Parameters
    ----------
    tree : Path
        The folder in which it was built.
    target : Path
        Where it shall lie; what lies there is replaced.
    cxx : str
        The command that runs its compiler.

    Raises
    ------
    ToolchainError
        If it cannot be used.
    """
    if cxx != (os.environ.get("CXX") or DEFAULT_COMPILER.get(platform.system())):
        # Neither the environment nor CmdStan's default leads others to this compiler.
        with (tree / "make" / "local").open("a") as local:
            local.write(f"CXX={cxx}\n")
    if problem := problem_of(tree):
        raise ToolchainError(f"{tree.name} was built, but {problem}")
    if target.exists():  # unusable: it was looked at before
        target.rename(tree.parent / "replaced")
    tree.rename(target)


def run_logged(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    log: Path,
    progress: Progress,
    message: str,
) -> None:
    """Run a long command, its output in a log file, telling now and then how far it is.

    Parameters
    ----------
    command : sequence of str
        What to run.
    folder : Path
        Where to run it.
    environment : mapping of str to str
        Environment variables of the command.
    log : Path
        The file its output goes to.
    progress : callable
        Takes `message`, and the same with the elapsed time every `_TICK` seconds.
    message : str
        What is being done.

    Raises
    ------
    ToolchainError
        If the command fails: the last lines of its output, and where the rest is.
    """
    progress(message)
    start = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            while True:
                try:
                    code = process.wait(timeout=_TICK)
                    break
                except subprocess.TimeoutExpired:
                    progress(f"{message} {time.monotonic() - start:.0f} s")
        except BaseException:
            process.terminate()  # make then ends its compilers, and removes half-made files
            process.wait()
            raise
    if code:
        last = log.read_text(errors="replace").splitlines()[-LAST_LINES:]
        raise ToolchainError(
            "\n".join(
                [f"`{shlex.join(command)}` failed:", *last, f"(the whole output is in {log})"]
            )
        )
