"""The Stan program under the newest Stan: its stanc, its headers, its numbers.

CmdStan 2.27 is what the other tests run on; most people have a newer one.
"""

import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lsm_stan import LatentSpaceModel, Network, load_celegans
from lsm_stan.cmdstan.density import Density
from lsm_stan.cmdstan.find import Toolchain
from lsm_stan.cmdstan.sources import STAN_DIR
from lsm_stan.inference.jumps import PairEnergies, jump_between
from lsm_stan.inference.moves import moves_data
from lsm_stan.inference.preconditioning import preconditioner
from lsm_stan.model.parameters import declared, flat
from lsm_stan.model.simulation import draw_parameters, simulate
from lsm_stan.typing import FloatArray
from tests.support import newest_stan
from tests.support.newest_stan import NewestStan

pytestmark = [pytest.mark.newest_stan, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
KERNELS = {"cpp": STAN_DIR / "kernel", "stan": STAN_DIR / "functions"}
PROGRAMS = sorted(
    path
    for folder in ("stan", "tests", "benchmarks")
    for path in (ROOT / folder).rglob("*.stan")
    if re.search(r"^(data|parameters)\s*\{", path.read_text(), re.MULTILINE)
)

#: Pedantic warnings that are no faults, each answered by a comment in the Stan files.
ANSWERED = (
    # sizes and the loops over them; log_rising and log_form say why they branch
    r"A control flow statement inside function \w+ depends on argument"
    r" (z|x|log_charge|effect|phi|d2|intercept)\.",
    # latent_space.stan: all have one, behind data that choose the model
    r"The parameter \w+ has no priors\.",
    # sums of terms, not statements one of which is forgotten
    r"The parameter \w+ is on the left-hand side of more than one tilde statement\.",
)


@pytest.fixture(scope="session")
def newest() -> NewestStan:
    return newest_stan.download()


def warnings_of(stderr: str) -> list[str]:
    """Return stanc's warnings, a line each, without the places they are at."""
    parts = re.split(r"^(?:Warning|Info)(?: in .*?)?:\s", stderr, flags=re.MULTILINE | re.DOTALL)
    return [" ".join(part.split()) for part in parts[1:]]


def options_for(program: Path, kernel: str) -> list[str]:
    """Return stanc's options; it runs in the program's folder."""
    paths = [os.path.relpath(KERNELS[name], program.parent) for name in (kernel, "stan")]
    return [f"--include-paths={','.join(paths)}", "--allow-undefined"]


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_the_newest_stanc_takes_every_program(newest, program, kernel, tmp_path) -> None:
    options = options_for(program, kernel)
    plain = newest.translate(program, tmp_path / "plain.hpp", *options)
    assert plain.returncode == 0, plain.stderr
    assert plain.stderr == ""
    pedantic = newest.translate(program, tmp_path / "m.hpp", "--warn-pedantic", *options)
    unanswered = [
        warning
        for warning in warnings_of(pedantic.stderr)
        if not any(re.match(pattern, warning) for pattern in ANSWERED)
    ]
    assert unanswered == []


@pytest.fixture(scope="session")
def executables(
    newest: NewestStan, toolchain: Toolchain, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """Compile the program against the newest headers, with both kernels at a time."""
    folder = tmp_path_factory.mktemp("newest")

    def compiled(kernel: str) -> Path:
        translated = folder / f"{kernel}.hpp"
        program = STAN_DIR / "latent_space.stan"
        run = newest.translate(program, translated, *options_for(program, kernel))
        assert run.returncode == 0, run.stderr
        header = KERNELS[kernel] / "pair_sums.hpp" if kernel == "cpp" else None
        return newest.compile(translated, header, toolchain)

    with ThreadPoolExecutor() as pool:
        return dict(zip(KERNELS, pool.map(compiled, KERNELS), strict=True))


#: With these most prior draws of the other parameters give weights that occur.
MODERATE = {"intercept": np.array(-1.0), "sigma_z": np.array(0.6)}


def random_network(model: str, dim: int, *, directed: bool, hidden: float) -> Network:
    """Simulate a network of 40 nodes with covariates, and hide a share of its dyads."""
    rng = np.random.default_rng(5)
    names = [str(number) for number in range(1, 41)]
    nodes = pd.DataFrame(
        {"kind": rng.choice(["a", "b"], size=40), "size": rng.gamma(2, size=40)}, index=names
    )
    upper = np.argwhere(np.triu(np.ones((40, 40)), 1))
    chosen = np.array(names)[upper[rng.choice(len(upper), size=60, replace=False)]]
    ends = pd.MultiIndex.from_arrays(chosen.T, names=["source", "target"])
    dyads = pd.DataFrame({"contact": rng.gamma(2, size=60)}, index=ends)
    network, _ = simulate(
        *(40, dim),
        seed=3,
        model=model,
        directed=directed,
        parameters=MODERATE,
        node_table=nodes,
        dyad_table=dyads,
    )
    cells = upper if not directed else np.concatenate([upper, upper[:, ::-1]])
    return network.hide(*cells[rng.choice(len(cells), size=int(hidden * len(cells)))].T)


#: By name: model, dimension, whether directed, share of hidden dyads.
CASES = {
    "tutorial": ("tutorial", 3, True, 0.0),
    "tutorial, undirected, hidden": ("tutorial", 2, False, 0.2),
    "intercept": ("poisson-inverse", 3, True, 0.0),
    "roles": ("poisson-exponential-roles", 2, True, 0.0),
    "negative binomial, hidden": ("nb-squared-effects", 3, True, 0.2),
    "dyadic, hidden": ("dyadic-exponential-effects", 2, True, 0.2),
    "binary, undirected": ("bernoulli-squared-effects", 3, False, 0.0),
    "inner product": ("nb-inner-effects", 5, True, 0.0),
    "covariates": (
        "nb-squared-effects+nodematch(kind)+absdiff(size)+edgecov(contact)",
        2,
        True,
        0.1,
    ),
    "covariates of pairs": ("dyadic-squared+edgecov(contact)+nodeocov(size)", 2, True, 0.0),
    "clusters": ("nb-squared-effects+clusters(3)", 2, True, 0.0),
    "clusters, binary, undirected": ("bernoulli-exponential+clusters(2)", 3, False, 0.1),
}


def evaluate(
    executable: Path, data: dict[str, object], points: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return log densities and gradients at points of shape (M, P), under the newest Stan."""
    with Density(executable, data) as density:
        return density.log_prob_grad(points)


def assert_same_density(model: LatentSpaceModel, executables: dict[str, Path]) -> None:
    """Compare density and gradient at random parameters with those under CmdStan 2.27."""
    spec, network = model.spec, model.network
    draws = [
        draw_parameters(
            *(network.n_nodes, model.dim),
            seed=seed,
            model=spec,
            directed=network.directed,
            given=MODERATE,
        )
        for seed in range(4)
    ]
    points = np.stack(
        [flat(declared(draw, spec, directed=network.directed, learned=True)) for draw in draws]
    )
    expected, expected_gradient = model.log_joint.at_flat(points, learned=True)
    assert np.isfinite(expected).all()
    for executable in executables.values():
        value, gradient = evaluate(executable, model.problem.stan_data(learned=True), points)
        np.testing.assert_allclose(value, expected, rtol=1e-10)
        scale = np.abs(expected_gradient).max(axis=1, keepdims=True)
        np.testing.assert_allclose(gradient / scale, expected_gradient / scale, atol=1e-10)


@pytest.mark.parametrize("case", CASES)
def test_random_networks_have_the_same_density(executables, case) -> None:
    name, dim, directed, hidden = CASES[case]
    network = random_network(name, dim, directed=directed, hidden=hidden)
    assert_same_density(LatentSpaceModel(network, dim, model=name), executables)


@pytest.mark.parametrize(
    "name",
    [
        "tutorial",
        "nb-squared-effects",
        "dyadic-exponential-effects",
        "poisson-inner-roles",
        "nb-exponential+nodematch(class)",
        "nb-squared+clusters(4)",
    ],
)
def test_celegans_has_the_same_density(executables, name) -> None:
    network = load_celegans("first" if name == "tutorial" else "sum")
    assert_same_density(LatentSpaceModel(network, 3, model=name), executables)


def test_preconditioned_coordinates_have_the_same_density(executables) -> None:
    network = random_network("tutorial", 3, directed=True, hidden=0.0)
    model = LatentSpaceModel(network, 3)
    rng = np.random.default_rng(1)
    change = preconditioner(network, rng.normal(size=(5, 40, 3)), 1.0)
    data = model.problem.stan_data(change=change)
    points = rng.normal(size=(3, 120))
    expected = model.compiled.log_prob_grad(data, points)
    for executable in executables.values():
        for values, reference in zip(evaluate(executable, data, points), expected, strict=True):
            scale = np.abs(reference).max()
            np.testing.assert_allclose(values / scale, reference / scale, atol=1e-10)


def test_a_climb_ends_where_it_ends_under_the_oldest(executables) -> None:
    model = LatentSpaceModel(random_network("tutorial", 2, directed=True, hidden=0.0), 2)
    data, start = model.stan_data(), np.random.default_rng(3).normal(size=(1, 80))
    with model.compiled.density(data) as density:
        expected, _ = density.ascend(start, iterations=5)
    for executable in executables.values():
        with Density(executable, data) as density:
            np.testing.assert_allclose(density.ascend(start, iterations=5)[0], expected, rtol=1e-8)


def test_nuts_moves_nodes_between_its_transitions(executables, tmp_path) -> None:
    network = random_network("tutorial", 3, directed=True, hidden=0.1)
    model = LatentSpaceModel(network, 3)
    pilot = np.random.default_rng(1).normal(size=(2, 5, 40, 3))
    change = preconditioner(network, pilot.reshape(-1, 40, 3), 1.0)
    one, other = pilot[0, :2]
    weight = PairEnergies.of(model.problem).weight
    jumps = [jump_between(weight, one, other, np.array(group)) for group in ([3], [5, 9])]
    data, moves = model.problem.stan_data(), moves_data(model.problem, change, jumps)
    for executable in executables.values():
        columns = newest_stan.sample(executable, data, moves, tmp_path)
        assert columns["turns__"].mean() > 1
        assert columns["gradients__"][-1] > columns["n_leapfrog__"].sum()
        raw = np.stack(
            [columns[f"z_raw.{node}.{k}"] for k in (1, 2, 3) for node in range(1, 41)], axis=1
        )
        expected, _ = model.compiled.log_prob_grad(data, raw)
        np.testing.assert_allclose(columns["lp__"], expected, atol=0.01)  # six digits
        kinetic = columns["energy__"] + columns["lp__"]  # half a chi-square of 120 degrees
        assert abs(kinetic.mean() - 60) < 5 * np.sqrt(60 / 100)
        assert 0.75 < columns["accept_stat__"].mean() < 0.99  # 0.9 is aimed at


@pytest.mark.parametrize("name", ["tutorial", "nb-squared-effects", "poisson-exponential"])
def test_coincident_nodes_are_the_same(executables, name) -> None:
    network = random_network(name, 2, directed=True, hidden=0.0)
    model = LatentSpaceModel(network, 2, model=name)
    positions = np.random.default_rng(2).normal(size=(40, 2))
    positions[7] = positions[3]
    points = flat(declared({"z": positions[None]}, model.spec, directed=True, learned=False))
    expected, expected_gradient = model.log_joint.at_flat(points)
    for executable in executables.values():
        data = model.problem.stan_data()
        value, gradient = evaluate(executable, data, points)
        np.testing.assert_allclose(value, expected, rtol=1e-10)
        np.testing.assert_allclose(gradient, expected_gradient, rtol=1e-8, atol=1e-8)
    assert np.isfinite(expected_gradient).all() == (name != "tutorial")
