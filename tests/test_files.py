"""Files that are there whole or not at all, and what killed processes leave behind."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from lsm_stan.errors import InputError, MachineError
from lsm_stan.files import (
    content_of,
    ensure_ours,
    ensure_room,
    ensure_writable,
    needs_room,
    write_files,
    write_whole,
)
from lsm_stan.temporary import (
    LOCK,
    PARTIAL,
    TEMPORARY,
    partial_folder,
    temporary_folder,
    temporary_root,
)

#: Makes a temporary folder with something in it, starts a process that works there, and waits.
WORK = """
import subprocess, sys, time
from lsm_stan.temporary import temporary_folder
with temporary_folder() as folder:
    (folder / "large").write_bytes(bytes(1000))
    sleeper = "import time; time.sleep(600)"
    working = subprocess.Popen([sys.executable, "-c", sleeper, f"output={folder}/x.csv"])
    other = subprocess.Popen([sys.executable, "-c", sleeper])
    print(folder, working.pid, other.pid, flush=True)
    if sys.argv[1] == "end":
        working.kill(), other.kill(), working.wait(), other.wait()
    else:
        time.sleep(600)
"""


def left_behind(base: Path, name: str) -> Path:
    """Make a folder as a killed process leaves it: its lock is there, and free."""
    folder = base / name
    folder.mkdir()
    (folder / LOCK).touch()
    (folder / "large").write_bytes(bytes(1000))
    return folder


def until(true, what: str) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def full(*_args: object, **_options: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "somewhere")


def test_what_killed_processes_left_is_swept(tmp_path: Path) -> None:
    swept = left_behind(tmp_path, f"{TEMPORARY}killed")
    empty = tmp_path / f"{TEMPORARY}of-nobody"
    empty.mkdir()
    used = left_behind(tmp_path, f"{TEMPORARY}used")
    foreign = tmp_path / f"{TEMPORARY}of-another-program"
    foreign.mkdir()
    (foreign / "file").touch()
    with (used / LOCK).open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        root = temporary_root(tmp_path)
        assert set(tmp_path.iterdir()) == {root, used, foreign, empty}
    assert not swept.exists()
    with temporary_folder(tmp_path) as folder:
        assert folder.parent == root == temporary_root(tmp_path)
    assert not folder.exists()


def test_half_made_files_are_swept(tmp_path: Path) -> None:
    left_behind(tmp_path, f".page.html-abc{PARTIAL}")
    other = left_behind(tmp_path, f".other.html-abc{PARTIAL}")
    write_whole(tmp_path / "page.html", b"whole")
    assert set(tmp_path.iterdir()) == {tmp_path / "page.html", other}


def test_half_made_files_are_nothing_to_a_page(tmp_path: Path) -> None:
    left_behind(tmp_path, f".index.html-abc{PARTIAL}")
    ensure_ours(tmp_path, "a page", ours=False)
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(InputError, match=r"it holds thesis\.tex\)"):
        ensure_ours(tmp_path, "a page", ours=False)


def test_a_stop_between_two_files_leaves_the_page(tmp_path: Path, monkeypatch) -> None:
    replace, moved = Path.replace, []

    def stopped(path: Path, target: Path) -> Path:
        if moved:
            raise KeyboardInterrupt
        moved.append(target)
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", stopped)
    with pytest.raises(KeyboardInterrupt):
        write_files(tmp_path / "page", {"figures/a.png": b"a", "t.csv": b"t", "index.html": b"i"})
    assert [path.name for path in (tmp_path / "page").rglob("*") if path.is_file()] == [
        "index.html"
    ]


#: Writes a page, and is killed within its n-th file, half of which is on the disk by then.
HALF_A_PAGE = """
import os, signal, sys
from pathlib import Path
from lsm_stan.files import write_files
write, written = Path.write_bytes, []
def killed(path, content):
    written.append(path)
    if len(written) == int(sys.argv[2]):
        write(path, content[: len(content) // 2])
        os.kill(os.getpid(), signal.SIGKILL)
    return write(path, content)
Path.write_bytes = killed
files = {"figures/a.png": b"figure", "t.csv": b"table", "index.html": b"<html></html>"}
write_files(Path(sys.argv[1]), files)
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_page_that_is_killed_half_written_is_none(tmp_path: Path, number: int) -> None:
    """Nothing of it is in its place; the page before stays; the next one sweeps it."""
    page = tmp_path / "page"
    write_files(page, {"t.csv": b"before", "index.html": b"page before"})
    killed = subprocess.run([sys.executable, "-c", HALF_A_PAGE, str(page), str(number)])
    assert killed.returncode == -signal.SIGKILL
    assert any(path.name.endswith(PARTIAL) for path in page.iterdir()), "killed within the writing"
    assert content_of(page) == ["index.html", "t.csv"]
    assert (page / "index.html").read_bytes() == b"page before"
    assert (page / "t.csv").read_bytes() == b"before"
    write_files(page, {"t.csv": b"table", "index.html": b"page"})
    assert sorted(path.name for path in page.iterdir()) == ["index.html", "t.csv"]


def test_a_full_disk_leaves_no_file_and_is_said(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(Path, "write_bytes", full)
    for write in (
        lambda: write_whole(tmp_path / "page.html", b"page"),
        lambda: write_files(tmp_path, {"t.csv": b"t", "index.html": b"i"}),
        lambda: ensure_room(tmp_path),
    ):
        with pytest.raises(MachineError, match=r"somewhere: No space left on device; free some"):
            write()
    assert list(tmp_path.iterdir()) == []


def test_errors_that_say_enough_stay_as_they_are() -> None:
    with pytest.raises(MachineError, match=r"^enough$"), needs_room("more: "):
        raise MachineError("enough")


@pytest.mark.parametrize("name", ["file/fit", "file/new/fit", "x" * 300])
def test_what_cannot_be_written_is_refused_before_anything_is_done(tmp_path: Path, name) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"(is a file, no folder|cannot be written .*); go away$"):
        ensure_writable(tmp_path / name, "go away")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_looking_whether_something_can_be_written_leaves_nothing(tmp_path: Path) -> None:
    ensure_writable(tmp_path / "a" / "b" / "fit", "go away")
    assert list(tmp_path.iterdir()) == []


def test_two_processes_make_the_same_thing_apart(tmp_path: Path) -> None:
    with partial_folder(tmp_path / "fit") as one, partial_folder(tmp_path / "fit") as two:
        assert one != two
        assert one.is_dir()
    assert list(tmp_path.iterdir()) == []


def start(tmp_path: Path, how: str) -> tuple[subprocess.Popen[str], Path, int, int]:
    process = subprocess.Popen(
        [sys.executable, "-c", WORK, how],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert process.stdout is not None
    *folder, working, other = process.stdout.readline().split()
    return process, Path(" ".join(folder)), int(working), int(other)


def test_what_a_process_started_ends_with_it_when_it_is_killed(tmp_path: Path) -> None:
    process, folder, working, other = start(tmp_path, "wait")
    with process:
        assert psutil.Process(working).is_running()
        process.kill()
    until(lambda: not psutil.pid_exists(working), "what works in the folder goes on")
    until(lambda: not folder.parent.exists(), "the folder is left")
    assert psutil.pid_exists(other), "a process that is not ours was ended"
    psutil.Process(other).kill()


def test_a_process_that_ends_leaves_nothing(tmp_path: Path) -> None:
    process, folder, _, _ = start(tmp_path, "end")
    with process:
        assert process.wait() == 0
    assert not folder.parent.exists()


def test_a_fork_leaves_its_parents_files_alone(tmp_path: Path) -> None:
    code = (
        "import os\n"
        "from lsm_stan.temporary import Scratch, temporary_root\n"
        "kept = Scratch({'a/b': b'content'})\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    assert temporary_root() != kept.path.parent\n"
        "    del kept\n"
        "    raise SystemExit(0)\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
        "assert (kept.path / 'a' / 'b').read_bytes() == b'content'\n"
    )
    subprocess.run(
        [sys.executable, "-c", code], check=True, env={**os.environ, "TMPDIR": str(tmp_path)}
    )
    assert list(tmp_path.iterdir()) == []


def test_no_temporary_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=r"no temporary folder can be made: .*; set TMPDIR to"):
        temporary_root(tmp_path / "nowhere")
