"""The content of ``fit.json``: written, read, and refused where it is damaged."""

import json
from pathlib import Path

import pytest

from lsm_stan.errors import InputError
from lsm_stan.inference.record import RECORD, FitRecord, NetworkRecord, read_record
from lsm_stan.posterior.checks import Check

#: As the first fits were recorded: no program, no size of the network, a name for the model.
EARLIER = {
    "method": "map",
    "seed": 1,
    "seconds": 3.5,
    "log_joint": -35395.0,
    "loss": 35395.0,
    "dim": 3,
    "converged": False,
    "warnings": ["the gradient is not finite"],
    "checks": [{"name": "gradient", "passed": False, "message": "the gradient is not finite"}],
    "details": {"starts": []},
    "arguments": {"starts": 8},
    "model": {"model": "tutorial", "dim": 3, "prior_scale": 1.0, "jitter": 1e3},
    "network": {"title": "worm", "digest": "abc", "directed": True},
    "versions": {"cmdstan": "2.27.0"},
    "a name of another time": 1,
}


def write(folder: Path, content: bytes) -> Path:
    (folder / RECORD).write_bytes(content)
    return folder


def test_an_earlier_record_is_read(tmp_path) -> None:
    record = read_record(write(tmp_path, json.dumps(EARLIER).encode()))
    assert record.loss == 35395.0
    assert not record.converged
    assert record.warnings == ["the gradient is not finite"]
    assert record.network == NetworkRecord("worm", "abc", True)


def test_what_is_written_is_read(tmp_path) -> None:
    record = FitRecord.from_json(EARLIER, tmp_path)
    written = record.as_json()
    assert read_record(write(tmp_path, json.dumps(written).encode())) == record
    assert {name: written[name] for name in ("loss", "converged", "warnings")} == {
        name: EARLIER[name] for name in ("loss", "converged", "warnings")
    }
    assert record.checks == [Check("gradient", False, "the gradient is not finite")]


def test_a_folder_without_a_record_has_no_fit(tmp_path) -> None:
    assert read_record(tmp_path) is None
    assert read_record(tmp_path / "missing") is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"{}",
        b"[]",
        b"null",
        b'"fit"',
        b"\xff\xfe",
        json.dumps({**EARLIER, "network": {}}).encode(),
        json.dumps({**EARLIER, "network": None}).encode(),
        json.dumps({**EARLIER, "checks": [1]}).encode(),
        json.dumps({name: EARLIER[name] for name in EARLIER if name != "details"}).encode(),
    ],
)
def test_a_damaged_record_is_refused_in_one_sentence(tmp_path, content) -> None:
    with pytest.raises(InputError, match=r"fit\.json is .*; run the fit again$"):
        read_record(write(tmp_path, content))
