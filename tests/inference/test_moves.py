"""Moves between transitions: detailed balance, the C++ against Python, and what they are given."""

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from lsm_stan import LatentSpaceModel
from lsm_stan.cmdstan.density import write_data
from lsm_stan.cmdstan.find import Toolchain, ask_make
from lsm_stan.cmdstan.sources import STAN_DIR
from lsm_stan.errors import InputError
from lsm_stan.inference.jumps import PairEnergies, energy_rises, jump_between, learn_jumps
from lsm_stan.inference.moves import accepted_moves, has_moves, moves_data, what_moved
from lsm_stan.inference.preconditioning import Preconditioner
from lsm_stan.inference.problem import Problem
from lsm_stan.model.simulation import simulate
from lsm_stan.network.network import Network
from lsm_stan.posterior.invariants import sample_pairs
from lsm_stan.typing import FloatArray

DRIVER = Path(__file__).parents[1] / "model" / "stan" / "moves.cpp"


@pytest.fixture(scope="module")
def driver(toolchain: Toolchain, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile the moves without a model."""
    flags = ask_make(toolchain.make, toolchain.path, "compile_info").split()
    kept = [flag for flag in flags if flag.startswith("-std=")]
    for flag, following in zip(flags, [*flags[1:], ""], strict=True):
        if flag.startswith("-I"):
            kept += ["-isystem", flag[2:] or following]
    output = tmp_path_factory.mktemp("moves") / "moves"
    command = [toolchain.cxx, *kept, f"-I{STAN_DIR}", "-O1", "-D_REENTRANT", str(DRIVER)]
    warnings = ["-Wall", "-Wextra", "-Wno-unused-function", "-Werror"]
    run = subprocess.run(
        [*command, *warnings, "-o", str(output)],
        cwd=toolchain.path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    return output


def plain(n_nodes: int) -> Preconditioner:
    return Preconditioner(np.eye(n_nodes), np.eye(n_nodes))


def run_driver(
    driver: Path, folder: Path, data: dict[str, object], z: FloatArray, seed: int, times: int
) -> FloatArray:
    """Return what the driver writes for positions ``(M, N, K)``."""
    file = write_data(folder / "moves.json", data)
    np.swapaxes(z, 1, 2).copy().tofile(folder / "positions")
    command = [driver, file, folder / "positions", folder / "output", str(seed), str(times)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return np.fromfile(folder / "output")


def case(dim: int, *, directed: bool, hidden: int) -> Problem:
    network, _ = simulate(11, dim, seed=4, directed=directed)
    upper = np.argwhere(np.triu(np.ones((11, 11)), 1))
    if hidden:
        network = network.hide(*upper[:: len(upper) // hidden].T)
    return Problem.of(network, dim, model="tutorial", prior_scale=0.8, jitter=1e3)


@pytest.mark.parametrize(
    ("dim", "directed", "hidden"),
    [(1, True, 0), (2, True, 6), (3, True, 0), (3, False, 6), (5, False, 0)],
)
def test_proposals_and_their_energies(driver, tmp_path, dim, directed, hidden) -> None:
    problem = case(dim, directed=directed, hidden=hidden)
    pairs, rng = PairEnergies.of(problem), np.random.default_rng(dim)
    one, other, *rows = rng.normal(size=(7, 11, dim))
    draws = np.stack(rows)
    groups = [np.array([2]), np.array([0, 3, 7])]
    jumps = [jump_between(pairs.weight, one, other, group) for group in groups]
    data = moves_data(problem, plain(11), jumps)
    written = iter(run_driver(driver, tmp_path, data, draws, seed=1, times=0))
    density = LatentSpaceModel(problem.network, dim, prior_scale=0.8).log_prob_grad

    def read(shape: tuple[int, int]) -> tuple[FloatArray, float]:
        to = np.array([next(written) for _ in range(shape[0] * shape[1])])
        before, after = next(written), next(written)
        return to.reshape(shape[::-1]).T, after - before

    for z in draws:
        moved = []
        for node in range(11):
            to, rise = read((1, dim))
            check_turn(pairs, z, node, to[0])
            moved.append((np.array([node]), to, rise))
        for jump in jumps:
            for back in (False, True):
                to, rise = read((len(jump.group), dim))
                assert_allclose(to, jump.apply(z[None], back=back)[0], atol=1e-10)
                assert rise == pytest.approx(energy_rises(pairs, jump, z[None])[int(back), 0])
                moved.append((jump.group, to, rise))
        after = np.stack([z] * len(moved))
        for changed, (group, to, _) in zip(after, moved, strict=True):
            changed[group] = to
        lower = density(z)[0] - density(after)[0]
        assert_allclose([rise for *_, rise in moved], lower, rtol=1e-8, atol=1e-7)


def check_turn(pairs: PairEnergies, z: FloatArray, node: int, to: FloatArray) -> None:
    """Distances to one neighbour at least are what they were: to K of them, most often."""
    about = pairs.weight[[node]].indices
    anchors = z[about] if len(about) else np.zeros((1, z.shape[1]))
    before = np.linalg.norm(anchors - z[node], axis=1)
    kept = np.isclose(np.linalg.norm(anchors - to, axis=1), before, rtol=1e-9)
    assert kept.any()
    assert not np.allclose(to, z[node], atol=1e-12)


def test_a_turn_about_one_neighbour_takes_every_direction(driver, tmp_path) -> None:
    """A uniform direction is the same density there and back; it has mean 0, variance 1/K."""
    network = Network.from_edges(["a"], ["b"], [3])
    problem = Problem.of(network, 3, model="tutorial", prior_scale=1.0, jitter=1e3)
    z = np.tile([[0.3, 0.1, -0.2], [1.0, 2.0, -0.5]], (4000, 1, 1))
    output = run_driver(driver, tmp_path, moves_data(problem, plain(2)), z, seed=3, times=0)
    step = output.reshape(4000, 2, 5)[:, 0, :3] - z[0, 1]
    step /= np.linalg.norm(z[0, 0] - z[0, 1])
    assert_allclose(np.linalg.norm(step, axis=1), 1, rtol=1e-12)
    assert np.all(np.abs(step.mean(axis=0)) < 4 / np.sqrt(3 * 4000))
    assert_allclose(step.T @ step / 4000, np.eye(3) / 3, atol=0.04)


@pytest.mark.cmdstan
@pytest.mark.parametrize(("dim", "hidden"), [(2, 0), (3, 6)])
def test_moves_leave_the_posterior_as_it_is(driver, tmp_path, dim, hidden) -> None:
    """Draws of a long plain run are moved; no mean changes by more than its error."""
    problem = case(dim, directed=True, hidden=hidden)
    model = LatentSpaceModel(problem.network, dim, prior_scale=0.8)
    fit = model.sample(
        seed=1, chains=2, iter_sampling=6000, thin=4, moves=False, show_progress=False
    )
    draws = fit.idata.posterior["z"].to_numpy()
    jumps = learn_jumps(problem, draws[:, ::20], seed=2)
    assert len(jumps) > 20
    flat = draws.reshape(-1, 11, dim)
    data = moves_data(problem, plain(11), jumps, sweeps=2, tries=200)
    output = run_driver(driver, tmp_path, data, flat, seed=5, times=1)
    moved = np.swapaxes(output.reshape(-1, dim, 11), 1, 2)
    assert np.mean(np.any(moved != flat, axis=2)) > 0.5

    def quantities(z: FloatArray) -> FloatArray:
        i, j = sample_pairs(11, 60).T
        distance = np.linalg.norm(z[:, i] - z[:, j], axis=-1)
        radius = np.linalg.norm(z, axis=-1)
        lower = model.log_prob_grad(z)[0][:, None]
        return np.concatenate([distance, np.log(distance), radius, lower, lower**2 / 1e3], axis=1)

    change = quantities(moved) - quantities(flat)
    error = change.std(axis=0) / np.sqrt(len(change))
    # draws are autocorrelated, changes hardly: they are made anew at each
    assert np.abs(change.mean(axis=0) / error).max() < 4.5


@pytest.mark.cmdstan
def test_fits_at_once_have_moves_of_their_own() -> None:
    """Threads of one process, some with moves and some without: each draws what it draws alone."""
    models = [LatentSpaceModel(simulate(n, 2, seed=n)[0], 2) for n in (9, 12)]
    quiet = {"chains": 1, "iter_warmup": 50, "iter_sampling": 50, "show_progress": False}
    wanted = [(model, moves) for model in models for moves in (None, False)]

    def draws(which: tuple[LatentSpaceModel, bool | None]) -> np.ndarray:
        model, moves = which
        return model.sample(seed=3, moves=moves, init="random", **quiet).draws

    alone = list(map(draws, wanted))
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(draws, wanted))
    for first, second in zip(alone, together, strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.cmdstan
def test_samples_with_and_without_moves_agree() -> None:
    network, _ = simulate(12, 3, seed=2)
    model = LatentSpaceModel(network, 3)
    quiet = {"chains": 2, "iter_sampling": 3000, "show_progress": False}
    fits = [model.sample(seed=3, moves=moves, **quiet) for moves in (None, False)]
    details = [fit.record.details for fit in fits]
    assert [each["moves"] for each in details] == [True, False]
    assert details[0]["turns_accepted"] > 0.05
    assert details[0]["jumps"] > 0
    assert any("turns of single nodes" in check.message for check in fits[0].record.checks)
    for fit, each in zip(fits, details, strict=True):
        steps = int(fit.idata.sample_stats["n_steps"].sum())
        assert each["gradients"] > steps + 2 * 3000
        assert set(fit.idata.sample_stats) == {
            *("acceptance_rate", "step_size", "tree_depth", "n_steps", "diverging", "energy", "lp"),
        }
    assert int(fits[0].idata.sample_stats["tree_depth"].max()) <= 6
    i, j = sample_pairs(12, 40).T
    means = []
    for fit in fits:
        z = fit.idata.posterior["z"].to_numpy()
        distance = np.linalg.norm(z[..., i, :] - z[..., j, :], axis=-1)
        batches = distance.reshape(20, -1, len(i)).mean(axis=1)
        means.append((batches.mean(axis=0), batches.std(axis=0, ddof=1) / np.sqrt(20)))
    (one, se_one), (other, se_other) = means
    assert np.abs((one - other) / np.hypot(se_one, se_other)).max() < 5


def test_where_nodes_can_move() -> None:
    network, _ = simulate(8, 2, seed=1)
    tutorial, other = (
        Problem.of(network, 2, model=name, prior_scale=None, jitter=1e3)
        for name in ("tutorial", "nb-squared")
    )
    assert has_moves(tutorial, None, True, {})
    assert has_moves(tutorial, True, True, {"metric": "unit_e", "max_treedepth": 8})
    assert not has_moves(tutorial, False, True, {})
    assert not has_moves(tutorial, None, False, {})
    assert not has_moves(tutorial, None, True, {"metric": "dense_e"})
    assert not has_moves(other, None, True, {})


@pytest.mark.parametrize(
    ("name", "precondition", "cmdstan", "words"),
    [
        ("nb-squared", True, {}, "model nb-squared of 8 nodes is not sampled in preconditioned"),
        ("tutorial", False, {}, "precondition is False"),
        ("tutorial", True, {"metric": "dense_e"}, "metric is 'dense_e', and not 'unit_e'"),
        ("tutorial", True, {"inv_metric": "file.json"}, "inv_metric is given"),
    ],
)
def test_moves_where_they_cannot_be_are_refused(name, precondition, cmdstan, words) -> None:
    network, _ = simulate(8, 2, seed=1)
    model = LatentSpaceModel(network, 2, model=name)
    with pytest.raises(InputError, match=words):
        model.sample(seed=1, moves=True, precondition=precondition, **cmdstan)


@pytest.mark.cmdstan
def test_the_metric_is_the_covariance_of_the_preconditioner() -> None:
    network, _ = simulate(30, 3, seed=5)
    fit = LatentSpaceModel(network, 3).sample(
        seed=4, chains=2, iter_sampling=1000, show_progress=False, adapt_delta=0.85
    )
    stats = fit.idata.sample_stats
    kinetic = (stats["energy"] + stats["lp"]).to_numpy()
    # half a chi-square of 90 degrees of freedom, wherever the chain is
    error = np.sqrt(45 / kinetic.size)
    assert abs(kinetic.mean() - 45) < 5 * error
    assert abs(kinetic.var() / 45 - 1) < 0.2
    # the velocity has followed the momentum: what drifts off is not accepted
    assert 0.8 < stats["acceptance_rate"].to_numpy().mean() < 0.95


def test_what_moved_is_a_share_of_all_tries() -> None:
    moves = {"chance": [1.0, 2.0], "sweeps": 2, "n_nodes": 10, "tries": 50}
    columns = {"turns__": np.full((2, 3), 5.0), "jumps__": np.array([[1.0, 2, 3], [1, 2, 3]])}
    accepted = accepted_moves(moves, columns)
    assert accepted == {"turns_accepted": 0.25, "jumps": 2, "jumps_accepted": 0.04}
    sentence = "25% of turns of single nodes were accepted"
    assert what_moved(accepted) == f"{sentence}, 4.0% of tries of 2 jumps"
    none = accepted_moves({**moves, "chance": []}, columns)
    assert what_moved(none) == f"{sentence}, no jumps were learned"


def test_what_is_written_can_be_read_as_json(tmp_path) -> None:
    problem = case(2, directed=True, hidden=0)
    data = json.loads(write_data(tmp_path / "m.json", moves_data(problem, plain(11))).read_text())
    assert data["link_first"][-1] == len(data["link_node"]) == len(data["link_weight"])
    assert data["group_first"] == [0]
    assert data["chance"] == []
