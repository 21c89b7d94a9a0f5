"""The column that colours nodes: any that is named, or the likeliest."""

import numpy as np
import pandas as pd
import pytest

from lsm_stan.errors import InputError
from lsm_stan.network.grouping import grouping
from lsm_stan.network.network import Network

NAMES = [f"n{k}" for k in range(20)]


def with_table(**columns: object) -> Network:
    table = pd.DataFrame(columns, NAMES) if columns else None
    return Network.from_edges(NAMES[:-1], NAMES[1:], np.ones(19, dtype=int), node_table=table)


TWO = ["a", "b"] * 10


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"Club": TWO}, "Club"),
        ({"TYPE": TWO, "club": TWO}, "club"),
        ({"group": TWO, "type": NAMES}, "group"),
        ({"class": TWO, "club": TWO}, "class"),
        ({"height": np.arange(20.0)}, None),
        ({}, None),
    ],
)
def test_the_likeliest_column_is_taken(columns, expected):
    groups = grouping(with_table(**columns))
    assert (None if groups is None else groups.name) == expected
    if expected:
        assert groups.tolist() == list(TWO)


def test_any_column_can_be_named_and_many_numbers_are_ranges():
    network = with_table(height=np.arange(20.0), team=[1, 2] * 10, gaps=[*TWO[:19], ""])
    assert grouping(network, "team").tolist() == ["1", "2"] * 10
    assert grouping(network, "gaps")[-1:].tolist() == [""]
    ranges = grouping(network, "height")
    assert ranges.value_counts().tolist() == [4] * 5
    assert ranges.iloc[0] == "0 to 3.8"


@pytest.mark.parametrize(("columns", "there"), [({}, "there is none"), ({"a": TWO}, "it has a")])
def test_a_column_that_is_not_there_is_refused(columns, there):
    with pytest.raises(InputError, match=f"no column 'b' in the table of nodes; {there}"):
        grouping(with_table(**columns), "b")
