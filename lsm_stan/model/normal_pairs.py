"""Pairs of sites that are normal, and derivatives in what a normal density has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array

from lsm_stan.model.parameters import Parameters
from lsm_stan.typing import FloatArray, IntArray

#: Pairs of a block of rows, at most but for one row.
BLOCK = 1_000_000


@dataclass(eq=False)
class Gradient:
    """Derivatives in what a normal density has.

    Attributes
    ----------
    mean : dict of str to ndarray
        In the means: of sites, ``z``, and of the other parameters.
    spread : ndarray of shape (M, M) or (M,)
        In the covariance of the sites that every coordinate has: in its elements, or, where sites
        are independent, in its diagonal; of size 0 where it is not asked for.
    variance : dict of str to ndarray
        In the variances of the other parameters.
    """

    mean: dict[str, FloatArray]
    spread: FloatArray
    variance: dict[str, FloatArray]

    @classmethod
    def of_zeros(cls, mean: Parameters, spread: FloatArray, variance: Parameters) -> Gradient:
        """Return zeros.

        Parameters
        ----------
        mean : dict of str to ndarray
            Arrays of the derivatives' shapes.
        spread : ndarray of shape (...)
            The same.
        variance : dict of str to ndarray
            The same.

        Returns
        -------
        Gradient
        """
        return cls(
            {name: np.zeros(values.shape) for name, values in mean.items()},
            np.zeros(spread.shape),
            {name: np.zeros(values.shape) for name, values in variance.items()},
        )


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of different sites; see :mod:`lsm_stan.model.sites`.

    Attributes
    ----------
    first, second : ndarray of int64 of shape (P,)
        0-based indices of sites.
    n_sites : int
        M.
    """

    first: IntArray
    second: IntArray
    n_sites: int

    @cached_property
    def incidence(self) -> csr_array:
        """A row a pair: 1 at its first site, -1 at its second."""
        n_pairs = len(self.first)
        columns = np.stack([self.first, self.second], axis=1).reshape(-1)
        ends, signs = np.arange(0, 2 * n_pairs + 1, 2), np.tile([1.0, -1.0], n_pairs)
        return csr_array((signs, columns, ends), shape=(n_pairs, self.n_sites))

    def apart(self, sites: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return differences of sites, and their squared lengths.

        Parameters
        ----------
        sites : ndarray of shape (M, K)
            Sites.

        Returns
        -------
        difference : ndarray of shape (P, K)
        square : ndarray of shape (P,)
        """
        difference = self.incidence @ sites
        return difference, np.einsum("pk,pk->p", difference, difference)

    @cached_property
    def place(self) -> IntArray:
        """Where pairs are in an M x M array that is laid out in a row."""
        return self.first * self.n_sites + self.second

    def variances(self, spread: FloatArray) -> FloatArray:
        """Return the variances of a coordinate of the differences.

        Parameters
        ----------
        spread : ndarray of shape (M, M) or (M,)
            Covariance of the sites, or variances of independent ones.

        Returns
        -------
        ndarray of shape (P,)
        """
        each = spread if spread.ndim == 1 else np.diagonal(spread)
        sums = each[self.first] + each[self.second]
        if spread.ndim == 1:
            return np.asarray(sums)
        # rounding can take it to 0 where two sites move as one
        together = spread.reshape(-1).take(self.place)
        return np.maximum(sums - 2 * together, 1e-14 * sums)

    def add_to(
        self,
        total: Gradient,
        difference: FloatArray,
        by_square: FloatArray,
        by_variance: FloatArray,
    ) -> None:
        """Add the derivatives of a sum over the pairs to a gradient.

        Parameters
        ----------
        total : Gradient
            What is added to. In a covariance of all sites pairs stand for themselves; see
            :func:`of_covariance`.
        difference : ndarray of shape (P, K)
            Mean differences.
        by_square, by_variance : ndarray of shape (P,)
            Derivatives in the squared length of the mean difference, and in a coordinate's
            variance.
        """
        total.mean["z"] += self.incidence.T @ (2 * by_square[:, None] * difference)
        if not total.spread.size:
            return
        if total.spread.ndim == 1:
            total.spread += at_nodes(self.first, by_variance, self.n_sites)
            total.spread += at_nodes(self.second, by_variance, self.n_sites)
        else:  # a network lists an edge once, and a block a pair
            total.spread.reshape(-1)[self.place] += by_variance


def blocks_of_pairs(n_nodes: int) -> Iterator[tuple[IntArray, IntArray]]:
    """Yield all unordered pairs of nodes, some rows at a time.

    Parameters
    ----------
    n_nodes : int
        N.

    Yields
    ------
    first, second : ndarray of int64 of shape (P,)
        0-based indices, the first below the second.
    """
    most = max(1, BLOCK // n_nodes)
    for start in range(0, n_nodes, most):
        rows, columns = np.triu_indices(min(most, n_nodes - start), 1, n_nodes - start)
        yield rows + start, columns + start


def at_nodes(nodes: IntArray, values: FloatArray, n_nodes: int) -> FloatArray:
    """Add up values by the nodes that they belong to.

    Parameters
    ----------
    nodes : ndarray of int64 of shape (P,)
        0-based node indices.
    values : ndarray of shape (P,)
        Values.
    n_nodes : int
        N.

    Returns
    -------
    ndarray of shape (N,)
    """
    return np.asarray(np.bincount(nodes, values, n_nodes), dtype=float)


def of_covariance(by_pair: FloatArray) -> FloatArray:
    """Return derivatives in a covariance from those in the variances of differences.

    Parameters
    ----------
    by_pair : ndarray of shape (M, M)
        Derivatives in ``S_ii + S_jj - 2 S_ij``, in either triangle, or in both to be added up.

    Returns
    -------
    ndarray of shape (M, M)
        Derivatives in S: a graph Laplacian.
    """
    both = by_pair + by_pair.T
    return np.asarray(np.diag(both.sum(axis=1)) - both)
