"""A page as Markdown: the README of a folder of results.

Texts of such a page may have Markdown in them: emphasis, code, links.
"""

from __future__ import annotations

from lsm_stan.report.page import (
    Command,
    Item,
    Page,
    PageFigure,
    PageTable,
    Points,
    attachments,
    columns,
    csv_path,
    png_path,
)
from lsm_stan.text import MARKS

README = "README.md"


def markdown_files(page: Page) -> dict[str, bytes]:
    """Render a page: the content of each of its files by relative path, ``README.md`` last.

    Parameters
    ----------
    page : Page
        What to show.

    Returns
    -------
    dict of str to bytes
    """
    return {**attachments(page), README: as_markdown(page).encode()}


def as_markdown(page: Page) -> str:
    """Return a page as Markdown, which shows figures and names tables that lie beside it.

    Parameters
    ----------
    page : Page
        What to show.

    Returns
    -------
    str

    Examples
    --------
    >>> import pandas as pd
    >>> from lsm_stan.report.page import Page, PageTable, Section
    >>> table = PageTable("times", "Seconds.", pd.DataFrame({"fit": ["a"], "time": [1.5]}))
    >>> page = Page("Fits", "Two.", {"nodes": "3"}, [], [Section("Times", "", [table])], "")
    >>> print(as_markdown(page), end="")
    # Fits
    <BLANKLINE>
    Two.
    <BLANKLINE>
    3 nodes.
    <BLANKLINE>
    ## Times
    <BLANKLINE>
    | fit | time |
    |---|---:|
    | a | 1.5 |
    <BLANKLINE>
    Seconds. [times.csv](times.csv)
    """
    facts = ", ".join(f"{value} {name}" for name, value in page.facts.items())
    blocks = [f"# {page.title}", page.subtitle, f"{facts}." if facts else ""]
    for section in (*page.summary, *page.sections):
        blocks += [f"## {section.title}" if section.title else "", section.intro]
        if section.folded:
            blocks.append("<details><summary>Show</summary>")
        for item in section.items:
            blocks += _item(item)
        if section.folded:
            blocks.append("</details>")
    blocks.append(page.footer)
    return "\n\n".join(block for block in blocks if block) + "\n"


def _item(item: Item) -> list[str]:
    """Return the blocks of an item."""
    if isinstance(item, str):
        return [item]
    if isinstance(item, Command):
        return ["\n".join(f"    {line}" for line in item.text.splitlines())]
    if isinstance(item, PageFigure):
        shown = "" if item.figure is None else f"![{item.name}]({png_path(item)})"
        return [shown, item.caption]
    if isinstance(item, PageTable):
        link = f"[{csv_path(item)}]({csv_path(item)})" if item.name is not None else ""
        return [_table(item), f"{item.caption} {link}".strip()]
    return [_list(item)]


def _list(points: Points) -> str:
    return "\n".join(
        f"- {point}" if isinstance(point, str) else f"- {MARKS[point.kind]} {point.text}"
        for point in points
    )


def _table(table: PageTable) -> str:
    """Return a table, columns of numbers to the right."""
    shown = columns(table)
    rows = zip(*(cells for _, _, cells in shown), strict=True)
    rule = "".join("---:|" if numeric else "---|" for _, numeric, _ in shown)
    head, *body = ("| " + " | ".join(map(_cell, row)) + " |" for row in
                   [[name for name, _, _ in shown], *rows])  # fmt: skip
    return "\n".join([head, f"|{rule}", *body])


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
