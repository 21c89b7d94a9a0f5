"""Predictions and LOO of a fit whose predictive distributions are known in closed form.

All nodes are at one place, so that all dyads have one rate λ; its draws are from the gamma
distribution that is its posterior under a gamma prior.
"""

import arviz as az
import numpy as np
import pandas as pd
import pytest
from scipy import signal, stats
from scipy.spatial.distance import cdist

from lsm_stan import Fit, InputError, Network, predictive_checks, read_network
from lsm_stan.model.family import MODELS
from lsm_stan.model.likelihood import log_mean
from lsm_stan.model.parameters import rate_parameters
from lsm_stan.posterior import diagnostics, idata
from lsm_stan.posterior.invariants import sample_pairs
from lsm_stan.prediction.dyads import predict
from lsm_stan.prediction.loo import loo, loo_table
from lsm_stan.prediction.scores import standard_error
from tests.support.made import made_fit, short_record

PRIOR_SHAPE, PRIOR_RATE = 2.0, 4.0


def a_fit(network, model="poisson-squared", n_draws=4000, **parameters):
    """Make a fit of given draws, as if a method had found them."""
    rng = np.random.default_rng(12)
    weight, n_dyads = network.weight.sum(), network.n_nodes * (network.n_nodes - 1)
    shape, rate = PRIOR_SHAPE + weight, PRIOR_RATE + n_dyads - network.n_hidden
    draws = {
        "z": np.zeros((1, n_draws, network.n_nodes, 2)),
        "intercept": np.log(rng.gamma(shape, 1 / rate, size=(1, n_draws))),
        **parameters,
    }
    assert set(draws) == set(rate_parameters(MODELS[model]))
    estimate = {name: values[0].mean(axis=0) for name, values in draws.items()}
    built = idata.build(
        network, draws=draws, log_joint=np.zeros(draws["z"].shape[:2]), estimate=estimate
    )
    return Fit(network, built, short_record(network, model), None), shape, rate


@pytest.fixture(scope="module")
def network():
    matrix = np.random.default_rng(3).poisson(0.4, size=(9, 9))
    matrix[2, 7] = 9
    return Network.from_matrix(matrix, list("abcdefghi")).hide([1, 1, 0], [2, 3, 1])


def test_every_dyad_is_listed_by_what_was_observed(network):
    table = predict(a_fit(network)[0], top=100)
    names = {name: i for i, name in enumerate(network.names)}
    sender, receiver = table["source"].map(names), table["target"].map(names)
    assert len(table) == 9 * 8
    assert not pd.DataFrame({"i": sender, "j": receiver}).duplicated().any()
    weight = network.weight_of(sender, receiver)
    kinds = np.select([weight < 0, weight == 0], ["hidden", "empty"], "heavy")
    assert table["kind"].tolist() == kinds.tolist()
    assert table["weight"].isna().tolist() == (weight < 0).tolist()
    assert table["weight"].dropna().tolist() == weight[weight >= 0].tolist()


def test_predictions_are_those_of_the_posterior(network):
    fit, shape, rate = a_fit(network)
    table = predict(fit, top=100)
    posterior = stats.gamma(shape, scale=1 / rate)
    # a mean of 4000 draws, thinned to 1000, knows this much
    error = 4 * posterior.std() / np.sqrt(1000)
    np.testing.assert_allclose(table["expected"], posterior.mean(), atol=error)
    np.testing.assert_allclose(table["probability"], 1 - (rate / (rate + 1)) ** shape, atol=error)
    low, high = posterior.ppf([0.05, 0.95])
    np.testing.assert_allclose(table["expected_low"], low, atol=4 * error)
    np.testing.assert_allclose(table["expected_high"], high, atol=4 * error)
    np.testing.assert_allclose(table["probability_low"], -np.expm1(-table["expected_low"]))
    np.testing.assert_allclose(table["probability_high"], -np.expm1(-table["expected_high"]))
    heavy = table[table["kind"] == "heavy"]
    predictive = stats.nbinom(shape, rate / (rate + 1))
    expected = predictive.sf(heavy["weight"].to_numpy(dtype=int) - 1)
    np.testing.assert_allclose(heavy["tail"], expected, rtol=0.2)


def test_the_least_expected_weight_comes_first(network):
    table = predict(a_fit(network)[0], top=3)
    heavy = table[table["kind"] == "heavy"]
    assert heavy.iloc[0][["source", "target", "weight"]].tolist() == ["c", "h", 9]
    assert heavy["tail"].is_monotonic_increasing
    assert table["kind"].value_counts().to_dict() == {"hidden": 3, "empty": 3, "heavy": 3}


def test_blocks_do_not_show(network, monkeypatch):
    rng = np.random.default_rng(1)
    fit, *_ = a_fit(network, "nb-squared", 50, phi=rng.gamma(3.0, size=(1, 50)),
                    z=rng.normal(size=(1, 50, 9, 2)))  # fmt: skip
    whole = predict(fit, top=5)
    monkeypatch.setattr("lsm_stan.prediction.dyads.CHUNK", 50)
    pd.testing.assert_frame_equal(predict(fit, top=5), whole)
    empty = whole[whole["kind"] == "empty"]
    assert empty["probability"].is_monotonic_decreasing


def test_close_nodes_without_an_edge_are_likely_ones():
    places = np.array([[0.0, 0], [0.1, 0], [5, 0], [5, 5]])
    network = Network.from_edges("ac", "cd", names="abcd", directed=False)
    z = np.broadcast_to(places, (1, 30, 4, 2))
    fit, *_ = a_fit(network, "bernoulli-squared", 30, z=z)
    first = predict(fit, top=1).set_index("kind")
    assert first.loc["empty", ["source", "target"]].tolist() == ["a", "b"]
    assert first.loc["heavy", "tail"] == pytest.approx(first.loc["heavy", "probability"])


def test_a_mode_has_no_intervals(network):
    fit, *_ = a_fit(network, n_draws=1)
    table = predict(fit)
    intervals = table.filter(regex="_(low|high)$")
    assert intervals.shape[1] == 4
    assert intervals.isna().all(axis=None)
    with pytest.raises(InputError, match="top is 0"):
        predict(fit, 0)


def test_loo_is_leaving_out(network):
    fit, shape, rate = a_fit(network, n_draws=1000)
    actual = loo(fit)
    cells = {(i, j) for i in range(9) for j in range(9) if i != j}
    cells -= set(zip(network.hidden_sender, network.hidden_receiver, strict=True))
    ends = np.array(sorted(cells)).T
    weight = network.weight_of(*ends)
    without = stats.nbinom(shape - weight, (rate - 1) / rate)
    np.testing.assert_allclose(actual.elpd_i, without.logpmf(weight), rtol=0.01)
    assert actual.elpd == pytest.approx(without.logpmf(weight).sum(), abs=0.5)
    # one parameter, of which overdispersed weights tell more than Poisson ones
    assert 0.5 < actual.p < 6
    # the two directions of a pair are not independent
    off = actual.elpd_i - actual.elpd_i.mean()
    off = pd.Series(off).groupby([frozenset(e) for e in ends.T]).sum()
    assert actual.se == pytest.approx(np.sqrt(len(off)) * off.std())


@pytest.mark.parametrize("phi", [0.2, 2.0])
def test_loo_of_a_dyad_is_given_its_reverse(phi):
    """One pair, one mean λ of both directions, on a grid."""
    y, grid = [3, 5], np.linspace(1e-3, 60, 60_000)
    prior = stats.gamma.pdf(grid, PRIOR_SHAPE, scale=1 / PRIOR_RATE)
    # the sum is negative binomial, and given the sum each direction has an even chance
    joint = stats.nbinom.pmf(sum(y), phi, phi / (phi + 2 * grid))
    joint *= stats.binom.pmf(y[0], sum(y), 0.5)
    posterior = np.cumsum(prior * joint)
    drawn = np.interp((np.arange(1000) + 0.5) / 1000, posterior / posterior[-1], grid)
    fit, *_ = a_fit(
        Network.from_matrix([[0, y[0]], [y[1], 0]]),
        "dyadic-squared",
        1000,
        intercept=np.log(drawn)[None],
        phi=np.full((1, 1000), phi),
    )
    actual = loo(fit)
    reverse = [stats.nbinom.pmf(w, phi, phi / (phi + grid)) for w in y[::-1]]
    exact = [np.log(posterior[-1] / np.sum(prior * each)) for each in reverse]
    assert (actual.pareto_k < actual.good_k).all()
    np.testing.assert_allclose(actual.elpd_i, exact, atol=0.01)


def test_loo_says_where_it_cannot_be_trusted(network):
    # one node's position wanders: whoever is left out of its dyads would be far away
    rng = np.random.default_rng(2)
    z = np.zeros((1, 400, 9, 2))
    z[0, :, 2] = 1.5 * rng.normal(size=(400, 2))
    fit, *_ = a_fit(network, n_draws=400, z=z)
    actual = loo(fit)
    assert actual.pareto_k[np.argmin(actual.elpd_i)] > actual.good_k
    bad = int((actual.pareto_k > actual.good_k).sum())
    assert actual.warning == f"{bad:,} of 69 dyads have a Pareto k above {actual.good_k:.2f}"


@pytest.mark.filterwarnings("ignore:Estimated shape parameter of Pareto:UserWarning")
def test_loo_is_arviz_s(network):
    """On the same draws, thinned and autocorrelated, with the same relative efficiency."""
    rng = np.random.default_rng(3)
    noise = rng.normal(size=(2, 900, 9, 2))
    z = 0.4 * signal.lfilter([np.sqrt(1 - 0.95**2)], [1, -0.95], noise, axis=1)
    intercept = np.full((2, 900), np.log(0.4))
    fit, *_ = a_fit(network, z=z, intercept=intercept)
    actual = loo(fit)
    assert (actual.thin, len(actual.elpd_i)) == (2, 69)
    fit.log_likelihood(thin=actual.thin)
    theirs, independent = (
        az.loo(fit.idata, pointwise=True, reff=reff) for reff in (actual.reff, 1.0)
    )
    total, p, pointwise = (
        (theirs.elpd_loo, theirs.p_loo, theirs.loo_i)
        if hasattr(theirs, "elpd_loo")
        else (theirs.elpd, theirs.p, theirs.elpd_i)
    )
    np.testing.assert_allclose(actual.elpd_i, pointwise, rtol=0, atol=1e-8)
    np.testing.assert_allclose(actual.pareto_k, theirs.pareto_k, rtol=0, atol=1e-8)
    assert (actual.elpd, actual.p) == (pytest.approx(total, abs=1e-8), pytest.approx(p, abs=1e-8))
    # which ArviZ would find itself, had the posterior nothing that a rotation changes
    log_means = diagnostics.as_dataset(
        log_mean=log_mean(fit.spec, fit.parameters, *sample_pairs(9, 500).T)
    )
    effective = float(az.ess(log_means, method="mean")["log_mean"].mean())
    assert actual.reff == pytest.approx(effective / 900, rel=1e-6)
    assert np.abs(theirs.pareto_k - independent.pareto_k).max() > 0.1


def test_loo_needs_draws(network):
    with pytest.raises(InputError, match=r"the fit has 1 draws; .* at least 100: take method nuts"):
        loo(a_fit(network, n_draws=1)[0])


def test_fits_beside_each_other_by_loo(network):
    z = np.zeros((1, 400, 9, 2))
    z[0, :, 2] = 1.5 * np.random.default_rng(2).normal(size=(400, 2))
    fits = {"wandering": a_fit(network, n_draws=400, z=z)[0], "one": a_fit(network, n_draws=400)[0]}
    table = loo_table(fits).set_index("fit")
    assert table.index.tolist() == ["one", "wandering"]
    assert table.loc["one", ["difference", "difference_se"]].tolist() == [0, 0]
    alone = {name: loo(fit) for name, fit in fits.items()}
    apart = alone["wandering"].elpd_i - alone["one"].elpd_i
    row = table.loc["wandering"]
    assert row["difference"] == pytest.approx(apart.sum())
    assert row["difference_se"] == pytest.approx(
        len(apart) * standard_error(apart, alone["one"].pair)
    )
    assert "Pareto k above" in row["warning"]
    other = a_fit(network.hide([4], [5]), n_draws=400)[0]
    with pytest.raises(InputError, match="other is a fit of another network"):
        loo_table({**fits, "other": other})
    mode = a_fit(network, n_draws=1)[0]
    with pytest.raises(InputError, match=r"^map has 1 draws; .* at least 100"):
        loo_table({**fits, "map": mode})


@pytest.mark.parametrize(
    ("khat", "warning"),
    [
        (0.69, ""),
        (3.21, "the draws are those of an approximation, whose PSIS k-hat is 3.2 (above 0.7)"),
        (None, "the draws are those of an approximation, whose PSIS k-hat could not be computed"),
    ],
)
def test_draws_of_an_approximation_are_told_from_those_of_the_posterior(network, khat, warning):
    fit, *_ = a_fit(network, n_draws=400)
    others = loo_table({"nuts": fit})["warning"][0]
    fit.record.details["khat"] = khat
    assert loo_table({"advi": fit})["warning"][0] == "; ".join(filter(None, [warning, others]))


def test_of_two_sets_nothing_is_said_within_a_set():
    """No edge can be there: none is predicted, expected or compared."""
    visits = np.random.default_rng(1).poisson(1.0, (5, 7))
    network = read_network(visits, bipartite=True)
    sets = network.node_table["bipartite"].to_dict()
    rng = np.random.default_rng(2)
    z = rng.normal(size=(12, 2))
    level = {"intercept": np.full((1, 1), 0.3)}
    fit = made_fit(network, z[None, None], "map", model="poisson-squared", others=level)
    table = predict(fit, 1000)
    assert len(table) == 35
    assert all(sets[a] != sets[b] for a, b in zip(table["source"], table["target"], strict=True))
    rate = np.exp(0.3 - cdist(z[:5], z[5:], "sqeuclidean"))
    expected = np.concatenate([rate.sum(axis=1), rate.sum(axis=0)])
    strength = fit.invariants(nodes=np.arange(12)).posterior["strength"].to_numpy()[0, 0]
    np.testing.assert_allclose(strength, expected)
    statistics = predictive_checks(fit, replications=20).table["statistic"]
    assert not {"transitivity", "reciprocity"} & set(statistics)
    assert "sd_strength" in set(statistics)
