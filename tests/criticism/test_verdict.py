"""Verdicts: a good fit is called good, and each planted failure is named in words."""

from dataclasses import replace

import arviz as az
import numpy as np
import pytest
from scipy.signal import lfilter

from lsm_stan import simulate
from lsm_stan.criticism.chains import mode_report
from lsm_stan.criticism.ppc import predictive_checks
from lsm_stan.criticism.verdict import (
    ONE_POINT,
    cautions,
    in_one_sentence,
    judge,
    judge_model,
)
from lsm_stan.inference.mode_weights import MODES
from lsm_stan.network.network import Network
from lsm_stan.posterior.checks import Check, Finding
from lsm_stan.report.diagnostic_plots import plot_trace
from tests.support.made import apart, made_fit, scattered, turned


@pytest.fixture(scope="module")
def simulated() -> tuple[Network, np.ndarray]:
    network, truth = simulate(12, 2, seed=4)
    return network, truth["z"]


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(12)


def texts(findings: list[Finding], kind: str) -> str:
    return " ".join(finding.text for finding in findings if finding.kind == kind)


def test_a_good_sample_is_called_good(simulated, rng):
    network, positions = simulated
    fit = made_fit(network, turned(scattered(positions, rng, 0.02), rng))
    verdict = judge(fit)
    assert texts(verdict.findings, "bad") == ""
    assert "same mode" in texts(verdict.findings, "good")
    assert "not the whole posterior" in texts(verdict.findings, "caution")
    assert set(verdict.items["quantity"]) == {
        "log_joint", "distance", "rate", "radius", "strength",
    }  # fmt: skip
    assert verdict.items["rhat"].max() < 1.05
    assert not verdict.items["item"].str.contains("z").any()


def test_chains_in_different_modes_are_named_and_weighed(simulated, rng):
    network, positions = simulated
    other = positions.copy()
    other[:3] = -2 * other[:3]  # a worse place for three nodes
    draws = scattered(positions, rng, 0.02)
    draws[2:] += other - positions
    fit = made_fit(network, turned(draws, rng))
    verdict = judge(fit)
    assert "sit in different modes" in texts(verdict.findings, "bad")
    assert "stacking weighs" in texts(verdict.findings, "bad")
    assert verdict.modes is not None
    assert verdict.modes.apart
    weights = verdict.modes.chains["weight"].to_numpy()
    assert weights.sum() == pytest.approx(1)
    assert weights[:2].sum() > 0.9, "the better mode predicts left-out pairs better"
    log_joint = fit.idata.sample_stats["lp"].mean("draw").to_numpy()
    np.testing.assert_allclose(verdict.modes.chains["log_joint"], log_joint)


def test_too_few_draws_are_named(simulated, rng):
    network, positions = simulated
    fit = made_fit(network, scattered(positions, rng, 0.02, chains=2, size=20))
    bad = texts(judge(fit).findings, "bad")
    assert "ESS" in bad
    assert "un longer" in bad


@pytest.mark.parametrize(
    ("model", "name", "words"),
    [("tutorial", "log_joint", "log joint density"), ("poisson-inverse", "intercept", "intercept")],
)
def test_a_scalar_that_has_not_converged_is_named_with_its_figures(
    simulated, rng, model, name, words
):
    network, positions = simulated
    draws, bad = scattered(positions, rng, 0.02), apart(rng)
    others = {} if name == "log_joint" else {name: bad}
    log_joint = bad if name == "log_joint" else rng.normal(size=bad.shape)
    fit = made_fit(network, draws, model=model, others=others, log_joint=log_joint)
    checks = {check.name: check.passed for check in fit.record.checks}
    assert [check for check, passed in checks.items() if not passed] == ["exploration"]
    assert not fit.converged
    rhat, bulk, tail = az.rhat(bad), az.ess(bad), az.ess(bad, method="tail", prob=(0.05, 0.95))
    figures = f"{words}: R-hat {rhat:.3f}, bulk ESS {bulk:.0f}, tail ESS {tail:.0f}"
    assert figures in fit.warnings[0]
    assert figures[1:] in texts(judge(fit).findings, "bad")


def test_saturated_trees_divergences_and_energy_are_named(simulated, rng):
    network, positions = simulated
    draws = scattered(positions, rng, 0.02)
    shape = draws.shape[:2]
    depth = np.where(rng.random(shape) < 0.5, 10, 7)
    diverging = rng.random(shape) < 0.01
    energy = np.cumsum(rng.normal(size=shape), axis=1)  # a random walk: BFMI near 0
    bad = texts(
        judge(made_fit(network, draws, tree_depth=depth, diverging=diverging, energy=energy))
        .findings, "bad",
    )  # fmt: skip
    assert "stopped at max_treedepth" in bad
    assert "raise it, max_treedepth = 11" in bad
    assert f"{diverging.sum()} divergent transitions" in bad
    assert "BFMI" in bad


@pytest.mark.parametrize("init", ["map", "random"])
def test_weighed_modes_are_told(simulated, rng, init):
    network, positions = simulated
    summary = "9 draws climb to 2 modes; the heaviest holds 60.0% of their mass"
    fit = made_fit(
        network,
        turned(scattered(positions, rng, 0.02), rng),
        arguments={"init": init},
        details={MODES: {"summary": summary}, "rhat_p95": 1.0, "ess_p05": 900, "divergences": 0},
    )
    (caution,) = cautions(fit)
    assert caution.text.startswith(f"{summary}. ")
    verdict = judge(fit)
    assert summary in texts(verdict.findings, "caution")
    assert "not weighed" not in texts(verdict.findings, "caution")
    in_short = in_one_sentence(fit, verdict).text
    assert ("the mode that the chains started in" in in_short) == (init == "map")


def test_modes_that_are_not_weighed_can_be(simulated, rng):
    network, positions = simulated
    draws = scattered(positions, rng, 0.02)
    draws[2:, :, :3] *= -2
    told = [
        texts(judge(made_fit(network, draws, details=details)).findings, "bad")
        for details in ({}, {MODES: {"summary": "one mode"}})
    ]
    assert ["lsm-stan weigh" in text for text in told] == [True, False]


def test_an_unfinished_and_a_poor_approximation_are_named(simulated, rng):
    network, positions = simulated
    draws = scattered(positions, rng, 0.02, chains=1)
    stopped = [Check("elbo", False, "ADVI reached its last iteration before its ELBO converged")]
    unfinished = judge(made_fit(network, draws, "advi", checks=stopped, details={"khat": 0.4}))
    assert "before its ELBO converged" in texts(unfinished.findings, "bad")
    assert "k-hat 0.40" in texts(unfinished.findings, "good")
    poor = judge(made_fit(network, draws, "advi", details={"khat": 3.21}))
    assert "k-hat 3.2" in texts(poor.findings, "bad")
    assert "Use NUTS" in texts(poor.findings, "bad")


def test_a_mode_is_said_to_be_one_point(simulated):
    network, positions = simulated
    verdict = judge(made_fit(network, positions[None, None], "map", details={"distinct_modes": 5}))
    assert "5 different modes" in texts(verdict.findings, "caution")
    assert "nothing of uncertainty" in texts(verdict.findings, "caution")
    assert verdict.items.empty
    assert verdict.modes is None


def test_a_model_with_too_few_zeros_is_named(rng):
    """Positions near each other make every rate high; the network has one edge."""
    matrix = np.zeros((12, 12), dtype=int)
    matrix[0, 1] = 1
    network = Network.from_matrix(matrix, directed=True)
    fit = made_fit(network, 0.3 * rng.normal(size=(1, 20, 12, 2)), "advi", details={})
    finding = judge_model(predictive_checks(fit, replications=50))
    assert finding.kind == "bad"
    assert "too few zeros" in finding.text
    assert "the probability of a new edge, is off" in finding.text


def test_weights_that_are_off_leave_probabilities_of_edges_alone():
    network, truth = simulate(40, 2, seed=5)
    positions = truth["z"]
    heavier = replace(network, weight=30 * network.weight)
    finding = judge_model(predictive_checks(made_fit(heavier, positions[None, None], "map")))
    assert finding.kind == "bad"
    assert "too little dispersion" in finding.text
    assert "speaks for probabilities of edges" in finding.text


def test_a_model_that_holds_is_called_good(simulated):
    network, positions = simulated
    fit = made_fit(network, positions[None, None], "map")
    assert judge_model(predictive_checks(fit)).kind == "good"


def test_two_chains_in_one_mode_have_no_stacking_weight(simulated, rng):
    network, positions = simulated
    report = mode_report(made_fit(network, scattered(positions, rng, 0.02, chains=2)))
    assert report is not None
    assert not report.apart
    assert report.chains["weight"].isna().all()


def slow(positions: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return draws of four chains that wander slowly about one mode."""
    noise = rng.normal(size=(4, 250, *positions.shape))
    return positions + 0.01 * lfilter([1.0], [1.0, -0.8], noise, axis=1)


def test_the_worst_problem_is_read_first(simulated, rng):
    """One divergence is little beside chains that have not mixed; two hundred are not."""
    network, positions = simulated
    draws = slow(positions, rng)
    for divergent, first in ((1, "of distances is"), (200, "divergent")):
        diverging = np.zeros(draws.shape[:2], bool)
        diverging.flat[:divergent] = True
        fit = made_fit(network, draws, diverging=diverging)
        verdict = judge(fit)
        bad = [finding.text for finding in verdict.findings if finding.kind == "bad"]
        assert first in bad[0]
        assert [f.kind for f in verdict.findings] == sorted(
            (f.kind for f in verdict.findings), key=["bad", "caution", "good"].index
        )
        said = in_one_sentence(fit, verdict)
        assert said.kind == "bad"
        assert said.text.startswith(bad[0])
        assert f"{len(bad) - 1} further problem" in said.text


def test_no_two_sentences_contradict_each_other(simulated, rng):
    """Chains in one mode are not said to be in several; those in several are not told to go on."""
    network, positions = simulated
    draws = slow(positions, rng)
    verdict = judge(made_fit(network, draws))
    assert verdict.modes is not None
    assert not verdict.modes.apart
    everything = " ".join(finding.text for finding in verdict.findings)
    assert "same mode" in everything
    assert "different modes" not in everything
    assert "run longer, iter_sampling = " in texts(verdict.findings, "bad")
    other = positions.copy()
    other[:3] = -2 * other[:3]
    draws = scattered(positions, rng, 0.02)
    draws[2:] += other - positions
    for start, advice in (("random", "Start all chains from the best mode"), ("fits/map", "They")):
        fit = made_fit(network, draws, arguments={"init": start})
        bad = texts(judge(fit).findings, "bad")
        assert "sit in different modes" in bad
        assert "run longer" not in bad
        assert advice in bad
        assert ("Start all" in bad) == (start == "random")


def test_other_modes_are_told_with_how_near_they_come(simulated):
    network, positions = simulated
    losses = [1033.0, 1034.9, 1034.0, 1050.0]
    starts = [{"mode": k + 1, "loss": loss} for k, loss in enumerate(losses)]
    details = {"distinct_modes": 4, "starts": [*starts, {"mode": 2, "loss": 1034.95}]}
    (caution,) = cautions(made_fit(network, positions[None, None], "map", details=details))
    assert caution.text.startswith("4 different modes were found, of which this is the best.")
    assert "2 of the others come within 1.9 nats of it" in caution.text
    alone = made_fit(network, positions[None, None], "map", details={"distinct_modes": 1})
    assert cautions(alone) == [Finding("caution", ONE_POINT, "mode-is-a-point")]


def test_chains_have_the_numbers_of_cmdstan_everywhere(simulated, rng):
    """From 1 on: in the table, in the rank plots, and in the container."""
    network, positions = simulated
    fit = made_fit(network, scattered(positions, rng, 0.02, size=10))
    report = mode_report(fit)
    assert report is not None
    assert report.chains["chain"].tolist() == [1, 2, 3, 4]
    assert fit.idata.posterior["chain"].to_numpy().tolist() == [1, 2, 3, 4]
    assert fit.invariants().posterior["chain"].to_numpy().tolist() == [1, 2, 3, 4]
    ranks = plot_trace(fit).axes[1]
    assert [label.get_text() for label in ranks.get_yticklabels()] == ["1", "2", "3", "4"]
