"""The three methods on real CmdStan: what they find, and what they say of themselves."""

import functools
import json
import os
import shutil

import numpy as np
import pytest
from scipy import optimize, stats

from lsm_stan import Fit, InferenceError, InputError, LatentSpaceModel, load_celegans, simulate
from lsm_stan.cmdstan import sources
from lsm_stan.cmdstan.compiled import Compiled
from lsm_stan.inference.latent_space_model import requested_arguments
from lsm_stan.inference.methods import METHODS
from lsm_stan.inference.run import Run
from lsm_stan.inference.starts import given_start
from lsm_stan.model.family import ModelSpec
from lsm_stan.network.network import Network
from lsm_stan.posterior.invariants import pair_distances
from tests.support import tutorial
from tests.support.made import fit_of, made_fit

#: The loss stored with Edward's tutorial.
TUTORIAL_LOSS = 35984.855

SHORT = {"iter_warmup": 150, "iter_sampling": 150, "show_progress": False}


@pytest.fixture(scope="module")
def simulated() -> tuple[LatentSpaceModel, np.ndarray]:
    network, truth = simulate(60, 2, seed=11)
    positions = truth["z"]
    return LatentSpaceModel(network, 2), positions


@pytest.fixture(scope="module")
def mode(simulated: tuple[LatentSpaceModel, np.ndarray]) -> Fit:
    return simulated[0].optimize(seed=1, starts=4, show_progress=False)


def distances(positions: np.ndarray) -> np.ndarray:
    return pair_distances(positions, np.column_stack(np.triu_indices(positions.shape[-2], 1)))


@pytest.mark.cmdstan
def test_map_recovers_distances(simulated, mode) -> None:
    _, truth = simulated
    assert stats.spearmanr(distances(mode.positions), distances(truth)).statistic >= 0.8
    assert mode.converged
    assert mode.log_joint == pytest.approx(mode.idata.sample_stats["lp"].item())
    assert mode.record.loss == -mode.log_joint


@pytest.mark.cmdstan
def test_map_is_a_mode(simulated, mode) -> None:
    model, truth = simulated
    dense = model.network.to_dense()
    assert mode.log_joint > tutorial.log_joint(truth, dense)

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        z = flat.reshape(truth.shape)
        return -tutorial.log_joint(z, dense), -tutorial.gradient(z, dense).reshape(-1)

    actual = optimize.minimize(
        loss, mode.positions.reshape(-1), jac=True, method="L-BFGS-B", options={"maxiter": 100}
    )
    assert mode.loss - actual.fun < 1e-3
    curvature = mode.record.details["curvature"]
    assert curvature["is_mode"]
    assert curvature["rotations"] == 1
    losses = [start["loss"] for start in mode.record.details["starts"]]
    assert losses == sorted(losses)
    assert mode.loss == pytest.approx(losses[0] - mode.record.details["hop_gain"], abs=1e-6)
    assert 1 <= mode.record.details["distinct_modes"] <= 4


@pytest.mark.cmdstan
def test_advi_recovers_distances(simulated, mode) -> None:
    model, truth = simulated
    fit = model.variational(seed=1, init=mode, show_progress=False)
    mean = distances(fit.draws).mean(axis=(0, 1))
    assert stats.spearmanr(mean, distances(truth)).statistic >= 0.8
    assert fit.draws.shape == (1, 1000, 60, 2)
    expected = [tutorial.log_joint(z, model.network.to_dense()) for z in fit.draws[0, :3]]
    np.testing.assert_allclose(fit.idata.sample_stats["lp"].to_numpy()[0, :3], expected, rtol=1e-10)


@pytest.mark.cmdstan
def test_advi_recovers_distances_from_random_starts(simulated) -> None:
    """Hold for any stream of random numbers, and so for any Stan: 0.80 ± 0.06 by seed."""
    model, truth = simulated
    correlations = []
    for seed in range(1, 6):
        fit = model.variational(seed=seed, init="random", show_progress=False)
        mean = distances(fit.draws).mean(axis=(0, 1))
        correlations.append(stats.spearmanr(mean, distances(truth)).statistic)
    assert np.mean(correlations) >= 0.7


@pytest.mark.cmdstan
@pytest.mark.parametrize("precondition", [True, False])
def test_elbo_is_that_of_the_positions(precondition) -> None:
    """Mean log joint and the entropy of the draws' normal distribution, in the positions."""
    model = LatentSpaceModel(simulate(12, 2, seed=3)[0], 2)
    fit = model.variational(
        seed=1,
        precondition=precondition,
        output_samples=20_000,
        elbo_samples=10_000,
        show_progress=False,
    )
    draws = fit.draws.reshape(20_000, -1)
    covariance = np.atleast_2d(np.cov(draws.T))
    entropy = stats.multivariate_normal(np.zeros(24), covariance).entropy()
    mean = fit.idata.sample_stats["lp"].mean().item()
    assert fit.record.details["elbo"] == pytest.approx(mean + entropy, abs=1.0)


@pytest.mark.cmdstan
def test_nuts_recovers_distances(simulated, mode) -> None:
    model, truth = simulated
    fit = model.sample(seed=1, chains=2, init=mode, **SHORT)
    mean = distances(fit.draws).mean(axis=(0, 1))
    assert stats.spearmanr(mean, distances(truth)).statistic >= 0.8
    expected = tutorial.log_joint(fit.draws[1, -1], model.network.to_dense())
    # the CSV files of draws keep ten digits
    np.testing.assert_allclose(fit.idata.sample_stats["lp"].to_numpy()[1, -1], expected, rtol=1e-7)
    assert fit.idata.posterior["z"].dims == ("chain", "draw", "node", "dim")
    assert fit.idata.posterior["node"].to_numpy().tolist() == list(model.network.names)


@pytest.mark.cmdstan
def test_too_few_draws_are_marked(simulated, mode) -> None:
    fit = simulated[0].sample(seed=1, chains=2, init=mode, **SHORT, max_treedepth=3)
    assert not fit.converged
    assert any("max_treedepth = 3" in warning for warning in fit.warnings)
    assert any("ESS" in warning for warning in fit.warnings)
    assert "NOT converged" in repr(fit)


@pytest.mark.cmdstan
def test_advi_cut_short_is_marked(simulated) -> None:
    fit = simulated[0].variational(seed=1, init="random", iter=20, show_progress=False)
    assert not fit.converged
    assert fit.warnings == ["ADVI reached its last iteration before its ELBO converged: raise iter"]
    # 20 iterations, and 50 of each step size that was tried: at least two
    search, left = divmod(fit.record.details["gradients"] - 20, 50)
    assert left == 0
    assert 2 <= search <= 5


@pytest.mark.cmdstan
def test_preconditioning_leaves_the_posterior(simulated, mode) -> None:
    model, _ = simulated
    on, off = (
        model.sample(
            seed=3,
            chains=4,
            init=mode,
            precondition=precondition,
            iter_warmup=200,
            iter_sampling=200,
            show_progress=False,
        )
        for precondition in (True, False)
    )
    pairs = np.column_stack(np.triu_indices(60, 1))[::37]
    for summary in (np.mean, np.std):
        values = [
            np.stack([summary(pair_distances(chain, pairs), axis=0) for chain in fit.draws])
            for fit in (on, off)
        ]
        # four chains each: their spread is the Monte-Carlo error
        error = np.sqrt(sum(value.var(axis=0, ddof=1) / 4 for value in values))
        t = (values[0].mean(axis=0) - values[1].mean(axis=0)) / error
        assert np.median(np.abs(t)) < 1.5
    steps = [fit.record.details["gradients_per_draw"] for fit in (on, off)]
    assert steps[0] < steps[1] / 2


@pytest.mark.cmdstan
@pytest.mark.parametrize("method", ["map", "advi", "nuts"])
def test_the_same_seed_gives_the_same_result(method) -> None:
    network, _ = simulate(12, 2, seed=4)
    arguments = {
        "map": {"starts": 2, "ladder": [1.0, 0.3]},
        "advi": {"init": "random", "iter": 200},
        "nuts": {"chains": 2, "init": "random", "iter_warmup": 20, "iter_sampling": 20},
    }[method]
    fits = [
        LatentSpaceModel(network, 2).fit(method, seed=9, show_progress=False, **arguments)
        for _ in range(2)
    ]
    np.testing.assert_array_equal(fits[0].draws, fits[1].draws)
    other = LatentSpaceModel(network, 2).fit(method, seed=10, show_progress=False, **arguments)
    assert not np.array_equal(fits[0].draws, other.draws)


@pytest.mark.cmdstan
def test_a_crash_shows_the_executables_last_lines(simulated) -> None:
    model, _ = simulated
    near = 1e-300 * np.arange(120.0).reshape(60, 2)  # apart, but squared distances underflow
    with pytest.raises(InferenceError, match=r"advi: CmdStan failed:\n(.*\n)*.*[Ii]nitialization"):
        model.variational(seed=1, init=near, precondition=False)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"z": np.full((4, 2), np.nan)}, "z with NaN or infinite numbers"),
        ({"y": np.eye(4, 2)}, "has y; positions z are needed"),
        ({"z": np.array([["a", "b"]] * 4)}, "z that is no array of numbers"),
        ({"z": np.array([[0, 1], [2, 3], [0, 1], [4, 5]])}, "nodes 'a' and 'c' at one place"),
    ],
)
def test_a_start_that_is_none_is_refused(tmp_path, values, message) -> None:
    model = LatentSpaceModel(Network.from_edges("abc", "bcd", [1, 2, 3]), 2)
    np.savez(tmp_path / "start.npz", **values)
    for init in (values, tmp_path / "start.npz"):
        with pytest.raises(InputError, match=message):
            model.sample(seed=1, init=init)


def test_a_start_is_of_the_same_nodes(tmp_path) -> None:
    network = Network.from_edges("abc", "bcd", [1, 2, 3])
    start = made_fit(network, np.random.default_rng(1).normal(size=(1, 1, 4, 2)), "map")
    other = LatentSpaceModel(Network.from_edges("acb", "cbe", [1, 2, 3]), 2)
    with pytest.raises(InputError, match=r"has no 'e', and here is no 'd'; .* in any order"):
        other.variational(seed=1, init=start)


@pytest.mark.parametrize("saved", [False, True])
def test_a_start_whose_nodes_are_in_another_order_is_put_in_order(tmp_path, saved) -> None:
    network = Network.from_edges("abc", "bcd", [1, 2, 3])
    rng = np.random.default_rng(1)
    effects = {name: rng.normal(size=(1, 1, 4)) for name in ("sender_effect", "receiver_effect")}
    others = {**effects, "intercept": np.full((1, 1), 0.5)}
    model = "nb-squared-effects"
    fit = fit_of(network, {"z": rng.normal(size=(1, 1, 4, 2)), **others}, model)
    init = fit
    if saved:
        mode = made_fit(network, fit.draws, "map")
        init = mode.save(tmp_path / "fit")
    other = LatentSpaceModel(Network.from_edges("dcb", "cba", [1, 2, 3]), 2, model=model)
    start = given_start(other.problem, init)
    assert list(other.network.names) == ["d", "c", "b", "a"]
    np.testing.assert_array_equal(start["z"], fit.positions[::-1])
    if not saved:
        np.testing.assert_array_equal(start["sender_effect"], effects["sender_effect"][0, 0, ::-1])
        assert start["intercept"] == 0.5


def test_numbers_of_numpy_are_pythons_where_they_enter() -> None:
    network = Network.from_edges("abc", "bcd", [1, 2, 3])
    spec = ModelSpec(sigma_scale=np.float32(0.5), clusters=np.int64(2), effects=np.bool_(True))
    model = LatentSpaceModel(
        network, np.int32(2), model=spec, prior_scale=np.float32(1.5), jitter=np.int64(1000),
        threads=np.int64(1),
    )  # fmt: skip
    record = {**model.problem.as_record(), "threads": model.threads}
    assert json.loads(json.dumps(record)) == record
    assert (record["dim"], record["prior_scale"], record["jitter"]) == (2, 1.5, 1000)
    arguments = {
        "chains": np.int64(3),
        "iter_warmup": np.array(7),
        "step_size": [np.float32(0.5)] * 3,
    }
    asked = requested_arguments("nuts", arguments)
    assert json.loads(json.dumps(asked)) == asked
    assert (asked["chains"], asked["iter_warmup"], asked["step_size"]) == (3, 7, [0.5] * 3)


@pytest.mark.cmdstan
def test_a_fit_by_numbers_of_numpy_is_saved(tmp_path) -> None:
    network = Network.from_edges("abcd", "bcda", [1, 2, 3, 1])
    numbers = {"starts": np.int64(2), "ladder": np.array([1.0, 0.5], np.float32)}
    model = LatentSpaceModel(network, np.int64(2), prior_scale=np.float64(1.5))
    fits = [
        model.optimize(seed=np.int64(3), show_progress=False, **numbers),
        model.sample(
            seed=np.uint8(3), chains=np.int64(2), iter_warmup=np.int64(30),
            iter_sampling=np.int16(20), max_treedepth=np.int64(5), init="random",
            show_progress=False,
        ),
    ]  # fmt: skip
    for number, fit in enumerate(fits):
        again = Fit.load(fit.save(tmp_path / str(number)))
        assert (again.record.seed, again.record.dim, again.prior_scale) == (3, 2, 1.5)
    assert fits[0].record.arguments == {"starts": 2, "ladder": [1.0, 0.5]}
    assert fits[1].record.arguments["iter_sampling"] == 20


def test_a_seed_is_an_integer() -> None:
    model = LatentSpaceModel(Network.from_edges("abc", "bcd", [1, 2, 3]), 2)
    words = "an integer from 0 to 2147483647 is needed"
    for seed in (1.5, np.float64(2.0), "1", None, True, -1, 2**31):
        with pytest.raises(InputError, match=rf"seed is .*; {words}"):
            model.optimize(seed=seed)


@pytest.mark.parametrize(
    ("method", "arguments", "message"),
    [
        ("map", {"starts": 0}, "map: starts is 0; needed: greater than or equal to 1"),
        ("map", {"ladder": [1.0, -0.5]}, r"map: ladder is \[1.0, -0.5\]; needed: greater than 0"),
        ("map", {"iters": 5}, "method map has no argument 'iters'; it takes starts, ladder"),
        ("nuts", {"init": "nowhere"}, "init is 'nowhere'; 'map', 'random', a fit's folder"),
        (
            "nuts",
            {"init": np.zeros((3, 2))},
            r"init has shape \(3, 2\); \(nodes, dim\) = \(60, 2\)",
        ),
        ("advi", {"iter": -1}, "advi: .*iter"),
        ("svi", {}, "no method 'svi'; there are map, laplace, pathfinder, vi, advi, nuts"),
        # CmdStanPy takes these: they would spoil the run, or change nothing
        ("nuts", {"save_warmup": True}, "no argument 'save_warmup'"),
        ("nuts", {"fixed_param": True}, "no argument 'fixed_param'"),
        ("nuts", {"threads_per_chain": 2}, "no argument 'threads_per_chain'"),
        ("nuts", {"iter_sampling": 0}, "iter_sampling is 0; needed: greater than or equal to 1"),
        ("nuts", {"thin": 0}, "thin is 0; needed: greater than or equal to 1"),
        ("nuts", {"save_profile": True}, "no argument 'save_profile'"),
        ("advi", {"adapt_engaged": False}, "no argument 'adapt_engaged'"),
        ("advi", {"eta": 0.1}, "no argument 'eta'"),
        ("map", {"algorithm": "newton"}, "no argument 'algorithm'"),
        ("map", {"jacobian": True}, "no argument 'jacobian'"),
    ],
)
def test_bad_arguments_are_refused(simulated, method, arguments, message) -> None:
    with pytest.raises(InputError, match=message):
        simulated[0].fit(method, seed=1, show_progress=False, **arguments)


@pytest.mark.cmdstan
def test_defaults_may_be_asked_for_by_none(simulated, mode) -> None:
    asked = {"max_treedepth": None, "thin": None, "iter_warmup": 20, "iter_sampling": 20}
    fit = simulated[0].sample(
        seed=1, chains=2, init=mode, moves=False, show_progress=False, **asked
    )
    assert "max_treedepth = 10" in fit.record.checks[1].message


@pytest.mark.cmdstan
def test_a_run_that_takes_too_long_is_ended(simulated) -> None:
    with pytest.raises(InferenceError, match=r"map: .*timed out"):
        simulated[0].optimize(seed=1, starts=1, show_progress=False, timeout=0.001)


@pytest.mark.cmdstan
@pytest.mark.parametrize(
    ("seed", "iterations", "is_mode"), [(3, None, True), (3, 20, True), (11, 2, False)]
)
def test_a_large_mode_is_checked_without_its_hessian(
    monkeypatch, seed, iterations, is_mode
) -> None:
    network, _ = simulate(60, 2, seed=seed)
    model = LatentSpaceModel(network, 2)
    monkeypatch.setattr("lsm_stan.inference.mode_checks.MAX_CURVATURE_SIZE", 119)
    fit = model.optimize(seed=1, starts=1, hops=0, show_progress=False, iter=iterations)
    assert fit.record.details.keys() >= {"newton_gain", "newton_step"}
    assert "curvature" not in fit.record.details
    dense, mode = network.to_dense(), fit.positions
    values, vectors = np.linalg.eigh(-tutorial.hessian(mode, dense))
    rotation = np.abs(values).argmin()
    slope = vectors.T @ tutorial.gradient(mode, dense).reshape(-1)
    others = np.arange(mode.size) != rotation
    assert (values[others].min() > 0) == is_mode
    assert fit.record.details["newton_step"]["is_mode"] == is_mode
    if is_mode:
        gain = np.sum(slope[others] ** 2 / values[others]) / 2
        assert fit.record.details["newton_gain"] == pytest.approx(gain, rel=0.01, abs=1e-12)
        assert fit.converged == (gain <= 1e-3) == (iterations is None)
    else:
        assert not fit.converged
        assert any("still rises along a direction" in warning for warning in fit.warnings)


@pytest.mark.cmdstan
def test_a_fit_is_of_the_program_that_was_compiled(tmp_path, monkeypatch) -> None:
    folder = tmp_path / "stan"
    shutil.copytree(sources.STAN_DIR, folder)
    monkeypatch.setattr(sources, "STAN_DIR", folder)
    model = LatentSpaceModel(simulate(8, 2, seed=1)[0], 2)
    model.compile()
    program = model.compiled.program
    with (folder / "latent_space.stan").open("a") as file:
        file.write("// edited while it runs\n")
    fit = model.variational(seed=1, init="random", iter=50, show_progress=False)
    assert fit.record.program == program
    assert LatentSpaceModel(model.network, 2).compiled.program != program


def test_models_in_one_process_have_their_own_threads(monkeypatch) -> None:
    monkeypatch.setenv("STAN_NUM_THREADS", "7")

    class SaysItsThreads:
        def variational(self, **_: object) -> None:
            raise TimeoutError(f"{os.environ['STAN_NUM_THREADS']} threads")

    runs = {}
    for threads in (1, 3):
        model = LatentSpaceModel(simulate(8, 2, seed=1)[0], 2)
        compiled = Compiled(SaysItsThreads(), "cpp", "", None, threads)
        runs[threads] = Run(model.problem, compiled, METHODS["advi"], 1, {}, show_progress=False)
    for threads, run in runs.items():
        with pytest.raises(InferenceError, match=f"advi: {threads} threads"):
            run.cmdstan({})


@pytest.mark.cmdstan
@pytest.mark.parametrize(
    ("name", "max_nodes", "preconditioned"),
    [("tutorial", 12, True), ("tutorial", 11, False), ("nb-squared", 12, False)],
)
@pytest.mark.parametrize("method", ["advi", "nuts"])
def test_a_random_start_needs_a_mode_only_where_it_shapes_something(
    monkeypatch, method, name, max_nodes, preconditioned
) -> None:
    actual = []
    find_mode = LatentSpaceModel.optimize

    @functools.wraps(find_mode)  # arguments are checked by the signature
    def counted(self: LatentSpaceModel, **arguments: object) -> Fit:
        actual.append(arguments)
        return find_mode(self, **arguments)

    monkeypatch.setattr(LatentSpaceModel, "optimize", counted)
    monkeypatch.setattr("lsm_stan.inference.preconditioning.MAX_NODES", max_nodes)
    monkeypatch.setattr("lsm_stan.inference.sample.PILOT", 10)
    short = {
        "advi": {"iter": 50},
        "nuts": {"chains": 1, "iter_warmup": 5, "iter_sampling": 5, "max_treedepth": 3},
    }
    model = LatentSpaceModel(simulate(12, 2, seed=1)[0], 2, model=name)
    asked = {**short[method], "init": "random", "precondition": True}
    fit = model.fit(method, seed=1, show_progress=False, **asked)
    assert len(actual) == preconditioned
    assert fit.record.details["preconditioned"] == preconditioned
    assert fit.record.arguments == requested_arguments(method, asked)


def test_requested_arguments_have_defaults_and_no_progress() -> None:
    asked = requested_arguments("nuts", {"iter_sampling": 5})
    assert asked["iter_sampling"] == 5
    assert asked["chains"] == 4
    assert "show_progress" not in asked


@pytest.mark.cmdstan
@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_map_of_celegans_beats_the_tutorial(seed) -> None:
    fit = LatentSpaceModel(load_celegans("first"), 3).optimize(seed=seed, show_progress=False)
    assert fit.converged
    assert fit.loss < TUTORIAL_LOSS
    assert fit.loss <= 35_415


@pytest.mark.parametrize(
    ("method", "arguments", "message"),
    [
        ("nuts", {"adapt_delta": 1.5}, "nuts: adapt_delta is 1.5; needed: less than 1"),
        ("nuts", {"max_treedepth": "abc"}, "nuts: max_treedepth is 'abc'; needed: a valid integer"),
        ("nuts", {"step_size": [0.1, 0.2]}, "step_size has 2 values; .* each of the 4 chains"),
        ("nuts", {"step_size": [0.1, 0.2, 0.3, -1]}, "step_size is .*; needed: greater than 0"),
        ("nuts", {"step_size": 0.0}, "step_size is 0.0; needed: greater than 0"),
        ("nuts", {"iter_warmup": -1}, "iter_warmup is -1; needed: greater than or equal to 0"),
        ("nuts", {"iter_warmup": 0}, "iter_warmup is 0, .* or adapt_engaged = False"),
        (
            "nuts",
            {"adapt_delta": 0.9, "adapt_engaged": False},
            "adapt_delta is 0.9, but adapt_engaged is False",
        ),
        ("nuts", {"sig_figs": 19}, "sig_figs is 19; needed: less than or equal to 18"),
        ("advi", {"iter": -1}, "advi: iter is -1; needed: greater than or equal to 1"),
        ("advi", {"algorithm": "laplace"}, "advi: algorithm is 'laplace'; needed: 'meanfield' or"),
        ("advi", {"draws": 0}, "draws is 0; needed: greater than or equal to 1"),
        ("map", {"tol_obj": "small"}, "map: tol_obj is 'small'; needed: a valid number"),
        ("map", {"timeout": -1}, "map: timeout is -1; needed: greater than 0"),
    ],
)
def test_what_cmdstan_refuses_is_refused_before_anything_runs(method, arguments, message) -> None:
    with pytest.raises(InputError, match=message):
        requested_arguments(method, arguments)


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("map", {"history_size": 5, "iter": np.int64(100), "tol_obj": 1}),
        ("nuts", {"step_size": [0.1, 0.2], "chains": 2, "thin": None}),
        ("nuts", {"step_size": 0.1, "iter_warmup": 0, "adapt_engaged": False}),
    ],
)
def test_what_cmdstan_takes_is_taken(method, arguments) -> None:
    asked = requested_arguments(method, arguments)
    assert asked.items() >= {k: v for k, v in arguments.items() if v is not None}.items()
