"""Layers: what is read from where, who is absent, and what is refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lsm_stan import InputError, Layers, Network, read_layers, read_network
from lsm_stan.network.layer_readers import open_layers, open_source
from lsm_stan.network.readers import open_network
from lsm_stan.network.reading import Reading

EDGES = "source,target,weight,stage\na,b,2,adult\nb,c,1,larva\na,c,5,larva\n"


def file(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_column_of_an_edge_list_tells_layers_apart(tmp_path: Path) -> None:
    layers = read_layers(file(tmp_path, "e.csv", EDGES), layer="stage")
    assert layers.labels == ("adult", "larva")
    assert layers.names == ("a", "b", "c")
    assert layers.times is None
    assert [network.to_dense().sum() for network in layers.networks] == [2, 6]
    # who has no edge in a layer is there all the same, and it is said
    assert [network.n_nodes for network in layers.networks] == [3, 3]
    assert any("1 node of a layer" in note and "--absent" in note for note in layers.notes)


def test_who_is_absent_and_in_which_order_layers_are_is_said_by_tables(tmp_path: Path) -> None:
    edges = file(tmp_path, "e.csv", EDGES)
    absent = file(tmp_path, "a.csv", "name,layer\nc,adult\n")
    listed = file(tmp_path, "l.csv", "layer,time\negg,0\nlarva,10\nadult,50\n")
    layers = read_layers(edges, layer="stage", absent=absent, layer_list=listed)
    assert layers.labels == ("egg", "larva", "adult")
    assert layers.times.tolist() == [0, 10, 50]
    assert layers.networks[2].names == ("a", "b")
    assert layers.members[2].tolist() == [0, 1]
    assert layers.networks[0].n_edges == 0
    assert layers.absent_frame().to_dict("list") == {"name": ["c"], "layer": ["adult"]}
    pooled = layers.pooled
    assert pooled.weight_of([0, 1, 0], [1, 2, 2]).tolist() == [2, 1, 5]
    assert pooled.n_hidden == 0


def test_times_order_layers(tmp_path: Path) -> None:
    text = "source,target,year\na,b,2010\nb,a,1999\na,b,1999\n"
    layers = read_layers(file(tmp_path, "e.csv", text), time="year")
    assert layers.labels == ("1999", "2010")
    assert layers.times.tolist() == [1999, 2010]
    assert [network.total_weight for network in layers.networks] == [2, 1]
    text = "source,target,name,year\na,b,late,2010\nb,a,early,1999\n"
    named = read_layers(file(tmp_path, "n.csv", text), layer="name", time="year")
    assert (named.labels, named.times.tolist()) == (("early", "late"), [1999, 2010])


def test_a_folder_has_a_file_for_each_layer(tmp_path: Path) -> None:
    for number, names in ((2, "ab"), (10, "abc")):
        cells = pd.DataFrame(1, index=list(names), columns=list(names))
        cells.to_csv(tmp_path / f"animal{number}.csv")
    (tmp_path / "README.md").write_text("no layer")
    layers = read_layers(tmp_path)
    assert layers.labels == ("animal2", "animal10")
    # labels of a matrix list its nodes: the third is absent from the first
    assert [network.names for network in layers.networks] == [("a", "b"), ("a", "b", "c")]


def test_objects_in_memory_are_layers() -> None:
    one = Network.from_edges(["b"], ["a"], [3])
    two = Network.from_edges(["a", "c"], ["b", "a"], [1, 1])
    layers = Layers.of({"one": one, "two": two})
    assert layers.names == ("b", "a", "c")
    assert layers.networks[1].names == ("b", "a", "c")
    assert layers.networks[1].to_dense().tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0]]
    assert Layers.of([one, two]).labels == ("1", "2")
    assert read_layers({"one": one, "two": two}).digest == layers.digest
    cube = np.arange(18).reshape(2, 3, 3).astype(float)
    cube[1, 2, :] = cube[1, :, 2] = np.nan
    of_array = read_layers(cube)
    assert [network.n_nodes for network in of_array.networks] == [3, 2]
    assert of_array.networks[1].to_dense().tolist() == [[9, 10], [12, 13]]
    assert isinstance(open_source(cube, Reading()), Layers)
    assert isinstance(open_source(cube[0], Reading()), Network)


def test_hidden_dyads_are_of_their_layer_or_of_all(tmp_path: Path) -> None:
    edges = file(tmp_path, "e.csv", EDGES)
    of_one = file(tmp_path, "h.csv", "source,target,layer\nc,a,larva\n")
    of_all = file(tmp_path, "g.csv", "source,target\nc,a\n")
    one, every = (read_layers(edges, layer="stage", hidden=path) for path in (of_one, of_all))
    assert [network.n_hidden for network in one.networks] == [0, 1]
    assert [network.n_hidden for network in every.networks] == [1, 1]
    assert (one.pooled.n_hidden, every.pooled.n_hidden) == (0, 1)


def test_frames_are_read_as_they_were(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    cube = rng.poisson(0.7, size=(3, 5, 5)).astype(float)
    cube[0, 3, :] = cube[0, :, 3] = np.nan
    cube[2, 1, 4] = np.nan
    layers = replace(read_layers(cube), times=np.array([0.0, 2.5, 3.0]))
    frames = {
        "e": layers.edge_frame(),
        "h": layers.hidden_frame(),
        "a": layers.absent_frame(),
        "l": layers.layer_frame(),
        "n": layers.pooled.node_frame(),
    }
    for name, frame in frames.items():
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
    again = open_layers(
        tmp_path / "e.csv",
        Reading(
            layer="layer",
            hidden=tmp_path / "h.csv",
            absent=tmp_path / "a.csv",
            layer_list=tmp_path / "l.csv",
            nodes=tmp_path / "n.csv",
        ),
    )
    assert again.digest == layers.digest


def test_undirected_layers_are_added_up() -> None:
    one = Network.from_edges(["a", "b"], ["b", "c"], [1, 2], directed=False)
    two = Network.from_edges(["c", "b"], ["b", "a"], [4, 8], directed=False)
    pooled = Layers.of({"x": one, "y": two}).pooled
    assert not pooled.directed
    assert pooled.weight_of([0, 1], [1, 2]).tolist() == [9, 6]


@pytest.mark.parametrize(
    ("text", "how", "message"),
    [
        (EDGES, {"layer": "age"}, "age"),
        ("source,target,stage\na,b,\nb,a,x\n", {"layer": "stage"}, "edge 1 has nothing in the col"),
        ("source,target,t\na,b,early\n", {"time": "t"}, "edge 1 has 'early' in the column 't'"),
        (
            "source,target,s,t\na,b,x,1\nb,a,x,2\n",
            {"layer": "s", "time": "t"},
            "the layer 'x' has the times 1 and 2",
        ),
        (EDGES, {"layer": "stage", "absent": "name,layer\nc,egg\n"}, "there is no layer 'egg'"),
        (EDGES, {"layer": "stage", "absent": "name,layer\nz,adult\n"}, "there is no node 'z'"),
        (
            EDGES,
            {"layer": "stage", "absent": "name,layer\na,adult\n"},
            "the node 'a' has an edge, and .* says that it is absent",
        ),
        (EDGES, {"layer": "stage", "absent": "node\na\n"}, "the columns name and layer are needed"),
        (EDGES, {"layer": "stage", "layer_list": "layer\nadult\n"}, "the layer 'larva' is not in"),
        (EDGES, {"layer": "stage", "layer_list": "layer,time\nlarva,9\nadult,1\n"}, "comes after"),
    ],
)
def test_what_cannot_be_layers_is_refused(
    tmp_path: Path, text: str, how: dict, message: str
) -> None:
    given = {
        key: file(tmp_path, f"{key}.csv", value) if key in ("absent", "layer_list") else value
        for key, value in how.items()
    }
    with pytest.raises(InputError, match=message):
        read_layers(file(tmp_path, "e.csv", text), **given)


def test_layers_of_two_kinds_are_refused(tmp_path: Path) -> None:
    one = Network.from_edges(["a"], ["b"], [1])
    other = Network.from_edges(["a"], ["b"], [1], directed=False)
    with pytest.raises(InputError, match="'x' is directed, the layer 'y' undirected"):
        Layers.of({"x": one, "y": other})
    with pytest.raises(InputError, match="an object of type int; a Network is needed"):
        Layers.of({"x": 3})
    with pytest.raises(InputError, match=r"times are .* a finite number for each"):
        Layers.of({"x": one, "y": one}, times=[1])
    with pytest.raises(InputError, match="there is no layer 'z'; there are x"):
        Layers.of({"x": one}).index("z")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="the folder has no files; one for each layer"):
        read_layers(tmp_path / "empty")
    with pytest.raises(InputError, match="layers are read from an edge list with a column"):
        read_layers(file(tmp_path, "e.csv", EDGES))
    with pytest.raises(InputError, match="--layer cannot be used here: one network is needed"):
        open_network(file(tmp_path, "e.csv", EDGES), Reading(layer="stage"))
    assert read_network(file(tmp_path, "e.csv", EDGES)).n_edges == 3


def test_layers_of_two_sets_are_refused():
    frame = pd.DataFrame({"source": ["a", "a"], "target": ["x", "y"], "layer": [1, 2]})
    with pytest.raises(InputError, match="--bipartite cannot be used here: layers of two sets"):
        open_layers(frame, Reading(layer="layer", bipartite=True))
