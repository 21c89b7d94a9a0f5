"""The packaged C. elegans network: the checks its README names, and where it can be loaded."""

import subprocess
import sys

import pytest

from lsm_stan.errors import InputError
from lsm_stan.network.datasets import load_celegans
from lsm_stan.network.summary import describe


@pytest.mark.parametrize(
    ("policy", "total_weight"),
    [("sum", 8_819), ("first", 8_743)],  # 8,743 is the tutorial's matrix
)
def test_totals(policy, total_weight):
    network = load_celegans(policy)
    assert (network.n_nodes, network.n_edges) == (297, 2_345)
    assert network.total_weight == total_weight
    assert any(note.startswith("14 parallel edges") for note in network.notes)


def test_facts():
    network = load_celegans()
    summary = describe(network)
    assert (summary.self_loops, summary.isolated, summary.max_weight) == (0, 0, 70)
    assert network.directed
    dense = network.to_dense()
    assert ((dense + dense.T) > 0).sum() == 2 * 2_148


def test_the_first_edge_of_the_raw_list():
    network = load_celegans()
    assert network.names[:2] == ("BAGL", "AIBL")
    assert network.to_dense()[0, 1] == 1


def test_names_and_classes_are_told_only_where_sure():
    network = load_celegans()
    table = network.node_table
    unsure = table["agreement"] < 0.5
    assert unsure.sum() == 74
    assert any(note.startswith("74 of 297 nodes") for note in network.notes)
    assert (table.index[~unsure] == table["matched_neuron"][~unsure]).all()
    assert (table.index[unsure] == "node " + table["label"][unsure]).all()
    assert (table["class"][unsure] == "unknown").all()
    assert (table["class"][~unsure] == table["matched_class"][~unsure]).all()
    assert set(table["class"]) == {"sensory", "interneuron", "motor", "other", "unknown"}


def test_it_loads_in_any_directory(tmp_path):
    code = (
        "from lsm_stan.network.datasets import load_celegans; print(load_celegans().total_weight)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == "8743\n"


def test_an_unknown_policy():
    with pytest.raises(InputError, match="celegans: parallel_edges is 'max'"):
        load_celegans("max")
