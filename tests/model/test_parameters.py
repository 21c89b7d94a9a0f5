"""Points in Stan's coordinates, and back."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from lsm_stan.model.family import find_model
from lsm_stan.model.parameters import declared, flat, from_flat
from lsm_stan.network.network import Network

NAMES = (
    "tutorial",
    "nb-exponential",
    "poisson-squared-effects",
    "bernoulli-inner-roles",
    "nb-squared-effects+nodecov(size)+clusters(3)",
    "dyadic-inverse-effects",
)


@pytest.mark.parametrize("learned", [True, False])
@pytest.mark.parametrize(
    ("name", "directed"),
    [
        (name, directed)
        for name in NAMES
        for directed in (True, False)
        if directed or "roles" not in name
    ],
)
def test_parameters_at_flat_points_are_declared_as_those_points(name, learned, directed):
    nodes = pd.DataFrame({"size": [1.0, 2.0, 4.0, 8.0, 9.0]}, index=list("abcde"))
    edges = ["a", "b", "c", "d"], ["b", "c", "d", "e"], [1, 1, 1, 1]
    network = Network.from_edges(*edges, directed=directed, node_table=nodes)
    spec = find_model(name).bound(network)
    options = {"directed": directed, "learned": learned, "prior_scale": 1.3}
    at_ones = declared(
        {"z": np.ones((5, 2)), "centre": np.zeros((spec.clusters, 2))}, spec, **options
    )
    size = flat(at_ones).shape[-1]
    points = np.random.default_rng(1).normal(size=(3, 4, size))
    parameters = from_flat(points, spec, n_nodes=5, dim=2, **options)
    assert parameters["z"].shape == (3, 4, 5, 2)
    assert_allclose(flat(declared(parameters, spec, **options)), points, rtol=1e-10, atol=1e-12)
