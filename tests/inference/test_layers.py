"""Fits of layers: what was simulated is found again, kept, judged, forecast and shown."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import nbinom
from typer.testing import CliRunner

from lsm_stan import (
    Fit,
    InputError,
    LatentSpaceModel,
    Layers,
    load_fits,
    predict,
    predictive_layers,
    read_layers,
    score_dyads,
    score_layer,
    score_layers,
    simulate_layers,
    weigh_modes,
)
from lsm_stan.cli import app
from lsm_stan.inference.layered_fit import LayeredFit
from lsm_stan.model.layering import Layering
from lsm_stan.posterior.invariants import pair_distances, sample_pairs
from lsm_stan.posterior.movement import movers_table, moves
from lsm_stan.prediction.holdout import folds
from lsm_stan.prediction.layer_scores import new_layer
from lsm_stan.report.layers_page import layers_page

pytestmark = pytest.mark.cmdstan

#: What layers are drawn at: levels at which a node has some edges in each.
GIVEN = {
    "sigma_change": np.asarray(0.3),
    "sigma_z": np.asarray(1.0),
    "phi": np.asarray(2.0),
    "layer_intercept": np.array([1.0, 0.5, 1.5, 1.0]),
}


def simulated(structure: str, *, n_nodes: int = 24, seed: int = 2, absent: tuple = ((1, 3),)):
    return simulate_layers(
        n_nodes,
        2,
        4,
        seed=seed,
        model="nb-squared",
        layers=structure,
        times=[0.0, 1.0, 3.0, 4.0],
        absent=absent,
        parameters=GIVEN,
    )


@pytest.fixture(scope="module")
def sampled() -> tuple[LayeredFit, dict]:
    """Return a fit by NUTS of layers in a row, and the truth."""
    layers, truth = simulated("ordered")
    model = LatentSpaceModel(layers, 2, model="nb-squared", layers="ordered")
    numbers = {"chains": 2, "iter_warmup": 300, "iter_sampling": 300}
    fit = model.sample(seed=1, show_progress=False, **numbers)
    assert isinstance(fit, LayeredFit)
    return fit, truth


def test_nuts_finds_what_was_simulated(sampled: tuple[LayeredFit, dict]) -> None:
    fit, truth = sampled
    assert fit.layer_draws.shape == (2, 300, 4, 24, 2)
    assert fit.idata.posterior["z_layer"].dims == ("chain", "draw", "layer", "node", "dim")
    for name in ("sigma_change", "sigma_z", "phi"):
        low, high = np.quantile(fit.parameters[name], [0.005, 0.995])
        assert low < truth[name] < high
    low, high = np.quantile(fit.parameters["layer_intercept"], [0.005, 0.995], axis=(0, 1))
    assert ((low < truth["layer_intercept"]) & (truth["layer_intercept"] < high)).all()
    pairs = sample_pairs(24, 200)
    distances = pair_distances(fit.layer_draws, pairs).reshape(-1, 4, len(pairs))
    low, high = np.quantile(distances, [0.05, 0.95], axis=0)
    true = pair_distances(truth["z_layer"], pairs)
    covered = float(((low <= true) & (true <= high)).mean())
    assert 0.8 < covered < 0.98
    # one rotation of all layers: places in different layers are as far apart as they were
    net = np.linalg.norm(fit.layer_draws[..., 3, :, :] - fit.layer_draws[..., 0, :, :], axis=-1)
    low, high = np.quantile(net, [0.05, 0.95], axis=(0, 1))
    moved = np.linalg.norm(truth["z_layer"][3] - truth["z_layer"][0], axis=-1)
    assert 0.75 < float(((low <= moved) & (moved <= high)).mean()) <= 1.0


def test_the_estimate_is_aligned_as_one(sampled: tuple[LayeredFit, dict]) -> None:
    fit, truth = sampled
    estimate, true = fit.layer_positions, truth["z_layer"]
    left, _, right = np.linalg.svd(estimate.reshape(-1, 2).T @ true.reshape(-1, 2))
    error = np.sqrt(((estimate @ (left @ right) - true) ** 2).sum(axis=-1).mean())
    assert error < 0.4  # the cloud's radius is 1.4
    np.testing.assert_allclose(fit.positions, estimate[0], atol=1e-9)


def test_movers_and_pairs_are_those_of_the_draws(sampled: tuple[LayeredFit, dict]) -> None:
    fit, _ = sampled
    movers = fit.movers()
    assert set(movers["layers"]) == {3, 4}
    assert movers["moved"].is_monotonic_decreasing
    draws = {name: values[:, ::2] for name, values in fit.parameters.items()}
    z = draws["z_layer"].reshape(-1, 4, 24, 2)[:, :, 7]
    by_hand = np.sqrt(((z - z.mean(axis=1, keepdims=True)) ** 2).sum(axis=-1).mean(axis=1))
    expected = movers.set_index("node").loc["8", "moved"]
    assert by_hand.mean() == pytest.approx(expected, rel=1e-9)
    absent = draws["z_layer"].reshape(-1, 4, 24, 2)[:, [0, 2, 3], 3]
    alone = np.sqrt(((absent - absent.mean(1, keepdims=True)) ** 2).sum(-1).mean(1))
    assert alone.mean() == pytest.approx(movers.set_index("node").loc["4", "moved"], rel=1e-9)
    changes = fit.changes("1", "4", top=3)
    assert changes["change"].tolist() == ["approach"] * 3 + ["part"] * 3
    row = changes.iloc[-1]
    i, j = (fit.layers.names.index(row[end]) for end in ("source", "target"))
    z = draws["z_layer"].reshape(-1, 4, 24, 2)
    apart = np.linalg.norm(z[:, :, i] - z[:, :, j], axis=-1)
    assert (apart[:, 3] - apart[:, 0]).mean() == pytest.approx(row["difference"], rel=1e-9)
    assert (apart[:, 3] > apart[:, 0]).mean() == pytest.approx(row["probability"])
    quantities = fit.invariants().posterior
    assert quantities["moved"].dims == ("chain", "draw", "node")
    assert {"sigma_change", "layer_intercept", "distance_1", "distance_4"} <= set(quantities)


def test_a_node_of_one_layer_has_not_moved() -> None:
    layers, truth = simulated("ordered", absent=((1, 3), (2, 3), (3, 3)))
    batch = {name: np.asarray(value)[None, None] for name, value in truth.items()}
    assert np.isnan(moves(batch, layers)[0, 0, 3])
    assert movers_table(batch, layers)["node"].iloc[-1] == "4"


def test_a_fit_is_kept_and_carried(sampled: tuple[LayeredFit, dict], tmp_path: Path) -> None:
    fit, _ = sampled
    loaded = Fit.load(fit.save(tmp_path / "fit"))
    for again in (loaded, pickle.loads(pickle.dumps(loaded)), load_fits([tmp_path / "fit"])["fit"]):
        assert isinstance(again, LayeredFit)
        assert again.layers.digest == fit.layers.digest
        assert again.layering == Layering("ordered")
        np.testing.assert_array_equal(again.layer_draws, fit.layer_draws)
    model = LatentSpaceModel(fit.layers, 2, model="nb-squared", layers="ordered")
    start = model.optimize(seed=1, starts=1, show_progress=False)
    assert start.converged
    again = model.sample(
        seed=3, init=loaded, chains=1, iter_warmup=20, iter_sampling=5, show_progress=False
    )
    assert again.layer_draws.shape == (1, 5, 4, 24, 2)


@pytest.mark.parametrize("structure", ["shared", "exchangeable", "ordered+effects"])
def test_every_method_that_is_served_runs(structure: str) -> None:
    layers, _ = simulated(structure.removesuffix("+effects"), n_nodes=10)
    name = "nb-squared-effects" if "effects" in structure else "nb-squared"
    model = LatentSpaceModel(layers, 2, model=name, layers=structure)
    mode = model.optimize(seed=1, starts=2, show_progress=False)
    assert mode.converged, mode.warnings
    assert mode.record.details["hops"] == 0
    numbers = {"seed": 1, "init": mode, "show_progress": False}
    for fit in (
        model.variational(**numbers),
        model.laplace(draws=20, **numbers),
        model.pathfinder(draws=20, paths=2, **numbers),
    ):
        assert fit.layer_positions.shape == (4, 10, 2)
    with pytest.raises(InputError, match="method vi has no closed form for layers"):
        model.vi(seed=1, init=mode)
    with pytest.raises(InputError, match="moves is True, but layers are not sampled"):
        model.sample(seed=1, init=mode, moves=True)
    with pytest.raises(InputError, match="hops is 3, and nodes of layers do not hop"):
        model.optimize(seed=1, hops=3)
    with pytest.raises(InputError, match="prior predictive groups are of one network"):
        model.prior_predictive()
    with pytest.raises(InputError, match="the fit is of layers"):
        weigh_modes(model, [mode])
    with pytest.raises(InputError, match="sum = 'approximate' is of one network, and not of"):
        model.optimize(seed=1, sum="approximate")


def test_layers_are_forecast_better_than_by_counts_alone() -> None:
    layers, _ = simulated("ordered", n_nodes=30, absent=())
    table = score_layers(
        layers, 2, model="nb-squared", structure="ordered", seed=1, which=["4"], starts=2
    )
    score = table.set_index("predictor")["log_density"]
    assert table["dyads"].eq(30 * 29).all()
    assert score["model"] > score["counts"] > score["constant"]
    with pytest.raises(InputError, match="the layer '1' is the first"):
        score_layers(layers, 2, model="nb-squared", structure="ordered", seed=1, which=["1"])


def test_a_new_layer_is_a_step_further(sampled: tuple[LayeredFit, dict]) -> None:
    fit, _ = sampled
    members = np.arange(24)
    last, sigma = fit.layer_draws[..., 3, :, :], fit.parameters["sigma_change"]
    for time, step in ((4.0, 0.0), (4 + 4 / 3, 1.0), (4 + 16 / 3, 2.0)):
        drawn = new_layer(fit, members, time=time, seed=3)
        flat = last.reshape(-1, 24, 2)[:: -(-600 // 200)]
        spread = np.sqrt(((drawn["z"] - flat) ** 2).mean())
        expected = step * np.sqrt((sigma**2).mean())
        assert spread == pytest.approx(expected, rel=0.1, abs=1e-12)
        assert drawn["intercept"].shape == (200,)
    with pytest.raises(InputError, match="before that of the last layer"):
        new_layer(fit, members, time=1.0)


def test_the_score_of_counts_is_that_of_the_regression() -> None:
    """Where the other layer is the same, a regression on it knows edges from their absence."""
    layers, _ = simulated("shared", n_nodes=12, absent=())
    twin = Layers.of(dict(zip("abc", [layers.networks[0]] * 3, strict=True)))
    model = LatentSpaceModel(twin, 2, model="nb-squared", layers="exchangeable")
    fit = model.optimize(seed=1, starts=1, show_progress=False)
    table = score_layer(fit, layers.networks[0]).set_index("predictor")
    assert table.loc["counts", "auc"] == 1.0
    assert table.loc["counts", "log_density"] > table.loc["model", "log_density"]


def test_a_new_layer_has_the_level_of_the_one_that_it_is_like(
    sampled: tuple[LayeredFit, dict],
) -> None:
    fit, _ = sampled
    levels = fit.parameters["layer_intercept"]
    drawn = new_layer(fit, np.arange(24), like="2", seed=3)
    assert set(drawn["intercept"]) <= set(levels[..., 1].ravel())
    assert set(new_layer(fit, np.arange(24), seed=3)["intercept"]) <= set(levels[..., 3].ravel())
    network = fit.layers.networks[1]
    scored = [score_layer(fit, network, time=4, like=like)["log_density"][0] for like in ("2", "4")]
    assert scored[0] != scored[1]
    with pytest.raises(InputError, match="there is no layer '9'"):
        new_layer(fit, np.arange(24), like="9")


def test_dyads_of_a_layer_are_predicted_from_the_others() -> None:
    layers, _ = simulated("shared", absent=())
    table = score_dyads(
        layers, "3", model="nb-squared", structure="shared", seed=1, n_folds=2, beside=["1"]
    )
    assert table["predictor"].unique().tolist() == [
        *("model", "counts", "counts of 1", "constant", "both")
    ]
    assert table.groupby("predictor")["dyads"].sum().eq(24 * 23).all()
    mean = table.groupby("predictor")["log_density"].mean()
    # the truth: positions are the same, so that their distances say more than counts with noise
    assert mean["model"] > mean["counts"] > mean["counts of 1"] > mean["constant"]
    assert mean["both"] > mean["counts"]


def test_a_fold_is_predicted_from_the_other_folds_alone() -> None:
    """The constant is the negative binomial of the other fold's weights, by SciPy."""
    layers, _ = simulated("shared", n_nodes=12, absent=())
    asked = {"model": "nb-squared", "structure": "shared", "seed": 1, "n_folds": 2}
    table = score_dyads(layers, "3", **asked).set_index(["fold", "predictor"])
    network = layers.networks[2]
    weights = [network.weight_of(*dyads) for dyads in folds(network, 2, seed=1)]
    for number, (held, rest) in enumerate([weights, weights[::-1]], start=1):
        mean = rest.mean()  # the greatest likelihood has the mean of the weights

        def loss(log_size: float, rest=rest, mean=mean) -> float:
            size = np.exp(log_size)
            return -nbinom.logpmf(rest, size, size / (size + mean)).sum()

        size = np.exp(minimize_scalar(loss, bounds=(-10, 10), method="bounded").x)
        expected = nbinom.logpmf(held, size, size / (size + mean)).mean()
        assert table.loc[(number, "constant"), "log_density"] == pytest.approx(expected, abs=1e-4)
    with pytest.raises(InputError, match="there is no layer '9'"):
        score_dyads(layers, "9", **asked)


def test_each_layer_is_checked_and_the_page_says_what_moved(
    sampled: tuple[LayeredFit, dict],
) -> None:
    fit, _ = sampled
    checks = predictive_layers(fit, replications=20)
    assert list(checks) == ["1", "2", "3", "4"]
    assert all(len(check.table) for check in checks.values())
    page = layers_page({"nuts": fit}, lambda _: None)
    said = " ".join(map(str, page.summary[0].items[0]))
    assert "changes by 0." in said
    assert "90 % interval" in said
    assert fit.movers()["node"].iloc[0] in said
    titles = [section.title for section in page.sections]
    assert titles[:3] == ["Layers", "Paths", "Pairs that approach or part"]
    with pytest.raises(InputError, match="the fit is of layers"):
        predict(fit)


def test_the_command_line_fits_and_shows_layers(tmp_path: Path) -> None:
    layers, _ = simulated("ordered", n_nodes=10, absent=())
    edges, out = tmp_path / "edges.csv", tmp_path / "fit"
    layers.edge_frame().to_csv(edges, index=False)
    run = CliRunner()
    told = run.invoke(app, ["info", str(edges), "--layer", "layer"])
    assert told.exit_code == 0
    assert "layers  4, directed" in told.output
    common = [str(edges), "--layer", "layer", "--method", "map", "--seed", "1", "--dim", "2"]
    common += ["--model", "nb-squared", "--out", str(out)]
    bad = run.invoke(app, ["fit", *common])
    assert "has 4 layers: say how their positions hang together" in str(bad.exception)
    good = run.invoke(app, ["fit", *common, "--layers", "ordered"])
    assert good.exit_code == 0, good.output
    assert Fit.load(out).layers.digest == read_layers(edges, layer="layer").digest
    page = run.invoke(app, ["report", str(out), "--out", str(tmp_path / "page")])
    assert page.exit_code == 0, page.output
    assert {"movers.csv", "pairs.csv", "predictive.csv", "index.html"} <= {
        path.name for path in (tmp_path / "page").iterdir()
    }
    again = run.invoke(app, ["run", str(out / "config.toml"), "--out", str(tmp_path / "again")])
    assert again.exit_code == 0, again.output
    assert Fit.load(tmp_path / "again" / "fits" / "map").loss == pytest.approx(
        Fit.load(out).loss, abs=1e-6
    )
