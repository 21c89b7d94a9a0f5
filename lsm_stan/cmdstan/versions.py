"""The versions a result depends on, for its record."""

from __future__ import annotations

import platform
from importlib.metadata import version

from lsm_stan.cmdstan.find import Toolchain


def versions(toolchain: Toolchain) -> dict[str, str]:
    """Return the versions of this package, CmdStan, the compiler and the libraries between.

    Parameters
    ----------
    toolchain : Toolchain
        CmdStan and the compiler.

    Returns
    -------
    dict of str to str
        Versions by name.
    """
    packages = ("lsm-stan", "cmdstanpy", "arviz", "numpy", "scipy")
    return {
        **{name: version(name) for name in packages},
        "cmdstan": toolchain.version,
        "compiler": toolchain.compiler,
        "python": platform.python_version(),
    }
