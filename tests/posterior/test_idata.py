"""A fit's container and its numbers are the same under every ArviZ."""

import re
from pathlib import Path

import arviz as az
import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

from lsm_stan import Fit, simulate
from lsm_stan.posterior import diagnostics, idata
from tests.support.made import made_fit, scattered

#: Written by ``to_netcdf`` of the container of each.
CONTAINERS = sorted((Path(__file__).parent / "containers").glob("arviz-*.nc"))


@pytest.fixture(scope="module")
def fit() -> Fit:
    network, truth = simulate(8, 2, seed=4)
    positions = truth["z"]
    return made_fit(network, scattered(positions, np.random.default_rng(1), 0.3))


def with_invariants(values: np.ndarray) -> idata.InferenceData:
    """Return a container of one quantity of three items, ``(chain, draw, 3)``."""
    n_chains, n_draws = values.shape[:2]
    network, _ = simulate(5, 2, seed=1)
    z = np.zeros((n_chains, n_draws, 5, 2))
    plain = idata.build(
        network, draws={"z": z}, log_joint=values[..., 0] - 100, estimate={"z": z[0, 0]}
    )
    return idata.invariants(plain, {"distance": ("pair", ["a–b", "c–d", "e–f"], values)})


@pytest.mark.parametrize("file", CONTAINERS, ids=lambda file: file.stem)
def test_what_either_arviz_wrote_is_read(file: Path, tmp_path: Path) -> None:
    container = idata.load(file)
    z = np.random.default_rng(20).normal(size=(2, 5, 4, 2))
    np.testing.assert_array_equal(idata.draws_of(container), z)
    np.testing.assert_array_equal(idata.estimate_of(container), z.mean(axis=(0, 1)))
    np.testing.assert_array_equal(idata.log_joint_of(container), z.sum(axis=(2, 3)))
    np.testing.assert_array_equal(idata.sample_stat(container, "n_steps"), np.full((2, 5), 7))
    assert idata.sample_stat(container, "energy") is None
    assert container["posterior"]["z"].dims == ("chain", "draw", "node", "dim")
    assert container["posterior"]["node"].to_numpy().tolist() == ["a", "b", "ç", "d–e"]
    assert container["posterior"].attrs["method"] == "nuts"
    assert container.observed_data["receiver"].to_numpy().tolist() == ["b", "d–e", "a"]
    assert not container.sample_stats["diverging"].to_numpy().any()
    # so is what is made of it
    idata.save(container, tmp_path / "again.nc")
    again = idata.load(tmp_path / "again.nc")
    assert set(again) == set(container)
    for name in container:
        xr.testing.assert_identical(idata.group(again, name), idata.group(container, name))


def test_one_module_imports_arviz() -> None:
    root = Path(idata.__file__).parents[2]
    folders = ("lsm_stan", "benchmarks", "studies")
    files = [file for folder in folders for file in (root / folder).rglob("*.py")]
    importing = re.compile(r"^\s*(import|from) arviz", re.MULTILINE)
    assert [file.name for file in files if importing.search(file.read_text("utf-8"))] == [
        "arviz.py"
    ]


def test_there_is_a_container_of_each_line() -> None:
    assert [file.stem[:7] for file in CONTAINERS] == ["arviz-0", "arviz-1"]


@pytest.mark.filterwarnings("ignore::matplotlib.MatplotlibDeprecationWarning")  # ArviZ 0.23's calls
def test_arviz_goes_on_from_here(fit: Fit) -> None:
    invariants = fit.invariants()
    table = az.summary(invariants, var_names=["log_joint", "radius"])
    assert list(table.index[1:]) == [f"radius[{name}]" for name in fit.network.names]
    assert az.rhat(fit.idata, var_names=["z"])["z"].shape == fit.positions.shape
    assert az.bfmi(fit.idata) is not None
    some = {"var_names": ["strength"], "coords": {"node": list(fit.network.names[:2])}}
    for plot in (az.plot_trace, az.plot_rank, az.plot_ess):
        plot(invariants, **some)
    az.plot_forest(invariants, var_names=["radius"])
    az.plot_energy(fit.idata)
    assert len(plt.get_fignums()) == 5
    plt.close("all")


def test_the_summary_is_arvizs() -> None:
    values = np.random.default_rng(3).normal(size=(4, 100, 3)).cumsum(axis=1)
    table = diagnostics.summarise(with_invariants(values))
    assert table.columns.tolist() == [
        "mean", "sd", "hdi_3%", "hdi_97%", "mcse_mean", "mcse_sd", "ess_bulk", "ess_tail", "r_hat"
    ]  # fmt: skip
    assert table.index.tolist() == ["log_joint", *(f"distance[{p}]" for p in ("a–b", "c–d", "e–f"))]
    column = values[..., 1]
    lowest, highest = az.hdi(column.ravel(), 0.94)
    expected = [
        column.mean(), column.std(ddof=1), lowest, highest,
        az.mcse(column, method="mean"), az.mcse(column, method="sd"),
        az.ess(column, method="bulk"), az.ess(column, method="tail", prob=(0.05, 0.95)),
        az.rhat(column),
    ]  # fmt: skip
    np.testing.assert_allclose(table.loc["distance[c–d]"], expected, rtol=1e-5)


@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (3, 1), (1, 50), (2, 3)])
def test_what_few_draws_do_not_say_is_not_a_number(shape: tuple[int, int], caplog, capfd) -> None:
    values = np.random.default_rng(4).normal(size=(*shape, 3))
    invariants = with_invariants(values)
    table = diagnostics.diagnostic_table(idata.group(invariants, "posterior"))
    assert table["rhat"].isna().all()
    assert table["ess_bulk"].isna().all() == (shape[1] < 4)
    assert table["sd"].isna().all() == (shape == (1, 1))
    assert ("r_hat" in diagnostics.summarise(invariants)) == (shape[1] > 1)
    # ArviZ would say of each number that it cannot be had
    assert not caplog.records
    assert capfd.readouterr() == ("", "")


def test_a_quantity_that_never_changes_has_no_rhat() -> None:
    values = np.random.default_rng(5).normal(size=(4, 50, 3))
    values[..., 2] = 1.5
    table = diagnostics.diagnostic_table(idata.group(with_invariants(values), "posterior"))
    assert table["rhat"].isna().tolist() == [False, False, False, True]
    assert table["sd"].tolist()[3] == 0


@pytest.mark.parametrize("shape", [0.2, 0.5, 0.9])
def test_khat_is_the_shape_of_a_pareto_tail(shape: float) -> None:
    """A Pareto variable with tail index 1 / k is exp(k E), with E standard exponential."""
    log_ratio = shape * np.random.default_rng(6).exponential(size=200_000)
    assert diagnostics.pareto_k(log_ratio) == pytest.approx(shape, abs=0.06)


@pytest.mark.parametrize(("n_draws", "n_tied"), [(20, 1), (200, 200), (200, 100)])
def test_ratios_without_a_tail_are_not_smoothed(n_draws: int, n_tied: int) -> None:
    log_lik = np.random.default_rng(7).normal(size=(n_draws, 1))
    log_lik.sort(axis=0)
    log_lik[:n_tied] = log_lik[0]
    elpd, pareto_k = diagnostics.psis(log_lik, reff=1.0)
    assert pareto_k[0] == np.inf
    # of importance sampling as it is: the harmonic mean
    np.testing.assert_allclose(elpd, -np.log(np.exp(-log_lik).mean(axis=0)))


def test_stacking_weights_are_the_optimum() -> None:
    """By the conditions of Karush, Kuhn and Tucker, which only the optimum meets."""
    rng = np.random.default_rng(8)
    log_lik = 0.1 * rng.normal(size=(4, 200, 60)) + rng.normal(size=(4, 1, 60))
    log_lik[3] -= 5
    weights = diagnostics.stacking_weights(log_lik)
    density = np.exp([diagnostics.psis(of_chain, 1.0)[0] for of_chain in log_lik])
    slope = (density / (weights @ density)).mean(axis=1)
    assert weights.sum() == pytest.approx(1)
    np.testing.assert_allclose(slope[:3], 1, atol=1e-4)
    assert weights[3] == pytest.approx(0, abs=1e-9)
    assert slope[3] < 1


def test_bfmi_is_betancourts() -> None:
    energy = np.random.default_rng(9).normal(size=(3, 40)).cumsum(axis=1)
    expected = np.square(np.diff(energy)).mean(axis=1) / energy.var(axis=1, ddof=1)
    np.testing.assert_allclose(diagnostics.bfmi(energy), expected)


def test_effective_sample_sizes_are_of_their_kind():
    values = np.random.default_rng(1).normal(size=(4, 250)).cumsum(axis=1)
    assert diagnostics.ess(values) == az.ess(values, method="bulk")
    assert diagnostics.ess(values, "tail") == az.ess(values, method="tail", prob=(0.05, 0.95))
    assert diagnostics.ess(values, "tail") != pytest.approx(diagnostics.ess(values), rel=0.01)
