"""Fixtures that several test files share: a real CmdStan."""

import pytest

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
