"""The page of the models on held-out dyads says what its tables say: planted outcomes are told."""

from pathlib import Path

import pandas as pd
import pytest

from benchmarks import held_out_page
from lsm_stan import load_celegans
from lsm_stan.description import describe

SCORES = Path(__file__).parents[1] / "reports" / "celegans" / "models" / "scores.csv"
BEST, MODE = "nb-squared-effects, K = 5, NUTS", "nb-squared-effects, K = 5, MAP"
HURDLE = "bernoulli-squared-effects, K = 5, MAP"
POISSON, BINOMIAL = (f"{name}-exponential-effects, K = 3, MAP" for name in ("poisson", "nb"))


@pytest.fixture
def scores() -> pd.DataFrame:
    """Return five candidates of the committed table, with a planted best and a useless hurdle."""
    table = pd.read_csv(SCORES).astype({"converged": object})
    table = table[table["candidate"].isin([BEST, MODE, HURDLE, POISSON, BINOMIAL])]
    table = table[table["held_out"] == "single dyads"].reset_index(drop=True)
    edges = table.loc[table["candidate"] == MODE, "edge_log_density"].to_numpy()
    table.loc[table["candidate"] == HURDLE, "edge_log_density"] = edges - 0.01
    table.loc[table["candidate"] == BEST, "log_density"] = [-0.13, -0.13, -0.13, -0.13, -0.14]
    table.loc[table["candidate"] == BEST, "zero_inflation_gain"] = 1e-5
    return table


def page(scores: pd.DataFrame) -> str:
    warnings = pd.DataFrame(columns=["candidate", "held_out", "split", "warning"])
    calibration = pd.DataFrame({"predicted": [0.1], "observed": [0.2], "error": [0.1]})
    facts = describe(load_celegans())
    missing = {"later": "a model, K = 2"}
    files = held_out_page.files(scores, warnings, calibration, facts, {}, missing)
    return files["README.md"].decode()


def test_what_the_table_says(scores: pd.DataFrame) -> None:
    text = page(scores)
    assert "not in: `later` (a model, K = 2)" in text
    assert "-0.1320 ± 0.0020 (held on the mean; 1 of 5 splits are below)" in text
    assert "NUTS was run for this model and this K only" in text
    assert "**No.** A hurdle gains -0.01000 ± 0.00000" in text


def test_another_outcome_is_another_text(scores: pd.DataFrame) -> None:
    scores.loc[scores["candidate"] == HURDLE, "edge_log_density"] += 0.02
    other = scores[scores["candidate"] == BEST].assign(candidate="another, K = 5, NUTS")
    worse = other.assign(log_density=other["log_density"] - 0.1)
    text = page(pd.concat([scores, worse], ignore_index=True))
    assert "**Not excluded.** A hurdle gains 0.01000" in text
    assert "this K only" not in text


def test_a_loss_is_called_one(scores: pd.DataFrame) -> None:
    """Planted: negative binomial weights lose 0.5, and one of their fits did not converge."""
    rows = scores["candidate"] == BINOMIAL
    scores.loc[rows, "log_density"] -= 0.5
    scores.loc[rows & (scores["split"] == 2), "converged"] = False
    text = page(scores)
    lost = next(line for line in text.splitlines() if line.startswith("A loss of log density"))
    assert f"negative binomial weights (to {BINOMIAL})" in lost
    assert "draws instead of a mode" not in lost
    assert f"| {BINOMIAL} ✗ |" in text
