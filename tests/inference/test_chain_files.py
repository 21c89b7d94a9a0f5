"""Files of chains that end anywhere, and what is joined to them."""

import contextlib
import shutil

import numpy as np
import pytest

from lsm_stan.inference import going_on
from lsm_stan.inference.chain_files import ChainFile
from lsm_stan.inference.going_on import folder_after, settings_of_one, take_up

HEAD = b"""# num_samples = 4
# thin = 1 (Default)
lp__,gradients__,x
# Adaptation terminated
# Step size = 0.5
# Diagonal elements of inverse mass matrix:
# 1.5
"""
DRAWS = (b"-1.5,10,0.1\n", b"-2.5,20,0.2\n", b"-3.5,30,0.3\n", b"-4.5,40,1e-3\n")
TAIL = b"# \n#  Elapsed Time: 0.1 seconds (Warm-up)\n#  0.3 seconds (Total)\n"
WHOLE = HEAD + b"".join(DRAWS) + TAIL


def test_a_file_ends_anywhere() -> None:
    for end in range(len(WHOLE) + 1):
        file = ChainFile.read(WHOLE[:end])
        whole_lines = WHOLE[:end].count(b"\n") - HEAD.count(b"\n")
        assert file.draws == DRAWS[: max(0, whole_lines)]
        assert bool(file.tail) == (end >= len(WHOLE) - 1)  # but for the last end of line
        there = file.up_to(4)
        assert len(there.draws) == (len(file.draws) if file.tail else min(len(file.draws), 3))


@pytest.mark.parametrize("damage", [b"\0" * 20, b"-5,50,x\n", b"-5,50\n", b"-5,50,1,2\n", b"\n"])
def test_what_is_no_draw_ends_a_file(damage: bytes) -> None:
    file = ChainFile.read(HEAD + b"".join(DRAWS[:2]) + damage + DRAWS[2])
    assert file.draws == DRAWS[:2]
    assert not file.tail


def test_a_file_without_a_step_size_has_no_draws() -> None:
    assert ChainFile.read(WHOLE.replace(b"# Step size = 0.5\n", b"")).draws == ()


def test_gradients_are_counted_on() -> None:
    first = ChainFile.read(HEAD + DRAWS[0] + DRAWS[1] + b"-3")
    more = ChainFile.read(HEAD + b"-3.5,7,0.3\n-4.5,19,1e-3\n" + TAIL)
    joined = ChainFile.read(first.followed_by(more).content)
    rows = [[float(value) for value in line.split(b",")] for line in joined.draws]
    expected = [[-1.5, 10, 0.1], [-2.5, 20, 0.2], [-3.5, 27, 0.3], [-4.5, 39, 1e-3]]
    np.testing.assert_array_equal(rows, expected)
    assert joined.tail == TAIL
    assert ChainFile().followed_by(more) == more


class StoppedError(Exception):
    pass


@pytest.mark.parametrize("stops", range(6))
def test_files_are_taken_up_whatever_stops_it(tmp_path, monkeypatch, stops: int) -> None:
    """Each of its steps on the disk is the last one of some process."""
    (tmp_path / "model-2026_1.csv").write_bytes(HEAD + DRAWS[0] + DRAWS[1][:4])
    first = ChainFile.read((tmp_path / "model-2026_1.csv").read_bytes())
    after = folder_after(tmp_path, 1, first)
    after.mkdir()
    (after / "model-2027.csv").write_bytes(HEAD + b"-2.5,6,0.2\n-3.5")
    (tmp_path / "model-2026_2.csv").write_bytes(WHOLE)
    (tmp_path / "model-2026_3.csv").write_bytes(HEAD)
    taken = []

    def stopping(step):
        def may_stop(*arguments, **options):
            if len(taken) == stops:
                raise StoppedError
            taken.append(step)
            return step(*arguments, **options)

        return may_stop

    with monkeypatch.context() as patched:
        patched.setattr(going_on, "write_whole", stopping(going_on.write_whole))
        patched.setattr(going_on.shutil, "rmtree", stopping(shutil.rmtree))
        patched.setattr(going_on.Path, "unlink", stopping(going_on.Path.unlink))
        with contextlib.suppress(StoppedError):
            take_up(tmp_path, 4, 4)
    files = take_up(tmp_path, 4, 4)
    assert [len(file.draws) for file in files] == [2, 4, 0, 0]
    assert [bool(file.tail) for file in files] == [False, True, False, False]
    assert files[0].draws[1] == b"-2.5,16,0.2\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["chain_1.csv", "chain_2.csv"]
    assert take_up(tmp_path, 4, 4)[:2] == files[:2]


def test_settings_of_one_chain() -> None:
    settings = {"step_size": [0.1, 0.2], "inv_metric": ["a.json", "b.json"], "thin": 2}
    assert settings_of_one(settings, 2, 2) == {"step_size": 0.2, "inv_metric": "b.json", "thin": 2}
    assert settings_of_one({"step_size": 0.3}, 2, 2) == {"step_size": 0.3}
