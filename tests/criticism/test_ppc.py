"""Predictive checks: statistics as NumPy and networkx have them, p-values as they should be."""

import tracemalloc
from graphlib import TopologicalSorter

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import pdist
from scipy.stats import kstest, percentileofscore

from lsm_stan import Fit, InputError, simulate
from lsm_stan.criticism import ppc
from lsm_stan.criticism.advice import STATISTICS, fault, next_model
from lsm_stan.criticism.ppc import predictive_checks
from lsm_stan.model import thinning
from lsm_stan.model.family import MODELS, find_model
from lsm_stan.model.parameters import rate_parameters
from lsm_stan.network.network import Network
from lsm_stan.network.summary import describe
from tests.support import made
from tests.support.made import partly_hidden


def fit_of(
    network: Network, draws: np.ndarray, model: str = "tutorial", **others: np.ndarray
) -> Fit:
    """Return a fit with ``(chain, draw, N, K)`` draws, of positions and of others."""
    return made.fit_of(network, {"z": draws, **others}, model)


@pytest.mark.parametrize("directed", [True, False])
def test_blocks_change_nothing(directed, monkeypatch):
    network, truth = simulate(25, 2, seed=1, directed=directed)
    positions = truth["z"]
    fit = fit_of(network, positions[np.newaxis, np.newaxis])
    whole = predictive_checks(fit, replications=10)
    for block in (1, 130):
        monkeypatch.setattr(thinning, "BLOCK_CELLS", block)
        again = predictive_checks(fit, replications=10)
        for name in ("table", "replicated", "weights", "strengths"):
            pd.testing.assert_frame_equal(getattr(again, name), getattr(whole, name))
    other = predictive_checks(fit, replications=10, seed=1)
    assert not other.replicated.equals(whole.replicated)


@pytest.mark.parametrize("directed", [True, False])
def test_mean_weight_is_the_mean_rate_of_the_draws(directed):
    network, _ = simulate(20, 3, seed=1, directed=directed)
    draws = np.random.default_rng(2).normal(size=(4, 5, 20, 3))
    replications = 200
    actual = predictive_checks(fit_of(network, draws), replications=replications).replicated
    mean_rate = np.mean([1 / pdist(z) for z in draws.reshape(-1, 20, 3)])
    cells = replications * 20 * 19 / (1 if directed else 2)
    assert abs(actual["mean_weight"].mean() - mean_rate) < 4 * np.sqrt(mean_rate / cells)


def test_replications_take_draws_of_all_chains_evenly():
    """Draw k of chain c lies on a scale of its own, so that its networks tell which it was."""
    network, truth = simulate(12, 2, seed=1)
    positions = truth["z"]
    scale = 10.0 ** -np.arange(6).reshape(2, 3, 1, 1)
    fit = fit_of(network, scale * positions)
    rate = np.mean(1 / pdist(positions))

    def drawn(replications: int) -> list[int]:
        mean = predictive_checks(fit, replications=replications).replicated["mean_weight"]
        return np.round(np.log10(mean / rate)).astype(int).tolist()

    assert drawn(6) == [0, 1, 2, 3, 4, 5]
    assert drawn(2) == [0, 3]
    assert drawn(12) == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]


@pytest.mark.parametrize("directed", [True, False])
def test_tables_are_quantiles_and_shares_of_the_replications(directed):
    network, truth = simulate(15, 2, seed=3, directed=directed)
    positions = truth["z"]
    check = predictive_checks(fit_of(network, positions[np.newaxis, np.newaxis]), replications=50)
    assert check.replicated.shape == (50, 11 if directed else 7)
    assert check.table["statistic"].tolist() == check.replicated.columns.tolist()
    for row in check.table.itertuples():
        values = check.replicated[row.statistic]
        interval = [row.predicted_low, row.predicted_median, row.predicted_high]
        np.testing.assert_allclose(interval, np.quantile(values, [0.05, 0.5, 0.95]))
        below = percentileofscore(values, row.observed, kind="mean") / 100
        assert row.p_value == pytest.approx(1 - below)
    assert [one.name for one in check.checks] == check.table["statistic"].tolist()
    inside = check.table["observed"].between(
        check.table["predicted_low"], check.table["predicted_high"]
    )
    assert [one.passed for one in check.checks] == inside.tolist()
    assert check.weights["weight"].tolist()[:5] == ["0", "1", "2", "3-4", "5-8"]
    assert check.weights["observed"].sum() == pytest.approx(1)
    directions = {"out": network.out_strength, "in": network.in_strength}
    for direction, rows in check.strengths.groupby("direction"):
        assert rows["rank"].tolist() == list(range(1, 16))
        assert rows["predicted_low"].is_monotonic_decreasing
        if directed:
            loops = network.to_dense().diagonal()
            strength = np.sort(directions[direction]() - loops)[::-1]
            np.testing.assert_array_equal(rows["observed"], strength)
    assert set(check.strengths["direction"]) == (set(directions) if directed else {"both"})


#: Statistics with few ties, so that their p-values can be uniform.
FINE = ("mean_weight", "dispersion", "sd_out_strength", "sd_in_strength", "weight_correlation",
        "transitivity")  # fmt: skip


def p_values_of(positions: np.ndarray, fitted: np.ndarray, repeats: int) -> pd.DataFrame:
    """Return p-values of networks simulated at positions and checked at fitted ones."""
    rows = []
    for seed in range(repeats):
        network, _ = simulate(*positions.shape, seed=seed, positions=positions)
        fit = fit_of(network, fitted[np.newaxis, np.newaxis])
        table = predictive_checks(fit, replications=30, seed=1000 + seed).table
        rows.append(table.set_index("statistic")["p_value"])
    return pd.DataFrame(rows)


@pytest.mark.slow
def test_p_values_are_uniform_where_the_model_holds():
    """Mid-p-values have mean 1/2 and at most the variance 1/12 of a uniform.

    The bounds leave a correct program one chance in about 10,000 a statistic; the same bounds
    refuse positions that are 10 % off.
    """
    positions, repeats = np.random.default_rng(5).normal(size=(20, 2)), 60
    error = np.sqrt(1 / 12 / repeats)
    right = p_values_of(positions, positions, repeats)
    assert (np.abs(right.mean() - 0.5) < 4 * error).all()
    for name in FINE:
        assert kstest(right[name], "uniform").pvalue > 1e-4, name
    wrong = p_values_of(positions, 1.1 * positions, repeats)["mean_weight"]
    assert abs(wrong.mean() - 0.5) > 4 * error
    assert kstest(wrong, "uniform").pvalue < 1e-4


def thinned(matrix: np.ndarray) -> np.ndarray:
    """Take most edges away."""
    return matrix * (np.random.default_rng(0).random(matrix.shape) < 0.2)


def one_huge(matrix: np.ndarray) -> np.ndarray:
    matrix[3, 7] = 500
    return matrix


def even(matrix: np.ndarray) -> np.ndarray:
    """Give every pair the same weight."""
    return np.ones_like(matrix)


def mirrored(matrix: np.ndarray) -> np.ndarray:
    return np.triu(matrix, 1) + np.triu(matrix, 1).T


def one_way(matrix: np.ndarray) -> np.ndarray:
    return np.triu(matrix + matrix.T, 1)


def hub(matrix: np.ndarray) -> np.ndarray:
    matrix[:, 4] += 5
    return matrix


@pytest.mark.parametrize(
    ("planted", "statistic", "words"),
    [
        (thinned, "share_zero", "falls too slowly with distance"),
        (thinned, "mean_weight", "no intercept lowers the rates"),
        (even, "share_zero", "spread over more pairs"),
        (even, "dispersion", "a rate of 1/d has no bound"),
        (one_huge, "max_weight", "a Poisson count stays near its rate"),
        (one_huge, "dispersion", "a negative binomial would be looked at next"),
        (hub, "sd_in_strength", "cannot set strong nodes apart from weak ones"),
        (hub, "max_in_strength", "receiver effects would be looked at next"),
        (mirrored, "reciprocity", "likelihood dyadic"),
        (mirrored, "weight_correlation", "likelihood dyadic"),
        (one_way, "reciprocity", "more alike than in the network"),
        (one_way, "weight_correlation", "sender and receiver effects"),
    ],
)
def test_a_planted_fault_is_named(planted, statistic, words):
    """The network as simulated is among its replications; with the fault it is beyond them all."""
    network, truth = simulate(40, 2, seed=2)
    positions = truth["z"]

    def result_of(matrix: np.ndarray):
        fit = fit_of(Network.from_matrix(matrix), positions[np.newaxis, np.newaxis])
        result = predictive_checks(fit, replications=100)
        check = next(check for check in result.checks if check.name == statistic)
        return result.table.set_index("statistic")["p_value"][statistic], check

    p_value, check = result_of(network.to_dense())
    assert 0 < p_value < 1
    assert check.message.startswith(STATISTICS[statistic].label)
    p_value, check = result_of(planted(network.to_dense()))
    assert p_value in {0, 1}
    assert not check.passed
    assert words in check.message


@pytest.mark.parametrize(
    ("true", "fitted", "statistic", "words"),
    [
        ("nb-squared", "poisson-squared", "dispersion", "a negative binomial"),
        ("nb-squared-effects", "nb-squared", "sd_out_strength", "sender and receiver effects"),
        ("dyadic-squared", "nb-squared", "weight_correlation", "likelihood dyadic"),
        ("nb-squared-roles", "nb-squared-effects", "reciprocity", "roles, two positions a node,"),
    ],
)
def test_what_a_model_lacks_is_named(true, fitted, statistic, words):
    """At the true parameters, of which the fitted model has not all."""
    rng = np.random.default_rng(3)
    n = 60
    truth = {
        "z": rng.normal(size=(n, 2)),
        "intercept": np.array(1.5),
        "phi": np.array(0.4 if "roles" not in true else 50.0),
        "sender_effect": rng.normal(size=n),
        "receiver_effect": rng.normal(size=n),
        "role": 2.0 * rng.normal(size=(n, 2)) * ("roles" in true),
    }
    network, _ = simulate(n, 2, seed=4, model=true, parameters=truth)

    def check_of(model: str):
        names = rate_parameters(find_model(model))
        draws = {name: truth[name][np.newaxis, np.newaxis] for name in names}
        fit = fit_of(network, draws.pop("z"), model, **draws)
        checks = predictive_checks(fit, replications=300).checks
        return next(check for check in checks if check.name == statistic)

    assert check_of(true).passed
    lacking = check_of(fitted)
    assert not lacking.passed
    assert words in lacking.message


@pytest.mark.parametrize("statistic", STATISTICS)
def test_every_failure_of_every_model_has_a_cause(statistic):
    for spec in MODELS.values():
        for more in (False, True):
            assert fault(statistic, spec, more=more).endswith("would be looked at next")


def test_what_a_network_does_not_define_is_not_judged():
    """Without an edge there is no dispersion, no reciprocity, no correlation, no triple."""
    network = Network.from_edges([], [], names=["a", "b", "c"])
    positions = np.array([[[[0.0, 0.0], [0.5, 0.0], [0.0, 0.5]]]])
    check = predictive_checks(fit_of(network, positions), replications=20)
    undefined = {"dispersion", "reciprocity", "weight_correlation", "transitivity"}
    assert set(check.table["statistic"][check.table["p_value"].isna()]) == undefined
    assert {one.name for one in check.checks} == set(check.replicated.columns) - undefined
    far = predictive_checks(fit_of(network, 1e9 * positions), replications=20)
    assert far.table["p_value"].dropna().tolist() == [0.5] * 7
    assert all(one.passed for one in far.checks)


def test_memory_does_not_hold_a_matrix():
    """64 MB: the network of 3,000 nodes as one N x N array of 8 bytes a cell would take 72."""
    n_nodes = 3000
    network = Network.from_edges(["0"], ["1"], names=range(n_nodes))
    fit = fit_of(network, np.random.default_rng(1).normal(size=(1, 1, n_nodes, 3)))
    tracemalloc.start()
    try:
        check = predictive_checks(fit, replications=1)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert check.replicated["mean_weight"][0] > 0.1
    assert peak < 64e6


def test_no_replication():
    network, truth = simulate(5, 2, seed=1)
    positions = truth["z"]
    with pytest.raises(InputError, match="replications is 0; an integer >= 1"):
        predictive_checks(fit_of(network, positions[np.newaxis, np.newaxis]), replications=0)


@pytest.mark.parametrize("directed", [True, False])
def test_hidden_dyads_are_hidden_in_the_replications(directed):
    """Half of the dyads are hidden; the same statistics of both, and the rates of what is seen."""
    network, truth = simulate(40, 2, seed=2, directed=directed)
    positions = truth["z"]
    network = partly_hidden(network, 3, 0.5)
    fit = fit_of(network, positions[np.newaxis, np.newaxis])
    replications = 200
    check = predictive_checks(fit, replications=replications)
    facts = describe(network)
    observed = check.table.set_index("statistic")["observed"]
    assert observed["share_zero"] == pytest.approx(facts.share_zero)
    assert observed["mean_weight"] == pytest.approx(facts.mean_cell)
    i, j = np.nonzero(np.triu(np.ones((40, 40)), 1))
    if directed:
        i, j = np.concatenate([i, j]), np.concatenate([j, i])
    seen = network.weight_of(i, j) >= 0
    assert 0.4 < seen.mean() < 0.6
    rate = 1 / np.linalg.norm(positions[i] - positions[j], axis=1)[seen]
    error = np.sqrt(rate.mean() / len(rate) / replications)
    assert abs(check.replicated["mean_weight"].mean() - rate.mean()) < 4 * error
    zero = np.exp(-rate)
    error = np.sqrt(np.mean(zero * (1 - zero)) / len(rate) / replications)
    assert abs(check.replicated["share_zero"].mean() - zero.mean()) < 4 * error


ALL_FAILED = {"share_zero": True, "mean_weight": False, "dispersion": True, "max_in_strength": True}


@pytest.mark.parametrize(
    ("model", "failed", "binary", "expected"),
    [
        ("tutorial", ALL_FAILED, False, ("nb-squared-effects", 0)),
        ("tutorial", ALL_FAILED, True, ("bernoulli-squared-effects", 0)),
        ("tutorial", {"mean_weight": False}, False, ("poisson-inverse", 0)),
        ("nb-squared-effects", {"weight_correlation": True}, False, ("dyadic-squared-effects", 0)),
        ("nb-squared-effects", {"reciprocity": False}, False, ("nb-squared-roles", 0)),
        ("nb-squared-effects", {"transitivity": True}, False, ("nb-squared-effects", 1)),
        (
            "poisson-squared+clusters(2)",
            {"dispersion": True},
            False,
            ("nb-squared+clusters(2)", 0),
        ),
        ("nb-squared-effects", {"max_in_strength": True}, False, None),
        ("tutorial", {}, False, None),
    ],
)
def test_the_next_model_takes_the_steps_that_failures_ask_for(model, failed, binary, expected):
    following = next_model(find_model(model), failed, binary=binary)
    named = None if following is None else (following.spec.name, following.more_dims)
    assert named == expected


def test_an_undirected_network_is_not_given_roles():
    """They are of senders and receivers: the model refuses them there."""
    spec, failed = find_model("nb-squared-effects"), {"transitivity": False}
    assert next_model(spec, failed).spec.roles
    assert next_model(spec, failed, directed=False) == (spec, 1)
    assert "roles" not in fault("transitivity", spec, more=False, directed=False)


def test_the_next_model_of_every_model_is_another_one_or_has_more_dimensions():
    for spec in MODELS.values():
        for name in STATISTICS:
            for more in (False, True):
                following = next_model(spec, {name: more})
                assert following is None or following.spec.name in MODELS
                assert following is None or (following.spec != spec) != bool(following.more_dims)


def test_advice_never_leads_back():
    """A model that was left for another is not advised again, whatever fails on the way."""
    steps = {}
    for spec in MODELS.values():
        failures = ({name: more} for name in STATISTICS for more in (False, True))
        following = (next_model(spec, failed) for failed in failures)
        steps[spec.name] = {step.spec.name for step in following if step and not step.more_dims}
    assert "nb-squared-effects" in steps["poisson-squared-effects"]
    list(TopologicalSorter(steps).static_order())  # raises CycleError


def test_fewer_networks_are_drawn_where_they_take_long(monkeypatch):
    network, truth = simulate(12, 2, seed=1)
    fit = fit_of(network, truth["z"][np.newaxis, np.newaxis])
    monkeypatch.setattr(ppc, "MOST_WORK", 1.0)
    check = predictive_checks(fit, replications=60)
    assert len(check.replicated) == 40
    assert check.note == "Of a network of this size 40 are drawn instead of 60."
    assert len(predictive_checks(fit, replications=7).replicated) == 7
    monkeypatch.undo()
    assert not predictive_checks(fit, replications=60).note
