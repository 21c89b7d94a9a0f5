"""The packaged connectomes: the checks their README names, and opening them by name."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lsm_stan import Layers, Network, load_celegans, load_connectome
from lsm_stan.errors import InputError
from lsm_stan.network import connectomes
from lsm_stan.network.layer_readers import open_layers, open_source
from lsm_stan.network.readers import open_network
from lsm_stan.network.reading import Reading

DATA = Path(connectomes.__file__).parent / "data" / "worms"
README = (DATA / "README.md").read_text(encoding="utf-8")


def of_readme(first: str) -> list[int]:
    """Return the numbers of the row of the README's last table that begins so."""
    [row] = re.findall(rf"^\| {re.escape(first)} \|(.*)\|$", README, re.MULTILINE)
    return [int(cell.replace(",", "")) for cell in row.split("|")]


def counts(*networks: Network) -> list[int]:
    return [networks[0].n_nodes] + [x for n in networks for x in (n.n_edges, n.total_weight)]


def test_white_is_what_the_readme_says():
    chemical, electrical = load_connectome("white1986"), load_connectome("white1986", "electrical")
    assert counts(chemical, electrical) == of_readme("White et al.")
    assert (chemical.directed, electrical.directed) == (True, False)
    assert chemical.names == electrical.names


def test_the_animals_are_what_the_readme_says():
    chemical = load_connectome("witvliet2021")
    electrical = load_connectome("witvliet2021", "electrical")
    for k, (label, hours) in enumerate(connectomes.HOURS.items()):
        row = of_readme(f"{label} ({hours} h)")
        assert counts(chemical.networks[k], electrical.networks[k]) == row
    names = [set(network.names) for network in chemical.networks]
    assert len(set.intersection(*names)) == 161
    assert chemical.names == electrical.names
    assert chemical.n_nodes == 182
    assert names[7] <= names[6]
    assert chemical.times.tolist() == [0, 5, 8, 16, 23, 27, 45, 45]
    assert any("in part only" in note for note in electrical.notes)


def test_single_cells_are_those_of_the_tables():
    table = pd.read_csv(DATA / "witvliet2021.csv")
    row = table[(table["source"] == "AWCL") & (table["target"] == "AIYL")].iloc[0]
    layers = load_connectome("witvliet2021")
    for network in layers.networks:
        i, j = network.names.index("AWCL"), network.names.index("AIYL")
        assert network.weight_of(np.array([i]), np.array([j])) == row[network.title]


def test_absent_neurons_have_no_synapse_there():
    neurons = pd.read_csv(DATA / "neurons.csv", index_col="name")
    table = pd.read_csv(DATA / "witvliet2021.csv")
    for animal in connectomes.HOURS:
        joined = table.loc[table[animal] > 0, ["source", "target"]].to_numpy().ravel()
        assert (neurons.loc[joined, animal] == 1).all()


def test_every_neuron_has_a_class_and_a_type():
    table = load_connectome("white1986").node_table
    assert set(table["class"]) == {"sensory", "interneuron", "motor"}  # 'other': CANR, in animal 7
    assert table.loc["AVAL", "class"] == "interneuron"
    assert table.loc["AWCL"].tolist() == ["sensory", "Amphid"]
    assert table.loc["VB2", "class"] == "motor"
    assert (table["type"] != "").all()


def test_the_inferred_names_agree_as_the_readme_says():
    white, celegans = load_connectome("white1986"), load_celegans()
    sure = [
        name
        for name, agreement in celegans.node_table["agreement"].items()
        if agreement >= 0.5 and name in white.names
    ]
    either = []
    for network in (celegans, white):
        rows = [network.names.index(name) for name in sure]
        either.append(network.to_dense()[np.ix_(rows, rows)])
    first, second = either
    both = (first > 0) & (second > 0)
    figures = [(first > 0).sum(), (second > 0).sum(), both.sum(), (both & (first == second)).sum()]
    assert [len(sure), *figures] == [222, 1_747, 1_777, 1_571, 1_065]
    for figure in [len(sure), *figures]:
        assert f"{figure:,}" in README
    classes = celegans.node_table["class"][sure] != white.node_table["class"][sure]
    assert set(classes.index[classes]) == {"RIML", "RIMR"}


def test_they_are_opened_by_name():
    assert open_network("white1986", Reading(title="worm")).title == "worm"
    assert isinstance(open_source("white1986", Reading()), Network)
    layers = open_source("witvliet2021", Reading(binary=True))
    assert isinstance(layers, Layers)
    assert layers.networks[0].total_weight == layers.networks[0].n_edges


def test_dyads_of_packaged_layers_are_hidden(tmp_path):
    (tmp_path / "hidden.csv").write_text("source,target,layer\nAVAL,AVAR,8\n")
    layers = open_source("witvliet2021", Reading(hidden=tmp_path / "hidden.csv"))
    assert [network.n_hidden for network in layers.networks] == [0] * 7 + [1]


@pytest.mark.parametrize(
    ("name", "how", "message"),
    [
        ("white1986", {"nodes": "n.csv"}, "white1986: .* take neither directed=False nor nodes"),
        ("white1986", {"parallel_edges": "sum"}, "--parallel-edges cannot be used here"),
        ("white1986", {"layer": "stage"}, "white1986: this is one network"),
        ("witvliet2021", {"directed": False}, "witvliet2021: .* neither directed=False nor nodes"),
        ("witvliet2021", {"layer": "stage"}, "--layer cannot be used here"),
        ("witvliet2021", {"weight": "n"}, "--weight cannot be used here"),
    ],
)
def test_what_packaged_data_are_not(name, how, message):
    with pytest.raises(InputError, match=message):
        open_source(name, Reading(**how))


def test_layers_are_no_network_and_a_network_no_layers():
    with pytest.raises(InputError, match="witvliet2021: these are layers"):
        open_network("witvliet2021")
    with pytest.raises(InputError, match="celegans: this is one network"):
        open_layers("celegans", Reading())


@pytest.mark.parametrize(
    ("name", "synapses", "message"),
    [
        ("cook2019", "chemical", "there is no connectome 'cook2019'"),
        ("white1986", "peptide", "synapses is 'peptide'"),
    ],
)
def test_unknown_names(name, synapses, message):
    with pytest.raises(InputError, match=message):
        load_connectome(name, synapses)
