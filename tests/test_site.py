"""The documentation site: built without a warning, every link leads somewhere."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.makefile import ROOT, recipe

BROKEN = """<a href="there.html#part"></a><a href="there.html#nowhere"></a>
<img src="none.png"><a href="https://elsewhere.org/x"></a><a href="#here"></a><p id="here">"""


def check(folder: Path) -> subprocess.CompletedProcess[str]:
    script = ROOT / "docs" / "check_links.py"
    return subprocess.run([sys.executable, script, folder], capture_output=True, text=True)


def test_broken_links_are_named(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text(BROKEN, encoding="utf-8")
    (tmp_path / "there.html").write_text('<h2 id="part">x</h2>', encoding="utf-8")
    outcome = check(tmp_path)
    assert outcome.returncode == 1
    assert outcome.stdout.split("\n")[:2] == [
        "index.html: there.html#nowhere",
        "index.html: none.png",
    ]


@pytest.mark.slow
def test_make_docs(tmp_path: Path) -> None:
    pytest.importorskip("sphinx", reason="pip install .[docs]")
    build, links = recipe("docs").splitlines()
    assert "check_links.py docs/_build/html" in links
    assert "-W --keep-going" in build
    command = build.split()[1:-1]
    run = subprocess.run(
        [sys.executable, "-m", "sphinx", *command, tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    outcome = check(tmp_path)
    assert outcome.returncode == 0, outcome.stdout
