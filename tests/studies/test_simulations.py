"""Simulations of studies: independent seeds, and a run that goes on where it stopped."""

from pathlib import Path

import pytest

from lsm_stan.cmdstan.find import Toolchain
from studies.calibration_study import COVERAGE, QUICK, Record, Study
from studies.simulations import keep, read_kept, run, seeds


def test_no_two_seeds_are_the_same() -> None:
    """Of simulations and of what one of them draws: CmdStan takes all."""
    drawn = [seed for study in COVERAGE for number in range(20) for seed in seeds(study, number)]
    assert len(set(drawn)) == len(drawn)
    assert min(drawn) >= 0
    assert max(drawn) < 2**31
    assert seeds(QUICK[0], 3) == seeds(QUICK[0], 3)


def test_a_line_that_was_cut_short_is_no_simulation(tmp_path: Path) -> None:
    path = tmp_path / "kept.jsonl"
    path.write_text('{"simulation": 3}\n{"simulation": 4, "ra', encoding="utf-8")
    assert read_kept(path) == {3: {"simulation": 3}}
    for number in (4, 5):
        keep(path, {"simulation": number})
    assert sorted(read_kept(path)) == [3, 4, 5]
    keep(tmp_path / "new.jsonl", {"simulation": 0})
    assert (tmp_path / "new.jsonl").read_text(encoding="utf-8") == '{"simulation": 0}\n'


@pytest.mark.cmdstan
def test_what_is_done_is_kept_and_what_failed_is_tried_again(
    toolchain: Toolchain, tmp_path: Path
) -> None:
    done: list[tuple[str, int]] = []
    first, second = QUICK

    def simulation(study: Study, number: int, compiled: object) -> Record:
        done.append((study.model, number))
        failed = {"error": "no weights"} if len(done) == 3 else {"seeds": seeds(study, number)}
        return {"simulation": number, **failed}

    records = run(simulation, dict.fromkeys(QUICK, 2), tmp_path, 1)
    assert done == [(study.model, number) for number in (0, 1) for study in QUICK]
    assert ["error" in record for record in records[first]] == [False, True]
    again = run(simulation, {first: 3, second: 2}, tmp_path, 1)
    assert done[4:] == [(first.model, 1), (first.model, 2)]
    assert [record["simulation"] for record in again[first]] == [0, 1, 2]
    assert not any("error" in record for record in again[first])
    assert read_kept(tmp_path / second.file).keys() == {0, 1}
