"""Clusters: labels are matched, partitions are found, and known clusters come back."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import adjusted_rand_score

from lsm_stan import Fit, InputError, LatentSpaceModel, compare, make_report, simulate
from lsm_stan.criticism.ppc import predictive_checks
from lsm_stan.model.family import find_model
from lsm_stan.model.parameters import Parameters, declared
from lsm_stan.model.simulation import draw_parameters
from lsm_stan.network.network import Network
from lsm_stan.posterior.clusters import (
    CANDIDATES,
    cluster_table,
    co_membership,
    find_clusters,
    least_binder_loss,
    match_labels,
    mean_clusters,
    membership,
)
from lsm_stan.prediction.dyads import predict
from lsm_stan.prediction.selection import n_parameters, select
from lsm_stan.report.plots import plot_clusters
from tests.support.made import disguised, made_fit

G, K = 3, 2
CENTRES = np.array([[1.5, 0.0], [-1.0, 1.2], [-0.5, -1.5]])
MODEL = "nb-squared+clusters(3)"


def made_draws(rng: np.random.Generator, n_nodes: int = 12, size: int = 40) -> Parameters:
    """Return draws of two chains about clusters that overlap a little, labels all the same."""
    shape = (2, size)
    theta = rng.dirichlet(np.array([60.0, 30.0, 15.0]), size=shape)
    label = np.array([0, 0, 0, 1, 1, 2])[np.arange(n_nodes) % 6]
    z = CENTRES[label] + 0.5 * rng.normal(size=(n_nodes, K))
    return {
        "z": z + 0.2 * rng.normal(size=(*shape, n_nodes, K)),
        "centre": CENTRES + 0.2 * rng.normal(size=(*shape, G, K)),
        "theta": theta,
        "sigma_cluster": 0.6 * np.exp(0.2 * rng.normal(size=(*shape, G))),
    }


def drawn_memberships(draws: Parameters) -> np.ndarray:
    values = membership(draws["z"], draws["centre"], draws["theta"], draws["sigma_cluster"])
    return values.reshape(-1, *values.shape[-2:])


def test_membership_is_bayes_rule():
    draws = made_draws(np.random.default_rng(1), size=3)
    actual = membership(draws["z"], draws["centre"], draws["theta"], draws["sigma_cluster"])
    for index in np.ndindex(2, 3):
        one = {name: values[index] for name, values in draws.items()}
        joint = np.column_stack(
            [
                share * stats.multivariate_normal(centre, sd**2).pdf(one["z"])
                for share, centre, sd in zip(
                    one["theta"], one["centre"], one["sigma_cluster"], strict=True
                )
            ]
        )
        expected = joint / joint.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(actual[index], expected, rtol=1e-10, atol=1e-14)


def test_a_share_of_zero_is_no_cluster():
    theta = np.array([1.0, 0.0])
    actual = membership(np.zeros((2, 1)), np.zeros((2, 1)), theta, np.ones(2))
    np.testing.assert_allclose(actual, [[1, 0], [1, 0]], atol=1e-90)


@pytest.mark.parametrize("size", [25, CANDIDATES])
def test_the_partition_has_the_least_expected_loss(size):
    """Against the loss written out, pair by pair."""
    rng = np.random.default_rng(2)
    drawn = drawn_memberships(made_draws(rng, size=size))
    step = 1 if len(drawn) <= CANDIDATES else 2
    drawn = drawn * rng.dirichlet(np.ones(G), size=drawn.shape[:2])
    drawn /= drawn.sum(axis=-1, keepdims=True)
    kept = drawn[::step]
    together = np.mean([p @ p.T for p in kept], axis=0)
    losses = []
    for p in kept:
        label = p.argmax(axis=1)
        same = label[:, None] == label
        losses.append(np.sum(np.where(same, 1 - together, together)[np.triu_indices(12, 1)]))
    actual = least_binder_loss(drawn)
    assert actual % step == 0
    assert losses[actual // step] == pytest.approx(min(losses), abs=1e-9)
    assert max(losses) > min(losses) + 1


def test_co_membership_is_that_of_sampled_labels():
    drawn = drawn_memberships(made_draws(np.random.default_rng(3), size=5))
    rng, repeats = np.random.default_rng(4), 4000
    counts = np.zeros((12, 12))
    for _ in range(repeats):
        p = drawn[rng.integers(len(drawn))]
        label = (rng.random((12, 1)) > p.cumsum(axis=1)[:, :-1]).sum(axis=1)
        counts += label[:, None] == label
    error = np.sqrt(0.25 / repeats)
    np.testing.assert_allclose(co_membership(drawn), counts / repeats, atol=5 * error)


def test_labels_of_draws_are_matched():
    rng = np.random.default_rng(5)
    truth = rng.dirichlet(np.full(G, 0.3), size=20)
    noisy = 0.9 * truth + 0.1 * rng.dirichlet(np.ones(G), size=(30, 20))
    permutations = np.array([rng.permutation(G) for _ in noisy])
    shuffled = np.take_along_axis(noisy, permutations[:, None], axis=-1)
    order, mean = match_labels(shuffled, shuffled[0])
    # one permutation, that of the first draw, is left
    undone = np.take_along_axis(permutations, order, axis=-1)
    np.testing.assert_array_equal(undone, np.tile(permutations[0], (30, 1)))
    np.testing.assert_allclose(mean, noisy.mean(axis=0)[:, permutations[0]])


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32 - 1))
def test_rotations_and_permutations_of_every_draw_change_nothing(seed):
    rng = np.random.default_rng(seed)
    spec, draws = find_model(MODEL), made_draws(rng)
    positions = draws["z"].mean(axis=(0, 1))
    z, others = disguised(draws["z"], draws, rng)
    hidden = {"z": z, **others}
    one, other = (find_clusters(spec, values, positions) for values in (draws, hidden))
    np.testing.assert_array_equal(one.partition, other.partition)
    for name in ("probability", "centre", "theta", "sigma", "drawn"):
        np.testing.assert_allclose(getattr(other, name), getattr(one, name), atol=1e-10)
    np.testing.assert_allclose(
        co_membership(drawn_memberships(hidden)), co_membership(one.drawn), atol=1e-10
    )
    means = mean_clusters(other, hidden)
    assert list(means) == ["centre", "theta", "sigma_cluster"]
    # labels were never switched in these draws: means are those of the draws as they were made
    np.testing.assert_allclose(np.sort(means["theta"]), np.sort(draws["theta"].mean((0, 1))))
    assert means["centre"].shape == (G, K)


def test_the_table_has_the_largest_cluster_first():
    draws = made_draws(np.random.default_rng(6), size=200)
    actual = find_clusters(find_model(MODEL), draws, draws["z"].mean(axis=(0, 1)))
    table = cluster_table(actual)
    assert table["cluster"].tolist() == [1, 2, 3]
    assert table["nodes"].sum() == 12
    sizes = actual.probability.sum(axis=0)
    assert np.all(np.diff(sizes) <= 0)
    np.testing.assert_allclose(actual.drawn.mean(axis=0), actual.probability)
    low, high = np.quantile(actual.theta.reshape(-1, G), [0.05, 0.95], axis=0)
    np.testing.assert_allclose(table[["theta_low", "theta_high"]], np.column_stack([low, high]))
    one = {name: values[:1, :1] for name, values in draws.items()}
    alone = cluster_table(find_clusters(find_model(MODEL), one, one["z"][0, 0]))
    assert alone[["theta_low", "sd_high"]].isna().all(axis=None)


@pytest.mark.parametrize("name", ["tutorial+clusters(3)", "nb-squared+clusters(3)"])
def test_simulated_clusters_follow_their_prior(name):
    rng, spec = np.random.default_rng(7), find_model(name)
    rows = [draw_parameters(4, 1, seed=rng, model=spec, prior_scale=2.0) for _ in range(2000)]
    scale = np.array([row.get("sigma_z", 2.0) for row in rows])
    centre = np.array([row["centre"][0, 0] for row in rows]) / scale
    theta = np.array([row["theta"] for row in rows])
    sigma = np.array([row["sigma_cluster"] for row in rows])
    omega = np.log(sigma[:, 1] / scale)
    # a position, transformed by its distribution given the clusters, is uniform
    z, centres = (np.array([row[k][..., 0] for row in rows]) for k in ("z", "centre"))
    uniform = np.sum(theta * stats.norm.cdf(z[:, 2, None], centres, sigma), axis=1)
    for values, distribution in (
        (centre, stats.norm()),
        (theta[:, 0], stats.beta(spec.concentration, 2 * spec.concentration)),
        (omega, stats.norm(np.log(spec.cluster_fixed), spec.cluster_scale)),
        (uniform, stats.uniform()),
    ):
        assert stats.kstest(values, distribution.cdf).pvalue > 1e-3
    np.testing.assert_allclose(theta.sum(axis=1), 1)


def clustered_network(n_nodes: int, seed: int) -> tuple[Network, np.ndarray, Parameters]:
    """Return a network of three clusters far apart, the labels, and the parameters."""
    rng = np.random.default_rng(seed)
    label = np.arange(n_nodes) % G
    truth = {
        "z": CENTRES[label] + 0.25 * rng.normal(size=(n_nodes, K)),
        "intercept": np.array(1.0),
        "phi": np.array(2.0),
        "centre": CENTRES,
        "theta": np.full(G, 1 / G),
    }
    network, _ = simulate(n_nodes, K, seed=seed, model=MODEL, parameters=truth)
    return network, label, truth


@pytest.fixture(scope="module")
def known() -> tuple[LatentSpaceModel, np.ndarray, Parameters]:
    network, label, truth = clustered_network(60, 1)
    return LatentSpaceModel(network, K, model=MODEL), label, truth


@pytest.fixture(scope="module")
def mode(known: tuple[LatentSpaceModel, np.ndarray, Parameters]) -> Fit:
    return known[0].optimize(seed=1, starts=4, show_progress=False)


@pytest.mark.cmdstan
def test_map_finds_known_clusters(known, mode):
    model, label, truth = known
    assert mode.converged
    assert adjusted_rand_score(label, mode.clusters.partition) > 0.9
    assert mode.log_joint > model.log_prob_grad(**truth)[0]
    assert mode.log_joint == pytest.approx(mode.idata.sample_stats["lp"].item())
    assert mode.clusters.sigma == pytest.approx(0.5 * model.problem.prior_scale)  # held fixed


@pytest.mark.cmdstan
@pytest.mark.parametrize("method", ["advi", "nuts"])
def test_other_methods_find_known_clusters_and_all_that_follows_runs(
    known, mode, method, tmp_path: Path
):
    model, label, _ = known
    short = {"chains": 2, "iter_warmup": 100, "iter_sampling": 100} if method == "nuts" else {}
    fit = model.fit(method, seed=1, init=mode, show_progress=False, **short)
    assert adjusted_rand_score(label, fit.clusters.partition) > 0.9
    for name, dims in {"centre": (G, K), "theta": (G,), "sigma_cluster": (G,)}.items():
        assert fit.estimate[name].shape == dims
    assert fit.estimate["theta"].sum() == pytest.approx(1)
    # centres lie among the positions of their nodes
    means = [fit.positions[fit.clusters.partition == g].mean(axis=0) for g in range(G)]
    assert np.linalg.norm(fit.estimate["centre"] - means, axis=1).max() < 0.5
    again = Fit.load(fit.save(tmp_path / "fit"))
    np.testing.assert_array_equal(again.clusters.partition, fit.clusters.partition)
    assert again.estimate.keys() == fit.estimate.keys()
    assert len(predict(again, top=5)) == 10
    assert not predictive_checks(again, replications=10).table.empty
    assert compare({"map": mode, method: again}).reference == method
    invariants = again.invariants().posterior
    assert invariants["theta"].dims == ("chain", "draw", "cluster")
    report = make_report({"map": mode, method: again}, lambda _: None)
    assert report.clusters["nodes"].tolist() == [20, 20, 20]
    assert report.nodes["cluster_probability"].between(1 / G, 1).all()


@pytest.mark.cmdstan
@pytest.mark.parametrize(
    ("name", "dim"),
    [
        ("poisson-squared+clusters(2)", 3),
        ("nb-exponential-effects+clusters(3)", 2),
        ("bernoulli-inner-roles+clusters(2)", 2),
        ("nb-squared+clusters(2)", 1),
    ],
)
def test_centres_turn_with_the_positions(name, dim):
    """No direction of a mode is flat but the rotations of positions, roles and centres."""
    spec = find_model(name)
    given = draw_parameters(24, dim, seed=3, model=spec)
    given |= {name: np.array(1.0) for name in ("intercept", "phi") if name in given}
    given |= {"z": given["z"] / given.get("sigma_z", 1.0)}
    network, _ = simulate(24, dim, seed=3, model=spec, parameters=given)
    fit = LatentSpaceModel(network, dim, model=spec).optimize(seed=2, starts=2, show_progress=False)
    curvature = fit.record.details["curvature"]
    assert curvature["rotations"] == dim * (dim - 1) // 2
    assert curvature["is_mode"]
    assert fit.converged


@pytest.mark.cmdstan
def test_the_number_of_clusters_is_compared_on_held_out_dyads(tmp_path):
    network, _, _ = clustered_network(30, 2)
    models = ["nb-squared", "nb-squared+clusters(2)", MODEL]
    actual = select(
        network,
        tmp_path / "chosen",
        dims=[K],
        models=models,
        n_splits=2,
        seed=1,
        arguments={"starts": 2},
        say=lambda _: None,
    )
    assert set(actual.scores["model"]) == set(models)
    assert np.isfinite(actual.scores["log_density"]).all()
    one, *others = (n_parameters(find_model(name), 30, K, directed=True) for name in models)
    # centres, shares, which sum to 1, and standard deviations
    assert [other - one for other in others] == [2 * K + 1 + 2, 3 * K + 2 + 3]


def test_bad_numbers_of_clusters_are_refused():
    network, truth = simulate(9, K, seed=1)
    positions = truth["z"]
    with pytest.raises(InputError, match="10 clusters of 9 nodes; at most one a node"):
        LatentSpaceModel(network, K, model="tutorial+clusters(10)")
    fit = made_fit(network, positions[None, None], "map")
    assert fit.clusters is None
    with pytest.raises(InputError, match="the model is tutorial; one with clusters is needed"):
        plot_clusters(fit)


def test_clusters_of_a_name_are_read_or_refused():
    assert find_model("nb-squared + clusters ( 3 )") == find_model(MODEL)
    wrong = ["clusters(x)", "clusters", "clusters()", "clusters(0)", "clusters(2.5)", "cluster(3)",
             "clusters(-2)", "clusters(2)+clusters(2)", "clusters(2)+clusters(x)"]  # fmt: skip
    for term in wrong:
        with pytest.raises(
            InputError, match=r"say once clusters\(G\), with G, how many, 2 or more"
        ):
            find_model(f"nb-squared+{term}")


def test_first_centres_of_nodes_in_one_place():
    """Two nodes have no third place for a centre: it starts where another does."""
    spec = find_model("tutorial+clusters(3)")
    z = np.repeat([[0.0, 1.0], [2.0, 3.0]], 4, axis=0)
    centre = declared({"z": z}, spec, directed=True, learned=False)["centre"]
    assert centre.shape == (G, K)
    assert {tuple(place) for place in centre} == {(0.0, 1.0), (2.0, 3.0)}
