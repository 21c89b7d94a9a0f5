"""What is said of priors: of a fit whose prior and likelihood are known."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lsm_stan import Network, simulate
from lsm_stan.criticism import prior_check
from lsm_stan.criticism.prior_check import check_priors
from lsm_stan.inference.fit import Fit
from lsm_stan.model.family import ModelSpec
from lsm_stan.model.log_prior import log_jacobian
from lsm_stan.posterior import idata
from lsm_stan.posterior.invariants import sample_nodes
from lsm_stan.posterior.power_scaling import sensitivity
from tests.support.made import fit_of, made_fit, scattered, simulated_fit


def one_intercept(intercept_scale: float, mean: float, sd: float) -> Fit:
    """Return a fit in which all dyads have one rate, of a known posterior and likelihood."""
    rng = np.random.default_rng(2)
    network = Network.from_matrix(rng.poisson(1.0, size=(6, 6)))
    spec = ModelSpec("inverse", intercept_scale=intercept_scale)
    z = np.broadcast_to(np.array([[np.cos(a), np.sin(a)] for a in np.arange(6)]), (2, 500, 6, 2))
    intercept = rng.normal(mean, sd, size=(2, 500))
    fit = fit_of(network, {"z": np.array(z), "intercept": intercept}, "poisson-inverse")
    fit.record.model["model"] = spec.as_record()
    # the likelihood of the intercept alone is normal too
    precision = sd**-2 - intercept_scale**-2
    likelihood = stats.norm.logpdf(intercept, mean * sd**-2 / precision, precision**-0.5)
    volume = log_jacobian(fit.spec, fit.parameters, directed=True, prior_scale=1.0)
    log_joint = likelihood + volume + sum(fit.log_prior_blocks.values())
    built = idata.build(
        network,
        draws=fit.parameters,
        log_joint=log_joint,
        estimate={name: values[0, 0] for name, values in fit.parameters.items()},
    )
    return Fit(network, built, fit.record, None)


def test_a_strong_prior_is_named():
    fit = one_intercept(intercept_scale=0.1, mean=0.001, sd=0.0995)
    check = check_priors(fit, draws=20)
    items = check.items.set_index("quantity")
    intercept = fit.parameters["intercept"].reshape(-1, 1)
    log_prior = stats.norm.logpdf(intercept[:, 0], scale=0.1)
    assert items.loc["intercept", "intercept"] == pytest.approx(
        sensitivity(intercept, log_prior)[0]
    )
    row = check.quantities.set_index("quantity").loc["intercept"]
    assert (row["moved_by_prior"], row["moved_by_likelihood"], row["prior_alone"]) == (1, 0, 1)
    assert row["strongest"] == "intercept"
    text = (
        "Intercept is moved by the prior of the intercept, hardly by the data: the prior decides."
    )
    assert ("caution", text) in [(finding.kind, finding.text) for finding in check.findings]


def test_a_weak_prior_is_not():
    fit = one_intercept(intercept_scale=5.0, mean=0.05, sd=0.1)
    check = check_priors(fit, draws=20)
    row = check.quantities.set_index("quantity").loc["intercept"]
    assert (row["moved_by_prior"], row["moved_by_likelihood"]) == (0, 1)
    assert any(f.text.startswith("The priors move no quantity") for f in check.findings)


def test_what_priors_expect_is_what_their_networks_have():
    fit = simulated_fit("tutorial", n_draws=60)
    check = check_priors(fit, draws=300, seed=4)
    _, networks = fit.prior_predictive(draws=300, seed=4)
    predicted = check.predicted.set_index("statistic")
    assert len(predicted) == 11
    for name, row in predicted.iterrows():
        drawn = networks[name].to_numpy()[0]
        expected = np.nanquantile(drawn, [0.05, 0.5, 0.95])
        np.testing.assert_allclose(row[["prior_low", "prior_median", "prior_high"]], expected)
    assert check.findings[0].kind == "good"  # the network is one of the prior's
    heavy = Network.from_matrix(1000 * fit.network.to_dense() + 500 * (1 - np.eye(12, dtype=int)))
    other = check_priors(fit_of(heavy, fit.parameters, "tutorial"), draws=100).findings[0]
    assert other.kind == "caution"
    assert "the priors expect other networks" in other.text
    assert "The share of weights that are zero is 0, the priors expect" in other.text


def test_of_a_mode_only_what_was_expected_is_said():
    network, truth = simulate(12, 2, seed=4)
    positions = truth["z"]
    check = check_priors(made_fit(network, positions[None, None], "map"), draws=20)
    assert check.items.empty
    assert "it needs draws" in check.findings[-1].text


def test_learned_scales_stand_for_what_they_are_scales_of():
    check = check_priors(simulated_fit("nb-squared-effects", n_draws=60), draws=10)
    priors = {"positions_scale", "intercept", "dispersion", "effects_scale"}
    columns = {"quantity", "item", "prior", "likelihood"}
    assert set(check.items) == columns | priors
    quantities = set(check.items["quantity"])
    assert {"intercept", "phi", "rho", "sigma_z", "distance", "rate", "radius"} <= quantities
    assert "log_joint" not in quantities
    assert check.items.isna().sum().sum() == 0


def test_a_report_has_a_section_of_priors():
    from lsm_stan.report.report import make_report
    from lsm_stan.report.report_page import report_page

    network, truth = simulate(12, 2, seed=4)

    positions = truth["z"]
    draws = scattered(positions, np.random.default_rng(5), 0.02, size=60)
    report = make_report({"nuts": made_fit(network, draws)}, lambda _: None)
    section = next(s for s in report_page(report).sections if s.title == "What do the priors say?")
    findings, predicted, moved = section.items
    assert findings == report.priors.findings
    pd.testing.assert_frame_equal(predicted.frame, report.priors.predicted)
    pd.testing.assert_frame_equal(moved.frame, report.priors.items)


def test_of_a_large_network_random_nodes_are_compared(monkeypatch):
    monkeypatch.setattr(prior_check, "PRIOR_NODES", 9)
    fit = simulated_fit("tutorial", n_draws=4)
    check = check_priors(fit, draws=20)
    assert check.nodes == 9
    chosen = sample_nodes(12, 9)
    dense = fit.network.to_dense()[np.ix_(chosen, chosen)]
    i, j = np.nonzero(~np.eye(9, dtype=bool))
    seen = fit.network.weight_of(chosen[i], chosen[j]) >= 0
    observed = check.predicted.set_index("statistic")["observed"]
    assert observed["mean_weight"] == pytest.approx(dense[i, j][seen].mean())
    assert "(looked at: 9 random nodes)" in check.findings[0].text
