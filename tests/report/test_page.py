"""The page of a report: its files, and what a reader sees of it, in a browser without a network."""

import io
import json
import re
from base64 import b64decode
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from playwright.sync_api import Browser, Page

from lsm_stan.criticism.meanings import MEANINGS
from lsm_stan.errors import InputError
from lsm_stan.files import DPI, as_png, write_whole
from lsm_stan.network.network import Network
from lsm_stan.posterior.alignment import principal_axes
from lsm_stan.posterior.checks import Finding
from lsm_stan.report import page
from lsm_stan.report.interactive import embedding_figure
from lsm_stan.report.panels import panel_boxes
from tests.support.browser import drawn, hover_text, opened_offline, point_at, scrolled

NASTY = '<script>alert("1")</script> & <b>bold</b> </figure> {{ 7 * 7 }}'


def still() -> Figure:
    figure = Figure(figsize=(5, 3))
    figure.add_subplot().plot([1, 2, 4])
    return figure


def panels(count: int) -> Figure:
    figure = Figure(figsize=(12, 3), layout="constrained")
    for axes in figure.subplots(1, count):
        axes.plot([1, 2, 4], label="a line")
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center")
    return figure


def network(n: int = 12) -> Network:
    """Return a ring of nodes with awkward names, of two classes and some unknown."""
    names = ["<b>one</b> & two", "</script>", *(f"node {k}" for k in range(2, n))]
    classes = pd.DataFrame({"class": [["a", "b & c", "unknown"][k % 3] for k in range(n)]}, names)
    return Network.from_edges(names, names[1:] + names[:1], range(1, n + 1), node_table=classes)


def positions(n: int, dim: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.random.default_rng(1).normal(size=(n, dim))


def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "name": ["plain", NASTY, "a,b\nc", "ä→ß"],
            "value": [1 / 3, np.nan, 1e-300, -35984.855],
            "count": [1, 2345, 0, -1],
            "converged": [True, False, True, True],
        }
    )


def a_page(*items: Any, title: str = "Title", **named: Any) -> page.Page:
    section = page.Section("Section", "Intro.", items)
    whole = {"subtitle": "", "facts": {}, "summary": [], "sections": [section], "footer": ""}
    return page.Page(title, **{**whole, **named})


class Elements(HTMLParser):
    """The elements of a page, with their attributes, and the text outside scripts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.elements and self.elements[-1][0] not in ("script", "style"):
            self.text += data


def test_files(tmp_path: Path) -> None:
    (tmp_path / "fits").mkdir()
    (tmp_path / "README.md").write_text("mine")
    (tmp_path / "index.html").write_text("old")
    content = a_page(page.PageFigure("one", "A line.", still()), page.PageTable("t", "", frame()))
    assert page.write_page(content, tmp_path) == tmp_path / "index.html"
    written = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")}
    assert written == {
        "fits", "README.md", "index.html", "page.json", "t.csv", "figures", "figures/one.png",
    }  # fmt: skip
    assert (tmp_path / "README.md").read_text() == "mine"
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "t.csv"), frame())
    elements = Elements((tmp_path / "index.html").read_text()).elements
    (image,) = [attrs for tag, attrs in elements if tag == "img"]
    assert image["alt"] == "A line."
    assert image["src"] is not None
    assert b64decode(image["src"].split(",")[1]) == (tmp_path / "figures/one.png").read_bytes()
    (link,) = [attrs for tag, attrs in elements if attrs.get("download") == "t.csv"]
    assert link["href"] is not None
    embedded = io.BytesIO(b64decode(link["href"].split(",")[1]))
    pd.testing.assert_frame_equal(pd.read_csv(embedded), frame())


def test_a_sentence_leads_to_what_it_means_and_programs_read_both() -> None:
    findings = [Finding("bad", "Chains differ.", "rhat"), Finding("good", NASTY), "A point."]
    summary = [page.Section("Trust", "Intro.", [findings, page.Command("do it")])]
    files = page.page_files(a_page("A paragraph.", summary=summary, facts={"nodes": "3"}))
    elements = Elements(files["index.html"].decode())
    links = [attrs["href"] for _, attrs in elements.elements if attrs.get("class") == "about"]
    targets = [attrs["id"] for tag, attrs in elements.elements if tag == "dt" and "id" in attrs]
    assert links == ["#about-rhat"]
    assert targets == ["about-rhat"]
    assert MEANINGS["rhat"].text in elements.text
    told = json.loads(files["page.json"])
    assert told["facts"] == {"nodes": "3"}
    first, second = told["sections"]
    assert first["sentences"] == [
        {"kind": "bad", "text": "Chains differ.", "about": "rhat"},
        {"kind": "good", "text": NASTY, "about": ""},
        {"text": "A point."},
    ]
    assert first["commands"] == ["do it"]
    assert second["sentences"] == [{"text": "A paragraph."}]


def test_every_text_is_escaped() -> None:
    def parse(text: str) -> Elements:
        content = a_page(
            page.PageFigure("f", text, still(), embedding_figure(positions(12, 3), network())),
            page.PageTable("t", text, pd.DataFrame({text: [text]})),
            [Finding("good", text)],
            title=text,
            subtitle=text,
            facts={text: text},
            summary=[page.Section(text, text, [[Finding("bad", text)], page.Command(text)])],
            sections=[page.Section(text, text, [page.PageTable("u", text, frame())])],
            footer=text,
        )
        return Elements(page.page_files(content)["index.html"].decode())

    nasty, plain = parse(NASTY), parse("plain")
    assert [tag for tag, _ in nasty.elements] == [tag for tag, _ in plain.elements]
    assert nasty.text.count(NASTY) == plain.text.count("plain") > 10


def test_nothing_is_loaded_from_elsewhere() -> None:
    figure = page.PageFigure("f", "", still(), embedding_figure(positions(12, 3), network()))
    html = page.page_files(a_page(figure, page.PageTable("t", "", frame())))["index.html"].decode()
    for tag, attrs in Elements(html).elements:
        assert tag not in ("link", "iframe", "object", "embed", "base")
        for name in ("src", "href", "srcset", "action", "poster"):
            assert (attrs.get(name) or "#").startswith(("#", "data:")), (tag, attrs)
    for css in re.findall("<style>(.*?)</style>", html, re.DOTALL):
        assert "url(" not in css
        assert "@import" not in css
    policy = next(a["content"] for t, a in Elements(html).elements if "http-equiv" in a)
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    assert "http" not in policy


def test_hollow_nodes_are_drawn_and_told_as_such() -> None:
    hollow = np.arange(12) == 3
    html = embedding_figure(positions(12, 3), network(), hollow=hollow)
    assert html.count("circle-open") == 1
    assert html.count("drawn too near the centre") == 1
    assert "circle-open" not in embedding_figure(positions(12, 3), network())


def test_plotly_is_there_once_and_only_if_used() -> None:
    def size(*items: page.PageFigure) -> int:
        return len(page.page_files(a_page(*items))["index.html"])

    html = embedding_figure(positions(12, 3), network())
    none, one = size(page.PageFigure("a", "", still())), size(page.PageFigure("a", "", None, html))
    assert one - none > 1_000_000
    assert one - none < 2_500_000, "packed"
    assert size(page.PageFigure("a", "", None, html), page.PageFigure("b", "", None, html)) < (
        one + 2 * len(html)
    )
    assert one < 12_000_000


def test_a_figure_that_fails_leaves_everything_as_it_was(tmp_path: Path) -> None:
    broken = still()
    broken.axes[0].set_title("$\\nonsense$")
    page.write_page(a_page(page.PageTable("t", "", frame()), title="first"), tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*")}
    content = a_page(
        page.PageFigure("good", "", still()),
        page.PageTable("t", "", frame().head(1)),
        page.PageFigure("broken", "", broken),
    )
    with pytest.raises(ValueError, match="nonsense"):
        page.write_page(content, tmp_path)
    with pytest.raises(ValueError, match="nonsense"):
        page.write_page(content, tmp_path / "new")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*")} == before


def test_a_page_that_cannot_be_written_leaves_no_partial_file(tmp_path: Path) -> None:
    (tmp_path / "index.html").mkdir()
    with pytest.raises(OSError, match=r"index\.html"):
        page.write_page(a_page(page.PageTable("t", "", frame())), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"index.html"}


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "a b"])
def test_a_name_that_is_no_file_name_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="figure name"):
        page.page_files(a_page(page.PageFigure(name, "", still())))


def test_any_name_has_a_file_stem_of_its_own() -> None:
    names = [
        "nuts",
        "f/nuts",
        "f nuts",
        "f-nuts",
        "../f/nuts",
        "/f/nuts",
        ".",
        "",
        "ä(1)",
        "a",
        "x/" * 200,
    ]
    stems = page.file_stems(names)
    assert list(stems) == names
    assert stems["nuts"] == "nuts"
    assert stems["f/nuts"] == "f-nuts"
    assert len(set(stems.values())) == len(names)
    assert max(map(len, stems.values())) <= 100
    page.page_files(a_page(*(page.PageFigure(stem, "", None) for stem in stems.values())))


def test_bad_names_and_places_are_refused(tmp_path: Path) -> None:
    table = page.PageTable("t", "", frame())
    with pytest.raises(InputError, match="two tables are named 't'"):
        page.page_files(a_page(table, table))
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file is a file"):
        page.write_page(a_page(table), tmp_path / "file")


def test_tables_are_shown_rounded_and_numbers_as_numbers() -> None:
    shown = pd.DataFrame(
        {
            "loss": [35984.8551, 7.0],
            "r_hat": [1.00312, np.nan],
            "tiny": [2.5e-7, 0.0],
            "gaps": [1.0, np.nan],
            "big": [1234567, 1],
            "ok": [True, False],
            "text": ["1.2 ± 0.3", "-4,000.5"],
            "node": ["12", "AVAR"],
        }
    )
    html = page.page_files(a_page(page.PageTable("t", "", shown)))["index.html"].decode()
    cells = re.findall(r"<td( class=\"number\")?>(.*?)</td>", html)
    assert [text for _, text in cells] == [
        "35,984.9", "1.003", "2.5e-07", "1", "1,234,567", "yes", "1.2 ± 0.3", "12",
        "7", "", "0", "", "1", "no", "-4,000.5", "AVAR",
    ]  # fmt: skip
    assert [bool(number) for number, _ in cells[:8]] == [True] * 5 + [False, True, False]


def test_the_panels_of_a_figure_are_where_they_are_drawn() -> None:
    figure = panels(3)
    as_png(figure)
    *boxes, legend = panel_boxes(figure)
    lefts = [left for left, *_ in boxes]
    assert len(boxes) == 3
    assert lefts == sorted(lefts)
    assert all(0.25 < width < 0.4 and height > 0.7 for _, _, width, height in boxes)
    assert all(a[0] + a[2] < b[0] + 0.02 for a, b in pairwise(boxes))
    assert legend[1] > 0.8
    assert panel_boxes(still()) == []


def test_a_colour_bar_stays_with_its_panel() -> None:
    figure = Figure(figsize=(8, 4), layout="constrained")
    both = figure.subplots(1, 2)
    images = [axes.imshow([[0, 1], [2, 3]]) for axes in both]
    figure.colorbar(images[0], ax=list(both))
    as_png(figure)
    first, second = panel_boxes(figure)
    assert first[0] + first[2] < 0.55
    assert second[0] + second[2] > 0.9


# In a browser


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    wide = pd.DataFrame({f"quantity {k}": [f"{k} ± 1", "x" * 60] for k in range(20)})
    long_word = "w" * 300
    items = [
        page.PageFigure("solid", "Three.", still(), embedding_figure(positions(12, 5), network())),
        page.PageTable("wide", long_word, wide),
        page.PageFigure("flat", "Two.", None, embedding_figure(positions(12, 1), network())),
        page.PageFigure("still", "One.", still()),
        page.PageFigure("panels", "Four.", panels(6)),
        page.Command("lsm-stan fit " + long_word),
        [Finding("caution", long_word)],
    ]
    content = a_page(*items, title="A " * 100, subtitle=long_word, facts={"fact": long_word})
    return page.write_page(content, tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def opened(browser: Browser, report: Path) -> Iterator[tuple[Page, list[str]]]:
    """Open the page with no network, and list its errors and its requests to elsewhere."""
    with opened_offline(browser, report) as opened:
        yield opened


@pytest.fixture
def view(opened: tuple[Page, list[str]]) -> Iterator[Page]:
    """Return the page as it is at first; any trouble fails."""
    view, troubles = opened
    view.set_viewport_size({"width": 1280, "height": 800})
    view.emulate_media(media="screen", color_scheme="light")
    yield view
    assert troubles == []


def test_images_and_downloads(view: Page, report: Path) -> None:
    scrolled(view)
    sizes = view.evaluate("[...document.images].map(i => i.naturalWidth)")
    assert sizes == [5 * DPI, 5 * DPI, 12 * DPI]
    for name in ("solid.png", "still.png", "wide.csv"):
        with view.expect_download() as download:
            view.locator(f"a[download='{name}']").click()
        beside = report.parent / ("figures" if name.endswith("png") else "") / name
        assert download.value.suggested_filename == name
        assert download.value.path().read_bytes() == beside.read_bytes()


def test_the_mouse_over_a_node_shows_its_name(view: Page) -> None:
    point_at(view, 0, "node 7")
    assert hover_text(view, 0).startswith("node 7")


def test_a_name_is_text_and_a_node_is_found_by_it(view: Page) -> None:
    plot = drawn(view, 1)
    name = "<b>one</b> & two"
    view.evaluate(
        "name => Plotly.Fx.hover('plot-1', document.getElementById('plot-1').data.flatMap("
        "(t, c) => (t.ids || []).includes(name)"
        " ? [{curveNumber: c, pointNumber: t.ids.indexOf(name)}] : []))",
        name,
    )
    assert hover_text(view, 1).startswith(name)
    view.locator(".interactive").nth(1).locator("input").fill(name)
    view.wait_for_function("document.getElementById('plot-1').data.at(-1).ids === undefined")
    ring = plot.evaluate("div => { const t = div.data.at(-1); return [t.x[0], t.y[0]]; }")
    np.testing.assert_allclose(ring, [principal_axes(positions(12, 1))[0, 0], 0], atol=1e-4)


def test_no_button_sends_the_figure_away(view: Page) -> None:
    for number in (0, 1):
        buttons = drawn(view, number).locator(".modebar-btn")
        titles = buttons.evaluate_all("all => all.map(b => b.dataset.title.toLowerCase())")
        assert len(titles) > 3
        assert not any(re.search("share|cloud|edit|send", title) for title in titles)


def test_the_wheel_scrolls_the_page_and_zooms_with_ctrl(view: Page) -> None:
    plot = drawn(view, 0)
    plot.hover()
    camera = """() => JSON.stringify(
        document.getElementById("plot-0")._fullLayout.scene._scene.getCamera().eye)"""
    before, place = view.evaluate(camera), view.evaluate("scrollY")
    view.mouse.wheel(0, 60)
    view.wait_for_function("place => scrollY > place", arg=place)
    assert view.evaluate(camera) == before
    view.keyboard.down("Control")
    view.mouse.wheel(0, 60)
    view.keyboard.up("Control")
    view.wait_for_function(f"before => ({camera})() !== before", arg=before)


@pytest.mark.parametrize("width", [320, 360, 1280])
def test_a_narrow_page_does_not_scroll_sideways(view: Page, width: int) -> None:
    drawn(view, 0)
    view.set_viewport_size({"width": width, "height": 700})
    view.wait_for_function(
        """() => { const plot = document.getElementById("plot-0");
                   return plot._fullLayout.width === plot.clientWidth; }"""
    )
    assert view.evaluate("document.documentElement.scrollWidth") == width
    assert view.evaluate("Math.max(...[...document.images].map(i => i.offsetWidth))") <= width


def test_on_a_narrow_page_panels_stand_one_below_the_other(view: Page) -> None:
    scrolled(view)
    panels = view.locator(".still", has=view.locator("img[alt='Four.']")).locator("canvas")
    assert not any(panel.is_visible() for panel in panels.all())
    view.set_viewport_size({"width": 390, "height": 800})
    panels.nth(6).wait_for()
    boxes = [box for panel in panels.all() if (box := panel.bounding_box())]
    assert len(boxes) == 7, "six panels and the legend"
    assert all(box["width"] > 340 for box in boxes[:6])
    assert all(a["y"] + a["height"] <= b["y"] for a, b in pairwise(boxes))
    view.locator("img[alt='Four.']").wait_for(state="hidden")
    view.set_viewport_size({"width": 1280, "height": 800})
    view.locator("img[alt='Four.']").wait_for(state="visible")
    panels.first.wait_for(state="hidden")


def test_what_is_below_is_loaded_when_it_is_reached(browser: Browser, tmp_path: Path) -> None:
    """At first neither plotly nor an image is there; still nothing comes from elsewhere."""
    figures = [page.PageFigure("a", "One.", still(), embedding_figure(positions(12, 3), network()))]
    space = page.PageTable(None, "", pd.DataFrame({"row": range(40)}))
    content = a_page(*[space] * 4, *figures, page.PageFigure("b", "Two.", still()))
    with opened_offline(browser, page.write_page(content, tmp_path)) as (view, troubles):
        state = "[typeof window.Plotly, document.images.length]"
        assert view.evaluate(state) == ["undefined", 0]
        drawn(view, 0)
        scrolled(view)
        assert view.evaluate(state) == ["object", 2]
        assert troubles == []


def test_the_keyboard_skips_to_the_findings_and_sorts_tables(
    browser: Browser, tmp_path: Path
) -> None:
    values = pd.DataFrame({"name": list("abcd"), "value": [9.5, -1200.0, np.nan, 1e4]})
    file = page.write_page(a_page(page.PageTable("t", "", values)), tmp_path / "page")
    with opened_offline(browser, file) as (view, troubles):
        view.keyboard.press("Tab")
        assert view.evaluate("document.activeElement.className") == "skip"
        view.keyboard.press("Enter")
        assert view.evaluate("document.activeElement.id") == "content"
        cells = "[...document.querySelectorAll('tbody tr')].map(row => row.cells[0].textContent)"
        name, value = view.get_by_role("columnheader").all()
        for head, direction, order in (
            (value, "descending", "dabc"),
            (value, "ascending", "badc"),
            (name, "ascending", "abcd"),
        ):
            head.get_by_role("button").press("Enter")
            assert head.get_attribute("aria-sort") == direction
            assert "".join(view.evaluate(cells)) == order
        assert value.get_attribute("aria-sort") is None
        assert troubles == []


def test_a_command_is_copied_as_it_is(view: Page) -> None:
    button = view.get_by_role("button", name="Copy")
    button.click()
    view.get_by_text(re.compile("^(Copied|Selected)$")).wait_for()
    assert view.evaluate("String(getSelection())").startswith("lsm-stan fit www")
    assert view.locator(".command code").text_content() == "lsm-stan fit " + "w" * 300


def test_the_dark_scheme_reaches_page_and_figures(view: Page) -> None:
    drawn(view, 0)
    seen = """() => [getComputedStyle(document.body).backgroundColor,
                     getComputedStyle(document.body).color,
                     document.getElementById("plot-0")._fullLayout.font.color]"""

    def light(colour: str) -> float:
        parts = re.findall(r"[\da-f]{2}", colour) if "#" in colour else re.findall(r"\d+", colour)
        return sum(int(part, 16 if "#" in colour else 10) for part in parts[:3]) / 3

    for scheme, paper_is_light in (("dark", False), ("light", True)):
        view.emulate_media(color_scheme=scheme)
        view.wait_for_function(
            """() => document.getElementById("plot-0")._fullLayout.font.color
                     === getComputedStyle(document.body).getPropertyValue("--ink").trim()"""
        )
        paper, ink, letters = map(light, view.evaluate(seen))
        assert (paper > 200, ink < 60, letters < 60) == (paper_is_light,) * 3


def test_paper_shows_the_still_figure(view: Page) -> None:
    drawn(view, 0)
    image = view.locator("img[alt='Three.']")
    assert not image.is_visible()
    view.emulate_media(media="print", color_scheme="dark")
    assert image.is_visible()
    assert not view.locator("#plot-0").is_visible()
    assert view.locator("#plot-1").is_visible()  # it has no still
    assert not view.locator("nav").is_visible()
    assert view.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    pdf = view.pdf(format="A4")
    assert re.search(rb"/Subtype /Image\s+/Width %d\s" % (5 * DPI), pdf)


def test_without_webgl_the_still_figure_is_shown(browser: Browser, report: Path) -> None:
    context = browser.new_context(offline=True)
    context.add_init_script("HTMLCanvasElement.prototype.getContext = () => null")
    view = context.new_page()
    view.goto(report.as_uri())
    view.locator("#plot-0").wait_for(state="hidden")  # what is below is drawn when it is reached
    view.locator("img[alt='Three.']").wait_for(state="visible")
    context.close()


def test_a_file_may_be_written_twice_at_once(tmp_path: Path, monkeypatch: Any) -> None:
    path, replace = tmp_path / "page.html", Path.replace

    def meanwhile(partial: Path, target: Path) -> Path:
        monkeypatch.setattr(Path, "replace", replace)
        write_whole(path, b"another process")
        assert path.read_bytes() == b"another process"
        return partial.replace(target)

    monkeypatch.setattr(Path, "replace", meanwhile)
    write_whole(path, b"this one")
    assert path.read_bytes() == b"this one"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.slow
def test_an_interrupted_file_is_as_it_was(tmp_path: Path, monkeypatch: Any) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    path = tmp_path / "page.html"
    write_whole(path, b"before")
    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_whole(path, b"after")
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]
