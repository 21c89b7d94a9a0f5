"""`lsm-stan compare` and `report`: files, refusals, and the page of a network of real size."""

import re
import shutil
import sys
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import matplotlib.figure
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from playwright.sync_api import Browser
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import pdist

from lsm_stan import (
    __main__,
    compare,
    load_celegans,
    load_fits,
    make_report,
    simulate,
    write_report,
)
from lsm_stan.criticism.ppc import predictive_checks
from lsm_stan.criticism.results import describe_result
from lsm_stan.criticism.verdict import judge
from lsm_stan.files import as_png
from lsm_stan.report.criticism_sections import trust_section
from lsm_stan.report.diagnostic_plots import plot_forest
from lsm_stan.report.nodes import node_table
from lsm_stan.report.page import Command, PageFigure, file_stems
from lsm_stan.report.plots import (
    PALETTE,
    UNKNOWN_COLOUR,
    Figure,
    node_colours,
    plot_embedding,
    plot_embeddings,
    plot_rate_matrix,
)
from lsm_stan.report.report import Report
from lsm_stan.report.report_page import headline, report_page, summary
from lsm_stan.report.sections import embedding_section
from lsm_stan.report.shown import shown_checks
from tests.support.browser import hover_text, opened_offline, point_at, scrolled
from tests.support.made import made_fit, scattered, simulated_fit, with_clusters

MEGABYTE = 1e6


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of three saved fits: `map` and `nuts` of one network, `other`."""
    folder = tmp_path_factory.mktemp("fits")
    network, truth = simulate(12, 3, seed=4)
    positions = truth["z"]
    rng = np.random.default_rng(5)
    made_fit(network, positions[None, None], "map").save(folder / "map")
    made_fit(network, scattered(positions, rng, 0.02, size=50)).save(folder / "nuts")
    other, truth = simulate(9, 3, seed=5)
    places = truth["z"]
    made_fit(other, places[None, None], "map").save(folder / "other")
    return folder


def call(monkeypatch, capsys, *arguments: object) -> tuple[int, str, str]:
    """Call `main` as the console script does: exit code, output, errors."""
    monkeypatch.setattr(sys, "argv", ["lsm-stan", *map(str, arguments)])
    monkeypatch.setattr("signal.signal", lambda *_: None)
    code = 0
    try:
        __main__.main()
    except SystemExit as stop:
        code = int(stop.code or 0)
    return code, *capsys.readouterr()


def test_compare(folders, tmp_path, monkeypatch, capsys):
    arguments = ["compare", folders / "map", folders / "nuts", "--out", tmp_path / "a" / "b"]
    code, out, _ = call(monkeypatch, capsys, *arguments)
    assert code == 0
    assert "coverage90" in out
    table = pd.read_csv(tmp_path / "a" / "b" / "comparison.csv")
    assert table["method"].tolist() == ["map", "nuts"]
    assert table["fit"].tolist() == ["map", "nuts"]


@pytest.fixture(scope="module")
def report(folders: Path) -> Report:
    """Return the report of `map` and `nuts`."""
    return make_report(load_fits([folders / "map", folders / "nuts"]), lambda _: None)


def test_report(folders, tmp_path, monkeypatch, capsys):
    out = tmp_path / "page"
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    (out / "index.html").write_text("an earlier page")
    code, printed, errors = call(monkeypatch, capsys, "report", folders / "map", "--out", out)
    assert code == 0
    assert str(out / "index.html") in printed + errors
    assert (out / "notes.txt").read_text() == "mine"
    assert pd.read_csv(out / "ppc.csv")["fit"].unique().tolist() == ["map"]
    assert not list(out.rglob("*.partial"))
    page = (out / "index.html").read_text()
    for words in ("nothing of uncertainty", "What was found", "lsm-stan fit"):
        assert words in printed
        assert words in page
    assert "Methods compared" not in page, "one fit is not compared with itself"


def test_fits_of_any_folders_have_sections_of_their_own(folders, tmp_path, report):
    copies = ("again/nuts", "my fit")
    for copy in copies:
        shutil.copytree(folders / "nuts", tmp_path / copy)
    fits = load_fits([folders / "nuts", *(tmp_path / copy for copy in copies)])
    stems = file_stems(fits)
    assert len(set(stems.values())) == 3
    assert stems["my fit"] == "my-fit"
    several = replace(report, fits=fits, verdicts=dict.fromkeys(fits, report.verdicts["nuts"]))
    section = trust_section(several, "my fit", stems["my fit"])
    assert section.title == "Can it be trusted? my fit"
    names = [getattr(item, "name", None) for item in section.items]
    assert "my-fit-trace" in names
    assert all(name.startswith("my-fit-") for name in names if name)


@pytest.mark.parametrize(
    ("method", "step", "said"),
    [("vi", "evaluations of the gradient", "less than 0.01 nats"), ("advi", "iteration", "ADVI's")],
)
def test_the_elbo_of_a_climb_is_shown(method, step, said):
    network, truth = simulate(12, 2, seed=4)
    draws = scattered(truth["z"], np.random.default_rng(1), 0.1, chains=1, size=30)
    fit = made_fit(network, draws, method, details={"elbo_trace": [(10, -90.0), (20, -80.0)]})
    section = trust_section(make_report({"fit": fit}, lambda _: None), "fit", "fit")
    (shown,) = (item for item in section.items if getattr(item, "name", "") == "fit-elbo")
    assert said in shown.caption
    assert shown.figure.axes[0].get_xlabel() == step
    names = {getattr(item, "name", "") for item in section.items}
    assert not names & {"fit-trace", "fit-diagnostics"}, "its draws are independent"


@pytest.mark.parametrize("sampled", [True, False])
def test_columns_of_the_node_table_are_not_taken_for_ours(sampled):
    """Nor is one lost: both are in ``nodes.csv``."""
    ours = ["out_strength", "in_strength", "spread", "shift", "flagged"]
    ours += ["cluster", "cluster_probability"]
    drawn, truth = simulate(12, 2, seed=4)
    positions = truth["z"]
    nodes = pd.DataFrame({name: [f"{name} {i}" for i in range(12)] for name in ours}, drawn.names)
    network = replace(drawn, node_table=nodes)
    rng = np.random.default_rng(5)
    draws = scattered(positions, rng, 0.02, size=50) if sampled else positions[None, None]
    others = with_clusters(draws, rng)
    method, model = ("nuts" if sampled else "map"), "tutorial+clusters(2)"
    fit = made_fit(network, draws, method, model=model, others=others)
    plain = made_fit(drawn, draws, method, model=model, others=others)
    table, expected = node_table(fit), node_table(plain)
    pd.testing.assert_frame_equal(table[expected.columns], expected)
    assert ("spread" in table) == ("flagged" in table) == sampled
    given = table.set_index("name")[[f"{name} (node table)" for name in ours]]
    np.testing.assert_array_equal(given.loc[list(drawn.names)], nodes)


def test_an_undirected_network_has_every_strength_and_effect_once():
    fit = simulated_fit("nb-squared-effects", directed=False, n_draws=10)
    table = node_table(fit)
    assert "strength" in table
    assert not {"out_strength", "in_strength"} & set(table)
    np.testing.assert_array_equal(
        table.set_index("name").loc[list(fit.network.names), "strength"], fit.network.out_strength()
    )
    quantities = set(fit.invariants().posterior)
    assert "sigma_receiver" not in quantities
    assert "strength" in quantities


def test_names_with_dollars_make_a_page():
    drawn, truth = simulate(12, 2, seed=4)
    positions = truth["z"]
    names = ["a$x_$b", "$x^2$", r"a\$b$", *drawn.names[3:]]
    nodes = pd.DataFrame({"class": ["$_$", "b"] * 6}, names)
    network = replace(drawn, names=tuple(names), node_table=nodes, title="$_$")
    fit = made_fit(network, scattered(positions, np.random.default_rng(5), 0.02, size=50))
    fits = {"$_$": fit, "$x$": fit}
    figures = [plot_embedding(fit), plot_embeddings(fits, "$x$"), plot_forest(fits)]
    for figure in figures:
        figure.draw_without_rendering()  # as far as reading formulas goes
        assert figure.axes


def pixels(figure) -> np.ndarray:
    return plt.imread(BytesIO(as_png(figure)))


def test_dollars_are_drawn_and_powers_of_ten_are_formulas():
    """As Matplotlib draws them if they are escaped, every time."""
    for name in ("a$x_$b", "$x^2$"):
        figures = []
        for words, kind in ((name, Figure), (name.replace("$", r"\$"), matplotlib.figure.Figure)):
            figure = kind(figsize=(3, 3), layout="constrained")
            axes = figure.add_subplot()
            axes.plot([1, 100], [1, 2], label=words)
            axes.set(title=words, xscale="log")
            axes.set_yticks([1, 2], [words, words])
            axes.legend()
            figures.append(figure)
        for _ in range(2):
            np.testing.assert_array_equal(*map(pixels, figures))


@pytest.mark.parametrize("directed", [True, False])
def test_hidden_dyads_are_grey_in_the_matrix_of_weights(directed):
    whole, truth = simulate(12, 2, seed=4, directed=directed)
    positions = truth["z"]
    network = whole.hide([0, 3, 7], [5, 4, 2])
    panel = plot_rate_matrix(made_fit(network, positions[None, None], "map")).axes[0]
    order = leaves_list(linkage(pdist(positions), "average", optimal_ordering=True))
    expected = network.to_dense().astype(float)
    for i, j in ((0, 5), (3, 4), (7, 2)):
        expected[i, j] = -1
        if not directed:
            expected[j, i] = -1
    expected = expected[np.ix_(order, order)]
    weight, hidden = (image.get_array() for image in panel.images)
    np.testing.assert_array_equal(np.ma.getmaskarray(weight), expected <= 0)
    np.testing.assert_array_equal(weight[expected > 0], expected[expected > 0])
    np.testing.assert_array_equal(np.ma.getmaskarray(hidden), expected >= 0)
    assert "grey: not observed" in panel.get_title()
    observed = plot_rate_matrix(made_fit(whole, positions[None, None], "map")).axes[0]
    assert "grey" not in observed.get_title()


@pytest.mark.parametrize("command", ["compare", "report"])
def test_what_cannot_be_compared_is_refused(command, folders, tmp_path, monkeypatch, capsys):
    cases = [
        (["map", "other"], "different networks"),
        (["map", "map"], "named twice"),
        (["nowhere"], "no finished fit here"),
    ]
    for names, words in cases:
        fits = [folders / name for name in names]
        code, _, errors = call(monkeypatch, capsys, command, *fits, "--out", tmp_path / "o")
        assert code == 2
        assert words in errors
        assert "Traceback" not in errors
    assert not (tmp_path / "o").exists()


def test_every_figure_has_a_caption_and_a_still(report):
    page = report_page(report)
    figures = [i for s in page.sections for i in s.items if isinstance(i, PageFigure)]
    assert len(figures) > 8
    assert all(len(figure.caption) > 40 and figure.figure is not None for figure in figures)
    colours = re.compile(r"\b(black|white|darkest)\b")
    assert not any(colours.search(figure.caption) for figure in figures), "false in the dark"


def test_what_is_read_first(report):
    """What was found, then whether to trust it, the worst first, then a command."""
    first, second, third = summary(report)
    assert [part.title for part in (first, second, third)] == [
        "What was found", "Whether to trust it", "What to do next",
    ]  # fmt: skip
    assert str(first.items[0][0]).startswith("12 of 12 nodes are placed surely")
    kinds = [finding.kind for finding in second.items[0]]
    assert kinds == sorted(kinds, key=["bad", "caution", "good"].index)
    assert len(kinds) == 1 + len(report.fits), "a sentence on the model and one a fit"
    assert isinstance(third.items[-1], Command)


def test_a_node_that_wanders_is_shown_as_such():
    """The mean of a node somewhere on a sphere is amid it: figure and table say so."""
    network, truth = simulate(12, 3, seed=4)
    positions = truth["z"]
    rng = np.random.default_rng(6)
    draws = scattered(positions, rng, 0.02)
    anywhere = rng.normal(size=(*draws.shape[:2], 3))
    draws[:, :, 7] = 2 * anywhere / np.linalg.norm(anywhere, axis=-1, keepdims=True)
    fit = made_fit(network, draws)
    table = node_table(fit)
    row = table.set_index("name").loc[network.names[7]]
    assert row["strays"]
    assert row["radius"] == pytest.approx(2)
    assert np.linalg.norm(row[["axis1", "axis2", "axis3"]].astype(float)) < 0.7 * 2
    assert table["strays"].sum() == 1
    told = describe_result(fit)[0]
    assert f"The place of 1 ({network.names[7]}) is unknown" in str(told)
    assert "loss" not in plot_embedding(fit).get_suptitle()


def test_the_summary_has_a_sentence_a_fit_and_keeps_what_it_is_about(report):
    said = {finding.text.partition(":")[0]: finding for finding in headline(report)}
    assert said["map"].kind == "caution"
    bad = [one for one in report.verdicts["nuts"].findings if one.kind == "bad"]
    assert said["nuts"].kind == ("bad" if bad else "good")
    assert bad[0].text in said["nuts"].text if bad else "the mode that" in said["nuts"].text


def test_no_probability_is_below_what_the_networks_tell(report):
    check = report.checks["map"]
    table = check.table.assign(p_value=0.25)
    table.loc[0, "p_value"], table.loc[1, "p_value"] = 0.0, 1.0
    shown = shown_checks(replace(check, table=table, checks=[]), report.reference.spec)
    assert shown["p"].tolist()[:3] == ["< 0.005", "> 0.995", "0.25"]
    assert "at fault" not in shown


def test_failed_statistics_are_one_table_with_what_is_at_fault(report):
    check = report.checks["map"]
    failed = [replace(one, passed=one.name != "mean_weight") for one in check.checks]
    shown = shown_checks(replace(check, checks=failed), report.reference.spec)
    assert shown["statistic"][0] == "mean weight"
    assert "no intercept" in shown["at fault"][0]
    assert (shown["at fault"][1:] == "").all()
    assert len(shown) == len(check.table)


def test_nodes_are_coloured_by_any_column(tmp_path, monkeypatch, capsys):
    drawn, truth = simulate(12, 2, seed=4)
    nodes = pd.DataFrame({"class": ["a", "b"] * 6, "Club": [*"wxyz"] * 3}, drawn.names)
    fit = made_fit(replace(drawn, node_table=nodes), truth["z"][None, None], "map")
    for column, groups in ((None, {"a", "b"}), ("Club", {"w", "x", "y", "z"})):
        section = embedding_section(make_report({"map": fit}, lambda _: None, colour_by=column))
        figure = section.items[0]
        legend = figure.figure.axes[0].get_legend()
        assert {text.get_text() for text in legend.get_texts()} == groups
        assert all(f'"name":"{group}"' in figure.html for group in groups)
        assert f"Colours: {column or 'class'}." in figure.caption
    fit.save(tmp_path / "fit")
    arguments = ["report", tmp_path / "fit", "--out", tmp_path / "page", "--colour-by", "x"]
    code, _, errors = call(monkeypatch, capsys, *arguments)
    assert code == 2
    assert "no column 'x' in the table of nodes; it has class, Club" in errors
    assert not (tmp_path / "page").exists()


def test_more_classes_than_colours_are_not_mixed_up():
    """Two classes of one colour could not be told apart."""
    classes = pd.Series([f"class {k}" for k in range(9) for _ in range(9 - k)])
    colours, legend = node_colours(classes, len(classes))
    assert len(legend) == len(PALETTE) + 1
    assert len(set(legend.values())) == len(legend)
    assert colours[-1] == UNKNOWN_COLOUR
    assert "class 0" in legend
    assert "class 8" not in legend


def test_a_good_model_whose_positions_mean_nothing_is_not_praised_for_them():
    network, _ = simulate(15, 2, seed=3)
    fit = made_fit(network, np.random.default_rng(4).normal(size=(4, 100, 15, 2)))
    check = predictive_checks(fit, replications=20)
    checks = [replace(one, passed=True) for one in check.checks]
    report = Report(
        {"nuts": fit}, compare({"nuts": fit}), {"nuts": judge(fit)},
        {"nuts": replace(check, checks=checks)}, *[None] * 6,
    )  # fmt: skip
    (of_model,) = [one for one in headline(report) if one.text.startswith("The model")]
    assert of_model.text.endswith("The positions have no part in that.")
    actual, _, _ = summary(report)
    (only,) = actual.items[0]
    assert "positions mean nothing" in only.text


def test_rates_that_are_blank_are_in_the_scale():
    network, truth = simulate(12, 2, seed=4)
    figure = plot_rate_matrix(made_fit(network, truth["z"][None, None], "map"))
    rate = figure.axes[1].images[0]
    low = rate.norm.vmin
    assert to_hex(rate.cmap(rate.norm(low / 2))) == "#ffffff"
    assert to_hex(rate.cmap(rate.norm(1.01 * low))) != "#ffffff"
    assert rate.colorbar.extend == "min"
    assert f"below {low:g}" in figure.axes[1].get_title()


@pytest.mark.slow
def test_the_page_of_celegans_in_a_browser(browser: Browser, tmp_path):
    """4,000 draws: below 8 MB, no error, every figure there, the neuron's name on hover."""
    network = load_celegans()
    rng = np.random.default_rng(1)
    positions = rng.normal(size=(network.n_nodes, 3)) * 2
    draws = scattered(positions, rng, 0.3, size=1000)
    log_joint = rng.normal(size=(4, 1000))
    fits = {
        "map": made_fit(network, positions[None, None], "map"),
        "advi": made_fit(network, draws[:1], "advi", log_joint=log_joint[:1]),
        "nuts": made_fit(network, draws, log_joint=log_joint),
    }
    report = make_report(fits, lambda _: None)
    page = write_report(report, tmp_path)
    assert page.stat().st_size < 8 * MEGABYTE
    figures = sorted(path.stem for path in (tmp_path / "figures").iterdir())
    with opened_offline(browser, page) as (view, troubles):
        scrolled(view)
        sizes = view.evaluate("[...document.images].map(i => [i.naturalWidth, i.alt.length])")
        assert len(sizes) == len(figures)
        assert all(width > 300 and words > 40 for width, words in sizes)
        view.set_viewport_size({"width": 1280, "height": 800})
        point_at(view, 0, "AVAL")
        assert hover_text(view, 0).startswith("AVAL")
        view.set_viewport_size({"width": 360, "height": 700})
        assert view.evaluate("document.documentElement.scrollWidth") == 360
        assert troubles == []
