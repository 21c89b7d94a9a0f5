"""The packaged connectomes' tables, made from a small archive of the form of cect's wheel."""

import json
from zipfile import ZipFile

import pandas as pd
import pytest

from studies import worm_tables

CELLS = """
import something
A = ["AVAL"]
B = ["AWCL", "NSML"]
C = ["MI"]
SENSORY_NEURONS_COOK = B
MOTORNEURONS_COOK = C + []
INTERNEURONS_COOK = A
OTHER = call(A)
PREFERRED_HERM_NEURON_NAMES = A + B + C + ["CANL", "VB9"]
"""
TYPES = "Cell name,Type\n" + "".join(f"{n},t {n}\n" for n in ("AVAL", "AWCL", "NSML", "MI", "CANL"))


def cache(nodes: list[str], chemical: list[list[float]], electrical: list[list[float]]) -> str:
    return json.dumps(
        {"nodes": nodes, "connections": {"Generic_CS": chemical, "Generic_GJ": electrical}}
    )


def wheel(path, electrical):
    nodes = ["BWM", "AWCL", "AVAL"]
    whole = cache(nodes, [[0, 0, 0], [5, 0, 3], [0, 2, 0]], electrical)
    with ZipFile(path, "w") as archive:
        archive.writestr("cect/Cells.py", CELLS)
        archive.writestr("cect/data/all_cell_info.csv", TYPES)
        archive.writestr("cect/cache/White_whole.json", whole)
        for k in range(1, 9):
            one = cache(["AVAL", "MI", "CANL"], [[0, k, 0], [0] * 3, [0] * 3], [[0] * 3] * 3)
            archive.writestr(f"cect/cache/WitvlietDataReader{k}.json", one)
    return path


def test_tables_are_made(tmp_path):
    electrical = [[0, 1, 0], [1, 0, 4], [0, 4, 1]]
    worm_tables.main(wheel(tmp_path / "cect.whl", electrical), tmp_path / "made")
    white = pd.read_csv(tmp_path / "made" / "white1986.csv")
    assert white.to_numpy().tolist() == [
        ["AVAL", "AWCL", "chemical", 2],
        ["AWCL", "AVAL", "chemical", 3],
        ["AVAL", "AVAL", "electrical", 1],
        ["AVAL", "AWCL", "electrical", 4],
    ]
    eight = pd.read_csv(tmp_path / "made" / "witvliet2021.csv")
    assert eight.to_numpy().tolist() == [["AVAL", "MI", "chemical", *range(1, 9)]]
    neurons = pd.read_csv(tmp_path / "made" / "neurons.csv")
    assert neurons[["name", "class", "type", "white1986", "8"]].to_numpy().tolist() == [
        ["AVAL", "interneuron", "t AVAL", 1, 1],
        ["AWCL", "sensory", "t AWCL", 1, 0],
        ["CANL", "other", "t CANL", 0, 1],
        ["MI", "motor", "t MI", 0, 1],
    ]


@pytest.mark.parametrize(
    ("electrical", "message"),
    [
        ([[0] * 3, [0, 0, 1], [0] * 3], "not symmetric"),
        ([[0] * 3, [0, 0, 0.5], [0, 0.5, 0]], "no whole numbers"),
    ],
)
def test_what_the_tables_cannot_say_is_refused(tmp_path, electrical, message):
    with pytest.raises(ValueError, match=message):
        worm_tables.main(wheel(tmp_path / "cect.whl", electrical), tmp_path / "made")
