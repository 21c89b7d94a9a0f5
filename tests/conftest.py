"""What every test file shares: settings of other tools, a real CmdStan, a real browser."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from playwright.sync_api import Browser, sync_playwright
from threadpoolctl import threadpool_limits

from lsm_stan.cmdstan.find import Toolchain
from lsm_stan.cmdstan.install import ensure_toolchain
from tests.support.browser import MISSING, WEBGL, find_chromium

# a slow or busy machine is no fault
settings.register_profile(
    "any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any-machine")

#: What makes Rich and Typer colour or fold the command line's output.
STYLING = (
    *("GITHUB_ACTIONS", "FORCE_COLOR", "PY_COLORS", "TTY_COMPATIBLE"),
    *("COLUMNS", "TERMINAL_WIDTH", "TYPER_USE_RICH"),
)


def pytest_sessionstart() -> None:
    """Take styling out of the environment, after pytest has read it; one thread for BLAS."""
    for variable in STYLING:
        os.environ.pop(variable, None)
    # tests run side by side on all cores, where threads of one wait for those of another
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    threadpool_limits(1, "blas")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests that use CmdStan or a browser, so that ``-m "not cmdstan"`` leaves them out."""
    for item in items:
        for fixture, name in (("toolchain", "cmdstan"), ("browser", "browser")):
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(name)


@pytest.fixture(scope="session")
def toolchain() -> Toolchain:
    """Find the CmdStan of this machine, or install it."""
    return ensure_toolchain()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Find a Chromium, or install it; without one the test is skipped, but fails in CI."""
    with sync_playwright() as playwright:
        path = find_chromium(playwright)
        if path is None:
            (pytest.fail if os.environ.get("CI") else pytest.skip)(MISSING)
        browser = playwright.chromium.launch(executable_path=path, args=WEBGL)
        yield browser
        browser.close()
