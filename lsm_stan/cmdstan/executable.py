"""What decides an executable, and how make compiles it.

An executable lies in the user's cache directory under a key: the hash of everything that went into
it. That is the C++ that stanc makes of the program and its includes, the user header and the
headers it includes, our ``main.cpp``, the flags make would compile with, and the versions of
compiler and CmdStan. Whatever changes makes another key, so a stale executable is never run;
whatever is the same is compiled once.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lsm_stan.cmdstan.cache import cache_dir, digest_of
from lsm_stan.cmdstan.find import Toolchain, ask_make
from lsm_stan.cmdstan.sources import header_closure, main_sources
from lsm_stan.errors import LsmStanError, MachineError, ToolchainError
from lsm_stan.processes import LAST_LINES, limit_reached
from lsm_stan.temporary import temporary_folder


@dataclass(frozen=True, eq=False)
class Build:
    """Everything that decides an executable.

    Attributes
    ----------
    toolchain : Toolchain
        What compiles.
    program : Path
        The Stan program.
    translated : bytes
        The C++ that stanc makes of it.
    headers : mapping of str to bytes
        The user header, if there is one, and the headers that it includes: contents by their
        path from its folder. The user header is the first.
    variables : tuple of str
        What make is told.
    flags : str
        What the variables, the environment and CmdStan's ``make/local`` amount to.
    main : mapping of str to bytes
        The sources of the main program, by name.
    """

    toolchain: Toolchain
    program: Path
    translated: bytes
    headers: Mapping[str, bytes]
    variables: tuple[str, ...]
    flags: str
    main: Mapping[str, bytes]

    @property
    def main_object(self) -> Path:
        """Where the compiled main program is kept."""
        return cache_dir() / "main" / f"{digest_of(self._common)}.o"

    @property
    def executable(self) -> Path:
        """Where the executable is kept; it is there once it is compiled."""
        headers = (part for header in self.headers.items() for part in header)
        key = digest_of([*self._common, self.translated, *headers])
        return cache_dir() / "models" / f"{self.program.stem}-{key}" / self.program.stem

    def compile_main(self, folder: Path) -> Path:
        """Compile the main program.

        Parameters
        ----------
        folder : Path
            A temporary folder to work in.

        Returns
        -------
        Path
            The object file, in that folder.

        Raises
        ------
        ToolchainError
            If it does not compile.
        """
        variables = self._write_main(folder)
        target = _main_object(self.toolchain, variables)
        _make(self.toolchain, [*variables, str(target)], "main.cpp")
        return target

    def compile_model(self, folder: Path, main_object: Path) -> Path:
        """Compile the executable.

        Parameters
        ----------
        folder : Path
            A temporary folder to work in.
        main_object : Path
            The compiled main program.

        Returns
        -------
        Path
            The executable, in that folder.

        Raises
        ------
        ToolchainError
            If it does not compile.
        """
        variables = self._write_main(folder)
        shutil.copyfile(main_object, _main_object(self.toolchain, variables))
        for name, text in self.headers.items():
            # In a folder of their own: X.hpp is what X.stan is translated to.
            (folder / "header" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "header" / name).write_bytes(text)
        if self.headers:
            variables.append("STANCFLAGS=--allow-undefined")  # makes make include the header
            variables.append(f"USER_HEADER={folder}/header/{next(iter(self.headers))}")
        target = folder / self.program.stem
        shutil.copyfile(self.program, target.with_suffix(".stan"))
        target.with_suffix(".hpp").write_bytes(self.translated)  # the newer: make keeps it
        _make(self.toolchain, [*variables, str(target)], str(self.program))
        return target

    @property
    def _common(self) -> list[str | bytes]:
        """What the main program and the model have in common."""
        toolchain = self.toolchain
        versions = str(toolchain.path), toolchain.version, toolchain.compiler
        return [*versions, self.flags, *self.main.values()]

    def _write_main(self, folder: Path) -> list[str]:
        """Write the main program's sources to a folder; return make's variables with it."""
        for name, text in self.main.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(text)
        # make would list every header main.cpp depends on, for a folder that soon goes.
        (folder / "main.d").touch()
        return [*self.variables, f"CMDSTAN_MAIN={folder}/main.cpp"]


def plan_build(
    program: Path,
    *,
    include_dirs: Sequence[Path] = (),
    user_header: Path | None = None,
    threads: bool = False,
    toolchain: Toolchain,
) -> Build:
    """Translate a Stan program and gather what decides its executable.

    Parameters
    ----------
    program : Path
        As in `compile_program`.
    include_dirs : sequence of Path, default ()
        As in `compile_program`.
    user_header : Path, optional
        As in `compile_program`.
    threads : bool, default False
        As in `compile_program`.
    toolchain : Toolchain
        What to compile with.

    Returns
    -------
    Build

    Raises
    ------
    ToolchainError
        If stanc refuses the program, or there is no such header.
    """
    program = program.resolve()
    variables = [f"CXX={toolchain.cxx}", "PRECOMPILED_HEADERS=false"]  # gain nothing, 750 MB
    if threads:
        variables.append("STAN_THREADS=true")
    return Build(
        toolchain=toolchain,
        program=program,
        translated=_translate(
            program, [*include_dirs, program.parent], user_header is not None, toolchain
        ),
        headers={} if user_header is None else header_closure(user_header),
        variables=tuple(variables),
        flags=ask_make(toolchain.make, toolchain.path, *variables, "compile_info"),
        main=main_sources(),
    )


def _translate(
    program: Path, include_dirs: Sequence[Path], allow_undefined: bool, toolchain: Toolchain
) -> bytes:
    """Translate a Stan program to C++ by stanc: what the key is made of."""
    # Names in messages, which are in the C++ too, are the same wherever the files lie.
    relative_dirs = [os.path.relpath(path, program.parent) for path in include_dirs]
    with temporary_folder() as folder:
        output = folder / "model.hpp"
        stanc = subprocess.run(
            [
                toolchain.path / "bin" / "stanc",
                f"--include-paths={','.join(relative_dirs)}",
                *(["--allow-undefined"] if allow_undefined else []),
                f"--o={output}",
                program.name,
            ],
            cwd=program.parent,
            capture_output=True,
            text=True,
            check=False,
        )
        if stanc.returncode:
            raise _failure(stanc.returncode, str(program), stanc.stderr, [stanc.stderr.strip()])
        return output.read_bytes()


def _main_object(toolchain: Toolchain, variables: Sequence[str]) -> Path:
    """Where make expects the object file of the main program."""
    answer = ask_make(toolchain.make, toolchain.path, *variables, "print-CMDSTAN_MAIN_O")
    return Path(answer.partition(" = ")[2].strip())


def _make(toolchain: Toolchain, arguments: Sequence[str], source: str) -> None:
    run = subprocess.run(
        [toolchain.make, *arguments],
        cwd=toolchain.path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if run.returncode:
        lines = run.stdout.splitlines()
        # Among thousands of notes and warnings of Boost and Eigen these are the ones to read.
        errors = [line for line in lines if re.search(r"\berror: |undefined reference", line)]
        shown = errors[:LAST_LINES] or lines[-LAST_LINES:]
        raise _failure(run.returncode, source, run.stdout, shown)


def _failure(code: int, source: str, output: str, shown: Sequence[str]) -> LsmStanError:
    """Return what to raise where a compilation failed: the machine may have been too small."""
    if limit := limit_reached(code, output):
        return MachineError(f"{source} was not compiled: {limit}")
    said = [line for line in shown if line] or [f"it ended with code {code}, without a word"]
    return ToolchainError("\n".join([f"{source} does not compile:", *said]))
