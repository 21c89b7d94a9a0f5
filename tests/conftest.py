"""Fixtures that several test files share: a real CmdStan, and models compiled by it."""

import cmdstanpy
import pytest

from lsm_stan.compilation import STAN_DIR, compile_model
from lsm_stan.toolchain import Toolchain, ensure_toolchain


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test that uses CmdStan, so that ``-m "not cmdstan"`` leaves it out."""
    for item in items:
        if "toolchain" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.cmdstan)


@pytest.fixture(scope="session")
def toolchain() -> Toolchain:
    """Find the CmdStan of this machine, or install it."""
    return ensure_toolchain()


@pytest.fixture(scope="session")
def reference_model(toolchain: Toolchain) -> cmdstanpy.CmdStanModel:
    """Compile the model with the sums in the Stan language."""
    return compile_model("stan", toolchain=toolchain)


@pytest.fixture(scope="session")
def cpp_model(toolchain: Toolchain) -> cmdstanpy.CmdStanModel:
    """Compile the model with the sums in C++."""
    if not (STAN_DIR / "kernel" / "pair_sums.hpp").exists():
        pytest.skip("the C++ kernel is not there")
    return compile_model("cpp", toolchain=toolchain)
