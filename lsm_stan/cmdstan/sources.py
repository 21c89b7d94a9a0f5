"""The Stan and C++ sources of the model: where they lie, and what includes what."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Any

from lsm_stan.choices import Kernel
from lsm_stan.cmdstan.cache import digest_of
from lsm_stan.errors import ToolchainError

_PACKAGE = Path(__file__).resolve().parents[1]

#: The Stan files: inside an installed wheel, or at the top of a checkout.
STAN_DIR = next(
    folder for folder in (_PACKAGE / "stan", _PACKAGE.parent / "stan") if folder.is_dir()
)


def latent_space_program() -> Path:
    """Return the one program of all models.

    Returns
    -------
    Path
    """
    return STAN_DIR / "latent_space.stan"


def main_sources() -> dict[str, bytes]:
    """Return the main program of every model, and its headers: the methods that are ours.

    Returns
    -------
    dict of str to bytes
        By path from the program's folder; the program is the first.
    """
    return header_closure(STAN_DIR / "main.cpp")


def sources_digest(kernel: Kernel) -> str:
    """Return a digest of the model's sources with a kernel, whatever compiles them.

    Parameters
    ----------
    kernel : {"cpp", "stan"}
        What the likelihood's sums are in.

    Returns
    -------
    str
    """
    return program_digest(latent_space_program(), **kernel_files(kernel))


def program_digest(
    program: Path, *, include_dirs: Sequence[Path] = (), user_header: Path | None = None
) -> str:
    """Return a digest of the sources of a program, whatever compiles them.

    Parameters
    ----------
    program : Path
        The Stan program.
    include_dirs : sequence of Path, default ()
        Where its ``#include`` files are; its own folder is searched last.
    user_header : Path, optional
        C++ definitions of functions the program only declares.

    Returns
    -------
    str
    """
    sources = stan_closure(program, [*include_dirs, program.parent])
    if user_header is not None:
        sources |= header_closure(user_header)
    return digest_of(part for named in sorted(sources.items()) for part in named)


def kernel_files(kernel: Kernel) -> dict[str, Any]:
    """Return what makes a program use a kernel.

    Parameters
    ----------
    kernel : {"cpp", "stan"}
        What the likelihood's sums are in.

    Returns
    -------
    dict of str to object
        Arguments of :func:`lsm_stan.cmdstan.executable.plan_build`.
    """
    folder = STAN_DIR / ("kernel" if kernel == "cpp" else "functions")
    return {
        # pair_sums.stan is taken from the first, what both have in common from the second
        "include_dirs": [folder, STAN_DIR / "functions"],
        "user_header": folder / "pair_sums.hpp" if kernel == "cpp" else None,
    }


def stan_closure(program: Path, include_dirs: Sequence[Path]) -> dict[str, bytes]:
    """Read a Stan program and the files that it includes.

    Parameters
    ----------
    program : Path
        The program.
    include_dirs : sequence of Path
        Where the files are; the first that has one counts.

    Returns
    -------
    dict of str to bytes
        By file name.
    """
    texts = {program.name: program.read_bytes()}
    for name in re.findall(r"^\s*#include (\S+)", texts[program.name].decode(), re.MULTILINE):
        path = next(folder / name for folder in include_dirs if (folder / name).is_file())
        texts[name] = path.read_bytes()
    return texts


def header_closure(header: Path) -> dict[str, bytes]:
    """Read a header and those that it includes in quotes.

    Parameters
    ----------
    header : Path
        The header, the first of the result.

    Returns
    -------
    dict of str to bytes
        By path from its folder.

    Raises
    ------
    ToolchainError
        If there is no such file.
    """
    if not header.is_file():
        raise ToolchainError(f"there is no user header {header}")
    contents: dict[str, bytes] = {}
    waiting = [header.name]
    while waiting:
        name = waiting.pop()
        path = header.parent / name
        # What is not below the header is CmdStan's, or the compiler will miss it.
        if name in contents or name.startswith("..") or not path.is_file():
            continue
        contents[name] = path.read_bytes()
        includes = re.findall(r'^\s*#\s*include\s*"([^"]+)"', contents[name].decode(), re.MULTILINE)
        waiting += [os.path.normpath(PurePath(name).parent / include) for include in includes]
    return contents
