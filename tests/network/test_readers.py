"""Readers: every format comes back as written, tables are told apart, bad files are refused."""

import csv
import dataclasses
import pickle
import tempfile
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import sparse

from lsm_stan.errors import InputError
from lsm_stan.model.covariates import possible_terms
from lsm_stan.network.checks import clean_name
from lsm_stan.network.network import Network
from lsm_stan.network.readers import open_network, read_network, with_dyads
from lsm_stan.network.reading import Reading
from lsm_stan.network.text_files import write_table

# A parallel edge (a, b), a self-loop at c, and the isolated node d.
EDGES = [("a", "b", 2), ("b", "a", 1), ("c", "c", 4), ("a", "b", 3), ("b", "c", 7)]
MATRIX = np.array([[0, 5, 0, 0], [1, 0, 7, 0], [0, 0, 4, 0], [0, 0, 0, 0]])
NAMES = ("a", "b", "c", "d")
EXPECTED = Network.from_matrix(MATRIX, NAMES)


@pytest.fixture
def file(tmp_path):
    """Write text to a file of the given name and return its path."""

    def write(name, text):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def multigraph(kind=nx.MultiDiGraph):
    graph = kind()
    graph.add_nodes_from((name, {"class": f"class {name}"}) for name in NAMES)
    graph.add_weighted_edges_from(EDGES)
    return graph


def save_matrix(path, matrix, names, delimiter=","):
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, delimiter=delimiter, quoting=csv.QUOTE_NONNUMERIC)
        writer.writerow(["", *names])
        writer.writerows([name, *row] for name, row in zip(names, matrix.tolist(), strict=True))


def save_edges(path, edges, delimiter=","):
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, delimiter=delimiter, quoting=csv.QUOTE_NONNUMERIC)
        writer.writerows([("source", "target", "weight"), *edges])


# --- matrices -----------------------------------------------------------------------------------


def test_npy(tmp_path):
    np.save(tmp_path / "worm.npy", MATRIX)
    network = read_network(tmp_path / "worm.npy")
    np.testing.assert_array_equal(network.to_dense(), MATRIX)
    assert network.title == "worm"
    assert network.directed
    assert read_network(str(tmp_path / "worm.npy"), title="mine").title == "mine"


@pytest.mark.parametrize("kind", [sparse.csr_array, sparse.csr_matrix, sparse.coo_array])
def test_npz(tmp_path, kind):
    sparse.save_npz(tmp_path / "worm.npz", kind(MATRIX))
    np.testing.assert_array_equal(read_network(tmp_path / "worm.npz").to_dense(), MATRIX)


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array, sparse.csc_matrix])
def test_arrays_in_memory(kind):
    np.testing.assert_array_equal(read_network(kind(MATRIX)).to_dense(), MATRIX)


def test_undirected_matrix():
    network = read_network(MATRIX + MATRIX.T, directed=False)
    assert not network.directed
    np.testing.assert_array_equal(network.to_dense(), MATRIX + MATRIX.T)


@pytest.mark.parametrize(("suffix", "delimiter"), [(".csv", ","), (".tsv", "\t")])
def test_labelled_matrix(tmp_path, suffix, delimiter):
    save_matrix(tmp_path / f"m{suffix}", MATRIX, NAMES, delimiter)
    assert read_network(tmp_path / f"m{suffix}").digest == EXPECTED.digest


def test_labelled_matrix_with_columns_in_another_order(file):
    network = read_network(file("m.csv", ",b,a\na,5,1\nb,2,7\n"))
    assert network.names == ("a", "b")
    assert network.to_dense().tolist() == [[1, 5], [7, 2]]


def test_labelled_matrix_with_a_word_in_the_corner(file):
    network = read_network(file("m.csv", "neuron,i,j,k\ni,0,1,2\nj,3,0,4\nk,5,6,0\n"))
    assert network.names == ("i", "j", "k")
    assert network.to_dense().tolist() == [[0, 1, 2], [3, 0, 4], [5, 6, 0]]


def test_labelled_data_frame():
    frame = pd.DataFrame(MATRIX, index=list(NAMES), columns=list(NAMES))
    assert read_network(frame).digest == EXPECTED.digest
    assert read_network(frame[["c", "a", "d", "b"]]).digest == EXPECTED.digest
    assert read_network(pd.DataFrame(MATRIX)).names == ("0", "1", "2", "3")


# --- edge lists ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("suffix", "delimiter"), [(".csv", ","), (".tsv", "\t"), (".CSV", ",")])
@pytest.mark.parametrize("header", [["source", "target", "weight"], None])
@pytest.mark.parametrize("policy", ["sum", "first"])
def test_edge_list(tmp_path, suffix, delimiter, header, policy):
    path = tmp_path / f"edges{suffix}"
    pd.DataFrame(EDGES, columns=header).to_csv(
        path, sep=delimiter, index=False, header=header is not None
    )
    network = read_network(path, parallel_edges=policy)
    columns = zip(*EDGES, strict=True)
    assert network.digest == Network.from_edges(*columns, parallel_edges=policy).digest
    assert any("No header was recognised" in n for n in network.notes) == (header is None)


@pytest.mark.parametrize(
    "header", ["source,target", "Sender,Receiver", "from,to", "PRE,POST", "i,j"]
)
@pytest.mark.parametrize("weight", ["weight", "Value", "count"])
def test_header_synonyms_in_any_order(file, header, weight):
    first, second = header.split(",")
    network = read_network(file("e.csv", f"{second},{weight},type,{first}\nb,3,x,a\n"))
    assert network.to_dense()[network.names.index("a"), network.names.index("b")] == 3
    assert "Columns not used: type." in network.notes


@pytest.mark.parametrize("text", ["source,target\na,b\nb,a\n", "a,b\nb,a\n"])
def test_edge_list_without_weights(file, text):
    network = read_network(file("e.csv", text))
    assert network.to_dense().tolist() == [[0, 1], [1, 0]]
    assert any("No weights are given" in note for note in network.notes)


def test_an_empty_weight_is_a_missing_one(file):
    network = read_network(file("e.csv", "source,target,weight\na,b,\nb,a,4\n"))
    assert network.weight.tolist() == [1, 4]
    assert "1 edge without a weight: weight 1 each." in network.notes


def test_spaces_blank_lines_and_a_byte_order_mark(file):
    network = read_network(file("e.csv", "\ufeffsource, target, weight\n\na, b, 3\n\nb ,a, 2\n"))
    assert network.names == ("a", "b")
    assert network.weight.tolist() == [3, 2]


def test_names_are_text(file):
    text = "source,target,weight\nNA,01,1\n1,null,1\nnan,None,1\n1.0,NA,1\n"
    assert read_network(file("e.csv", text)).names == (
        "NA", "01", "1", "null", "nan", "None", "1.0",
    )  # fmt: skip
    assert read_network(file("m.csv", ",NA,01\nNA,0,1\n01,2,0\n")).names == ("NA", "01")


def test_undirected_edge_list(tmp_path):
    save_edges(tmp_path / "e.csv", EDGES)
    network = read_network(tmp_path / "e.csv", directed=False)
    assert not network.directed
    assert network.to_dense().tolist() == [[0, 6, 0], [6, 0, 7], [0, 7, 4]]


nasty = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=6).map(str.strip)
names = st.one_of(
    nasty.filter(bool),
    st.sampled_from(["NA", "nan", "01", "1", "a,b", 'q"', "x\ny", "é", "i"]),
)


@given(st.lists(st.tuples(names, names, st.integers(1, 9)), min_size=1))
def test_an_edge_list_with_nasty_names_comes_back(edges):
    assume(len({clean_name(name) for edge in edges for name in edge[:2]}) > 1)
    with tempfile.TemporaryDirectory() as folder:
        save_edges(Path(folder) / "e.csv", edges)
        network = read_network(Path(folder) / "e.csv")
    assert network.digest == Network.from_edges(*zip(*edges, strict=True)).digest


@given(
    st.lists(names, min_size=2, max_size=5, unique_by=clean_name), st.randoms(use_true_random=False)
)
def test_a_labelled_matrix_with_nasty_names_comes_back(nodes, random):
    matrix = np.array([[random.randrange(4) for _ in nodes] for _ in nodes])
    with tempfile.TemporaryDirectory() as folder:
        save_matrix(Path(folder) / "m.csv", matrix, nodes)
        network = read_network(Path(folder) / "m.csv")
    assert network.digest == Network.from_matrix(matrix, nodes).digest


@given(
    st.lists(names, min_size=2, max_size=5, unique_by=clean_name),
    st.randoms(use_true_random=False),
    st.booleans(),
)
def test_a_network_written_as_tables_comes_back(nodes, random, directed):
    matrix = np.array([[random.randrange(3) for _ in nodes] for _ in nodes])
    matrix = matrix if directed else matrix + matrix.T
    network = Network.from_matrix(matrix, nodes, directed=directed)
    with tempfile.TemporaryDirectory() as folder:
        edge_file, node_file = Path(folder) / "edges.csv", Path(folder) / "nodes.csv"
        write_table(network.edge_frame(), edge_file)
        write_table(network.node_frame(), node_file)
        again = read_network(edge_file, directed=directed, nodes=node_file)
    assert again.digest == network.digest


def test_celegans_written_as_tables_comes_back(tmp_path):
    network = open_network("celegans")
    network.edge_frame().to_csv(tmp_path / "edges.csv", index=False)
    network.node_frame().to_csv(tmp_path / "nodes.csv", index=False)
    again = read_network(tmp_path / "edges.csv", nodes=tmp_path / "nodes.csv")
    assert again.digest == network.digest
    pd.testing.assert_frame_equal(again.node_table, network.node_table, check_dtype=False)


numbers = st.one_of(st.integers(), st.floats(), st.floats(width=32).map(np.float32))
cells = st.one_of(
    st.text(st.characters(exclude_categories=("Cs",)), max_size=3),
    st.sampled_from(
        ["a", "a ", " a", "x\ny", "1", "1.0", "01", "NA", "Na", "nan", "True", "false"]
    ),
    st.sampled_from([None, pd.NA, pd.NaT, pd.Timestamp("2020-01-01"), ("a", 1)]),
    st.booleans(),
    numbers,
)
kinds = (cells, numbers, st.floats(), st.integers(-9, 9), st.sampled_from([True, False, None]))
facts = st.one_of([st.lists(kind, min_size=4, max_size=4) for kind in kinds])


@given(st.lists(facts, min_size=1, max_size=3), st.booleans())
def test_facts_written_as_tables_come_back(columns, inferred):
    """Whatever is in a column: the table is the same, and so is which nodes have one value."""
    table = pd.DataFrame({f"x{k}": pd.Series(c, dtype=object) for k, c in enumerate(columns)})
    table = (table.infer_objects() if inferred else table).set_axis(NAMES)
    ends = [("a", "b"), ("c", "a"), ("b", "a"), ("d", "c")]
    dyads = table.set_axis(pd.MultiIndex.from_tuples(ends))
    network = Network.from_edges("ab", "bc", node_table=table)
    network = with_dyads(network, dyads)
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in ("edges.csv", "nodes.csv", "dyads.csv")]
        frames = network.edge_frame(), network.node_frame(), network.dyad_frame()
        for frame, path in zip(frames, files, strict=True):
            frame.to_csv(path, index=False)
        again = open_network(files[0], Reading(nodes=files[1], dyads=files[2]))
    for name in ("node_table", "dyad_table"):
        left, right = getattr(network, name), getattr(again, name)
        pd.testing.assert_frame_equal(left, right, check_dtype=False, check_exact=True)
    assert possible_terms(again) == possible_terms(network)


@pytest.mark.parametrize(
    "columns", [["x", "x"], ["x", " x"], ["1", 1], ["name", "name"], ["source", "source"]]
)
def test_two_columns_of_one_name_are_refused(columns):
    table = pd.DataFrame([[1, 2], [3, 4]], index=["a", "b"], columns=columns)
    dyads = table.set_axis(pd.MultiIndex.from_tuples([("a", "b"), ("b", "a")]))
    network = Network.from_edges("ab", "ba")
    name = str(columns[0])
    for make in (
        lambda: dataclasses.replace(network, node_table=table),
        lambda: dataclasses.replace(network, dyad_table=dyads),
        lambda: read_network(network.edge_frame(), nodes=table),
        lambda: with_dyads(network, dyads),
        lambda: with_dyads(network, table),
    ):
        with pytest.raises(InputError, match=f"there are two columns '{name}'"):
            make()


def test_a_table_of_dyads_needs_a_column():
    network = Network.from_edges("ab", "ba")
    with pytest.raises(InputError, match="no column besides sender and receiver"):
        with_dyads(network, pd.DataFrame(index=pd.MultiIndex.from_tuples([("a", "b")])))


def test_quoted_cells_after_a_space(file):
    network = read_network(file("e.csv", 'source, target, weight\na, "b, c", 3\n'))
    assert network.names == ("a", "b, c")


def test_edge_list_in_a_data_frame():
    frame = pd.DataFrame(EDGES, columns=["from", "to", "weight"])
    assert read_network(frame, nodes=pd.DataFrame({"name": NAMES})).digest == EXPECTED.digest
    assert read_network(frame.assign(weight=frame["weight"].astype("Int64"))).total_weight == 17
    assert read_network(frame.drop(columns="weight")).total_weight == 5


def test_an_edge_list_as_long_as_wide_is_no_matrix():
    frame = pd.DataFrame({"source": ["a", "b", "c"], "target": ["b", "c", "a"], "weight": 1})
    assert read_network(frame).n_edges == 3


@pytest.mark.parametrize("dtype", [float, "Int64", object, "string"])
def test_a_missing_weight_in_a_data_frame_is_a_missing_one(dtype):
    weight = pd.Series([3, None, 2], dtype=dtype)
    frame = pd.DataFrame({"source": list("abc"), "target": list("bca"), "weight": weight})
    network = read_network(frame)
    assert network.weight.tolist() == [3, 1, 2]
    assert "1 edge without a weight: weight 1 each." in network.notes
    with pytest.raises(InputError, match="the receiver of edge 2 has no name"):
        read_network(frame.assign(target=["b", np.nan, "a"]))


@pytest.mark.parametrize("dtype", [float, "Int64", object, "string"])
def test_a_missing_cell_of_a_labelled_data_frame_is_hidden(dtype):
    cells = [[0, None, 2], [3, 0, 1], [0, 4, None]]
    frame = pd.DataFrame(cells, list("abc"), list("abc")).astype(dtype)
    network = read_network(frame)
    assert network.weight_of([0, 0, 1, 1, 2], [1, 2, 0, 2, 1]).tolist() == [-1, 2, 3, 1, 4]
    assert network.notes[:2] == (
        "1 cell NaN: dyads that were not observed.",
        "1 diagonal cell NaN: read as 0.",
    )


# --- graphs -------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["sum", "first"])
@pytest.mark.parametrize("route", ["memory", ".gml", ".graphml"])
def test_multigraph(tmp_path, route, policy):
    source = multigraph()
    if route != "memory":
        source = tmp_path / f"g{route}"
        {".gml": nx.write_gml, ".graphml": nx.write_graphml}[route](multigraph(), source)
    network = read_network(source, parallel_edges=policy)
    assert network.names == NAMES
    assert network.directed
    assert network.to_dense()[0, 1] == {"sum": 5, "first": 2}[policy]
    assert network.node_table.columns.tolist() == ["class"]
    assert network.node_table["class"].tolist() == [f"class {name}" for name in NAMES]
    if policy == "sum":
        assert network.digest == EXPECTED.digest


@pytest.mark.parametrize("kind", [nx.Graph, nx.MultiGraph])
@pytest.mark.parametrize("route", ["memory", ".gml", ".graphml"])
def test_undirected_graph(tmp_path, kind, route):
    source = multigraph(kind)
    if route != "memory":
        source = tmp_path / f"g{route}"
        {".gml": nx.write_gml, ".graphml": nx.write_graphml}[route](multigraph(kind), source)
    network = read_network(source)
    assert not network.directed
    expected = nx.to_numpy_array(multigraph(kind))
    np.testing.assert_array_equal(network.to_dense(), expected)

    both = read_network(source, directed=True)
    assert both.directed
    np.testing.assert_array_equal(both.to_dense(), expected)
    assert any("edges go in both directions" in note for note in both.notes)


def test_digraph_read_as_undirected():
    graph = nx.DiGraph()
    graph.add_weighted_edges_from([("a", "b", 2), ("b", "a", 1)])
    assert read_network(graph, directed=False).to_dense().tolist() == [[0, 3], [3, 0]]


def test_graph_without_weights_or_attributes():
    network = read_network(nx.path_graph(3))
    assert network.names == ("0", "1", "2")
    assert network.weight.tolist() == [1, 1]
    assert network.node_table is None


def test_a_node_attribute_that_is_called_name():
    graph = nx.Graph([("n0", "n1")])
    nx.set_node_attributes(graph, {"n0": "AVA", "n1": "AVB"}, "name")
    network = read_network(graph)
    assert network.names == ("AVA", "AVB")
    assert "Nodes are called by their attribute 'name'." in network.notes
    nx.set_node_attributes(graph, "AV", "name")
    network = read_network(graph)
    assert network.names == ("n0", "n1")
    assert network.node_table["name_attribute"].tolist() == ["AV", "AV"]
    assert "The attribute 'name' is not unique: nodes are called by their id." in network.notes


def test_graph_with_some_weights():
    graph = nx.Graph([("a", "b", {"weight": 4}), ("b", "c", {})])
    assert read_network(graph).weight.tolist() == [4, 1]


NEWMAN = """Creator "Mark Newman"
graph
[
  directed 1
  node [ id 10 label "51" ]
  node [ id 20 label "1" ]
  edge [ source 10 target 20 value 3 ]
  edge [ source 10 target 20 value 22 ]
]
"""


def test_a_gml_file_with_unannounced_parallel_edges(file):
    path = file("celegansneural.gml", NEWMAN)
    network = read_network(path)
    assert network.names == ("51", "1")
    assert network.to_dense().tolist() == [[0, 25], [0, 0]]
    assert "Weights are in the edge attribute 'value'." in network.notes
    assert network.node_table is None
    assert read_network(path, parallel_edges="first").total_weight == 3


def test_a_gml_file_without_labels(file):
    text = "graph [ node [ id 7 ] node [ id 8 ] edge [ source 7 target 8 weight 2 ] ]"
    network = read_network(file("g.gml", text))
    assert network.names == ("7", "8")
    assert network.total_weight == 2


def test_node_names_in_gml_survive(tmp_path):
    graph = nx.DiGraph()
    graph.add_edge("01", 'é "q" & x\n', weight=2)
    nx.write_gml(graph, tmp_path / "g.gml")
    assert read_network(tmp_path / "g.gml").names == ("01", 'é "q" & x')


# --- node tables --------------------------------------------------------------------------------

SHUFFLED = ["c", "d", "b", "a"]


@pytest.mark.parametrize("kind", ["edge list", "matrix", "graph", "matrix file"])
def test_a_node_table_fixes_the_order_and_adds_nodes(tmp_path, kind):
    save_matrix(tmp_path / "m.csv", MATRIX[:3, :3], NAMES[:3])
    graph = multigraph()
    graph.remove_node("d")
    source = {
        "edge list": pd.DataFrame(EDGES, columns=["source", "target", "weight"]),
        "matrix": pd.DataFrame(MATRIX[:3, :3], index=list("abc"), columns=list("abc")),
        "graph": graph,
        "matrix file": tmp_path / "m.csv",
    }[kind]
    nodes = pd.DataFrame({"name": SHUFFLED, "rank": [1, 2, 3, 4]})
    network = read_network(source, nodes=nodes)
    order = [NAMES.index(name) for name in SHUFFLED]
    assert network.names == tuple(SHUFFLED)
    np.testing.assert_array_equal(network.to_dense(), MATRIX[np.ix_(order, order)])
    assert network.node_table["rank"].tolist() == [1, 2, 3, 4]
    assert network.node_table.columns.tolist() == ["rank"]
    assert any(note.startswith("1 isolated node ") for note in network.notes)


def test_a_node_table_names_the_rows_of_a_bare_matrix():
    assert read_network(MATRIX, nodes=pd.DataFrame({"name": SHUFFLED})).names == tuple(SHUFFLED)
    with pytest.raises(InputError, match="NumPy array: the matrix has 3 rows but there are 4 node"):
        read_network(MATRIX[:3, :3], nodes=pd.DataFrame({"name": SHUFFLED}))


@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
def test_a_node_table_in_a_file(tmp_path, suffix):
    table = {
        "id": ["NA", "01", "1"],
        "class": ["motor", "NA", ""],
        "label": ["01", "2", "3"],
        "x": ["1.5", "", "-2e3"],
        "n": ["4", "5", "0"],
    }
    path = tmp_path / f"nodes{suffix}"
    pd.DataFrame(table).to_csv(path, sep="," if suffix == ".csv" else "\t", index=False)
    edges = pd.DataFrame({"source": ["01"], "target": ["NA"]})
    network = read_network(edges, nodes=path)
    assert network.names == ("NA", "01", "1")
    read = network.node_table
    assert read["class"].tolist() == ["motor", "", ""]
    assert read["label"].tolist() == ["01", "2", "3"]
    np.testing.assert_array_equal(read["x"], [1.5, np.nan, -2000])
    assert read["n"].tolist() == [4, 5, 0]


def test_where_a_node_table_has_its_names():
    edges = pd.DataFrame({"source": ["a"], "target": ["b"]})
    column = pd.DataFrame({"class": ["x", "y"], "name": ["b", "a"]})
    first = pd.DataFrame({"node": ["b", "a"], "class": ["x", "y"]})
    network = read_network(edges, nodes=column)
    assert network.names == read_network(edges, nodes=first).names == ("b", "a")
    assert read_network(edges, nodes=network.node_table).names == ("b", "a")


@pytest.mark.parametrize(
    "source",
    [
        pd.DataFrame({"source": ["a"], "target": ["b"]}),
        pd.DataFrame(np.zeros((2, 2)), index=["a", "b"], columns=["a", "b"]),
        nx.empty_graph(["a", "b"]),
    ],
)
def test_a_node_that_is_not_in_the_table(source):
    with pytest.raises(InputError, match=r"the node 'b'.* is not (in the node table|among)"):
        read_network(source, nodes=pd.DataFrame({"name": ["a", "c"]}))


def test_a_node_table_with_duplicate_names(file):
    path = file("nodes.csv", "name,class\na,x\na,y\n")
    with pytest.raises(InputError, match=r"nodes\.csv: the node name 'a' occurs 2 times"):
        read_network(MATRIX[:2, :2], nodes=path)


def test_a_node_table_that_cannot_be_read(tmp_path, file):
    with pytest.raises(InputError, match=r"nodes\.csv: there is no such file"):
        read_network(MATRIX, nodes=tmp_path / "nodes.csv")
    with pytest.raises(InputError, match=r"suffix '\.xlsx' is not that of a node table; \.csv"):
        read_network(MATRIX, nodes=tmp_path / "nodes.xlsx")
    with pytest.raises(InputError, match=r"nodes\.csv: the network is empty"):
        read_network(MATRIX, nodes=file("nodes.csv", "name,class\n"))


# --- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".csv", ".tsv", ".gml", ".graphml"])
def test_a_file_that_is_not_there(tmp_path, suffix):
    with pytest.raises(InputError, match=rf"net\{suffix}: there is no such file$"):
        read_network(tmp_path / f"net{suffix}")


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".csv", ".tsv", ".gml", ".graphml"])
def test_a_file_that_is_corrupt(tmp_path, suffix):
    path = tmp_path / f"net{suffix}"
    path.write_bytes(b'\xff\xfe"<graph [ nonsense')
    with pytest.raises(InputError, match=rf"net\{suffix}: cannot be read as a \{suffix} file \(.+"):
        read_network(path)
    path.write_bytes(b"")
    with pytest.raises(InputError, match=rf"net\{suffix}: "):
        read_network(path)


def test_a_folder(tmp_path):
    (tmp_path / "net.csv").mkdir()
    with pytest.raises(InputError, match=r"net\.csv: cannot be read as a \.csv file"):
        read_network(tmp_path / "net.csv")


@pytest.mark.parametrize("name", ["net.xlsx", "net"])
def test_an_unknown_suffix(tmp_path, name):
    with pytest.raises(InputError, match=r"is not that of a network file; \.npy, .*\.graphml can"):
        read_network(tmp_path / name)


def test_an_object_that_is_no_network():
    with pytest.raises(InputError, match="an object of type int; give the path of a file"):
        read_network(3)


def test_nothing_is_unpickled(tmp_path):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    for suffix in (".npy", ".npz"):
        path = tmp_path / f"net{suffix}"
        path.write_bytes(pickle.dumps(Trap()))
        with pytest.raises(InputError, match="cannot be read as"):
            read_network(path)
    np.save(tmp_path / "object.npy", np.array([[Trap()]]), allow_pickle=True)
    with pytest.raises(InputError, match=r"object\.npy: cannot be read as"):
        read_network(tmp_path / "object.npy")
    assert not (tmp_path / "sprung").exists()


def test_an_archive_that_is_called_npy(tmp_path):
    with (tmp_path / "net.npy").open("wb") as stream:
        np.savez(stream, MATRIX)
    with pytest.raises(InputError, match=r"net\.npy: holds an archive of arrays"):
        read_network(tmp_path / "net.npy")


def test_a_matrix_file_that_is_not_square(tmp_path):
    np.save(tmp_path / "net.npy", np.zeros((2, 3)))
    with pytest.raises(InputError, match=r"net\.npy: the matrix has the shape 2 x 3; it must be"):
        read_network(tmp_path / "net.npy")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (",a,b\na,0,1\n", "neither an edge list, .* nor a labelled matrix, .* 1 x 2 cells"),
        (",a,b\na,0,1\nc,1,0\n", "neither an edge list"),
        ("0,1,0,1\n1,0,0,1\n", "neither an edge list"),
        ("source\ntarget\n", "neither .* cells are separated by commas, tabs, semicolons"),
        ("", "the file is empty"),
        ("source,target,weight\n", "the network is empty; it needs at least two nodes"),
        ("source,target\na,b\nb,c,1\n", "line 3 has 3 cells, the first row has 2"),
        ("source,target,weight\na,,1\n", "the receiver of edge 1 has no name"),
        (
            "source,target,weight\na,b,-1\n",
            r"edge 1 \('a' -> 'b'\) has the weight -1, which",
        ),
        ("source,target,weight\na,b,1.5\n", "weight 1.5, which is not a whole number"),
        ("source,target,weight\na,b,nan\n", "weight nan, which is not finite"),
        ("source,target,weight\na,b,inf\n", "weight inf, which is not finite"),
        ("source,target,weight\na,b,2147483648\n", "which overflows Stan's int"),
        ("source,target,weight\na,b,x\n", "weight 'x', which is not a number"),
        ("source,target,weight,Weight\na,b,1,2\n", "there are two columns 'weight'"),
        ("source,source,target\na,b,c\n", "there are two columns 'source'"),
        ("left,right,synapses\na,b,1\n", "neither .* 'left, right, synapses' .* --source left"),
        (",a,b\na,0,\nb,1,0\n", "row 'a' and column 'b' has no weight .*write NaN or NA"),
        (",a,a\na,0,1\na,1,0\n", "the node name 'a' occurs 2 times"),
    ],
)
def test_a_table_that_cannot_be_used(file, text, message):
    with pytest.raises(InputError, match=rf"net\.csv: .*{message}"):
        read_network(file("net.csv", text))


def test_a_data_frame_that_is_neither():
    with pytest.raises(InputError, match=r"the table is neither .* 'a, b' and has 1 x 2"):
        read_network(pd.DataFrame({"a": [1], "b": [2]}))


def test_duplicate_names_in_graphs(file):
    with pytest.raises(InputError, match=r"g\.gml: the node name '1' occurs 2 times"):
        read_network(file("g.gml", NEWMAN.replace("51", "1")))
    with pytest.raises(InputError, match="networkx graph: the node name '1' occurs 2 times"):
        read_network(nx.Graph([(1, "1")]))


# --- open_network -------------------------------------------------------------------------------


def test_the_packaged_network_by_name():
    assert open_network("celegans").total_weight == 8_743
    assert open_network("celegans", Reading(parallel_edges="sum")).total_weight == 8_819
    assert open_network("celegans", Reading(directed=True, title="worm")).title == "worm"


@pytest.mark.parametrize("change", [{"directed": False}, {"nodes": "nodes.csv"}])
def test_what_the_packaged_network_is_not(change):
    with pytest.raises(InputError, match=r"celegans: .* take neither directed=False nor nodes"):
        open_network("celegans", Reading(**change))


def test_everything_else_is_read(tmp_path):
    save_edges(tmp_path / "e.csv", EDGES)
    network = open_network(
        tmp_path / "e.csv",
        Reading(
            directed=False, parallel_edges="first", nodes=pd.DataFrame({"name": NAMES}), title="t"
        ),
    )
    assert (network.title, network.directed, network.n_nodes) == ("t", False, 4)
    assert network.to_dense()[0, 1] == 2


# --- dyads that were not observed ---------------------------------------------------------------


@pytest.mark.parametrize("missing", ["nan", "NaN", "NA"])
def test_missing_cells_of_a_labelled_matrix_are_hidden(tmp_path, missing):
    (tmp_path / "m.csv").write_text(f",a,b\na,0,{missing}\nb,4,0\n")
    network = read_network(tmp_path / "m.csv")
    assert network.weight_of([0, 1], [1, 0]).tolist() == [-1, 4]
    # and they find their place where a node table has another order
    nodes = pd.DataFrame({"name": ["b", "c", "a"]})
    assert read_network(tmp_path / "m.csv", nodes=nodes).weight_of([2], [0]).tolist() == [-1]


def test_missing_cells_of_a_saved_array_are_hidden(tmp_path):
    np.save(tmp_path / "m.npy", [[0, np.nan], [4, 0]])
    network = read_network(tmp_path / "m.npy")
    assert network.weight_of([0, 1], [1, 0]).tolist() == [-1, 4]


def test_listed_dyads_are_hidden_and_told_of(tmp_path):
    (tmp_path / "edges.csv").write_text("source,target\na,b\nb,c\n")
    (tmp_path / "hidden.csv").write_text("source,target\na,b\nc,a\n")
    network = open_network(tmp_path / "edges.csv", Reading(hidden=tmp_path / "hidden.csv"))
    assert network.weight_of([0, 2, 1], [1, 0, 2]).tolist() == [-1, -1, 1]
    assert network.notes[-1] == "hidden.csv: 2 dyads not observed."
