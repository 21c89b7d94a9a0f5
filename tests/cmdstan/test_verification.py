"""Whether setup sees that a compiled program is right, wrong or missing."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from lsm_stan import cli
from lsm_stan.cmdstan import verification
from lsm_stan.cmdstan.compilation import compile_model
from lsm_stan.cmdstan.find import Toolchain
from lsm_stan.cmdstan.verification import check_kernel, check_program
from lsm_stan.errors import ToolchainError


def program(folder: Path, code: str) -> SimpleNamespace:
    """Return a model whose executable is a Python script."""
    path = folder / "program"
    path.write_text(f"#!{sys.executable}\nimport struct, sys\n{code}\n")
    path.chmod(0o755)
    return SimpleNamespace(exe_file=str(path), name="program")


@pytest.mark.parametrize("kernel", ["cpp", "stan"])
def test_what_is_compiled_is_right(toolchain: Toolchain, kernel) -> None:
    compile_model(kernel, toolchain=toolchain)
    result = check_kernel(kernel, toolchain)
    assert result.state == "right"
    assert "equals SciPy's" in result.message


def test_a_wrong_density_is_seen(tmp_path) -> None:
    wrong = program(
        tmp_path, "sys.stdout.buffer.write(struct.pack('17d', 0.001, -50.0, *[0.0] * 15))"
    )
    result = check_program("cpp", wrong)
    assert result.state == "wrong"
    assert "is -50 where SciPy's is -" in result.message
    assert wrong.exe_file in result.message


def test_an_executable_that_fails_is_seen(tmp_path) -> None:
    result = check_program("cpp", program(tmp_path, "sys.exit('no TBB')"))
    assert result.state == "wrong"
    assert "no TBB" in result.message


def test_stancs_own_first_error_is_shown(monkeypatch) -> None:
    def refuse(*_):
        raise ToolchainError(
            "latent_space.stan does not compile:\n  line 3: offset is reserved\nmore"
        )

    monkeypatch.setattr(verification, "find_compiled", refuse)
    result = check_kernel("stan", SimpleNamespace(version="2.39.0"))
    assert result.state == "wrong"
    assert result.message == "stanc of CmdStan 2.39.0 refuses it: line 3: offset is reserved"


def test_setup_evaluates_a_density_and_check_compiles_nothing(
    toolchain: Toolchain, tmp_path, monkeypatch
) -> None:
    run = CliRunner().invoke(cli.app, ["setup"])
    assert run.exit_code == 0
    assert "a density equals SciPy's" in run.stdout
    monkeypatch.setenv("LSM_STAN_CACHE", str(tmp_path / "empty"))
    run = CliRunner().invoke(cli.app, ["setup", "--check"])
    assert run.exit_code == 0
    assert run.stdout.count("not compiled yet") == 2
    assert not list((tmp_path / "empty").glob("models/*"))


def test_setup_fails_where_the_density_is_wrong(toolchain: Toolchain, monkeypatch) -> None:
    monkeypatch.setattr(verification, "TOLERANCE", -1.0)
    run = CliRunner().invoke(cli.app, ["setup"])
    assert isinstance(run.exception, ToolchainError)
    assert "kernel cpp" in str(run.exception)
