"""Compile Stan programs once.

Every model is linked with ``stan/main.cpp``, CmdStan's own main program with one more method
(``stan/methods/density.hpp``), which :mod:`lsm_stan.cmdstan.density` calls.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cmdstanpy

from lsm_stan.choices import Kernel
from lsm_stan.cmdstan.cache import build_once, cache_dir, digest_of, is_whole, note, read_note
from lsm_stan.cmdstan.executable import plan_build
from lsm_stan.cmdstan.find import Toolchain
from lsm_stan.cmdstan.install import ensure_toolchain
from lsm_stan.cmdstan.sources import (
    kernel_files,
    latent_space_program,
    main_sources,
    program_digest,
    sources_digest,
)
from lsm_stan.errors import ToolchainError
from lsm_stan.progress import Progress, print_progress


def compile_model(
    kernel: Kernel = "cpp",
    *,
    program: Path | None = None,
    threads: bool = False,
    toolchain: Toolchain | None = None,
    progress: Progress = print_progress,
) -> cmdstanpy.CmdStanModel:
    """Compile a program that includes ``pair_sums.stan``, or find it compiled.

    Parameters
    ----------
    kernel : {"cpp", "stan"}, default "cpp"
        What ``#include pair_sums.stan`` means: the C++ functions of ``stan/kernel`` or
        the Stan functions of ``stan/functions``.
    program : Path, optional
        The Stan program; ``stan/latent_space.stan`` by default.
    threads : bool, default False
        As in `compile_program`.
    toolchain : Toolchain, optional
        As in `compile_program`.
    progress : callable, default print_progress
        As in `compile_program`.

    Returns
    -------
    cmdstanpy.CmdStanModel

    Raises
    ------
    ToolchainError
        If there is no toolchain, or the program does not compile.
    """
    return compile_program(
        program or latent_space_program(),
        **kernel_files(kernel),
        threads=threads,
        toolchain=toolchain,
        progress=progress,
    )


def find_compiled(kernel: Kernel, toolchain: Toolchain) -> cmdstanpy.CmdStanModel | None:
    """Return the latent space program with a kernel if it is compiled, without threads.

    Parameters
    ----------
    kernel : {"cpp", "stan"}
        What the likelihood's sums are in.
    toolchain : Toolchain
        What would compile it.

    Returns
    -------
    cmdstanpy.CmdStanModel or None
        None if it is not compiled.

    Raises
    ------
    ToolchainError
        If stanc refuses the program.
    """
    build = plan_build(latent_space_program(), **kernel_files(kernel), toolchain=toolchain)
    if not is_whole(build.executable):
        return None
    return cmdstanpy.CmdStanModel(exe_file=build.executable)


def compile_with_fallback(
    kernel: Kernel = "cpp",
    *,
    program: Path | None = None,
    threads: bool = False,
    toolchain: Toolchain | None = None,
    progress: Progress = print_progress,
) -> tuple[cmdstanpy.CmdStanModel, Kernel]:
    """Compile with the C++ kernel; if it does not compile, warn and take the Stan functions.

    Parameters
    ----------
    kernel : {"cpp", "stan"}, default "cpp"
        The kernel that is asked for.
    program : Path, optional
        As in `compile_model`.
    threads : bool, default False
        As in `compile_program`.
    toolchain : Toolchain, optional
        As in `compile_program`.
    progress : callable, default print_progress
        As in `compile_program`.

    Returns
    -------
    model : cmdstanpy.CmdStanModel
        The compiled program.
    kernel : {"cpp", "stan"}
        The kernel that is in it.

    Raises
    ------
    ToolchainError
        If there is no toolchain, or the program does not compile with the Stan functions.
    """
    toolchain = toolchain or ensure_toolchain(progress=progress)

    def compiled(kernel: Kernel) -> cmdstanpy.CmdStanModel:
        return compile_model(
            kernel, program=program, threads=threads, toolchain=toolchain, progress=progress
        )

    if kernel == "cpp":
        try:
            return compiled("cpp"), "cpp"
        except ToolchainError as error:
            warnings.warn(
                "the C++ kernel does not compile, the slower Stan functions are used. The"
                f" compiler's first error: {first_error(error)}",
                stacklevel=2,
            )
    return compiled("stan"), "stan"


def first_error(error: ToolchainError) -> str:
    """Return the first thing that a compiler complained of, in one line.

    Parameters
    ----------
    error : ToolchainError
        What `compile_program` raised.

    Returns
    -------
    str
    """
    title, *complaints = str(error).splitlines()
    return complaints[0].strip() if complaints else title


def compile_program(
    program: Path,
    *,
    include_dirs: Sequence[Path] = (),
    user_header: Path | None = None,
    threads: bool = False,
    toolchain: Toolchain | None = None,
    progress: Progress = print_progress,
) -> cmdstanpy.CmdStanModel:
    """Compile any Stan program, or find it compiled.

    Parameters
    ----------
    program : Path
        The Stan program.
    include_dirs : sequence of Path, default ()
        Where its ``#include`` files are; its own folder is searched last.
    user_header : Path, optional
        C++ definitions of functions the program only declares. Headers that it includes
        in quotes must lie beside or below it.
    threads : bool, default False
        Whether Stan's own threads are compiled in; the environment variable
        ``STAN_NUM_THREADS`` of a process then says how many run.
    toolchain : Toolchain, optional
        What to compile with; `ensure_toolchain` by default.
    progress : callable, default print_progress
        Takes lines that tell what is being done.

    Returns
    -------
    cmdstanpy.CmdStanModel
        A model of the executable alone, so that CmdStanPy never compiles it anew.

    Raises
    ------
    ToolchainError
        If there is no toolchain, or the program does not compile; it shows the errors of
        Stan or of the C++ compiler.
    """
    toolchain = toolchain or ensure_toolchain(progress=progress)
    build = plan_build(
        program,
        include_dirs=include_dirs,
        user_header=user_header,
        threads=threads,
        toolchain=toolchain,
    )
    sources = program_digest(program, include_dirs=include_dirs, user_header=user_header)
    facts = _facts(sources, threads) | {
        "toolchain": {**vars(toolchain), "path": str(toolchain.path)}
    }
    if not _is_usable(build.executable, facts, progress):
        main_object = build_once(
            build.main_object,
            build.compile_main,
            progress,
            "compiling CmdStan's main program",
            "about a minute, once",
        )
        build_once(
            build.executable,
            lambda folder: build.compile_model(folder, main_object),
            progress,
            f"compiling {build.program.name}",
            "about a minute, once",
            facts,
        )
    return cmdstanpy.CmdStanModel(exe_file=build.executable)


def find_compiled_before(
    kernel: Kernel, *, threads: bool
) -> tuple[cmdstanpy.CmdStanModel, Toolchain] | None:
    """Find the latent space program compiled, where nothing can be compiled any more.

    Parameters
    ----------
    kernel : {"cpp", "stan"}
        What the likelihood's sums are in.
    threads : bool
        Whether Stan's own threads are compiled in.

    Returns
    -------
    tuple of (cmdstanpy.CmdStanModel, Toolchain) or None
        The newest that runs, and what compiled it; None if there is none.
    """
    wanted = _facts(sources_digest(kernel), threads)
    name = latent_space_program().stem
    executables = [path for path in cache_dir().glob(f"models/{name}-*/{name}") if path.is_file()]
    for executable in sorted(executables, key=lambda path: -path.stat().st_mtime):
        facts = read_note(executable) or {}
        if wanted.items() <= facts.items() and is_whole(executable) and _runs(executable):
            toolchain = Toolchain(
                **{**facts["toolchain"], "path": Path(facts["toolchain"]["path"])}
            )
            cmdstanpy.set_cmdstan_path(str(toolchain.path))
            return cmdstanpy.CmdStanModel(exe_file=executable), toolchain
    return None


def _facts(sources: str, threads: bool) -> dict[str, Any]:
    """Return what a note on an executable says of what it was compiled from."""
    return {"sources": sources, "main": digest_of(main_sources().values()), "threads": threads}


def _is_usable(executable: Path, facts: Mapping[str, Any], progress: Progress) -> bool:
    """Return whether an executable is there, as it was compiled; one that is damaged goes."""
    if not executable.exists():
        return False
    if read_note(executable) is not None:
        usable = is_whole(executable) and os.access(executable, os.X_OK)
    elif usable := _runs(executable):  # compiled before there were notes
        with contextlib.suppress(OSError):
            note(executable, facts)
    if usable:
        return True
    progress(f"{executable} is damaged: it is compiled again")
    with contextlib.suppress(OSError):
        executable.unlink()
    return False


def _runs(executable: Path) -> bool:
    try:
        return (
            subprocess.run([executable, "info"], capture_output=True, check=False).returncode == 0
        )
    except OSError:
        return False
