"""Covariates: facts about nodes and dyads that a model's log mean depends on, linearly.

Terms are those of :mod:`lsm_stan.model.terms`.

The priors of coefficients are per unit of a scale, so that the covariate's units do not matter: the
distance of its values where there are exactly two (of nodes in the first three, else of dyads),
else the standard deviation over dyads. That of a rare 0 or 1 is near 0, and a prior per standard
deviation would leave its coefficient without one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.special import logsumexp

from lsm_stan.errors import InputError
from lsm_stan.model.terms import NODE_TERMS, OFFSET, Term, read_term
from lsm_stan.network.dyads import numbered_ends
from lsm_stan.network.network import Network
from lsm_stan.network.pairs import dyad_blocks
from lsm_stan.typing import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Covariates:
    """The values of a model's terms in one network.

    Attributes
    ----------
    terms : tuple of Term
        P terms of nodes, then Q terms of dyads; offsets are the last of each.
    sender, receiver : ndarray of shape (N, P)
        What the terms of nodes add for a sender, and for a receiver, in units of the covariate.
    codes : tuple of ndarray, length Q
        Where :meth:`of_dyads` looks up the values of each term of dyads: numbers of the nodes,
        shape (N,), or for ``edgecov`` cells of dyads, increasing, above their values, shape (2, L).
    scale : ndarray of shape (B,)
        Scales, in units of the covariate, of terms that are no offsets: distances of two values,
        else standard deviations over the dyads of the network.
    """

    terms: tuple[Term, ...]
    sender: FloatArray
    receiver: FloatArray
    codes: tuple[FloatArray, ...]
    scale: FloatArray

    @property
    def n_of_nodes(self) -> int:
        """P, the number of terms of nodes."""
        return int(self.sender.shape[1])

    @property
    def offsets(self) -> BoolArray:
        """Which terms are offsets, of shape (P + Q,)."""
        return np.array([term.kind == OFFSET for term in self.terms], dtype=bool)

    def coefficients(self, beta: FloatArray | None) -> FloatArray:
        """Return what the values of all terms are multiplied by: an offset by 1.

        Parameters
        ----------
        beta : ndarray of shape (..., B) or None
            Coefficients of the terms that are no offsets; None where all are.

        Returns
        -------
        ndarray of shape (..., P + Q)
        """
        batch = () if beta is None else beta.shape[:-1]
        whole = np.ones((*batch, len(self.terms)))
        if beta is not None:
            whole[..., ~self.offsets] = beta
        return whole

    @property
    def log_exposure(self) -> float:
        """The logarithm of the mean of what offsets multiply rates by, about."""
        n, offsets = self.n_of_nodes, self.offsets
        ends = (side[:, offsets[:n]].sum(axis=1) for side in (self.sender, self.receiver))
        listed = [codes[1] for codes, one in zip(self.codes, offsets[n:], strict=True) if one]
        return float(sum(logsumexp(log) - np.log(len(log)) for log in [*ends, *listed]))

    def of_dyads(self, sender: IntArray, receiver: IntArray) -> FloatArray:
        """Return the values of the terms of dyads.

        Parameters
        ----------
        sender, receiver : ndarray of int64 of shape (D,)
            0-based node indices.

        Returns
        -------
        ndarray of shape (D, Q)
            Values in units of the covariate.
        """
        columns = [
            _of_dyads(term, codes, len(self.sender), sender, receiver)
            for term, codes in zip(self.terms[self.n_of_nodes :], self.codes, strict=True)
        ]
        return np.column_stack([np.zeros((len(sender), 0)), *columns])

    def values(self, sender: IntArray, receiver: IntArray) -> FloatArray:
        """Return the values of all terms.

        Parameters
        ----------
        sender, receiver : ndarray of int64 of shape (D,)
            0-based node indices.

        Returns
        -------
        ndarray of shape (D, P + Q)
            Values in units of the covariate, terms of nodes first.
        """
        of_nodes = self.sender[sender] + self.receiver[receiver]
        return np.hstack([of_nodes, self.of_dyads(sender, receiver)])

    def ranges(self) -> FloatArray:
        """Return bounds of the values of the terms of dyads.

        Returns
        -------
        ndarray of shape (2, Q)
            Values that none is below, and values that none is above.
        """
        ends = [
            _range(*both) for both in zip(self.terms[self.n_of_nodes :], self.codes, strict=True)
        ]
        return np.array(ends).reshape(-1, 2).T

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the terms and their values."""
        sha = hashlib.sha256(repr([str(term) for term in self.terms]).encode())
        for values in (self.sender, self.receiver, *self.codes):
            sha.update(values.astype("<f8").tobytes())
        return sha.hexdigest()


def covariates(terms: Sequence[Term], network: Network) -> Covariates:
    """Look terms up in a network's tables.

    Parameters
    ----------
    terms : sequence of Term
        At least one term.
    network : Network
        N nodes, with the tables that have the terms' columns.

    Returns
    -------
    Covariates

    Raises
    ------
    InputError
        If a table or column is not there, a value is missing or not a number, a term says nothing
        (it is the same for all dyads), or tells sender from receiver though the network is
        undirected; if an offset is of nodes and of dyads, or is not of every observed dyad.
    """
    is_of_nodes = {term: _is_of_nodes(term, network) for term in terms}
    ordered = sorted(terms, key=lambda term: (not is_of_nodes[term], term.kind == OFFSET))
    of_nodes = [term for term in ordered if is_of_nodes[term]]
    of_dyads = [term for term in ordered if not is_of_nodes[term]]
    for term in of_nodes:
        _check_directed(term, network)
    n = network.n_nodes
    numbers = [_numbers(term, network) for term in of_nodes]
    sender, receiver = np.zeros((n, len(of_nodes))), np.zeros((n, len(of_nodes)))
    for column, (term, values) in enumerate(zip(of_nodes, numbers, strict=True)):
        sends, receives = NODE_TERMS.get(term.kind, (True, True))
        if term.kind != OFFSET:
            values = values - values[0]  # what is constant is then exactly 0
            values -= values.mean()
        sender[:, column], receiver[:, column] = sends * values, receives * values
    codes = tuple(_codes(term, network) for term in of_dyads)
    unscaled = Covariates(tuple(ordered), sender, receiver, codes, np.zeros(0))
    sd = _standard_deviations(unscaled)
    for term, value in zip(ordered, sd, strict=True):
        if not (value > 0 or term.kind == OFFSET):
            raise InputError(f"{term} has one value for all dyads, and so says nothing; leave it")
    distinct = [np.unique(values) for values in numbers]
    distinct += [_distinct(*both, n) for both in zip(of_dyads, codes, strict=True)]
    scale = [np.ptp(d) if len(d) == 2 else s for d, s in zip(distinct, sd, strict=True)]
    return replace(unscaled, scale=np.array(scale)[~unscaled.offsets])


def possible_terms(network: Network) -> dict[str, dict[str, list[str]]]:
    """Return what kinds of terms can be made of the columns of a network's tables.

    Parameters
    ----------
    network : Network
        Any network. No dyad is looked at.

    Returns
    -------
    dict of str to dict of str to list of str
        For ``node`` and ``dyad``, where there is such a table: column to kinds of terms. A column
        has none if it has one value, lacks some, has other names for all nodes, or has a name that
        :func:`read_term` cannot read.

    Examples
    --------
    >>> from lsm_stan import load_celegans
    >>> from lsm_stan.model.covariates import possible_terms
    >>> possible_terms(load_celegans())["node"]["class"]
    ['nodematch']
    """
    kinds = {"node": [*NODE_TERMS, "absdiff", "nodematch"], "dyad": ["edgecov"]}
    tables = {"node": network.node_table, "dyad": network.dyad_table}
    return {
        what: {
            column: [kind for kind in kinds[what] if _possible(Term(kind, column), network)]
            for column in table.columns
        }
        for what, table in tables.items()
        if table is not None
    }


def _possible(term: Term, network: Network) -> bool:
    try:
        read_term(str(term))
        _check_directed(term, network)
        values = _numbers(term, network) if term.kind in NODE_TERMS else _codes(term, network)
    except InputError:
        return False
    if term.kind == "edgecov":
        return bool(values[1].any())
    distinct = len(np.unique(values))
    return 1 < distinct < (network.n_nodes if term.kind == "nodematch" else np.inf)


def _check_directed(term: Term, network: Network) -> None:
    """Raise InputError if a term tells sender from receiver, and the network does not."""
    if not (network.directed or all(NODE_TERMS.get(term.kind, ()))):
        raise InputError(
            f"{term}: the network is undirected; take nodecov({term.column}), of both ends"
        )


def _is_of_nodes(term: Term, network: Network) -> bool:
    """Return whether a term is of nodes; raise InputError where an offset is of both or neither."""
    if term.kind != OFFSET:
        return term.kind in NODE_TERMS
    tables = {"node table": network.node_table, "dyad table": network.dyad_table}
    having = [
        what
        for what, table in tables.items()
        if table is not None and not {term.column, logarithm_of(term)}.isdisjoint(table.columns)
    ]
    if len(having) == 2:
        raise InputError(
            f"{term}: the node table and the dyad table both have this column; rename one of them"
        )
    if not having:
        has = [
            f"its {what} has {', '.join(table.columns) or 'none'}"
            for what, table in tables.items()
            if table is not None
        ]
        raise InputError(
            f"{term}: {network.title or 'the network'} has no column {term.column!r};"
            f" {' and '.join(has) or 'it has no tables: give --nodes or --dyads'}"
        )
    return having[0] == "node table"


def logarithm_of(term: Term) -> str | None:
    """Return the column whose logarithm an offset is.

    Parameters
    ----------
    term : Term
        Any term.

    Returns
    -------
    str or None
        None where it is no offset, or none of a logarithm.
    """
    match = re.fullmatch(r"log\s*\((.+)\)", term.column)
    return match[1].strip() if match and term.kind == OFFSET else None


def _of_dyads(
    term: Term, codes: FloatArray, n_nodes: int, sender: IntArray, receiver: IntArray
) -> FloatArray:
    if term.kind == "nodematch":
        return np.asarray(codes[sender] == codes[receiver], dtype=float)
    if term.kind == "absdiff":
        return np.asarray(np.abs(codes[sender] - codes[receiver]))
    cells, values = codes
    wanted = sender * n_nodes + receiver
    index = np.searchsorted(cells, wanted)
    listed = np.append(cells, -1)[index] == wanted
    # what has no exposure cannot be seen
    return np.where(listed, np.append(values, 0.0)[index], -np.inf if term.kind == OFFSET else 0.0)


def _range(term: Term, codes: FloatArray) -> tuple[float, float]:
    if term.kind == "nodematch":
        return 0.0, 1.0
    if term.kind == "absdiff":
        return 0.0, float(np.ptp(codes))
    return min(0.0, float(codes[1].min(initial=0.0))), max(0.0, float(codes[1].max(initial=0.0)))


def _codes(term: Term, network: Network) -> FloatArray:
    if term.kind == "absdiff":
        return _numbers(term, network)
    if term.kind == "nodematch":
        values = _column(term, network.node_table, "node table", network)
        missing = (values.isna() | (values == "")).to_numpy()  # in text an empty cell
        if missing.any():
            node = network.names[int(missing.argmax())]
            raise InputError(f"{term}: node {node!r} has no value in the node table; it needs one")
        return np.asarray(pd.factorize(values)[0], dtype=float)
    values = _column(term, network.dyad_table, "dyad table", network)
    table = network.dyad_table
    assert table is not None
    ends = numbered_ends(table.index, network.names)
    if values.name != term.column:  # a logarithm: without exposure there is none, and no row
        unexposed = pd.to_numeric(values, errors="coerce").to_numpy() == 0
        kept = ~(unexposed & (network.weight_of(*ends.T) < 0))
        values, ends = values[kept], ends[kept]
    names = [f"{s!r} to {r!r}" for s, r in values.index]
    numbers = _as_numbers(term, values, names, "dyad")
    if not network.directed:
        ends, numbers = np.vstack([ends, ends[:, ::-1]]), np.tile(numbers, 2)
    cells, first = np.unique(ends[:, 0] * network.n_nodes + ends[:, 1], return_index=True)
    if term.kind == OFFSET:
        _check_offset(term, network, cells)
    return np.vstack([cells, numbers[first]])


def _check_offset(term: Term, network: Network, cells: IntArray) -> None:
    """Raise InputError if an observed dyad has no offset."""
    settled = np.append(cells, network.hidden_cells)
    for sender, receiver in dyad_blocks(network, 1_000_000):
        missing = ~np.isin(sender * network.n_nodes + receiver, settled)
        if missing.any():
            dyad = int(missing.argmax())
            ends = f"{network.names[sender[dyad]]!r} to {network.names[receiver[dyad]]!r}"
            raise InputError(
                f"{term}: dyad {ends} has no row in the dyad table; an offset is needed of every"
                f" dyad that was observed, and --hidden lists those that were not"
            )


def _column(
    term: Term, table: pd.DataFrame | None, what: str, network: Network
) -> pd.Series[float]:
    column = term.column
    if table is not None and column not in table.columns:
        column = logarithm_of(term) or column
    if table is None or column not in table.columns:
        has = "is not there" if table is None else f"has {', '.join(table.columns) or 'none'}"
        raise InputError(
            f"{term}: {network.title or 'the network'} has no column {term.column!r} in its"
            f" {what}, which {has}"
        )
    return table[column]


def _numbers(term: Term, network: Network) -> FloatArray:
    return _as_numbers(
        term,
        _column(term, network.node_table, "node table", network),
        [repr(name) for name in network.names],
        "node",
    )


def _as_numbers(
    term: Term, values: pd.Series[float], names: Sequence[str], what: str
) -> FloatArray:
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=float)
    bad = np.flatnonzero(~np.isfinite(numbers))
    if bad.size:
        value = values.iloc[bad[0]]
        missing = pd.isna(value) or value == ""
        has = "no value" if missing else repr(str(value))
        hint = "; of categories take nodematch" if what == "node" and not missing else ""
        raise InputError(
            f"{term}: {what} {names[bad[0]]} has {has}; a finite number is needed{hint}"
        )
    if values.name != term.column:  # an offset's logarithm
        bad = np.flatnonzero(numbers <= 0)
        if bad.size:
            raise InputError(
                f"{term}: {what} {names[bad[0]]} has {numbers[bad[0]]:g}, which has no logarithm;"
                f" positive numbers are needed, and --hidden lists dyads that cannot be observed"
            )
        return np.asarray(np.log(numbers))
    return numbers


def _distinct(term: Term, codes: FloatArray, n: int) -> FloatArray:
    """Return the values of a term of dyads, or for ``absdiff`` those that it is the distance of."""
    if term.kind == "nodematch":
        return np.array([0.0, 1.0])
    if term.kind == "absdiff":
        return np.unique(codes)
    cells, values = codes
    return np.unique(values if len(cells) == n * (n - 1) else np.append(values, 0.0))


def _standard_deviations(covariates: Covariates) -> FloatArray:
    """Return standard deviations over all dyads, hidden ones too, in closed form.

    Over ordered dyads: in an undirected network every term is the same both ways.
    """
    n = len(covariates.sender)
    s, r = covariates.sender, covariates.receiver
    # of (s_i + r_j) and its square, the diagonal left out
    total = (n - 1) * (s + r).sum(axis=0)
    square = (n - 1) * (s**2 + r**2).sum(axis=0)
    square += 2 * (s.sum(axis=0) * r.sum(axis=0) - (s * r).sum(axis=0))
    of_dyads = zip(covariates.terms[covariates.n_of_nodes :], covariates.codes, strict=True)
    sums = np.array([_sums(term, codes) for term, codes in of_dyads]).reshape(-1, 2).T
    mean, mean_square = np.hstack([[total, square], sums]) / (n * (n - 1))
    variance = mean_square - mean**2
    # what is left of rounding is not a spread
    return np.sqrt(np.where(variance > 1e-12 * mean**2, variance, 0.0))


def _sums(term: Term, codes: FloatArray) -> tuple[float, float]:
    """Return the sums of a term of dyads, and of its squares, over all ordered dyads."""
    if term.kind == "nodematch":
        count = np.unique(codes, return_counts=True)[1]
        matches = float(np.sum(count * (count - 1)))
        return matches, matches
    if term.kind != "absdiff":
        return float(codes[1].sum()), float(codes[1] @ codes[1])
    n = len(codes)
    # the k-th smallest of n numbers is the larger of k pairs, the smaller of n - 1 - k
    larger = 2.0 * np.arange(n) - (n - 1)
    total = 2 * float(larger @ np.sort(codes - codes[0]))
    return total, 2 * n * n * float(np.var(codes - codes[0]))
