"""The C++ kernel against the Stan functions that define it, and against NumPy."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import cmdstanpy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lsm_stan.cmdstan.compilation import compile_model, compile_program
from lsm_stan.cmdstan.density import log_prob_grad
from lsm_stan.cmdstan.find import Toolchain, ask_make
from lsm_stan.cmdstan.sources import STAN_DIR
from lsm_stan.typing import FloatArray

HEADER = STAN_DIR / "kernel" / "pair_sums.hpp"
PROGRAM = Path(__file__).parent / "stan" / "pair_sums_test.stan"

Case = tuple[dict[str, Any], FloatArray]


@pytest.fixture(scope="session", params=["fastest", "portable"])
def both(
    request: pytest.FixtureRequest, toolchain: Toolchain, tmp_path_factory: pytest.TempPathFactory
) -> list[cmdstanpy.CmdStanModel]:
    """Compile the Stan functions, and the kernel: its fastest loops here, or its plain ones."""
    reference = compile_model("stan", program=PROGRAM, toolchain=toolchain)
    if request.param == "fastest":
        return [reference, compile_model("cpp", program=PROGRAM, toolchain=toolchain)]
    folder = tmp_path_factory.mktemp("portable") / "kernel"
    shutil.copytree(HEADER.parent, folder)
    header = folder / HEADER.name
    header.write_text("#define LSM_PORTABLE\n" + HEADER.read_text())
    portable = compile_program(
        PROGRAM, include_dirs=[HEADER.parent], user_header=header, toolchain=toolchain
    )
    return [reference, portable]


def case(n_nodes: int, dim: int, form: int, softening: float, seed: int) -> Case:
    """Draw data and one unconstrained point."""
    rng = np.random.default_rng(seed)
    n_edges = int(rng.integers(0, 3 * n_nodes))
    pairs = rng.integers(1, n_nodes + 1, size=(n_edges, 2))
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    data = {
        "N": n_nodes,
        "K": dim,
        "E": len(pairs),
        "sender": pairs[:, 0].tolist(),
        "receiver": pairs[:, 1].tolist(),
        "weight": rng.integers(1, 70, size=len(pairs)).astype(float).tolist(),
        "back": rng.integers(0, 2, size=len(pairs)).astype(float).tolist(),
        "softening": softening,
        "form": form,
        "fixed_charge": rng.normal(size=n_nodes).tolist(),
        "factor": rng.normal(size=(n_nodes, n_nodes)) / np.sqrt(n_nodes),
    }
    x = rng.normal(size=dim * n_nodes) * 10.0 ** rng.uniform(-1, 0.7)
    return data, np.concatenate([x, rng.normal(size=2 * n_nodes + 2 * len(pairs))])


def numpy_value(data: dict[str, Any], point: FloatArray) -> float:
    """Return the program's value by dense arrays."""
    n, dim = data["N"], data["K"]
    x = point[: n * dim].reshape(dim, n).T
    a, b = point[n * dim : n * (dim + 2)].reshape(2, n)
    own, own_reverse = np.exp(point[n * (dim + 2) :].reshape(2, -1))
    fixed = np.asarray(data["fixed_charge"])

    def f(z: FloatArray, softening: float) -> FloatArray:
        squared = ((z[:, None] - z) ** 2).sum(axis=-1) + softening**2
        with np.errstate(divide="ignore"):
            values = {1: squared**-0.5, 2: np.exp(-np.sqrt(squared)), 3: np.exp(-squared)}
        return values[data["form"]]

    eps = data["softening"]
    i, j = np.array(data["sender"], int) - 1, np.array(data["receiver"], int) - 1
    weight, back = np.asarray(data["weight"]), np.asarray(data["back"])
    near, far = f(x, eps), f(data["factor"] @ x, eps + 1)

    everyone = 1 - np.eye(n)
    second = np.arange(n) >= n // 2
    place = np.arange(n) - np.where(second, n // 2, 0)
    halves = (second[:, None] != second) & (place[:, None] != place)

    def all_pairs(pairs: NDArray, f: NDArray, p: NDArray, q: NDArray) -> float:
        u = np.where(pairs, np.outer(p, q) * f, 0)
        return 2 * u.sum() + np.log1p(u).sum() + np.log1p(np.triu(u + u.T)).sum()

    def charged(f: NDArray, p: NDArray, q: NDArray, one: Any = 1.0, other: Any = 1.0) -> float:
        u = (p[i] * q[j] * one + back * p[j] * q[i] * other) * f[i, j]
        return weight @ u + weight @ (2 * np.log1p(u) - np.log(f[i, j]))

    p, q, r = np.exp(a), np.exp(b), np.exp(fixed)
    return float(
        weight @ np.log(near[i, j])
        + all_pairs(everyone, near, p, q)
        + all_pairs(halves, near, p, q)
        + all_pairs(everyone, near, p, r)
        + all_pairs(everyone, near, r, q)
        + all_pairs(everyone, far, r, r)
        + far[everyone > 0].sum()
        + far[halves].sum()
        + charged(near, p, q, own, own_reverse)
        + charged(near, r, q)
        + charged(far, r, r)
        + charged(far, r, r, own, own_reverse)
    )


def assert_equal(both: list[cmdstanpy.CmdStanModel], data: dict, point: NDArray) -> None:
    (reference, reference_gradient), (value, gradient) = (
        log_prob_grad(model, data, point[None]) for model in both
    )
    # sums of terms of both signs: what counts is the size of the terms
    scale = np.abs(reference_gradient).max()
    np.testing.assert_allclose(value, reference, rtol=1e-10, atol=1e-10 * (1 + scale * 1e-2))
    np.testing.assert_allclose(gradient, reference_gradient, rtol=1e-8, atol=1e-10 * scale)


@settings(max_examples=60, derandomize=True)
@given(
    n_nodes=st.integers(2, 40),
    dim=st.integers(1, 6),
    form=st.sampled_from([1, 2, 3]),
    softening=st.sampled_from([0.0, 0.3]),
    seed=st.integers(0, 2**32 - 1),
)
def test_kernel_is_the_reference(both, n_nodes, dim, form, softening, seed) -> None:
    assert_equal(both, *case(n_nodes, dim, form, softening, seed))


@pytest.mark.parametrize("form", [1, 2, 3])
@pytest.mark.parametrize("dim", [1, 2, 3, 4, 5, 6])
def test_kernel_is_the_reference_on_many_nodes(both, dim, form) -> None:
    assert_equal(both, *case(300 - dim, dim, form, 0.0, seed=dim))


@pytest.mark.parametrize("spread", [8.0, 40.0])
@pytest.mark.parametrize("form", [1, 2, 3])
def test_charges_of_every_size_keep_their_digits(both, form, spread) -> None:
    """Products of many terms, some of which are beyond the largest number."""
    n_nodes, dim = 61, 3
    data, point = case(n_nodes, dim, form, 0.0, seed=form)
    charges = slice(n_nodes * dim, n_nodes * (dim + 2))
    point[charges] *= spread
    assert_equal(both, data, point)
    point[charges] = -np.abs(point[charges])
    assert_equal(both, data, point)


@pytest.mark.parametrize("form", [1, 2, 3])
def test_both_are_numpys(both, form) -> None:
    data, point = case(23, 3, form, 0.1, seed=form)
    for model in both:
        value, _ = log_prob_grad(model, data, point[None])
        np.testing.assert_allclose(value[0], numpy_value(data, point), rtol=1e-11)


@pytest.mark.parametrize("softening", [0.0, 0.2])
@pytest.mark.parametrize("form", [1, 2, 3])
def test_coincident_nodes(both, form, softening) -> None:
    data, point = case(7, 2, form, softening, seed=1)
    data |= {"E": 0, "sender": [], "receiver": [], "weight": [], "back": [], "factor": np.eye(7)}
    point = point[: 2 * 7 + 2 * 7]  # of no edges, no charges
    x = point[:14].reshape(2, 7)
    x[:, 4] = x[:, 2]
    (reference, reference_gradient), (value, gradient) = (
        log_prob_grad(model, data, point[None]) for model in both
    )
    np.testing.assert_allclose(value, reference, rtol=1e-12)
    np.testing.assert_allclose(gradient, reference_gradient, rtol=1e-8, atol=1e-10)
    has_pole = form == 1 and softening == 0
    assert value[0] == np.inf if has_pole else np.isfinite(value[0])
    of_positions = np.isfinite(gradient[0, :14].reshape(2, 7)).all(axis=0)
    coincident = np.isin(np.arange(7), [2, 4])
    np.testing.assert_array_equal(of_positions, ~coincident | (not has_pole))


def test_the_gradient_at_a_cusp_is_the_mean_of_both_sides(both) -> None:
    data, point = case(2, 1, 2, 0.0, seed=1)
    data |= {"E": 0, "sender": [], "receiver": [], "weight": [], "back": [], "factor": np.eye(2)}
    point = np.abs(point[:6])
    point[:2] = 0.3
    beside = np.stack([point, point, point])
    beside[1:, 0] += [1e-9, -1e-9]
    for model in both:
        _, gradient = log_prob_grad(model, data, beside)
        np.testing.assert_allclose(gradient[0], gradient[1:].mean(axis=0), atol=1e-7)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_not_hidden(both, bad) -> None:
    data, point = case(9, 3, 1, 0.0, seed=4)
    point[5] = bad
    for model in both:
        value, _ = log_prob_grad(model, data, point[None])
        assert not np.isfinite(value[0])


def test_header_compiles_without_warnings(toolchain: Toolchain, tmp_path: Path) -> None:
    flags = ask_make(toolchain.make, toolchain.path, "compile_info").split()
    standard = [flag for flag in flags if flag.startswith("-std=")]
    includes = []
    for flag, following in zip(flags, [*flags[1:], ""], strict=True):
        if flag == "-I":
            includes += ["-isystem", following]
        elif flag.startswith("-I"):
            includes += ["-isystem", flag[2:]]
    header = STAN_DIR / "kernel" / "pair_sums.hpp"
    source = tmp_path / "only_the_header.cpp"
    source.write_text(f'#include "{header}"\n')
    run = subprocess.run(
        [
            *[toolchain.cxx, *standard, "-D_REENTRANT", "-O3", "-Wall", "-Wextra", "-Werror"],
            *[*includes, "-c", source, "-o", tmp_path / "out.o"],
        ],
        cwd=toolchain.path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-3000:]
