"""Layers whose nodes have two roles, or clusters: what was simulated is found, kept and shown."""

from pathlib import Path

import numpy as np
import pytest

from lsm_stan import Fit, LatentSpaceModel, score_layers, simulate_layers
from lsm_stan.inference.layered_fit import LayeredFit
from lsm_stan.model.likelihood import log_mean
from lsm_stan.report.layers_page import layers_page

pytestmark = pytest.mark.cmdstan

N, L = 24, 3

#: Where nodes send and receive is a matter of sign and turn; distances between the two are not.
ROLES = {
    "sigma_change": np.asarray(0.2),
    "sigma_z": np.asarray(0.8),
    "sigma_role": np.asarray(0.5),
    "sigma_sender": np.asarray(0.5),
    "sigma_receiver": np.asarray(0.5),
    "rho": np.asarray(0.0),
    "phi": np.asarray(2.0),
    "layer_intercept": np.array([1.5, 1.0, 2.0]),
}

CLUSTERS = {
    "sigma_change": np.asarray(0.1),
    "sigma_z": np.asarray(1.0),
    "centre": np.array([[1.5, 0.0], [-1.5, 0.0]]),
    "theta": np.array([0.5, 0.5]),
    "sigma_cluster": np.array([0.3, 0.3]),
    "z": np.array([[1.5, 0.0]] * 12 + [[-1.5, 0.0]] * 12)
    + 0.3 * np.random.default_rng(0).normal(size=(N, 2)),
    "phi": np.asarray(2.0),
    "layer_intercept": np.array([1.0, 0.5, 1.5]),
}

NUMBERS = {"chains": 2, "iter_warmup": 250, "iter_sampling": 250, "show_progress": False}


def test_roles_are_found_kept_and_forecast(tmp_path: Path) -> None:
    name = "nb-squared-roles"
    layers, truth = simulate_layers(
        N, 2, L, seed=3, model=name, layers="ordered", absent=((1, 4),), parameters=ROLES
    )
    model = LatentSpaceModel(layers, 2, model=name, layers="ordered")
    fit = model.sample(seed=1, **NUMBERS)
    assert isinstance(fit, LayeredFit)
    for scale in ("sigma_role", "sigma_change", "sigma_z", "phi"):
        low, high = np.quantile(fit.parameters[scale], [0.005, 0.995])
        assert low < truth[scale] < high
    role = fit.of_layer(1)["role"]
    np.testing.assert_array_equal(role, np.delete(fit.parameters["role"], 4, axis=2))
    # log means of all dyads of a layer: their 90 % intervals hold 90 % of the true ones
    i, j = np.nonzero(~np.eye(N, dtype=bool))
    drawn = log_mean(fit.model_of_layer(2), fit.of_layer(2), i, j).reshape(-1, len(i))
    low, high = np.quantile(drawn, [0.05, 0.95], axis=0)
    z, roles = truth["z_layer"][2], truth["role"]
    true = 2.0 - ((z[i] + roles[i] - z[j] + roles[j]) ** 2).sum(axis=-1)
    true = true + truth["sender_effect"][i] + truth["receiver_effect"][j]
    assert 0.8 < float(((low <= true) & (true <= high)).mean()) < 0.98
    again = Fit.load(fit.save(tmp_path / "fit"))
    np.testing.assert_array_equal(again.parameters["role"], fit.parameters["role"])
    start = model.optimize(seed=1, starts=2, show_progress=False)
    assert start.converged, start.warnings
    common = {"structure": "ordered", "seed": 1, "which": ["3"], "starts": 2}
    scores = {
        each: score_layers(layers, 2, model=each, **common).set_index("predictor")["log_density"]
        for each in ("nb-squared-effects", name)
    }
    assert scores[name]["model"] > scores["nb-squared-effects"]["model"]
    assert scores[name]["model"] > scores[name]["constant"]


def test_clusters_are_found_and_shown(tmp_path: Path) -> None:
    name = "nb-squared+clusters(2)"
    layers, truth = simulate_layers(
        N, 2, L, seed=3, model=name, layers="exchangeable", parameters=CLUSTERS
    )
    assert truth["z_layer"].shape == (L, N, 2)
    model = LatentSpaceModel(layers, 2, model=name, layers="exchangeable")
    mode = model.optimize(seed=1, starts=4, show_progress=False)
    fit = model.sample(seed=1, init=mode, **NUMBERS)
    for each in (mode, fit, Fit.load(fit.save(tmp_path / "fit"))):
        assert isinstance(each, LayeredFit)
        assert each.clusters is not None
        partition = each.clusters.partition
        assert len(set(partition[:12])) == len(set(partition[12:])) == 1
        assert partition[0] != partition[12]
    low, high = np.quantile(fit.parameters["sigma_change"], [0.005, 0.995])
    assert low < truth["sigma_change"] < high
    assert {"theta", "sigma_cluster"} <= set(fit.invariants().posterior)
    page = layers_page({"map": mode, "nuts": fit}, lambda _: None)
    assert "Clusters of nodes" in [section.title for section in page.sections]
