"""Checks of samplers and approximations: each planted failure fails one check, by its name."""

import re
from dataclasses import replace

import arviz as az
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lsm_stan import simulate
from lsm_stan.model.family import find_model
from lsm_stan.network.network import Network
from lsm_stan.posterior import diagnostics
from lsm_stan.posterior.checks import (
    approximation_khat,
    longer,
    quantity_table,
    sampler_checks,
)
from lsm_stan.posterior.invariants import monitored, settled
from tests.support.made import apart, scattered


@pytest.fixture(scope="module")
def simulated() -> tuple[Network, np.ndarray]:
    network, truth = simulate(12, 2, seed=4)
    return network, truth["z"]


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(12)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (None, None),
        ("phi", "phi"),
        ("sigma_z", "sigma_z"),
        ("beta", r"beta\[absdiff\(x\)\]"),
        ("sender_effect", "sender effects"),
        ("role", "sizes of roles"),
        ("theta", r"theta\[1, by size\]"),
    ],
)
def test_every_kind_of_parameter_is_held_to_the_limits(simulated, rng, name, words):
    network, positions = simulated
    network = replace(
        network, node_table=pd.DataFrame({"x": rng.normal(size=12)}, index=network.names)
    )
    spec = find_model("nb-squared-roles+absdiff(x)+nodecov(x)+clusters(2)").bound(network)
    shapes = {"beta": (2,), "sender_effect": (12,), "receiver_effect": (12,), "role": (12, 2)}
    shapes |= dict.fromkeys(("intercept", "phi", "sigma_z"), ())

    def quantities(bad: str | None) -> dict[str, np.ndarray]:
        z = scattered(positions, rng, 0.02)
        actual = {key: rng.normal(size=(4, 250, *shape)) for key, shape in shapes.items()}
        share = stats.norm.cdf(3 + (apart(rng) if bad == "theta" else rng.normal(size=(4, 250))))
        # the labels of every draw are in another order
        theta = rng.permuted(np.stack([share, 1 - share], axis=-1), axis=-1)
        actual |= {"z": z, "theta": theta, "sigma_cluster": np.ones_like(theta)}
        actual["sigma_cluster"] += 0.1 * rng.random(size=theta.shape)
        if bad == "beta":
            actual["beta"][..., 1] = apart(rng)
        elif bad == "role":
            actual["role"][3] *= 2
        elif bad != "theta" and bad is not None:
            actual[bad] = apart(rng, *shapes[bad])
        return monitored(spec, actual, rng.normal(size=(4, 250)))

    flawless = {
        "diverging": np.zeros((4, 250), bool),
        "tree_depth": np.full((4, 250), 7),
        "n_steps": np.full((4, 250), 127),
        "energy": rng.normal(size=(4, 250)),
    }
    checks, _ = sampler_checks(quantities(name), flawless, 10)
    failed = {check.name: check.message for check in checks if not check.passed}
    assert list(failed) == ([] if name is None else ["exploration"])
    if name is not None:
        assert re.search(f"(^|; ){words}: R-hat ", failed["exploration"])


def test_the_tutorials_model_is_judged_by_distances_and_the_log_joint(simulated):
    """Its rates are functions of distances alone."""
    draws = simulated[1][None, None]
    assert list(monitored(find_model("tutorial"), {"z": draws}, np.zeros((1, 1)))) == [
        "distance", "log_joint",
    ]  # fmt: skip


def plain_run(rng: np.random.Generator, depth: np.ndarray) -> tuple[dict, dict]:
    """Return quantities and statistics of a flawless run of trees this deep."""
    shape = (4, 250)
    sampler = {
        "diverging": np.zeros(shape, bool),
        "tree_depth": np.broadcast_to(depth, shape),
        "n_steps": rng.integers(1, 128, size=shape),
        "energy": rng.normal(size=shape),
    }
    distance = rng.normal(size=(*shape, 30))
    return {"distance": distance, "log_joint": rng.normal(size=shape)}, sampler


@pytest.mark.parametrize(("deep", "limit", "passed"), [(6, 7, False), (5, 7, True), (6, 8, True)])
def test_more_than_one_tree_in_fifty_at_the_limit_is_too_many(rng, deep, limit, passed):
    quantities, sampler = plain_run(rng, np.where(np.arange(250) < deep, 7, 6))
    checks, details = sampler_checks(quantities, sampler, limit)
    check = next(check for check in checks if check.name == "tree_depth")
    assert check.passed == passed
    assert (f"max_treedepth = {limit + 1}" in check.sentence) == (not passed)
    assert details["saturated"] == (0 if limit == 8 else deep / 250)


def test_details_are_those_of_arviz(rng):
    quantities, sampler = plain_run(rng, np.array(7))
    _, details = sampler_checks(quantities, sampler, 10)
    each = np.moveaxis(settled(quantities["distance"]), -1, 0)
    bulk = np.array([az.ess(draws) for draws in each])
    tail = [az.ess(draws, method="tail", prob=(0.05, 0.95)) for draws in each]
    expected = {
        "chains": 4,
        "draws": 250,
        "divergences": 0,
        "saturated": 0,
        "gradients_per_draw": sampler["n_steps"].mean(),
        "rhat_p95": np.quantile([az.rhat(draws) for draws in each], 0.95),
        "ess_p05": np.quantile(bulk, 0.05),
        "ess_median": np.median(bulk),
        "ess_tail_p05": np.quantile(tail, 0.05),
    }
    assert {name: details[name] for name in expected} == pytest.approx(expected, rel=1e-6)


def test_a_quantity_is_as_good_as_its_worst_item():
    items = pd.DataFrame(
        {
            "quantity": ["a", "a", "b"],
            "rhat": [1.0, 1.5, np.nan],
            "ess_bulk": [100.0, 300.0, 50.0],
            "ess_tail": [40.0, 20.0, np.nan],
            "mcse_mean": [0.5, 0.3, 0.2],
            "sd": [10.0, 2.0, 4.0],
        }
    )
    a, b = quantity_table(items).to_dict("records")
    assert (a["quantity"], a["items"], b["quantity"], b["items"]) == ("a", 2, "b", 1)
    assert (a["rhat_max"], a["ess_bulk_min"], a["ess_tail_min"]) == (1.5, 100, 20)
    assert (a["rhat_p95"], a["ess_bulk_p05"]) == pytest.approx((1.475, 110))
    assert (a["mcse_ratio"], b["mcse_ratio"]) == pytest.approx((0.15, 0.05))
    assert np.isnan([b["rhat_max"], b["rhat_p95"], b["ess_tail_min"]]).all()


@pytest.mark.parametrize(("df", "low", "high"), [(1.0, 0.7, 1.4), (4.0, 0.1, 0.5)])
def test_khat_is_the_tail_index_of_the_ratios(df, low, high):
    """Of |t| variables with n degrees of freedom the tail index is 1 / n."""
    ratio = np.abs(stats.t.rvs(df, size=20_000, random_state=3))
    khat = approximation_khat(np.log(ratio))
    assert khat is not None
    assert low < khat < high


def test_khat_needs_enough_finite_draws():
    assert approximation_khat(np.zeros(5)) is None
    assert approximation_khat(np.r_[np.zeros(500), np.nan]) is None


def test_diagnostics_are_arvizs_and_know_an_independent_sample(rng):
    """Of independent draws R-hat is 1, ESS the number of draws, MCSE sd / sqrt(S)."""
    values = rng.normal(size=(4, 500, 30))
    table = diagnostics.diagnostic_table(
        diagnostics.as_dataset(distance=values, log_joint=values[..., 0])
    )
    assert len(table) == 31
    np.testing.assert_allclose(table["rhat"], 1, atol=0.02)
    np.testing.assert_allclose(table["ess_bulk"], 2000, rtol=0.25)
    np.testing.assert_allclose(table["mcse_mean"], 1 / np.sqrt(2000), rtol=0.2)
    apart = values + 5 * np.arange(4)[:, None, None]
    assert diagnostics.diagnostic_table(diagnostics.as_dataset(distance=apart))["rhat"].min() > 2


def advice(rng: np.random.Generator, asked: dict, **stats: np.ndarray) -> dict[str, str]:
    """Return the advice of the checks that fail, of a run that is flawless but for `stats`."""
    quantities, sampler = plain_run(rng, np.array(7))
    checks, _ = sampler_checks(quantities, {**sampler, **stats}, 10, asked)
    return {check.name: check.advice for check in checks if not check.passed}


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, "take smaller steps, adapt_delta = 0.95"),
        ({"init": "fits/map", "adapt_delta": 0.9}, "take smaller steps, adapt_delta = 0.95"),
        ({"init": "random"}, "take smaller steps, adapt_delta = 0.95, or start at a mode"),
        ({"adapt_delta": 0.95}, "take smaller steps, adapt_delta = 0.99"),
        ({"adapt_delta": 0.99}, "its steps are as small as is of use: try another model"),
    ],
)
def test_advice_on_divergences_fits_what_was_done(rng, asked, expected):
    diverging = np.zeros((4, 250), bool)
    diverging[0, 0] = True
    assert advice(rng, asked, diverging=diverging) == {"divergences": expected}


def test_advice_on_trees_and_warmup_fits_what_was_done(rng):
    deep = {"tree_depth": np.full((4, 250), 10)}
    assert advice(rng, {}, **deep) == {"tree_depth": "raise it, max_treedepth = 11"}
    plain = advice(rng, {"precondition": False}, **deep)["tree_depth"]
    assert plain.endswith("or sample in preconditioned coordinates")
    walk = {"energy": np.cumsum(rng.normal(size=(4, 250)), axis=1)}
    assert advice(rng, {"iter_warmup": 300}, **walk) == {
        "energy": "run a longer warmup, iter_warmup = 600"
    }


def test_trees_may_be_meant_to_end(rng):
    quantities, sampler = plain_run(rng, np.array(6))
    verdicts = {
        meant: next(
            check
            for check in sampler_checks(quantities, sampler, 6, meant=meant)[0]
            if check.name == "tree_depth"
        )
        for meant in (False, True)
    }
    assert [verdicts[meant].passed for meant in (False, True)] == [False, True]
    assert "end at depth 6" in verdicts[True].message


def test_one_divergence_is_one():
    rng = np.random.default_rng(1)
    quantities, sampler = plain_run(rng, np.array(7))
    sampler["diverging"][0, 0] = True
    first, *_ = sampler_checks(quantities, sampler, 10)[0]
    assert first.message == "1 divergent transition"


def test_chains_that_do_not_move_are_said_to_be_stuck(rng):
    """Two of them ran: they are not told that two are needed."""
    quantities, sampler = plain_run(rng, np.array(7))
    stuck = {name: values[:2].copy() for name, values in quantities.items()}
    stuck["distance"][0] = stuck["distance"][0, :1]
    stuck["distance"][1] = stuck["distance"][0]
    checks, _ = sampler_checks(stuck, {name: v[:2] for name, v in sampler.items()}, 10)
    said = {check.name: check.message for check in checks}["rhat"]
    assert "2 of 2 chains did not move" in said
    assert "needs at least 2 chains" not in said
    single = {name: values[:1] for name, values in quantities.items()}
    checks, _ = sampler_checks(single, {name: v[:1] for name, v in sampler.items()}, 10)
    assert "needs at least 2 chains" in {check.name: check.message for check in checks}["rhat"]


def test_how_much_longer_follows_from_how_little_was_reached():
    assert longer({"iter_sampling": 500}, 150.0) == "run longer, iter_sampling = 2000"
    assert longer({}, 399.0) == "run longer, iter_sampling = 2000"
    assert longer({}, np.nan) == "run longer, iter_sampling = 2000"
    assert "another start or model" in longer({}, 4.0)
    assert longer({"iter_sampling": 20}, 4.0) == "run longer, iter_sampling = 2500"


def test_the_worst_of_many_quantities_are_named_first(rng):
    quantities, sampler = plain_run(rng, np.array(7))
    for k in range(5):
        bad = rng.normal(size=(4, 250))
        bad[3] += 1 + k
        quantities[f"q{k}"] = bad
    checks, _ = sampler_checks(quantities, sampler, 10)
    message = next(check.message for check in checks if check.name == "exploration")
    assert re.findall(r"q\d", message) == ["q4", "q3", "q2"]
    assert "; and 2 other quantities (" in message
