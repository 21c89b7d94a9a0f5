"""A page of findings, figures and tables, and its HTML: one file that needs nothing besides itself.

What the page shows is handed over as a :class:`Page`. HTML escapes every text in it; its look and
behaviour are in ``templates/``. :mod:`lsm_stan.report.markdown` renders the same page for a
repository.
"""

from __future__ import annotations

import gzip
import json
import re
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import TypeAlias

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure
from plotly.offline import get_plotlyjs

from lsm_stan.criticism.meanings import MEANINGS, Meaning
from lsm_stan.errors import InputError
from lsm_stan.files import as_csv, as_png, write_files
from lsm_stan.posterior.checks import Finding
from lsm_stan.report.panels import panel_boxes
from lsm_stan.text import as_text

#: The page among the files of its folder.
INDEX = "index.html"

#: The folder of still figures, beside it, and the page's facts and sentences for programs.
FIGURES, SENTENCES = "figures", "page.json"

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
    name : str
        File stem of its PNG, ``figures/<name>.png``.
    caption : str
        What to look for; also its alternative text.
    figure : Figure or None
        The still figure.
    html : str or None
        What :func:`lsm_stan.report.interactive.fragment` returns: it takes the still figure's place
        where JavaScript and WebGL are there. It is not escaped, unlike all other text.
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
    name : str or None
        File stem of its CSV, of the whole table; None where the page shows all there is.
    caption : str
        What to look for.
    frame : DataFrame
        The whole table; its index is not part of it.
    shown : DataFrame or None
        What the page shows of it, numbers rounded; `frame` where None.
    """

    name: str | None
    caption: str
    frame: pd.DataFrame
    shown: pd.DataFrame | None = None


@dataclass(frozen=True)
class Command:
    """A command to copy.

    Attributes
    ----------
    text : str
        What is typed, a line a command.
    """

    text: str


#: A list of points: sentences of a verdict, or others.
Points: TypeAlias = Sequence[Finding | str]

#: What a section shows.
Item: TypeAlias = PageFigure | PageTable | Command | Points | str


@dataclass(frozen=True, eq=False)
class Section:
    """A section of a page.

    Attributes
    ----------
    title : str
        Its heading.
    intro : str
        Text before the items; empty lines part paragraphs.
    items : sequence of PageFigure, PageTable, Command, Points or str
        Figures, tables, commands, lists of points, and paragraphs as text.
    folded : bool
        Whether the items are hidden until the reader asks for them.
    """

    title: str
    intro: str
    items: Sequence[Item]
    folded: bool = False


@dataclass(frozen=True, eq=False)
class Page:
    """What a page shows, from top to bottom.

    Attributes
    ----------
    title, subtitle : str
        Heading, and the line below it.
    facts : Mapping of str to str
        Short facts, by what they are facts of.
    summary : sequence of Section
        What to read first; without a heading where a title is empty.
    sections : sequence of Section
        Figures, tables and text.
    footer : str
        Last line.
    """

    title: str
    subtitle: str
    facts: Mapping[str, str]
    summary: Sequence[Section]
    sections: Sequence[Section]
    footer: str


def write_page(page: Page, folder: Path) -> Path:
    """Write a page as ``index.html``, and its figures and tables beside it.

    Everything is rendered and written before any file appears, the page first, by which the folder
    is known. Other files in the folder stay as they are.

    Parameters
    ----------
    page : Page
        What to show.
    folder : Path
        Folder of the page; it is made if it is not there.

    Returns
    -------
    Path
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
    write_files(folder, files)
    return folder / INDEX


def file_stems(names: Iterable[str]) -> dict[str, str]:
    """Return a file stem for every name, say of a folder, each a different one.

    Parameters
    ----------
    names : iterable of str
        Names, each once.

    Returns
    -------
    dict of str to str
        Stems by name.

    Examples
    --------
    >>> file_stems(["fits/map", "fits-map"])
    {'fits/map': 'fits-map', 'fits-map': 'fits-map_'}
    """
    stems: dict[str, str] = {}
    for name in names:
        # the end of a long path: file systems have a limit
        stem = "-".join(re.findall(r"[\w.-]+", name))[-100:].lstrip("-.") or "unnamed"
        while stem in stems.values():
            stem += "_"
        stems[name] = stem
    return stems


def page_files(page: Page) -> dict[str, bytes]:
    """Render a page: the content of each of its files by relative path, ``index.html`` last.

    Parameters
    ----------
    page : Page
        What to show.

    Returns
    -------
    dict of str to bytes
    """
    files = attachments(page)
    figures = [item for item in _items(page) if isinstance(item, PageFigure)]
    html = _ENVIRONMENT.get_template("page.html.jinja").render(
        page=page,
        base64={name: b64encode(content).decode() for name, content in files.items()},
        panels={f.name: panel_boxes(f.figure) for f in figures if f.figure is not None},
        plotly=_plotly() if any(figure.html is not None for figure in figures) else None,
        meanings=_meanings(page),
    )
    return {**files, SENTENCES: _as_json(page), INDEX: html.encode()}


def attachments(page: Page) -> dict[str, bytes]:
    """Return the figures and tables of a page: the content of each file by relative path.

    Parameters
    ----------
    page : Page
        What to show.

    Returns
    -------
    dict of str to bytes
    """
    figures = [item for item in _items(page) if isinstance(item, PageFigure)]
    tables = [item for item in _items(page) if isinstance(item, PageTable)]
    _check_names("figure", [figure.name for figure in figures])
    _check_names("table", [table.name for table in tables if table.name is not None])
    return {
        **{png_path(f): as_png(f.figure) for f in figures if f.figure is not None},
        **{csv_path(table): as_csv(table.frame) for table in tables if table.name is not None},
    }


def png_path(figure: PageFigure) -> str:
    """Return the file of a still figure, relative to the page.

    Parameters
    ----------
    figure : PageFigure
        A figure.

    Returns
    -------
    str
    """
    return f"{FIGURES}/{figure.name}.png"


def csv_path(table: PageTable) -> str:
    """Return the file of a whole table, relative to the page.

    Parameters
    ----------
    table : PageTable
        A table.

    Returns
    -------
    str
    """
    return f"{table.name}.csv"


@cache
def _plotly() -> str:
    """Return plotly.js, compressed, as text: pages unpack it when their first figure is reached."""
    return b64encode(gzip.compress(get_plotlyjs().encode(), mtime=0)).decode()


def _findings(page: Page) -> list[Finding | str]:
    """Return the points of a page, and its paragraphs, in their order."""
    lists = [item for item in _items(page) if isinstance(item, Sequence)]
    return [point for item in lists for point in ([item] if isinstance(item, str) else item)]


def _meanings(page: Page) -> dict[str, Meaning]:
    """Return what the sentences of a page mean, by what they are about."""
    about = {one.about for one in _findings(page) if isinstance(one, Finding)}
    return {name: meaning for name, meaning in MEANINGS.items() if name in about}


def _as_json(page: Page) -> bytes:
    """Return the facts and the sentences of a page: with the tables all that it has in numbers."""
    sections = [
        {
            "title": section.title,
            "text": section.intro,
            "sentences": [
                {"text": one} if isinstance(one, str) else asdict(one)
                for one in _findings(replace(page, summary=[section], sections=[]))
            ],
            "commands": [item.text for item in section.items if isinstance(item, Command)],
        }
        for section in (*page.summary, *page.sections)
    ]
    whole = {"title": page.title, "facts": dict(page.facts), "sections": sections}
    return json.dumps(whole, ensure_ascii=False, indent=1).encode()


def _items(page: Page) -> list[Item]:
    return [item for section in (*page.summary, *page.sections) for item in section.items]


def _check_names(kind: str, names: Sequence[str]) -> None:
    """Raise InputError unless names are different and fit for files."""
    for name in names:
        if not _FILE_STEM.fullmatch(name):
            raise InputError(
                f"the {kind} name {name!r} cannot be a file's; use letters, digits, '_', '.', '-'"
            )
        if names.count(name) > 1:
            raise InputError(f"two {kind}s are named {name!r}; give each a name of its own")


def columns(table: PageTable) -> list[tuple[str, bool, list[str]]]:
    """Return what is shown of a table, by columns.

    Parameters
    ----------
    table : PageTable
        A table.

    Returns
    -------
    list of tuple of (str, bool, list of str)
        Heading, whether the column is of numbers, and cells, as text.
    """
    shown = as_text(table.frame if table.shown is None else table.shown)
    cells = {str(name): shown[name].tolist() for name in shown.columns}
    return [(name, all(map(_NUMBER.fullmatch, texts)), texts) for name, texts in cells.items()]


_ENVIRONMENT = Environment(
    loader=PackageLoader("lsm_stan.report"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.tests["figure"] = lambda item: isinstance(item, PageFigure)
_ENVIRONMENT.tests["command"] = lambda item: isinstance(item, Command)
_ENVIRONMENT.tests["table"] = lambda item: isinstance(item, PageTable)
_ENVIRONMENT.filters.update(columns=columns, png_path=png_path, csv_path=csv_path)
