"""Several networks of the same nodes: layers.

A `Layers` value is a tuple of networks, each of the nodes that its layer has, over the union of
all nodes. Layers may be kinds of edges, animals, raters or points in time. A node that a layer has
not is *absent* there: none of its dyads in that layer is an observation.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from lsm_stan.errors import InputError
from lsm_stan.network.attributes import as_facts
from lsm_stan.network.cells import counted
from lsm_stan.network.checks import STAN_INT_MAX, check_names, clean_name
from lsm_stan.network.dyads import checked_dyads
from lsm_stan.network.layer_checks import (
    cells_among,
    checked_times,
    kind_of,
    lacking,
    with_nodes_in_order,
)
from lsm_stan.network.network import Network
from lsm_stan.text import time_text
from lsm_stan.typing import FloatArray, IntArray


@dataclass(frozen=True, eq=False, repr=False)
class Layers:
    """Networks of the same nodes, valid by construction.

    Most are made by :meth:`of`, or read by :func:`lsm_stan.network.layer_readers.read_layers`.

    Parameters
    ----------
    networks : tuple of Network, length L
        One a layer, of the nodes that the layer has; all directed, or all undirected.
    labels : tuple of str, length L
        What the layers are called; all differ.
    names : tuple of str, length N
        All nodes; a node's place here is its index in positions.
    times : ndarray of float64 of shape (L,), or None
        When the layers were observed, in any unit; not falling.
    node_table : DataFrame or None
        Facts about the nodes, one row per node in node order, indexed by node name.
    dyad_table : DataFrame or None
        Facts about dyads, the same in all layers, indexed by the names of sender and receiver.
    title : str
        What to call them in print.
    notes : tuple of str
        Sentences about how they were read.

    Raises
    ------
    InputError
        If any of the above does not hold.
    """

    networks: tuple[Network, ...]
    labels: tuple[str, ...]
    names: tuple[str, ...]
    times: FloatArray | None = None
    node_table: pd.DataFrame | None = None
    dyad_table: pd.DataFrame | None = None
    title: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        what = self.title or "layers"
        check_names(self.names, what)
        if not self.networks or len(self.networks) != len(self.labels):
            raise InputError(
                f"{what}: there are {counted(len(self.networks), 'network')} and"
                f" {counted(len(self.labels), 'label')}; one label for each layer is needed, and at"
                f" least one layer"
            )
        again = [label for label in self.labels if self.labels.count(label) > 1]
        if again:
            raise InputError(f"{what}: two layers are called {again[0]!r}; each needs another name")
        known = set(self.names)
        for label, network in zip(self.labels, self.networks, strict=True):
            if network.directed != self.directed:
                raise InputError(
                    f"{what}: the layer {self.labels[0]!r} is {kind_of(self.networks[0])}, the"
                    f" layer {label!r} {kind_of(network)}; all layers are one or the other: read"
                    f" them with --directed or --undirected"
                )
            unknown = [name for name in network.names if name not in known]
            if unknown:
                raise InputError(
                    f"{what}: the layer {label!r} has the node {unknown[0]!r}, which is not among"
                    f" the names of the layers' nodes"
                )
        place = {name: i for i, name in enumerate(self.names)}
        ordered = tuple(with_nodes_in_order(network, place) for network in self.networks)
        object.__setattr__(self, "networks", ordered)
        if self.times is not None:
            object.__setattr__(self, "times", checked_times(self.times, self.labels, what))
        if self.node_table is not None:
            table = as_facts(self.node_table, f"{what}, node table")
            table.index = pd.Index([clean_name(name) for name in table.index], name="node")
            if tuple(table.index) != self.names:
                raise InputError(
                    f"{what}: the rows of the node table are not the nodes; it needs one row for"
                    f" each of the {self.n_nodes} nodes, in node order"
                )
            object.__setattr__(self, "node_table", table)
        if self.dyad_table is not None:
            dyads = checked_dyads(self.dyad_table, self.names, self.directed, what)
            object.__setattr__(self, "dyad_table", dyads)

    def __repr__(self) -> str:
        edges = sum(network.n_edges for network in self.networks)
        return (
            f"<Layers {self.title!r}: {self.n_layers} layers of {self.n_nodes:,} nodes,"
            f" {edges:,} {kind_of(self.networks[0])} edges>"
        )

    @classmethod
    def of(
        cls,
        networks: Mapping[str, Network] | Sequence[Network],
        *,
        times: ArrayLike | None = None,
        names: Iterable[object] | None = None,
        node_table: pd.DataFrame | None = None,
        dyad_table: pd.DataFrame | None = None,
        title: str = "",
        notes: Sequence[str] = (),
    ) -> Layers:
        """Make layers of networks; a node that a network has not is absent from that layer.

        Parameters
        ----------
        networks : mapping of str to Network, or sequence of Network
            The layers, in order; those of a sequence are called by their titles where these
            differ, else 1, 2, ...
        times : array_like of float of shape (L,), optional
            When they were observed; not falling.
        names : iterable of str, optional
            All nodes. Default: in the order in which the layers first have them.
        node_table : DataFrame, optional
            Facts about the nodes, indexed by node name; rows of other nodes are left out.
        dyad_table : DataFrame, optional
            Facts about dyads, indexed by the names of sender and receiver.
        title : str, default ""
            What to call them in print.
        notes : sequence of str, default ()
            Sentences about how they were read.

        Returns
        -------
        Layers

        Raises
        ------
        InputError
            If they cannot be layers of one another.

        Examples
        --------
        >>> from lsm_stan import Layers, Network
        >>> young = Network.from_edges(["a"], ["b"], [2])
        >>> old = Network.from_edges(["a", "b"], ["b", "c"], [3, 1])
        >>> layers = Layers.of({"young": young, "old": old}, times=[0, 50])
        >>> layers.n_layers, layers.names, layers.members[0].tolist()
        (2, ('a', 'b', 'c'), [0, 1])
        """
        if isinstance(networks, Mapping):
            labels, each = tuple(map(clean_name, networks)), tuple(networks.values())
        else:
            each = tuple(networks)
            titles = [getattr(network, "title", "") for network in each]
            differ = all(titles) and len(set(titles)) == len(titles)
            labels = tuple(titles if differ else [str(k + 1) for k in range(len(each))])
        for label, network in zip(labels, each, strict=True):
            if not isinstance(network, Network):
                raise InputError(
                    f"the layer {label!r} is an object of type {type(network).__name__}; a Network"
                    f" is needed, which lsm_stan.read_network makes"
                )
        union = dict.fromkeys(name for network in each for name in network.names)
        ordered = tuple(union if names is None else map(clean_name, names))
        if node_table is not None:
            node_table = node_table.rename(index=clean_name).reindex(list(ordered))
        return cls(
            each,
            labels,
            ordered,
            None if times is None else np.asarray(times, dtype=float),
            node_table,
            dyad_table,
            title,
            tuple(notes),
        )

    @property
    def n_nodes(self) -> int:
        """Number of nodes, N."""
        return len(self.names)

    @property
    def n_layers(self) -> int:
        """Number of layers, L."""
        return len(self.networks)

    @property
    def directed(self) -> bool:
        """Whether (a, b) and (b, a) are different cells."""
        return self.networks[0].directed

    @property
    def n_edges(self) -> int:
        """Number of edges in all layers together."""
        return sum(network.n_edges for network in self.networks)

    @property
    def n_observed(self) -> int:
        """Number of observed dyads in all layers together."""
        return sum(network.n_observed for network in self.networks)

    @cached_property
    def members(self) -> tuple[IntArray, ...]:
        """Indices of each layer's nodes among all, in the order of the layer's network."""
        index = {name: i for i, name in enumerate(self.names)}
        return tuple(
            np.array([index[name] for name in network.names], dtype=np.int64)
            for network in self.networks
        )

    @cached_property
    def pooled(self) -> Network:
        """The layers added up: one network of all nodes.

        A dyad is hidden there if no layer observed it. It stands for the layers where only nodes,
        their strength and the heaviest edges are asked for, as in maps.

        Raises
        ------
        InputError
            If weights add up to more than Stan's int holds.
        """
        n = self.n_nodes
        pairs = list(zip(self.members, self.networks, strict=True))
        cells = [cells_among(at, x.sender, x.receiver, n, self.directed) for at, x in pairs]
        weights = [network.weight for network in self.networks]
        cell, place = np.unique(np.concatenate(cells), return_inverse=True)
        weight = np.zeros(len(cell), dtype=np.int64)
        np.add.at(weight, place, np.concatenate(weights))
        if weight.max(initial=0) > STAN_INT_MAX:
            raise InputError(
                f"{self.title or 'layers'}: the weights of a dyad add up to {weight.max()} over the"
                f" layers; at most {STAN_INT_MAX} can be: count in a larger unit"
            )
        hidden = self._never_seen() if self._has_gaps else np.zeros(0, dtype=np.int64)
        return Network(
            self.names,
            cell // n,
            cell % n,
            weight,
            self.directed,
            node_table=self.node_table,
            dyad_table=self.dyad_table,
            title=self.title,
            notes=self.notes,
            hidden_sender=hidden // n,
            hidden_receiver=hidden % n,
        )

    @property
    def _has_gaps(self) -> bool:
        return any(x.n_hidden or x.n_nodes < self.n_nodes for x in self.networks)

    def _never_seen(self) -> IntArray:
        """Return the cells of dyads that no layer observed."""
        n = self.n_nodes
        never = ~np.eye(n, dtype=bool)
        for at, network in zip(self.members, self.networks, strict=True):
            seen = np.ones((len(at), len(at)), dtype=bool)
            seen[network.hidden_sender, network.hidden_receiver] = False
            if not self.directed:
                seen[network.hidden_receiver, network.hidden_sender] = False
            never[np.ix_(at, at)] &= ~seen
        if not self.directed:
            never = np.triu(never)
        return np.flatnonzero(never).astype(np.int64)

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of names, labels, times and the layers' own digests."""
        times = None if self.times is None else self.times.tolist()
        head = json.dumps([list(self.names), list(self.labels), times])
        parts = [head, *(network.digest for network in self.networks)]
        return hashlib.sha256("".join(parts).encode()).hexdigest()

    def index(self, layer: int | str) -> int:
        """Return the number of a layer, from 0.

        Parameters
        ----------
        layer : int or str
            Its number, or its label.

        Returns
        -------
        int

        Raises
        ------
        InputError
            If there is no such layer.
        """
        if isinstance(layer, str) and layer in self.labels:
            return self.labels.index(layer)
        if isinstance(layer, int | np.integer) and 0 <= layer < self.n_layers:
            return int(layer)
        raise InputError(f"there is no layer {layer!r}; there are {', '.join(self.labels)}")

    def chosen(self, layers: Sequence[int]) -> Layers:
        """Return some of the layers, over the same nodes.

        Parameters
        ----------
        layers : sequence of int
            Their numbers, from 0, ascending.

        Returns
        -------
        Layers
        """
        return replace(
            self,
            networks=tuple(self.networks[k] for k in layers),
            labels=tuple(self.labels[k] for k in layers),
            times=None if self.times is None else self.times[list(layers)],
        )

    def with_layer(self, layer: int, network: Network) -> Layers:
        """Return the layers with another network in the place of one.

        Parameters
        ----------
        layer : int
            The layer's number, from 0.
        network : Network
            Its network.

        Returns
        -------
        Layers
        """
        networks = list(self.networks)
        networks[layer] = network
        return replace(self, networks=tuple(networks))

    def binary(self) -> Layers:
        """Return the layers with every weight 1.

        Returns
        -------
        Layers
        """
        return replace(self, networks=tuple(network.binary() for network in self.networks))

    def edge_frame(self) -> pd.DataFrame:
        """Return the edges of all layers as a table, which `read_layers` reads.

        Returns
        -------
        DataFrame
            Columns ``source``, ``target``, ``weight`` and ``layer``.
        """
        return self._stacked([network.edge_frame() for network in self.networks])

    def hidden_frame(self) -> pd.DataFrame:
        """Return the hidden dyads of all layers as a table.

        Returns
        -------
        DataFrame
            Columns ``source``, ``target`` and ``layer``.
        """
        return self._stacked([network.hidden_frame() for network in self.networks])

    def absent_frame(self) -> pd.DataFrame:
        """Return which nodes are absent from which layers.

        Returns
        -------
        DataFrame
            Columns ``name`` and ``layer``.
        """
        rows = [
            (name, label)
            for label, network in zip(self.labels, self.networks, strict=True)
            for name in lacking(self.names, network.names)
        ]
        return pd.DataFrame(rows, columns=["name", "layer"])

    def layer_frame(self) -> pd.DataFrame:
        """Return the layers as a table, in order.

        Returns
        -------
        DataFrame, L rows
            ``layer``, ``time`` where there are times, and of each ``nodes``, ``edges``,
            ``total_weight`` and ``hidden`` dyads.
        """
        table = pd.DataFrame({"layer": self.labels})
        if self.times is not None:
            table["time"] = self.times
        table["nodes"] = [network.n_nodes for network in self.networks]
        table["edges"] = [network.n_edges for network in self.networks]
        table["total_weight"] = [network.total_weight for network in self.networks]
        table["hidden"] = [network.n_hidden for network in self.networks]
        return table

    def listing(self) -> pd.DataFrame:
        """Return the layers as a table for people: times, such as years, are text.

        Returns
        -------
        DataFrame, L rows
            As :meth:`layer_frame` returns it.
        """
        table = self.layer_frame()
        return table.assign(time=table["time"].map(time_text)) if "time" in table else table

    def _stacked(self, frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
        labelled = [
            frame.assign(layer=label) for label, frame in zip(self.labels, frames, strict=True)
        ]
        return pd.concat(labelled, ignore_index=True)
