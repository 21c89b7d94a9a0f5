"""Comparisons: known errors and spreads come back, and rotations change no number."""

import numpy as np
import pandas as pd
import pytest

from lsm_stan import Fit, InputError, simulate
from lsm_stan.criticism.comparison import compare, reference_fit
from lsm_stan.criticism.ppc import predictive_checks
from lsm_stan.criticism.tables import invariants_table, side_by_side, summary_table
from lsm_stan.network.network import Network
from lsm_stan.report.report import Report, make_report
from tests.support.made import disguised, made_fit, scattered, with_clusters

COLUMNS = [
    "method", "seconds", "log_joint", "elbo", "khat", "procrustes_rmse", "distance_rmse",
    "sd_ratio", "coverage90",
]  # fmt: skip


@pytest.fixture(scope="module")
def simulated() -> tuple[Network, np.ndarray]:
    network, truth = simulate(15, 2, seed=4)
    return network, truth["z"]


def fits_of(network: Network, positions: np.ndarray, rng: np.random.Generator) -> dict[str, Fit]:
    """Return a sample, an approximation of half its spread that is off, and a mode."""
    off = positions + np.array([0.3, 0.0]) * (np.arange(len(positions)) % 2)[:, None]
    half = scattered(off, rng, 0.01, chains=1)
    return {
        "mode": made_fit(network, positions[None, None], "map"),
        "half": made_fit(network, half, "advi", details={"elbo": -12.5, "khat": 0.9}),
        "sample": made_fit(network, scattered(positions, rng, 0.02)),
    }


def test_known_errors_come_back(simulated):
    network, positions = simulated
    fits = fits_of(network, positions, np.random.default_rng(1))
    comparison = compare(fits)
    table = comparison.table.set_index("fit")
    assert comparison.table.columns[: len(COLUMNS)].tolist() == COLUMNS
    assert comparison.reference == "sample"
    assert table.loc["sample", "coverage90"] == pytest.approx(0.9, abs=0.01)
    assert table.loc["sample", "sd_ratio"] == 1
    assert table.loc["sample", "procrustes_rmse"] == pytest.approx(0, abs=1e-12)
    assert table.loc["half", "sd_ratio"] == pytest.approx(0.5, rel=0.1)
    # half the nodes are moved by 0.3, of which alignment takes back a little
    assert 0.1 < table.loc["half", "procrustes_rmse"] < 0.3 / np.sqrt(2)
    assert table.loc["half", "coverage90"] < 0.5
    assert table.loc["half", "elbo"] == -12.5
    assert table.loc["mode", "distance_rmse"] < 0.01 < table.loc["half", "distance_rmse"]
    assert table.loc["mode", ["elbo", "khat", "sd_ratio", "coverage90"]].isna().all()


def test_the_reference_is_the_most_exact_that_passed(simulated):
    network, positions = simulated
    rng = np.random.default_rng(2)
    good, few = scattered(positions, rng, 0.02), scattered(positions, rng, 0.02, size=20)
    fits = {"few": made_fit(network, few), "good": made_fit(network, good)}
    assert reference_fit(fits) == "good"
    mode = made_fit(network, positions[None, None], "map")
    assert reference_fit({"mode": mode, "few": fits["few"]}) == "few"


def test_fits_that_cannot_be_compared_are_refused(simulated):
    network, positions = simulated
    other, truth = simulate(15, 2, seed=5)
    places = truth["z"]
    one = made_fit(network, positions[None, None], "map")
    with pytest.raises(InputError, match="different networks"):
        compare({"a": one, "b": made_fit(other, places[None, None], "map")})
    flat = made_fit(network, positions[None, None, :, :1], "map")
    with pytest.raises(InputError, match=r"b has K = 1 and a K = 2"):
        compare({"a": one, "b": flat})
    nb = made_fit(network, positions[None, None], "map")
    nb.record.model["model"] = "nb-inverse"
    with pytest.raises(InputError, match="b is a fit of the model nb-inverse and a of tutorial"):
        compare({"a": one, "b": nb})
    with pytest.raises(InputError, match="no fits"):
        compare({})


@pytest.mark.parametrize("learned", [True, False])
def test_log_joints_of_another_density_are_not_set_side_by_side(simulated, learned):
    network, positions = simulated
    rng = np.random.default_rng(3)
    model = "poisson-squared" if learned else "poisson-inverse"
    draws = scattered(positions, rng, 0.02, size=20)
    samples = {"intercept": rng.normal(size=(4, 20))}
    if learned:
        samples["sigma_z"] = 1 + rng.random(size=(4, 20))
    mode = {"intercept": np.zeros((1, 1))}
    fits = {
        "mode": made_fit(network, positions[None, None], "map", model=model, others=mode),
        "sample": made_fit(network, draws, model=model, others=samples),
    }
    comparison = compare(fits)
    table = comparison.table.set_index("fit")
    missing = table[["log_joint", "log_joint_draws"]].isna()
    assert missing.loc["mode"].tolist() == [learned] * 2
    assert not missing.loc["sample"].any()
    assert ("log joint of mode is left out" in comparison.note) == learned
    summary = summary_table(fits).set_index("fit")[["log_joint", "loss"]].isna()
    assert summary.loc["mode"].tolist() == [learned] * 2
    assert not summary.loc["sample"].any()
    invariants = invariants_table(fits)
    shown = invariants.loc[invariants["quantity"] == "log_joint", "fit"].tolist()
    assert shown == (["sample"] if learned else ["mode", "sample"])
    beside = side_by_side(invariants)
    assert (beside.loc["log_joint", "mode"] == "") == learned
    if learned:
        assert beside.loc["sigma_z", "mode"] == ""
    # modes among themselves are of one density
    assert compare({"a": fits["mode"], "b": fits["mode"]}).table["log_joint"].notna().all()


def numbers(report: Report) -> list[pd.DataFrame]:
    """Return every table of a report."""
    tables = [
        report.comparison.table,
        report.comparison.mean_distances,
        report.comparison.spreads,
        report.predictive_table(),
        report.summary,
        report.invariants,
        report.nodes,
        report.clusters,
    ]
    for verdict in report.verdicts.values():
        tables += [verdict.items, verdict.quantities]
        tables += [] if verdict.modes is None else [verdict.modes.chains]
    return tables


@pytest.mark.parametrize(("seed", "apart"), [(1, False), (2, True)])
def test_rotations_and_labels_of_every_draw_leave_every_reported_number_alone(seed, apart):
    network, truth = simulate(9, 2, seed=4)
    positions = truth["z"]
    rng = np.random.default_rng(seed)
    draws = scattered(positions, rng, 0.02, chains=2, size=100)
    if apart:
        draws[1] += positions[::-1] - positions
    before, after = {}, {}
    for name, method, z in (("mode", "map", positions[None, None]), ("sample", "nuts", draws)):
        clusters = with_clusters(z, rng)
        hidden, others = disguised(z, clusters, rng)
        model = "tutorial+clusters(2)"
        before[name] = made_fit(network, z, method, model=model, others=clusters)
        after[name] = made_fit(network, hidden, method, model=model, others=others)
    reports = [make_report(fits, lambda _: None) for fits in (before, after)]
    for one, other in zip(*map(numbers, reports), strict=True):
        pd.testing.assert_frame_equal(one, other, rtol=1e-8, atol=1e-8)
    for name in before:
        texts = [[f.text for f in report.verdicts[name].findings] for report in reports]
        assert texts[0] == texts[1]
        first, last = (predictive_checks(fits[name], replications=20) for fits in (before, after))
        pd.testing.assert_frame_equal(first.replicated, last.replicated, rtol=1e-8)


def test_two_waves_are_told_of_alignment():
    rng = np.random.default_rng(1)

    def of(names: str, dim: int = 2) -> Fit:
        network = Network.from_edges(names[:-1], names[1:], [1] * (len(names) - 1))
        return made_fit(network, rng.normal(size=(1, 1, len(names), dim)), "map")

    words = r"different networks .*; fits of one network are compared\. Positions of the 4 nodes"
    with pytest.raises(InputError, match=f"{words} that both have .* lsm_stan.align") as caught:
        compare({"1995": of("abcde"), "1996": of("edcbf")})
    assert "\n" not in str(caught.value)
    for others in ([of("abcd"), of("uvwx")], [of("abcd"), of("dcba", dim=3)]):
        with pytest.raises(InputError, match="different networks") as caught:
            compare(dict(zip(("one", "two"), others, strict=True)))
        assert "align" not in str(caught.value)
