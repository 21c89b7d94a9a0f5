"""Public docstrings name parameters, types, results and errors, as numpydoc; examples run."""

import ast
import doctest
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import lsm_stan

PACKAGE = Path(lsm_stan.__file__).parent

#: Modules of the command line itself, and those without definitions.
OTHERS = {"__init__", "__main__", "cli", "options", "terminal"}

MODULES = [
    ".".join(("lsm_stan", *path.relative_to(PACKAGE).with_suffix("").parts))
    for path in sorted([*PACKAGE.glob("*.py"), *PACKAGE.glob("*/*.py")])
    if path.stem not in OTHERS
]

#: ``name : type``; names of one type share a line.
ENTRY = re.compile(r"(\*{0,2}\w+(?:, \*{0,2}\w+)*) : \S.*")

#: A type by itself, as results may have it: no sentence, and no literal.
TYPE = re.compile(r"[\w{][^`]*[^.]")


def module_tree(module: str) -> ast.Module:
    path = PACKAGE.joinpath(*module.split(".")[1:]).with_suffix(".py")
    return ast.parse(path.read_text(encoding="utf-8"))


def definitions(
    node: ast.AST, prefix: str = ""
) -> Iterator[tuple[str, ast.FunctionDef | ast.ClassDef]]:
    """Yield public functions, classes and their methods, by name."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.ClassDef) and not child.name.startswith("_"):
            if any(ast.unparse(mark) == "overload" for mark in child.decorator_list):
                continue  # a signature; what it does is said once
            yield prefix + child.name, child
            if isinstance(child, ast.ClassDef):
                yield from definitions(child, f"{child.name}.")


def sections(docstring: str) -> dict[str, list[str]]:
    """Return the lines of each section that are not indented: its entries."""
    parts = re.split(r"^(\w[\w ]*)\n-{3,}\n", docstring, flags=re.MULTILINE)
    return {
        title: [line for line in text.splitlines() if line and not line.startswith(" ")]
        for title, text in zip(parts[1::2], parts[2::2], strict=True)
    }


def described(entries: list[str]) -> list[str]:
    """Return the names of ``name : type`` entries."""
    for entry in entries:
        assert ENTRY.fullmatch(entry), f"no `name : type`: {entry}"
    return [name.lstrip("*") for entry in entries for name in entry.split(" : ")[0].split(", ")]


def raised(node: ast.AST) -> set[str]:
    """Return the names of the exceptions that a function itself raises anew."""
    return {
        part.exc.func.id
        for part in ast.walk(node)
        if isinstance(part, ast.Raise)
        and isinstance(part.exc, ast.Call)
        and isinstance(part.exc.func, ast.Name)
    }


def arguments_of(node: ast.FunctionDef) -> list[str]:
    arguments = node.args
    names = [a.arg for a in (*arguments.posonlyargs, *arguments.args)]
    names += [a.arg for a in (arguments.vararg,) if a] + [a.arg for a in arguments.kwonlyargs]
    names += [a.arg for a in (arguments.kwarg,) if a]
    return [name for name in names if name not in ("self", "cls")]


def check_function(node: ast.FunctionDef, has: dict[str, list[str]]) -> None:
    assert described(has.get("Parameters", [])) == arguments_of(node)
    decorators = {ast.unparse(decorator) for decorator in node.decorator_list}
    if not decorators & {"property", "cached_property"} and ast.unparse(node.returns) != "None":
        results = has.get("Returns") or has.get("Yields")
        assert results, "no Returns, no Yields"
        for entry in results:
            assert ENTRY.fullmatch(entry) or TYPE.fullmatch(entry), f"no type: {entry}"
    missing = raised(node) - set(has.get("Raises", [])) - {"AssertionError", "AttributeError"}
    assert not missing, f"Raises lacks {missing}"


def check_class(node: ast.ClassDef, has: dict[str, list[str]]) -> None:
    functions = (child for child in node.body if isinstance(child, ast.FunctionDef))
    initialiser = next((child for child in functions if child.name == "__init__"), None)
    if initialiser:
        assert described(has.get("Parameters", [])) == arguments_of(initialiser)
        return
    fields = [
        statement.target.id
        for statement in node.body
        if isinstance(statement, ast.AnnAssign)
        and isinstance(statement.target, ast.Name)
        and not statement.target.id.startswith("_")
    ]
    entries = has.get("Attributes", has.get("Parameters", []))
    assert sorted(described(entries)) == sorted(fields)


@pytest.mark.parametrize("module", MODULES)
def test_docstrings_are_typed(module: str) -> None:
    faults = []
    for name, node in definitions(module_tree(module)):
        docstring = ast.get_docstring(node) or ""
        check = check_function if isinstance(node, ast.FunctionDef) else check_class
        try:
            check(node, sections(docstring))
            assert not re.search(r"(?:^|\n *|\. )Of\b", docstring), "a sentence begins with Of"
        except AssertionError as error:
            faults.append(f"{name}: {str(error).splitlines()[0]}")
    assert not faults, "\n".join(faults)


def has_examples(module: str) -> bool:
    return any(
        ">>> " in (ast.get_docstring(node) or "") for _, node in definitions(module_tree(module))
    )


@pytest.mark.parametrize("module", [m for m in MODULES if has_examples(m)])
def test_examples_run(module: str) -> None:
    result = doctest.testmod(importlib.import_module(module))
    assert result.attempted
    assert not result.failed
