"""The page of a selection, and that of the models on C. elegans: made from small tables."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from benchmarks import held_out_page
from lsm_stan import load_celegans
from lsm_stan.description import describe
from lsm_stan.score_plots import plot_differences
from lsm_stan.scores import calibration_table
from lsm_stan.selection import CANDIDATE, Selection, candidates, choose
from lsm_stan.selection_page import selection_page

BEST, LESS = np.array([-1.0, -2.0, -3.0]), np.array([-1.1, -1.96, -3.0])
RISE = np.array([0.1, 0.2, 0.3])
PNG = b"\x89PNG\r\n\x1a\n"


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


def selection(scores, warnings, tmp_path):
    references = rows("constant-nb", 0, [-9.0] * 3)
    table = pd.DataFrame(warnings, columns=[*CANDIDATE, "split", "warning"])
    choice = choose(scores, references)
    return Selection(scores, references, calibration(), table, choice, tmp_path)


@pytest.fixture
def network():
    return describe(load_celegans(parallel_edges="sum"))


def test_candidates_are_compared_split_by_split():
    scores = pd.concat([rows("a", 2, LESS), rows("a", 3, BEST), rows("b", 1, LESS - 5)])
    table = candidates(scores)
    assert table[CANDIDATE].to_numpy().tolist() == [["a", 3], ["a", 2], ["b", 1]]
    assert table["difference"].tolist() == pytest.approx([0, -0.02, -5.02])
    assert table["difference_error"][1] == pytest.approx(stats.sem(LESS - BEST))
    assert table["error"][1] == pytest.approx(stats.sem(LESS))
    assert (table["splits"] == 3).all()
    assert (table["converged"] == 1).all()


def test_the_page_says_what_was_chosen_and_why(tmp_path, network):
    scores = pd.concat(
        [rows("a", 2, LESS), rows("a", 3, BEST, converged=(True, False, True))], ignore_index=True
    )
    warning = ["a", 3, 2, "R-hat of distances is 1.02"]
    found = selection(scores, [warning], tmp_path)
    text = selection_page(found, network, held_out="a tenth of the pairs", fitted="NUTS, seed 1")
    assert "297 nodes, 2,345 directed edges, 8,819 total weight" in text
    assert f"- **Choice**: {found.choice.reason}." in text
    assert "Held out: a tenth of the pairs; 40 dyads a split." in text
    assert "**1 of 6 fits did not converge**" in text
    best, chosen = (line for line in text.splitlines() if line.startswith(("| a |", "| **a**")))
    assert best == ("| a | 3 | -2.0000 ± 0.5774 |  | 0.800 | 0.300 | 0.0200 | 300 | 2 of 3 ✗ | 7 |")
    error = stats.sem(LESS - BEST)
    assert chosen.startswith("| **a** | 2 | -2.0200 ± ")
    assert f"| -0.0200 ± {error:.4f} |" in chosen
    assert "| constant-nb | -9.0000 ± 0.0000 |" in text
    assert "- a, K = 3, split 2: R-hat of distances is 1.02\n" in text
    for figure in ("scores", "differences", "calibration"):
        assert f"![{figure}]({figure}.png)" in text


def test_the_page_of_one_split_has_no_errors_and_no_choice(tmp_path, network):
    scores = rows("a", 2, BEST).iloc[:1]
    found = selection(scores, [], tmp_path)
    text = selection_page(found, network, held_out="a tenth", fitted="MAP")
    assert "- **No choice**: one split has no standard error" in text
    assert "| a | 2 | -1.0000 |" in text
    assert "did not converge" not in text
    assert "nan" not in text


def test_the_figure_of_differences_shows_every_split():
    scores = pd.concat([rows("a", 2, LESS), rows("a", 3, BEST)])
    axes = plot_differences(candidates(scores), scores, CANDIDATE).axes[0]
    points = np.array([line.get_xdata() for line in axes.lines if len(line.get_xdata()) == 2][1:4])
    np.testing.assert_allclose(points[:, 0], 0)
    np.testing.assert_allclose(points[:, 1], LESS - BEST)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a, K = 3", "a, K = 2"]


def test_the_page_of_models(network):
    single = {"run": "one", "held_out": "single dyads", "edges_only": False}
    pairs = {**single, "held_out": "pairs"}
    edges = {**single, "edges_only": True, "method": "MAP"}
    nothing = dict.fromkeys(("method", "converged"), np.nan)
    model = "nb-squared-effects"
    gain = np.array([0.01, 0.05, -0.03])
    scores = pd.concat(
        [
            rows(model, 5, BEST, **single, method="MAP"),
            rows(model, 5, BEST + RISE, **single, method="NUTS"),
            rows(model, 5, BEST - 1, **pairs, method="NUTS"),
            rows("degrees-nb", np.nan, BEST - 2, **{**single, **nothing}),
            rows("bernoulli-squared-effects", 5, -0.1 + gain, **edges).assign(
                edge_log_density=-0.1 + gain
            ),
        ],
        ignore_index=True,
    )
    table = held_out_page.labelled(scores)
    assert held_out_page.best(table)["candidate"] == f"{model}, K = 5, NUTS"
    failed = table.iloc[:1].assign(warning="R-hat is 1.02")
    settings = {"MAP": "starts = 1"}
    made = held_out_page.files(table, failed, calibration(), network, settings)
    assert list(made)[-1] == "README.md"
    text = made["README.md"].decode()
    for name, content in made.items():
        assert not name.endswith(".png") or content.startswith(PNG)
        assert name in text or name in ("README.md", "calibration.csv")
    lead = f"0.2000 ± {stats.sem(RISE):.4f} a dyad better than the next, {model}, K = 5, MAP."
    assert f"**{model}, K = 5, NUTS** predicts best: {lead}" in text
    assert "-1.8000 (**missed**) | -3.0000 |" in text
    step = f"| {model}, K = 5, MAP | {model}, K = 5, NUTS | 0.2000 ± {stats.sem(RISE):.4f}"
    assert step in text
    assert f"| -0.1000 ± 0.0000 | 0.01000 ± {stats.sem(gain):.5f} | 0.00000 " in text
    assert "standard error in none; zero inflation by more than 1 nat a split" in text
    assert "degrees-nb |" in text
    assert f"- {model}, K = 5, MAP, single dyads, split 1: R-hat is 1.02" in text
    assert "nan" not in text
