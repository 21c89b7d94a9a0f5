r"""An upper bound of the mean of log(1 + u), u lognormal but for the distance in it.

With :math:`u = e^\eta f(d)`, :math:`\eta` normal and f of a normal difference of positions, and any
numbers t and r between 0 and 1, Jensen's inequality for the logarithm gives

.. math:: E\log(1 + u) \le t\,E\eta + r\,E\log f
          + \log\!\left(E e^{-t\eta}\,E f^{-r} + E e^{(1-t)\eta}\,E f^{1-r}\right)

(the tilted bound of Knowles & Minka, NIPS 2011). At t = r = 0 it is the usual
:math:`\log(1 + Eu)`, near the truth where u is small; where u is large, t and r near 1 are. The
best t is about the share :math:`E\,u/(1 + u)`, and so is r where positions are not too uncertain.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
from scipy.special import expit

from lsm_stan.model.expectations import (
    Expectation,
    expected_form,
    expected_minus_log_form,
    expected_power,
)
from lsm_stan.model.family import Form
from lsm_stan.model.normal_products import Products
from lsm_stan.typing import FloatArray

#: A tilt by the squared distance is at most this, divided by the variance of a coordinate: at 1/2
#: the mean of its exponential is infinite.
MOST = 0.25


#: t and r of dyads.
Tilts: TypeAlias = tuple[FloatArray, FloatArray]


class SoftPlus(NamedTuple):
    """The bound, and its derivatives.

    Attributes
    ----------
    value : ndarray of shape (P,)
        The bound.
    by_mean, by_variance : ndarray of shape (P,)
        Derivatives in the mean and the variance of η; the first is also the share of u in 1 + u.
    of_distance : Expectation
        Derivatives in the squared length of the mean difference and in a coordinate's variance, or
        in what inner products have instead; its value is the bound's.
    """

    value: FloatArray
    by_mean: FloatArray
    by_variance: FloatArray
    of_distance: Expectation


class Differences(NamedTuple):
    """Normal differences of positions.

    Attributes
    ----------
    form : {"inverse", "exponential", "squared", "inner"}
        The model's form of distance, not ``inner``.
    square : ndarray of shape (P,)
        Squared lengths of their means.
    variance : ndarray of shape (P,)
        Variances of their coordinates.
    dim : int
        K, the number of coordinates.
    """

    form: Form
    square: FloatArray
    variance: FloatArray
    dim: int

    def form_mean(self) -> Expectation:
        """Return the expectation of f(d).

        Returns
        -------
        Expectation
        """
        return expected_form(self.form, self.square, self.variance, self.dim)

    def log_form_mean(self) -> Expectation:
        """Return the logarithm of the expectation of f(d).

        Returns
        -------
        Expectation
        """
        return logarithm(self.form_mean())

    def minus_log_form(self) -> Expectation:
        """Return the expectation of -log f(d).

        Returns
        -------
        Expectation
        """
        return expected_minus_log_form(self.form, self.square, self.variance, self.dim)

    def log_power(self, power: FloatArray) -> Expectation:
        """Return the logarithm of the expectation of a power of f(d), ``inverse`` or ``squared``.

        Parameters
        ----------
        power : ndarray of shape (P,)
            The power.

        Returns
        -------
        Expectation
        """
        if self.form == "inverse":
            return logarithm(expected_power(self.square, self.variance, self.dim, power))
        with np.errstate(invalid="ignore", divide="ignore"):
            grown = 2 * power * self.variance
            shrunk = power / (1 + grown)
            value = -0.5 * self.dim * np.log1p(grown) - shrunk * self.square
        return Expectation(value, -shrunk, 2 * shrunk**2 * self.square - self.dim * shrunk)

    def tilt(self, share: FloatArray) -> FloatArray:
        """Return a tilt r that has finite means, near what is wanted.

        Parameters
        ----------
        share : ndarray of shape (P,)
            What is wanted.

        Returns
        -------
        ndarray of shape (P,)
            0 where the form is exponential, whose powers have no mean that is cheap.
        """
        if self.form == "exponential":
            return np.zeros(share.shape)
        return share if self.form == "inverse" else np.minimum(share, MOST / self.variance)


def logarithm(expectation: Expectation) -> Expectation:
    """Return the logarithm of an expectation, with its derivatives.

    Parameters
    ----------
    expectation : Expectation
        Above 0.

    Returns
    -------
    Expectation
    """
    value, by_square, by_variance = expectation
    return Expectation(np.log(value), by_square / value, by_variance / value)


def bounded(
    mean: FloatArray,
    variance: FloatArray,
    between: Differences | Products,
    log_form: Expectation,
    tilts: Tilts | None = None,
) -> SoftPlus:
    """Return the bound.

    Parameters
    ----------
    mean, variance : ndarray of shape (P,) or ()
        Mean and variance of η.
    between : Differences or Products
        The differences of positions, or their inner products.
    log_form : Expectation
        Logarithm of the expectation of f.
    tilts : tuple of ndarray of shape (P,), or None, default None
        t and r; by default both are 0.

    Returns
    -------
    SoftPlus
    """
    if tilts is None:
        log_u = mean + 0.5 * variance + log_form.value
        value, share = np.logaddexp(0.0, log_u), expit(log_u)
        of_distance = Expectation(value, share * log_form.by_square, share * log_form.by_variance)
        return SoftPlus(value, share, 0.5 * share, of_distance)
    t, r = tilts
    minus_log, down, up = powers(between, log_form, r)
    of_down = 0.5 * t**2 * variance - t * mean + down.value
    of_up = 0.5 * (1 - t) ** 2 * variance + (1 - t) * mean + up.value
    value = t * mean - r * minus_log.value + np.logaddexp(of_down, of_up)
    share = expit(of_up - of_down)
    rest = 1 - share
    return SoftPlus(
        value,
        share,
        0.5 * (t**2 * rest + (1 - t) ** 2 * share),
        Expectation(
            value,
            rest * down.by_square + share * up.by_square - r * minus_log.by_square,
            rest * down.by_variance + share * up.by_variance - r * minus_log.by_variance,
        ),
    )


def powers(
    between: Differences | Products, log_form: Expectation, r: FloatArray
) -> tuple[Expectation, Expectation, Expectation]:
    """Return what a bound takes of f.

    Parameters
    ----------
    between : Differences or Products
        As in :func:`bounded`.
    log_form : Expectation
        As in :func:`bounded`.
    r : ndarray of shape (P,)
        The tilt.

    Returns
    -------
    minus_log, down, up : Expectation
        The mean of -log f; the logarithms of those of f to the powers -r and 1 - r.
    """
    if isinstance(between, Differences) and between.form == "exponential":  # r is 0
        zero = np.zeros(r.shape)
        return Expectation(zero, zero, zero), Expectation(zero, zero, zero), log_form
    return between.minus_log_form(), between.log_power(-r), between.log_power(1 - r)


def best_tilts(
    bound_at: Callable[[Tilts | None], SoftPlus],
    between: Differences | Products,
    bound: SoftPlus,
    tilts: Tilts | None,
) -> Tilts:
    """Return tilts that make the bound of each dyad no looser, and mostly tighter.

    Parameters
    ----------
    bound_at : callable
        Returns the bound with tilts.
    between : Differences or Products
        As in :func:`bounded`.
    bound : SoftPlus
        The bound with the present tilts.
    tilts : tuple of ndarray, or None
        The present tilts, as in :func:`bounded`, or in
        :func:`lsm_stan.model.soft_plus_both.bounded_both`.

    Returns
    -------
    t, r : ndarray of the shape of ``bound.by_mean``, and of shape (P,)
    """
    least, share = bound.value, bound.by_mean
    r = between.tilt(share if share.ndim == 1 else share.sum(axis=0))
    best_t, best_r = tilts or (np.zeros_like(share), np.zeros_like(r))
    for part in (1.0, 0.5, 0.0):
        pair = share, part * r
        value = bound_at(pair).value
        better = value < least
        least = np.where(better, value, least)
        best_t, best_r = np.where(better, pair[0], best_t), np.where(better, pair[1], best_r)
    return best_t, best_r
