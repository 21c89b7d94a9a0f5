"""The newest Stan that the Python package index carries: its compiler, headers and TBB.

The wheels of httpstan hold them; CmdStan's own driver is not among them.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lsm_stan.cmdstan.cache import cache_dir, cache_lock
from lsm_stan.cmdstan.density import write_data
from lsm_stan.cmdstan.find import Toolchain
from lsm_stan.cmdstan.sources import STAN_DIR

WHEEL = "httpstan-4.17.0-cp312-cp312-manylinux2014_x86_64.manylinux_2_17_x86_64.whl"
SHA256 = "7f73e29a415718ddc45e4703c0253a9d4adc6a21aa7110ccf36821a0f94202cd"
VERSION = "2.39"
DRIVER = Path(__file__).parents[1] / "model" / "stan" / "newest.cpp"


@dataclass(frozen=True)
class NewestStan:
    """A folder with ``stanc``, ``include`` and ``lib``."""

    folder: Path

    def translate(
        self, program: Path, output: Path, *options: str
    ) -> subprocess.CompletedProcess[str]:
        """Translate a Stan program to C++; the result's ``stderr`` holds errors and warnings.

        Paths in options are relative to the program's folder.
        """
        return subprocess.run(
            [self.folder / "stanc", *options, f"--o={output}", program.name],
            cwd=program.parent,  # the C++ holds the name of the program, whoever's folder it is in
            capture_output=True,
            text=True,
            check=False,
        )

    def compile(self, translated: Path, header: Path | None, toolchain: Toolchain) -> Path:
        """Compile a translated program with our driver, or find it compiled; return it.

        An executable lies in the user's cache under a digest of all that went into it.
        """
        includes = [f"-I{STAN_DIR}", *([] if header is None else ["-include", str(header)])]
        command = [
            *(toolchain.cxx, "-std=c++17", "-O1", "-D_REENTRANT", "-DBOOST_DISABLE_ASSERTS"),
            *("-isystem", str(self.folder / "include"), f"-L{self.folder / 'lib'}"),
            f"-Wl,-rpath,{self.folder / 'lib'}",
        ]
        sources = [translated, DRIVER, *sorted((STAN_DIR / "methods").glob("*.hpp"))]
        sources += sorted((STAN_DIR / "kernel").glob("*.hpp"))
        parts = [SHA256.encode(), toolchain.compiler.encode(), " ".join(command).encode()]
        digests = [
            hashlib.sha256(part).digest() for part in (*parts, *(s.read_bytes() for s in sources))
        ]
        key = hashlib.sha256(b"".join(digests)).hexdigest()
        executable = cache_dir() / "newest-stan" / VERSION / "executables" / key
        with cache_lock(f"newest-stan-{key}", print, f"compiling {translated.name}"):
            if not executable.exists():
                executable.parent.mkdir(exist_ok=True)
                partial = executable.with_suffix(".partial")
                call = [*command, *includes, f'-DMODEL_HPP="{translated}"', str(DRIVER), "-ltbb"]
                run = subprocess.run(
                    [*call, "-o", str(partial)], capture_output=True, text=True, check=False
                )
                assert run.returncode == 0, f"{translated.name}: {run.stderr[-3000:]}"
                partial.replace(executable)
        return executable


def download() -> NewestStan:
    """Return the newest Stan, downloaded on first use and kept in the user's cache."""
    folder = cache_dir() / "newest-stan" / VERSION
    if not (folder / "httpstan").is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        options = "--no-deps --only-binary=:all: --implementation cp --abi cp312"
        subprocess.run(
            [
                *(sys.executable, "-m", "pip", "download", "--quiet", *options.split()),
                *("--python-version", "3.12", "--platform", "manylinux2014_x86_64"),
                *("--dest", str(folder), "httpstan==4.17.0"),
            ],
            check=True,
        )
        wheel = folder / WHEEL
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        assert digest == SHA256, f"{wheel} has sha256 {digest}"
        parts = ("httpstan/stanc", "httpstan/include/", "httpstan/lib/")
        unpacked = folder / "unpacked"
        with zipfile.ZipFile(wheel) as archive:
            members = [name for name in archive.namelist() if name.startswith(parts)]
            archive.extractall(unpacked, members)
        (unpacked / "httpstan" / "stanc").chmod(0o755)
        (unpacked / "httpstan").rename(folder / "httpstan")
        wheel.unlink()
    return NewestStan(folder / "httpstan")


def sample(
    executable: Path, data: Mapping[str, object], moves: Mapping[str, object], folder: Path
) -> dict[str, NDArray[np.float64]]:
    """Return the columns of 300 draws with moves between them, by a program of this module."""
    files = write_data(folder / "data.json", data), write_data(folder / "moves.json", moves)
    command = [executable, "sample", *files, folder / "draws.csv"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    names, *lines = (line.split(",") for line in (folder / "draws.csv").read_text().splitlines())
    rows = [cells for cells in lines if len(cells) == len(names)]  # others say what was adapted
    return dict(zip(names, np.array(rows, dtype=float).T, strict=True))
