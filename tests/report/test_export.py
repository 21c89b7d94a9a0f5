"""Exported files: opened by pandas and networkx, they have the numbers of the fit."""

from dataclasses import replace

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from scipy.linalg import orthogonal_procrustes

from lsm_stan import Fit, Network, export, read_network, simulate
from lsm_stan.errors import InputError
from lsm_stan.report import export as module
from lsm_stan.report.nodes import node_table
from tests.support.made import fit_of, made_fit, scattered, simulated_fit, with_clusters

READERS = {".graphml": nx.read_graphml, ".gexf": nx.read_gexf}


@pytest.fixture(scope="module")
def fit() -> Fit:
    return simulated_fit("nb-squared-effects", n_draws=20)


def turned_onto(draws: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Turn every draw onto a target, by SciPy's solution of the problem."""
    return np.stack([draw @ orthogonal_procrustes(draw, target)[0] for draw in draws])


def test_a_table_has_places_deviations_and_effects(fit, tmp_path):
    table = pd.read_csv(export(fit, tmp_path / "new" / "nodes.csv")).set_index("name")
    table = table.loc[list(fit.network.names)]
    draws = fit.draws.reshape(-1, *fit.positions.shape)
    axes = table[["axis1", "axis2"]].to_numpy()
    distances = np.linalg.norm(axes[:, None] - axes, axis=-1)
    expected = np.linalg.norm(fit.positions[:, None] - fit.positions, axis=-1)
    np.testing.assert_allclose(distances, expected, atol=1e-12)
    about = turned_onto(draws, axes) - axes
    np.testing.assert_allclose(table[["axis1_sd", "axis2_sd"]], np.sqrt((about**2).mean(0)))
    np.testing.assert_allclose(table["spread"], np.sqrt((about**2).sum(-1).mean(0)))
    for end, strength in (("sender", "out_strength"), ("receiver", "in_strength")):
        effect = fit.parameters[f"{end}_effect"].reshape(len(draws), -1)
        np.testing.assert_allclose(table[f"{end}_effect"], effect.mean(0))
        np.testing.assert_allclose(table[f"{end}_effect_sd"], pd.DataFrame(effect).std())
        np.testing.assert_array_equal(table[strength], getattr(fit.network, strength)())


def test_a_sender_and_a_receiver_have_places_of_their_own(tmp_path):
    fit = simulated_fit("poisson-exponential-roles", n_draws=1)
    one = fit.idata.posterior.isel(chain=[0], draw=[0])
    z, role = (one[name].to_numpy()[0, 0] for name in ("z", "role"))
    alone = simulated_mode(fit, z, role)
    table = pd.read_csv(export(alone, tmp_path / "nodes.csv")).set_index("name")
    table = table.loc[list(fit.network.names)]
    sent, received = (
        table[[f"{end}_axis1", f"{end}_axis2"]].to_numpy() for end in ("sender", "receiver")
    )
    distances = np.linalg.norm(sent[:, None] - received, axis=-1)
    expected = np.linalg.norm((z + role)[:, None] - (z - role), axis=-1)
    np.testing.assert_allclose(distances, expected)
    assert not [name for name in table if name.endswith("_sd")], "a mode has no spread"


def simulated_mode(fit: Fit, z: np.ndarray, role: np.ndarray) -> Fit:
    draws = {name: values[:1, :1] for name, values in fit.parameters.items()}
    return fit_of(
        fit.network,
        draws | {"z": z[None, None], "role": role[None, None]},
        "poisson-exponential-roles",
    )


def test_an_undirected_network_has_one_effect():
    table = node_table(simulated_fit("nb-squared-effects", directed=False, n_draws=10))
    assert {"effect", "effect_sd", "strength"} < set(table)
    assert not [name for name in table if name.startswith(("sender", "receiver"))]


@pytest.mark.parametrize("suffix", READERS)
@pytest.mark.parametrize("directed", [True, False])
def test_networkx_opens_a_graph_with_the_same_numbers(suffix, directed, tmp_path):
    drawn, truth = simulate(12, 2, seed=4, directed=directed)
    facts = {"club": ["a", None] * 6, "size": range(12), "id": [f"i{n}" for n in range(12)]}
    network = replace(drawn, node_table=pd.DataFrame(facts, drawn.names))
    rng = np.random.default_rng(5)
    draws = scattered(truth["z"], rng, 0.02, size=50)
    fit = made_fit(network, draws, model="tutorial+clusters(2)", others=with_clusters(draws, rng))
    file = export(fit, tmp_path / f"graph{suffix}")
    graph = READERS[suffix](file)
    assert graph.is_directed() == directed
    assert list(graph) == list(network.names)
    weights = nx.to_numpy_array(graph, list(network.names), dtype=int)
    np.testing.assert_array_equal(weights, network.to_dense())
    ours = {"id": "id (node table)"} if suffix == ".gexf" else {}
    table = node_table(fit).rename(columns=ours).set_index("name")
    for name, attributes in graph.nodes(data=True):
        row = table.loc[name].dropna()
        attributes = {key: attributes[key] for key in attributes if key not in ("viz", "label")}
        empty = dict(row[row == ""])  # which networkx 3.2 does not read from GraphML
        assert {**empty, **attributes} == row.to_dict()
        assert type(attributes["strays"]) is bool
    if suffix == ".gexf":
        viz = graph.nodes[network.names[3]]["viz"]["position"]
        place = table.loc[network.names[3], ["axis1", "axis2"]]
        assert [viz["x"], viz["y"], viz["z"]] == [*place, 0.0]
    again = read_network(file)
    assert again.digest == network.digest


@pytest.mark.parametrize("file", ["nodes.xlsx", "nodes", "nodes.csv.gz", "folder.csv"])
def test_another_suffix_is_refused(file, fit, tmp_path):
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(InputError, match=r"ends in \.csv .*\.graphml or \.gexf"):
        export(fit, tmp_path / file)
    assert list(tmp_path.iterdir()) == [tmp_path / "folder.csv"]


def test_what_xml_cannot_hold_is_refused(tmp_path):
    network, truth = simulate(12, 2, seed=4)
    facts = pd.DataFrame({"note": ["a\x01b"] * 12}, network.names)
    fit = made_fit(replace(network, node_table=facts), truth["z"][None, None], "map")
    with pytest.raises(InputError, match=r"'a\\x01b' holds a character that XML has not"):
        export(fit, tmp_path / "graph.gexf")
    assert not list(tmp_path.iterdir())
    table = pd.read_csv(export(fit, tmp_path / "nodes.csv"))
    assert set(table["note"]) == {"a\x01b"}


@pytest.mark.parametrize("suffix", [".csv", *READERS])
def test_a_file_is_whole_or_as_it_was(suffix, fit, tmp_path, monkeypatch):
    def stopped(_, file):
        file.write_text("half") if suffix == ".csv" else file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "write_table", stopped)
    monkeypatch.setattr(nx, "write_graphml", stopped)
    monkeypatch.setattr(nx, "write_gexf", stopped)
    file = tmp_path / f"nodes{suffix}"
    file.write_text("earlier")
    with pytest.raises(KeyboardInterrupt):
        export(fit, file)
    assert file.read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [file]


def test_names_survive(tmp_path):
    names = ["#1", "a,b", "Ünï", '"q"', "<&>"]
    network = Network.from_edges(names, names[1:] + names[:1], [1, 2, 3, 4, 5])
    fit = made_fit(network, np.random.default_rng(1).normal(size=(1, 1, 5, 2)), "map")
    for suffix in READERS:
        assert list(READERS[suffix](export(fit, tmp_path / f"g{suffix}"))) == names
    assert set(pd.read_csv(export(fit, tmp_path / "nodes.csv"))["name"]) == set(names)
