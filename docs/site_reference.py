"""Pages from the program: its commands, and what the sentences of a report mean."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from lsm_stan.criticism import meanings
from lsm_stan.criticism.meanings import MEANINGS


def command_reference() -> str:
    """Return what Typer writes about every command, as Markdown."""
    command = (sys.executable, "-m", "typer", "lsm_stan.cli", "utils", "docs", "--name", "lsm-stan")
    written = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[1],
        env=os.environ | {"TERM": "dumb", "COLUMNS": "200", "TYPER_USE_RICH": "0"},
    ).stdout
    commands = written[written.index("\n## ") :]
    commands = re.sub(r"^## `(.*)`$", r"## \1", commands, flags=re.MULTILINE)
    # models have names with vertical bars, stars and brackets in them: no Markdown
    return re.sub(r"^\* `--help`.*\n", "", commands, flags=re.MULTILINE)


class _Commands(SphinxDirective):
    def run(self) -> list[nodes.Node]:
        self.env.note_dependency(str(Path(__file__).parents[1] / "lsm_stan" / "cli.py"))
        return self.parse_text_to_nodes(command_reference(), allow_section_headings=True)


def sentence_reference() -> str:
    """Return what the sentences of a verdict mean, as Markdown; each has an anchor."""
    return "\n\n".join(
        f"(about-{name})=\n### {meaning.title}\n\n{meaning.text}"
        for name, meaning in MEANINGS.items()
    )


class _Sentences(SphinxDirective):
    def run(self) -> list[nodes.Node]:
        self.env.note_dependency(str(meanings.__file__))
        return self.parse_text_to_nodes(sentence_reference(), allow_section_headings=True)


def setup(application: Sphinx) -> dict[str, bool]:
    """Register the directives."""
    application.add_directive("lsm-stan-sentences", _Sentences)
    application.add_directive("lsm-stan-commands", _Commands)
    return {"parallel_read_safe": True}
