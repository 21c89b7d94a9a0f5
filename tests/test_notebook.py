"""The notebook runs from a clean kernel, and is committed whole."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from lsm_stan.cmdstan.find import Toolchain
from lsm_stan.cmdstan.sources import STAN_DIR
from tests.support.makefile import ROOT, commands

NOTEBOOK = ROOT / "reports" / "celegans.ipynb"

MAX_BYTES = 1_000_000

#: At least two folders of a path from the root: not of a relative path, an address or a tag.
ABSOLUTE_PATH = re.compile(r"(?<![\w.:/<~-])(?:/[\w.+-]+){2,}|\b[A-Z]:\\\w")


def code_cells(file: Path) -> list[NotebookNode]:
    notebook = nbformat.read(file, as_version=4)
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def kinds(cell: NotebookNode) -> list[tuple[str, ...]]:
    """Return what each output of a cell is: its MIME types, or its name or type."""
    return [
        tuple(sorted(output.get("data", [output.get("name", output.output_type)])))
        for output in cell.outputs
    ]


def texts(cell: NotebookNode) -> list[str]:
    """Return a cell's source and what text its outputs hold."""
    shown = [
        text
        for output in cell.outputs
        for kind, text in [*output.get("data", {}).items(), ("text", output.get("text", ""))]
        if kind.startswith("text")
    ]
    return [cell.source, *shown]


def test_the_notebook_is_committed_whole() -> None:
    cells = code_cells(NOTEBOOK)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    actual = [kind for cell in cells for kind in kinds(cell)]
    assert ("image/png", "text/plain") in actual
    assert not {("error",), ("stderr",)} & set(actual)
    assert NOTEBOOK.stat().st_size < MAX_BYTES


def test_the_program_it_shows_is_the_one_that_is_compiled() -> None:
    program = (STAN_DIR / "latent_space.stan").read_text(encoding="utf-8")
    shown = [
        output.data["text/markdown"]
        for cell in code_cells(NOTEBOOK)
        for output in cell.outputs
        if "```stan" in output.get("data", {}).get("text/markdown", "")
    ]
    assert shown == [f"```stan\n{program[program.index('model {') :]}```"], "make notebook"


def test_the_notebook_names_no_machine() -> None:
    paths = [
        match[0]
        for cell in code_cells(NOTEBOOK)
        for text in texts(cell)
        for match in ABSOLUTE_PATH.finditer(text)
    ]
    assert paths == []
    # each output holds results only, no times of execution
    assert {key for cell in code_cells(NOTEBOOK) for key in cell.metadata} == set()


@pytest.mark.parametrize(
    ("text", "is_path"),
    [
        ("/home/me/fits", True),
        ("in '/usr/lib/python3/site.py'", True),
        (r"C:\Users\me", True),
        ("reports/celegans/README.md", False),
        ("https://mc-stan.org/docs/reference", False),
        ("<th>a</th>", False),
        ("1/d and 1 / d", False),
    ],
)
def test_absolute_paths_are_told_from_others(text: str, is_path: bool) -> None:
    assert bool(ABSOLUTE_PATH.search(text)) is is_path


@pytest.mark.slow
def test_the_notebook_runs_from_a_clean_kernel(toolchain: Toolchain, tmp_path: Path) -> None:
    file = Path(shutil.copy(NOTEBOOK, tmp_path))
    [[script, _]] = commands("notebook")
    run = subprocess.run([sys.executable, ROOT / script, file], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    committed = [kinds(cell) for cell in code_cells(NOTEBOOK)]
    # compiling, warnings of other versions: told on the error stream
    again = [[kind for kind in kinds(cell) if kind != ("stderr",)] for cell in code_cells(file)]
    assert again == committed
