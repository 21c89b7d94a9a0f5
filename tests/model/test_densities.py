"""Every model of the family: Stan's density and gradient against SciPy, dyad by dyad."""

import json
from dataclasses import replace
from itertools import combinations, product

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, special, stats

from lsm_stan import InputError, LatentSpaceModel, Network
from lsm_stan.model.family import FORMS, LIKELIHOODS, MODELS, ModelSpec, find_model, read_spec
from lsm_stan.model.likelihood import (
    conditional_log_likelihood,
    log_likelihood,
    log_mean,
    log_rising,
    pair_log_likelihood,
)
from lsm_stan.model.parameters import declared, flat
from lsm_stan.model.terms import NODE_TERMS, Term

N, K = 9, 3


def network(
    seed: int, *, directed: bool = True, hidden: bool = True, binary: bool = False
) -> Network:
    """Draw a network with self-loops; of hidden dyads two are both directions of a pair."""
    rng = np.random.default_rng(seed)
    y = rng.poisson(0.6, size=(N, N)) * rng.integers(1, 9, size=(N, N))
    if not directed:
        y = np.triu(y) + np.triu(y, 1).T
    drawn = Network.from_matrix(y, directed=directed)
    sender, receiver = np.nonzero(np.triu(rng.random((N, N)) < 0.4, 1))
    flipped = rng.random(len(sender)) < 0.5 * directed
    ends = np.where(flipped, [receiver, sender], [sender, receiver])
    contact = pd.Series(rng.normal(size=len(sender)), pd.MultiIndex.from_arrays(ends.astype(str)))
    every = [(str(i), str(j)) for i in range(N) for j in range(N) if i < j or (directed and i > j)]
    if not directed:  # a pair has one row, in either order
        every = [tuple(reversed(pair)) if pair[::-1] in contact.index else pair for pair in every]
    dyads = pd.DataFrame(index=pd.MultiIndex.from_tuples(every))
    dyads["contact"] = contact.reindex(dyads.index, fill_value=0.0)
    dyads["area"] = rng.gamma(2, size=len(dyads))
    nodes = pd.DataFrame(
        {"size": rng.normal(size=N), "group": list("abcabcaab"), "years": rng.gamma(3, size=N)},
        index=map(str, range(N)),
    )
    drawn = drawn.hide([0, 1, 4, 7, 2], [3, 0, 2, 8, 4]) if hidden else drawn
    drawn = replace(drawn, node_table=nodes, dyad_table=dyads)
    return drawn.binary() if binary else drawn


def draw(spec: ModelSpec, seed: int, *, directed: bool = True, learned: bool = False) -> dict:
    rng = np.random.default_rng(seed)
    values = {"z": rng.normal(size=(N, K))}
    if spec.intercept:
        values["intercept"] = np.asarray(rng.normal())
    if spec.dispersed:
        values["phi"] = np.asarray(rng.gamma(2))
    if spec.effects:
        values["sender_effect"] = rng.normal(size=N)
        values["receiver_effect"] = rng.normal(size=N) if directed else values["sender_effect"]
        if learned:
            values["sigma_sender"] = np.asarray(rng.gamma(3) / 3)
            values["sigma_receiver"] = np.asarray(rng.gamma(3) / 3)
            values["rho"] = np.asarray(rng.uniform(-0.9, 0.9))
    if spec.roles:
        values["role"] = rng.normal(size=(N, K))
        if learned:
            values["sigma_role"] = np.asarray(rng.gamma(3) / 3)
    if learned and spec.form != "inverse":
        values["sigma_z"] = np.asarray(rng.gamma(3) / 3)
    if covariates := spec.coords.get("covariate"):
        values["beta"] = rng.normal(size=len(covariates))
    if spec.clusters:
        values["centre"] = rng.normal(size=(spec.clusters, K))
        values["theta"] = rng.dirichlet(np.ones(spec.clusters))
        if learned:
            values["sigma_cluster"] = rng.gamma(3, size=spec.clusters) / 3
    return values


def covariate(data: Network, term: Term, i: int, j: int) -> float:
    """Return a covariate of one dyad by looking it up."""
    nodes, dyads = data.node_table, data.dyad_table
    if term.column == "log(years)":
        return float(np.log(nodes["years"].iloc[[i, j]]).sum())
    if term.kind in ("edgecov", "offset"):
        ends = [(str(i), str(j))] if data.directed else [(str(i), str(j)), (str(j), str(i))]
        value = sum(float(dyads[term.column.strip("log()")].get(end, 0.0)) for end in ends)
        return float(np.log(value)) if term.column.startswith("log") else value
    x, y = nodes[term.column].iloc[[i, j]]
    mean = nodes["size"].mean()
    return {
        "nodeocov": lambda: x - mean,
        "nodeicov": lambda: y - mean,
        "nodecov": lambda: x + y - 2 * mean,
        "nodematch": lambda: float(x == y),
        "absdiff": lambda: abs(x - y),
    }[term.kind]()


def log_mu(spec: ModelSpec, p: dict, i: int, j: int, data: Network | None = None) -> float:
    sends, receives = p["z"][i] + p.get("role", np.zeros((N, K)))[i], p["z"][j]
    receives = receives - p.get("role", np.zeros((N, K)))[j]
    d = np.linalg.norm(sends - receives)
    value = {
        "inverse": -np.log(d),
        "exponential": -np.sqrt(d**2 + 0.01),
        "squared": -(d**2),
        "inner": sends @ receives,
    }[spec.form]
    effects = p["sender_effect"][i] + p["receiver_effect"][j] if spec.effects else 0.0
    terms = [covariate(data, term, i, j) for term in spec.terms]
    ones = np.ones(len(terms) - len(p.get("beta", [])))  # of offsets, which come last
    beta = np.append(p.get("beta", []), ones)
    return float(value + p.get("intercept", 0.0) + effects + np.dot(terms, beta))


def negative_binomial(y: int, mean: float, size: float) -> float:
    return float(stats.nbinom.logpmf(y, size, size / (size + mean)))


def shared_frailty(y: list[int], mean: list[float], phi: float) -> float:
    """Integrate Poisson densities over their frailty."""

    def integrand(g: float) -> float:
        return stats.gamma.pdf(g, phi, scale=1 / phi) * np.prod(
            [stats.poisson.pmf(a, g * b) for a, b in zip(y, mean, strict=True)]
        )

    value, _ = integrate.quad(integrand, 0, np.inf, epsabs=0, epsrel=1e-11, limit=500)
    return float(np.log(value))


def closed_form(y: list[int], mean: list[float], phi: float) -> float:
    """Return the same from the gamma integral."""
    total, rate = sum(y), phi + sum(mean)
    value = phi * np.log(phi) - special.gammaln(phi)
    value += special.gammaln(phi + total) - (phi + total) * np.log(rate)
    return float(
        value + sum(a * np.log(b) - special.gammaln(a + 1) for a, b in zip(y, mean, strict=True))
    )


@pytest.mark.parametrize("phi", [0.8, 3.0])
@pytest.mark.parametrize("y", [[0, 0], [3, 0], [2, 7]])
def test_the_shared_frailty_has_a_closed_form(phi, y) -> None:
    mean = [0.7, 1.9]
    assert closed_form(y, mean, phi) == pytest.approx(shared_frailty(y, mean, phi), rel=1e-7)
    assert closed_form(y[:1], mean[:1], phi) == pytest.approx(
        negative_binomial(y[0], mean[0], phi), rel=1e-12
    )


def scipy_log_likelihood(spec: ModelSpec, p: dict, data: Network) -> float:
    y = data.to_dense()
    hidden = np.zeros((N, N), dtype=bool)
    hidden[data.hidden_sender, data.hidden_receiver] = True
    total = 0.0
    for i in range(N):
        for j in range(i + 1, N):
            ways = [(i, j), (j, i)] if data.directed else [(i, j)]
            seen = [way for way in ways if not hidden[way]]
            weights, means = [y[w] for w in seen], [np.exp(log_mu(spec, p, *w, data)) for w in seen]
            if spec.likelihood == "poisson":
                total += stats.poisson.logpmf(weights, means).sum()
            elif spec.likelihood == "bernoulli":
                total += stats.bernoulli.logpmf(weights, special.expit(np.log(means))).sum()
            elif spec.likelihood == "nb":
                # SciPy's own loses digits where the mean is small
                phi = float(p["phi"])
                total += sum(
                    closed_form([a], [b], phi) for a, b in zip(weights, means, strict=True)
                )
            elif seen:
                total += closed_form(weights, means, float(p["phi"]))
    if spec.diagonal:
        total += stats.poisson.logpmf(np.diag(y), 1000**-0.5).sum()
    return float(total)


def scale_of(spec: ModelSpec, data: Network) -> np.ndarray:
    """Return the range of every covariate of two values, the standard deviation of others."""
    dyads = [(i, j) for i in range(N) for j in range(N) if i != j]
    terms = [term for term in spec.terms if term.kind != "offset"]
    columns = [np.array([covariate(data, term, *d) for d in dyads]) for term in terms]
    return np.array([np.ptp(x) if len(set(x)) == 2 else np.std(x) for x in columns])


def scipy_log_prior(
    spec: ModelSpec, p: dict, data: Network, *, directed: bool, learned: bool
) -> float:
    """Return the log density of the parameters in the coordinates the Stan program declares."""
    scale = p.get("sigma_z", 1.0)
    if spec.clusters:
        sigma = p.get("sigma_cluster", np.full(spec.clusters, spec.cluster_fixed * scale))
        of_clusters = [
            theta * stats.multivariate_normal.pdf(p["z"], centre, sd**2)
            for theta, centre, sd in zip(p["theta"], p["centre"], sigma, strict=True)
        ]
        total = np.log(np.sum(of_clusters, axis=0)).sum()
        total += stats.norm.logpdf(p["centre"], scale=scale).sum()
        # per cluster, d(theta) / d(theta_raw) is theta
        concentration = np.full(spec.clusters, spec.concentration)
        total += stats.dirichlet.logpdf(p["theta"], concentration) + np.log(p["theta"]).sum()
        if learned:  # in units of the positions' scale
            prior = stats.lognorm(spec.cluster_scale, scale=spec.cluster_fixed)
            omega = sigma / scale
            total += (prior.logpdf(omega) + np.log(omega)).sum()
    else:
        total = stats.norm.logpdf(p["z"], scale=scale).sum()
    if "beta" in p:
        total += stats.norm.logpdf(p["beta"] * scale_of(spec, data), scale=spec.beta_scale).sum()
    if spec.roles:  # in units of the scale
        spread = p.get("sigma_role", spec.role_fixed)
        total += stats.norm.logpdf(p["role"] / spread).sum()
    if "sigma_role" in p:
        total += stats.halfnorm.logpdf(spread, scale=spec.sigma_scale) + np.log(spread)
    if "sigma_z" in p:
        total += stats.halfnorm.logpdf(p["sigma_z"], scale=spec.sigma_z_scale)
        # positions in units of it: d(z) / d(z_raw) is the scale, in each coordinate
        total += (1 + N * K) * np.log(p["sigma_z"])
    if spec.intercept:
        total += stats.norm.logpdf(p["intercept"], scale=spec.intercept_scale)
    if spec.dispersed:
        root = p["phi"] ** -0.5  # half-normal; |d root / d log phi| = root / 2
        total += stats.halfnorm.logpdf(root, scale=spec.phi_scale) + np.log(root / 2)
    if spec.effects:
        s, r = p["sender_effect"], p["receiver_effect"]
        one, two = (p["sigma_sender"], p["sigma_receiver"]) if learned else (1.0, 1.0)
        rho = p["rho"] if learned and directed else 0.0
        if directed:
            covariance = [[one**2, rho * one * two], [rho * one * two, two**2]]
            total += stats.multivariate_normal.logpdf(np.stack([s, r], 1), cov=covariance).sum()
            # per node, d(effects) / d(effect_raw)
            total += N * np.log(one * two * np.sqrt(1 - rho**2))
        else:
            total += stats.norm.logpdf(s / one).sum()
        if learned:
            scales = [one, two] if directed else [one]
            total += (stats.halfnorm.logpdf(scales, scale=spec.sigma_scale) + np.log(scales)).sum()
        if learned and directed:
            # LKJ(2) of a 2 x 2 matrix: (1 + rho) / 2 is beta(2, 2); d tanh(x) / dx = 1 - rho^2
            total += stats.beta.logpdf((1 + rho) / 2, 2, 2) - np.log(2) + np.log(1 - rho**2)
    return float(total)


#: Name, whether directed, whether dyads are hidden: every two choices meet in a case.
CASES = [
    ("tutorial", True, True),
    ("tutorial", False, False),
    ("tutorial+nodematch(group)", True, True),
    ("tutorial+clusters(2)", True, False),
    ("poisson-inverse-roles+edgecov(contact)", True, True),
    ("poisson-inverse-effects+nodeocov(size)", True, True),
    ("poisson-exponential+nodecov(size)", False, False),
    ("poisson-squared-roles+clusters(3)", True, True),
    ("poisson-inner-roles+nodematch(group)", True, False),
    ("nb-inverse+absdiff(size)", True, True),
    ("nb-exponential-effects+clusters(2)", False, True),
    ("nb-squared-effects+nodecov(size)+nodematch(group)+offset(log(years))", True, True),
    ("poisson-inverse+nodeocov(size)+edgecov(contact)+offset(log(area))", True, True),
    ("dyadic-squared+offset(area)", True, True),
    ("tutorial+offset(log(years))", False, True),
    ("nb-squared+edgecov(contact)+clusters(2)", False, False),
    ("nb-inner-roles+nodeicov(size)+clusters(2)", True, True),
    ("dyadic-inverse+clusters(2)", True, True),
    ("dyadic-exponential+nodematch(group)+absdiff(size)+clusters(2)", True, False),
    ("dyadic-squared-effects+nodeocov(size)", True, False),
    ("dyadic-inner-effects+edgecov(contact)", True, True),
    ("bernoulli-inverse-effects+nodematch(group)+clusters(2)", False, False),
    ("bernoulli-exponential-roles+nodeocov(size)+nodeicov(size)+clusters(2)", True, True),
    ("bernoulli-exponential+edgecov(contact)+clusters(2)", False, True),
    ("bernoulli-squared-roles+absdiff(size)+edgecov(contact)", True, True),
    ("bernoulli-inner", False, False),
]


def choices(name: str, directed: bool, hidden: bool) -> dict[str, object]:
    """Return what the Stan program branches on."""
    spec = find_model(name)
    return {
        "likelihood": spec.likelihood,
        "form": spec.form,
        "nodes": "roles" if spec.roles else "effects" if spec.effects else "alike",
        "directed": directed,
        "hidden": hidden,
        "clusters": spec.clusters > 0,
        "covariates": tuple(sorted({term.kind in NODE_TERMS for term in spec.terms})),
    }


def test_every_two_choices_meet_in_a_case() -> None:
    met = {pair for case in CASES for pair in combinations(choices(*case).items(), 2)}
    levels = {
        "likelihood": LIKELIHOODS,
        "form": FORMS,
        "nodes": ("alike", "effects", "roles"),
        **dict.fromkeys(("directed", "hidden", "clusters"), (False, True)),
        "covariates": ((), (False,), (True,)),
    }
    every = {
        ((one, x), (other, y))
        for one, other in combinations(levels, 2)
        for x, y in product(levels[one], levels[other])
    }
    impossible = {
        (("likelihood", "dyadic"), ("nodes", "roles")),
        (("likelihood", "dyadic"), ("directed", False)),
        (("nodes", "roles"), ("directed", False)),
    }
    assert every - met == impossible


@pytest.mark.parametrize(("name", "directed", "hidden"), CASES)
def test_pointwise_likelihood_is_scipys(name: str, directed: bool, hidden: bool) -> None:
    data = network(3, directed=directed, hidden=hidden, binary=name.startswith("bernoulli"))
    spec = find_model(name).bound(data)
    p = draw(spec, 4, directed=directed)
    total = pair_log_likelihood(spec, p, data, np.column_stack(np.triu_indices(N, 1))).sum()
    expected = scipy_log_likelihood(spec, p, data)
    if spec.diagonal:
        expected -= stats.poisson.logpmf(np.diag(data.to_dense()), 1000**-0.5).sum()
    assert total == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize(
    ("name", "directed"),
    [
        ("poisson-inverse", True),
        ("nb-squared-effects", False),
        ("dyadic-exponential-effects", True),
        ("dyadic-inner+edgecov(contact)", True),
    ],
)
def test_every_observed_dyad_is_given_all_others(name: str, directed: bool) -> None:
    """The log probability is what the likelihood loses with the dyad."""
    data = network(3, directed=directed, binary=name.startswith("bernoulli"))
    spec = find_model(name).bound(data)
    p = draw(spec, 4, directed=directed)
    whole = scipy_log_likelihood(spec, p, data)
    seen = set()
    for i, j, values in conditional_log_likelihood(spec, p, data):
        without = [
            scipy_log_likelihood(spec, p, data.hide(*ends)) for ends in zip(i, j, strict=True)
        ]
        np.testing.assert_allclose(values, whole - np.array(without), atol=1e-9)
        seen |= set(zip(i.tolist(), j.tolist(), strict=True))
    assert len(seen) == N * (N - 1) // (1 if directed else 2) - data.n_hidden


@pytest.mark.cmdstan
@pytest.mark.parametrize("kernel", ["stan", "cpp"])
@pytest.mark.parametrize(("name", "directed", "hidden"), CASES)
def test_density_is_scipys(name: str, directed: bool, hidden: bool, kernel: str) -> None:
    data = network(1, directed=directed, hidden=hidden, binary=name.startswith("bernoulli"))
    spec = find_model(name)
    model = LatentSpaceModel(data, K, model=name, kernel=kernel, prior_scale=1.0)
    for learned in (False, True) if spec.hierarchical else (False,):
        p = draw(spec, 2, directed=directed, learned=learned)
        expected = scipy_log_likelihood(spec, p, data)
        expected += scipy_log_prior(spec, p, data, directed=directed, learned=learned)
        assert model.log_prob_grad(**p)[0] == pytest.approx(expected, rel=1e-10)


@pytest.mark.cmdstan
@pytest.mark.parametrize("kernel", ["stan", "cpp"])
@pytest.mark.parametrize(("name", "directed", "hidden"), CASES)
def test_gradient_is_that_of_the_density(
    name: str, directed: bool, hidden: bool, kernel: str
) -> None:
    """Of every parameter, by central differences (fourth order) of the checked density."""
    data = network(5, directed=directed, hidden=hidden, binary=name.startswith("bernoulli"))
    spec = find_model(name)
    model = LatentSpaceModel(data, K, model=name, kernel=kernel, prior_scale=1.0)
    learned = spec.hierarchical
    p = draw(spec, 6, directed=directed, learned=learned)
    point = flat(declared(p, model.spec, directed=directed, learned=learned))
    _, gradient = model.log_joint.at_flat(point, learned=learned)
    step = 1e-3
    shifts = step * np.array([2.0, 1.0, -1.0, -2.0])
    probes = point + shifts[:, None, None] * np.eye(point.size)
    values, _ = model.log_joint.at_flat(probes, learned=learned)
    slope = np.array([-1.0, 8.0, -8.0, 1.0]) @ values / (12 * step)
    np.testing.assert_allclose(gradient, slope, rtol=1e-5, atol=1e-6 * np.abs(slope).max())


def product_form(y: np.ndarray, mean: np.ndarray, phi: float) -> tuple[float, float]:
    """Return the negative binomial's log probability and its slope in log phi, term by term."""
    value = slope = 0.0
    for t, mu in zip(y, mean, strict=True):
        k = np.arange(t) / phi
        value += np.log1p(k).sum() + t * np.log(mu) - special.gammaln(t + 1)
        value -= (phi + t) * np.log1p(mu / phi)
        # (phi + t) mu / (phi + mu) - phi log(1 + mu / phi), by its series where that cancels
        u = mu / phi
        if u > 1e-3:
            slope += (phi + t) * u / (1 + u) - phi * np.log1p(u)
        else:
            slope += u * (t - mu) / (1 + u) + phi * (u**2 / 2 - u**3 / 3 + u**4 / 4)
        slope -= (k / (1 + k)).sum()
    return float(value), float(slope)


#: Frailties ever smaller: the last are those of a Poisson model.
LARGE_PHI = [3.0, 1e3, 9e4, 1e6, 1e9, 1e14, 1e22]


def of_large_phi(phi: float, data: Network) -> tuple[dict, tuple, float, float]:
    """Return parameters, the observed dyads, and :func:`product_form` of these."""
    spec = MODELS["nb-squared"]
    p = {**draw(spec, 2), "phi": np.asarray(phi)}
    i, j = np.nonzero(~np.eye(N, dtype=bool))
    y = data.weight_of(i, j)
    i, j, y = i[y >= 0], j[y >= 0], y[y >= 0]
    mean = np.array([np.exp(log_mu(spec, p, a, b)) for a, b in zip(i, j, strict=True)])
    return p, (i, j, y), *product_form(y, mean, phi)


@pytest.mark.parametrize("phi", LARGE_PHI)
def test_frailties_too_small_to_see_cost_no_digits_of_pairs(phi: float) -> None:
    p, dyads, expected, _ = of_large_phi(phi, network(1))
    actual = log_likelihood(MODELS["nb-squared"], p, *dyads).sum()
    assert actual == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize("ratio", [1.01e4, 1e6, 1e9])
@pytest.mark.parametrize("count", [2, 9, 50])
def test_the_series_of_a_rising_factorial_is_the_product_of_its_factors(ratio, count) -> None:
    """Its third term is 1e-9 of the sum where the series begins to be taken."""
    phi = ratio * count
    actual = log_rising(np.array(phi), np.array(count))
    assert actual == pytest.approx(np.log1p(np.arange(count) / phi).sum(), rel=1e-11, abs=0)


@pytest.mark.parametrize("phi", [1.01e3, 1e5, 1e9])
@pytest.mark.parametrize("count", [1, 1000, 10**6])
def test_a_rising_factorial_of_large_numbers_keeps_its_digits(phi, count) -> None:
    actual = log_rising(np.array(phi), np.array(count))
    expected = np.log1p(np.arange(count) / phi).sum()
    assert actual == pytest.approx(expected, rel=1e-11, abs=1e-15 * count)


@pytest.mark.cmdstan
@pytest.mark.parametrize("phi", [1.01e3, 1e7, 1e9])
def test_heavy_counts_of_a_small_frailty_cost_no_digits(phi: float) -> None:
    data, spec = network(1), MODELS["nb-squared"]
    data = replace(data, weight=data.weight * 10**5)
    model = LatentSpaceModel(data, K, model=spec, prior_scale=1.0)
    p, _, _, slope = of_large_phi(phi, data)
    _, gradient = model.log_joint.at_flat(
        flat(declared(p, model.spec, directed=True, learned=False))
    )
    assert gradient[N * K + 1] == pytest.approx(slope + 0.5 / phi - 0.5, rel=1e-9)


@pytest.mark.cmdstan
@pytest.mark.parametrize("phi", LARGE_PHI)
def test_frailties_too_small_to_see_cost_no_digits(phi: float) -> None:
    data, spec = network(1), MODELS["nb-squared"]
    model = LatentSpaceModel(data, K, model=spec, prior_scale=1.0)
    p, _, expected, slope = of_large_phi(phi, data)
    prior = scipy_log_prior(spec, p, data, directed=True, learned=False)
    point = flat(declared(p, model.spec, directed=True, learned=False))
    value, gradient = model.log_joint.at_flat(point)
    assert value == pytest.approx(expected + prior, rel=1e-10)
    # after the positions and the intercept; that of the prior is (1 / phi - 1) / 2
    assert gradient[N * K + 1] == pytest.approx(slope + 0.5 / phi - 0.5, rel=1e-7, abs=1e-9)


@pytest.mark.parametrize("name", ["poisson-inverse-effects", "dyadic-inner-effects", "nb-squared"])
def test_draws_are_a_leading_axis(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = MODELS[name]
    draws = [draw(spec, seed) for seed in range(4)]
    together = {key: np.stack([one[key] for one in draws]) for key in draws[0]}
    i, j = np.nonzero(~np.eye(N, dtype=bool))
    weight, reverse = np.arange(i.size) % 4, np.arange(i.size) % 3 - 1
    expected = [log_likelihood(spec, p, i, j, weight, reverse) for p in draws]
    monkeypatch.setattr("lsm_stan.model.likelihood.CHUNK", 50)
    actual = log_likelihood(spec, together, i, j, weight, reverse)
    np.testing.assert_allclose(actual, expected, rtol=1e-12)


def test_a_seen_reverse_says_something_of_a_dyad() -> None:
    spec = MODELS["dyadic-exponential"]
    p = draw(spec, 1)
    i, j = np.array([0, 2]), np.array([5, 3])
    mu = np.exp(log_mean(spec, p, i, j))
    for y in (0, 3):
        actual = log_likelihood(spec, p, i, j, [1, 1], [y, y])
        for k in range(2):
            back = float(np.exp(log_mu(spec, p, int(j[k]), int(i[k]))))
            joint = closed_form([1, y], [float(mu[k]), back], float(p["phi"]))
            assert actual[k] == pytest.approx(
                joint - negative_binomial(y, back, p["phi"]), rel=1e-12
            )


def test_a_self_loop_is_refused() -> None:
    spec = MODELS["poisson-inverse"]
    with pytest.raises(InputError, match="self-loop"):
        log_likelihood(spec, draw(spec, 1), [1], [1], [0])


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("bernoulli-inverse", network(1), r"weights go up to \d+; likelihood 'bernoulli' needs"),
        ("dyadic-inverse", network(1, directed=False), "undirected; likelihood 'dyadic'"),
        ("nb-inner-roles", network(1, directed=False), "undirected; its nodes have no roles"),
        ("poisson-cubic", network(1), "no model 'poisson-cubic'; there are tutorial"),
        ("tutorial+match(group)", network(1), r"no term 'match\(group\)'; there are nodeocov"),
        ("tutorial+absdiff(group)", network(1), "node '0' has 'a'; a finite number is needed"),
        ("tutorial+absdiff(age)", network(1), "no column 'age' in its node table, which has size"),
        ("tutorial+nodeocov(size)", network(1, directed=False), r"take nodecov\(size\)"),
        ("tutorial+edgecov(contact)+edgecov(contact)", network(1), "each once is needed"),
        ("tutorial+clusters(1)", network(1), "clusters is 1; at least 2 are needed"),
        ("tutorial+clusters(x)", network(1), "with G, how many, 2 or more"),
        ("tutorial+clusters()", network(1), "with G, how many, 2 or more"),
        ("tutorial+clusters( 2 )+clusters(3)", network(1), "say once clusters"),
    ],
)
def test_models_that_do_not_fit_are_refused(name: str, data: Network, message: str) -> None:
    with pytest.raises(InputError, match=message):
        LatentSpaceModel(data, 2, model=name)


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"form": "cubic"}, "form is 'cubic'; there are inverse"),
        ({"likelihood": "normal"}, "likelihood is 'normal'; there are poisson"),
        ({"phi_scale": 0.0}, r"phi_scale is 0.0; a positive"),
        ({"likelihood": "nb", "diagonal": True}, "the diagonal is Poisson"),
        ({"likelihood": "dyadic", "roles": True}, "'dyadic' has no roles"),
        ({"intercept": "no"}, "intercept is 'no'; true or false is needed"),
        ({"effects": 1}, "effects is 1; true or false is needed"),
        ({"intercept_scale": "a"}, "intercept_scale is 'a'; a positive, finite number is needed"),
        ({"beta_scale": True}, "beta_scale is True; a positive, finite number is needed"),
        ({"sigma_scale": [1.0]}, "sigma_scale is .1.0.; a positive, finite number is needed"),
        ({"phi_scale": float("nan")}, "phi_scale is nan; a positive, finite number is needed"),
        ({"clusters": 2.5}, "clusters is 2.5; at least 2 are needed, a whole number, or none"),
        ({"clusters": -2}, "clusters is -2; at least 2"),
        ({"clusters": "3"}, "clusters is '3'; at least 2"),
    ],
)
def test_bad_specs_are_refused(numbers: dict, message: str) -> None:
    for make in (ModelSpec, lambda **record: read_spec(record)):
        with pytest.raises(InputError, match=message):
            make(**numbers)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"foo": 1}, "a model has no 'foo'; it has form, likelihood, intercept, "),
        ({"covariates": None}, "a model has no 'covariates'"),
        ({"terms": "nodematch(class)"}, r"terms is 'nodematch\(class\)'; a list such as"),
        ({"terms": ["nodematch(class)", 3]}, r"terms is \['nodematch\(class\)', 3\]; a list"),
        ({"terms": ["class"]}, "no term 'class'"),
        ({"terms": ["nodecov(x)+nodecov(y)"]}, "no term 'nodecov"),
    ],
)
def test_bad_records_are_refused(record: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_spec(record)


@pytest.mark.parametrize("term", ["nodecov(x)", Term("nodecov", "x)"), Term("absdiff", "x  y")])
def test_terms_that_a_record_could_not_keep_are_refused(term: object) -> None:
    with pytest.raises(InputError, match=r"terms has .*; a Term that can be read|no term"):
        ModelSpec(terms=(term,))


def test_a_record_is_read_as_it_was() -> None:
    spec = ModelSpec("squared", "nb", phi_scale=2, terms=(Term("nodecov", "age (years)"),))
    assert read_spec(json.loads(json.dumps(spec.as_record()))) == spec


def test_names_are_systematic() -> None:
    assert len(MODELS) == 45
    name = "nb-squared-effects+nodecov(size)+nodematch(soma position)+clusters(3)"
    assert find_model(name.replace("+", " + ")).name == name
    assert next(iter(MODELS)) == "tutorial"
    for name, spec in MODELS.items():
        assert spec.name == name
        assert find_model(name) == spec
    assert ModelSpec(phi_scale=2.0).name is None
