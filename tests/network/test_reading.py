"""What people bring: files of other programs are read as they mean, or refused with a way out."""

import gzip
import io
import re
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from scipy import io as scipy_io
from scipy import sparse

from lsm_stan import (
    InputError,
    LatentSpaceModel,
    Network,
    check_priors,
    compare,
    describe,
    describe_result,
    judge,
    loo,
    loo_table,
    make_report,
    predict,
    predictive_checks,
    read_network,
    select,
    simulate,
)
from lsm_stan.network.headers import find_ends, weight_names, words
from lsm_stan.network.readers import open_network
from lsm_stan.network.reading import Reading
from lsm_stan.network.text_files import write_table
from lsm_stan.prediction.holdout import hold_out


@pytest.fixture
def file(tmp_path):
    """Write text to a file of the given name and return its path."""

    def write(name, text):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def edges(network):
    frame = network.edge_frame()
    return [tuple(row) for row in frame.itertuples(index=False)]


RING = [("ann", "bob", 3), ("bob", "cat", 1), ("cat", "ann", 2), ("cat", "dan", 4)]
NUMBERED = [("1", "2", 3), ("2", "3", 1), ("3", "1", 2), ("3", "4", 4)]
NETZ = [("0", "1", 5), ("0", "2", 2), ("1", "3", 1), ("2", "3", 7), ("3", "4", 1)]
HINT = "--undirected"


def ones(listed):
    return [(a, b, 1) for a, b, _ in listed]


def rows(listed, mark=",", weights=True):
    return "".join(mark.join(map(str, row if weights else row[:2])) + "\n" for row in listed)


# --- headers, comments, delimiters --------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("netz2.csv", "# source, target\n" + rows(NETZ, ", ", weights=False), ones(NETZ)),
        ("plain.csv", "#source,target\n" + rows(NETZ, weights=False), ones(NETZ)),
        ("percent.csv", "% source,target\n" + rows(NETZ, weights=False), ones(NETZ)),
        ("slashes.csv", "// source,target\n" + rows(NETZ, weights=False), ones(NETZ)),
        ("two.csv", "# from a friend\n# source,target\n" + rows(NETZ, weights=False), ones(NETZ)),
        ("netz_weight.csv", "# source, target, weight\n" + rows(NETZ, ", "), NETZ),
        ("r_v1v2.csv", '"V1","V2"\n' + rows(RING, weights=False), ones(RING)),
        ("r_v1v2v3.csv", '"V1","V2","V3"\n' + rows(RING), RING),
        ("ego_alter.csv", "ego,alter\n" + rows(RING, weights=False), ones(RING)),
        (
            "r_rownames_freq.csv",
            '"","from","to","Freq"\n'
            + "".join(f'"{k}","{a}","{b}",{w}\n' for k, (a, b, w) in enumerate(RING, 1)),
            RING,
        ),
        ("spaces.csv", rows(RING, " "), RING),
        ("spaces.txt", rows(RING, "   "), RING),
        ("semicolon.csv", "source;target;weight\n" + rows(RING, ";"), RING),
        ("tabs.txt", "source\ttarget\tweight\n" + rows(RING, "\t"), RING),
        ("commas.tsv", "source,target,weight\n" + rows(RING), RING),
        ("blank.csv", "source,target,weight\n" + rows(RING) + "   \n\n", RING),
        (
            "excel.csv",
            "source,target,weight,,\n" + rows((*row, "", "") for row in RING) + ",,,,\n",
            RING,
        ),
        ("old_mac.csv", ("source,target,weight\n" + rows(RING)).replace("\n", "\r"), RING),
        (
            "snap.txt",
            "# Directed graph (each unordered pair of nodes is saved once)\n# Nodes: 4 Edges: 4\n"
            "# FromNodeId\tToNodeId\n" + rows(NUMBERED, "\t", weights=False),
            ones(NUMBERED),
        ),
        ("data.edges", rows(NUMBERED, " "), NUMBERED),
        ("asym.tsv", "% asym weighted\n% 4 4 4\n" + rows(NUMBERED, " "), NUMBERED),
    ],
)
def test_tables_of_other_programs(file, name, text, expected):
    network = read_network(file(name, text))
    assert sorted(edges(network)) == sorted(expected)
    assert network.directed


def test_weights_as_the_header_says(file):
    """A layer is no weight; a note says that it is not used."""
    listed = [(a, b, k % 2) for k, (a, b, _) in enumerate(NETZ)]
    network = read_network(file("netz3.csv", "# source, target, layer\n" + rows(listed, ", ")))
    assert network.n_nodes == 5
    assert network.weight.tolist() == [1] * 5
    assert "Columns not used: layer." in network.notes


def test_konect_says_what_is_undirected(file):
    text = "% sym weighted\n% 4 4 4\n" + rows(NUMBERED, " ")
    for path in (file("out.friends", text), file("friends.tsv", text)):
        network = read_network(path)
        assert not network.directed
        assert network.total_weight == 10
        assert network.title == "friends"
    times = file("out.times", "% asym positive\n1 2 1 1289241911\n2 3 1 1289241942\n")
    assert read_network(times).weight.tolist() == [1, 1]
    with pytest.raises(InputError, match=r"network of two sets.*different names.*--bipartite"):
        read_network(file("out.events", "% bip unweighted\n1 1\n2 1\n"))


def test_snap_says_what_is_undirected(file):
    text = "# Undirected graph: dblp\n# FromNodeId\tToNodeId\n1\t2\n2\t3\n"
    assert not read_network(file("dblp.txt", text)).directed


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz"])
def test_compressed_files(tmp_path, suffix):
    import bz2
    import lzma

    pack = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}[suffix]
    text = "source,target,weight\n" + rows(RING)
    (tmp_path / f"ring.csv{suffix}").write_bytes(pack(text.encode()))
    network = read_network(tmp_path / f"ring.csv{suffix}")
    assert sorted(edges(network)) == sorted(RING)
    assert network.title == "ring"
    buffer = io.BytesIO()
    nx.write_graphml(nx.path_graph(3), buffer)
    (tmp_path / f"path.graphml{suffix}").write_bytes(pack(buffer.getvalue()))
    assert read_network(tmp_path / f"path.graphml{suffix}").n_edges == 2


def test_utf_16_with_its_mark_is_read(tmp_path):
    (tmp_path / "e.csv").write_bytes("source\ttarget\né\tb\nb\tc\n".encode("utf-16"))
    assert read_network(tmp_path / "e.csv").names == ("é", "b", "c")


def test_latin_1_is_refused_with_what_to_do(tmp_path):
    (tmp_path / "e.csv").write_bytes("source,target\nmüller,b\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"line 2 has the byte 0xfc.*iconv -f latin1 -t utf-8"):
        read_network(tmp_path / "e.csv")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "ann,bob\ncat,dan\n",
            "ann, bob, may be .*--header or --no-header.*--source ann --target bob",
        ),
        ("u,v\nv,w\n", "rows below have nodes of such names; say --header or --no-header"),
        ("6,2,4,1289241911\n6,5,2,1289241941\n", "say --no-header, and --weight 3"),
        ("quelle;ziel;gewicht\na;b;3\n", "--source quelle --target ziel"),
        ("person,friend\n1,2\n3,4\n", "--source person --target friend"),
        ("0,1,0\n1,0,1\n0,1,0\n", "a matrix of 3 x 3 cells without names.*say --no-header"),
        ("0,1,0,1\n1,0,0,1\n0,0,0,1\n1,1,0,0\n", "a matrix of 4 x 4 cells without names"),
        ("#1,b,3\nb,c,4\n", "begins with a mark of comments"),
        ("# cell, muscle, layer\na,b,1\n", "--source cell --target muscle"),
        ("a;b;1,5\nb;c;2,0\n", "separated by commas or by semicolons"),
        ("source_id,target_id,source_x,target_x\na,b,1,2\n", "--source source_id --target"),
        ('source,target,weight\na,b,"1,204"\n', "'1,204', which is not a number .*separators"),
        ("source,target,weight\na,b,NA\n", "leave the cell empty for weight 1; --hidden lists"),
    ],
)
def test_what_may_mean_two_things_is_refused_with_the_way_out(file, text, words):
    with pytest.raises(InputError, match=rf"e\.csv: .*{words}"):
        read_network(file("e.csv", text))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        # names of nodes that look like numbered columns
        ("site_1,site_2\nsite_2,site_3\n", "--header or --no-header"),
        ("node1,node2\nnode3,node4\n", "--header or --no-header"),
        ("site_1,site_2,3\nsite_2,site_3,1\n", "--header or --no-header"),
        ("site1,site2\nlake3,lake4\n", "--header or --no-header"),
        ("source,target\ntarget,b\n", "--header or --no-header"),
        ("A1,A2\nB1,B2\n", "--header or --no-header"),
        # the third of a series, measures, codes, and no first columns: none are ends
        ("friend1,friend2,friend3\na,b,c\nb,c,a\n", "write a row for each pair"),
        ("node1,node2,node3\na,b,c\nb,c,a\n", "write a row for each pair"),
        ("year1,year2\n2001,2002\n", "--source year1 --target year2"),
        ("name,wave1,wave2\na,3,4\nb,1,2\n", "neither an edge list"),
        ("count_a,count_b\n3,4\n1,2\n", "neither an edge list"),
        (
            "kind,clan1,clan2\nx,a,b\n",
            "if clan1 and clan2 are the ends of edges, say --source clan1",
        ),
        ("id1,name1,id2,name2\n1,a,2,b\n", "may be in the columns id1, id2 or in name1, name2"),
    ],
)
def test_numbered_columns_are_not_always_ends(file, text, words):
    with pytest.raises(InputError, match=rf"e\.csv: .*{words}"):
        read_network(file("e.csv", text))


@pytest.mark.parametrize(
    "text",
    ["site_1,site_2,weight\nsite_2,site_3,1\n", "person1,person2\nann1,bob2\n", "V1,V2\na1,b2\n"],
)
def test_numbered_nodes_below_a_header(file, text):
    assert read_network(file("e.csv", text)).n_edges == 1


def test_numbered_nodes_of_a_list_of_hidden_dyads_are_no_header(file):
    path = file("e.csv", "source,target\nsite_1,site_2\nsite_2,site_3\n")
    hidden = file("h.csv", "site_1,site_3\nsite_3,site_1\n")
    assert read_network(path, hidden=hidden).n_hidden == 2


def test_seconds_are_no_weights(file):
    path = file("messages.txt", "1 2 1082040961\n2 3 1082155839\n")
    with pytest.raises(InputError, match=r"'3' has numbers; .*--weight 3, or take --weight none"):
        read_network(path)
    assert read_network(path, weight="none").weight.tolist() == [1, 1]
    assert read_network(path, weight="3").total_weight == 1082040961 + 1082155839


@pytest.mark.parametrize("comment", ["# b,c", "#b,c", "%b,c", "# that is all", "#", "#;,"])
@pytest.mark.parametrize("name", ["e.csv", "e.csv.gz"])
def test_a_comment_below_the_first_row_is_none_of_the_rows(tmp_path, comment, name):
    text = f"source,target\na,b\n{comment}\nb,d\n".encode()
    (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    network = read_network(tmp_path / name)
    assert edges(network) == [("a", "b", 1), ("b", "d", 1)]
    note = "1 line begins with a mark of comments below the first row: not read"
    row = (
        f" ({comment.replace(',', ', ')})" if comment.endswith("b,c") and " " not in comment else ""
    )
    assert f"{note}{row}." in network.notes


def test_comments_below_the_first_row_of_any_table(file):
    matrix = file("m.csv", ",a,b\n# of May\na,0,3\n# of June\nb,1,0\n")
    assert edges(read_network(matrix)) == [("a", "b", 3), ("b", "a", 1)]
    blanks = file("e.txt", "1 2 3\n  # the rest: \n2 3 1\n%\n")
    assert edges(read_network(blanks)) == [("1", "2", 3), ("2", "3", 1)]
    nodes = file("nodes.csv", "name,x\na,1\n# c is left out\nb,2\n")
    assert read_network(matrix, nodes=nodes).node_table["x"].tolist() == [1, 2]
    with pytest.raises(InputError, match="line 5 has 3 cells, the first row has 2"):
        read_network(file("long.csv", "source,target\na,b\n# x\n# y\na,b,c\n"))


@pytest.mark.parametrize(
    "text",
    [
        "source,target\n#1,#2\n#2,#3\na,#1\n",
        "tag,person\n#cats,ann\n#cats,bob\ndogs,ann\n",
        ",#1,b\n#1,0,3\nb,1,0\n",
    ],
)
def test_a_node_that_looks_like_a_comment_is_asked_about(file, text):
    how = {"source": "tag", "target": "person"} if text.startswith("tag") else {}
    with pytest.raises(InputError, match=r'the row #.* write it in quotes: "#.*blank after'):
        read_network(file("e.csv", text), **how)
    quoted = read_network(file("e.csv", re.sub(r"(#\w+)", r'"\1"', text)), **how)
    assert any(name.startswith("#") for name in quoted.names)
    assert not any("mark of comments" in note for note in quoted.notes)


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("source,target\n#1,a\na,b\nb,c\n", "#1, a"),
        ("source,target,weight\na,b,3\n%x,b,1\n", "%x, b"),
        ("source\ttarget\na\tb\n#tag\ta\n", "#tag, a"),
        ("a b 3\nb a 1\n  #c a 2\n", "#c, a"),
        ("a,b\nb,a\n# 1,b\nb,# 1\n", "# 1, b"),
        ("#1,a\n# of May\na,b\nb,a\n", "#1, a"),
        ("//1,a\n# of May\na,b\nb,a\n", "//1, a"),
        ("#1,a\n#2,a\na,b\nb,a\n", "#2, a"),
        ("a,b\nb,a\n##1,b\n", "##1, b"),
    ],
)
def test_a_row_does_not_vanish_as_a_comment(file, text, row):
    """A node called #1 is not mistaken for a row that was commented out, whose node is known."""
    with pytest.raises(InputError, match=f"the row {row}[, ].*write it in quotes"):
        read_network(file("e.csv", text))


@pytest.mark.parametrize(
    "text", ['"#1",a\na,b\nb,"#1"\n', 'source,target\na,b\n "#1",a\nb,"#1"\n', "a,b\na,#1\nb,a\n"]
)
def test_a_name_with_a_mark_that_begins_no_line_is_kept(file, text):
    assert "#1" in read_network(file("e.csv", text)).names


def test_a_line_within_quotes_is_no_comment(file):
    path = file("e.csv", 'source,target,words\na,b,"first\n# second"\nb,c,x\n')
    assert edges(read_network(path)) == [("a", "b", 1), ("b", "c", 1)]


def test_marks_in_tables_beside_a_network(file):
    path = file("e.csv", 'source,target\n"#1",b\nb,c\n')
    for what in ("nodes", "hidden", "dyads"):
        beside = {
            "nodes": "name,x\n#1,1\nb,2\nc,3\n",
            "hidden": "source,target\nb,c\n#1,c\n",
            "dyads": "source,target,x\nb,c,1\n#1,c,2\n",
        }[what]
        with pytest.raises(InputError, match=r"the row #1, .* write it in quotes"):
            read_network(path, **{what: file(f"{what}.csv", beside)})
        kept = read_network(path, **{what: file("q.csv", beside.replace("#1", '"#1"'))})
        assert kept.names == ("#1", "b", "c")


def test_a_table_is_written_as_it_is_read(tmp_path):
    frame = pd.DataFrame({"source": ["#1", "a"], "target": ["a", "%2"], "weight": [3, 4]})
    write_table(frame, tmp_path / "e.csv")
    assert edges(read_network(tmp_path / "e.csv")) == [("#1", "a", 3), ("a", "%2", 4)]


def test_a_sparse_vector_is_no_network():
    with pytest.raises(InputError, match=r"dimensions; a matrix has two|must be square"):
        read_network(sparse.coo_array(np.arange(4)))


def test_the_user_says_whether_there_is_a_header(file):
    path = file("e.csv", "u,v\nv,w\n")
    assert read_network(path, header=True).names == ("v", "w")
    assert read_network(path, header=False).names == ("u", "v", "w")
    wide = file("bitcoin.csv", "6,2,4,1289241911\n6,5,2,1289241941\n1,15,1,1289243140\n")
    with pytest.raises(InputError, match=r"'3' and '4' have numbers; .*--weight 3"):
        read_network(wide, header=False)
    network = read_network(wide, header=False, weight="3")
    assert edges(network) == [("6", "2", 4), ("6", "5", 2), ("1", "15", 1)]
    swapped = read_network(wide, header=False, source="2", target="1", weight="3")
    assert edges(swapped)[0] == ("2", "6", 4)


# --- names of columns ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header",
    [
        "u,v", "origin,destination", "pre_root_id,post_root_id", "bodyId_pre,bodyId_post",
        "presynaptic,postsynaptic", "tail,head", "node1,node2", "id1,id2", "FromNodeId,ToNodeId",
        "SOURCE,TARGET", "Ego,Alter", "pre_pt_root_id,post_pt_root_id", "Neuron 1,Neuron 2",
        "src,dst", "source node,target node", "sender_id,receiver_id", "protein1,protein2", "V1,V2",
        "from.id,to.id", "node_i,node_j", "exporter,importer", "person1,person2",
        "from_site,to_site", "site.from,site.to", "first_author,second_author",
        "node0,node1", "person_one,person_two",
    ],
)  # fmt: skip
def test_usual_names_of_ends(file, header):
    sender, receiver = header.split(",")
    text = f"kind,{receiver},{sender},weight\nx,b,a,2\ny,c,b,3\n"
    assert edges(read_network(file("e.csv", text))) == [("a", "b", 2), ("b", "c", 3)]
    frame = pd.read_csv(io.StringIO(text))
    assert edges(read_network(frame)) == [("a", "b", 2), ("b", "c", 3)]


@pytest.mark.parametrize(
    "header",
    [
        "family1,family2", "site_1,site_2", "1_family,2_family", "Village A,Village B",
        "familyA,familyB", "house_i,house_j", "clan 1,clan 2", "level_0,level_1",
    ],
)  # fmt: skip
def test_two_columns_of_any_word_are_ends_if_they_are_the_first(file, header):
    one, two = header.split(",")
    for text in (
        f"{one},{two},weight\na,b,2\nb,c,3\n",
        f"{two},{one},weight\nb,a,2\nc,b,3\n",
        f",{one},{two},weight\n1,a,b,2\n2,b,c,3\n",
    ):
        assert edges(read_network(file("e.csv", text))) == [("a", "b", 2), ("b", "c", 3)]
        frame = pd.read_csv(io.StringIO(text), index_col=0 if text[0] == "," else None)
        assert edges(read_network(frame)) == [("a", "b", 2), ("b", "c", 3)]


#: Weights as programs call them.
OF_WEIGHTS = [
    "syn_count", "n_synapses", "synapses", "weights", "n", "freq", "contacts", "size", "trips",
    "Weight", "COUNT", "value", "Freq", "edge_weight", "number of synapses", "nSynapses",
    "N", "Nbr",
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "route"),
    [
        (name, route)
        for route in ("table", "frame", "graph", "graphml", "gml")
        for name in OF_WEIGHTS
        if route != "gml" or name.isalnum()  # as GML's keys are
    ],
)
def test_usual_names_of_weights(tmp_path, name, route):
    frame = pd.DataFrame({"source": ["a", "b"], "target": ["b", "c"], name: [3, 7]})
    graph = nx.Graph([("a", "b", {name: 3}), ("b", "c", {name: 7})])
    source = {"frame": frame, "graph": graph}.get(route, tmp_path / f"net.{route}")
    if route == "table":
        source = tmp_path / "net.csv"
        frame.to_csv(source, index=False)
    elif route == "graphml":
        nx.write_graphml(graph, source)
    elif route == "gml":
        nx.write_gml(graph, source)
    network = read_network(source)
    assert network.weight.tolist() == [3, 7]
    said = any("Weights are in the" in note and name in note for note in network.notes)
    assert said == (name.lower() != "weight")


@pytest.mark.parametrize("route", ["table", "frame", "graph", "graphml"])
def test_numbers_that_may_be_weights_are_asked_about(tmp_path, route):
    frame = pd.DataFrame({"source": ["a", "b"], "target": ["b", "c"], "strong": [3, 7]})
    graph = nx.DiGraph([("a", "b", {"strong": 3}), ("b", "c", {"strong": 7})])
    source = {"frame": frame, "graph": graph}.get(route)
    if route == "table":
        source = tmp_path / "net.csv"
        frame.to_csv(source, index=False)
    elif route == "graphml":
        source = tmp_path / "net.graphml"
        nx.write_graphml(graph, source)
    with pytest.raises(InputError, match=r"'strong' has numbers; .*--weight strong.*--weight none"):
        read_network(source)
    assert read_network(source, weight="strong").weight.tolist() == [3, 7]
    assert read_network(source, weight="STRONG").weight.tolist() == [3, 7]
    assert read_network(source, weight="none").weight.tolist() == [1, 1]
    assert read_network(source, binary=True).weight.tolist() == [1, 1]
    with pytest.raises(InputError, match=r"there is no (column|edge attribute) 'weak'; .*strong"):
        read_network(source, weight="weak")


def test_two_names_of_weights_are_asked_about(file):
    path = file("e.csv", "source,target,syn_count,size\na,b,3,9\nb,c,7,9\n")
    with pytest.raises(InputError, match="'syn_count' and 'size' may be weights"):
        read_network(path)
    assert read_network(path, weight="size").weight.tolist() == [9, 9]


#: Edges of which one has one attribute, one another.
MIXED = [("weight", "count"), ("weight", "Weights"), ("value", "count"), ("n", "strong")]


@pytest.mark.parametrize("route", ["table", "graph", "graphml", "gml"])
@pytest.mark.parametrize(("first", "second"), MIXED)
def test_weights_under_two_names_are_asked_about(tmp_path, route, first, second):
    graph = nx.DiGraph([("ann", "bob", {first: 3}), ("bob", "cat", {second: 4})])
    source = graph if route == "graph" else tmp_path / f"net.{route}"
    if route == "table":
        source = tmp_path / "net.csv"
        nx.to_pandas_edgelist(graph).to_csv(source, index=False)
    elif route == "graphml":
        nx.write_graphml(graph, source)
    elif route == "gml":
        nx.write_gml(graph, source)
    with pytest.raises(InputError, match=rf"1 edge without '{first}' has '{second}', .*--weight"):
        read_network(source)
    assert read_network(source, weight=first).weight.tolist() == [3, 1]
    assert read_network(source, weight=second).weight.tolist() == [1, 4]


def test_other_facts_beside_a_missing_weight_are_no_weights(file):
    path = file("e.csv", "source,target,weight,distance,year\na,b,3,7,2001\nb,c,,7,2002\n")
    assert read_network(path).weight.tolist() == [3, 1]
    words = file("w.csv", "source,target,weight,mood\na,b,3,\nb,c,,good\n")
    assert read_network(words).weight.tolist() == [3, 1]


@pytest.mark.parametrize("value", [{"a": 1}, [3], (3, 4), {3}, np.array([3]), object])
def test_an_attribute_that_is_no_number_is_named(value):
    graph = nx.DiGraph([("ann", "bob", {"Weight": 3}), ("bob", "cat", {"Weight": value})])
    with pytest.raises(
        InputError,
        match=r"edge 2 \('bob' -> 'cat'\) has the edge attribute 'Weight' .*not a number",
    ):
        read_network(graph)
    assert read_network(graph, weight="none").weight.tolist() == [1, 1]
    graph = nx.DiGraph([("ann", "bob", {"facts": value}), ("bob", "cat", {})])
    assert "Edge attributes not used: facts." in read_network(graph).notes


# --- numbers as people write them ---------------------------------------------------------------


def test_a_point_that_may_be_of_thousands_is_told(file):
    network = read_network(file("eu.csv", "source,target,weight\na,b,1.000\nb,c,12.000\n"))
    assert network.weight.tolist() == [1, 12]
    assert "weight: 1.000 is read as 1; write thousands without a point." in network.notes
    for plain in ("1.0", "1.00", "1000", "1.0000"):
        text = f"source,target,weight\na,b,{plain}\nb,c,12\n"
        assert not any("thousands" in note for note in read_network(file("p.csv", text)).notes)


def test_decimal_commas(file):
    bom = "\ufeff"
    text = bom + "ego;alter;weight;nähe\r\nann;bob;3,0;0,5\r\nbob;cat;1200,00;1,5\r\n"
    network = read_network(file("excel.csv", text))
    assert edges(network) == [("ann", "bob", 3), ("bob", "cat", 1200)]
    assert "Decimal commas are read as points: weight, nähe." in network.notes
    trade = "reporter;partner;year;value\nDEU;FRA;2019;1200,0\nFRA;DEU;2019;1,5e6\n"
    assert read_network(file("trade.csv", trade)).weight.tolist() == [1200, 1_500_000]
    matrix = file("m.csv", ";a;b\na;0,0;3,0\nb;1,0;0,0\n")
    assert edges(read_network(matrix)) == [("a", "b", 3), ("b", "a", 1)]
    for value in ("1,204", "1.204,0", "1,204.5", "1 204"):
        with pytest.raises(InputError, match=r"which is not a number .*without separators"):
            read_network(file("e.csv", f'source;target;weight\nann;bob;"{value}"\nbob;cat;3\n'))
    points = file("p.csv", "source;target;weight\nann;bob;3,5\nbob;cat;1.000\n")
    with pytest.raises(InputError, match="'3,5', which is not a number"):
        read_network(points)
    other = file("o.csv", "source;target;stark\nann;bob;1,204\nbob;cat;2,408\n")
    with pytest.raises(InputError, match=r"'stark' has numbers; .*--weight stark"):
        read_network(other)


@pytest.mark.parametrize("value", ["1200.0", "1.2e3", "12E2", "1200"])
def test_floats_that_are_whole_numbers_are_weights(file, value):
    path = file("trade.csv", f"reporter,partner,value\nDEU,FRA,{value}\nFRA,DEU,7.0\n")
    assert read_network(path).weight.tolist() == [1200, 7]


def test_fractions_are_refused_with_the_way_out(file):
    with pytest.raises(InputError, match=r"1.25, which is not a whole number \(round it, or"):
        read_network(file("flows.csv", "from,to,flow\na,b,1.25\nb,c,2\n"))
    with pytest.raises(InputError, match=r"0.25, which is not a whole number .*smaller unit"):
        read_network(np.array([[0, 0.25], [1, 0]]))


def test_words_of_other_alphabets():
    assert [words(name) for name in ("Nähe", "GrößeAlt", "число", "łódź_id")] == [
        ("nähe",), ("größe", "alt"), ("число",), ("łódź", "id"),
    ]  # fmt: skip
    assert weight_names(["Nähe", "Größe"], "t") == []


@pytest.mark.parametrize("blank", ["", "-", "–", ".", "NA"])
def test_a_matrix_without_a_diagonal(file, blank):
    path = file("m.csv", f";A;B;C\nA;{blank};1;0\nB;1;{blank};2\nC;0;2;{blank}\n")
    network = read_network(path, directed=False)
    assert edges(network) == [("A", "B", 1), ("B", "C", 2)]
    assert network.n_hidden == 0
    assert "3 diagonal cells NaN: read as 0." in network.notes


# --- what disciplines bring ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "pre_root_id,post_root_id,neuropil,syn_count,nt_type\n"
            "720575940600000001,720575940600000002,AL_R,5,ACH\n"
            "720575940600000001,720575940600000002,LH_R,7,ACH\n"
            "720575940600000002,720575940600000003,FB,9,GABA\n",
            [("720575940600000001", "720575940600000002", 12),
             ("720575940600000002", "720575940600000003", 9)],
        ),
        ("bodyId_pre,bodyId_post,weight\n1,2,11\n2,1,3\n", [("1", "2", 11), ("2", "1", 3)]),
        ("predator,prey,count\nfox,hare,3\n", [("fox", "hare", 3)]),
        ("plant,pollinator,visits\na,b,3\n", [("a", "b", 3)]),
        ("consumer,resource,abundance\na,b,3\n", "'abundance' has numbers"),
        ("lender,borrower,volume\na,b,3\n", [("a", "b", 3)]),
        ("ORIGIN,DEST,PASSENGERS,DISTANCE\nJFK,LAX,10.00,2475.00\n", [("JFK", "LAX", 10)]),
        ("iso_o,iso_d,year,tradeflow,dist\nDEU,FRA,2019,12,878\n", "'tradeflow' and 'dist' have"),
        ("t,i,j,k,v,q\n2019,4,12,10190,3,1\n", "'k', 'v' and 'q' have numbers"),
        ("site,sp1,sp2,sp3\ns1,1,0,3\ns2,0,4,1\n", "columns are a second set of nodes"),
        ("a b {'weight': 3}\nb c {'weight': 4}\n", "write_weighted_edgelist"),
        ("31220,1558,1567,3B,3B\n31220,1560,1570,3B,3B\n", "--no-header.*--source and --target"),
        ("id,friend1,friend2,friend3\n1,2,3,\n2,1,,\n", "a row for each pair of nodes"),
        ('"source";"target";"weight"\r\n"Müller; A";"Bea";"3"\r\n', [("Müller; A", "Bea", 3)]),
    ],
)  # fmt: skip
def test_what_disciplines_bring(file, text, expected):
    if isinstance(expected, str):
        with pytest.raises(InputError, match=expected):
            read_network(file("e.csv", text))
    else:
        assert edges(read_network(file("e.csv", text))) == expected


@pytest.mark.parametrize("rounded", ["7.20576E+17", "7.205759406253639e+17", 7.205759406253639e17])
def test_long_numbers_that_were_rounded_are_no_names(file, rounded):
    """A spreadsheet shows so, and a float has so, the ids of neurons."""
    frame = pd.DataFrame({"pre_id": [rounded, "1"], "post_id": ["1", rounded], "weight": [1, 2]})
    for source in (frame, file("e.csv", frame.to_csv(index=False))):
        with pytest.raises(InputError, match=r"edge 1 names the node 7\.2.*rounded.*as text"):
            read_network(source)
    exact = pd.DataFrame({"pre_id": [720575940625363947], "post_id": [720575940623224444]})
    assert read_network(exact).names == ("720575940625363947", "720575940623224444")


@pytest.mark.parametrize(("yes", "no"), [("TRUE", "FALSE"), ("yes", "no"), (True, False)])
def test_rows_that_are_no_edges_are_told_of(yes, no):
    frame = pd.DataFrame({"source": ["a", "b"], "target": ["b", "c"], "tie": [yes, no]})
    network = read_network(frame)
    note = f"The column 'tie' is {no} in 1 row, and these are edges all the same: --where tie={yes}"
    assert any(text.startswith(note) for text in network.notes)
    kept = read_network(frame, where=[f"tie={yes}"])
    assert edges(kept) == [("a", "b", 1)]
    assert not any("all the same" in text for text in kept.notes)


def test_lists_of_neighbours_are_refused_with_the_way_out(file):
    with pytest.raises(InputError, match=r"line 2 has 2 cells.*has to be a line for each"):
        read_network(file("adjacency.txt", "1 2 3 4\n2 3\n"))


def test_a_list_of_two_sets_is_told_of(file):
    path = file("web.csv", "plant,pollinator,n\nRosa,Bombus,3\nRosa,Apis,5\nSalvia,Apis,7\n")
    note = "No node is at both ends of edges"
    network = read_network(path)
    assert sum(text.startswith(note) and "--bipartite" in text for text in network.notes) == 1
    assert not hinted(network), "one hint is enough"
    nodes = file("n.csv", "name,bipartite\nRosa,0\nSalvia,0\nBombus,1\nApis,1\n")
    sets = read_network(path, nodes=nodes, directed=False)
    assert sets.n_hidden == 2
    assert not any(text.startswith(note) for text in sets.notes)
    one = file("one.csv", "plant,pollinator,n\nRosa,Bombus,3\nBombus,Apis,5\nSalvia,Apis,7\n")
    assert not any(text.startswith(note) for text in read_network(one).notes)


INCIDENCE = np.array([[3, 5, 0], [0, 7, 1]])


def incidence(names: bool = True) -> list[tuple[str, str, int]]:
    rows = ("Rosa", "Salvia") if names else ("row 1", "row 2")
    columns = ("Bombus", "Apis", "Osmia") if names else ("column 1", "column 2", "column 3")
    i, j = np.nonzero(INCIDENCE)
    return [(rows[a], columns[b], int(INCIDENCE[a, b])) for a, b in zip(i, j, strict=True)]


def two_sets(network, names=True):
    """Ensure that a network is that of `INCIDENCE`, and its dyads are those between the sets."""
    assert not network.directed
    assert edges(network) == incidence(names)
    assert network.node_table["bipartite"].tolist() == [0, 0, 1, 1, 1]
    assert network.n_observed == 6
    assert network.n_hidden == 1 + 3


def test_two_sets_from_edge_lists_and_incidence_matrices(file):
    listed = "plant,pollinator,n\nRosa,Bombus,3\nRosa,Apis,5\nSalvia,Apis,7\nSalvia,Osmia,1\n"
    cornered = "plant,Bombus,Apis,Osmia\nRosa,3,5,0\nSalvia,0,7,1\n"
    blank = cornered.replace("plant", "")
    frame = pd.DataFrame(INCIDENCE, ["Rosa", "Salvia"], ["Bombus", "Apis", "Osmia"])
    columns = pd.DataFrame(incidence(), columns=["plant", "pollinator", "n"])
    nodes = file("nodes.csv", "name,group\nRosa,x\nSalvia,x\nBombus,y\nApis,y\nOsmia,z\n")
    for source in (
        *(file(f"{k}.csv", text) for k, text in enumerate((listed, cornered, blank))),
        *(frame, columns, columns.rename(columns={"plant": "source", "pollinator": "target"})),
    ):
        two_sets(read_network(source, bipartite=True))
        known = read_network(source, bipartite=True, nodes=nodes)
        two_sets(known)
        assert known.node_table["group"].tolist() == list("xxyyz")
    for matrix in (INCIDENCE, sparse.csr_array(INCIDENCE)):
        two_sets(read_network(matrix, bipartite=True), names=False)


def test_an_incidence_matrix_may_be_square_and_have_unobserved_cells():
    frame = pd.DataFrame([[1.0, np.nan], [0.0, 2.0]], ["a", "b"], ["x", "y"])
    network = read_network(frame, bipartite=True)
    assert edges(network) == [("a", "x", 1), ("b", "y", 2)]
    assert network.n_observed == 3
    assert network.n_hidden == 2 + 1


def test_a_network_of_two_sets_comes_back_as_it_is_saved(tmp_path):
    network = read_network(pd.DataFrame(INCIDENCE, list("ab"), list("xyz")), bipartite=True)
    network.edge_frame().to_csv(tmp_path / "edges.csv", index=False)
    network.node_frame().to_csv(tmp_path / "nodes.csv", index=False)
    again = read_network(tmp_path / "edges.csv", nodes=tmp_path / "nodes.csv", directed=False)
    assert again.digest == network.digest


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("source,target\na,x\nx,b\n", {}, "node 'x' is in both sets"),
        ("source,target\na,x\n", {"directed": True}, "--directed cannot be used"),
        (",a,b\na,0,1\nb,1,0\n", {}, "node 'a' is in both sets"),
    ],
)
def test_what_is_not_of_two_sets_is_refused(file, text, options, words):
    with pytest.raises(InputError, match=words):
        read_network(file("edges.csv", text), bipartite=True, **options)


def test_nodes_of_no_set_and_graphs_without_sets_are_refused(file):
    nodes = file("nodes.csv", "name\na\nx\nlonely\n")
    listed = pd.DataFrame({"source": ["a"], "target": ["x"]})
    with pytest.raises(InputError, match=r"node 'lonely' .* none of the two sets; .*bipartite"):
        read_network(listed, nodes=nodes, bipartite=True)
    with pytest.raises(InputError, match="node attribute bipartite of 0 or 1; it has none"):
        read_network(nx.Graph([("a", "x")]), bipartite=True)


# --- data frames --------------------------------------------------------------------------------


def test_ends_in_the_index_of_a_frame():
    frame = pd.DataFrame(RING, columns=["pre", "post", "n"])
    for wide in (
        frame.set_index(["pre", "post"]),
        frame.set_index(["post", "pre"]),
        frame.set_index("pre"),
        frame.groupby(["pre", "post"])[["n"]].sum(),
        frame.assign(year=2001).set_index(["year", "pre", "post"]),
        frame.set_index(pd.Index([5, 6, 7, 8], name="row")),
    ):
        assert sorted(edges(read_network(wide))) == sorted(RING)
    unnamed = frame.set_index(["pre", "post"]).rename_axis([None, None])
    network = read_network(unnamed)
    assert edges(network) == RING
    assert "The two levels of the index are the ends of edges." in network.notes
    named = frame.set_axis(["jäger", "beute", "n"], axis=1).set_index(["jäger", "beute"])
    assert edges(read_network(named)) == RING
    swapped = read_network(named, source="beute", target="jäger")
    assert edges(swapped)[0] == ("bob", "ann", 3)
    other = frame.set_axis(["year", "person", "friend"], axis=1).set_index(["year", "person"])
    with pytest.raises(InputError, match="neither an edge list"):
        read_network(other)


def test_a_frame_without_header():
    frame = pd.read_csv(io.StringIO(rows(RING)), header=None)
    network = read_network(frame)
    assert edges(network) == RING
    assert "Columns have no names: the first two are the ends of edges." in network.notes
    assert edges(read_network(frame.iloc[:, :2])) == ones(RING)
    assert sorted(edges(read_network(frame.head(3)))) == sorted(RING[:3])
    many = pd.read_csv(io.StringIO(rows(NUMBERED)), header=None)
    assert edges(read_network(many)) == NUMBERED
    wide = frame.assign(**{"3": [8, 8, 9, 9]}).set_axis(range(4), axis=1)
    with pytest.raises(InputError, match=r"'2' and '3' have numbers; .*--weight 2"):
        read_network(wide)
    assert edges(read_network(wide, weight="2")) == RING
    assert edges(read_network(frame, source="1", target="0", weight="2"))[0] == ("bob", "ann", 3)
    first_row_lost = pd.read_csv(io.StringIO(rows(RING)))
    with pytest.raises(InputError, match=r"neither an edge list.*header=None"):
        read_network(first_row_lost)


def test_a_frame_of_numbers_without_names():
    matrix = np.random.default_rng(1).integers(0, 9, (5, 5))
    np.testing.assert_array_equal(read_network(pd.DataFrame(matrix)).to_dense(), matrix)
    small = np.array([[0, 3, 1], [2, 0, 4], [1, 1, 0]])
    np.testing.assert_array_equal(read_network(pd.DataFrame(small)).to_dense(), small)
    for n in (2, 3):
        unclear = pd.DataFrame(np.arange(1, n * n + 1).reshape(n, n))
        with pytest.raises(InputError, match=r"may be a matrix or a list of edges; give frame\.to"):
            read_network(unclear)


def test_rs_matrix_without_names(file):
    """R calls its columns V1, V2 and so on, and numbers its rows."""
    matrix = np.array([[0, 3, 0, 1], [2, 0, 4, 0], [1, 1, 0, 6], [0, 0, 2, 0]])
    table = pd.DataFrame(matrix, range(1, 5), [f"V{k}" for k in range(1, 5)])
    network = read_network(file("m.csv", table.to_csv()))
    assert network.names == ("1", "2", "3", "4")
    np.testing.assert_array_equal(network.to_dense(), matrix)
    with pytest.raises(InputError, match=r"matrix of 4 x 4 cells .*say --source V1 --target V2"):
        read_network(file("m.csv", table.to_csv(index=False)))
    with pytest.raises(InputError, match=r"matrix of 4 x 4 cells .*with source= and target="):
        read_network(table.reset_index(drop=True))
    listed = read_network(file("m.csv", table.to_csv()), source="V1", target="V2", weight="V3")
    assert listed.total_weight == matrix[:, 2].sum()


def test_negative_ratings_are_refused(file):
    text = "SOURCE,TARGET,RATING,TIME\n6,2,4,1289241911\n6,5,-2,1289241941\n"
    with pytest.raises(InputError, match=r"edge 2 .* has the weight -2, which is negative"):
        read_network(file("bitcoin.csv", text))


def test_columns_as_the_user_names_them(file):
    path = file("e.csv", "quelle;ziel;gewicht\nä;b;3\nb;c;1\n")
    network = read_network(path, source="Quelle", target="ziel", weight="gewicht")
    assert edges(network) == [("ä", "b", 3), ("b", "c", 1)]
    with pytest.raises(InputError, match="--source quelle is given, --target is not"):
        read_network(path, source="quelle")
    with pytest.raises(InputError, match="there is no column 'q'; there are quelle, ziel, gewicht"):
        read_network(path, source="q", target="ziel")
    with pytest.raises(InputError, match="are the same column"):
        read_network(path, source="ziel", target="ziel")


def test_names_are_told_apart():
    how = Reading()
    assert find_ends(["from", "to", "source", "target"], how, "t") == (2, 3)
    assert find_ends(["gene", "sample1", "sample2"], how, "t") is None
    assert find_ends(["id", "pre_id", "post_id"], how, "t") == (1, 2)
    assert weight_names(["n_id", "time_count", "label"], "t") == []


@pytest.mark.parametrize("option", [{"weight": "w"}, {"where": ["a=b"]}, {"header": True}])
def test_options_of_tables_are_not_ignored_where_there_is_none(option):
    with pytest.raises(InputError, match=r"--(weight|where|header) cannot be used here"):
        read_network(np.eye(3), **option)
    with pytest.raises(InputError, match=r"--(weight|where|header) cannot be used here"):
        open_network("celegans", Reading(**option | {"where": tuple(option.get("where", ()))}))
    with pytest.raises(InputError, match="--no-header cannot be used here"):
        read_network(nx.path_graph(3), header=False)


# --- rows of kinds ------------------------------------------------------------------------------

BY_TYPE = (
    "pre,post,type,synapses\na,b,chemical,5\na,b,electrical,2\nb,c,chemical,3\nc,a,electrical,1\n"
)


def test_a_column_that_tells_rows_of_a_pair_apart(file):
    path = file("synapses.csv", BY_TYPE)
    network = read_network(path)
    assert edges(network) == [("a", "b", 7), ("b", "c", 3), ("c", "a", 1)]
    assert any("--where type=electrical keeps those" in note for note in network.notes)
    chemical = read_network(path, where=["type=chemical"])
    assert edges(chemical) == [("a", "b", 5), ("b", "c", 3)]
    assert "2 of 4 rows kept: type=chemical." in chemical.notes
    assert read_network(path, where=["type=chemical", "type=electrical"]).digest == network.digest
    with pytest.raises(InputError, match=r"no edge has --where type=gap; .*'chemical', 'electri"):
        read_network(path, where=["type=gap"])
    with pytest.raises(InputError, match="--where type: COLUMN=VALUE is needed"):
        read_network(path, where=["type"])


def test_edges_of_a_graph_are_kept_by_an_attribute():
    graph = nx.MultiDiGraph()
    graph.add_edge("a", "b", weight=5, layer=1)
    graph.add_edge("a", "b", weight=2, layer=2)
    graph.add_edge("b", "c", weight=1, layer=2)
    assert edges(read_network(graph, where=["layer=2"])) == [("a", "b", 2), ("b", "c", 1)]


# --- directions ---------------------------------------------------------------------------------

GEPHI = "Source,Target,Type,Id,Label,timeset,Weight\n"


def test_gephis_types(file):
    listed = "".join(f"{a},{b},Undirected,{k},,,{w}.0\n" for k, (a, b, w) in enumerate(RING))
    network = read_network(file("gephi.csv", GEPHI + listed))
    assert not network.directed
    assert network.n_edges == 4
    assert network.total_weight == 10
    both = read_network(file("gephi.csv", GEPHI + listed), directed=True)
    assert both.n_edges == 8
    assert read_network(file("d.csv", GEPHI + listed.replace("Und", "D"))).directed
    mixed = file("mixed.csv", GEPHI + listed.replace("Undirected", "Directed", 1))
    with pytest.raises(InputError, match=r"some edges are directed .* --undirected, or .*--where"):
        read_network(mixed)
    assert not read_network(mixed, directed=False).directed
    assert read_network(mixed, where=["Type=Undirected"]).n_edges == 3


def hinted(network):
    return any(
        note.startswith("No pair is listed in both") and HINT in note for note in network.notes
    )


def test_an_edge_list_that_looks_undirected_is_told_of():
    graph = nx.florentine_families_graph()
    frame = nx.to_pandas_edgelist(graph)
    assert hinted(read_network(frame))
    assert not hinted(read_network(frame, directed=False))
    assert not hinted(read_network(frame, directed=True)), "the user knows"
    assert not hinted(read_network(graph)), "the graph says that it is undirected"
    assert not hinted(read_network(nx.DiGraph(graph.edges))), "the graph says that it is directed"
    back = pd.concat([frame, pd.DataFrame({"source": ["Pazzi"], "target": ["Salviati"]})])
    assert not hinted(read_network(pd.concat([back, back.set_axis(["target", "source"], axis=1)])))


def test_a_matrix_with_one_triangle():
    upper = np.triu(np.arange(1, 17).reshape(4, 4), 1)
    assert hinted(read_network(upper))
    for triangle in (upper, upper.T):
        network = read_network(triangle, directed=False)
        np.testing.assert_array_equal(network.to_dense(), upper + upper.T)
        assert any("One triangle" in note for note in network.notes)


# --- graphs -------------------------------------------------------------------------------------

GRAPHML = '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">{keys}{graphs}</graphml>'


def graphml(body, keys=""):
    return GRAPHML.format(keys=keys, graphs=f'<graph edgedefault="directed">{body}</graph>')


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('<node id="a"/><node id="b"/><edge target="b"/>', "edge 1 has no source"),
        ('<node id="a"/><node id="b"/><edge source="b"/>', "edge 1 has no target"),
        ('<node/><node/><edge source="a" target="b"/>', "node 1 has no id"),
        ('<node id="a"/><node id="b"/><edge source="a" target="zzz"/>', "edge 1 .* 'zzz'"),
        ('<node id="a"/><node id="a"/>', "node 2 has the id 'a', as a node before it"),
        ('<node id="a"><graph edgedefault="directed"/></node>', "the file has 2 graphs"),
    ],
)
def test_broken_graphml_is_refused(file, body, words):
    with pytest.raises(InputError, match=rf"g\.graphml: .*{words}"):
        read_network(file("g.graphml", graphml(body)))


def test_two_graphs_in_a_file(file):
    one = '<graph edgedefault="directed"><node id="a"/><node id="b"/></graph>'
    with pytest.raises(InputError, match="the file has 2 graphs"):
        read_network(file("g.graphml", GRAPHML.format(keys="", graphs=one * 2)))


def test_igraphs_names_and_attributes(file):
    keys = "".join(
        f'<key id="{k}" for="{what}" attr.name="{name}" attr.type="{kind}"/>'
        for k, what, name, kind in [
            ("v", "node", "name", "string"),
            ("d", "node", "dept", "string"),
            ("e", "edge", "count", "double"),
            ("s", "edge", "since", "string"),
        ]
    )
    people = zip(("n0", "n1", "n2"), ("ann", "bob", "cat"), "xxy", strict=True)
    body = "".join(
        f'<node id="{i}"><data key="v">{name}</data><data key="d">{dept}</data></node>'
        for i, name, dept in people
    )
    body += '<edge source="n0" target="n1"><data key="e">3</data><data key="s">May</data></edge>'
    body += '<edge source="n1" target="n2"><data key="e">7</data></edge>'
    network = read_network(file("igraph.graphml", graphml(body, keys)))
    assert edges(network) == [("ann", "bob", 3), ("bob", "cat", 7)]
    assert network.node_table.columns.tolist() == ["dept"]
    assert "Edge attributes not used: since." in network.notes


def test_igraphs_gml(file):
    nodes = "".join(f'node\n[\nid {k}\nname "{n}"\n]\n' for k, n in enumerate(("ann", "bob")))
    text = f"graph\n[\ndirected 0\n{nodes}edge\n[\nsource 1\ntarget 0\nweight 3\n]\n]\n"
    network = read_network(file("igraph.gml", text))
    assert network.names == ("ann", "bob")
    assert not network.directed
    assert network.weight.tolist() == [3]


def test_cytoscapes_keys_are_read(file):
    key = '<key id="weight" for="node" attr.name="weight" attr.type="double"/>'
    body = '<node id="70"/><node id="71"/>'
    body += '<edge source="70" target="71"><data key="weight">3</data></edge>'
    assert read_network(file("c.graphml", graphml(body, key))).weight.tolist() == [3]


def test_gexf(tmp_path):
    graph = nx.DiGraph()
    graph.add_node("n0", label="ann", club="x")
    graph.add_node("n1", label="bob", club="y")
    graph.add_edge("n0", "n1", weight=4)
    nx.write_gexf(graph, tmp_path / "g.gexf")
    network = read_network(tmp_path / "g.gexf")
    assert edges(network) == [("ann", "bob", 4)]
    text = (tmp_path / "g.gexf").read_text().replace('target="n1"', 'target="n9"')
    (tmp_path / "broken.gexf").write_text(text)
    with pytest.raises(InputError, match="edge 1 has the target 'n9'"):
        read_network(tmp_path / "broken.gexf")


def test_gml_with_blank_lines_is_read_in_linear_time(file):
    blank = "\n" * 200_000
    text = f"{blank}graph [\n{blank}node [ id 1 ]\nnode [ id 2 ]\nedge [ source 1 target 2 ]\n]\n"
    assert read_network(file("g.gml", text)).n_edges == 1


# --- two sets -----------------------------------------------------------------------------------


def test_dyads_within_a_set_are_hidden(tmp_path):
    graph = nx.davis_southern_women_graph()
    network = read_network(graph)
    women, events = 18, 14
    within = women * (women - 1) // 2 + events * (events - 1) // 2
    assert network.n_hidden == within
    assert network.n_observed == women * events
    assert any("Two sets of 18 and 14 nodes" in note for note in network.notes)
    assert describe(network).density == pytest.approx(graph.number_of_edges() / (women * events))
    graph.graph.clear()
    nx.write_graphml(graph, tmp_path / "davis.graphml")
    assert read_network(tmp_path / "davis.graphml").n_hidden == within
    assert read_network(graph, directed=True).n_hidden == 2 * within


def test_sets_from_a_node_table_and_from_igraph():
    listed = pd.DataFrame({"source": ["ann", "bob"], "target": ["E1", "E1"]})
    nodes = pd.DataFrame({"name": ["ann", "bob", "E1", "E2"], "bipartite": [0, 0, 1, 1]})
    assert read_network(listed, nodes=nodes, directed=False).n_hidden == 2
    graph = nx.Graph([("ann", "E1"), ("bob", "E1")])
    nx.set_node_attributes(graph, {"ann": False, "bob": False, "E1": True}, "type")
    assert read_network(graph).n_hidden == 1


def test_an_edge_within_a_set_keeps_it_a_network_of_one():
    graph = nx.Graph([("a", "b"), ("b", "c")])
    nx.set_node_attributes(graph, {"a": 0, "b": 1, "c": 1}, "bipartite")
    network = read_network(graph)
    assert network.n_hidden == 0
    assert any("1 edge lie" in note and "not used" in note for note in network.notes)


def test_a_rectangular_matrix_is_refused_with_the_way_out(file):
    text = ",E1,E2,E3\nann,1,0,2\nbob,0,3,1\ncat,4,0,0\ndan,0,1,1\n"
    with pytest.raises(InputError, match=r"4 rows and 3 columns of other names.*say --bipartite"):
        read_network(file("incidence.csv", text))
    with pytest.raises(InputError, match=r"shape 4 x 3; it must be square.*say --bipartite"):
        read_network(np.ones((4, 3)))


# --- arrays -------------------------------------------------------------------------------------


def saved(path: Path, **changes):
    parts = {
        "format": np.array(b"csr"),
        "shape": np.array([4, 4]),
        "data": np.array([1, 2, 3]),
        "indices": np.array([1, 2, 3], dtype=np.int32),
        "indptr": np.array([0, 1, 2, 3, 3], dtype=np.int32),
    }
    np.savez(path, **parts | changes)
    return path


def test_a_sparse_matrix_is_read_from_its_parts(tmp_path):
    assert read_network(saved(tmp_path / "good.npz")).weight.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"indptr": np.array([0, -5, 2, 3, 3])}, "its indices are not those"),
        ({"indptr": np.array([0, 2_000_000_000, 2, 3, 3])}, "its indices are not those"),
        ({"indptr": np.array([0, 1])}, "cannot be read as a .npz|its indices are not those"),
        ({"indices": np.array([1, 2, 99])}, "its indices are not those"),
        ({"indices": np.array([1, 2, -7])}, "its indices are not those"),
        ({"indices": np.array([1.5, 2, 3])}, "indices holds float64"),
        ({"data": np.array(["1", "2", "3"])}, "type <U1, which are no numbers"),
        ({"data": np.array([1j, 2, 3])}, "type complex128, which are no numbers"),
        ({"shape": np.array([10**9, 10**9])}, "would have 1,000,000,000 nodes"),
        ({"shape": np.array([4])}, "two numbers are needed"),
        ({"shape": np.array(["4", "4"])}, "two numbers are needed"),
        ({"format": np.array(b"lil")}, "format 'lil'"),
    ],
)
def test_a_sparse_matrix_whose_parts_do_not_fit(tmp_path, changes, words):
    with pytest.raises(InputError, match=rf"net\.npz: .*({words})"):
        read_network(saved(tmp_path / "net.npz", **changes))


def test_many_nodes_in_a_kilobyte(tmp_path):
    huge = sparse.coo_array(([1], ([0], [10**9 - 1])), shape=(10**9, 10**9))
    sparse.save_npz(tmp_path / "huge.npz", huge)
    (tmp_path / "huge.mtx").write_text(
        "%%MatrixMarket matrix coordinate integer general\n1000000000 1000000000 1\n1 2 3\n"
    )
    (tmp_path / "huge.net").write_text("*Vertices 1000000000\n*Arcs\n1 2\n")
    for name in ("huge.npz", "huge.mtx", "huge.net"):
        with pytest.raises(InputError, match=r"1,000,000,000 nodes; at most 10,000,000"):
            read_network(tmp_path / name)
    with pytest.raises(InputError, match="1,000,000,000 nodes"):
        read_network(huge)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((3, 3), "U1"), "has no weight"),
        (np.zeros((3, 3), "V4"), "no numbers"),
        (np.zeros((100, 100), "U0"), "no numbers|has no weight"),
        (np.zeros((3, 3), [("a", int), ("b", int)]), "no numbers"),
        (np.zeros((3, 3), "M8[s]"), "no numbers"),
        (np.array(["a", "b"]), "shape 2; it must be square"),
    ],
)
def test_arrays_of_no_numbers(tmp_path, array, words):
    np.save(tmp_path / "a.npy", array)
    for source in (array, tmp_path / "a.npy"):
        with pytest.raises(InputError, match=words):
            read_network(source)


def test_an_array_that_is_shorter_than_it_says(tmp_path):
    with (tmp_path / "a.npy").open("wb") as stream:
        np.lib.format.write_array_header_1_0(
            stream, {"descr": "<f8", "fortran_order": False, "shape": (10**6, 10**6)}
        )
        stream.write(b"\0" * 80)
    with pytest.raises(InputError, match=r"announces 1,000,000,000,000 cells"):
        read_network(tmp_path / "a.npy")


def test_a_complete_matrix_of_many_nodes():
    """All cells filled: each array of the network is as large as the matrix."""
    matrix = np.random.default_rng(1).integers(1, 9, (1200, 1200))
    network = read_network(matrix)
    assert network.n_edges == 1200**2
    np.testing.assert_array_equal(network.to_dense(), matrix)
    undirected = read_network(matrix + matrix.T, directed=False)
    np.testing.assert_array_equal(undirected.to_dense(), matrix + matrix.T)


def test_matrix_market(tmp_path):
    matrix = sparse.coo_array(([3, 1, 2, 4], ([1, 2, 2, 3], [0, 1, 0, 2])), shape=(4, 4))
    scipy_io.mmwrite(tmp_path / "general.mtx", matrix)
    network = read_network(tmp_path / "general.mtx")
    np.testing.assert_array_equal(network.to_dense(), matrix.toarray())
    scipy_io.mmwrite(tmp_path / "both.mtx", (matrix + matrix.T).tocoo(), symmetry="symmetric")
    network = read_network(tmp_path / "both.mtx")
    assert not network.directed
    np.testing.assert_array_equal(network.to_dense(), (matrix + matrix.T).toarray())
    (tmp_path / "wide.mtx").write_text(
        "%%MatrixMarket matrix coordinate pattern general\n2 3 1\n1 2\n"
    )
    with pytest.raises(InputError, match="shape 2 x 3; it must be square"):
        read_network(tmp_path / "wide.mtx")


# --- Pajek --------------------------------------------------------------------------------------

VERTICES = '*Vertices 4\n1 "Ann"\n2 "Bob B" 0.1 0.2\n3 "Cát"\n4 "Dan"\n'


def test_pajek(file):
    network = read_network(file("n.net", VERTICES + "*Edges\n1 2 3\n2 3 1\n3 1 2\n3 4 4\n"))
    assert network.names == ("Ann", "Bob B", "Cát", "Dan")
    assert not network.directed
    assert network.total_weight == 10
    arcs = read_network(file("n.net", VERTICES + "*Arcs\n1 2 3\n2 1\n*Edges\n"))
    assert edges(arcs) == [("Ann", "Bob B", 3), ("Bob B", "Ann", 1)]
    mixed = read_network(file("n.net", VERTICES + "*arcs\n1 2 3\n*edges\n3 4 2\n"))
    assert edges(mixed) == [("Ann", "Bob B", 3), ("Cát", "Dan", 2), ("Dan", "Cát", 2)]
    lists = read_network(file("n.net", VERTICES + "*Arcslist\n1 2 3\n4 1\n"))
    assert edges(lists) == [("Ann", "Bob B", 1), ("Ann", "Cát", 1), ("Dan", "Ann", 1)]
    matrix = read_network(file("n.net", VERTICES + "*Matrix\n0 1 0 0\n0 0 2 0\n0 0 0 0\n5 0 0 0\n"))
    assert edges(matrix) == [("Ann", "Bob B", 1), ("Bob B", "Cát", 2), ("Dan", "Ann", 5)]
    bare = read_network(file("n.net", "*Vertices 3\n*Arcs\n1 2\n"))
    assert bare.names == ("1", "2", "3")
    two = read_network(file("n.net", "*Vertices 5 2\n*Edges\n1 3\n2 4\n"))
    assert two.n_hidden == 1 + 3


def test_pajeks_relations_are_told_apart(file):
    path = file("n.net", VERTICES + '*Arcs :1 "likes"\n1 2 3\n*Arcs :2 "knows"\n1 2 4\n2 3 1\n')
    network = read_network(path)
    assert edges(network)[0] == ("Ann", "Bob B", 7)
    assert any("'relation' tells rows" in note for note in network.notes)
    assert edges(read_network(path, where=['relation=:1 "likes"'])) == [("Ann", "Bob B", 3)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("*Arcs\n1 2\n", "begins with .Vertices"),
        ("1 2\n", "line 1 is before .Vertices"),
        ("*Vertices\n", "the number of vertices is needed"),
        ("*Vertices 2\n*Arcs\n1 3\n", "line 3 names the vertex '3'; there are 1 to 2"),
        ("*Vertices 2\n*Arcs\n1\n", "line 3 has one vertex"),
        ("*Vertices 2\n3 c\n", "line 2 has the vertex 3"),
        ('*Vertices 2\n1 "a\n', "line 2 cannot be read"),
        ("*Vertices 2\n*Hypergraph\n", "not a section that can be read"),
        ("*Vertices 2\n*Matrix\n0 1\n", "not 2 rows of 2 cells"),
        ("*Vertices 2\n1 a\n2 a\n*Arcs\n1 2\n", "the node name 'a' occurs 2 times"),
        ("", "begins with .Vertices"),
    ],
)
def test_broken_pajek_is_refused(file, text, words):
    with pytest.raises(InputError, match=rf"n\.net: .*{words}"):
        read_network(file("n.net", text))


# --- tables of dyads ----------------------------------------------------------------------------

NAMES = [f"c{k}" for k in range(5)]


def logdist():
    place = np.arange(5.0)
    return pd.DataFrame(np.abs(place[:, None] - place), NAMES, NAMES)


def long(matrix, kept=lambda a, b: a != b):
    return pd.DataFrame(
        [(a, b, matrix.loc[a, b]) for a in NAMES for b in NAMES if kept(a, b)],
        columns=["source", "target", "logdist"],
    )


def test_a_symmetric_table_of_dyads_both_ways_or_as_a_matrix(tmp_path):
    trade = pd.DataFrame({"source": NAMES[:-1], "target": NAMES[1:], "weight": [2, 5, 4, 1]})
    both = read_network(trade, directed=False, dyads=long(logdist()))
    once = read_network(trade, directed=False, dyads=long(logdist(), lambda a, b: a < b))
    pd.testing.assert_frame_equal(both.dyad_table, once.dyad_table)
    logdist().to_csv(tmp_path / "logdist.csv")
    long(logdist()).to_csv(tmp_path / "both.csv", index=False)
    for file in ("logdist.csv", "both.csv"):
        network = read_network(trade, directed=False, dyads=tmp_path / file)
        pd.testing.assert_frame_equal(network.dyad_table, once.dyad_table)
        assert not any("Table of dyads" in note for note in network.notes)
    directed = read_network(trade, dyads=tmp_path / "logdist.csv")
    assert len(directed.dyad_table) == 20
    assert read_network(trade, dyads=logdist()).dyad_table.columns.tolist() == ["value"]


def test_a_table_of_dyads_that_is_not_symmetric():
    table = long(logdist())
    table.loc[0, "logdist"] = 99.0
    trade = pd.DataFrame({"source": NAMES[:-1], "target": NAMES[1:]})
    with pytest.raises(InputError, match="other values for 'c1' to 'c0' than for 'c0' to 'c1'"):
        read_network(trade, directed=False, dyads=table)
    assert len(read_network(trade, dyads=table).dyad_table) == 20


def test_dyads_without_a_row_are_counted():
    trade = pd.DataFrame({"source": NAMES[:-1], "target": NAMES[1:]})
    network = read_network(trade, dyads=long(logdist()).iloc[:13])
    assert "Table of dyads: 7 of 20 dyads have no row; their covariates are 0." in network.notes
    pairs = read_network(trade, directed=False, dyads=long(logdist()).iloc[:3])
    assert "Table of dyads: 7 of 10 dyads have no row; their covariates are 0." in pairs.notes


def test_nodes_without_a_row_are_counted():
    trade = pd.DataFrame({"source": NAMES[:-1], "target": NAMES[1:]})
    graph = nx.from_pandas_edgelist(trade)
    with pytest.raises(InputError, match=r"'c2' is not in the node table \(nor are 2 others\)"):
        read_network(graph, nodes=pd.DataFrame({"name": ["c0", "c1"]}))


# --- what networks are --------------------------------------------------------------------------


@pytest.mark.parametrize("value", [nx.path_graph(3), pd.DataFrame(np.eye(3)), np.eye(3), "e.csv"])
def test_a_model_of_what_is_no_network_names_read_network(value, tmp_path):
    with pytest.raises(InputError, match=r"a Network is needed, which lsm_stan\.read_network"):
        LatentSpaceModel(value)
    with pytest.raises(InputError, match=r"lsm_stan\.read_network"):
        select(value, tmp_path / "chosen", dims=[2], models=["tutorial"], n_splits=1, seed=1)


@pytest.mark.parametrize("value", [nx.path_graph(3), pd.DataFrame(np.eye(3))])
@pytest.mark.parametrize(
    "use",
    [
        *(describe, judge, predict, loo, predictive_checks, check_priors, describe_result),
        *(compare, make_report, loo_table),
        lambda value: compare({"a": value}),
        lambda value: make_report({"a": value}),
        lambda value: loo_table({"a": value}),
        lambda value: simulate(value, 2, seed=1),
        lambda value: hold_out(value, 0.1, seed=1),
    ],
)
def test_what_is_neither_network_nor_fit_names_read_network(use, value):
    with pytest.raises(InputError, match=r"an object of type \w+; .*lsm_stan\.read_network"):
        use(value)


def test_bernoulli_of_counts_names_binary():
    network = Network.from_edges("ab", "bc", [3, 1])
    with pytest.raises(InputError, match="--binary"):
        LatentSpaceModel(network, model="bernoulli-squared")
    LatentSpaceModel(network.binary(), model="bernoulli-squared")
    listed = pd.DataFrame({"source": ["a", "a"], "target": ["b", "b"], "weight": [3, 4]})
    assert read_network(listed, binary=True).weight.tolist() == [1]


def test_a_network_is_shown_in_a_line():
    network = Network.from_edges("ab", "bc", [3, 1], title="trade")
    assert repr(network) == (
        "<Network 'trade': 3 nodes, 2 directed edges of total weight 4, 0 dyads hidden>"
    )


def test_integers_of_thousands_of_digits(file):
    digits = "9" * 5000
    nodes = file("nodes.csv", f"name,x\na,{digits}\nb,1\n")
    edge_file = file("e.csv", "source,target\na,b\n")
    assert read_network(edge_file, nodes=nodes).node_table["x"].tolist() == [np.inf, 1]
    with pytest.raises(InputError, match="turned into text"):
        Network.from_edges([10**5000], ["a"])
    with pytest.raises(InputError, match=r"overflows Stan's int|not finite"):
        read_network(file("w.csv", f"source,target,weight\na,b,{digits}\n"))


# --- what may be misread in silence -------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("Directed", "false"), ("directed", "0"), ("is_directed", "no"), ("undirected", "TRUE"),
        ("edge_type", "undirected"), ("EdgeType", "Undirected"), ("direction", "undirected"),
    ],
)  # fmt: skip
def test_columns_that_say_undirected(file, column, value):
    path = file("e.csv", f"source,target,{column}\na,b,{value}\nb,c,{value}\n")
    network = read_network(path)
    assert not network.directed
    assert network.weight.tolist() == [1, 1]
    opposite = {"false": "true", "0": "1", "no": "yes", "TRUE": "FALSE"}.get(value, "directed")
    assert read_network(file("d.csv", path.read_text().replace(value, opposite))).directed


@pytest.mark.parametrize("values", [("->", "<-"), ("both", "forward"), ("Directed", "Mutual")])
def test_edges_against_their_columns_are_refused(file, values):
    text = "source,target,direction\na,b,{}\nb,c,{}\n".format(*values)
    with pytest.raises(InputError, match=r"'direction' says .*write a row for each direction"):
        read_network(file("e.csv", text))
    assert read_network(file("f.csv", text), directed=False).n_edges == 2
    compass = read_network(file("g.csv", "source,target,direction\na,b,N\nb,c,S\n"))
    assert "Columns not used: direction." in compass.notes


def test_mutual_edges_of_gexf_are_refused(file):
    nodes = '<nodes><node id="a"/><node id="b"/></nodes>'
    for of_graph, of_edge in (("mutual", ""), ("directed", 'type="mutual"')):
        text = (
            '<gexf xmlns="http://www.gexf.net/1.2draft" version="1.2">'
            f'<graph defaultedgetype="{of_graph}">{nodes}'
            f'<edges><edge id="0" source="a" target="b" {of_edge}/></edges></graph></gexf>'
        )
        with pytest.raises(InputError, match="mutual edges, which go in both directions"):
            read_network(file("e.gexf", text))
    dynamic = text.replace('type="mutual"', 'start="1"').replace("<graph", '<graph mode="dynamic"')
    assert edges(read_network(file("d.gexf", dynamic))) == [("a", "b", 1)]


def test_both_directions_of_an_undirected_list_count_twice_with_a_note(file):
    note = "listed in both directions with the same weight, and counts twice"
    both = file("e.csv", "source,target,weight\na,b,3\nb,a,3\nb,c,1\nc,b,1\nc,c,2\n")
    twice = read_network(both, directed=False)
    assert edges(twice) == [("a", "b", 6), ("b", "c", 2), ("c", "c", 2)]
    assert any(note in text for text in twice.notes)
    once = read_network(both, directed=False, parallel_edges="first")
    assert edges(once) == [("a", "b", 3), ("b", "c", 1), ("c", "c", 2)]
    other = file("f.csv", "source,target,weight\na,b,3\nb,a,4\nb,c,1\nc,b,1\n")
    for network in (once, read_network(other, directed=False)):
        assert not any(note in text for text in network.notes)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("Ann", "ann"),
        ("1", "1.0"),
        ("01", "1"),
        ("café", "cafe\u0301"),
        ("x", "x\u200b"),
        ("\uff21", "a"),
    ],
)
def test_names_that_look_alike_are_told_of(file, one, two):
    path = file("e.csv", f"source,target\n{one},b\nb,{two}\n")
    network = read_network(path)
    assert network.n_nodes == 3
    assert any(text.startswith("Nodes of names that look alike") for text in network.notes)
    assert all(text.isprintable() and "\u200b" not in text for text in network.notes)
    other = read_network(file("f.csv", "source,target\n1.5,1.50\nx1,x2\n"))
    assert not any("alike" in text for text in other.notes)


def test_a_matrix_whose_rows_are_receivers_is_turned(file):
    text = "{},a,b,c\na,0,5,0\nb,2,0,0\nc,1,0,0\n"
    turned = [("a", "b", 2), ("a", "c", 1), ("b", "a", 5)]
    as_it_is = [("a", "b", 5), ("b", "a", 2), ("c", "a", 1)]
    for corner, expected in {
        "to\\from": turned,
        "target / source": turned,
        "from\\to": as_it_is,
    }.items():
        assert edges(read_network(file("m.csv", text.format(corner)))) == expected
    listed = pd.DataFrame(turned, columns=["sender", "receiver", "w"])
    for rows_, columns in (("sender", "receiver"), ("receiver", "sender")):
        frame = listed.pivot_table("w", rows_, columns, fill_value=0, aggfunc="sum")
        square = frame.reindex(index=["a", "b", "c"], columns=["a", "b", "c"], fill_value=0)
        assert edges(read_network(square.astype(int))) == turned


def test_sums_at_the_margins_of_a_matrix_are_no_node(file):
    sums = ",a,b,Total\na,0,1,1\nb,2,0,2\nTotal,2,1,3\n"
    with pytest.raises(
        InputError, match=r"m\.csv: the last row and column .*'Total', are the sums"
    ):
        read_network(file("m.csv", sums))
    assert read_network(file("n.csv", sums.replace("0,1,1", "0,1,4"))).n_nodes == 3


def test_answers_of_one_letter_are_told_of(file):
    network = read_network(file("e.csv", "source,target,friend\na,b,Y\nb,c,N\n"))
    assert any("--where friend=Y leaves them out" in text for text in network.notes)


def test_numbers_of_rows_tell_no_kinds_apart(file):
    network = read_network(file("e.csv", "id,source,target,type\n1,a,b,x\n2,a,b,y\n3,b,c,x\n"))
    assert not any("--where id" in text for text in network.notes)
    assert any("--where type=" in text for text in network.notes)


@pytest.mark.parametrize("sets", [("0", "1", "2"), ("0", "1", "")])
def test_two_sets_that_are_not_two_are_told_of(file, sets):
    nodes = "name,bipartite\n" + "".join(f"{n},{s}\n" for n, s in zip("abc", sets, strict=True))
    network = read_network(file("e.csv", "source,target\na,b\nb,c\n"), nodes=file("n.csv", nodes))
    assert network.n_hidden == 0
    assert any("bipartite has" in text and "not used" in text for text in network.notes)


def test_names_of_nodes_in_any_case_and_of_some_nodes_only():
    graph = nx.Graph([(0, 1)])
    nx.set_node_attributes(graph, {0: "x", 1: "y"}, "Label")
    assert read_network(graph).names == ("x", "y")
    half = nx.Graph([(0, 1)])
    half.nodes[0]["name"] = "x"
    network = read_network(half)
    assert network.names == ("0", "1")
    assert any("'name' is not a name of every node" in text for text in network.notes)


def test_marks_of_unicode_and_of_konect_in_short(file):
    assert read_network(file("e.csv", "\ufeff\ufeffa,b\nb,a\n")).names == ("a", "b")
    assert not read_network(file("e.txt", "% sym\n1 2\n2 3\n")).directed
