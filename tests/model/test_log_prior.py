"""Log prior densities: SciPy's, block by block; and with the log likelihood, Stan's own."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lsm_stan import LatentSpaceModel, Network
from lsm_stan.model.family import ModelSpec, find_model
from lsm_stan.model.log_prior import chosen_blocks, log_jacobian, log_prior
from lsm_stan.model.parameters import SCALES
from lsm_stan.model.pointwise import observed_units, pointwise_log_likelihood
from lsm_stan.model.simulation import draw_parameters

N, K, DRAWS = 9, 2, 3

MODELS = [
    "tutorial",
    "poisson-inverse",
    "poisson-exponential-effects",
    "nb-squared-effects",
    "nb-inner-roles",
    "dyadic-exponential-effects",
    "bernoulli-squared-roles",
    "nb-squared-effects+clusters(3)",
    "tutorial+clusters(2)",
    "nb-squared-effects+nodecov(size)+nodematch(kind)",
]


def a_network(spec: ModelSpec, *, directed: bool = True) -> Network:
    rng = np.random.default_rng(1)
    matrix = rng.poisson(0.7, size=(N, N))
    if spec.likelihood == "bernoulli":
        matrix = (matrix > 0).astype(int)
    matrix = matrix if directed else np.triu(matrix) + np.triu(matrix, 1).T
    nodes = pd.DataFrame(
        {"size": rng.normal(3, 20, size=N), "kind": ["a", "b", "c"] * 3}, list("abcdefghi")
    )
    network = Network.from_matrix(matrix, list(nodes.index), directed=directed, node_table=nodes)
    return network.hide([0, 1, 2], [1, 2, 7])


def some_draws(spec: ModelSpec, *, directed: bool, learned: bool) -> dict[str, np.ndarray]:
    drawn = [
        draw_parameters(N, K, seed=seed, model=spec, directed=directed, prior_scale=1.3)
        for seed in range(DRAWS)
    ]
    draws = {name: np.stack([one[name] for one in drawn]) for name in drawn[0]}
    if not learned:
        draws = {name: v for name, v in draws.items() if name not in (*SCALES, "sigma_receiver")}
        draws.pop("rho", None)
    return draws


def normal(values: np.ndarray, scale: np.ndarray | float) -> np.ndarray:
    axes = tuple(range(1, values.ndim))
    scale = np.broadcast_to(scale, len(values)).reshape(-1, *[1] * len(axes))
    return stats.norm.logpdf(values, scale=scale).sum(axis=axes)


@pytest.mark.parametrize("learned", [True, False])
@pytest.mark.parametrize("directed", [True, False])
def test_blocks_have_the_densities_of_scipy(directed, learned):
    spec = replace(
        find_model("nb-squared-effects+clusters(3)+nodecov(size)"),
        concentration=2.0,
        cluster_scale=0.4,
        phi_scale=2.0,
        sigma_scale=0.7,
    )
    spec = spec.bound(a_network(spec, directed=directed))
    p = some_draws(spec, directed=directed, learned=learned)
    actual = log_prior(spec, p, directed=directed, prior_scale=1.3)
    scale = p["sigma_z"] if learned else np.full(DRAWS, 1.3)
    sigma = p["sigma_cluster"] if learned else spec.cluster_fixed * np.outer(scale, np.ones(3))
    centres = normal(p["centre"], scale)
    mixture = [
        sum(
            np.log(
                sum(
                    theta[g] * stats.multivariate_normal.pdf(node, centre[g], s[g] ** 2 * np.eye(K))
                    for g in range(3)
                )
            )
            for node in z
        )
        for z, centre, theta, s in zip(p["z"], p["centre"], p["theta"], sigma, strict=True)
    ]
    expected = {
        "positions": centres + mixture,
        "clusters": np.array([stats.dirichlet.logpdf(t, np.full(3, 2.0)) for t in p["theta"]]),
        "intercept": normal(p["intercept"], spec.intercept_scale),
        "dispersion": stats.halfnorm.logpdf(1 / np.sqrt(p["phi"]), scale=2.0),
        "covariates": normal(p["beta"], spec.beta_scale / spec.covariates.scale[0]),
    }
    if learned:
        omega = np.log(sigma / scale[:, None])
        expected["clusters"] += stats.norm.logpdf(omega, np.log(0.5), 0.4).sum(axis=1)
        expected["positions_scale"] = stats.halfnorm.logpdf(scale, scale=spec.sigma_z_scale)
        names = ["sigma_sender", "sigma_receiver"][: 2 if directed else 1]
        expected["effects_scale"] = sum(stats.halfnorm.logpdf(p[n], scale=0.7) for n in names)
        if directed:  # LKJ(2) of two dimensions is a beta distribution on (-1, 1)
            expected["effects_scale"] += stats.beta.logpdf((p["rho"] + 1) / 2, 2, 2) - np.log(2)
    ones = np.full(DRAWS, spec.sigma_fixed)
    sender, receiver = (p.get(n, ones) for n in ("sigma_sender", "sigma_receiver"))
    rho = p.get("rho", np.zeros(DRAWS))
    if directed:
        both = np.stack([p["sender_effect"], p["receiver_effect"]], axis=-1)
        cross = rho * sender * receiver
        covariance = np.array([[sender**2, cross], [cross, receiver**2]]).transpose(2, 0, 1)
        expected["effects"] = [
            stats.multivariate_normal.logpdf(b, cov=c).sum()
            for b, c in zip(both, covariance, strict=True)
        ]
    else:
        expected["effects"] = normal(p["sender_effect"], sender)
    assert actual.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(actual[name], values, rtol=1e-10, err_msg=name)
    # what the nodes have in common is learned, and then nobody has chosen its scale
    given = {"positions", "effects"} if learned else set()
    assert set(chosen_blocks(actual)) == actual.keys() - given


def test_roles_have_a_normal_density():
    spec = find_model("nb-inner-roles")
    draws = some_draws(spec, directed=True, learned=True)
    actual = log_prior(spec, draws, directed=True, prior_scale=1.0)
    np.testing.assert_allclose(actual["roles"], normal(draws["role"], draws["sigma_role"]))
    expected = stats.halfnorm.logpdf(draws["sigma_role"], scale=spec.sigma_scale)
    np.testing.assert_allclose(actual["roles_scale"], expected)


@pytest.mark.cmdstan
@pytest.mark.parametrize("learned", [True, False])
@pytest.mark.parametrize("directed", [True, False])
@pytest.mark.parametrize("name", MODELS)
def test_priors_jacobian_and_likelihood_are_the_log_joint_of_stan(name, directed, learned):
    spec = find_model(name)
    if not directed and (spec.likelihood == "dyadic" or spec.roles):
        pytest.skip("of directed networks only")
    network = a_network(spec, directed=directed)
    model = LatentSpaceModel(network, K, model=spec, prior_scale=1.3)
    draws = some_draws(model.spec, directed=directed, learned=learned)
    options = {"directed": directed, "prior_scale": 1.3}
    total = log_jacobian(model.spec, draws, **options)
    total = total + sum(log_prior(model.spec, draws, **options).values())
    pairs = observed_units(network, "pair")
    total = total + pointwise_log_likelihood(model.spec, draws, network, pairs, "pair").sum(axis=-1)
    if spec.diagonal:
        loops = np.diag(network.to_dense())
        total = total + stats.poisson.logpmf(loops, 1 / np.sqrt(model.problem.jitter)).sum()
    z = draws.pop("z")
    np.testing.assert_allclose(total, model.log_prob_grad(z, **draws)[0], rtol=1e-10, atol=1e-8)
