"""A page as Markdown, and the same page as HTML."""

import pandas as pd
from matplotlib.figure import Figure

from lsm_stan.posterior.checks import Finding
from lsm_stan.report.markdown import as_markdown, markdown_files
from lsm_stan.report.page import Command, Page, PageFigure, PageTable, Section, page_files


def a_page() -> Page:
    whole = pd.DataFrame({"node": ["a|b", "c"], "weight": [1637.0, None]})
    few = pd.DataFrame({"what": ["one"], "mean": ["0.100 ± 0.002"]})
    sections = [
        Section(
            "Results",
            "First.\n\nSecond.",
            [
                PageTable("nodes", "By weight.", whole),
                PageFigure("map", "Where they are.", Figure()),
                PageTable(None, "No more than this.", few),
                "A paragraph.",
                Command("one\ntwo"),
                ["a point", Finding("bad", "A problem.")],
            ],
        ),
        Section("Details", "", [["hidden at first"]], folded=True),
    ]
    return Page(
        "Title",
        "Made.",
        {"nodes": "2"},
        [Section("", "", [[Finding("good", "Fine.")]])],
        sections,
        "End.",
    )


def test_a_page_as_markdown() -> None:
    assert as_markdown(a_page()).split("\n\n") == [
        "# Title",
        "Made.",
        "2 nodes.",
        "- ✓ Fine.",
        "## Results",
        "First.",
        "Second.",
        "| node | weight |\n|---|---:|\n| a\\|b | 1,637 |\n| c |  |",
        "By weight. [nodes.csv](nodes.csv)",
        "![map](figures/map.png)",
        "Where they are.",
        "| what | mean |\n|---|---:|\n| one | 0.100 ± 0.002 |",
        "No more than this.",
        "A paragraph.",
        "    one\n    two",
        "- a point\n- ✗ A problem.",
        "## Details",
        "<details><summary>Show</summary>",
        "- hidden at first",
        "</details>",
        "End.\n",
    ]


def test_both_renderers_write_the_same_figures_and_tables() -> None:
    markdown, html = markdown_files(a_page()), page_files(a_page())
    assert list(markdown) == ["figures/map.png", "nodes.csv", "README.md"]
    assert list(html) == ["figures/map.png", "nodes.csv", "page.json", "index.html"]
    assert markdown["nodes.csv"] == html["nodes.csv"]
    text = html["index.html"].decode()
    assert "<p>A paragraph.</p>" in text
    assert "<li>a point</li>" in text
    assert "<code>one\ntwo</code>" in text
    assert text.count('title="Save the whole table"') == 1
    assert "<details><summary>Show</summary>" in text
