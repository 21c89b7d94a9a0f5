"""A Chromium for the tests that look at a page: this machine's, or one that can be installed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Playwright

#: WebGL without a graphics card.
WEBGL = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader")

MISSING = (
    "no Chromium: none on PATH, and neither `playwright install chromium` nor apt-get brought one"
)


def find_chromium(playwright: Playwright) -> str | None:
    """Return the path of a Chromium, installed if need be; None where that fails, see MISSING."""
    if on_path := _on_path():
        return on_path
    own = Path(playwright.chromium.executable_path)
    if own.exists() or _runs(sys.executable, "-m", "playwright", "install", "chromium"):
        return str(own)
    if os.geteuid() == 0 and _runs("apt-get", "update"):
        _runs("apt-get", "install", "--yes", "chromium")
    return _on_path()


def _on_path() -> str | None:
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for path in map(shutil.which, names) if path), None)


def _runs(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, timeout=600).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
