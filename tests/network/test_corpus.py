"""No input crashes, hangs, ends in a traceback or is misread, however malformed, odd or huge."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import lsm_stan
from tests.network.corpus import Case, all_cases

CASES = all_cases()
ROOT = Path(lsm_stan.__file__).parents[1]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory) -> dict[int, object]:
    """Read all inputs in one process, whose memory is limited."""
    folder = tmp_path_factory.mktemp("corpus")
    done = subprocess.run(
        [sys.executable, "-m", "tests.network.corpus", str(folder)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, f"died at {lines[-1:]}: {done.stderr[-2000:]}"
    return {line["number"]: line["result"] for line in lines if "number" in line}


def test_there_are_inputs_of_every_kind():
    assert len(CASES) >= 300
    suffixes = {Path(case.name).suffix for case in CASES}
    assert suffixes >= {
        ".csv", ".tsv", ".txt", ".npy", ".npz", ".mtx", ".gml", ".graphml", ".gexf", ".net",
        ".toml",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("number", "case"),
    list(enumerate(CASES)),
    ids=[f"{k}-{case.name}" for k, case in enumerate(CASES)],
)
def test_an_input_has_its_outcome(outcomes, number: int, case: Case):
    result = outcomes[number]
    if isinstance(case.expected, str):
        assert isinstance(result, str), f"read as {result}"
        assert result.startswith("refused: "), result
        assert re.search(case.expected, result), result
        assert len(result.splitlines()) == 1, "a refusal is one sentence"
    else:
        directed, n_nodes, edges = case.expected
        expected = [directed, n_nodes, [list(edge) for edge in edges]]
        assert result == expected
