"""What the oldest dependencies are is said twice, and the same."""

import tomllib

from packaging.requirements import Requirement
from packaging.version import Version

from tests.support.versions import OLDEST, ROOT


def test_the_oldest_dependencies_are_those_that_are_admitted() -> None:
    lines = [line for line in OLDEST.read_text(encoding="utf-8").splitlines() if "==" in line]
    oldest = {name: Version(version) for name, version in (line.split("==") for line in lines)}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for requirement in map(Requirement, project["dependencies"]):
        bounds = {one.operator: Version(one.version) for one in requirement.specifier}
        assert oldest[requirement.name] == bounds[">="], requirement.name
