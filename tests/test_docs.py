"""The Python code of README and docs runs as it stands, under the ArviZ that is installed."""

import re
from pathlib import Path
from typing import Any

import arviz as az
import matplotlib.pyplot as plt
import numpy as np
import pytest

from lsm_stan.cmdstan.find import Toolchain

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
OTHER = "# ArviZ 1\n" if hasattr(az, "waic") else "# before ArviZ 1\n"

#: Links to files, and to headings of a page; not to the web.
LINK = re.compile(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)")


def code_blocks(page: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def run_page(page: Path) -> dict[str, Any]:
    """Run the code of a page, but what is for the other ArviZ, and return its variables."""
    names: dict[str, Any] = {}
    for block in code_blocks(page):
        if not block.startswith(OTHER):
            exec(compile(block, str(page), "exec"), names)
            plt.close("all")
    return names


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Estimated shape parameter of Pareto:UserWarning")  # as it says
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # ArviZ 0.23 on pandas 3, Matplotlib 3.11
def test_the_page_on_arviz_runs(toolchain: Toolchain) -> None:
    names = run_page(ROOT / "docs" / "arviz.md")
    ours, theirs = names["ours"], names["theirs"]
    elpd = theirs.elpd_loo if hasattr(theirs, "elpd_loo") else theirs.elpd
    assert ours.elpd == pytest.approx(elpd, abs=1e-8)
    network = names["network"]
    assert np.asarray(names["pit"] if hasattr(az, "waic") else names["pit"]["weight"]).shape == (
        network.n_observed,
    )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # ArviZ 0.23 on pandas 3
@pytest.mark.parametrize("page", ["README.md", "docs/python.md"])
def test_a_page_runs_and_ends_in_a_report(
    page: str, toolchain: Toolchain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = run_page(ROOT / page)
    text = (tmp_path / "page" / "index.html").read_text(encoding="utf-8")
    assert names["network"].title in text


def test_code_is_for_each_arviz() -> None:
    starts = [block.split("\n")[0] for block in code_blocks(ROOT / "docs" / "arviz.md")]
    assert starts.count("# ArviZ 1") >= 3
    assert starts.count("# before ArviZ 1") >= 3


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for file, heading in LINK.findall(page.read_text(encoding="utf-8")):
        target = page.parent / file if file else page
        assert target.exists(), file
        if heading:
            titles = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            anchors = [re.sub(r"[^\w\- ]", "", title).lower().replace(" ", "-") for title in titles]
            assert heading in anchors


def test_every_page_is_named_in_the_readme() -> None:
    named = {(ROOT / file).resolve() for file, _ in LINK.findall(PAGES[0].read_text("utf-8"))}
    assert {page.resolve() for page in PAGES[1:]} <= named
