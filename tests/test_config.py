"""Configurations of `lsm-stan run`: how the network is read, and what is refused."""

from pathlib import Path

import pytest

from lsm_stan import InputError, LatentSpaceModel, Network, load_config
from lsm_stan.network.readers import open_network

FIT = '[[fit]]\nmethod = "map"\nseed = 1\n'
EDGES = "source,target,type,synapses\na,b,gap,2\na,b,chemical,5\nb,c,chemical,1\n"


@pytest.fixture
def config(tmp_path: Path):
    """Write a configuration beside a network, and load it."""
    (tmp_path / "e.csv").write_text(EDGES)
    (tmp_path / "n.csv").write_text("name,x\nc,1\nb,2\na,3\n")

    def load(text: str):
        (tmp_path / "run.toml").write_text(text + FIT)
        return load_config(tmp_path / "run.toml")

    return load


@pytest.mark.parametrize(
    "text",
    [
        """
        [network]
        file = "e.csv"
        nodes = "n.csv"
        where = ["type=chemical"]
        directed = false
        title = "worm"
        """,
        """
        network = "e.csv"
        nodes = "n.csv"
        where = "type=chemical"
        directed = false
        title = "worm"
        """,
    ],
)
def test_how_a_network_is_read(config, text):
    loaded = config(text)
    network = open_network(loaded.network.file, loaded.network.how)
    assert network.names == ("c", "b", "a")
    assert network.title == "worm"
    assert not network.directed
    assert network.total_weight == 6


def test_columns_by_name(config):
    loaded = config(
        '[network]\nfile = "e.csv"\nsource = "target"\ntarget = "source"\nweight = "none"\n'
        "binary = true\nheader = true\n"
    )
    network = open_network(loaded.network.file, loaded.network.how)
    assert network.edge_frame().to_numpy().tolist() == [["b", "a", 1], ["c", "b", 1]]


def test_a_packaged_network_is_no_path(config):
    assert config('network = "celegans"\n').network.file == "celegans"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[network]\nfile = "e.csv"\ncolour = 3\n', "network: there is no key 'colour'; there are"),
        ('[network]\nfile = "e.csv"\nheader = 1\n', "network: header is 1; .*boolean"),
        ('[network]\nfile = "e.csv"\nwhere = [3]\n', "network: where is"),
        ('directed = true\n[network]\nfile = "e.csv"\n', "directed: Extra inputs"),
        ('[network]\nweight = "n"\n', "network.file: Field required"),
    ],
)
def test_keys_that_cannot_be(config, text, words):
    with pytest.raises(InputError, match=rf"run\.toml: {words}"):
        config(text)


@pytest.mark.parametrize("dim", [1001, 99999999999])
def test_more_dimensions_than_can_be(dim):
    network = Network.from_edges("ab", "bc")
    with pytest.raises(InputError, match=rf"dim is {dim:,}; at most 1,000 latent dimensions"):
        LatentSpaceModel(network, dim)
