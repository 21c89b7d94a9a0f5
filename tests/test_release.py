"""What is released: built twice the same, from the sdist as from the tree; facts said once."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import lsm_stan
from tests.support.makefile import targets

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EPOCH = "1700000000"

#: What conda-forge calls packages that PyPI calls otherwise.
CONDA = {"matplotlib": "matplotlib-base"}


def first(pattern: str, file: str) -> str:
    """Return what a file says first in a group of a pattern."""
    found = re.search(pattern, (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)
    assert found, f"{file} has no {pattern}"
    return found[1]


def test_the_version_is_the_same_wherever_it_stands() -> None:
    assert "version" in PROJECT["dynamic"]
    assert first(r"^version: (.*)$", "CITATION.cff") == lsm_stan.__version__
    assert first(r"^## (\S+)", "CHANGELOG.md") == lsm_stan.__version__
    assert first(r'^  version: "(.*)"$', "conda.recipe/recipe.yaml") == lsm_stan.__version__


def test_the_recipe_has_the_dependencies_of_the_project_and_cmdstan() -> None:
    text = (ROOT / "conda.recipe" / "recipe.yaml").read_text(encoding="utf-8")
    run = text[text.index("  run:\n") : text.index("\ntests:")]
    listed = {Requirement(line) for line in re.findall(r"^    - (.*)$", run, re.MULTILINE)}
    needed = {Requirement(f"python {PROJECT['requires-python']}")}
    for requirement in map(Requirement, PROJECT["dependencies"]):
        requirement.name = CONDA.get(requirement.name, requirement.name)
        needed.add(requirement)
    assert needed <= listed
    assert {r.name for r in listed - needed} == {"cmdstan", "cxx-compiler", "make"}


def test_classifiers_are_the_pythons_that_are_tested() -> None:
    named = {c.rpartition(" ")[2] for c in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", c)}
    matrix = first(r"python: \[(.*)\]", ".github/workflows/tests.yml")
    assert set(re.findall(r"[\d.]+", matrix)) == named
    assert not [c for c in PROJECT["classifiers"] if c.startswith("License")], "PEP 639"


def test_what_a_workflow_makes_is_a_target() -> None:
    for workflow in (ROOT / ".github" / "workflows").glob("*.yml"):
        made = re.findall(r"run: make (\S+)", workflow.read_text(encoding="utf-8"))
        assert set(made) <= targets()


def build(source: Path, out: Path) -> dict[str, bytes]:
    """Build sdist, and from it the wheel; return both by name."""
    subprocess.run(
        [sys.executable, "-m", "build", "--outdir", out, source],
        env=os.environ | {"SOURCE_DATE_EPOCH": EPOCH},
        capture_output=True,
        check=True,
    )
    return {path.name: path.read_bytes() for path in out.iterdir()}


@pytest.mark.slow
def test_archives_are_the_same_twice_and_work_where_they_are_installed(tmp_path: Path) -> None:
    pytest.importorskip("build", reason="pip install build")
    ignored = shutil.ignore_patterns(".git", ".venv*", ".*_cache", "__pycache__", "fits")
    copy = shutil.copytree(ROOT, tmp_path / "copy", ignore=ignored)
    for path in copy.rglob("*.py"):
        os.utime(path, (1, 1))
    here, there = build(ROOT, tmp_path / "here"), build(copy, tmp_path / "there")
    assert len(here) == 2
    assert here.keys() == there.keys()
    assert [name for name in here if here[name] != there[name]] == []
    (sdist,) = (tmp_path / "here").glob("*.tar.gz")
    (wheel,) = (tmp_path / "here").glob("*.whl")
    with tarfile.open(sdist) as archive:
        inside = {Path(*Path(name).parts[1:]).as_posix() for name in archive.getnames()}
    assert {"Makefile", "tests/test_release.py", "docs/conf.py", "stan/tutorial.stan"} <= inside
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata,) = (archive.read(name) for name in names if name.endswith("/METADATA"))
        assert "lsm_stan/stan/latent_space.stan" in names
        assert any(name.endswith("/licenses/LICENSE") for name in names)
    assert b"License-Expression: MIT" in metadata
    for archive in (sdist, wheel):
        target = tmp_path / f"from-{archive.suffix[1:]}"
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", target]
        subprocess.run([*pip, archive], check=True, capture_output=True)
        run = subprocess.run(
            [sys.executable, "-m", "lsm_stan", "info", "celegans"],
            env=os.environ | {"PYTHONPATH": str(target)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert "297" in run.stdout, run.stderr


def test_the_paper_cites_what_is_in_its_bibliography() -> None:
    text = (ROOT / "paper" / "paper.md").read_text(encoding="utf-8")
    cited = set(re.findall(r"@(\w+)", text))
    entries = re.findall(r"^@\w+\{(\w+),", (ROOT / "paper" / "paper.bib").read_text("utf-8"), re.M)
    assert sorted(cited) == sorted(entries)
    for title in ("Summary", "Statement of need", "State of the field", "References"):
        assert f"\n# {title}\n" in text
