"""The package as others get it: a wheel, installed, used from another directory."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_wheel_carries_stan_files_and_data(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", tmp_path, ROOT]
    subprocess.run(build, check=True, cwd=tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    code = """
import lsm_stan
from lsm_stan.cmdstan.sources import STAN_DIR
from lsm_stan.model.stan_data import stan_data
found = {path.name for path in STAN_DIR.iterdir()}
assert {"functions", "kernel", "latent_space.stan", "main.cpp", "methods"} <= found
assert lsm_stan.load_connectome("witvliet2021").n_layers == 8
network = lsm_stan.load_celegans("first")
print(lsm_stan.__file__, STAN_DIR, stan_data(network, 3)["n_nodes"], network.total_weight)
"""
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(site)},
        cwd="/",
        capture_output=True,
        text=True,
        check=True,
    )
    package = site / "lsm_stan"
    assert run.stdout.split() == [
        str(package / "__init__.py"),
        str(package / "stan"),
        "297",
        "8743",
    ]
