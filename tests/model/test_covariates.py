"""Covariates, from their tables to what is said of their coefficients."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lsm_stan import Fit, InputError, LatentSpaceModel, Network, compare, simulate
from lsm_stan.analysis import run
from lsm_stan.config import load_config
from lsm_stan.criticism.tables import coefficients_beside, coefficients_table
from lsm_stan.model.covariates import _standard_deviations, possible_terms
from lsm_stan.model.family import find_model
from lsm_stan.model.likelihood import expected_strengths
from lsm_stan.model.terms import split_outside_brackets
from lsm_stan.network.readers import open_network
from lsm_stan.network.reading import Reading
from lsm_stan.posterior.draws import flat_draws
from lsm_stan.prediction.dyads import predict
from lsm_stan.prediction.loo import loo
from lsm_stan.prediction.scores import predict_held_out, scores
from lsm_stan.prediction.selection import _Cell, _HeldOut, n_parameters
from lsm_stan.report.plots import plot_rate_matrix
from lsm_stan.report.report import make_report
from lsm_stan.report.report_page import write_report

N = 40
NAME = "nb-squared+nodeocov(size)+nodematch(class)+absdiff(size)+edgecov(contact)"
#: In the order of the terms in the name, which is that of their coefficients.
BETA = np.array([0.5, 1.2, -0.7, 0.9])


def tables(seed: int, n: int = N) -> dict[str, pd.DataFrame]:
    """Draw a table of nodes, and one of a fifth of the dyads."""
    rng = np.random.default_rng(seed)
    names = [f"n{i}" for i in range(n)]
    nodes = pd.DataFrame({"size": rng.normal(size=n), "class": rng.choice(list("abc"), n)}, names)
    one, other = np.nonzero(np.triu(rng.random((n, n)) < 0.2, 1))
    ends = pd.MultiIndex.from_arrays([np.array(names)[one], np.array(names)[other]])
    return {
        "node_table": nodes,
        "dyad_table": pd.DataFrame({"contact": rng.normal(size=len(one))}, ends),
    }


def simulated(name: str, beta: np.ndarray, *, directed: bool = True, seed: int = 1) -> Network:
    rng = np.random.default_rng(seed)
    parameters = {
        "z": 0.7 * rng.normal(size=(N, 2)),
        "intercept": np.asarray(0.3),
        "phi": np.asarray(2.0),
        "beta": beta,
    }
    if find_model(name).effects:
        effect = 0.5 * rng.normal(size=(2, N))
        parameters |= {"sender_effect": effect[0], "receiver_effect": effect[1 if directed else 0]}
    drawn, _ = simulate(
        N, 2, seed=seed, model=name, directed=directed, parameters=parameters, **tables(seed)
    )
    return drawn


@pytest.fixture(scope="module")
def network() -> Network:
    return simulated(NAME, BETA)


@pytest.fixture(scope="module")
def mode(network: Network, toolchain) -> Fit:
    return LatentSpaceModel(network, 2, model=NAME).optimize(seed=1, starts=2, show_progress=False)


@pytest.fixture(scope="module")
def sampled(network: Network, mode: Fit) -> Fit:
    return LatentSpaceModel(network, 2, model=NAME).sample(
        seed=1, init=mode, chains=2, iter_warmup=200, iter_sampling=200, show_progress=False
    )


# --- what is recovered --------------------------------------------------------------------------


def test_nuts_covers_the_coefficients(sampled: Fit) -> None:
    assert sampled.record.details["divergences"] == 0
    table = coefficients_table({"nuts": sampled})
    assert table["covariate"].tolist() == list(map(str, find_model(NAME).terms))
    assert (np.abs(table["mean"] - BETA) < 4 * table["sd"]).all()
    # each is told from 0 by its 90 % interval, so that none is right by being wide
    assert (np.sign(table["low"]) == np.sign(BETA)).all()
    assert (np.sign(table["high"]) == np.sign(BETA)).all()
    draws = sampled.parameters["beta"].reshape(-1, len(BETA))
    np.testing.assert_allclose(table["low"], np.quantile(draws, 0.05, axis=0))
    np.testing.assert_allclose(table["high"], np.quantile(draws, 0.95, axis=0))


def test_a_mode_is_near_the_coefficients(mode: Fit, sampled: Fit) -> None:
    assert mode.converged, mode.warnings
    spread = sampled.parameters["beta"].std(axis=(0, 1))
    assert (np.abs(mode.estimate["beta"] - BETA) < 4 * spread).all()


def test_units_do_not_matter(network: Network, mode: Fit) -> None:
    dollars = network.node_table.assign(size=50_000 + 1e4 * network.node_table["size"])
    priced = replace(network, node_table=dollars)
    model = LatentSpaceModel(priced, 2, model=NAME)
    fit = model.optimize(seed=1, starts=2, show_progress=False)
    assert fit.converged
    assert fit.log_joint == pytest.approx(mode.log_joint, rel=1e-8)
    units = [1e4 if "size" in str(term) else 1.0 for term in model.spec.terms]
    np.testing.assert_allclose(fit.estimate["beta"] * units, mode.estimate["beta"], rtol=1e-4)


@pytest.mark.parametrize("directed", [True, False])
def test_a_rare_covariate_has_a_prior(directed: bool) -> None:
    """Two values are one unit apart however rare one is; of others a standard deviation is."""
    n = 60
    names = [f"n{i}" for i in range(n)]
    x = np.where(np.arange(n) == 7, 30.0, 10.0)
    nodes = pd.DataFrame({"rare": x, "size": np.arange(n) % 3}, names)
    ends = [(names[i], names[j]) for i, j in ((0, 1), (2, 3), (5, 4))]
    every = [(a, b) for a in names for b in names if a != b and (directed or a < b)]

    def scale(term: str, dyads: pd.DataFrame | None = None) -> float:
        data = Network.from_edges([], [], names=names, directed=directed, node_table=nodes)
        spec = find_model(f"poisson-squared+{term}")
        return spec.bound(replace(data, dyad_table=dyads)).covariates.scale.item()

    def table(values: list[float], index: list[tuple[str, str]]) -> pd.DataFrame:
        return pd.DataFrame({"tie": values}, pd.MultiIndex.from_tuples(index))

    kinds = ["nodecov", "absdiff", *(["nodeocov", "nodeicov"] if directed else [])]
    assert [scale(f"{kind}(rare)") for kind in kinds] == [20.0] * len(kinds)
    assert scale("nodematch(rare)") == scale("nodematch(size)") == 1.0
    assert scale("edgecov(tie)", table([1.0] * 3, ends)) == 1.0
    assert scale("edgecov(tie)", table([-4.0] * 3, ends)) == 4.0
    whole = table([5.0, *[2.0] * (len(every) - 1)], every)
    assert scale("edgecov(tie)", whole) == 3.0
    several = np.zeros(n * (n - 1))
    several[:6] = [1, 2, 3, 1, 2, 3]
    if directed:
        several[3:6] = 0
    assert scale("edgecov(tie)", table([1.0, 2.0, 3.0], ends)) == pytest.approx(several.std())
    i, j = np.nonzero(~np.eye(n, dtype=bool))
    size = nodes["size"].to_numpy()
    assert scale("nodecov(size)") == pytest.approx((size[i] + size[j]).std())
    assert scale("absdiff(size)") == pytest.approx(np.abs(size[i] - size[j]).std())


@pytest.mark.parametrize("directed", [True, False])
def test_standard_deviations_are_those_over_all_dyads(directed: bool) -> None:
    data = tables(3)
    data["node_table"] += {"size": 1e4, "class": ""}  # far from 0 against its spread
    nodes, dyads = data.values()
    network = Network.from_edges([], [], names=nodes.index, directed=directed, node_table=nodes)
    network = replace(network, dyad_table=dyads).hide([3, 1], [5, 7])
    kinds = ["nodecov", *(["nodeocov", "nodeicov"] if directed else []), "absdiff"]
    terms = [*(f"{kind}(size)" for kind in kinds), "nodematch(class)", "edgecov(contact)"]
    bound = find_model(f"poisson-squared+{'+'.join(terms)}").bound(network).covariates
    matrix = ~np.eye(N, dtype=bool) if directed else np.triu(np.ones((N, N), dtype=bool), 1)
    sd = bound.values(*np.nonzero(matrix)).std(axis=0)
    np.testing.assert_allclose(_standard_deviations(bound), sd, rtol=1e-9)


def test_intervals_hold_the_truth_as_often_as_they_say(toolchain) -> None:
    """Of a model that is quick to sample: 5 networks of 4 coefficients."""
    name = "bernoulli-squared+nodeocov(size)+nodeicov(size)+nodematch(class)+edgecov(contact)"
    inside = []
    for seed in range(5):
        given = tables(seed, 40)
        rng = np.random.default_rng(seed)
        truth = {"z": rng.normal(size=(40, 1)), "beta": 0.7 * rng.normal(size=4)}
        drawn, _ = simulate(
            40,
            1,
            seed=seed,
            model=name,
            parameters={**truth, "intercept": np.asarray(0.0)},
            **given,
        )
        fit = LatentSpaceModel(drawn, 1, model=name).sample(
            seed=seed, init=truth["z"], chains=1, iter_warmup=200, iter_sampling=200,
            show_progress=False,
        )  # fmt: skip
        row = coefficients_table({"nuts": fit})
        inside += list((row["low"] < truth["beta"]) & (truth["beta"] < row["high"]))
    # of 20 intervals of 90 % fewer than 14 hold the truth once in 400 times
    assert stats.binom.cdf(13, 20, 0.9) < 1 / 400
    assert sum(inside) >= 14


def test_an_undirected_network(toolchain) -> None:
    name = "nb-squared-effects+nodecov(size)+nodematch(class)+edgecov(contact)"
    beta = np.array([0.4, 1.0, -0.8])
    network = simulated(name, beta, directed=False)
    fit = LatentSpaceModel(network, 2, model=name).optimize(seed=1, starts=1, show_progress=False)
    assert fit.converged, fit.warnings
    np.testing.assert_allclose(fit.estimate["beta"], beta, atol=0.35)


def test_a_covariate_that_is_ignored_is_missed_where_dyads_are_hidden(
    network: Network, mode
) -> None:
    rng = np.random.default_rng(3)
    i, j = np.nonzero((rng.random((N, N)) < 0.1) & ~np.eye(N, dtype=bool))
    weight = network.weight_of(i, j)
    actual = {}
    for name in (NAME, "nb-squared"):
        train = network.hide(i, j)
        fit = LatentSpaceModel(train, 2, model=name).optimize(seed=1, starts=2, show_progress=False)
        prediction = predict_held_out(fit.spec, flat_draws(fit.parameters), train, i, j, weight)
        actual[name] = scores(prediction, weight)["log_density"]
    assert actual[NAME] > actual["nb-squared"] + 0.05


def watched(seed: int) -> tuple[Network, dict[str, np.ndarray]]:
    """Return a network whose dyads were watched for 1 to 50 hours, and what it was drawn from."""
    rng = np.random.default_rng(seed)
    names = [f"n{i}" for i in range(N)]
    ends = pd.MultiIndex.from_tuples([(a, b) for a in names for b in names if a != b])
    hours = pd.DataFrame({"hours": rng.uniform(1, 50, len(ends))}, ends)
    truth = {"z": 0.7 * rng.normal(size=(N, 2)), "intercept": np.asarray(-2.0)}
    network, _ = simulate(
        N,
        2,
        seed=seed,
        model="poisson-squared+offset(log(hours))",
        parameters=truth,
        node_table=pd.DataFrame({"size": np.arange(N)}, names),
        dyad_table=hours,
    )
    return network, truth


@pytest.mark.cmdstan
def test_what_was_watched_longer_has_more_edges() -> None:
    network, truth = watched(1)
    fits = {
        name: LatentSpaceModel(network, 2, model=name).optimize(
            seed=1, starts=2, show_progress=False
        )
        for name in ("poisson-squared+offset(log(hours))", "poisson-squared")
    }
    one, other = np.triu_indices(N, 1)
    real = np.linalg.norm(truth["z"][one] - truth["z"][other], axis=1)
    agreement = []
    for fit in fits.values():
        assert fit.converged, fit.warnings
        z = fit.positions
        distance = np.linalg.norm(z[one] - z[other], axis=1)
        agreement.append(stats.spearmanr(distance, real).statistic)
    assert min(agreement) > 0.9
    with_offset, without = fits.values()
    assert with_offset.log_joint > without.log_joint + 100
    assert abs(with_offset.estimate["intercept"] - truth["intercept"]) < 0.4
    assert "beta" not in with_offset.parameters
    assert coefficients_table({"": with_offset}).empty


def test_doubled_exposure_doubles_what_is_expected() -> None:
    network, truth = watched(2)
    doubled = replace(network, dyad_table=2 * network.dyad_table)
    model = find_model("poisson-squared+offset(log(hours))")
    every = np.arange(N)
    strengths = [expected_strengths(model.bound(n), truth, every)[0] for n in (network, doubled)]
    np.testing.assert_allclose(strengths[1], 2 * strengths[0])


def test_an_offset_of_nodes_is_the_sum_of_both_ends() -> None:
    nodes = pd.DataFrame({"years": [1.0, 2.0, 5.0]}, list("abc"))
    network = Network.from_edges("ab", "bc", node_table=nodes)
    bound = find_model("poisson-squared+offset(log(years))").bound(network).covariates
    i, j = np.nonzero(~np.eye(3, dtype=bool))
    years = nodes["years"].to_numpy()
    np.testing.assert_allclose(bound.values(i, j)[:, 0], np.log(years[i] * years[j]))
    exposure = np.mean(np.outer(years, years))
    assert bound.log_exposure == pytest.approx(np.log(exposure))


def without_exposure(directed: bool = True) -> Network:
    """Return a network of three, of whom 'c' was never seen to meet 'a'."""
    pairs = [("a", "b"), ("b", "a"), ("b", "c"), ("c", "b"), ("a", "c"), ("c", "a")]
    pairs = pairs if directed else pairs[::2]
    hours = [0.0 if set(pair) == {"a", "c"} else 2.0 for pair in pairs]
    table = pd.DataFrame({"hours": hours}, pd.MultiIndex.from_tuples(pairs))
    return replace(Network.from_edges("ab", "bc", directed=directed), dyad_table=table)


@pytest.mark.parametrize(("directed", "hidden"), [(True, 2), (False, 1)])
def test_dyads_without_exposure_are_no_observations(directed: bool, hidden: int) -> None:
    network = without_exposure(directed)
    model = LatentSpaceModel(network, 2, model="poisson-squared+offset(log(hours))")
    assert network.n_hidden == 0
    assert model.network.n_hidden == hidden
    assert any("without exposure" in note for note in model.network.notes)
    point = {"z": np.eye(3, 2), "intercept": np.asarray(0.0)}
    sent, _ = expected_strengths(model.spec, point, np.arange(3))
    assert sent[[0, 2]] == pytest.approx(2 * np.exp([-2.0, -1.0]))  # with 'b' alone, at distances²
    again = LatentSpaceModel(model.network, 2, model="poisson-squared+offset(log(hours))")
    assert again.network is model.network


def test_an_edge_without_exposure_is_refused() -> None:
    network = replace(
        Network.from_edges("a", "c", [4], names="abc"), dyad_table=without_exposure().dyad_table
    )
    with pytest.raises(InputError, match=r"dyad 'a' to 'c' has an edge of weight 4, and"):
        LatentSpaceModel(network, 2, model="poisson-squared+offset(log(hours))")


def test_what_has_no_exposure_is_simulated_without_edges() -> None:
    table = without_exposure().dyad_table
    network, _ = simulate(
        3,
        2,
        seed=1,
        model="poisson-squared+offset(log(hours))",
        parameters={"z": np.zeros((3, 2)), "intercept": np.asarray(3.0)},
        node_table=pd.DataFrame({"size": [1, 2, 3]}, list("abc")),
        dyad_table=table,
    )
    assert network.n_hidden == 2
    assert network.n_edges == 4


def test_offsets_that_are_not_known_are_refused() -> None:
    ends = pd.MultiIndex.from_tuples([(a, b) for a in "abc" for b in "abc" if a != b])
    hours = pd.Series(range(6), ends, dtype=float)
    nodes = pd.DataFrame({"years": [1, 2, 3], "hours": [1, 1, 1]}, list("abc"))
    edges = Network.from_edges("ab", "bc")
    network = replace(edges, dyad_table=pd.DataFrame({"hours": hours}))

    def refusal(term: str, data: Network) -> str:
        with pytest.raises(InputError) as caught:
            find_model(f"poisson-squared+{term}").bound(data)
        return str(caught.value)

    text = refusal("offset(log(hours))", network)
    assert "dyad 'a' to 'b' has 0, which has no logarithm" in text
    assert "--hidden" in text
    lacking = replace(network, dyad_table=pd.DataFrame({"hours": hours.iloc[:4]}))
    assert "dyad 'c' to 'a' has no row" in refusal("offset(hours)", lacking)
    never = lacking.hide([2, 2], [0, 1])
    spec = find_model("poisson-squared+offset(hours)").bound(never)
    point = {"z": np.eye(3, 2), "intercept": np.asarray(0.0)}
    sent, received = expected_strengths(spec, point, np.arange(3))
    assert sent[2] == 0
    assert np.all(sent[:2] > 0)
    assert np.all(received > 0)
    assert "has no column 'days'; its dyad table has hours" in refusal("offset(days)", network)
    none = replace(network, dyad_table=None)
    assert "give --nodes or --dyads" in refusal("offset(hours)", none)
    both = replace(network, node_table=nodes)
    assert "both have this column; rename" in refusal("offset(hours)", both)


# --- what is kept, and what is not taken for another ---------------------------------------------


def test_a_saved_fit_keeps_its_tables(mode: Fit, tmp_path: Path) -> None:
    folder = mode.save(tmp_path / "fit")
    again = Fit.load(folder)
    pd.testing.assert_frame_equal(
        again.network.dyad_table, mode.network.dyad_table, check_exact=True
    )
    pd.testing.assert_frame_equal(
        again.network.node_table, mode.network.node_table, check_exact=True, check_dtype=False
    )
    assert again.spec.digest(again.network) == mode.record.network.digest
    assert again.spec.coords == mode.spec.coords
    np.testing.assert_array_equal(again.idata.posterior["beta"], mode.parameters["beta"])
    assert again.idata.posterior["covariate"].to_numpy().tolist() == list(map(str, mode.spec.terms))
    config = load_config(folder / "config.toml")
    assert config.network.how.dyads == str(folder / "dyads.csv")


@pytest.mark.parametrize("file", ["nodes.csv", "dyads.csv"])
def test_a_changed_covariate_is_not_the_one_that_was_fitted(mode: Fit, tmp_path, file) -> None:
    folder = mode.save(tmp_path / "fit")
    head, first, *rest = (folder / file).read_text().splitlines()
    values = first.split(",")
    place = head.split(",").index("size" if file == "nodes.csv" else "contact")
    values[place] = repr(float(np.nextafter(float(values[place]), np.inf)))
    (folder / file).write_text("\n".join([head, ",".join(values), *rest]))
    with pytest.raises(InputError, match="a table beside it, is not the network that was fitted"):
        Fit.load(folder)
    (folder / "dyads.csv").unlink()
    with pytest.raises(InputError, match=r"edgecov\(contact\).*dyad table, which is not there"):
        Fit.load(folder)


def test_tables_of_every_kind_of_column_come_back(tmp_path: Path) -> None:
    nodes = pd.DataFrame(
        {
            "small": np.array([0.1, 0.2, 0.3, 1e-30], dtype=np.float32),
            "flag": [True, False, True, True],
            "count": [3, 1, 2, 0],
            "kind": pd.Categorical(["x", "y", "x", "y"]),
            "some": pd.array([1, None, 2, 3], dtype="Int64"),
        },
        list("abcd"),
    )
    ends = pd.MultiIndex.from_tuples([("a", "b"), ("c", "a")])
    dyads = pd.DataFrame({"x": np.array([0.1, np.pi], np.float32), "same": [True, False]}, ends)
    network = Network.from_edges("ab", "bc", names="abcd", node_table=nodes)
    network = open_network(network.to_dense(), Reading(nodes=network.node_table, dyads=dyads))
    for frame, name in ((network.node_frame(), "n.csv"), (network.dyad_frame(), "d.tsv")):
        frame.to_csv(tmp_path / name, index=False, sep="\t" if name == "d.tsv" else ",")
    again = open_network(
        network.to_dense(), Reading(nodes=tmp_path / "n.csv", dyads=tmp_path / "d.tsv")
    )
    name = (
        "poisson-inverse+nodeocov(small)+nodeicov(flag)+absdiff(count)+nodematch(kind)"
        "+edgecov(x)+edgecov(same)"
    )
    assert find_model(name).bound(again).digest(again) == find_model(name).bound(network).digest(
        network
    )
    terms = possible_terms(again)
    assert terms == possible_terms(network)
    assert terms["node"]["kind"] == ["nodematch"]
    assert terms["node"]["some"] == []
    assert terms["dyad"] == {"x": ["edgecov"], "same": ["edgecov"]}


def test_only_what_tells_dyads_apart_can_be_a_term() -> None:
    nodes = pd.DataFrame(
        {"one": [1, 1, 1], "id": list("xyz"), "gap": ["u", "", "u"], "size": [1, 2, 2]}, list("abc")
    )
    directed = Network.from_edges("ab", "bc", node_table=nodes)
    kinds = ["nodeocov", "nodeicov", "nodecov", "absdiff", "nodematch"]
    actual = {"one": [], "id": [], "gap": [], "size": kinds}
    assert possible_terms(directed) == {"node": actual}
    undirected = Network.from_edges("ab", "bc", node_table=nodes, directed=False)
    assert possible_terms(undirected)["node"]["size"] == kinds[2:]
    for column, kinds in actual.items():
        for kind in kinds:
            find_model(f"tutorial+{kind}({column})").bound(directed)
    with pytest.raises(InputError, match=r"nodematch\(gap\): node 'b' has no value"):
        find_model("tutorial+nodematch(gap)").bound(directed)


@pytest.mark.parametrize("directed", [True, False])
def test_a_table_without_rows_says_nothing(directed: bool, tmp_path: Path) -> None:
    (tmp_path / "dyads.csv").write_text("source,target,tie\n")
    edges = pd.DataFrame({"source": list("ab"), "target": list("bc")})
    network = open_network(edges, Reading(dyads=tmp_path / "dyads.csv", directed=directed))
    assert possible_terms(network) == {"dyad": {"tie": []}}
    with pytest.raises(InputError, match=r"edgecov\(tie\) has one value for all dyads"):
        find_model("tutorial+edgecov(tie)").bound(network)


@pytest.mark.parametrize("missing", ["NA", "NaN", "", None, np.nan, pd.NA])
def test_nodes_without_a_value_do_not_match(missing: object, tmp_path: Path) -> None:
    """In a data frame and in a file, of R or of pandas; sodium is a value."""
    nodes = pd.DataFrame({"kind": ["Na", missing, "x", missing, "Na"]}, list("abcde"))
    nodes["size"] = pd.Series(["1", missing, "2", missing, "4"], list("abcde"), dtype=object)
    edges = list(zip("abcd", "bcde", strict=True))
    ends = pd.MultiIndex.from_tuples(edges)
    dyads = pd.DataFrame({"tie": pd.Series([1, missing, 0, 2], ends, dtype=object)})
    nodes.to_csv(tmp_path / "n.csv", na_rep="NA", index_label="name")
    dyads.to_csv(tmp_path / "d.csv", na_rep="NA", index_label=["source", "target"])
    whole = pd.DataFrame(edges, columns=["source", "target"])
    nodes.index.name = "name"
    for table, facts in ((nodes, dyads), (tmp_path / "n.csv", tmp_path / "d.csv")):
        network = open_network(whole, Reading(nodes=table, dyads=facts))
        assert network.node_table["kind"].tolist() == ["Na", "", "x", "", "Na"]
        terms = possible_terms(network)
        assert terms == {"node": {"kind": [], "size": []}, "dyad": {"tie": []}}
        for term, place in (
            ("nodematch(kind)", "node 'b' has no value"),
            ("nodematch(size)", "node 'b' has no value"),
            ("nodecov(size)", "node 'b' has no value; a finite number is needed$"),
            ("edgecov(tie)", "dyad 'b' to 'c' has no value; a finite number is needed$"),
        ):
            with pytest.raises(InputError, match=place):
                find_model(f"tutorial+{term}").bound(network)


@pytest.mark.parametrize(
    "column", ["age (years)", "a+b", "size, x", "(x)", "a (b) + c (d, e)", "rate [/min]", "x  y"]
)
def test_names_of_columns_with_brackets_and_signs(column: str, tmp_path: Path) -> None:
    x = np.arange(4.0)
    nodes = pd.DataFrame({column: x, "class": list("aabb")}, list("abcd"))
    network = Network.from_edges("abc", "bcd", node_table=nodes)
    column = " ".join(column.split())
    kinds = possible_terms(network)["node"][column]
    assert "nodecov" in kinds
    name = f"nb-squared+nodecov({column})+nodematch(class)+clusters(2)"
    spec = find_model(name.replace("+", " + ") if "+" not in column else name)
    assert spec.name == name
    assert [term.column for term in spec.terms] == [column, "class"]
    sender = spec.bound(network).covariates.sender[:, 0]
    np.testing.assert_allclose(sender, x - x.mean())
    assert split_outside_brackets(f"tutorial, {name},poisson-inner", ",") == [
        "tutorial",
        name,
        "poisson-inner",
    ]


@pytest.mark.parametrize("column", ["a)", "(", "f(g(x))", ")(", ""])
def test_names_of_columns_that_no_term_can_have(column: str) -> None:
    nodes = pd.DataFrame({column: [1.0, 2.0, 2.0]}, list("abc"))
    network = Network.from_edges("ab", "bc", node_table=nodes)
    assert possible_terms(network) == {"node": {column: []}}
    with pytest.raises(InputError, match="no term"):
        find_model(f"tutorial+nodecov({column})")


def test_cells_of_other_covariates_are_other_cells(network: Network) -> None:
    dyads = np.array([0, 1]), np.array([2, 3])

    def cell(data: Network) -> str:
        held_out = _HeldOut.of(data, dyads, together=True)
        return _Cell(1, held_out, NAME, 2, "map", {"starts": 1}, 1).key

    other = network.node_table.copy()
    other.iloc[0, 0] += 1e-9
    changed = open_network(network.to_dense(), Reading(nodes=other, dyads=network.dyad_table))
    same = open_network(
        network.to_dense(), Reading(nodes=network.node_table, dyads=network.dyad_table)
    )
    assert cell(same) == cell(network)
    assert cell(changed) != cell(network)


def test_coefficients_are_counted() -> None:
    spec = find_model(NAME)
    plain = find_model("nb-squared")
    assert n_parameters(spec, 10, 2, directed=True) == 4 + n_parameters(plain, 10, 2, directed=True)


# --- what is said of them -----------------------------------------------------------------------


def test_everything_after_a_fit_knows_of_covariates(
    mode: Fit, sampled: Fit, tmp_path: Path
) -> None:
    fits = {"map": mode, "nuts": sampled}
    report = make_report(fits, say=lambda _: None)
    assert len(report.coefficients) == 2 * len(BETA)
    assert report.coefficients.query("fit == 'map'")[["sd", "low", "high"]].isna().all(axis=None)
    page = write_report(report, tmp_path / "page").read_text(encoding="utf-8")
    beside = coefficients_beside(report.coefficients)
    for term in map(str, mode.spec.terms):
        assert beside.loc[term, "map"] in page
        assert beside.loc[term, "nuts"] in page
        assert " to " in beside.loc[term, "nuts"]
    pd.testing.assert_frame_equal(
        pd.read_csv(tmp_path / "page" / "coefficients.csv"), report.coefficients
    )
    assert (tmp_path / "page" / "figures" / "coefficients.png").stat().st_size > 0
    # of 400 draws there is no ESS of 400, and the coefficients are told
    items = report.verdicts["nuts"].items
    coefficients = items[items["quantity"] == "beta"]
    assert len(coefficients) == len(mode.spec.terms)
    assert (coefficients["ess_bulk"] < 400).any()  # what "other quantities" are among
    assert "other quantities" in report.verdicts["nuts"].findings[0].text
    items = report.verdicts["nuts"].items
    labels = list(map(str, mode.spec.terms))
    assert items.loc[items["quantity"] == "beta", "item"].tolist() == labels
    assert np.isfinite(loo(sampled).elpd)
    dyads = predict(sampled, top=5)
    assert dyads["probability"].between(0, 1).all()
    # the expected weights are those of the model with its covariates, by hand
    row = dyads.iloc[0]
    i, j = (mode.network.names.index(row[end]) for end in ("source", "target"))
    p, x = sampled.parameters, mode.network.node_table
    contact = mode.network.dyad_table["contact"].get((row["source"], row["target"]), 0.0)
    values = [
        x["size"].iloc[i] - x["size"].mean(),
        float(x["class"].iloc[i] == x["class"].iloc[j]),
        abs(x["size"].iloc[i] - x["size"].iloc[j]),
        contact,
    ]
    log_mean = p["intercept"] - ((p["z"][..., i, :] - p["z"][..., j, :]) ** 2).sum(axis=-1)
    log_mean = log_mean + p["beta"] @ np.array(values)
    assert row["expected"] == pytest.approx(np.exp(log_mean).mean(), rel=1e-6)


def test_the_rates_drawn_are_those_of_the_nodes_beside_them(mode: Fit) -> None:
    drawn = plot_rate_matrix(mode).axes[1].images[0].get_array()
    sent, received = expected_strengths(mode.spec, mode.estimate, np.arange(N))
    for axis, expected in ((1, sent), (0, received)):
        actual = np.nansum(np.ma.filled(drawn, np.nan), axis=axis)
        np.testing.assert_allclose(np.sort(actual), np.sort(expected), rtol=1e-10)


def test_fits_of_other_covariates_are_not_compared(mode: Fit, tmp_path: Path) -> None:
    table = mode.network.node_table.assign(size=lambda t: -2 * t["size"])
    other = open_network(
        mode.network.to_dense(), Reading(nodes=table, dyads=mode.network.dyad_table, title="other")
    )
    model = LatentSpaceModel(other, 2, model=NAME)
    fit = model.optimize(seed=1, starts=1, iter=5, show_progress=False)
    with pytest.raises(InputError, match="covariates of b and a have different values"):
        compare({"a": mode, "b": fit})


def test_an_analysis_fits_anew_where_a_covariate_changed(tmp_path: Path, toolchain) -> None:
    rng = np.random.default_rng(1)
    given = tables(2, 12)
    network, _ = simulate(12, 1, seed=1, model="poisson-squared", **given)
    network.edge_frame().to_csv(tmp_path / "edges.csv", index=False)
    network.node_frame().to_csv(tmp_path / "nodes.csv", index=False)
    config = tmp_path / "small.toml"
    config.write_text(
        'network = "edges.csv"\nnodes = "nodes.csv"\ndyads = "dyads.csv"\ndim = 1\n'
        'model = "poisson-squared+edgecov(contact)"\n'
        'fit = [{method = "map", seed = 1, arguments = {starts = 1}}]\n'
    )
    said: list[str] = []
    dyads = network.dyad_frame()
    for changed in (0.0, 0.0, 1e-6):
        dyads["contact"] += changed * rng.normal(size=len(dyads))
        dyads.to_csv(tmp_path / "dyads.csv", index=False)
        analysis = run(load_config(config), tmp_path / "out", said.append)
    kept = [sentence for sentence in said if sentence.startswith("[1/1]")]
    assert ["kept" in sentence for sentence in kept] == [False, True, False]
    record = json.loads((tmp_path / "out" / "fits" / "map" / "fit.json").read_text())
    assert record["model_name"] == "poisson-squared+edgecov(contact)"
    readme = (tmp_path / "out" / "README.md").read_text()
    value = coefficients_beside(analysis.report.coefficients).loc["edgecov(contact)", "map"]
    assert f"| edgecov(contact) | {value} |" in readme
