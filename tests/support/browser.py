"""A Chromium for the tests that look at a page, and what they do in it."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock
from playwright.sync_api import Browser, Page, Playwright

#: WebGL without a graphics card.
WEBGL = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader")

MISSING = (
    "no Chromium: none on PATH, and neither `playwright install chromium` nor apt-get brought one"
)


def find_chromium(playwright: Playwright) -> str | None:
    """Return the path of a Chromium, installed if need be; None where that fails, see MISSING."""
    # one process at a time: what another is installing is neither there nor missing
    with FileLock(Path(tempfile.gettempdir(), f"lsm-stan-chromium-{os.geteuid()}.lock")):
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


@contextmanager
def opened_offline(browser: Browser, page: Path) -> Iterator[tuple[Page, list[str]]]:
    """Open a page with no network; yield it and its errors and requests to elsewhere."""
    context = browser.new_context(offline=True)
    view = context.new_page()
    troubles: list[str] = []
    view.on("pageerror", lambda error: troubles.append(str(error)))
    view.on("console", lambda m: troubles.append(m.text) if m.type == "error" else None)
    view.on(
        "request",
        lambda r: None if r.url.startswith(("file:", "data:", "blob:")) else troubles.append(r.url),
    )
    view.goto(page.as_uri())
    yield view, troubles
    context.close()


def drawn(view: Page, number: int) -> Any:
    """Scroll to an interactive figure and wait until it is there."""
    plot = view.locator(f"#plot-{number}")
    plot.scroll_into_view_if_needed()
    # the box to find a node comes last
    view.locator(".interactive").nth(number).locator(".find").wait_for()
    return plot


def scrolled(view: Page) -> None:
    """Scroll through a page until every still figure is there."""
    for still in view.locator("figure:has(.still)").all():
        still.scroll_into_view_if_needed()
        still.locator(".still img").wait_for(state="attached")
    view.wait_for_function("[...document.images].every(image => image.complete)")


def hover_text(view: Page, number: int) -> str:
    """Return what the label of a pointed-at node says."""
    label = view.locator(f"#plot-{number} .hovertext").first
    label.wait_for()
    return label.text_content() or ""


def point_at(view: Page, number: int, node: str) -> None:
    """Move the mouse to where plotly's camera puts a node of a 3-D figure."""
    drawn(view, number)
    view.wait_for_function(
        f"document.getElementById('plot-{number}')._fullLayout.scene._scene.glplot.cameraParams"
    )
    x, y = view.evaluate(PLACE, [number, node])
    view.mouse.move(x + 40, y + 40)
    view.mouse.move(x, y, steps=5)


PLACE = """([number, node]) => {
  const plot = document.getElementById(`plot-${number}`);
  const scene = plot._fullLayout.scene._scene;
  const trace = plot.data.find(t => (t.ids || []).includes(node));
  const i = trace.ids.indexOf(node);
  let v = ["x", "y", "z"].map((axis, k) => trace[axis][i] * scene.dataScale[k]).concat(1);
  const { model, view, projection } = scene.glplot.cameraParams;
  for (const m of [model, view, projection]) {
    v = [0, 1, 2, 3].map(row => v.reduce((sum, x, k) => sum + m[4 * k + row] * x, 0));
  }
  const box = scene.container.getBoundingClientRect();
  const [right, up] = [v[0] / v[3], v[1] / v[3]];
  return [box.x + (box.width * (1 + right)) / 2, box.y + (box.height * (1 - up)) / 2];
}"""
