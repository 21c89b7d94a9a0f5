"""What the model's Stan program was compiled to: one value, which nothing changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import cmdstanpy

from lsm_stan.choices import Kernel
from lsm_stan.cmdstan.compilation import compile_with_fallback, find_compiled_before
from lsm_stan.cmdstan.density import Density
from lsm_stan.cmdstan.find import Toolchain
from lsm_stan.cmdstan.install import ensure_toolchain
from lsm_stan.cmdstan.sources import sources_digest
from lsm_stan.errors import ToolchainError
from lsm_stan.progress import print_progress
from lsm_stan.typing import FloatArray


@dataclass(frozen=True)
class Compiled:
    """The compiled Stan program of the model.

    Attributes
    ----------
    executable : cmdstanpy.CmdStanModel
        What CmdStanPy runs.
    kernel : {"cpp", "stan"}
        What the likelihood's sums are in.
    program : str
        Digest of the Stan program's sources, the kernel's included, as they were compiled.
    toolchain : Toolchain
        The CmdStan and the compiler.
    threads : int
        How many threads each process of it shares the sum over pairs among.
    """

    executable: cmdstanpy.CmdStanModel
    kernel: Kernel
    program: str
    toolchain: Toolchain
    threads: int = 1

    def as_record(self) -> dict[str, Any]:
        """Return what a record says about it.

        Returns
        -------
        dict of str to object
        """
        return {"kernel": self.kernel, "threads": self.threads}

    def density(self, data: Mapping[str, Any] | Path) -> Density:
        """Start a process that answers for the log density.

        Parameters
        ----------
        data : mapping of str to object, or Path
            Stan data, or a JSON file of them.

        Returns
        -------
        Density
            A context; the process ends with it.
        """
        return Density(Path(str(self.executable.exe_file)), data, threads=self.threads)

    def log_prob_grad(
        self, data: Mapping[str, Any] | Path, points: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Evaluate log density and gradient once.

        Parameters
        ----------
        data : mapping of str to object, or Path
            Stan data, or a JSON file of them.
        points : ndarray of shape (M, P)
            Positions on the unconstrained scale.

        Returns
        -------
        log_density : ndarray of shape (M,)
            Log densities, in nats.
        gradient : ndarray of shape (M, P)
            Gradients.
        """
        with self.density(data) as density:
            return density.log_prob_grad(points)


def compile_latent_space(kernel: Kernel = "cpp", threads: int = 1) -> Compiled:
    """Compile ``stan/latent_space.stan``, or find it compiled.

    Parameters
    ----------
    kernel : {"cpp", "stan"}
        The one that is asked for; if C++ does not compile, a warning says so and the Stan
        functions are taken.
    threads : int
        Threads of each process; more than 1 compiles Stan's own threads in.

    Returns
    -------
    Compiled

    Raises
    ------
    ToolchainError
        If there is no toolchain, or the program does not compile.
    """
    programs = {name: sources_digest(name) for name in get_args(Kernel)}  # before, not after
    try:
        toolchain = ensure_toolchain()
    except ToolchainError as error:
        before = find_compiled_before(kernel, threads=threads > 1)
        if before is None:
            raise
        executable, toolchain = before
        print_progress(f"{error}; taking the program that was compiled by {toolchain.compiler}")
        return Compiled(executable, kernel, programs[kernel], toolchain, threads)
    executable, kernel = compile_with_fallback(kernel, threads=threads > 1, toolchain=toolchain)
    return Compiled(executable, kernel, programs[kernel], toolchain, threads)
