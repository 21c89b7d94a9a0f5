"""ArviZ's groups of a fit: their numbers, their names, and that ArviZ takes them as they are."""

from datetime import datetime
from importlib.metadata import version

import arviz as az
import numpy as np
import pytest
from scipy import stats

from lsm_stan import Fit, InputError, LatentSpaceModel, Network, simulate
from lsm_stan.model.family import find_model
from lsm_stan.model.likelihood import log_mean
from lsm_stan.model.pointwise import count_units, observed_units
from lsm_stan.model.simulation import draw_parameters
from lsm_stan.network.statistics import features, observed_edges
from lsm_stan.posterior import idata
from tests.support.made import fit_of, made_fit, scattered, simulated_fit

N, K = 12, 2


@pytest.mark.parametrize("directed", [True, False])
def test_log_likelihood_of_dyads_is_scipys(directed):
    fit = simulated_fit(directed=directed)
    group = fit.log_likelihood(thin=3)
    assert group["weight"].dims == ("chain", "draw", "dyad")
    assert group["draw"].to_numpy().tolist() == list(range(0, 40, 3))
    place = {name: i for i, name in enumerate(fit.network.names)}
    sender = np.array([place[name] for name in group["sender"].to_numpy()])
    receiver = np.array([place[name] for name in group["receiver"].to_numpy()])
    matrix = fit.network.to_dense()
    draws = {name: values[:, ::3] for name, values in fit.parameters.items()}
    mean = np.exp(log_mean(fit.spec, draws, sender, receiver))
    phi = draws["phi"][..., None]
    weight = matrix[sender, receiver]
    expected = stats.nbinom.logpmf(weight, phi, phi / (phi + mean))
    np.testing.assert_allclose(group["weight"], expected, rtol=1e-9)
    # every dyad once, but for the three that are hidden
    cells = set(zip(sender.tolist(), receiver.tolist(), strict=True))
    assert len(cells) == len(sender) == (N * (N - 1) if directed else N * (N - 1) // 2) - 3
    assert not cells & {(0, 1), (1, 2), (2, 7)}
    observed = fit.idata.observed_data
    np.testing.assert_array_equal(observed["weight"], weight)
    np.testing.assert_array_equal(observed["sender"], group["sender"])
    np.testing.assert_array_equal(fit.idata.log_likelihood["weight"], group["weight"])
    narrow = fit.log_likelihood(thin=3, dtype="float32")["weight"]
    assert narrow.dtype == np.float32
    np.testing.assert_allclose(narrow, expected, rtol=1e-6)


@pytest.mark.parametrize("model", ["nb-squared-effects", "dyadic-exponential-effects"])
def test_pairs_sum_up_their_dyads_where_these_are_independent(model):
    fit = simulated_fit(model)
    by_pair = fit.log_likelihood(by="pair")["weight"]
    assert by_pair.dims == ("chain", "draw", "pair")
    assert by_pair.sizes["pair"] == N * (N - 1) // 2
    total, dyads = by_pair.sum("pair"), fit.log_likelihood()["weight"].sum("dyad")
    assert np.allclose(total, dyads) == (model == "nb-squared-effects")


def test_some_dyads_are_those_that_were_named():
    fit = simulated_fit()
    every = fit.log_likelihood()
    some = fit.log_likelihood(dyads=[[4, 3], [0, 9]])
    assert some["sender"].to_numpy().tolist() == ["n4", "n0"]
    assert some["receiver"].to_numpy().tolist() == ["n3", "n9"]
    for k in range(2):
        there = (every["sender"] == some["sender"][k]) & (every["receiver"] == some["receiver"][k])
        expected = every["weight"].isel(dyad=int(np.flatnonzero(there)[0]))
        np.testing.assert_array_equal(some["weight"].isel(dyad=k), expected)
    assert fit.idata.observed_data["weight"].sizes == {"dyad": 2}


@pytest.mark.parametrize("directed", [True, False])
@pytest.mark.parametrize("by", ["dyad", "pair"])
def test_observations_are_counted_without_a_list_of_them(directed, by):
    network = simulated_fit(directed=directed).network
    network = network.hide([1, 7], [0, 2]) if directed else network  # (0, 1) wholly, and (2, 7)
    units = observed_units(network, by)
    assert len(units) == len(set(map(tuple, units.tolist()))) == count_units(network, by)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dyads": [[0, 1]]}, "the dyad 'n0' to 'n1' was not observed; leave hidden ones out"),
        ({"dyads": [[3, 3]]}, "dyads have node 'n3' with itself"),
        ({"dyads": [[3, 12]]}, "dyads name node 12; indices go from 0 to 11"),
        ({"dyads": [1, 2]}, r"dyads have shape \(2,\) and type int64; \(D, 2\) node indices"),
        ({"by": "node"}, "by is 'node'; one of 'dyad', 'pair', 'network' is needed"),
        ({"dtype": "int8"}, "dtype is 'int8'; one of 'float64', 'float32' is needed"),
        ({"thin": 0}, "thin is 0; an integer >= 1 is needed"),
    ],
)
def test_bad_requests_say_what_is_good(arguments, message):
    with pytest.raises(InputError, match=message):
        simulated_fit().log_likelihood(**arguments)


def test_what_is_too_large_is_refused_before_it_is_computed(monkeypatch):
    fit = simulated_fit(hide=False)
    monkeypatch.setattr("lsm_stan.inference.fit.pointwise_log_likelihood", None)
    message = (
        r"the log likelihood of 132 dyads at 80 draws would take 84\.5 kB, more than 40\.0 kB"
        r" \(max_gigabytes = 4e-05\): take thin=3, dtype='float32', some of the dyads, or allow"
    )
    with pytest.raises(InputError, match=message):
        fit.log_likelihood(max_gigabytes=4e-5)
    monkeypatch.setattr("lsm_stan.inference.fit.replications", None)
    with pytest.raises(InputError, match=r"weights of 132 dyads at 80 draws would take 84\.5 kB"):
        fit.posterior_predictive("all", thin=1, max_gigabytes=4e-5)


@pytest.mark.parametrize("directed", [True, False])
def test_networks_of_the_posterior_have_the_means_of_the_model(directed):
    fit = simulated_fit("poisson-squared", directed=directed, n_draws=400)
    group = fit.posterior_predictive("all", thin=1, seed=3)
    assert group["weight"].dims == ("chain", "draw", "dyad")
    units = observed_units(fit.network)
    mean = np.exp(log_mean(fit.spec, fit.parameters, *units.T))
    drawn = group["weight"].to_numpy()
    error = np.sqrt((mean + (drawn - mean) ** 2).mean(axis=(0, 1)) / 800)
    assert (np.abs((drawn - mean).mean(axis=(0, 1))) < 5 * error + 1e-9).all()
    # statistics and strengths are of the same networks as the weights
    weights = np.zeros((800, N, N))
    weights[:, units[:, 0], units[:, 1]] = drawn.reshape(800, -1)
    if not directed:
        weights += weights.transpose(0, 2, 1)
    names = ("out_strength", "in_strength") if directed else ("strength", "strength")
    for name, axis in zip(names, (2, 1), strict=True):
        np.testing.assert_array_equal(
            group[name].to_numpy().reshape(800, N), weights.sum(axis=axis)
        )
        assert group[name].dims == ("chain", "draw", "node")
    np.testing.assert_allclose(group["share_zero"], (drawn == 0).mean(axis=-1))
    observed = fit.idata.observed_data
    actual = features([observed_edges(fit.network)], fit.network)
    for name, value in actual.statistics.items():
        assert group[name].dims == ("chain", "draw")
        assert float(observed[name]) == pytest.approx(value, nan_ok=True)
    assert len(actual.statistics) == (11 if directed else 7)
    np.testing.assert_array_equal(observed["weight"], fit.network.weight_of(*units.T))
    assert group["node"].to_numpy().tolist() == list(fit.network.names)


def test_a_dyad_named_twice_is_drawn_once():
    fit = simulated_fit("poisson-squared", directed=False)
    group = fit.posterior_predictive([[4, 9], [9, 4], [4, 9], [0, 3]])
    values = group["weight"].to_numpy()
    np.testing.assert_array_equal(values[..., 0], values[..., 1])
    np.testing.assert_array_equal(values[..., 0], values[..., 2])
    assert (values[..., 0] != values[..., 3]).any()
    assert values[..., 0].any()


def test_fewer_networks_than_draws_are_drawn_unless_they_are_asked_for():
    fit = simulated_fit(n_draws=300)
    assert fit.posterior_predictive().sizes["draw"] == 100
    again = fit.posterior_predictive()
    np.testing.assert_array_equal(again["mean_weight"], fit.posterior_predictive()["mean_weight"])
    assert not again["mean_weight"].equals(fit.posterior_predictive(seed=1)["mean_weight"])


@pytest.mark.parametrize("model", ["nb-squared-effects+clusters(2)", "tutorial", "nb-inner-roles"])
def test_priors_have_the_scales_of_the_model(model):
    network, _ = simulate(N, K, seed=1)
    lsm = LatentSpaceModel(network, K, model=model, prior_scale=2.0)
    actual = lsm.prior_predictive(draws=500, seed=2)
    prior, networks = (idata.group(actual, name) for name in ("prior", "prior_predictive"))
    assert prior["z"].dims == ("chain", "draw", "node", "dim")
    assert prior["node"].to_numpy().tolist() == list(network.names)
    ks = []
    if model == "tutorial":
        ks.append((prior["z"].to_numpy()[0, :, 0, 0], stats.norm(scale=2.0)))
    else:
        ks.append((prior["intercept"].to_numpy()[0], stats.norm(scale=lsm.spec.intercept_scale)))
        ks.append((prior["sigma_z"].to_numpy()[0], stats.halfnorm(scale=lsm.spec.sigma_z_scale)))
        ks.append((prior["phi"].to_numpy()[0] ** -0.5, stats.halfnorm(scale=lsm.spec.phi_scale)))
    if lsm.spec.clusters:
        ks.append((prior["theta"].to_numpy()[0, :, 0], stats.uniform()))
    for draws, distribution in ks:
        assert stats.kstest(draws, distribution.cdf).pvalue > 0.001
    assert networks["mean_weight"].sizes == {"chain": 1, "draw": 500}
    if model == "tutorial":  # a mean weight is a mean of Poisson counts of rates 1 / d
        z = prior["z"].to_numpy()[0]
        apart = np.linalg.norm(z[:, :, None] - z[:, None], axis=-1)
        rate = (1 / apart[:, ~np.eye(N, dtype=bool)]).mean(axis=1)
        off = (networks["mean_weight"].to_numpy()[0] - rate) / np.sqrt(rate / (N * (N - 1)))
        assert stats.kstest(off, "norm").pvalue > 0.001
    assert float(idata.group(actual, "observed_data")["mean_weight"]) > 0


def test_means_too_large_to_draw_from_are_cut_off():
    network, _ = simulate(N, K, seed=1)
    spec = find_model("poisson-squared")
    wide = LatentSpaceModel(
        network, K, model=type(spec)("squared", intercept_scale=200.0), prior_scale=1.0
    )
    means = idata.group(wide.prior_predictive(draws=60), "prior_predictive")["mean_weight"]
    assert 1e8 < float(means.max()) < 1.1e9


def test_a_fit_takes_draws_of_its_priors():
    fit = simulated_fit()
    prior, networks = fit.prior_predictive(draws=30, seed=4)
    assert set(fit.parameters) == set(prior)
    for name in prior:
        assert prior[name].dims == fit.idata.posterior[name].dims
    np.testing.assert_array_equal(fit.idata.prior["z"], prior["z"])
    np.testing.assert_array_equal(
        fit.idata.prior_predictive["reciprocity"], networks["reciprocity"]
    )
    with pytest.raises(InputError, match="draws is 0; an integer >= 1 is needed"):
        fit.prior_predictive(draws=0)


def test_groups_are_saved_and_have_the_attributes_of_the_schema(tmp_path):
    network, truth = simulate(N, K, seed=4)
    positions = truth["z"]
    fit = made_fit(network, scattered(positions, np.random.default_rng(5), 0.02, size=30))
    fit.log_likelihood(by="pair")
    fit.log_prior()
    fit.posterior_predictive("all", thin=10)
    fit.prior_predictive(draws=10)
    again = Fit.load(fit.save(tmp_path / "fit"))
    names = ("posterior", "sample_stats", "observed_data", "log_likelihood", "log_prior")
    for name in (*names, "posterior_predictive", "prior", "prior_predictive"):
        group = idata.group(again.idata, name)
        assert group.identical(idata.group(fit.idata, name)), name
        assert datetime.fromisoformat(group.attrs["created_at"]).tzinfo is not None
        assert group.attrs["inference_library"] == "cmdstanpy"
        assert group.attrs["inference_library_version"] == version("cmdstanpy")
        assert group.attrs["creation_library_version"] == version("lsm-stan")
        if name != "observed_data":
            assert {"chain", "draw"} <= set(group.dims)


@pytest.mark.cmdstan
@pytest.mark.parametrize("model", ["tutorial", "nb-squared-effects", "dyadic-exponential-effects"])
def test_the_log_likelihood_of_a_network_is_that_of_its_pairs(model):
    given = None if model == "tutorial" else draw_parameters(N, K, seed=5, model=model)
    network, _ = simulate(N, K, seed=5, model=model, parameters=given)
    network = network.hide([0, 1], [1, 0])
    lsm = LatentSpaceModel(network, K, model=model)
    fit = lsm.sample(seed=1, chains=2, iter_warmup=50, iter_sampling=30, show_progress=False)
    total = fit.log_likelihood(by="network", thin=2)["weight"]
    assert total.dims == ("chain", "draw")
    loops = stats.poisson.logpmf(np.diag(network.to_dense()), 1 / np.sqrt(1e3)).sum()
    pairs = fit.log_likelihood(by="pair", thin=2)["weight"].sum("pair")
    # CmdStan's CSV files have ten digits
    expected = pairs + (loops if model == "tutorial" else 0)
    np.testing.assert_allclose(total, expected, rtol=1e-7)


def test_loo_pit_is_uniform_where_the_model_holds():
    """Both ArviZ lines find the weights of dyads under one name in three groups."""
    rng = np.random.default_rng(1)
    network = Network.from_matrix(rng.poisson(50, size=(N, N)))
    total = network.weight[network.sender != network.receiver].sum()
    rate = rng.gamma(total, 1 / (N * (N - 1)), size=(2, 400))
    draws = {"z": np.zeros((2, 400, N, K)), "intercept": np.log(rate)}
    fit = fit_of(network, draws, "poisson-squared")
    fit.posterior_predictive("all", thin=1)
    fit.log_likelihood()
    if hasattr(az, "waic"):  # before ArviZ 1
        pit = az.loo_pit(fit.idata, y="weight")
    else:
        pit = az.loo_pit(fit.idata, var_names="weight")["weight"]
    pit = np.asarray(pit)
    assert pit.shape == (N * (N - 1),)
    assert stats.kstest(pit, "uniform").pvalue > 0.01
