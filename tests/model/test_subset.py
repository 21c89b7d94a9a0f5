"""A model of some of a network's nodes says of their dyads what the whole one says."""

import numpy as np
import pandas as pd
import pytest

from lsm_stan import simulate
from lsm_stan.model.family import find_model
from lsm_stan.model.likelihood import log_mean
from lsm_stan.model.simulation import draw_parameters
from lsm_stan.model.subset import among
from tests.support.made import partly_hidden


@pytest.mark.parametrize("directed", [True, False])
def test_the_dyads_among_some_nodes_are_those_of_the_whole_network(directed):
    names = [str(i) for i in range(12)]
    nodes = pd.DataFrame({"class": list("abc") * 4, "size": np.arange(12.0)}, index=names)
    ends = pd.MultiIndex.from_tuples(
        [("0", "1"), ("5", "3"), ("4", "9")], names=["source", "target"]
    )
    dyads = pd.DataFrame({"road": [2.0, -1.0, 3.0]}, index=ends)
    whole, _ = simulate(12, 2, seed=1, directed=directed, node_table=nodes, dyad_table=dyads)
    whole = whole.hide([0, 3, 5], [1, 5, 7])
    name = "nb-squared-effects + nodematch(class) + absdiff(size) + edgecov(road) + nodecov(size)"
    spec = find_model(name).bound(whole)
    draw = draw_parameters(12, 2, seed=2, model=spec, directed=directed)
    chosen = np.array([0, 1, 3, 5, 8, 9, 11])
    smaller, network = among(spec, whole, chosen)
    assert network.names == tuple(names[node] for node in chosen)
    i, j = np.nonzero(~np.eye(7, dtype=bool))
    np.testing.assert_array_equal(network.weight_of(i, j), whole.weight_of(chosen[i], chosen[j]))
    of_nodes = ("z", "sender_effect", "receiver_effect")
    part = {key: value[chosen] if key in of_nodes else value for key, value in draw.items()}
    np.testing.assert_allclose(
        log_mean(smaller, part, i, j), log_mean(spec, draw, chosen[i], chosen[j])
    )
    np.testing.assert_array_equal(smaller.covariates.scale, spec.covariates.scale)


def test_without_covariates_the_model_stays_as_it_is():
    network = partly_hidden(simulate(9, 2, seed=1)[0], 1, 0.2)
    spec = find_model("nb-squared")
    assert among(spec, network, np.arange(4))[0] is spec
