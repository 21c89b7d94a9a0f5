"""Whether a compiled program is right: one density of a small network, beside SciPy's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cmdstanpy
import numpy as np
from scipy import stats

from lsm_stan.choices import Kernel
from lsm_stan.cmdstan.compilation import find_compiled, first_error
from lsm_stan.cmdstan.density import log_prob_grad
from lsm_stan.cmdstan.find import Toolchain
from lsm_stan.errors import InferenceError, ToolchainError
from lsm_stan.model.stan_data import DIAGONAL_JITTER, stan_data
from lsm_stan.network.network import Network

#: Largest relative error of a density that is right.
TOLERANCE = 1e-10


@dataclass(frozen=True)
class KernelCheck:
    """What is known about the program with one kernel.

    Attributes
    ----------
    kernel : {"cpp", "stan"}
        What the likelihood's sums are in.
    state : {"right", "wrong", "missing"}
        ``"missing"``: not compiled yet.
    message : str
        The state in words, with the error where there is one.
    """

    kernel: Kernel
    state: Literal["right", "wrong", "missing"]
    message: str


def check_kernel(kernel: Kernel, toolchain: Toolchain) -> KernelCheck:
    """Look whether the program with a kernel is compiled, and right; compile nothing.

    Parameters
    ----------
    kernel : {"cpp", "stan"}
        What the likelihood's sums are in.
    toolchain : Toolchain
        What would compile it.

    Returns
    -------
    KernelCheck
    """
    try:
        model = find_compiled(kernel, toolchain)
    except ToolchainError as error:
        message = f"stanc of CmdStan {toolchain.version} refuses it: {first_error(error)}"
        return KernelCheck(kernel, "wrong", message)
    if model is None:
        return KernelCheck(kernel, "missing", "not compiled yet")
    return check_program(kernel, model)


def check_program(kernel: Kernel, model: cmdstanpy.CmdStanModel) -> KernelCheck:
    """Compare a compiled program's density of a small network with SciPy's.

    Parameters
    ----------
    kernel : {"cpp", "stan"}
        The kernel that it was compiled with.
    model : cmdstanpy.CmdStanModel
        The latent space program.

    Returns
    -------
    KernelCheck
    """
    weights = np.diag([2, 1, 4, 1], k=1) + np.diag([3, 0, 1], k=-2)
    z = np.array([[0, 0, 1.0], [1, 0, 0], [0, 2, 0], [-1, 0.5, 0], [0.3, -1, 2]])
    squared = ((z[:, None] - z) ** 2).sum(axis=-1) + DIAGONAL_JITTER * np.eye(len(z))
    expected = stats.norm.logpdf(z).sum() + stats.poisson.logpmf(weights, squared**-0.5).sum()
    data = stan_data(Network.from_matrix(weights), z.shape[1])
    try:
        density = float(log_prob_grad(model, data, z.T.reshape(1, -1))[0][0])
    except InferenceError as error:
        return KernelCheck(kernel, "wrong", f"compiled, but it does not run: {error}")
    difference = abs(density / expected - 1)
    if difference <= TOLERANCE:
        return KernelCheck(kernel, "right", f"compiled; a density equals SciPy's to {TOLERANCE:g}")
    return KernelCheck(
        kernel,
        "wrong",
        f"compiled, but a log density is {density:.12g} where SciPy's is {expected:.12g}; remove"
        f" {model.exe_file} and run `lsm-stan setup`",
    )
