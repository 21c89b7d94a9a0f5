"""The public names: all there, none slow to import."""

import subprocess
import sys

import pytest

import lsm_stan


@pytest.mark.parametrize("name", lsm_stan.__all__)
def test_a_public_name_has_a_docstring(name):
    assert getattr(lsm_stan, name).__doc__


def test_what_is_not_public_is_not_there():
    with pytest.raises(AttributeError, match="no attribute 'quux'"):
        lsm_stan.quux  # noqa: B018


@pytest.mark.parametrize("entrance", ["lsm_stan", "lsm_stan.cli"])
def test_importing_loads_nothing_heavy(entrance):
    code = f"import sys, {entrance}; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"arviz", "cmdstanpy", "matplotlib", "numpy", "pandas", "plotly", "scipy", "xarray"}
    assert not heavy & set(run.stdout.split())
