"""Format the Stan files as the newest stanc does, or see whether they are (``--check``).

Its blank lines end in blanks, which are taken away.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.support.newest_stan import NewestStan, download

ROOT = Path(__file__).parents[2]
FILES = sorted(
    path for name in ("stan", "tests", "benchmarks") for path in ROOT.glob(f"{name}/**/*.stan")
)


def before(path: Path) -> str:
    """Return the lines that include what a file of functions may call: those before it."""
    program = (ROOT / "stan" / "latent_space.stan").read_text(encoding="utf-8")
    names = re.findall(r"#include (\S+)", program)
    return "".join(f"#include {name}\n" for name in names[: names.index(path.name)])


def formatted(stan: NewestStan, path: Path) -> str:
    """Return a file's text as it should be."""
    text = path.read_text(encoding="utf-8")
    is_program = "parameters {" in text
    include = "" if is_program else before(path)
    with tempfile.TemporaryDirectory() as folder:
        # stanc knows files of functions by this ending
        copy = Path(folder, path.stem + (".stan" if is_program else ".stanfunctions"))
        copy.write_text(include + text, encoding="utf-8")
        command = [stan.folder / "stanc", "--auto-format", "--max-line-length=90"]
        command += ["--allow-undefined", f"--include-paths={ROOT / 'stan' / 'functions'}", copy]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        sys.exit(f"{path}: {run.stderr}")
    lines = run.stdout.removeprefix(include).strip().splitlines()
    return "\n".join(line.rstrip() for line in lines) + "\n"


def main() -> None:
    """Format every file, or name those that are not formatted."""
    stan, wrong = download(), []
    for path in FILES:
        text = formatted(stan, path)
        if text != path.read_text(encoding="utf-8"):
            wrong.append(str(path.relative_to(ROOT)))
            if "--check" not in sys.argv:
                path.write_text(text, encoding="utf-8")
    if wrong and "--check" in sys.argv:
        sys.exit(f"not as stanc formats: {', '.join(wrong)}; `make format` mends it")


if __name__ == "__main__":
    main()
