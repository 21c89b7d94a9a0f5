"""Targets of the Makefile in their quick form."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def targets() -> set[str]:
    """Return the names of all targets that are no files."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^\.PHONY: (.*)", text, flags=re.MULTILINE)[0].split())


def recipe(target: str) -> str:
    """Return the lines that make a target."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    [lines] = re.findall(rf"^{target}:.*\n((?:\t.*\n)+)", text, flags=re.MULTILINE)
    return str(lines)


def commands(target: str) -> list[list[str]]:
    """Return the commands of Python that make a target, as lists of arguments."""
    return [shlex.split(line) for line in re.findall(r"\$\(BIN\)/python (.*)", recipe(target))]


def run_quickly(target: str, folder: Path) -> str:
    """Run a target's one command with ``--quick`` into a folder; return the README it writes."""
    [command] = commands(target)
    module = command[: command.index("-m") + 2]  # the Makefile names the folder after it
    run = subprocess.run(
        [sys.executable, *module, str(folder), "--quick"], capture_output=True, text=True, cwd=ROOT
    )
    assert run.returncode == 0, run.stderr
    return (folder / "README.md").read_text(encoding="utf-8")


def links(text: str) -> list[str]:
    """Return the files that a page of Markdown shows or links to."""
    return re.findall(r"\]\(([\w./-]+)\)", text)
