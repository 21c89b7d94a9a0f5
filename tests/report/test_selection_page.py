"""The page of a selection, and that of the models on C. elegans: made from small tables."""

import numpy as np
import pandas as pd
import pytest

from lsm_stan import load_celegans
from lsm_stan.network.summary import describe
from lsm_stan.prediction.choice import CANDIDATE, candidates, choose
from lsm_stan.prediction.scores import calibration_table
from lsm_stan.prediction.selection import Selection
from lsm_stan.report.markdown import as_markdown, markdown_files
from lsm_stan.report.score_plots import plot_differences
from lsm_stan.report.selection_page import selection_page
from studies import held_out_page

BEST, LESS = np.array([-1.0, -2.0, -3.0]), np.array([-1.1, -1.96, -3.0])
RISE = np.array([0.1, 0.2, 0.3])
PNG = b"\x89PNG\r\n\x1a\n"
SHARE = 0.1


def error(values):
    """Return Nadeau & Bengio's standard error over splits that hold out a tenth."""
    return np.sqrt((1 / len(values) + 0.1 / 0.9) * np.var(values, ddof=1))


def rows(model, dim, values, *, converged=(True, True, True), **others):
    """Scores of three splits."""
    facts = {"dyads": 40, "auc": 0.8, "auc_pr": 0.3, "brier": 0.02, "edge_log_density": -0.1}
    numbers = {"zero_inflation_gain": 0.0, "parameters": 100 * dim, "seconds": 7.0}
    return pd.DataFrame(
        {"model": model, "dim": dim, "split": [1, 2, 3], "log_density": values}
        | facts
        | numbers
        | {"converged": converged}
        | others
    )


def calibration():
    rng = np.random.default_rng(1)
    probability = rng.random(300)
    return calibration_table(probability, rng.random(300) < probability).assign(split=1)


def selection(scores, warnings, network):
    baselines = rows("constant-nb", 0, [-9.0] * 3)
    table = pd.DataFrame(warnings, columns=[*CANDIDATE, "split", "warning"])
    choice = choose(scores, baselines, SHARE)
    return Selection(
        scores, baselines, calibration(), table, SHARE, choice, network, "a tenth", "MAP"
    )


@pytest.fixture
def network():
    return describe(load_celegans(parallel_edges="sum"))


def test_candidates_are_compared_split_by_split():
    scores = pd.concat([rows("a", 2, LESS), rows("a", 3, BEST), rows("b", 1, LESS - 5)])
    table = candidates(scores, SHARE)
    assert table[CANDIDATE].to_numpy().tolist() == [["a", 3], ["a", 2], ["b", 1]]
    assert table["difference"].tolist() == pytest.approx([0, -0.02, -5.02])
    assert table["difference_error"][1] == pytest.approx(error(LESS - BEST))
    assert table["error"][1] == pytest.approx(error(LESS))
    assert (table["splits"] == 3).all()
    assert (table["converged"] == 1).all()


def test_the_page_says_what_was_chosen_and_why(network):
    scores = pd.concat(
        [rows("a", 2, LESS), rows("a", 3, BEST, converged=(True, False, True))], ignore_index=True
    )
    warning = ["a", 3, 2, "R-hat of distances is 1.02"]
    actual = selection(scores, [warning], network)
    text = as_markdown(selection_page(actual))
    assert "297 nodes, 2,345 directed edges, 8,819 total weight" in text
    assert f"- **Choice**: {actual.choice.reason}." in text
    assert "Held out: a tenth; 40 dyads a split." in text
    assert "**1 of 6 fits did not converge**" in text
    best, chosen = (line for line in text.splitlines() if line.startswith(("| a |", "| **a**")))
    assert best == (
        f"| a | 3 | -2.0000 ± {error(BEST):.4f} |  | 0.800 | 0.300 | 0.0200 | 300 | 2 of 3 ✗ | 7 |"
    )
    apart = error(LESS - BEST)
    assert chosen.startswith("| **a** | 2 | -2.0200 ± ")
    assert f"| -0.0200 ± {apart:.4f} |" in chosen
    assert "| constant-nb | -9.0000 ± 0.0000 |" in text
    assert "- a, K = 3, split 2: R-hat of distances is 1.02\n" in text
    for figure in ("scores", "differences", "calibration"):
        assert f"![{figure}](figures/{figure}.png)" in text


def test_the_page_of_one_split_has_no_errors_and_no_choice(network):
    scores = rows("a", 2, BEST).iloc[:1]
    actual = selection(scores, [], network)
    text = as_markdown(selection_page(actual))
    assert "- **No choice**: one split has no standard error" in text
    assert "| a | 2 | -1.0000 |" in text
    assert "did not converge" not in text
    assert "nan" not in text


def test_the_figure_of_differences_shows_every_split():
    scores = pd.concat([rows("a", 2, LESS), rows("a", 3, BEST)])
    axes = plot_differences(candidates(scores, SHARE), scores, CANDIDATE).axes[0]
    points = np.array([line.get_xdata() for line in axes.lines if len(line.get_xdata()) == 2][1:4])
    np.testing.assert_allclose(points[:, 0], 0)
    np.testing.assert_allclose(points[:, 1], LESS - BEST)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a, K = 3", "a, K = 2"]


def tables_of_models(gain, *others):
    """Scores of a model by MAP and by NUTS, of a hurdle that gains so much, and of `others`."""
    single = {"run": "one", "held_out": "single dyads", "edges_only": False}
    nothing = dict.fromkeys(("method", "converged"), np.nan)
    model = "nb-squared-effects"
    scores = [
        rows(model, 5, BEST, **single, method="MAP"),
        rows(model, 5, BEST + RISE, **single, method="NUTS"),
        rows(model, 5, BEST - 1, **{**single, "held_out": "pairs"}, method="NUTS"),
        rows("degrees-nb", np.nan, BEST - 2, **{**single, **nothing}),
        rows("bernoulli-squared-effects", 5, -0.1 + gain, **single, method="MAP").assign(
            edges_only=True, edge_log_density=-0.1 + gain
        ),
        *(rows(*one, **single, **facts) for *one, facts in others),
    ]
    return held_out_page.labelled(pd.concat(scores, ignore_index=True))


def page_of_models(table, network):
    failed = table.iloc[:1].assign(warning="R-hat is 1.02")
    missing = {"later": "a model, K = 2"}
    return markdown_files(
        held_out_page.page(table, failed, calibration(), network, {"MAP": "starts = 1"}, missing)
    )


def test_the_page_of_models(network):
    model, gain = "nb-squared-effects", np.array([0.01, 0.05, -0.03])
    table = tables_of_models(gain)
    assert held_out_page.best(table)["candidate"] == f"{model}, K = 5, NUTS"
    made = page_of_models(table, network)
    assert list(made)[-1] == "README.md"
    text = made["README.md"].decode()
    for name, content in made.items():
        assert not name.endswith(".png") or content.startswith(PNG)
        assert name in text or name == "README.md"
    assert "that are not in: `later` (a model, K = 2)." in text
    rise = f"0.2000 ± {error(RISE):.4f}"
    lead = f"{rise} a dyad better than the next, {model}, K = 5, MAP."
    assert f"**{model}, K = 5, NUTS** predicts best: {lead}" in text
    assert f"it is the method that gains {rise} over {model}, K = 5, MAP" in text
    alone = f"-1.8000 ± {error(BEST + RISE):.4f} (-2.7000 to -0.9000)"
    assert f"{alone} | -3.0000 ± {error(BEST):.4f} (-4.0000 to -2.0000) |" in text
    assert f"| {model}, K = 5, MAP | {model}, K = 5, NUTS | {rise}" in text
    assert "A loss of log density" not in text
    assert f"| -0.1000 ± 0.0000 | 0.01000 ± {error(gain):.5f} | 0.00000 " in text
    assert f"**No.** A hurdle gains 0.01000 ± {error(gain):.5f} a dyad" in text
    assert "Zero inflation gains 0.0 nats a split at most" in text
    assert "degrees-nb |" in text
    assert f"- {model}, K = 5, MAP, single dyads, split 1: R-hat is 1.02" in text
    assert "nan" not in text


def test_another_outcome_is_another_page(network):
    """A hurdle that gains, another model by the same method, a step that loses."""
    before, after = "poisson-exponential-effects", "nb-exponential-effects"
    table = tables_of_models(
        np.array([0.2, 0.21, 0.22]),
        (before, 3, BEST - 3, {"method": "MAP"}),
        (after, 3, BEST - 4, {"method": "MAP", "converged": (True, False, True)}),
        (after, 3, BEST - 5, {"method": "NUTS"}),
    )
    best = (table["method"] == "NUTS") & (table["model"] == "nb-squared-effects")
    table.loc[best, "auc"] = np.tile([0.92, 0.935, 0.94], 2)
    text = page_of_models(table, network)["README.md"].decode()
    assert "**Not excluded.** A hurdle gains 0.21000" in text
    assert "this K only" not in text
    lost = f"A loss of log density: negative binomial weights (to {after}, K = 3, MAP)."
    assert lost in text
    assert f"| {before}, K = 3, MAP | {after}, K = 3, MAP ✗ | -1.0000 ± 0.0000 |" in text
    assert f"0.9317 ± {error([0.92, 0.935, 0.94]):.4f} (0.9200 to 0.9400)" in text
