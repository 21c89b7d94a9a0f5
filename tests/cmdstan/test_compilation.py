"""Compiling Stan programs and evaluating their densities, by a real CmdStan."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.stats

from lsm_stan.cmdstan import sources
from lsm_stan.cmdstan.cache import cache_dir
from lsm_stan.cmdstan.compilation import compile_program, compile_with_fallback
from lsm_stan.cmdstan.density import log_prob_grad
from lsm_stan.cmdstan.find import Toolchain
from lsm_stan.cmdstan.sources import STAN_DIR, sources_digest
from lsm_stan.errors import InferenceError, ToolchainError

ROOT = Path(sources.__file__).parents[2]

# A likelihood with a constrained parameter, a rejected region, and an include.
TINY = """\
functions {
#include shift.stan
}
data {
  int<lower=0> N;
  vector[N] y;
}
parameters {
  real mu;
  real<lower=0> sigma;
}
model {
  if (mu > 100)
    reject("mu is too large");
  target += normal_lpdf(y | shifted(mu), sigma);
}
"""

SHIFT = "real shifted(real mu) { return mu + 1; }\n"

BROKEN = '#include "nowhere.hpp"\n'  # ends the compilation at once

DATA = {"N": 3, "y": [0.5, -1.25, 3.0]}


def tiny_density(mu: float, log_sigma: float) -> float:
    y = np.array(DATA["y"])
    # The Jacobian of sigma = exp(log_sigma) adds log_sigma.
    return scipy.stats.norm.logpdf(y, mu + 1, np.exp(log_sigma)).sum() + log_sigma


def write_tiny(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "shift.stan").write_text(SHIFT)
    (folder / "tiny.stan").write_text(TINY)
    return folder / "tiny.stan"


@pytest.fixture(scope="session")
def tiny(toolchain, tmp_path_factory):
    return compile_program(write_tiny(tmp_path_factory.mktemp("tiny")), toolchain=toolchain)


@pytest.fixture
def fresh_cache(tiny, tmp_path, monkeypatch) -> Path:
    """Give an empty cache but for the main program's object, which takes a minute to compile."""
    cache = tmp_path / "a cache with spaces"
    # another process may be about to rename its partial copy
    shutil.copytree(
        cache_dir() / "main", cache / "main", ignore=shutil.ignore_patterns("*.partial")
    )
    monkeypatch.setenv("LSM_STAN_CACHE", str(cache))
    return cache


def executables(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.glob("models/*/*"))


def test_the_density_is_exact(tiny):
    rows = np.random.default_rng(1).normal(size=(50, 2))
    log_density, gradient = log_prob_grad(tiny, DATA, rows)
    expected = np.array([tiny_density(*row) for row in rows])
    np.testing.assert_allclose(log_density, expected, rtol=1e-13)

    y, sigma = np.array(DATA["y"]), np.exp(rows[:, 1:])
    residual = (y - rows[:, :1] - 1) / sigma
    by_hand = np.column_stack([(residual / sigma).sum(axis=1), (residual**2 - 1).sum(axis=1) + 1])
    np.testing.assert_allclose(gradient, by_hand, rtol=1e-11, atol=1e-12)


def test_a_rejected_position_has_no_density(tiny):
    rows = np.array([[0.0, 0.0], [101.0, 0.0], [1.0, 1.0]])
    log_density, gradient = log_prob_grad(tiny, DATA, rows)
    assert log_density[1] == -np.inf
    assert np.isnan(gradient[1]).all()
    assert np.isfinite(log_density[[0, 2]]).all()
    assert np.isfinite(gradient[[0, 2]]).all()


def test_no_positions(tiny):
    log_density, gradient = log_prob_grad(tiny, DATA, np.empty((0, 2)))
    assert log_density.shape == (0,)
    assert gradient.shape == (0, 2)


@pytest.mark.parametrize("shape", [(4, 1), (2, 3), (1, 3), (3, 4)])
def test_a_wrong_number_of_parameters_is_refused(tiny, shape):
    with pytest.raises(InferenceError, match="unconstrained parameters"):
        log_prob_grad(tiny, DATA, np.zeros(shape))


def test_bad_data_shows_what_the_executable_says(tiny):
    with pytest.raises(InferenceError, match="variable name=y"):
        log_prob_grad(tiny, {"N": 3}, np.zeros((1, 2)))


def test_everything_else_is_cmdstan(tiny):
    fit = tiny.sample(
        DATA, chains=1, iter_warmup=200, iter_sampling=200, seed=1, show_progress=False
    )
    rows = np.column_stack([fit.stan_variable("mu"), np.log(fit.stan_variable("sigma"))])
    # Six digits are what CmdStan's text output keeps.
    np.testing.assert_allclose(
        log_prob_grad(tiny, DATA, rows)[0], fit.method_variables()["lp__"][:, 0], rtol=1e-4
    )


def test_two_processes_compile_once_and_an_edit_compiles_anew(
    fresh_cache, tmp_path, monkeypatch, toolchain
):
    program = write_tiny(tmp_path / "a program with spaces")
    code = (
        "import sys; from pathlib import Path\n"
        "from lsm_stan.cmdstan.compilation import compile_program\n"
        "print(compile_program(Path(sys.argv[1])).exe_file)"
    )
    processes = [
        subprocess.Popen(
            # The path is relative to a folder that is not the repository's.
            [sys.executable, "-c", code, program.name],
            cwd=program.parent,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    outputs = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    assert outputs[0][0] == outputs[1][0]
    said = "".join(err for _, err in outputs).splitlines()
    assert said.count("compiling tiny.stan (about a minute, once)…") == 1
    assert executables(fresh_cache) == ["tiny"]

    (program.parent / "shift.stan").write_text(SHIFT.replace("mu + 1", "mu + 2"))
    edited = compile_program(program, toolchain=toolchain)
    assert str(edited.exe_file) != outputs[0][0].strip()
    row = np.array([[0.5, 0.25]])
    np.testing.assert_allclose(
        log_prob_grad(edited, DATA, row)[0], tiny_density(1.5, 0.25), rtol=1e-13
    )


def test_what_is_compiled_is_found_without_a_word(tiny, tmp_path, toolchain):
    said: list[str] = []
    again = compile_program(
        write_tiny(tmp_path / "elsewhere"), toolchain=toolchain, progress=said.append
    )
    assert again.exe_file == tiny.exe_file
    assert said == []


def test_an_error_in_the_program_is_shown(fresh_cache, tmp_path, toolchain):
    program = write_tiny(tmp_path / "program")
    program.write_text(TINY.replace("shifted(mu)", "shifted(nu)"))
    with pytest.raises(ToolchainError) as caught:
        compile_program(program, toolchain=toolchain)
    message = str(caught.value)
    assert f"{program} does not compile" in message
    assert "line 15" in message
    assert "nu" in message
    assert executables(fresh_cache) == []


def test_an_error_in_a_header_is_shown(fresh_cache, tmp_path, toolchain):
    program = write_tiny(tmp_path / "program")
    header = tmp_path / "program" / "header.hpp"
    header.write_text('#include "detail/inner.hpp"\n')
    (tmp_path / "program" / "detail").mkdir()
    (tmp_path / "program" / "detail" / "inner.hpp").write_text(BROKEN)
    with pytest.raises(ToolchainError, match=r"fatal error: nowhere\.hpp"):
        compile_program(program, user_header=header, toolchain=toolchain)
    assert executables(fresh_cache) == []


def test_a_missing_header_is_named(tmp_path, toolchain):
    with pytest.raises(ToolchainError, match=r"there is no user header .*missing\.hpp"):
        compile_program(
            write_tiny(tmp_path), user_header=tmp_path / "missing.hpp", toolchain=toolchain
        )


@pytest.fixture
def small_stan_dir(tmp_path, monkeypatch) -> Path:
    """Give a folder laid out as ``stan/``, with a small program, and make it the one in use."""
    folder = tmp_path / "stan"
    write_tiny(folder)
    for name, text in [("functions", SHIFT), ("kernel", "real shifted(real mu);\n")]:
        (folder / name).mkdir()
        (folder / name / "pair_sums.stan").write_text(text)
    (folder / "functions" / "shared.stan").write_text("real twice(real x) { return 2 * x; }\n")
    includes = "pair_sums.stan\n#include shared.stan"
    (folder / "latent_space.stan").write_text(TINY.replace("shift.stan", includes))
    # The name of the program is taken on purpose: stanc writes latent_space.hpp.
    (folder / "kernel" / "pair_sums.hpp").write_text('#include "latent_space.hpp"\n')
    (folder / "kernel" / "latent_space.hpp").write_text(
        """\
#include <ostream>
#include <stan/model/model_header.hpp>
namespace latent_space_model_namespace {
inline double shifted(const double& mu, std::ostream*) { return mu + 2; }
inline stan::math::var shifted(const stan::math::var& mu, std::ostream*) { return mu + 2; }
}
"""
    )
    shutil.copy(STAN_DIR / "main.cpp", folder)
    shutil.copytree(STAN_DIR / "methods", folder / "methods")
    for name in (
        "elementary.hpp",
        "products.hpp",
        "vectorise.hpp",
        "unmark.hpp",
    ):  # of which methods are made
        shutil.copy(STAN_DIR / "kernel" / name, folder / "kernel")
    monkeypatch.setattr(sources, "STAN_DIR", folder)
    return folder


def test_the_kernel_or_what_stands_in_for_it(fresh_cache, small_stan_dir, toolchain):
    row = np.array([[0.5, 0.25]])
    model, kernel = compile_with_fallback(toolchain=toolchain)
    assert kernel == "cpp"
    np.testing.assert_allclose(log_prob_grad(model, DATA, row)[0], tiny_density(1.5, 0.25))

    before = sources_digest("cpp")
    (small_stan_dir / "kernel" / "latent_space.hpp").write_text(BROKEN)
    assert sources_digest("cpp") != before
    with pytest.warns(
        UserWarning,
        match=r"slower Stan functions are used\. The compiler.s first error: .*nowhere\.hpp",
    ):
        model, kernel = compile_with_fallback(toolchain=toolchain)
    assert kernel == "stan"
    np.testing.assert_allclose(log_prob_grad(model, DATA, row)[0], tiny_density(0.5, 0.25))


def test_only_what_is_compiled_is_in_the_digest(small_stan_dir):
    before = {kernel: sources_digest(kernel) for kernel in ("cpp", "stan")}
    for folder in ("kernel", "functions"):
        (small_stan_dir / folder / ".pair_sums.stan.swp").touch()
        (small_stan_dir / folder / "notes").mkdir()
    assert {kernel: sources_digest(kernel) for kernel in before} == before
    for file, kernels in {
        "kernel/pair_sums.stan": {"cpp"},
        "kernel/pair_sums.hpp": {"cpp"},
        "kernel/latent_space.hpp": {"cpp"},
        "functions/pair_sums.stan": {"stan"},
        "functions/shared.stan": {"cpp", "stan"},
        "latent_space.stan": {"cpp", "stan"},
    }.items():
        path = small_stan_dir / file
        text = path.read_text()
        path.write_text(text + "\n")
        assert {kernel for kernel in before if sources_digest(kernel) != before[kernel]} == kernels
        path.write_text(text)


def test_the_process_is_told_its_threads(tmp_path, monkeypatch):
    monkeypatch.setenv("STAN_NUM_THREADS", "7")
    executable = tmp_path / "says-its-threads"
    executable.write_text("#!/bin/sh\necho $STAN_NUM_THREADS threads >&2\nexit 1\n")
    executable.chmod(0o755)
    model = SimpleNamespace(exe_file=executable, name="model")
    for threads in (1, 3):
        with pytest.raises(InferenceError, match=f"\n{threads} threads"):
            log_prob_grad(model, DATA, np.zeros((1, 2)), threads=threads)


@pytest.mark.slow
def test_threads_are_compiled_in(toolchain: Toolchain, tmp_path):
    model = compile_program(write_tiny(tmp_path), threads=True, toolchain=toolchain)
    info = subprocess.run([model.exe_file, "info"], capture_output=True, text=True, check=True)
    assert "STAN_THREADS=true" in info.stdout
    row = np.array([[0.5, 0.25]])
    np.testing.assert_allclose(log_prob_grad(model, DATA, row)[0], tiny_density(0.5, 0.25))
