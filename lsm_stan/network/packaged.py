"""Packaged networks and layers by their names."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeGuard, TypeVar

from lsm_stan.errors import InputError
from lsm_stan.network.connectomes import load_connectome
from lsm_stan.network.datasets import load_celegans
from lsm_stan.network.layers import Layers
from lsm_stan.network.network import Network
from lsm_stan.network.reading import OF_COLUMNS, OF_LAYERS, Reading

#: Names of packaged networks, and of packaged layers.
NETWORKS, LAYERS = ("celegans", "white1986"), ("witvliet2021",)

Named = TypeVar("Named", Network, Layers)


def is_packaged(data: object) -> TypeGuard[str]:
    """Return whether something is the name of packaged data.

    Parameters
    ----------
    data : object
        What is given for a network, or for layers.

    Returns
    -------
    bool
    """
    return isinstance(data, str) and data in (*NETWORKS, *LAYERS)


def packaged_network(name: str, how: Reading) -> Network:
    """Load a packaged network.

    Parameters
    ----------
    name : str
        Its name.
    how : Reading
        What the user says.

    Returns
    -------
    Network

    Raises
    ------
    InputError
        If the name is that of layers, or the user says what would contradict the network.
    """
    if name in LAYERS:
        raise InputError(
            f"{name}: these are layers, and one network is needed; fit, info, plan and run take"
            f" layers"
        )
    _refuse(name, how)
    if name == "celegans":
        return _titled(load_celegans(how.parallel_edges or "first"), how)
    how.refuse(("parallel_edges",), name, "no pair is listed twice")
    return _titled(load_connectome("white1986"), how)


def packaged_layers(name: str, how: Reading) -> Layers:
    """Load packaged layers.

    Parameters
    ----------
    name : str
        Their name.
    how : Reading
        What the user says.

    Returns
    -------
    Layers

    Raises
    ------
    InputError
        If the name is that of one network, or the user says what would contradict the layers.
    """
    if name not in LAYERS:
        raise InputError(f"{name}: this is one network, and layers are needed: {', '.join(LAYERS)}")
    how.refuse(
        (*OF_LAYERS, "parallel_edges"), name, "the packaged layers have their order and times"
    )
    _refuse(name, how)
    return _titled(load_connectome("witvliet2021"), how)


def _refuse(name: str, how: Reading) -> None:
    """Refuse what has no meaning for packaged data."""
    how.refuse((*OF_COLUMNS, "bipartite"), name, "the packaged data are no table")
    if how.directed is False or how.nodes is not None:
        raise InputError(
            f"{name}: the packaged data are directed and have their own node table; "
            "they take neither directed=False nor nodes"
        )


def _titled(data: Named, how: Reading) -> Named:
    return data if how.title is None else replace(data, title=how.title)
