"""Check that every link of a built site leads to a page, a file or a heading of it.

``python docs/check_links.py FOLDER``: links to the web are left out; no network is needed.
"""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Links(HTMLParser):
    """What a page links to, and what in it can be linked to."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.to: list[str] = []
        self.anchors = {""}
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the links and the anchors of a tag."""
        del tag
        for name, value in attrs:
            if name in ("href", "src") and value:
                self.to.append(value)
            if name in ("id", "name") and value:
                self.anchors.add(value)


def broken_links(folder: Path) -> list[str]:
    """Return every link that leads nowhere, with the page that has it."""
    pages = {page.resolve(): Links(page) for page in sorted(folder.rglob("*.html"))}
    broken = []
    for page, links in pages.items():
        for link in links.to:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            there = target.is_file() and (
                target not in pages or unquote(parts.fragment) in pages[target].anchors
            )
            if not there:
                broken.append(f"{page.relative_to(folder.resolve())}: {link}")
    return broken


def main() -> None:
    """Print broken links; exit code 1 if there are any."""
    broken = broken_links(Path(sys.argv[1]))
    print(*broken, sep="\n", end="\n" * bool(broken))
    sys.exit(bool(broken))


if __name__ == "__main__":
    main()
