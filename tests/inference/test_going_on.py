"""Chains that were interrupted go on from their last whole draws, in the same fit alone."""

import math
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lsm_stan import Fit, InputError, LatentSpaceModel, read_layers, resume, simulate
from lsm_stan.inference.fits import fit_and_save
from lsm_stan.inference.run import Run
from lsm_stan.inference.unfinished import FILES, folder_beside

CHAINS, DRAWS = 2, 60
SHORT = {"chains": CHAINS, "iter_warmup": 100, "iter_sampling": DRAWS, "init": "random"}
QUIET = {**SHORT, "show_progress": False}


def models() -> dict[str, LatentSpaceModel]:
    """Return models whose chains have different states: jumps, a metric, layers."""
    network, _ = simulate(12, 2, seed=3)
    plain, _ = simulate(12, 2, seed=3, model="poisson-squared-effects")
    frames = [network.edge_frame().assign(layer=layer) for layer in ("first", "second")]
    layers = read_layers(pd.concat(frames), layer="layer")
    return {
        "moves": LatentSpaceModel(network, 2),
        "metric": LatentSpaceModel(plain, 2, model="poisson-squared-effects"),
        "layers": LatentSpaceModel(layers, 2, model="poisson-squared", layers="exchangeable"),
    }


@pytest.fixture(scope="module")
def made(toolchain, tmp_path_factory):
    """Sample each model, and keep CmdStan's files."""
    made = {}
    for name, model in models().items():
        folder = tmp_path_factory.mktemp(name) / "nuts.chains.partial"
        made[name] = model, model.sample(seed=1, unfinished=folder, **QUIET), folder
    return made


def interrupt(folder: Path, draws: dict[int, int], stage: str = "chains") -> None:
    """Leave of each chain's file so many draws, and half of the next."""
    for chain, count in draws.items():
        [file] = (folder / FILES / stage).glob(f"*_{chain}.csv")
        lines = file.read_bytes().splitlines(keepends=True)
        first = max(n for n, line in enumerate(lines[:-10]) if line.startswith(b"#")) + 1
        whole, half = lines[: first + count], lines[first + count]
        file.write_bytes(b"".join(whole) + half[: len(half) // 2])


def step_size(folder: Path) -> float:
    """Return the step size that the first chain has learned."""
    [file] = folder.glob("*_1.csv")
    return float(re.findall(r"# Step size = (\S+)", file.read_text())[0])


@pytest.mark.parametrize("kind", ["moves", "metric", "layers"])
def test_chains_go_on(made, kind, tmp_path, monkeypatch) -> None:
    model, whole, before = made[kind]
    folder = shutil.copytree(before, tmp_path / "left")
    interrupt(folder, {1: 25, 2: 0})  # the second was in its warmup
    calls = []
    cmdstan = Run.cmdstan

    def watched(run, data, **arguments):
        calls.append((arguments, run.seed))
        return cmdstan(run, data, **arguments)

    monkeypatch.setattr(Run, "cmdstan", watched)
    fit = model.sample(seed=1, unfinished=folder, **QUIET)
    assert fit.record.arguments == whole.record.arguments
    first, second = sorted(calls, key=lambda call: call[0]["chain_ids"])
    assert len(calls) == 2, "what was whole is not sampled again"
    assert (first[0]["iter_sampling"], second[0]["iter_sampling"]) == (DRAWS - 25, DRAWS)
    assert first[0]["seed"] != 1
    assert "seed" not in second[0]
    for name, values in fit.parameters.items():
        expected = whole.parameters[name]
        assert values.shape == expected.shape
        np.testing.assert_array_equal(values[0, :25], expected[0, :25])
        np.testing.assert_array_equal(values[1], expected[1])
    assert (fit.parameters["z"][0, 25:] != whole.parameters["z"][0, 25:]).all()
    last = {name: values[0, 24] for name, values in whole.parameters.items()}
    # where nodes move, coordinates are positions: so they are everywhere here
    expected_start = model.problem.inits(last, learned=model.problem.hierarchical)
    [start] = first[0]["inits"]
    assert start.keys() == expected_start.keys()
    for name, value in start.items():
        np.testing.assert_array_equal(value, expected_start[name])
    assert fit.record.details["from_before"]["chains"] == [25, 0]
    if kind == "moves":
        assert fit.record.details["jumps"] == whole.record.details["jumps"]
        assert fit.record.details["from_before"].keys() == {"pilot", "jumps", "chains"}
    assert "from_before" not in whole.record.details
    assert first[0]["step_size"] == [step_size(before / FILES / "chains")]
    gradients = fit.record.details["gradients"] / whole.record.details["gradients"]
    assert 0.5 < gradients < 2


@pytest.mark.slow
def test_a_chain_that_goes_on_keeps_its_distribution(toolchain, tmp_path) -> None:
    """Nodes without an observed dyad have their prior: z / sigma_z is standard normal."""
    network, _ = simulate(8, 2, seed=3)
    seen = np.zeros((8, 8), dtype=bool)
    seen[0, 1] = True
    network = network.hide(*np.nonzero(~seen & ~np.eye(8, dtype=bool)))
    model = LatentSpaceModel(network, 2, model="poisson-squared")
    arguments = {**QUIET, "iter_warmup": 400, "iter_sampling": 600, "adapt_delta": 0.95}
    folder = tmp_path / "left"
    fit = model.sample(seed=1, unfinished=folder, **arguments)
    for count in range(10, 600, 20):
        interrupt(folder, dict.fromkeys((1, 2), count))
        fit = model.sample(seed=1, unfinished=folder, **arguments)
    assert fit.record.details["from_before"]["chains"] == [590, 590]
    squares = (fit.draws[:, :, 2:] / fit.parameters["sigma_z"][..., None, None]) ** 2
    radii = squares.sum(axis=(2, 3))[:, ::10].ravel()
    assert stats.kstest(radii, stats.chi2(12).cdf).pvalue > 0.01
    coordinates = fit.draws[:, :, 2:] / fit.parameters["sigma_z"][..., None, None]
    assert stats.kstest(coordinates[:, ::10].ravel(), stats.norm.cdf).pvalue > 0.01


@pytest.mark.parametrize("other", ["seed", "argument", "start", "network", "program"])
def test_chains_of_another_fit_are_not_gone_on_with(made, other, tmp_path, capsys) -> None:
    model, whole, before = made["metric"]
    folder = shutil.copytree(before, tmp_path / "left")
    interrupt(folder, {1: 25, 2: 30})
    seed, arguments = 1, dict(QUIET)
    if other == "seed":
        seed = 2
    elif other == "argument":
        arguments["max_treedepth"] = 8
    elif other == "start":
        arguments["init"] = whole.estimate
    elif other == "network":
        network, _ = simulate(12, 2, seed=4, model="poisson-squared-effects")
        model = LatentSpaceModel(network, 2, model="poisson-squared-effects")
    else:
        said = (folder / "unfinished.json").read_text()
        program = model.compiled.program
        (folder / "unfinished.json").write_text(said.replace(program, "0" * len(program)))
    fit = model.sample(seed=seed, unfinished=folder, **arguments)
    assert "from_before" not in fit.record.details
    assert "holds chains of another fit" in capsys.readouterr().err


def test_a_folder_of_something_else_is_left_alone(made, tmp_path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(InputError, match=r"not a folder of unfinished chains .*thesis\.tex"):
        made["metric"][0].sample(seed=1, unfinished=tmp_path, **QUIET)
    assert (tmp_path / "thesis.tex").exists()


def test_a_saved_fit_leaves_no_chains(made, tmp_path, monkeypatch) -> None:
    model, whole, _ = made["metric"]
    target, said = tmp_path / "fits" / "nuts", []
    folder = folder_beside(target)
    asked = "nuts", 1, QUIET
    with monkeypatch.context() as patched:  # while the fit is saved, all is there
        patched.setattr(Fit, "save", lambda _fit, _folder: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            fit_and_save(model, *asked, target, said.append)
    assert folder.name == "nuts.chains.partial"
    assert folder.is_dir()
    fit_and_save(model, *asked, target, said.append)
    assert not folder.exists()
    fit = Fit.load(target)
    np.testing.assert_array_equal(fit.draws, whole.draws)
    assert fit.record.details["from_before"]["chains"] == [DRAWS, DRAWS]
    assert fit.record.seconds >= 0
    longer = resume(fit, draws=10, show_progress=False)
    np.testing.assert_array_equal(longer.draws[:, :DRAWS], whole.draws)


def test_an_error_before_any_draw_leaves_nothing(made, tmp_path, monkeypatch) -> None:
    model, _, _ = made["metric"]

    def fails(*_arguments, **_options):
        raise InputError("refused")

    monkeypatch.setattr(Run, "cmdstan", fails)
    with pytest.raises(InputError, match="refused"):
        fit_and_save(model, "nuts", 1, QUIET, tmp_path / "nuts", print)
    assert list(tmp_path.iterdir()) == []


def test_thinned_chains_go_on(made, tmp_path) -> None:
    model, *_ = made["metric"]
    folder, arguments = tmp_path / "left", {**QUIET, "thin": 7}
    whole = model.sample(seed=1, unfinished=folder, **arguments)
    assert whole.draws.shape[1] == math.ceil(DRAWS / 7)
    interrupt(folder, {1: 4})
    fit = model.sample(seed=1, unfinished=folder, **arguments)
    assert fit.draws.shape == whole.draws.shape
    np.testing.assert_array_equal(fit.draws[0, :4], whole.draws[0, :4])
    np.testing.assert_array_equal(fit.draws[1], whole.draws[1])
