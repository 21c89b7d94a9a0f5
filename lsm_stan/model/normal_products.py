r"""Inner products of two normal positions: means of their exponentials, with derivatives.

Positions x and y have means m and n, and each coordinate of them variances a and b and a covariance
c. With :math:`h = 1 - tc` and :math:`D = h^2 - t^2 a b`

.. math:: \log E\,e^{t\,x \cdot y} = -\frac{K}{2}\log D
          + \frac{t^2 (b|m|^2 + a|n|^2) / 2 + t h\, m \cdot n}{D}

where :math:`h > |t|\sqrt{ab}`. Else it is infinite: for t = 1 where :math:`c + \sqrt{ab} \ge 1`,
as it is of two independent positions of variance 1.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lsm_stan.model.expectations import Expectation
from lsm_stan.model.normal_pairs import Gradient, Pairs, at_nodes
from lsm_stan.typing import FloatArray

#: A tilt by the inner product is at most this, divided by the standard deviations: at 1 the mean
#: of its exponential is infinite.
MOST = 0.5


class Products(NamedTuple):
    """Inner products of normal positions, in pairs.

    Derivatives of an :class:`Expectation` of them have three rows: ``by_square`` those in the
    squared lengths of both means and in their inner product, ``by_variance`` those in both
    variances and in the covariance.

    Attributes
    ----------
    squares : ndarray of shape (2, P)
        Squared lengths of the means.
    product : ndarray of shape (P,)
        Inner products of the means.
    variances : ndarray of shape (2, P)
        Variances of a coordinate.
    covariance : ndarray of shape (P,)
        Covariances of a coordinate.
    dim : int
        K, the number of coordinates.
    """

    squares: FloatArray
    product: FloatArray
    variances: FloatArray
    covariance: FloatArray
    dim: int

    @classmethod
    def of(cls, pairs: Pairs, sites: FloatArray, spread: FloatArray) -> Products:
        """Return those of pairs of sites.

        Parameters
        ----------
        pairs : Pairs
            P pairs.
        sites : ndarray of shape (M, K)
            Means of the sites.
        spread : ndarray of shape (M, M) or (M,)
            Covariance of the sites in each coordinate, or variances of independent ones.

        Returns
        -------
        Products
        """
        ends = np.stack([pairs.first, pairs.second])
        product = np.einsum("pk,pk->p", sites[pairs.first], sites[pairs.second])
        squares = np.einsum("mk,mk->m", sites, sites)[ends]
        if spread.ndim == 1:
            return cls(squares, product, spread[ends], np.zeros_like(product), sites.shape[1])
        together = spread.reshape(-1).take(pairs.place)
        return cls(squares, product, np.diagonal(spread)[ends], together, sites.shape[1])

    def log_power(self, power: FloatArray | float) -> Expectation:
        """Return the logarithm of the expectation of an exponential of them.

        Parameters
        ----------
        power : ndarray of shape (P,) or float
            What they are multiplied by, t.

        Returns
        -------
        Expectation
            Infinite where the expectation is.
        """
        t, dim, both, (a, b) = power, self.dim, self.product, self.variances
        there, back = self.squares
        h = 1 - t * self.covariance
        finite = h > np.abs(t) * np.sqrt(a * b)
        rest = np.where(finite, h**2 - t**2 * a * b, 1.0)
        mean = (0.5 * t**2 * (b * there + a * back) + t * h * both) / rest
        value = np.where(finite, mean - 0.5 * dim * np.log(rest), np.inf)
        slope = (0.5 * dim + mean) / rest  # in -D
        by_square = np.stack([0.5 * t**2 * b, 0.5 * t**2 * a, t * h]) / rest
        by_variance = np.stack(
            [
                0.5 * t**2 * back / rest + slope * t**2 * b,
                0.5 * t**2 * there / rest + slope * t**2 * a,
                -(t**2) * both / rest + slope * 2 * t * h,
            ]
        )
        return Expectation(value, by_square, by_variance)

    def form_mean(self) -> Expectation:
        """Return the expectation of their exponentials.

        Returns
        -------
        Expectation
        """
        value, by_square, by_variance = self.log_power(1.0)
        value = np.exp(value)
        return Expectation(value, value * by_square, value * by_variance)

    def log_form_mean(self) -> Expectation:
        """Return the logarithm of :meth:`form_mean`.

        Returns
        -------
        Expectation
        """
        return self.log_power(1.0)

    def minus_log_form(self) -> Expectation:
        """Return the expectation of them, with a minus.

        Returns
        -------
        Expectation
        """
        none, one = np.zeros_like(self.product), np.ones_like(self.product)
        return Expectation(
            -self.product - self.dim * self.covariance,
            np.stack([none, none, -one]),
            np.stack([none, none, -self.dim * one]),
        )

    def tilt(self, share: FloatArray) -> FloatArray:
        """Return a tilt r that has finite means, near what is wanted.

        Parameters
        ----------
        share : ndarray of shape (P,)
            What is wanted.

        Returns
        -------
        ndarray of shape (P,)
        """
        apart = np.sqrt(self.variances[0] * self.variances[1]) - self.covariance
        return np.asarray(np.minimum(share, MOST / np.maximum(apart, MOST)))


def add_products_to(
    total: Gradient,
    pairs: Pairs,
    sites: FloatArray,
    by_square: FloatArray,
    by_variance: FloatArray,
) -> None:
    """Add the derivatives of a sum over pairs to a gradient.

    Parameters
    ----------
    total : Gradient
        What is added to. In a covariance of all sites pairs stand for themselves, on one side of
        the diagonal.
    pairs : Pairs
        P pairs.
    sites : ndarray of shape (M, K)
        Means of the sites.
    by_square, by_variance : ndarray of shape (3, P)
        As in :class:`Products`.
    """
    n, ends, spread = pairs.n_sites, (pairs.first, pairs.second), total.spread
    own = spread if spread.ndim == 1 else spread.reshape(-1)[:: n + 1]
    for side in (0, 1):
        end, other = ends[side], sites[ends[1 - side]]
        total.mean["z"] += at_nodes(end, 2 * by_square[side], n)[:, None] * sites
        for k, column in enumerate(other.T):
            total.mean["z"][:, k] += at_nodes(end, by_square[2] * column, n)
        if spread.size:
            own += at_nodes(end, by_variance[side], n)
    if spread.ndim == 2 and spread.size:
        spread.reshape(-1)[pairs.place] += by_variance[2]
