"""Tables that say what layers are: order, times, labels, who is absent; hidden dyads, and facts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lsm_stan.errors import InputError
from lsm_stan.network.checks import clean_name
from lsm_stan.network.fact_tables import read_columns
from lsm_stan.network.formats import readable
from lsm_stan.network.layers import Layers
from lsm_stan.network.readers import Table, hide_listed, with_dyads
from lsm_stan.network.text_files import TABLES, inner_suffix


def layer_label(value: object) -> str:
    """Return what a layer is called by a cell of a table; nothing if it has nothing.

    Parameters
    ----------
    value : object
        The cell.

    Returns
    -------
    str
    """
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return clean_name(value)


def times_of(
    labels: Sequence[str], values: Sequence[object], column: str, where: str
) -> dict[str, float]:
    """Return each layer's time; all of its rows have the same.

    Parameters
    ----------
    labels : sequence of str
        The layer of each row.
    values : sequence
        The time of each row.
    column : str
        What the times are called there.
    where : str
        File name or description, for error messages.

    Returns
    -------
    dict of str to float

    Raises
    ------
    InputError
        If a time is no number, or a layer has two.
    """
    times: dict[str, float] = {}
    for row, (label, value) in enumerate(zip(labels, values, strict=True)):
        time = number_of(value)
        if time is None:
            raise InputError(
                f"{where}: edge {row + 1} has {value!r} in the column {column!r}; a number, the"
                f" time of its layer, is needed"
            )
        if times.setdefault(label, time) != time:
            raise InputError(
                f"{where}: the layer {label!r} has the times {times[label]:g} and {time:g} in the"
                f" column {column!r}; a layer has one"
            )
    return times


def number_of(value: object) -> float | None:
    """Return a finite number that a cell holds, or None.

    Parameters
    ----------
    value : object
        The cell.

    Returns
    -------
    float or None
    """
    try:
        number = float(str(value))
    except ValueError:
        return None
    return number if np.isfinite(number) else None


def natural(text: str) -> list[Any]:
    """Return what sorts texts as people do: file 2 before file 10.

    Parameters
    ----------
    text : str
        A name.

    Returns
    -------
    list
    """
    return [
        (0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", text)
    ]


def read_layer_list(
    path: Path, times: dict[str, float] | None
) -> tuple[list[str], dict[str, float] | None]:
    """Read the order of layers, and their times where a table has them.

    Parameters
    ----------
    path : Path
        The table.
    times : dict of str to float, or None
        Times that are known without it.

    Returns
    -------
    labels : list of str
        The layers in order.
    times : dict of str to float, or None
        Their times.

    Raises
    ------
    InputError
        If it cannot be read, or has no column ``layer``.
    """
    table = _table(path, ("layer",))
    labels = [layer_label(value) for value in table["layer"]]
    if "time" not in table:
        return labels, times
    return labels, times_of(labels, list(table["time"]), "time", str(path))


def read_absent(path: str | Path, labels: Sequence[str]) -> dict[str, set[str]]:
    """Read which nodes are absent, by layer.

    Parameters
    ----------
    path : str or Path
        A table with columns ``name`` and ``layer``.
    labels : sequence of str
        The layers.

    Returns
    -------
    dict of str to set of str

    Raises
    ------
    InputError
        If it cannot be read, or names another layer.
    """
    table = _table(Path(path), ("name", "layer"))
    absent: dict[str, set[str]] = {}
    for name, value in zip(table["name"], table["layer"], strict=True):
        label = layer_label(value)
        if label not in labels:
            raise InputError(
                f"{path}: there is no layer {label!r}; there are {', '.join(map(repr, labels))}"
            )
        absent.setdefault(label, set()).add(clean_name(name))
    return absent


def hide_in_layers(layers: Layers, path: str | Path) -> Layers:
    """Hide listed dyads: in the layers that a column names, else in all.

    Parameters
    ----------
    layers : Layers
        Any layers.
    path : str or Path
        The list; in a table a column ``layer`` names layers.

    Returns
    -------
    Layers

    Raises
    ------
    InputError
        If it cannot be read, or names another layer or node.
    """
    table = read_columns(Path(path)) if inner_suffix(Path(path)) in TABLES else pd.DataFrame()
    if "layer" not in table:
        for k, network in enumerate(layers.networks):
            layers = layers.with_layer(k, hide_listed(network, path))
        return layers
    for needed in ("source", "target"):
        if needed not in table:
            raise InputError(f"{path}: the columns source, target and layer are needed")
    for value, rows in table.groupby("layer", sort=False):
        k = layers.index(layer_label(value))
        network = layers.networks[k]
        place = {name: i for i, name in enumerate(network.names)}
        ends = []
        for needed in ("source", "target"):
            names = [clean_name(name) for name in rows[needed]]
            unknown = next((name for name in names if name not in place), None)
            if unknown is not None:
                raise InputError(f"{path}: the layer {value!r} has no node {unknown!r}")
            ends.append([place[name] for name in names])
        layers = layers.with_layer(k, network.hide(*ends))
    return layers


def layers_with_dyads(layers: Layers, dyads: Table) -> Layers:
    """Give layers a table of facts about dyads, the same in all layers.

    Parameters
    ----------
    layers : Layers
        Any layers.
    dyads : str, Path or DataFrame
        As :func:`lsm_stan.network.readers.with_dyads` reads it.

    Returns
    -------
    Layers
        Their notes say how many dyads have no row.

    Raises
    ------
    InputError
        As :func:`lsm_stan.network.readers.with_dyads` raises it, or if the table has a column
        ``layer``.
    """
    table = dyads if isinstance(dyads, pd.DataFrame) else _table(Path(dyads), ())
    if "layer" in [*table.columns, *table.index.names]:
        raise InputError(
            f"{'table of dyads' if table is dyads else dyads}: it has a column 'layer', and facts"
            f" about dyads are the same in all layers; give one row a dyad, without that column"
        )
    pooled = with_dyads(replace(layers.pooled, notes=()), dyads)
    return replace(layers, dyad_table=pooled.dyad_table, notes=(*layers.notes, *pooled.notes))


def _table(path: Path, needed: Sequence[str]) -> pd.DataFrame:
    if inner_suffix(path) not in TABLES:
        raise InputError(f"{path}: a table is needed; {', '.join(TABLES)} can be read")
    with readable(path):
        table = read_columns(path)
    for name in needed:
        if name not in table:
            raise InputError(
                f"{path}: the columns {' and '.join(needed)} are needed; it has"
                f" {', '.join(map(str, table.columns))}"
            )
    return table
