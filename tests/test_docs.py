"""README and docs: code runs as it stands, commands and configurations are read, links lead on."""

import itertools
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import arviz as az
import matplotlib.pyplot as plt
import numpy as np
import pytest
import typer

import lsm_stan
from lsm_stan import load_config, read_network
from lsm_stan.cli import app
from lsm_stan.cmdstan.find import Toolchain
from lsm_stan.network.readers import open_network
from lsm_stan.network.reading import Reading

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
OTHER = "# ArviZ 1\n" if hasattr(az, "waic") else "# before ArviZ 1\n"

#: Links to files, and to headings of a page; not to the web.
LINK = re.compile(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)")


def code_blocks(page: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def run_page(page: Path) -> dict[str, Any]:
    """Run the code of a page, but what is for the other ArviZ, and return its variables."""
    names: dict[str, Any] = {}
    for block in code_blocks(page):
        if not block.startswith(OTHER):
            exec(compile(block, str(page), "exec"), names)
            plt.close("all")
    return names


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Estimated shape parameter of Pareto:UserWarning")  # as it says
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # ArviZ 0.23 on pandas 3, Matplotlib 3.11
def test_the_page_on_arviz_runs(toolchain: Toolchain) -> None:
    names = run_page(ROOT / "docs" / "arviz.md")
    ours, theirs = names["ours"], names["theirs"]
    elpd = theirs.elpd_loo if hasattr(theirs, "elpd_loo") else theirs.elpd
    assert ours.elpd == pytest.approx(elpd, abs=1e-8)
    network = names["network"]
    assert np.asarray(names["pit"] if hasattr(az, "waic") else names["pit"]["weight"]).shape == (
        network.n_observed,
    )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # ArviZ 0.23 on pandas 3
@pytest.mark.parametrize("page", ["README.md", "docs/python.md"])
def test_a_page_runs_and_ends_in_a_report(
    page: str, toolchain: Toolchain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = run_page(ROOT / page)
    text = (tmp_path / "page" / "index.html").read_text(encoding="utf-8")
    assert names["network"].title in text


def test_code_is_for_each_arviz() -> None:
    starts = [block.split("\n")[0] for block in code_blocks(ROOT / "docs" / "arviz.md")]
    assert starts.count("# ArviZ 1") >= 3
    assert starts.count("# before ArviZ 1") >= 3


def fenced(page: Path, language: str) -> list[str]:
    """Return the fenced blocks of a language."""
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"^```{re.escape(language)}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def commands(page: Path) -> list[list[str]]:
    """Return the lines of a page that are commands of ours, as words."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = re.findall(r"^(?:    |\$ )(lsm-stan .*)$", text, re.MULTILINE)
    return [shlex.split(line, comments=True)[1:] for line in lines]


def in_captions(page: Path) -> dict[str, str]:
    """Return the files of a page: blocks with a caption."""
    text = page.read_text(encoding="utf-8")
    found = re.findall(
        r"^```\{code-block\} \w+\n:caption: (\S+)\n(.*?)^```", text, re.DOTALL | re.MULTILINE
    )
    return dict(found)


@pytest.mark.parametrize("page", ["no-rhat", "priors"])
def test_a_page_runs(page: str) -> None:
    names = run_page(ROOT / "docs" / f"{page}.md")
    if page == "no-rhat":
        assert names["rhat"]["coordinate"] > 1.5
        assert names["rhat"]["distance"] < 1.01
    else:
        assert names["wider"].sigma_scale == 2


def test_the_same_network_comes_from_every_format(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = ROOT / "docs" / "formats.md"
    files = in_captions(page)
    for name, content in files.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    tables = {"nodes", "dyads", "hidden", "films", "visits"}
    expected = [[0, 3, 1, 0], [2, 0, 0, 0], [0, 0, 0, 4], [1, 0, 0, 0]]
    networks = [file for file in files if Path(file).stem not in tables]
    assert len(networks) == 8
    for file in networks:
        network = read_network(tmp_path / file)
        np.testing.assert_array_equal(network.to_dense(), expected, err_msg=file)
    monkeypatch.chdir(tmp_path)
    with_tables = read_network(
        "edges.csv", nodes="nodes.csv", dyads="dyads.csv", hidden="hidden.csv"
    )
    assert (with_tables.n_hidden, list(with_tables.node_table)) == (2, ["class", "size"])
    films = read_network("films.csv", source="film", target="actor", bipartite=True)
    assert (films.n_edges, films.n_hidden) == (5, 3 * 2 // 2 + 4 * 3 // 2)
    visits = read_network("visits.csv", bipartite=True)
    assert (visits.n_edges, visits.n_hidden) == (4, 2 * 1 // 2 + 3 * 2 // 2)
    names = run_page(page)
    assert len({network.digest for network in [*names["networks"], names["named"]]}) == 1
    (tmp_path / "matrix.csv").write_text(files["matrix.csv"].replace("b,2,0,0,0", "b,2,0,0,NA"))
    assert read_network("matrix.csv").n_hidden == 1, "as the page says of NA"


COMMANDS = [(page.name, words) for page in PAGES for words in commands(page)]


@pytest.mark.parametrize(
    ("page", "words"), COMMANDS, ids=[f"{page}-{words[0]}" for page, words in COMMANDS]
)
def test_commands_are_taken(page: str, words: list[str]) -> None:
    """Each is parsed, not run: options that are not there are refused, and required ones asked."""
    name, *arguments = words
    group = typer.main.get_command(app)
    if "--help" not in arguments:
        group.commands[name].make_context(name, arguments)


def test_configurations_are_read(tmp_path: Path) -> None:
    blocks = list(itertools.chain.from_iterable(fenced(page, "toml") for page in PAGES))
    assert len(blocks) >= 2
    for block in blocks:
        read = tomllib.loads(block)
        if "fit" in read:
            (tmp_path / "run.toml").write_text(block, encoding="utf-8")
            assert load_config(tmp_path / "run.toml").fit
        else:  # a part of one
            assert set(read["network"]) <= {"file", *(field.name for field in fields(Reading))}


@pytest.mark.parametrize(
    "file", sorted((ROOT / "reports" / "gallery").glob("*.toml")), ids=lambda file: file.stem
)
def test_a_network_of_the_gallery_is_read_and_has_a_page(file: Path) -> None:
    config = load_config(file)
    assert open_network(config.network.file, config.network.how).n_edges > 10
    text = (ROOT / "docs" / "gallery" / f"{file.stem}.md").read_text(encoding="utf-8")
    assert f"reports/gallery/{file.name}" in text
    assert f"reports/gallery/{file.stem}/README.md" in text


@pytest.mark.slow
def test_the_five_minute_start_ends_in_a_report(
    toolchain: Toolchain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    page = ROOT / "docs" / "start.md"
    shutil.copy(ROOT / "docs" / "examples" / "friends.csv", tmp_path)
    lines = [line for block in fenced(page, "console") for line in block.splitlines()]
    assert [shlex.split(line)[2] for line in lines] == ["info", "fit", "fit", "report"]
    for line in lines:
        command = [sys.executable, "-m", "lsm_stan", *shlex.split(line)[2:]]
        subprocess.run(command, check=True, capture_output=True)
    assert "What was found" in (tmp_path / "report" / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for file, heading in LINK.findall(page.read_text(encoding="utf-8")):
        target = page.parent / file if file else page
        assert target.exists(), file
        if heading:
            titles = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            anchors = [re.sub(r"[^\w\- ]", "", title).lower().replace(" ", "-") for title in titles]
            assert heading in anchors


def test_every_page_is_in_the_contents() -> None:
    folder = ROOT / "docs"
    trees = [*fenced(folder / "index.md", "{toctree}"), *fenced(folder / "gallery.md", "{toctree}")]
    listed = {line for tree in trees for line in tree.splitlines()}
    pages = {str(page.relative_to(folder).with_suffix("")) for page in folder.glob("**/*.md")}
    assert pages - listed == {"index"}


def test_every_public_name_is_in_the_reference() -> None:
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    names = re.findall(r"^\.\. auto\w+:: lsm_stan\.(\w+)$", text, re.MULTILINE)
    assert sorted(names) == sorted(lsm_stan.__all__)
