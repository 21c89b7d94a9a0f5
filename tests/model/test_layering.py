"""Layers: Stan's density and gradient against SciPy, dyad by dyad; and what their limits are."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import gammaln, logsumexp

from lsm_stan import InputError, LatentSpaceModel, Layers, Network
from lsm_stan.model.family import find_model
from lsm_stan.model.layered_parameters import of_layer
from lsm_stan.model.layering import Layering
from lsm_stan.model.parameters import flat

N, K, L = 7, 2, 3
TIMES = np.array([0.0, 1.0, 4.0])

#: Model, structure, whether directed, whether effects differ by layer.
CASES = [
    ("poisson-inverse", "shared", True, False),
    ("poisson-inverse-effects", "exchangeable", True, True),
    ("poisson-inverse", "ordered", False, False),
    ("poisson-squared", "ordered", True, False),
    ("nb-squared-effects", "shared", True, True),
    ("nb-squared-effects", "exchangeable", True, False),
    ("nb-squared-effects", "ordered", True, True),
    ("nb-inverse", "ordered", True, False),
    ("nb-exponential-effects", "exchangeable", False, True),
    ("bernoulli-inverse", "shared", True, False),
    ("bernoulli-squared-effects", "exchangeable", False, False),
    ("bernoulli-squared", "ordered", True, False),
    ("bernoulli-exponential", "ordered", False, False),
    ("dyadic-squared-effects", "exchangeable", True, False),
    ("dyadic-inner", "ordered", True, False),
    ("tutorial", "ordered", True, False),
    ("nb-squared-effects+nodeocov(x)+edgecov(w)", "exchangeable", True, False),
    ("dyadic-squared+edgecov(w)+absdiff(x)+offset(log(hours))", "ordered", True, False),
    ("poisson-inverse+nodecov(x)+nodematch(kind)+offset(size)", "shared", False, False),
    ("bernoulli-exponential-effects+nodeicov(x)+edgecov(w)", "ordered", True, True),
    ("nb-inner+nodecov(x)", "exchangeable", True, False),
    ("nb-squared-roles", "ordered", True, False),
    ("poisson-inverse-roles", "shared", True, True),
    ("bernoulli-inner-roles+edgecov(w)", "exchangeable", True, False),
    ("nb-squared-effects+clusters(2)", "exchangeable", True, False),
    ("bernoulli-exponential+clusters(3)", "ordered", False, False),
]

#: Facts about nodes; those about dyads depend on whether these have a direction.
NODES = pd.DataFrame(
    {"x": [0.5, -1.0, 2.0, 0.1, 0.7, -0.3, 1.1], "kind": list("aabbcab"), "size": np.arange(7) / 9},
    index=[f"n{node}" for node in range(N)],
)


def dyads(directed: bool, sparse: bool) -> pd.DataFrame:
    """Return facts about dyads: of some, or of all."""
    pairs = [(i, j) for i in range(N) for j in range(N) if (i != j if directed else i < j)]
    kept = [(i, j) for i, j in pairs if not sparse or (3 * i + j) % 4 == 0]
    index = pd.MultiIndex.from_tuples([(f"n{i}", f"n{j}") for i, j in kept])
    values = {
        "w": [(i - 2 * j) % 5 / 3 for i, j in kept],
        "hours": [1 + i + j / 2 for i, j in kept],
    }
    return pd.DataFrame(values, index=index)


def layers(
    seed: int, *, directed: bool = True, binary: bool = False, sparse: bool = True
) -> Layers:
    """Draw layers; the second has not the nodes 2 and 5, and the third has hidden dyads."""
    rng = np.random.default_rng(seed)
    networks = {}
    for label in "abc":
        y = rng.poisson(0.8, size=(N, N)) * rng.integers(1, 5, size=(N, N))
        if not directed:
            y = np.triu(y) + np.triu(y, 1).T
        there = [node for node in range(N) if label != "b" or node not in (2, 5)]
        drawn = Network.from_matrix(
            y[np.ix_(there, there)], names=[f"n{node}" for node in there], directed=directed
        )
        if label == "c":
            drawn = drawn.hide([0, 1, 4], [3, 0, 2])
        networks[label] = drawn.binary() if binary else drawn
    names = [f"n{node}" for node in range(N)]
    tables = {"node_table": NODES, "dyad_table": dyads(directed, sparse)}
    return Layers.of(networks, times=TIMES, names=names, **tables)


def facts(spec, i: int, j: int, directed: bool) -> np.ndarray:
    """Return the values of a model's terms for a dyad, from the tables."""
    table = dyads(directed, sparse=not any(term.column == "log(hours)" for term in spec.terms))
    x, kind, size = (NODES[name].to_numpy() for name in ("x", "kind", "size"))
    ends = (i, j) if directed else (min(i, j), max(i, j))
    row = (f"n{ends[0]}", f"n{ends[1]}")
    value = {
        "nodeocov(x)": x[i] - x.mean(),
        "nodeicov(x)": x[j] - x.mean(),
        "nodecov(x)": x[i] + x[j] - 2 * x.mean(),
        "nodematch(kind)": float(kind[i] == kind[j]),
        "absdiff(x)": abs(x[i] - x[j]),
        "edgecov(w)": table["w"].get(row, 0.0),
        "offset(log(hours))": np.log(table["hours"].get(row, np.nan)),
        "offset(size)": size[i] + size[j],
    }
    return np.array([value[str(term)] for term in spec.terms])


def term_units(spec, directed: bool) -> np.ndarray:
    """Return what coefficients are per: of two values their distance, else the spread."""
    every = [facts(spec, i, j, directed) for i in range(N) for j in range(N) if i != j]
    with_coefficient = [term.kind != "offset" for term in spec.terms]
    columns = np.array(every).reshape(len(every), len(spec.terms))[:, with_coefficient]
    return np.array([np.ptp(c) if len(np.unique(c)) == 2 else c.std() for c in columns.T])


def draw(name: str, structure: str, seed: int, *, directed: bool, by_layer: bool, learned: bool):
    """Draw parameters of a model of layers."""
    rng, spec = np.random.default_rng(seed), find_model(name)
    p = {"z": rng.normal(size=(N, K))}
    change = {"shared": 0.0}.get(structure, 1.0)
    p["z_layer"] = p["z"] + change * rng.normal(size=(L, N, K))
    if structure == "ordered":
        p["z_layer"][0] = p["z"]
    if spec.intercept:
        p["layer_intercept"] = rng.normal(size=L)
    if spec.dispersed:
        p["phi"] = np.asarray(rng.gamma(3) / 2)
    if spec.effects:
        shape = (L, N) if by_layer else (N,)
        prefix = "layer_" if by_layer else ""
        p[f"{prefix}sender_effect"] = rng.normal(size=shape)
        p[f"{prefix}receiver_effect"] = (
            rng.normal(size=shape) if directed else p[f"{prefix}sender_effect"]
        )
    if spec.roles:
        p["role"] = rng.normal(size=(N, K))
    if spec.clusters:
        p["centre"] = rng.normal(size=(spec.clusters, K))
        p["theta"] = rng.dirichlet(np.ones(spec.clusters))
    if spec.with_coefficient:
        p["beta"] = rng.normal(size=len(spec.with_coefficient))
    if learned:
        if spec.form != "inverse":
            p["sigma_z"] = np.asarray(rng.gamma(3) / 3)
        if spec.roles:
            p["sigma_role"] = np.asarray(rng.gamma(3) / 3)
        if spec.clusters:
            p["sigma_cluster"] = rng.gamma(3, size=spec.clusters) / 6
        if structure != "shared":
            p["sigma_change"] = np.asarray(rng.gamma(3) / 4)
        if spec.effects:
            p["sigma_sender"] = np.asarray(rng.gamma(3) / 3)
            p["sigma_receiver"] = np.asarray(rng.gamma(3) / 3) if directed else p["sigma_sender"]
            if directed:
                p["rho"] = np.asarray(rng.uniform(-0.9, 0.9))
    return p


def log_mu(spec, p: dict, layer: int, i: int, j: int, directed: bool) -> float:
    z, role = p["z_layer"][layer], p.get("role", np.zeros((N, K)))
    there, here = z[i] + role[i], z[j] - role[j]
    d = np.linalg.norm(there - here)
    value = {
        "inverse": lambda: -np.log(d),
        "exponential": lambda: -np.sqrt(d**2 + 0.01),
        "squared": lambda: -(d**2),
        "inner": lambda: there @ here,
    }[spec.form]()
    if spec.intercept:
        value += p["layer_intercept"][layer]
    if spec.effects:
        by_layer = "layer_sender_effect" in p
        s, r = (p["layer_" * by_layer + f"{way}_effect"] for way in ("sender", "receiver"))
        value += (s[layer] if by_layer else s)[i] + (r[layer] if by_layer else r)[j]
    beta = iter(p.get("beta", ()))
    for term, fact in zip(spec.terms, facts(spec, i, j, directed), strict=True):
        value += fact * (1.0 if term.kind == "offset" else next(beta))
    return float(value)


def frail(y: list[int], mean: list[float], phi: float) -> float:
    """Return the log probability of counts that share a gamma(phi, phi) frailty."""
    total, rate = sum(y), phi + sum(mean)
    value = phi * np.log(phi) - gammaln(phi) + gammaln(phi + total) - (phi + total) * np.log(rate)
    return float(value + sum(a * np.log(b) - gammaln(a + 1) for a, b in zip(y, mean, strict=True)))


def scipy_log_likelihood(spec, p: dict, data: Layers) -> float:
    total = 0.0
    for layer, (at, network) in enumerate(zip(data.members, data.networks, strict=True)):
        y = network.to_dense()
        hidden = {*zip(network.hidden_sender, network.hidden_receiver, strict=True)}
        for a in range(len(at)):
            for b in range(a + 1, len(at)):
                ways = [(a, b), (b, a)] if data.directed else [(a, b)]
                seen = [way for way in ways if way not in hidden]
                counts = [int(y[way]) for way in seen]
                log_means = [log_mu(spec, p, layer, at[i], at[j], data.directed) for i, j in seen]
                means = np.exp(log_means).tolist()
                if spec.likelihood == "poisson":
                    total += stats.poisson.logpmf(counts, means).sum()
                elif spec.likelihood == "bernoulli":
                    odds = np.array(log_means)
                    total += float(np.sum(np.array(counts) * odds - np.log1p(np.exp(odds))))
                elif spec.likelihood == "nb":
                    total += sum(
                        frail([c], [m], float(p["phi"])) for c, m in zip(counts, means, strict=True)
                    )
                elif seen:
                    total += frail(counts, means, float(p["phi"]))
        if spec.diagonal:
            total += stats.poisson.logpmf(np.diag(y), 1000**-0.5).sum()
    return float(total)


def of_clusters(spec, p: dict, scale: float) -> float:
    """Return the log density of the mixture of positions, and of its parameters."""
    sds = p.get("sigma_cluster", np.full(spec.clusters, spec.cluster_fixed * scale))
    of_each = [
        np.log(share) + stats.norm.logpdf(p["z"], loc=centre, scale=sd).sum(axis=1)
        for share, centre, sd in zip(p["theta"], p["centre"], sds, strict=True)
    ]
    total = logsumexp(of_each, axis=0).sum()
    total += stats.norm.logpdf(p["centre"], scale=scale).sum()
    # the Jacobian of log(theta / theta[last]) is the product of the shares
    total += stats.dirichlet.logpdf(p["theta"], np.ones(spec.clusters)) + np.log(p["theta"]).sum()
    if "sigma_cluster" in p:
        omega = sds / scale
        total += stats.norm.logpdf(
            np.log(omega), np.log(spec.cluster_fixed), spec.cluster_scale
        ).sum()
    return float(total)


def scipy_log_prior(spec, structure: str, p: dict, *, directed: bool, learned: bool) -> float:
    """Return the log density in the coordinates that Stan declares."""
    scale = float(p.get("sigma_z", 1.0))
    total = stats.norm.logpdf(p["z"], scale=scale).sum()
    if spec.clusters:
        total = of_clusters(spec, p, scale)
    if spec.roles:
        spread = float(p.get("sigma_role", spec.role_fixed))
        total += stats.norm.logpdf(p["role"] / spread).sum()
        if learned:
            total += stats.halfnorm.logpdf(spread, scale=spec.sigma_scale) + np.log(spread)
    if "sigma_z" in p:
        total += stats.halfnorm.logpdf(scale, scale=spec.sigma_z_scale)
        total += (1 + N * K) * np.log(scale)
    sigma = float(p.get("sigma_change", 0.3 * scale))
    before = {"exchangeable": [p["z"]] * L, "ordered": [None, *p["z_layer"][:-1]]}
    gaps = np.diff(TIMES)
    steps = {"exchangeable": [1.0] * L, "ordered": [0.0, *np.sqrt(gaps / gaps.mean())]}
    for layer in range(L) if structure != "shared" else ():
        if steps[structure][layer]:
            change = (p["z_layer"][layer] - before[structure][layer]) / steps[structure][layer]
            total += stats.norm.logpdf(change / sigma).sum()
    if "sigma_change" in p:
        ratio = sigma / scale
        total += stats.halfnorm.logpdf(ratio) + np.log(ratio)
    if spec.intercept:
        total += stats.norm.logpdf(p["layer_intercept"], scale=spec.intercept_scale).sum()
    if spec.dispersed:
        root = p["phi"] ** -0.5
        total += stats.halfnorm.logpdf(root, scale=spec.phi_scale) + np.log(root / 2)
    if "beta" in p:
        total += stats.norm.logpdf(p["beta"] * term_units(spec, directed)).sum()
    if spec.effects:
        s, r = (
            p.get(f"layer_{way}_effect", p.get(f"{way}_effect")).reshape(-1)
            for way in ("sender", "receiver")
        )
        one, two = (float(p.get(f"sigma_{way}", 1.0)) for way in ("sender", "receiver"))
        rho = float(p.get("rho", 0.0))
        if directed:
            covariance = [[one**2, rho * one * two], [rho * one * two, two**2]]
            total += stats.multivariate_normal.logpdf(np.stack([s, r], 1), cov=covariance).sum()
            total += len(s) * np.log(one * two * np.sqrt(1 - rho**2))
        else:
            total += stats.norm.logpdf(s / one).sum()
        if learned:
            scales = [one, two] if directed else [one]
            total += (stats.halfnorm.logpdf(scales) + np.log(scales)).sum()
        if learned and directed:
            total += stats.beta.logpdf((1 + rho) / 2, 2, 2) - np.log(2) + np.log(1 - rho**2)
    return float(total)


def model_of(name: str, structure: str, directed: bool, by_layer: bool) -> LatentSpaceModel:
    sparse = "hours" not in name
    data = layers(1, directed=directed, binary=name.startswith("bernoulli"), sparse=sparse)
    layering = Layering(structure, layer_effects=by_layer)
    return LatentSpaceModel(data, K, model=name, prior_scale=1.0, layers=layering)


@pytest.mark.cmdstan
@pytest.mark.parametrize(("name", "structure", "directed", "by_layer"), CASES)
def test_density_is_scipys(name: str, structure: str, directed: bool, by_layer: bool) -> None:
    model = model_of(name, structure, directed, by_layer)
    for learned in (False, True) if model.problem.hierarchical else (False,):
        p = draw(name, structure, 2, directed=directed, by_layer=by_layer, learned=learned)
        expected = scipy_log_likelihood(model.spec, p, model.problem.layers)
        expected += scipy_log_prior(model.spec, structure, p, directed=directed, learned=learned)
        assert model.log_joint.at(p)[0] == pytest.approx(expected, rel=1e-10)


@pytest.mark.cmdstan
@pytest.mark.parametrize(("name", "structure", "directed", "by_layer"), CASES)
def test_gradient_is_that_of_the_density(
    name: str, structure: str, directed: bool, by_layer: bool
) -> None:
    """Of every parameter, by central differences (fourth order) of the checked density."""
    model = model_of(name, structure, directed, by_layer)
    learned = model.problem.hierarchical
    p = draw(name, structure, 6, directed=directed, by_layer=by_layer, learned=learned)
    point = flat(model.problem.declared(p, learned=learned))
    _, gradient = model.log_joint.at_flat(point, learned=learned)
    step = 1e-3
    shifts = step * np.array([2.0, 1.0, -1.0, -2.0])
    probes = point + shifts[:, None, None] * np.eye(point.size)
    values, _ = model.log_joint.at_flat(probes, learned=learned)
    slope = np.array([-1.0, 8.0, -8.0, 1.0]) @ values / (12 * step)
    np.testing.assert_allclose(gradient, slope, rtol=1e-5, atol=1e-6 * np.abs(slope).max())


@pytest.mark.cmdstan
@pytest.mark.parametrize(
    "name",
    ["nb-squared-effects", "poisson-inverse", "bernoulli-inner", "nb-squared-roles+edgecov(w)"],
)
def test_the_kernel_in_stan_says_the_same(name: str) -> None:
    data = layers(1, binary=name.startswith("bernoulli"))
    points = None
    results = []
    for kernel in ("cpp", "stan"):
        model = LatentSpaceModel(
            data, K, model=name, prior_scale=1.0, layers="ordered", kernel=kernel
        )
        if points is None:
            p = draw(name, "ordered", 3, directed=True, by_layer=False, learned=True)
            points = flat(model.problem.declared(p, learned=True))
        results.append(model.log_joint.at_flat(points, learned=True))
    np.testing.assert_allclose(results[0][0], results[1][0], rtol=1e-12)
    scale = np.abs(results[1][1]).max()
    np.testing.assert_allclose(results[0][1], results[1][1], rtol=1e-9, atol=1e-12 * scale)


@pytest.mark.cmdstan
@pytest.mark.parametrize(
    "name",
    [
        *("nb-squared-effects", "poisson-inverse", "tutorial"),
        "dyadic-squared+nodecov(x)+edgecov(w)+clusters(2)",
        "nb-inner-roles+offset(size)+absdiff(x)",
    ],
)
def test_one_layer_is_the_network_alone(name: str) -> None:
    tables = {"node_table": NODES, "dyad_table": dyads(True, True)}
    network = replace(layers(1).networks[0], **tables)
    alone = LatentSpaceModel(network, K, model=name, prior_scale=1.0)
    of_layers = Layers.of({"a": network}, **tables)
    for structure in ("shared", "exchangeable", "ordered"):
        model = LatentSpaceModel(of_layers, K, model=name, prior_scale=1.0, layers=structure)
        p = draw(name, "shared", 2, directed=True, by_layer=False, learned=True)
        p.pop("z_layer")
        if alone.spec.intercept:
            p["layer_intercept"] = p["layer_intercept"][:1]
        single = {n: v for n, v in p.items() if n != "layer_intercept"}
        if alone.spec.intercept:
            single["intercept"] = p["layer_intercept"][0]
        value, gradient = alone.log_joint.at(single)
        layered, of_positions = model.log_joint.at(p)
        assert layered == pytest.approx(value, rel=1e-12)
        np.testing.assert_allclose(of_positions, gradient, rtol=1e-10, atol=1e-12)


@pytest.mark.cmdstan
@pytest.mark.parametrize("structure", ["exchangeable", "ordered"])
def test_without_change_layers_are_shared(structure: str) -> None:
    """At a scale near 0 the likelihood is that of one space, whatever the changes are."""
    name = "nb-squared-effects"
    shared = model_of(name, "shared", True, False)
    p = draw(name, "shared", 2, directed=True, by_layer=False, learned=False)
    together = shared.log_joint.at(p)[0]
    model = model_of(name, structure, True, False)
    values = model.problem.declared(p, learned=True)
    rng = np.random.default_rng(0)
    raw = rng.normal(size=values["change_raw"].shape)
    small = {**values, "change_raw": raw, "log_sigma_change": np.array([-40.0])}
    none = {**values, "log_sigma_change": np.array([-40.0])}
    with_changes, without = (
        model.log_joint.at_flat(flat(v), learned=True)[0] for v in (small, none)
    )
    of_prior = stats.norm.logpdf(raw).sum() - stats.norm.logpdf(0 * raw).sum()
    assert with_changes - without == pytest.approx(of_prior, rel=1e-9)
    at_fixed = model.log_joint.at({**p, "z_layer": np.stack([p["z"]] * L)})[0]
    n_changes = raw.size
    assert at_fixed - together == pytest.approx(n_changes * stats.norm.logpdf(0.0), rel=1e-9)


@pytest.mark.cmdstan
def test_layers_far_apart_are_networks_alone() -> None:
    """Given the changes, the likelihood is the sum of those of the layers' networks."""
    model = model_of("nb-squared-effects", "exchangeable", True, True)
    p = draw("nb-squared-effects", "exchangeable", 2, directed=True, by_layer=True, learned=False)
    expected = scipy_log_likelihood(model.spec, p, model.problem.layers)
    alone = 0.0
    for layer, network in enumerate(model.problem.layers.networks):
        single = LatentSpaceModel(network, K, model="nb-squared-effects", prior_scale=1.0)
        of_one = of_layer(p, model.problem.layers, layer)
        prior = stats.norm.logpdf(of_one["z"]).sum()
        prior += stats.norm.logpdf(of_one["intercept"], scale=5.0)
        prior += stats.norm.logpdf(of_one["sender_effect"]).sum()
        prior += stats.norm.logpdf(of_one["receiver_effect"]).sum()
        root = p["phi"] ** -0.5
        prior += stats.halfnorm.logpdf(root) + np.log(root / 2)
        alone += float(single.log_joint.at(of_one)[0]) - prior
    assert alone == pytest.approx(expected, rel=1e-10)


def test_parameters_and_coordinates_undo_each_other() -> None:
    for name, structure, directed, by_layer in CASES:
        model = model_of(name, structure, directed, by_layer)
        learned = model.problem.hierarchical
        p = draw(name, structure, 3, directed=directed, by_layer=by_layer, learned=learned)
        batch = {key: np.stack([value, value]) for key, value in p.items()}
        points = flat(model.problem.declared(batch, learned=learned))
        again = model.problem.at_flat(points, learned=learned)
        assert set(again) == set(p)
        for key, value in batch.items():
            np.testing.assert_allclose(again[key], value, rtol=1e-9, atol=1e-12)


def test_steps_are_square_roots_of_times() -> None:
    source, step = Layering("ordered").steps(layers(1))
    assert source.tolist() == [-1, 0, 1]
    np.testing.assert_allclose(step, [0, np.sqrt(1 / 2), np.sqrt(3 / 2)])
    at_once = replace(layers(1), times=np.array([0.0, 2.0, 2.0]))
    assert Layering("ordered").steps(at_once)[1][2] == 0
    assert Layering("exchangeable").steps(layers(1))[1].tolist() == [1, 1, 1]
    assert Layering("shared").changes(layers(1)) == 0


@pytest.mark.parametrize(
    ("name", "layering", "message"),
    [
        (
            "nb-squared+nodecov(y)",
            "shared",
            r"nodecov\(y\): the network has no column .y. in its node table, which has x, kind",
        ),
        ("nb-squared+offset(log(hours))", "shared", "dyad 'n0' to 'n1' has no row in the dyad tab"),
        ("nb-squared+offset(size)+edgecov(age)", "shared", "no column 'age' in its dyad table"),
        ("nb-squared", {"layer_effects": True}, "has none; take nb-squared-effects"),
        ("nb-squared", "between", "layers is 'between'; there are shared, exchangeable"),
        ("nb-squared", {"scale": 1}, "layers have no 'scale'; they have structure"),
        ("nb-squared", {"change_scale": 0}, "change_scale is 0; a positive"),
        ("nb-squared", None, "has 3 layers: say how their positions hang together"),
        ("bernoulli-squared", "shared", r"layer 'a': weights go up to \d+"),
    ],
)
def test_what_layers_cannot_have_is_refused(name: str, layering: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        LatentSpaceModel(layers(1), K, model=name, layers=layering)


def test_a_network_alone_has_no_structure() -> None:
    with pytest.raises(InputError, match="--layers says how layers hang together"):
        LatentSpaceModel(layers(1).networks[0], K, layers="shared")
