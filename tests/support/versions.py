"""Test the oldest dependencies and the newest: ``make test-versions``.

Under each the quick tests run, the code of README and docs, and one fit from data to report; then
each writes a report of what the other one fitted. Environments are kept in ``.venv-oldest`` and
``.venv-newest`` until ``pyproject.toml`` or ``oldest.txt`` changes.
"""

import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
OLDEST = ROOT / "tests" / "support" / "oldest.txt"

QUICK = "not cmdstan and not slow and not browser"
SAMPLER = ("chains=2", "iter_warmup=100", "iter_sampling=50")


@dataclass(frozen=True)
class Line:
    """A Python and its dependencies."""

    name: str
    #: The first of these that is there.
    pythons: Sequence[str]
    pip_options: Sequence[str] = ()

    @property
    def folder(self) -> Path:
        return ROOT / f".venv-{self.name}"

    def run(self, *command: str | Path, where: Path = ROOT) -> None:
        program, *arguments = command
        subprocess.run([self.folder / "bin" / program, *arguments], cwd=where, check=True)

    def install(self, python: str) -> None:
        """Make the environment, if it is not there as it should be."""
        parts = [python, *self.pip_options, OLDEST.read_text(), Path("pyproject.toml").read_text()]
        wanted = hashlib.sha256("\n".join(parts).encode()).hexdigest()
        stamp = self.folder / "installed"
        if stamp.exists() and stamp.read_text() == wanted:
            return
        subprocess.run([python, "-m", "venv", "--clear", self.folder], check=True)
        pip = ("python", "-m", "pip", "install", "--quiet")
        self.run(*pip, *self.pip_options, "--editable", ".[test]")
        stamp.write_text(wanted)


LINES = (
    Line("oldest", ("3.11",), ("--constraint", str(OLDEST.relative_to(ROOT)))),
    Line("newest", ("3.13", "3.12")),
)


def interpreters(version: str) -> Iterator[str]:
    """Find a Python of a version: this one, on PATH, or among pyenv's."""
    folders = Path.home().joinpath(".pyenv", "versions").glob(f"{version}.*/bin/python")
    for python in (sys.executable, shutil.which(f"python{version}"), *sorted(folders)):
        asked = "import sys; print('{}.{}'.format(*sys.version_info))"
        if python is not None:
            answer = subprocess.run([python, "-c", asked], capture_output=True, text=True)
            if answer.stdout.strip() == version:
                yield str(python)


def main() -> None:
    """Run everything; the first failure ends it."""
    ready = []
    for line in LINES:
        python = next((path for v in line.pythons for path in interpreters(v)), None)
        if python is None:
            print(
                f"NOT TESTED: the {line.name} dependencies; no Python {' or '.join(line.pythons)}"
            )
            continue
        print(f"--- the {line.name} dependencies, {python}", flush=True)
        line.install(python)
        line.run("python", "-m", "pip", "list", "--format=freeze", "--disable-pip-version-check")
        line.run("pytest", "--quiet", "-n", "auto", "--dist", "loadfile", "-m", QUICK)
        line.run("pytest", "--quiet", "tests/test_docs.py")
        ready.append(line)
    with tempfile.TemporaryDirectory() as folder:
        where = Path(folder)
        for line in ready:
            print(f"--- from data to report, {line.name}", flush=True)
            edges = where / "edges.csv"
            line.run("lsm-stan", "simulate", "--nodes", "12", "--seed", "1", "--out", edges)
            fit = ("lsm-stan", "fit", edges, "--dim", "2", "--seed", "1")
            line.run(*fit, "--method", "map", "--out", where / line.name / "map")
            options = [part for value in SAMPLER for part in ("--set", value)]
            line.run(*fit, "--method", "nuts", *options, "--out", where / line.name / "nuts")
        fits = [where / line.name / method for line in ready for method in ("map", "nuts")]
        for line in ready:
            line.run("lsm-stan", "report", *fits, "--out", where / "reports" / line.name)


if __name__ == "__main__":
    main()
