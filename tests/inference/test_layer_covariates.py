"""Layers with covariates: coefficients are found, kept and shown, and help to predict."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from lsm_stan import (
    Fit,
    InputError,
    LatentSpaceModel,
    Layers,
    Network,
    predictive_layers,
    read_layers,
    score_dyads,
    score_layer,
    score_layers,
    simulate_layers,
)
from lsm_stan.cli import app
from lsm_stan.inference.layered_fit import LayeredFit
from lsm_stan.model.likelihood import log_mean
from lsm_stan.report.layers_page import layers_page

pytestmark = pytest.mark.cmdstan

N, L = 18, 3
MODEL = "nb-squared+nodeocov(size)+edgecov(contact)+offset(log(hours))"

#: What layers are drawn at; coefficients in the order of the model's terms.
GIVEN = {
    "sigma_change": np.asarray(0.3),
    "sigma_z": np.asarray(0.8),
    "phi": np.asarray(2.0),
    "layer_intercept": np.array([0.5, 0.0, 1.0]),
    "beta": np.array([0.6, 1.2]),
}


def tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return facts about nodes and about all dyads."""
    rng = np.random.default_rng(5)
    names = [f"n{node}" for node in range(N)]
    pairs = [(i, j) for i in range(N) for j in range(N) if i != j]
    contact = rng.gamma(1.0, size=(N, N))
    contact = (contact + contact.T) * (rng.random((N, N)) < 0.5)
    index = pd.MultiIndex.from_tuples(
        [(names[i], names[j]) for i, j in pairs], names=["source", "target"]
    )
    values = {
        "contact": [contact[i, j] for i, j in pairs],
        "hours": rng.uniform(0.5, 2.0, size=len(pairs)),
    }
    nodes = pd.DataFrame({"size": rng.normal(size=N)}, index=pd.Index(names, name="name"))
    return nodes, pd.DataFrame(values, index=index)


def simulated() -> tuple[Layers, dict]:
    nodes, dyads = tables()
    return simulate_layers(
        N,
        2,
        L,
        seed=4,
        model=MODEL,
        layers="exchangeable",
        absent=((1, 3),),
        parameters=GIVEN,
        node_table=nodes,
        dyad_table=dyads,
    )


@pytest.fixture(scope="module")
def sampled() -> tuple[LayeredFit, dict]:
    """Return a fit by NUTS, and the truth."""
    layers, truth = simulated()
    model = LatentSpaceModel(layers, 2, model=MODEL, layers="exchangeable")
    numbers = {"chains": 2, "iter_warmup": 250, "iter_sampling": 250}
    fit = model.sample(seed=1, show_progress=False, **numbers)
    assert isinstance(fit, LayeredFit)
    return fit, truth


def test_weights_are_drawn_with_covariates() -> None:
    """The mean weight of dyads is that of the formula, at the truth."""
    layers, truth = simulated()
    nodes, dyads = tables()
    size = nodes["size"].to_numpy() - nodes["size"].mean()
    expected = observed = variance = 0.0
    for layer, network in enumerate(layers.networks):
        z, y = truth["z_layer"][layer], network.to_dense()
        for a, i in enumerate(layers.members[layer]):
            for b, j in enumerate(layers.members[layer]):
                if i == j:
                    continue
                row = dyads.loc[(layers.names[i], layers.names[j])]
                eta = GIVEN["layer_intercept"][layer] - ((z[i] - z[j]) ** 2).sum()
                eta += 0.6 * size[i] + 1.2 * row["contact"] + np.log(row["hours"])
                expected += np.exp(eta)
                variance += np.exp(eta) + np.exp(2 * eta) / 2
                observed += y[a, b]
    assert abs(observed - expected) < 4 * np.sqrt(variance)


def test_nuts_finds_the_coefficients(sampled: tuple[LayeredFit, dict]) -> None:
    fit, truth = sampled
    beta = fit.idata.posterior["beta"]
    assert beta.dims == ("chain", "draw", "covariate")
    assert beta["covariate"].to_numpy().tolist() == ["nodeocov(size)", "edgecov(contact)"]
    low, high = np.quantile(fit.parameters["beta"], [0.005, 0.995], axis=(0, 1))
    assert ((low < truth["beta"]) & (truth["beta"] < high)).all()
    assert (low > 0).all()
    assert fit.invariants().posterior["beta"].shape == (2, 250, 2)


def test_a_layer_has_its_model(sampled: tuple[LayeredFit, dict]) -> None:
    """Log means of a layer's dyads are those of the formula, by the layer's own numbers."""
    fit, _ = sampled
    nodes, dyads = tables()
    layers, at = fit.layers, fit.layers.members[1]
    assert len(at) == N - 1
    spec, p = fit.model_of_layer("2"), fit.of_layer("2")
    a, b = np.array([2, 5]), np.array([7, 16])
    found = log_mean(spec, p, a, b)
    for k, (i, j) in enumerate(zip(at[a], at[b], strict=True)):
        z = fit.layer_draws[:, :, 1]
        row = dyads.loc[(layers.names[i], layers.names[j])]
        eta = fit.parameters["layer_intercept"][..., 1] + np.log(row["hours"])
        eta = eta - ((z[..., i, :] - z[..., j, :]) ** 2).sum(axis=-1)
        beta = fit.parameters["beta"]
        eta = eta + beta[..., 0] * (nodes["size"].iloc[i] - nodes["size"].mean())
        eta = eta + beta[..., 1] * row["contact"]
        np.testing.assert_allclose(found[..., k], eta, rtol=1e-10)


def test_a_fit_with_covariates_is_kept(sampled: tuple[LayeredFit, dict], tmp_path: Path) -> None:
    fit, _ = sampled
    loaded = Fit.load(fit.save(tmp_path / "fit"))
    assert isinstance(loaded, LayeredFit)
    assert loaded.spec.digest(loaded.layers) == fit.record.network.digest
    np.testing.assert_array_equal(loaded.of_layer(1)["beta"], fit.parameters["beta"])
    again, first = loaded.spec.covariates, fit.spec.covariates
    assert again is not None
    assert first is not None
    assert again.digest == first.digest
    table = tmp_path / "fit" / "dyads.csv"
    table.write_text(table.read_text().replace("n0,n1,", "n0,n1,1", 1))
    with pytest.raises(Exception, match="is not the network that was fitted"):
        Fit.load(tmp_path / "fit")


def test_the_page_shows_coefficients(sampled: tuple[LayeredFit, dict]) -> None:
    fit, _ = sampled
    assert all(len(check.table) for check in predictive_layers(fit, replications=10).values())
    page = layers_page({"nuts": fit}, lambda _: None)
    section = next(section for section in page.sections if section.title == "Covariates")
    assert section.items[0].frame["covariate"].tolist() == ["nodeocov(size)", "edgecov(contact)"]
    said = " ".join(map(str, page.summary[0].items[0]))
    assert "One unit more of edgecov(contact) multiplies the expected weight by" in said


def test_covariates_help_to_predict_a_layer() -> None:
    layers, _ = simulated()
    common = {"structure": "exchangeable", "seed": 1, "which": ["1"], "starts": 1}
    score = {
        name: score_layers(layers, 2, model=name, **common)
        .set_index("predictor")
        .loc["model", "log_density"]
        for name in ("nb-squared", MODEL)
    }
    assert score[MODEL] > score["nb-squared"] + 0.05


def test_covariates_help_to_predict_folds_of_a_layer() -> None:
    """A node is absent there: facts are those of the layer's own nodes."""
    layers, _ = simulated()
    assert layers.networks[1].n_nodes < layers.n_nodes
    common = {"structure": "exchangeable", "seed": 1, "n_folds": 2, "starts": 1}
    score = {
        name: score_dyads(layers, "2", model=name, **common)
        .groupby("predictor")["log_density"]
        .mean()["model"]
        for name in ("nb-squared", MODEL)
    }
    assert score[MODEL] > score["nb-squared"] + 0.05


def test_a_layer_in_another_order_has_the_same_score(sampled: tuple[LayeredFit, dict]) -> None:
    fit, _ = sampled
    network = fit.layers.networks[1]
    back = network.edge_frame().iloc[::-1]
    names = list(reversed(network.names))
    other = type(network).from_edges(back["source"], back["target"], back["weight"], names=names)
    first, second = (score_layer(fit, each, seed=2) for each in (network, other))
    pd.testing.assert_frame_equal(first, second)


def test_a_layer_without_exposure_is_refused_before_any_fit() -> None:
    layers, _ = simulated()
    lacking = layers.dyad_table.drop(index=[("n0", "n2")])
    with pytest.raises(InputError, match=r"dyad 'n0' to 'n2' has no row in the dyad table"):
        score_layers(
            Layers.of(
                dict(zip(layers.labels, layers.networks, strict=True)),
                names=layers.names,
                node_table=layers.node_table,
                dyad_table=lacking,
            ),
            2,
            model=MODEL,
            structure="exchangeable",
            seed=1,
        )


def without_exposure() -> Layers:
    """Layers in which no edge can lead from node 0 to node 2, and none does."""
    nodes, dyads = tables()
    dyads.loc[("n0", "n2"), "hours"] = 0.0
    return simulate_layers(
        N,
        2,
        L,
        seed=4,
        model=MODEL,
        layers="exchangeable",
        parameters=GIVEN,
        node_table=nodes,
        dyad_table=dyads,
    )[0]


def test_dyads_without_exposure_are_no_observations_in_any_layer() -> None:
    layers = without_exposure()
    assert [x.weight_of(np.array([0]), np.array([2]))[0] for x in layers.networks] == [-1] * L
    bare = dict(zip(layers.labels, layers.networks, strict=True))
    seen = Layers.of(
        {label: replace(x, hidden_sender=x.sender[:0], hidden_receiver=x.sender[:0])
         for label, x in bare.items()},
        names=layers.names, node_table=layers.node_table, dyad_table=layers.dyad_table,
    )  # fmt: skip
    fit = LatentSpaceModel(seen, 2, model=MODEL, layers="exchangeable").optimize(
        seed=1, starts=1, show_progress=False
    )
    for network in fit.layers.networks:
        assert network.n_hidden == 1
        assert any("without exposure" in note for note in network.notes)
    spec, draws = fit.model_of_layer("1"), fit.of_layer("1")
    assert log_mean(spec, draws, np.array([0]), np.array([2])) == -np.inf
    scores = score_dyads(
        seen, "1", model=MODEL, structure="exchangeable", seed=1, n_folds=2, starts=1
    )
    assert scores.groupby("predictor")["dyads"].sum().eq(N * (N - 1) - 1).all()


def test_an_edge_without_exposure_is_refused_by_layer() -> None:
    layers = without_exposure()
    edges = Network.from_edges(["n0"], ["n2"], [4], names=layers.names)
    with pytest.raises(InputError, match=r"layer '1'.*'n0' to 'n2' has an edge of weight 4"):
        LatentSpaceModel(
            Layers.of({"1": edges}, node_table=layers.node_table, dyad_table=layers.dyad_table),
            2,
            model=MODEL,
            layers="exchangeable",
        )


def test_facts_by_layer_are_refused(tmp_path: Path) -> None:
    _, dyads = tables()
    table = dyads.reset_index().assign(layer="1")
    path = tmp_path / "contacts.csv"
    table.to_csv(path, index=False)
    edges = simulated()[0].edge_frame()
    for source, where in ((table, "table of dyads"), (path, "contacts.csv")):
        with pytest.raises(InputError, match=rf"{where}: it has a column 'layer', and facts"):
            read_layers(edges, layer="layer", dyads=source)


def test_the_command_line_takes_covariates_of_layers(tmp_path: Path) -> None:
    layers, _ = simulated()
    edges, nodes, dyads = (tmp_path / f"{name}.csv" for name in ("edges", "nodes", "dyads"))
    layers.edge_frame().to_csv(edges, index=False)
    layers.node_table.to_csv(nodes)
    layers.dyad_table[layers.dyad_table["contact"] > 0].reset_index().to_csv(dyads, index=False)
    read = read_layers(edges, layer="layer", nodes=nodes, dyads=dyads)
    assert "306 dyads have no row; their covariates are 0" in " ".join(read.notes)
    run, out = CliRunner(), tmp_path / "fit"
    source = [str(edges), "--layer", "layer", "--nodes", str(nodes), "--dyads", str(dyads)]
    told = run.invoke(app, ["info", *source])
    assert told.exit_code == 0, told.output
    assert "contact, of a dyad" in told.output
    fitted = [*source, "--layers", "shared", "--method", "map", "--dim", "2", "--seed", "1"]
    bad = run.invoke(app, ["fit", *fitted, "--out", str(out), "--model", MODEL])
    assert "has no row in the dyad table; an offset is needed" in str(bad.exception)
    model = "nb-squared+nodeocov(size)+edgecov(contact)"
    good = run.invoke(app, ["fit", *fitted, "--out", str(out), "--model", model])
    assert good.exit_code == 0, good.output
    assert "edgecov(contact)" in good.output
    page = run.invoke(app, ["report", str(out), "--out", str(tmp_path / "page")])
    assert page.exit_code == 0, page.output
    assert (tmp_path / "page" / "coefficients.csv").exists()
    again = run.invoke(app, ["run", str(out / "config.toml"), "--out", str(tmp_path / "again")])
    assert again.exit_code == 0, again.output
