"""The network: N named nodes and sparse, non-negative integer weights.

A `Network` is a value. It is checked when it is made and cannot be changed afterwards, so no
later module has to look at its input again. Only edges are kept: memory is O(N + E). What
happens to parallel edges, missing weights and the like is told in `lsm_stan.network.cells`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from lsm_stan.choices import ParallelEdges
from lsm_stan.errors import InputError
from lsm_stan.network.attributes import as_facts
from lsm_stan.network.cells import SparseMatrix, cells_of_list, cells_of_matrix
from lsm_stan.network.checks import check_names, clean_name
from lsm_stan.network.dyads import DYAD_ENDS, checked_dyads
from lsm_stan.network.edges import check_edges, check_hidden, frozen_integers
from lsm_stan.typing import IntArray


def _no_index() -> IntArray:
    return np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, eq=False, repr=False)
class Network:
    """A weighted network with named nodes, valid by construction.

    Most networks are made by `from_edges`, `from_matrix` or
    `lsm_stan.network.readers.read_network`, which apply the policies of `lsm_stan.network.cells`;
    the constructor only checks.

    Parameters
    ----------
    names : tuple of str, length N
        Unique node names; a node's position here is its index everywhere else.
    sender, receiver : ndarray of int64 of shape (E,)
        0-based node indices of each edge, in increasing order of (sender, receiver), every pair
        once. In an undirected network ``sender <= receiver``.
    weight : ndarray of int64 of shape (E,)
        Weights (counts, no unit), from 1 to `STAN_INT_MAX`.
    hidden_sender, hidden_receiver : ndarray of int64 of shape (H,)
        Dyads (pairs of different nodes) that were not observed, neither edges nor empty, in the
        order of edges; not all. By default every dyad was observed.
    directed : bool
        Whether (a, b) and (b, a) are different cells.
    node_table : DataFrame or None
        Facts about the nodes, one row per node in node order, indexed by node name; kept as
        `lsm_stan.network.attributes` has them. No column is called ``name``, which is where files
        have the node names.
    dyad_table : DataFrame or None
        Facts about dyads, a row each, indexed by the names of sender and receiver; those of
        most dyads may be missing; kept likewise. In an undirected network a pair has one row at
        most. There is a column, and none is called ``source`` or ``target``.
    title : str
        What to call the network in print.
    notes : tuple of str
        Sentences about how the source was read: policies applied, with counts, and warnings.

    Raises
    ------
    InputError
        If any of the above does not hold.
    """

    names: tuple[str, ...]
    sender: IntArray
    receiver: IntArray
    weight: IntArray
    directed: bool
    node_table: pd.DataFrame | None = None
    title: str = ""
    notes: tuple[str, ...] = ()
    hidden_sender: IntArray = field(default_factory=_no_index)
    hidden_receiver: IntArray = field(default_factory=_no_index)
    dyad_table: pd.DataFrame | None = None

    def __post_init__(self) -> None:
        what = self.title or "network"
        check_names(self.names, what)
        for name in ("sender", "receiver", "weight", "hidden_sender", "hidden_receiver"):
            object.__setattr__(self, name, frozen_integers(getattr(self, name), name, what))
        check_edges(self.n_nodes, self.sender, self.receiver, self.weight, self.directed, what)
        check_hidden(
            self.names,
            self.edge_cells,
            self.hidden_sender,
            self.hidden_receiver,
            self.directed,
            what,
        )
        if not self.n_observed:
            raise InputError(f"{what}: every dyad is hidden; at least one must have been observed")
        if self.node_table is not None:
            table = as_facts(self.node_table, f"{what}, node table")
            table.index = pd.Index([clean_name(name) for name in table.index], name="node")
            if tuple(table.index) != self.names:
                raise InputError(
                    f"{what}: the rows of the node table are not the nodes; "
                    f"it needs one row for each of the {self.n_nodes} nodes, in node order"
                )
            if "name" in table.columns:
                raise InputError(
                    f"{what}: the node table has a column 'name' besides the node names, its "
                    f"index; give the column another name"
                )
            object.__setattr__(self, "node_table", table)
        if self.dyad_table is not None:
            object.__setattr__(
                self, "dyad_table", checked_dyads(self.dyad_table, self.names, self.directed, what)
            )

    def __repr__(self) -> str:
        kind = "directed" if self.directed else "undirected"
        return (
            f"<Network {self.title!r}: {self.n_nodes:,} nodes, {self.n_edges:,} {kind} edges of"
            f" total weight {self.total_weight:,}, {self.n_hidden:,} dyads hidden>"
        )

    @classmethod
    def from_edges(
        cls,
        sender_names: Iterable[object],
        receiver_names: Iterable[object],
        weights: Iterable[object] | None = None,
        *,
        names: Iterable[object] | None = None,
        directed: bool = True,
        parallel_edges: ParallelEdges = "sum",
        node_table: pd.DataFrame | None = None,
        title: str = "",
        source: str = "edge list",
    ) -> Network:
        """Make a network from a list of edges between named nodes.

        Parameters
        ----------
        sender_names, receiver_names : iterable, length L
            Node names of each listed edge, turned into text by `clean_name`.
        weights : iterable of numbers or numeric text, length L, optional
            Weight of each listed edge. ``None``, for one edge or for all, is weight 1.
        names : iterable, length N, optional
            All nodes, in order. Default: the index of `node_table`, else the nodes in the order
            in which the edges first name them.
        directed : bool
            Whether an edge goes from sender to receiver or simply joins the two.
        parallel_edges : {"sum", "first"}
            What the weight of a pair listed more than once is.
        node_table : DataFrame, optional
            Facts about the nodes, indexed by node name in node order.
        title : str
            What to call the network in print.
        source : str
            File name or description, for error messages.

        Returns
        -------
        Network

        Raises
        ------
        InputError
            If a weight is not a whole number from 0 to `STAN_INT_MAX`, also after summing
            parallel edges; if a node has no name or is not in `names`; if names are not unique;
            if there are fewer than two nodes; if the iterables differ in length.
        """
        if names is None and node_table is not None:
            names = node_table.index
        cells = cells_of_list(
            sender_names,
            receiver_names,
            weights,
            names,
            directed=directed,
            parallel_edges=parallel_edges,
            source=source,
        )
        return cls(**cells._asdict(), directed=directed, node_table=node_table, title=title)

    @classmethod
    def from_matrix(
        cls,
        matrix: ArrayLike | SparseMatrix,
        names: Iterable[object] | None = None,
        *,
        directed: bool = True,
        node_table: pd.DataFrame | None = None,
        title: str = "",
        source: str = "matrix",
    ) -> Network:
        """Make a network from a matrix of weights, senders in rows and receivers in columns.

        Parameters
        ----------
        matrix : array_like or SciPy sparse array of shape (N, N)
            Numbers or numeric text; NaN is a dyad that was not observed. Entries that a sparse
            array holds twice are added up, which is what SciPy says they mean.
        names : iterable, length N, optional
            Node names. Default: the index of `node_table`, else ``"0"`` to ``"N-1"``.
        directed : bool, default True
            If False the matrix must be symmetric, and each unordered pair is one observation.
        node_table : DataFrame, optional
            Facts about the nodes, indexed by node name in node order.
        title : str, default ""
            What to call the network in print.
        source : str, default "matrix"
            File name or description, for error messages.

        Returns
        -------
        Network

        Raises
        ------
        InputError
            If the matrix is not square, not symmetric though undirected, or does not have one
            row per name; if a cell is not a whole number from 0 to `STAN_INT_MAX`; if names are
            not unique; if there are fewer than two nodes.

        Examples
        --------
        >>> from lsm_stan import Network
        >>> network = Network.from_matrix([[0, 2], [float("nan"), 0]], names=["a", "b"])
        >>> network.n_edges, network.n_hidden
        (1, 1)
        >>> print(network.notes[0])
        1 cell NaN: dyads that were not observed.
        """
        if names is None and node_table is not None:
            names = node_table.index
        cells = cells_of_matrix(matrix, names, directed=directed, source=source)
        return cls(**cells._asdict(), directed=directed, node_table=node_table, title=title)

    @property
    def n_nodes(self) -> int:
        """Number of nodes, N."""
        return len(self.names)

    @property
    def n_edges(self) -> int:
        """Number of edges, E: pairs with a weight above 0, self-loops included."""
        return len(self.weight)

    @property
    def n_hidden(self) -> int:
        """Number of hidden dyads, H."""
        return len(self.hidden_sender)

    @property
    def n_observed(self) -> int:
        """Number of observed dyads: ordered pairs of nodes, unordered ones if undirected."""
        return self.n_nodes * (self.n_nodes - 1) // (1 if self.directed else 2) - self.n_hidden

    @property
    def edge_cells(self) -> IntArray:
        """``sender * N + receiver`` of each edge, shape (E,), increasing."""
        return self.sender * self.n_nodes + self.receiver

    @property
    def hidden_cells(self) -> IntArray:
        """``sender * N + receiver`` of each hidden dyad, shape (H,), increasing."""
        return self.hidden_sender * self.n_nodes + self.hidden_receiver

    def weight_of(self, sender: ArrayLike, receiver: ArrayLike) -> IntArray:
        """Return the weights of ordered pairs of nodes.

        Parameters
        ----------
        sender, receiver : array_like of int of shape (D,)
            0-based node indices; in an undirected network in any order.

        Returns
        -------
        ndarray of int64 of shape (D,)
            0 where there is no edge, -1 where the dyad is hidden.
        """
        cells = self._cells(sender, receiver)
        index = np.searchsorted(self.edge_cells, cells)
        is_edge = np.append(self.edge_cells, -1)[index] == cells
        weight = np.where(is_edge, np.append(self.weight, 0)[index], 0)
        return np.where(np.isin(cells, self.hidden_cells), -1, weight)

    def hide(self, sender: ArrayLike, receiver: ArrayLike) -> Network:
        """Return the network with dyads not observed, besides those that already were not.

        Parameters
        ----------
        sender, receiver : array_like of int of shape (D,)
            0-based node indices of the dyads; in an undirected network in any order.

        Returns
        -------
        Network

        Raises
        ------
        InputError
            If a dyad is a node with itself, an index is not one of a node, or no dyad is left.
        """
        cells = np.union1d(self._cells(sender, receiver), self.hidden_cells)
        kept = ~np.isin(self.edge_cells, cells)
        return replace(
            self,
            sender=self.sender[kept],
            receiver=self.receiver[kept],
            weight=self.weight[kept],
            hidden_sender=cells // self.n_nodes,
            hidden_receiver=cells % self.n_nodes,
        )

    def binary(self) -> Network:
        """Return the network with every weight 1.

        Returns
        -------
        Network
        """
        return replace(self, weight=np.ones_like(self.weight))

    def _cells(self, sender: ArrayLike, receiver: ArrayLike) -> IntArray:
        """Return ``sender * N + receiver`` of dyads, as an edge between them is stored."""
        ends = np.array([sender, receiver], dtype=np.int64).reshape(2, -1)
        if ends.size and (ends.min() < 0 or ends.max() >= self.n_nodes):
            raise InputError(
                f"{self.title or 'network'}: dyads have indices from {ends.min()} to {ends.max()};"
                f" they must lie between 0 and {self.n_nodes - 1}"
            )
        if not self.directed:
            ends.sort(axis=0)
        return np.asarray(ends[0] * self.n_nodes + ends[1])

    @property
    def total_weight(self) -> int:
        """Sum of the weights of all edges; an undirected edge counts once."""
        return int(self.weight.sum())

    def out_strength(self) -> IntArray:
        """Return what each node sends: row sums of the weight matrix.

        Returns
        -------
        ndarray of int64 of shape (N,)
        """
        return self._strength(self.sender, self.receiver)

    def in_strength(self) -> IntArray:
        """Return what each node receives: column sums of the weight matrix.

        Returns
        -------
        ndarray of int64 of shape (N,)
        """
        return self._strength(self.receiver, self.sender)

    def _strength(self, end: IntArray, other_end: IntArray) -> IntArray:
        total = np.zeros(self.n_nodes, dtype=np.int64)
        np.add.at(total, end, self.weight)
        if not self.directed:
            pairs = end != other_end
            np.add.at(total, other_end[pairs], self.weight[pairs])
        return total

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of names, directedness, edges and hidden dyads: equal data, equal digest.

        Title, notes and tables do not enter: models with covariates add those
        (`lsm_stan.model.family.ModelSpec.digest`).
        """
        sha = hashlib.sha256(json.dumps([list(self.names), bool(self.directed)]).encode())
        for values in (self.sender, self.receiver, self.weight):
            sha.update(values.astype("<i8").tobytes())
        if self.n_hidden:
            sha.update(b"hidden" + self.hidden_cells.astype("<i8").tobytes())
        return sha.hexdigest()

    def edge_frame(self) -> pd.DataFrame:
        """Return the edges as a table, which `lsm_stan.network.readers.read_network` reads.

        Returns
        -------
        DataFrame, E rows
            Columns ``source`` and ``target``, node names, and ``weight``.
        """
        names = np.array(self.names, dtype=object)
        return pd.DataFrame(
            {"source": names[self.sender], "target": names[self.receiver], "weight": self.weight}
        )

    def hidden_frame(self) -> pd.DataFrame:
        """Return the hidden dyads as a table.

        Returns
        -------
        DataFrame, H rows
            Columns ``source`` and ``target``, node names.
        """
        names = np.array(self.names, dtype=object)
        return pd.DataFrame(
            {"source": names[self.hidden_sender], "target": names[self.hidden_receiver]}
        )

    def node_frame(self) -> pd.DataFrame:
        """Return the nodes as a table, which is a node table for `read_network`.

        Returns
        -------
        DataFrame, N rows
            Column ``name``, then the columns of `node_table` if there is one.
        """
        names = pd.DataFrame({"name": self.names})
        if self.node_table is None:
            return names
        return pd.concat([names, self.node_table.reset_index(drop=True)], axis=1)

    def dyad_frame(self) -> pd.DataFrame:
        """Return the dyad table, which `lsm_stan.network.readers.with_dyads` reads.

        Returns
        -------
        DataFrame
            Columns ``source`` and ``target``, node names, then the facts; no rows without a table.
        """
        if self.dyad_table is None:
            return pd.DataFrame(columns=list(DYAD_ENDS))
        return self.dyad_table.reset_index()

    def to_dense(self) -> IntArray:
        """Return the dense N x N matrix of weights, for small networks only.

        Returns
        -------
        ndarray of int64 of shape (N, N)
            Senders in rows, receivers in columns; symmetric if the network is undirected. A hidden
            dyad is 0, as an empty one is.
        """
        matrix = np.zeros((self.n_nodes, self.n_nodes), dtype=np.int64)
        matrix[self.sender, self.receiver] = self.weight
        if not self.directed:
            matrix[self.receiver, self.sender] = self.weight
        return matrix
