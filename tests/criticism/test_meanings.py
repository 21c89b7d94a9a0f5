"""What sentences mean: every one that a verdict can say has a meaning, and no meaning is idle."""

import ast
from pathlib import Path

import lsm_stan
from lsm_stan.criticism.meanings import MEANINGS
from lsm_stan.posterior.checks import Finding

PACKAGE = Path(lsm_stan.__file__).parent


def calls(name: str) -> list[ast.Call]:
    """Return the calls of a name in the package."""
    return [
        node
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name
    ]


def names_of_checks() -> set[str]:
    """Return the names that checks are given: literals, and what `_ess_check` is called with."""
    given = [call.args[0] for name in ("Check", "_ess_check") for call in calls(name) if call.args]
    return {node.value for node in given if isinstance(node, ast.Constant)}


def test_every_sentence_of_a_verdict_has_a_meaning() -> None:
    findings = calls(Finding.__name__)
    assert len(findings) > 15
    topics = set()
    for call in findings:
        assert len(call.args) == 3, f"no topic: {ast.unparse(call)}"
        if isinstance(call.args[2], ast.Constant):
            topics.add(call.args[2].value)
        else:  # that of a check
            assert ast.unparse(call.args[2]) == "check.name"
    assert topics | names_of_checks() == set(MEANINGS)


def test_meanings_are_sentences() -> None:
    for meaning in MEANINGS.values():
        assert meaning.text.endswith(".")
        assert "  " not in meaning.text
        assert not meaning.title.endswith(".")
