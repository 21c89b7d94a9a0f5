"""The rooms of the package: each imports from those before it only, and no imports go in circles.

What benchmarks and studies import is looked at too: they come last.

Imports for type checkers and those inside functions count like any other.
"""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import lsm_stan

ROOT = Path(lsm_stan.__file__).parents[1]

#: In reading order. What is not named is an entrance, and imports from every room.
GROUND = [
    *("typing", "choices", "errors", "visible", "progress", "processes", "blas", "sweeps"),
    *("temporary", "files", "text"),
]
ROOMS = [
    *GROUND,
    *("network", "model", "cmdstan", "posterior", "inference", "criticism", "prediction", "report"),
]

MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for package in ("lsm_stan", "benchmarks", "studies")
    for path in sorted((ROOT / package).rglob("*.py"))
}


def imported(module: str) -> set[str]:
    """Return the modules of the package that a module imports, wherever in its file."""
    names = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module} has a relative import"
            source = str(node.module)
            names |= {
                inner if (inner := f"{source}.{alias.name}") in MODULES else source
                for alias in node.names
            }
    return names & MODULES.keys() - {module}


def floor(module: str) -> int:
    """Return where a module's room lies: entrances after the rooms, then all that is outside."""
    package, room = [*module.split("."), ""][:2]
    if package != "lsm_stan":
        return len(ROOMS) + 1
    return ROOMS.index(room) if room in ROOMS else len(ROOMS)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_from_rooms_before_its_own(module):
    later = {name for name in imported(module) if floor(name) > floor(module)}
    assert not later, f"{module} imports {', '.join(sorted(later))}"


def test_no_imports_go_in_circles():
    # a circle raises CycleError, which names it
    order = list(TopologicalSorter({name: imported(name) for name in MODULES}).static_order())
    assert set(order) == MODULES.keys()


def test_rooms_have_a_docstring_and_nothing_else():
    for room in ROOMS[len(GROUND) :]:
        (sentence,) = ast.parse(MODULES[f"lsm_stan.{room}"].read_text(encoding="utf-8")).body
        assert isinstance(sentence, ast.Expr)
