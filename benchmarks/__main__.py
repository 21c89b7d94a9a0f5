"""Run the benchmarks: ``python -m benchmarks FOLDER [gradient] [map] [nuts]``.

Without a name all three run. Each leaves a table of its results (CSV) and a JSON file of the
conditions in the folder, whose README is written anew from all of them.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks import gradient, modes, report, sampling
from benchmarks.machine import describe

PARTS = ("gradient", "map", "nuts")

#: The size of a trial.
SMALL = (50,)


def main() -> None:
    """Run the parts that are asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("folder", type=Path, help="of the results")
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--quick", action="store_true", help="few and short runs: a trial")
    arguments = parser.parse_args()
    parts = arguments.parts or list(PARTS)
    if unknown := set(parts) - set(PARTS):
        parser.error(f"no part {sorted(unknown)}; there are {', '.join(PARTS)}")
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        if part in parts:
            print(f"{part}:", flush=True)
            _run(part, arguments)
    report.write(arguments.folder)
    print(f"written to {arguments.folder}")


def _run(part: str, arguments: argparse.Namespace) -> None:
    """Run one part and save its results."""
    output, quick = arguments.folder, arguments.quick
    conditions = {"machine": describe(), "quick": quick}
    details: dict[str, Any]
    results: pd.DataFrame
    if part == "gradient":
        results, details = gradient.run(SMALL, rounds=2, at_least=0.02) if quick else gradient.run()
    elif part == "map":
        results, details = modes.run(modes.SEEDS[:1], *SMALL) if quick else modes.run()
    else:
        results, details = sampling.run(30, 30, *SMALL) if quick else sampling.run()
    conditions["load_after"] = f"{os.getloadavg()[0]:.1f}"
    results.to_csv(output / f"{part}.csv", index=False, float_format="%.8g")
    text = json.dumps({**conditions, **details}, indent=2)
    (output / f"{part}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
