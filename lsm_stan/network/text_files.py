"""Text files as people bring them: compressed or not, with comments, with any usual delimiter.

A file is UTF-8, or UTF-16 with a byte order mark, and may be compressed (``.gz``, ``.bz2``,
``.xz``). Lines before the first row that begin with ``#``, ``%`` or ``//`` are comments; the last
of them may hold the names of the columns. Below it lines that begin with ``#`` or ``%`` are
comments; a name that begins so is written in quotes, and a comment that may be a row is refused by
those who know what rows are. Cells are separated by the delimiter of the
file's suffix if that gives rows of equal length, else by tabs, semicolons, commas, bars or white
space, the first that does. Rows and columns without anything in them are not read.
"""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import lzma
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from lsm_stan.errors import InputError

#: The delimiter that the suffix of a file of tables promises; None where it promises none.
TABLES = {
    ".csv": ",",
    ".tsv": "\t",
    ".tab": "\t",
    **dict.fromkeys((".txt", ".dat", ".edges", ".edgelist", ".ncol"), None),
}

_COMPRESSION: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}

_DELIMITERS = ("\t", ";", ",", "|", " ")
_DELIMITER_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "white space"}
_COMMENT = re.compile(r"[ \t]*(#+|%+|//)([^\r\n]*)(?:\r\n|\r|\n|\Z)")
#: What comments below the first row begin with.
MARKS = "#%"
#: The mark of UTF-8, which programs that join files write more than once.
_BYTE_ORDER_MARK = "\ufeff"
#: What Excel may write above a table.
_SEPARATOR = re.compile(r"sep=(.)(?:\r\n|\r|\n)", re.IGNORECASE)
_BLANK = re.compile(r"[ \t]*(?:\r\n|\r|\n)")
#: As many characters are looked at for the delimiter.
_SAMPLE = 100_000


@dataclass(frozen=True)
class TextTable:
    """The cells of a text file.

    Attributes
    ----------
    rows : list of list of str
        Rows of equal length, at least one.
    comments : tuple of str
        The lines before the first row, without their marks.
    header : list of str or None
        The last comment's cells, if there are as many as in a row.
    mark : str
        What the last comment begins with.
    loose : bool
        Whether the last comment begins with a blank after its mark, as prose does.
    n_below : int
        Number of comments below the first row.
    above, below : tuple of list of str
        The cells, with its mark, of each comment above and below the first row that may be a row:
        as many as in a row, two of them at the start, and no blank after the mark. The comment
        that may hold the names of columns is not among them.
    loosely : tuple of list of str
        Those below that would be such but for a blank after the mark.
    """

    rows: list[list[str]]
    comments: tuple[str, ...] = ()
    header: list[str] | None = None
    mark: str = ""
    loose: bool = True
    n_below: int = 0
    above: tuple[list[str], ...] = ()
    below: tuple[list[str], ...] = ()
    loosely: tuple[list[str], ...] = ()


def inner_suffix(path: Path) -> str:
    """Return what kind of file a name promises, whether or not it is compressed.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    str
        The suffix in lower case; ``.txt`` for KONECT's ``out.NAME``.
    """
    name = Path(path.stem) if path.suffix.lower() in _COMPRESSION else path
    return ".txt" if name.name.startswith("out.") else name.suffix.lower()


def contents(path: Path) -> bytes:
    """Return what is in a file, decompressed.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    bytes
    """
    unpack = _COMPRESSION.get(path.suffix.lower())
    if unpack is None:
        return path.read_bytes()
    with unpack(path, "rb") as file:
        return bytes(file.read())


def text_of(path: Path) -> str:
    """Return the text of a file.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    str

    Raises
    ------
    InputError
        If it is not UTF-8, nor UTF-16 with a byte order mark.
    """
    content = contents(path)
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = content.decode("utf-16")
        if not re.search(r"[\r\n]", text):
            raise InputError(
                f"{path}: cannot be read as a {path.suffix} file (it begins as UTF-16 does, and has"
                f" no lines)"
            )
    else:
        try:
            text = content.decode("utf-8").lstrip(_BYTE_ORDER_MARK)
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            raise InputError(
                f"{path}: cannot be read as a {path.suffix} file (line {line} has the byte"
                f" 0x{content[error.start]:02x}, which is not UTF-8); save it as UTF-8, for"
                f" instance with iconv -f latin1 -t utf-8"
            ) from error
    if 3 * text.count("\0") > len(text):
        raise InputError(
            f"{path}: cannot be read as a {path.suffix} file (a third of its bytes are 0, as in"
            f" UTF-16 or in a file that is no text); save it as UTF-8"
        )
    return text


def read_rows(path: Path) -> TextTable:
    """Read the cells of a file as text.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    TextTable

    Raises
    ------
    InputError
        If there is nothing in it, or its rows differ in length.
    """
    text = text_of(path)
    promised = TABLES.get(inner_suffix(path))
    separator = _SEPARATOR.match(text)
    if separator:
        promised = separator[1]
    comments, start = _leading_comments(text, separator.end() if separator else 0)
    body = text[start:]
    delimiter = _delimiter(body, promised, path)
    rows: list[list[str]] = []
    lines = _Lines(io.StringIO(body, newline=""), delimiter)
    skipped = text.count("\n", 0, start)
    marks = r" \t" if delimiter == " " else re.escape(delimiter)
    padded = re.search(rf'"|[^\S\r\n{marks}]', body)  # else no cell has white space around it
    for row in _records(lines, delimiter):
        cells = [cell.strip() for cell in row] if padded else row
        if not any(cells):
            continue
        rows.append(cells)
        if len(cells) != len(rows[0]):
            line = skipped + lines.number
            names = (
                "; if rows have names, as R writes them, leave those out (row.names = FALSE)"
                if len(rows) == 2 and len(cells) == len(rows[0]) + 1
                else "; a line that lists the neighbours of a node has to be a line for each"
                if delimiter == " "
                else ""
            )
            raise InputError(
                f"{path}: line {line} has {len(cells)} cells, the first row has"
                f" {len(rows[0])}; all rows need equally many{names}"
            )
    if not rows:
        raise InputError(f"{path}: the file is empty; a network needs at least two nodes")
    header, mark, loose = None, "", True
    if comments:
        mark, mark_free = comments[-1]
        loose = mark_free[:1].isspace() or not mark_free
        cells = _row(mark_free.strip(), delimiter)
        header = cells if len(cells) == len(rows[0]) else None
    width = len(rows[0])
    above = ["".join(comment) for comment in comments[: -1 if header else None]]
    return _without_empty_columns(
        TextTable(
            rows,
            tuple(comment.strip() for _, comment in comments),
            header,
            mark,
            loose,
            len(lines.comments),
            _like_rows(above, delimiter, width),
            _like_rows(lines.comments, delimiter, width),
            _like_rows(lines.comments, delimiter, width, loose=True),
        )
    )


def _like_rows(
    comments: Sequence[str], delimiter: str, width: int, *, loose: bool = False
) -> tuple[list[str], ...]:
    """Return the cells of the comments that may be rows, by the blank after their mark."""
    tight = re.compile(r"(#+|%+|//)(?!\s)")
    rows = [_row(line, delimiter) for line in comments if bool(tight.match(line)) != loose]
    return tuple(row for row in rows if len(row) == width > 1 and row[1])


def refuse_marked(rows: Sequence[Sequence[str]], source: str) -> None:
    """Refuse the first of some comments that may be rows.

    Parameters
    ----------
    rows : sequence of sequence of str
        Their cells; there may be none.
    source : str
        File name or description, for error messages.

    Raises
    ------
    InputError
        If there is one.
    """
    if rows:
        row = rows[0]
        raise InputError(
            f"{source}: the row {', '.join(row[:4])} begins with a mark of comments; if {row[0]} is"
            f' a name, write it in quotes: "{row[0]}"; if the row is a comment, put a blank after'
            f" the mark"
        )


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table of text and numbers so that `read_rows` reads it back.

    Parameters
    ----------
    table : DataFrame
        The table; its index is not written.
    path : Path
        The file.
    """
    first = table.iloc[:, 0].astype(str)
    marked = bool(first.str.startswith((*MARKS, "//")).any())
    table.to_csv(path, index=False, quoting=csv.QUOTE_NONNUMERIC if marked else csv.QUOTE_MINIMAL)


def _leading_comments(text: str, position: int) -> tuple[list[tuple[str, str]], int]:
    """Return marks and text of the comments before the first row, and where that begins."""
    comments = []
    while position < len(text):
        blank = _BLANK.match(text, position)
        comment = None if blank else _COMMENT.match(text, position)
        if comment:
            comments.append((comment[1], comment[2]))
        elif not blank:
            break
        position = (blank or comment).end()  # type: ignore[union-attr]
    return comments, position


class _Lines:
    """Lines without comments; with single blanks for tabs if a blank separates cells.

    Attributes
    ----------
    number : int
        Number of the line that was read last, from 1.
    at_start : bool
        Whether a row begins with the next line, which is not within quotes.
    comments : list of str
        The lines that were left out.
    """

    def __init__(self, lines: Iterable[str], delimiter: str) -> None:
        self._lines = iter(lines)
        self._blanks = delimiter == " "
        self.number = 0
        self.at_start = True
        self.comments: list[str] = []

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        for line in self._lines:
            self.number += 1
            marked = self.at_start and line.lstrip(" ").startswith(tuple(MARKS))
            if marked:
                self.comments.append(line.strip())
                continue
            self.at_start = False
            return line.replace("\t", " ").strip() if self._blanks else line
        raise StopIteration


def _records(lines: _Lines, delimiter: str) -> Iterator[list[str]]:
    """Yield the cells of each row; any white space separates if the delimiter is a blank."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True, skipinitialspace=True)
    for row in reader:
        yield row
        lines.at_start = True


def _rows_of(sample: str, delimiter: str) -> Iterator[list[str]]:
    """Yield the cells of each row of a text."""
    return _records(_Lines(io.StringIO(sample, newline=""), delimiter), delimiter)


def _row(line: str, delimiter: str) -> list[str]:
    """Return the cells of a line, whatever it begins with; none if quotes are left open."""
    lines = [line.replace("\t", " ")] if delimiter == " " else [line]
    try:
        cells = next(csv.reader(lines, delimiter=delimiter, skipinitialspace=True), [])
    except csv.Error:
        return []
    return [cell.strip() for cell in cells]


def _delimiter(body: str, promised: str | None, path: Path) -> str:
    """Return what separates the cells of a text; as promised, if that is possible."""
    sample = body[:_SAMPLE]
    if len(body) > _SAMPLE:
        sample = sample[: sample.rfind("\n") + 1] or sample
    order = [promised, *_DELIMITERS] if promised else list(_DELIMITERS)
    width = {mark: _equal_width(sample, mark) for mark in dict.fromkeys(order)}
    possible = [mark for mark in width if width[mark] > 1]
    if len(possible) > 1 and possible[-1] == " ":
        possible.pop()  # white space within cells
    if not possible:
        return promised or max(_DELIMITERS, key=lambda mark: _first_width(sample, mark))
    best = max(possible, key=lambda mark: width[mark])
    if best != possible[0] and not _looks_named(sample, possible[0]):
        first, other = (_DELIMITER_NAMES[mark] for mark in (possible[0], best))
        raise InputError(
            f"{path}: cells may be separated by {first} or by {other}; write them with commas in a"
            f" .csv file or with tabs in a .tsv file, below a header such as source,target,weight"
        )
    return possible[0]


def _looks_named(sample: str, mark: str) -> bool:
    """Return whether the first row is one of names: without digits or other delimiters."""
    first: list[str] = next(_rows_of(sample, mark), [])
    return not any(re.search(r"[0-9;\t]", cell) for cell in first)


def _equal_width(sample: str, mark: str) -> int:
    """Return how many cells each row has; 0 if not all have equally many."""
    try:
        widths = {len(row) for row in _rows_of(sample, mark) if any(row)}
    except csv.Error:
        return 0
    return widths.pop() if len(widths) == 1 else 0


def _first_width(sample: str, mark: str) -> int:
    try:
        return len(next(_rows_of(sample, mark), []))
    except csv.Error:
        return 0


def _without_empty_columns(table: TextTable) -> TextTable:
    """Leave out columns that have nothing in them, as spreadsheets write at the right."""
    header = table.header or table.rows[0]
    width = len(header)
    while width > 1 and not header[width - 1] and not any(row[width - 1] for row in table.rows):
        width -= 1
    if width == len(header):
        return table
    return replace(
        table,
        rows=[row[:width] for row in table.rows],
        header=table.header and table.header[:width],
    )
