"""Find CmdStan, and what compiles its models.

CmdStan is C++ source: it needs a compiler and make, and once built it lies in
``~/.cmdstan/cmdstan-<version>``, where CmdStanPy looks for it.
"""

from __future__ import annotations

import os
import platform
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from lsm_stan.errors import ToolchainError

#: The oldest CmdStan the Stan files are written for.
MINIMUM_VERSION = (2, 27)

_INSTALL_HINT = {
    "Linux": "`apt-get install g++ make` on Debian and Ubuntu, "
    "`dnf install gcc-c++ make` on Fedora",
    "Darwin": "`xcode-select --install`",
}

DEFAULT_COMPILER = {"Linux": "g++", "Darwin": "clang++"}  # as in CmdStan's makefile


@dataclass(frozen=True)
class Toolchain:
    """A CmdStan and what compiles its models.

    Attributes
    ----------
    path : Path
        CmdStan's folder.
    version : str
        CmdStan's version, such as ``"2.27.0"``.
    compiler : str
        First line of what the compiler says about its version.
    cxx : str
        The command that runs the compiler, as make's ``CXX``.
    make : str
        The command that runs make.
    """

    path: Path
    version: str
    compiler: str
    cxx: str
    make: str


def find_toolchain() -> Toolchain | None:
    """Find the CmdStan that CmdStanPy would use.

    That is the one the environment variable ``CMDSTAN`` points to, else the
    latest in ``~/.cmdstan``; there, unusable ones are passed over.

    Returns
    -------
    Toolchain or None
        None if there is no CmdStan.

    Raises
    ------
    ToolchainError
        If ``CMDSTAN`` points to something that cannot be used, or there is a
        CmdStan but no compiler or no make.
    """
    if named := os.environ.get("CMDSTAN"):
        path = Path(named)
        if problem := problem_of(path):
            raise ToolchainError(
                f"the environment variable CMDSTAN points to {named}, which {problem}; "
                "unset it or set it to the folder of a built CmdStan"
            )
        return inspect_cmdstan(path)
    usable = [path for path in dot_cmdstan().glob("cmdstan-*") if problem_of(path) is None]
    return inspect_cmdstan(max(usable, key=version_numbers)) if usable else None


def ask_make(make: str, cmdstan: Path, *arguments: str) -> str:
    """Ask CmdStan's makefile something that takes no building.

    Parameters
    ----------
    make : str
        The command that runs make.
    cmdstan : Path
        CmdStan's folder.
    *arguments : str
        Variables, then a target such as ``compile_info`` or ``print-CXX``.

    Returns
    -------
    str
        What make printed.

    Raises
    ------
    ToolchainError
        If make fails.
    """
    answer = subprocess.run(
        [make, "--silent", "--no-print-directory", *arguments],
        cwd=cmdstan,
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode:
        raise ToolchainError(f"`make {arguments[-1]}` fails in {cmdstan}: {answer.stderr.strip()}")
    return answer.stdout


def dot_cmdstan() -> Path:
    """Return the folder where CmdStanPy keeps CmdStans.

    Returns
    -------
    Path
    """
    return Path.home() / ".cmdstan"


def _version(path: Path) -> str | None:
    """Version of the CmdStan in a folder, as its makefile tells; None if there is none."""
    makefile = path / "makefile"
    if not makefile.is_file():
        return None
    match = re.search(r"^CMDSTAN_VERSION := (\S+)", makefile.read_text(), re.MULTILINE)
    return match[1] if match else None


def version_numbers(path: Path) -> tuple[int, ...]:
    """Return the version of the CmdStan in a folder as numbers.

    Parameters
    ----------
    path : Path
        CmdStan's folder.

    Returns
    -------
    tuple of int
        Such as ``(2, 27, 0)``; empty if there is no version.
    """
    return tuple(int(digits) for digits in re.findall(r"\d+", _version(path) or "")[:3])


def problem_of(path: Path) -> str | None:
    """Return why a folder is no CmdStan that can be used.

    Parameters
    ----------
    path : Path
        The folder.

    Returns
    -------
    str or None
        The reason in words; None if it can be used.
    """
    version = _version(path)
    if version is None:
        return "is not the folder of a CmdStan"
    if version_numbers(path)[:2] < MINIMUM_VERSION:
        oldest = ".".join(map(str, MINIMUM_VERSION))
        return f"is CmdStan {version}, and {oldest} or newer is needed"
    stanc = path / "bin" / "stanc"
    try:
        # A stanc that is there may still be truncated or of another platform.
        subprocess.run([stanc, "--version"], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return f"is a CmdStan that is not built ({stanc} does not run)"
    return None


def inspect_cmdstan(path: Path) -> Toolchain:
    """Describe a usable CmdStan.

    Parameters
    ----------
    path : Path
        CmdStan's folder.

    Returns
    -------
    Toolchain

    Raises
    ------
    ToolchainError
        If there is no make, or no compiler.
    """
    path = path.resolve()
    make = find_make()
    # make knows best: it heeds CXX of the environment and make/local.
    try:
        wanted = ask_make(make, path, "print-CXX").partition(" = ")[2].strip()
    except ToolchainError:
        find_compiler(os.environ.get("CXX"))  # without one, make fails in words of its own
        raise
    cxx = find_compiler(wanted)
    first_line = subprocess.run(
        [*shlex.split(cxx), "--version"], capture_output=True, text=True, check=False
    ).stdout.partition("\n")[0]
    return Toolchain(
        path=path,
        version=_version(path) or "",
        compiler=first_line,
        cxx=cxx,
        make=make,
    )


def find_make() -> str:
    """Return the command that runs make.

    Returns
    -------
    str

    Raises
    ------
    ToolchainError
        If there is none.
    """
    make = os.environ.get("MAKE", "make")
    if shutil.which(make) is None:
        raise ToolchainError(f"{make} was not found; install it with {_install_hint()}")
    return make


def find_compiler(wanted: str | None) -> str:
    """Choose the compiler.

    Parameters
    ----------
    wanted : str or None
        The command asked for, if any.

    Returns
    -------
    str
        `wanted` if it can be run; g++ or clang++ if it is the one of the two
        that is missing, or nothing is asked for.

    Raises
    ------
    ToolchainError
        If there is no compiler that can be run.
    """
    usual = ["g++", "clang++"]
    usual.sort(key=lambda name: name != DEFAULT_COMPILER.get(platform.system()))
    if wanted and shutil.which(shlex.split(wanted)[0]):
        return wanted
    if wanted and wanted not in usual:
        raise ToolchainError(
            f"the compiler {wanted} was not found; set the environment variable CXX to one "
            f"that is there, or install one with {_install_hint()}"
        )
    for name in usual:
        if shutil.which(name):
            return name
    raise ToolchainError(f"no C++ compiler was found; install one with {_install_hint()}")


def _install_hint() -> str:
    return _INSTALL_HINT.get(platform.system(), "the package manager of your system")
