"""A random network, written in any format by other programs, is read back as it was."""

import csv
import gzip
import io
import tempfile
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import io as scipy_io
from scipy import sparse

from lsm_stan.network.checks import clean_name
from lsm_stan.network.network import Network
from lsm_stan.network.readers import read_network

letters = st.characters(categories=("L", "N", "P", "S", "Zs"), exclude_characters="\ufffe\uffff")
names = st.text(letters, min_size=1, max_size=6).map(clean_name).filter(bool)


@st.composite
def networks(draw):
    """Networks of up to six nodes with odd names, directed or not, loops and isolated nodes too."""
    nodes = draw(st.lists(names, min_size=2, max_size=6, unique=True))
    n, directed = len(nodes), draw(st.booleans())
    cells = draw(st.lists(st.integers(0, 3), min_size=n * n, max_size=n * n))
    matrix = np.array(cells).reshape(n, n)
    matrix = matrix if directed else np.triu(matrix) + np.triu(matrix, 1).T
    return Network.from_matrix(matrix, nodes, directed=directed)


def as_graph(network: Network) -> nx.Graph:
    graph = nx.DiGraph() if network.directed else nx.Graph()
    graph.add_nodes_from(network.names)
    graph.add_weighted_edges_from(network.edge_frame().itertuples(index=False, name=None))
    return graph


def as_table(mark: str, **options: str):
    def write(network: Network, path: Path) -> None:
        network.edge_frame().rename(columns=options).to_csv(
            path, sep=mark, index=False, quoting=csv.QUOTE_NONNUMERIC
        )

    return write


def as_matrix(network: Network, path: Path) -> None:
    pd.DataFrame(network.to_dense(), network.names, network.names).to_csv(
        path, quoting=csv.QUOTE_NONNUMERIC
    )


def as_pajek(network: Network, path: Path) -> None:
    lines = [f"*Vertices {network.n_nodes}"]
    lines += [f'{k} "{name}"' for k, name in enumerate(network.names, 1)]
    lines += ["*Arcs" if network.directed else "*Edges"]
    ends = zip(network.sender + 1, network.receiver + 1, network.weight, strict=True)
    lines += [f"{a} {b} {w}" for a, b, w in ends]
    path.write_text("\n".join(lines), encoding="utf-8")


def as_mtx(network: Network, path: Path) -> None:
    symmetry = "general" if network.directed else "symmetric"
    scipy_io.mmwrite(path, sparse.coo_array(network.to_dense()), symmetry=symmetry)


def packed(network: Network, path: Path) -> None:
    buffer = io.BytesIO()
    network.edge_frame().to_csv(buffer, index=False, quoting=csv.QUOTE_NONNUMERIC)
    path.write_bytes(gzip.compress(buffer.getvalue()))


#: How to write each format; whether it says that a network is undirected, and has the nodes' names.
SAYS, NAMED = True, True
FORMATS = {
    ".csv": (as_table(","), not SAYS, NAMED),
    "-camel.csv": (
        as_table(",", source="FromNode", target="ToNode", weight="nTrips"),
        False,
        NAMED,
    ),
    ".tsv": (as_table("\t"), not SAYS, NAMED),
    "-semicolons.csv": (as_table(";"), not SAYS, NAMED),
    ".csv.gz": (packed, not SAYS, NAMED),
    "-matrix.csv": (as_matrix, not SAYS, NAMED),
    ".npy": (lambda network, path: np.save(path, network.to_dense()), not SAYS, not NAMED),
    ".npz": (
        lambda network, path: sparse.save_npz(path, sparse.csr_array(network.to_dense())),
        not SAYS,
        not NAMED,
    ),
    ".mtx": (as_mtx, SAYS, not NAMED),
    ".gml": (lambda network, path: nx.write_gml(as_graph(network), path), SAYS, NAMED),
    ".graphml": (lambda network, path: nx.write_graphml(as_graph(network), path), SAYS, NAMED),
    ".gexf": (lambda network, path: nx.write_gexf(as_graph(network), path), SAYS, NAMED),
    ".net": (as_pajek, SAYS, NAMED),
}


@pytest.mark.parametrize("suffix", FORMATS)
@settings(max_examples=16)
@given(network=networks())
def test_a_network_in_any_format_comes_back(suffix, network):
    write, says, named = FORMATS[suffix]
    if suffix == ".net":  # whose quotes have no escapes
        plain = [name.translate(str.maketrans("", "", "\"'\\")) + f"_{k}" for k, name in
                 enumerate(network.names)]  # fmt: skip
        network = Network.from_matrix(network.to_dense(), plain, directed=network.directed)
    if not named:
        network = Network.from_matrix(network.to_dense(), directed=network.directed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"net{suffix}"
        write(network, path)
        again = read_network(
            path,
            directed=None if says else network.directed,
            nodes=network.node_frame() if named else None,
        )
    assert again.digest == network.digest


@settings(max_examples=24)
@given(networks())
def test_a_network_in_memory_comes_back(network):
    nodes = network.node_frame()
    assert read_network(as_graph(network)).digest == network.digest
    same = {"directed": network.directed, "nodes": nodes}
    assert read_network(network.edge_frame(), **same).digest == network.digest
    dense = pd.DataFrame(network.to_dense(), network.names, network.names)
    assert read_network(dense, **same).digest == network.digest
    assert read_network(sparse.coo_array(network.to_dense()), **same).digest == network.digest
