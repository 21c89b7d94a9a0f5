"""Masses of modes, against brute force and against how often long runs visit them."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import gammaln, logsumexp
from typer.testing import CliRunner

from lsm_stan import Fit, InputError, LatentSpaceModel, cli, simulate, weigh_modes
from lsm_stan.criticism.verdict import cautions
from lsm_stan.inference.mode_weights import MODES, ModeWeights
from lsm_stan.posterior import idata as container
from lsm_stan.posterior.diagnostics import ess
from tests.support.made import made_fit

pytestmark = pytest.mark.cmdstan


def sampled(n_nodes, name, draws):
    network = simulate(n_nodes, 2, model=name, seed=2)[0]
    model = LatentSpaceModel(network, 2, model=name)
    asked = {"iter_sampling": draws, "adapt_delta": 0.95, "init": "random"}
    return model, model.sample(seed=1, show_progress=False, **asked)


@pytest.fixture(scope="module")
def six():
    return sampled(6, "tutorial", 4000)


@pytest.fixture(scope="module")
def twelve():
    return sampled(12, "tutorial", 50)


def test_all_masses_add_up_to_the_evidence():
    """Four nodes: the mean likelihood of draws from the prior is the same integral."""
    model, fit = sampled(4, "tutorial", 4000)
    weights = weigh_modes(model, [fit], draws=16_000)
    table = weights.table.dropna()
    mass, error = logsumexp(table["log_mass"]), np.hypot.reduce(table["weight"] * table["error"])
    rng = np.random.default_rng(0)
    y = model.network.to_dense()
    z = rng.normal(size=(1_000_000, 4, 2))
    squared = ((z[:, :, None] - z[:, None]) ** 2).sum(axis=-1) + 1e3 * np.eye(4)
    log_likelihood = (-y * np.log(squared) / 2 - squared**-0.5).sum(axis=(1, 2))
    evidence = logsumexp(log_likelihood) - np.log(len(z)) - gammaln(y + 1).sum()
    weight = np.exp(log_likelihood - log_likelihood.max())
    error = np.hypot(error, weight.std() / weight.mean() / np.sqrt(len(z)))
    assert error < 0.05
    # the draws around modes with too few of them tell how much is left out
    mass -= np.log(table["draws"].sum() / weights.table["draws"].sum())
    assert abs(mass - evidence) < 4 * error


def test_weights_are_the_shares_of_a_run_that_visits_all(six):
    model, fit = six
    weights = weigh_modes(model, [fit], draws=16_000)
    table = weights.table
    shares = table["draws"] / table["draws"].sum()
    assert len(table) >= 2
    heavy = table["weight"] > 0.05
    assert heavy.sum() >= 2
    for _, row in table[heavy].iterrows():
        share = shares[row.name]
        independent = 16_000 / 50  # NUTS changes its mode every few tens of draws
        error = np.hypot(row["error"], np.sqrt((1 - share) / share / independent))
        assert abs(np.log(row["weight"] / share)) < 4 * error
    assert weights.positions.shape == (len(table), 6, 2)
    assert str(weights).startswith(f"16,000 draws climb to {len(table)} modes; the heaviest of")


@pytest.mark.slow
def test_two_estimators_agree_for_thirty_nodes():
    model, fit = sampled(30, "poisson-squared", 2000)
    first, second = weigh_modes(model, [fit], draws=8000).table.iloc[:2].itertuples()
    ratio = first.log_mass - second.log_mass
    visits = np.log(first.draws / second.draws)
    independent = 8000 / 100  # NUTS changes its mode every few hundred draws
    error = np.hypot.reduce([first.error, second.error, 1 / np.sqrt(independent * 0.2)])
    assert error < 0.5
    assert abs(ratio - visits) < 3 * error


def test_the_weighed_posterior_has_the_moments_of_a_run_that_visits_all(six):
    model, fit = six
    whole = weigh_modes(model, [fit], draws=16_000)
    gram = np.einsum("cdnk,cdnk->cd", fit.draws, fit.draws)
    drawn = np.asarray(whole.idata["posterior"]["z"])
    again = np.einsum("cdnk,cdnk->cd", drawn, drawn)
    error = gram.std() / np.sqrt(ess(gram))
    assert abs(again.mean() - gram.mean()) < 5 * error + 0.02 * gram.mean()
    assert drawn.shape == (1, 16_000, 6, 2)


def test_too_many_modes_are_said_to_be(twelve):
    model, fit = twelve
    weights = weigh_modes(model, [fit])
    assert "the modes are too many to be weighed" in str(weights)
    assert weights.idata is None
    assert weights.table["weight"].isna().all()
    assert weights.table["draws"].sum() == 200


@pytest.mark.parametrize(
    ("draws", "log_mass", "said"),
    [
        (
            [6, 3, 1],
            [0.0, -1.0, np.nan],
            "10 draws climb to 3 modes; the heaviest of 2 weighed modes, of loss 7.50, holds 73.1%"
            " of their mass; 1 draw lies around the others, too few to weigh",
        ),
        (
            [6, 4],
            [0.0, np.nan],
            "10 draws climb to 2 modes; that of loss 7.50 alone has enough of them to be weighed;"
            " 4 draws lie around the others, too few to weigh",
        ),
        ([10], [0.0], "10 draws climb to 1 mode, of loss 7.50"),
        (
            [4, 6],
            [0.0, np.nan],
            "10 draws climb to 2 modes, at most 6 to one: the modes are too many to be weighed, and"
            " the posterior is not made of the surroundings of a few of them",
        ),
    ],
)
def test_what_was_weighed_in_words(draws, log_mass, said):
    table = pd.DataFrame({"loss": 7.5, "draws": draws, "log_mass": log_mass, "error": 0.1})
    table["weight"] = np.exp(table["log_mass"]) / np.exp(table["log_mass"]).sum()
    assert str(ModeWeights(table, np.zeros((len(draws), 3, 2)), None)) == said


def test_fits_of_something_else_are_refused(six):
    model, fit = six
    other = LatentSpaceModel(simulate(7, 2, seed=5)[0], 2)
    with pytest.raises(InputError, match="needed: fits of the model that is given"):
        weigh_modes(other, [fit])
    with pytest.raises(InputError, match="no fit is given"):
        weigh_modes(model, [])
    point = made_fit(model.network, fit.draws[:1, :1], "map")
    with pytest.raises(InputError, match="draws of the posterior are by nuts"):
        weigh_modes(model, [point])


def test_the_command_line_weighs_and_a_report_says_it(six, tmp_path, monkeypatch):
    model, fit = six
    monkeypatch.chdir(tmp_path)
    fit.save("nuts")
    (tmp_path / "modes").mkdir()
    (tmp_path / "modes" / "modes.nc").touch()  # of an earlier time
    done = CliRunner().invoke(cli.app, ["weigh", "nuts", "--draws", "8000", "--seed", "3"])
    assert done.exit_code == 0, done.output
    expected = weigh_modes(model, [fit], draws=8000, seed=3)
    table = pd.read_csv("modes/modes.csv")
    pd.testing.assert_frame_equal(table, expected.table)
    whole = container.load(tmp_path / "modes" / "modes.nc")
    np.testing.assert_array_equal(container.draws_of(whole), container.draws_of(expected.idata))
    again = Fit.load("nuts")
    np.testing.assert_array_equal(again.draws, fit.draws)
    assert again.record.files.keys() == Fit.load(fit.save("as it was")).record.files.keys()
    kept = again.record.details[MODES]
    assert kept["summary"] == str(expected)
    assert kept["draws"] == 8000
    assert kept["modes"] == len(table)
    weighed = table.dropna()
    assert len(weighed) >= 2
    pd.testing.assert_frame_equal(pd.DataFrame(kept["weighed"]), weighed)
    for shown in (f"{table['weight'][0]:.1%}", f"{table['loss'][0]:,.2f}", str(expected)):
        assert shown in done.output
    assert str(expected) in " ".join(finding.text for finding in cautions(again))


def test_where_modes_are_too_many_the_command_line_says_so(twelve, tmp_path, monkeypatch):
    _, fit = twelve
    monkeypatch.chdir(tmp_path)
    fit.save("nuts")
    (tmp_path / "modes").mkdir()
    (tmp_path / "modes" / "modes.nc").touch()
    done = CliRunner().invoke(cli.app, ["weigh", "nuts"])
    assert "the modes are too many to be weighed" in done.output
    assert not (tmp_path / "modes" / "modes.nc").exists()
    assert Fit.load("nuts").record.details[MODES]["weighed"] == []
