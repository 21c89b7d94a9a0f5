"""Compile Stan programs once, and evaluate their densities.

An executable lies in the user's cache directory under a key: the hash of everything
that went into it. That is the C++ that stanc makes of the program and its includes, the
user header and the headers it includes, our ``main.cpp``, the flags make would compile
with, and the versions of compiler and CmdStan. Whatever changes makes another key, so a
stale executable is never run; whatever is the same is compiled once.

Every model is linked with ``stan/main.cpp``, CmdStan's own main program with one more
method (``stan/log_prob_grad.hpp``), which `log_prob_grad` calls.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import cmdstanpy
import numpy as np
import platformdirs
from pydantic_core import to_json

from lsm_stan.choices import Kernel
from lsm_stan.cmdstan.find import Toolchain, ask_make
from lsm_stan.cmdstan.install import ensure_toolchain
from lsm_stan.errors import InferenceError, ToolchainError
from lsm_stan.files import lock
from lsm_stan.processes import LAST_LINES
from lsm_stan.progress import Progress, print_progress
from lsm_stan.typing import FloatArray

_PACKAGE = Path(__file__).resolve().parents[1]

#: The Stan files: inside an installed wheel, or at the top of a checkout.
STAN_DIR = next(
    folder for folder in (_PACKAGE / "stan", _PACKAGE.parent / "stan") if folder.is_dir()
)

#: Our main program, and the header that it includes.
MAIN = ("main.cpp", "log_prob_grad.hpp")


def cache_dir() -> Path:
    """Return where executables are kept: ``$LSM_STAN_CACHE`` or the user's cache directory.

    Returns
    -------
    Path
    """
    return Path(os.environ.get("LSM_STAN_CACHE") or platformdirs.user_cache_dir("lsm-stan"))


def cache_lock(name: str, progress: Progress, purpose: str) -> AbstractContextManager[None]:
    """Hold a lock that lies in the cache directory; see :func:`lsm_stan.files.lock`.

    Parameters
    ----------
    name : str
        Name of the lock.
    progress : callable
        Takes a line if another process holds the lock.
    purpose : str
        What the lock is held for, in words.

    Returns
    -------
    context manager
    """
    locks = cache_dir() / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    return lock(locks / f"{name}.lock", progress, purpose)


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
        program or STAN_DIR / "latent_space.stan",
        **_kernel_files(kernel),
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
    build = plan_build(STAN_DIR / "latent_space.stan", **_kernel_files(kernel), toolchain=toolchain)
    if not build.executable.exists():
        return None
    return cmdstanpy.CmdStanModel(exe_file=build.executable)


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
    program, files = STAN_DIR / "latent_space.stan", _kernel_files(kernel)
    sources = _stan_closure(program, files["include_dirs"])
    if files["user_header"] is not None:
        sources |= _header_closure(files["user_header"])
    return _key(part for named in sorted(sources.items()) for part in named)


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
    main_object = _once(
        build.main_object,
        build.compile_main,
        progress,
        "compiling CmdStan's main program",
        "about a minute, once",
    )
    executable = _once(
        build.executable,
        lambda folder: build.compile_model(folder, main_object),
        progress,
        f"compiling {build.program.name}",
        "about 20 s, once",
    )
    return cmdstanpy.CmdStanModel(exe_file=executable)


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
        return cache_dir() / "main" / f"{_key(self._common)}.o"

    @property
    def executable(self) -> Path:
        """Where the executable is kept; it is there once it is compiled."""
        headers = (part for header in self.headers.items() for part in header)
        key = _key([*self._common, self.translated, *headers])
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
        headers={} if user_header is None else _header_closure(user_header),
        variables=tuple(variables),
        flags=ask_make(toolchain.make, toolchain.path, *variables, "compile_info"),
        main={name: (STAN_DIR / name).read_bytes() for name in MAIN},
    )


def write_data(path: Path, data: Mapping[str, Any]) -> Path:
    """Write Stan data as JSON to a file.

    Numbers keep their last digit. Millions of them take a fraction of CmdStanPy's time.

    Parameters
    ----------
    path : Path
        The file.
    data : mapping of str to object
        Stan data.

    Returns
    -------
    Path
        The file.
    """
    path.write_bytes(to_json(data, fallback=lambda array: array.tolist()))
    return path


def log_prob_grad(
    model: cmdstanpy.CmdStanModel,
    data: Mapping[str, Any] | Path,
    unconstrained: FloatArray,
    *,
    threads: int = 1,
) -> tuple[FloatArray, FloatArray]:
    """Evaluate a model's log density and gradient, exactly as its sampler does.

    Parameters
    ----------
    model : cmdstanpy.CmdStanModel
        A model that this module compiled.
    data : mapping of str to object, or Path
        Stan data, or a JSON file of them.
    unconstrained : ndarray of shape (M, P)
        M positions on the unconstrained scale, P numbers each.
    threads : int, default 1
        How many of Stan's own threads run, where they are compiled in.

    Returns
    -------
    log_density : ndarray of shape (M,)
        Log densities, in nats, with every constant and the Jacobian of the constraining transforms;
        -inf where the model rejects the position.
    gradient : ndarray of shape (M, P)
        Gradients; NaN where the model rejects the position.

    Raises
    ------
    InferenceError
        If the executable fails, or the model has not P parameters.
    """
    rows = np.ascontiguousarray(unconstrained, dtype=np.float64)
    n_rows, n_parameters = rows.shape
    with tempfile.TemporaryDirectory(prefix="lsm-stan-") as folder:
        positions, output = Path(folder, "positions"), Path(folder, "output")
        data_file = data if isinstance(data, Path) else write_data(Path(folder, "data.json"), data)
        rows.tofile(positions)
        run = subprocess.run(
            [str(model.exe_file), "log_prob_grad", data_file, positions, output],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "STAN_NUM_THREADS": str(threads)},
        )
        if run.returncode:
            last = (run.stdout + run.stderr).splitlines()[-LAST_LINES:]
            raise InferenceError(
                "\n".join([f"log_prob_grad of {model.name} failed ({run.returncode}):", *last])
            )
        result = np.fromfile(output)
    if result.size != n_rows * (1 + n_parameters):
        raise InferenceError(f"{model.name} does not have {n_parameters} unconstrained parameters")
    table = result.reshape(n_rows, 1 + n_parameters)
    return table[:, 0].copy(), table[:, 1:].copy()


def _kernel_dir(kernel: Kernel) -> Path:
    return STAN_DIR / ("kernel" if kernel == "cpp" else "functions")


def _kernel_files(kernel: Kernel) -> dict[str, Any]:
    """Return what makes a program use a kernel, as arguments of :func:`plan_build`."""
    folder = _kernel_dir(kernel)
    return {
        # pair_sums.stan is taken from the first, what both have in common from the second
        "include_dirs": [folder, STAN_DIR / "functions"],
        "user_header": folder / "pair_sums.hpp" if kernel == "cpp" else None,
    }


def _once(
    target: Path,
    build: Callable[[Path], Path],
    progress: Progress,
    purpose: str,
    duration: str,
) -> Path:
    """Build a file of the cache if it is not there.

    Parameters
    ----------
    target
        The file. It appears at once and whole, or not at all.
    build
        Makes it in the temporary folder it is given, and returns where.
    progress, purpose, duration
        Takes the line that says what is being done and how long it takes.
    """
    if target.exists():
        return target
    name = "-".join(target.relative_to(cache_dir()).parts)
    with cache_lock(name, progress, purpose):
        if not target.exists():  # while waiting for the lock, another may have built it
            progress(f"{purpose} ({duration})…")
            # Not in the cache: make cannot work in a path with a space.
            with tempfile.TemporaryDirectory(prefix="lsm-stan-") as folder:
                built = build(Path(folder))
                target.parent.mkdir(parents=True, exist_ok=True)
                partial = target.with_suffix(".partial")
                shutil.copy(built, partial)
                partial.replace(target)
    return target


def _translate(
    program: Path, include_dirs: Sequence[Path], allow_undefined: bool, toolchain: Toolchain
) -> bytes:
    """Translate a Stan program to C++ by stanc: what the key is made of."""
    # Names in messages, which are in the C++ too, are the same wherever the files lie.
    relative_dirs = [os.path.relpath(path, program.parent) for path in include_dirs]
    with tempfile.TemporaryDirectory(prefix="lsm-stan-") as folder:
        output = Path(folder, "model.hpp")
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
            raise ToolchainError(f"{program} does not compile:\n{stanc.stderr.strip()}")
        return output.read_bytes()


def _stan_closure(program: Path, include_dirs: Sequence[Path]) -> dict[str, bytes]:
    """Read a Stan program and the files that it includes, by their names."""
    texts = {program.name: program.read_bytes()}
    for name in re.findall(r"^\s*#include (\S+)", texts[program.name].decode(), re.MULTILINE):
        path = next(folder / name for folder in include_dirs if (folder / name).is_file())
        texts[name] = path.read_bytes()
    return texts


def _header_closure(header: Path) -> dict[str, bytes]:
    """Read a header and those it includes in quotes, by their path from its folder."""
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


def _key(parts: Iterable[str | bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        text = part.encode() if isinstance(part, str) else part
        digest.update(len(text).to_bytes(8, "big") + text)
    return digest.hexdigest()[:16]


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
        raise ToolchainError("\n".join([f"{source} does not compile:", *shown]))
