"""A page of findings, figures and tables: one HTML file that needs nothing besides itself.

What the page shows is handed over as a :class:`Page`; every text in it is escaped. Its look and
behaviour are in ``templates/``.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure
from plotly.offline import get_plotlyjs

from lsm_stan.errors import InputError
from lsm_stan.files import as_csv, as_png, write_whole
from lsm_stan.posterior.checks import Finding

#: The page among the files of its folder.
INDEX = "index.html"

_FILE_STEM = re.compile(r"\w[\w.-]*")

#: Text that is set as a number: digits with separators, perhaps a spread or a unit after them, or
#: a bound.
_NUMBER = re.compile(
    r"([<>] )?[-+\N{MINUS SIGN}]?[\d.,]*\d(e[-+]?\d+)?( ?[±%×].*)?|[-+\N{MINUS SIGN}]?inf|"
)


@dataclass(frozen=True, eq=False)
class PageFigure:
    """A figure: still, interactive, or interactive with a still one for paper.

    Attributes
    ----------
    name
        File stem of its PNG, ``figures/<name>.png``.
    caption
        What to look for; also its alternative text.
    figure
        The still figure.
    html
        Shown in place of the still where JavaScript and WebGL are there: what
        :func:`lsm_stan.report.interactive.fragment` returns. Trusted, unlike all other text.
    """

    name: str
    caption: str
    figure: Figure | None
    html: str | None = None


@dataclass(frozen=True, eq=False)
class PageTable:
    """A table.

    Attributes
    ----------
    name
        File stem of its CSV.
    caption
        What to look for.
    frame
        The whole table; its index is not part of it.
    shown
        What the page shows of it, as text; `frame` with rounded numbers where None.
    """

    name: str
    caption: str
    frame: pd.DataFrame
    shown: pd.DataFrame | None = None


@dataclass(frozen=True, eq=False)
class Section:
    """A section; empty lines part the paragraphs of its intro."""

    title: str
    intro: str
    items: Sequence[PageFigure | PageTable | Sequence[Finding]]


@dataclass(frozen=True, eq=False)
class Page:
    """What a page shows, from top to bottom; facts are short, by what they are facts of."""

    title: str
    subtitle: str
    facts: Mapping[str, str]
    findings: Sequence[Finding]
    sections: Sequence[Section]
    footer: str


def write_page(page: Page, folder: Path) -> Path:
    """Write a page as ``index.html``, and its figures and tables beside it.

    Everything is rendered before anything is written, each file appears only when whole, and
    the page comes last. Other files in the folder stay as they are.

    Parameters
    ----------
    page
        What to show.
    folder
        Where; made if it is not there.

    Returns
    -------
    pathlib.Path
        ``index.html``: it holds the figures and tables too, and can be sent by itself.

    Raises
    ------
    InputError
        If two figures or two tables have the same name, if a name cannot be a file's, or if
        ``folder`` is a file.
    """
    files = page_files(page)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; name a folder for the page")
    for name, content in files.items():
        write_whole(folder / name, content)
    return folder / INDEX


def file_stems(names: Iterable[str]) -> dict[str, str]:
    """Return a file stem for every name, say of a folder, each a different one."""
    stems: dict[str, str] = {}
    for name in names:
        # the end of a long path: file systems have a limit
        stem = "-".join(re.findall(r"[\w.-]+", name))[-100:].lstrip("-.") or "unnamed"
        while stem in stems.values():
            stem += "_"
        stems[name] = stem
    return stems


def page_files(page: Page) -> dict[str, bytes]:
    """Render a page: the content of each of its files by relative path, ``index.html`` last."""
    items = [item for section in page.sections for item in section.items]
    figures = [item for item in items if isinstance(item, PageFigure)]
    tables = [item for item in items if isinstance(item, PageTable)]
    _check_names("figure", [figure.name for figure in figures])
    _check_names("table", [table.name for table in tables])
    pngs = {figure.name: as_png(figure.figure) for figure in figures if figure.figure is not None}
    csvs = {table.name: as_csv(table.frame) for table in tables}
    interactive = any(figure.html is not None for figure in figures)
    html = _ENVIRONMENT.get_template("page.html.jinja").render(
        page=page,
        pngs={name: b64encode(content).decode() for name, content in pngs.items()},
        csvs={name: b64encode(content).decode() for name, content in csvs.items()},
        plotly=get_plotlyjs() if interactive else None,
    )
    return {
        **{f"figures/{name}.png": content for name, content in pngs.items()},
        **{f"{name}.csv": content for name, content in csvs.items()},
        INDEX: html.encode(),
    }


def _check_names(kind: str, names: Sequence[str]) -> None:
    """Raise InputError unless names are different and fit for files."""
    for name in names:
        if not _FILE_STEM.fullmatch(name):
            raise InputError(
                f"the {kind} name {name!r} cannot be a file's; use letters, digits, '_', '.', '-'"
            )
        if names.count(name) > 1:
            raise InputError(f"two {kind}s are named {name!r}; give each a name of its own")


def _columns(table: PageTable) -> list[tuple[str, bool, list[str]]]:
    """Return what is shown of a table, by columns: heading, whether of numbers, cells."""
    shown = table.frame if table.shown is None else table.shown
    columns = [(str(name), _as_text(shown[name])) for name in shown.columns]
    return [(name, all(map(_NUMBER.fullmatch, cells)), cells) for name, cells in columns]


def _as_text(column: pd.Series[Any]) -> list[str]:
    """Return cells as text: four figures of the largest number, nothing for what is missing."""
    form = "{}"
    if pd.api.types.is_bool_dtype(column):
        column = column.map({True: "yes", False: "no"})
    elif pd.api.types.is_integer_dtype(column):
        form = "{:,}"
    elif pd.api.types.is_float_dtype(column):
        finite = column[np.isfinite(column)].abs()
        largest = finite.max() if len(finite) else 0
        # a column of counts with gaps is one of floats in pandas
        if (finite % 1 == 0).all() and largest < 1e9:
            form = "{:,.0f}"
        elif 1e-3 <= largest < 1e9:
            form = f"{{:,.{max(1, 3 - int(np.floor(np.log10(largest))))}f}}"
        else:
            form = "{:.3g}"
    return ["" if pd.isna(cell) else form.format(cell) for cell in column]


_ENVIRONMENT = Environment(
    loader=PackageLoader("lsm_stan.report"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.tests["figure"] = lambda item: isinstance(item, PageFigure)
_ENVIRONMENT.tests["table"] = lambda item: isinstance(item, PageTable)
_ENVIRONMENT.filters["columns"] = _columns
