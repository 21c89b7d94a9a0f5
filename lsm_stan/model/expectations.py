r"""Expectations of functions of the distance of two normal positions, with their derivatives.

The difference x of two positions is normal with mean m and covariance :math:`\tau^2 I_K`. What
the models take of it, :math:`|x|^{-1}`, :math:`\log|x|`, :math:`e^{-|x|^2}` and
:math:`e^{-|x|}`, are mixtures of :math:`e^{-t|x|^2}`, whose expectation is closed in every K:

.. math:: E\,e^{-t|x|^2} = (1 + 2t\tau^2)^{-K/2} \exp\!\left(-\frac{t|m|^2}{1+2t\tau^2}\right).

Powers of the distance have Kummer's function :math:`M = {}_1F_1`, which SciPy has to 13 digits;
with :math:`x = |m|^2/(2\tau^2)` and :math:`p < K`

.. math:: E|x|^{-p} = (2\tau^2)^{-p/2}\,\frac{\Gamma((K-p)/2)}{\Gamma(K/2)}\,M(p/2, K/2, -x).

Of the logarithm the derivatives are such functions, :math:`M(1, K/2+1, -x)/(2K\tau^2)` in
:math:`|m|^2` and :math:`M(1, K/2, -x)/(2\tau^2)` in :math:`\tau^2`; the value is read from a
table of Chebyshev coefficients of this one variable (error below 1e-12). The exponential is
:math:`e^{-\sqrt s} = \int e^{-ts}\,e^{-1/(4t)}\,t^{-3/2}\,dt\,/\,(2\sqrt\pi)`, by the trapezoidal
rule in :math:`\log t`, which has 12 digits there.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.polynomial import chebyshev
from scipy.special import erf, gammaln, gammasgn, hyp1f1

from lsm_stan.errors import InputError
from lsm_stan.model.family import ROUNDING, Form
from lsm_stan.typing import FloatArray

#: Terms of the logarithm's table, which is in a^2 / (a^2 + K + SHIFT), a = |m| / tau.
TERMS, SHIFT = 40, 16

#: Below this squared ratio of mean and standard deviation erf has lost digits.
NEAR = 0.05

#: Beyond this argument Kummer's function is its asymptotic series.
FAR = 1e7

#: Steps and ends, in log t, of the trapezoidal rules of the exponential and of the root.
STEP = 0.3
EXPONENTIAL_ENDS = (-5.0, 8.4)
ROOT_ENDS = (-20.0, 29.0)


class Expectation(NamedTuple):
    """An expectation of a function of distance, and its derivatives.

    Attributes
    ----------
    value : ndarray of shape (P,)
        The expectation.
    by_square : ndarray of shape (P,)
        Its derivative in the squared length of the mean difference.
    by_variance : ndarray of shape (P,)
        Its derivative in the variance of a coordinate of the difference.
    """

    value: FloatArray
    by_square: FloatArray
    by_variance: FloatArray


def kummer(a: float | FloatArray, b: float, x: FloatArray) -> FloatArray:
    """Return Kummer's function M(a, b, x) of numbers that are 0 or negative.

    Far from 0 it is the start of its asymptotic series: SciPy's has no result there for some a.

    Parameters
    ----------
    a : float or ndarray of shape (P,)
        First parameter.
    b : float
        Second parameter, above 0.
    x : ndarray of shape (P,)
        Argument, at most 0.

    Returns
    -------
    ndarray of shape (P,)
    """
    value = np.asarray(hyp1f1(a, b, np.maximum(x, -FAR)))
    far = x < -FAR
    if far.any():
        a, y = np.broadcast_to(a, x.shape)[far], -x[far]
        ratio = np.where(b == a, 0.0, gammasgn(b - a) * np.exp(gammaln(b) - gammaln(b - a)))
        value[far] = ratio * y**-a * (1 + a * (1 + a - b) / y)
    return np.asarray(value, dtype=float)


def expected_power(
    square: FloatArray, variance: FloatArray, dim: int, power: float | FloatArray = 1.0
) -> Expectation:
    """Return the expectation of a distance to a negative power.

    Parameters
    ----------
    square : ndarray of shape (P,)
        Squared lengths of the mean differences.
    variance : ndarray of shape (P,)
        Variances of a coordinate of the differences.
    dim : int
        K, the number of coordinates.
    power : float or ndarray of shape (P,), default 1.0
        p of ``|x|^-p``, below K.

    Returns
    -------
    Expectation

    Raises
    ------
    InputError
        If the expectation is infinite.

    Examples
    --------
    >>> import numpy as np
    >>> mean_inverse = expected_power(np.zeros(1), np.ones(1), 3).value
    >>> np.allclose(mean_inverse, np.sqrt(2 / np.pi))
    True
    """
    if np.any(np.asarray(power) >= dim):
        raise InputError(
            f"dim is {dim}; a normal density in {dim} dimensions has no finite mean of 1/d: take"
            " dim 2 or more, or a model of form exponential or squared"
        )
    if dim == 3 and np.ndim(power) == 0 and power == 1.0:
        return _inverse_by_erf(square, variance)
    x, a, b = 0.5 * square / variance, 0.5 * power, 0.5 * dim
    scaled = np.exp(gammaln(b - a) - gammaln(b)) * (2 * variance) ** -a
    return Expectation(
        scaled * kummer(a, b, -x),
        -0.5 * a / b * scaled / variance * kummer(a + 1, b + 1, -x),
        -a * scaled / variance * kummer(a + 1, b, -x),
    )


def _inverse_by_erf(square: FloatArray, variance: FloatArray) -> Expectation:
    """Return the expectation of an inverse distance in three dimensions, ten times as fast."""
    half = 0.5 / variance
    root, x = np.sqrt(half), half * square
    near = np.flatnonzero(x < NEAR)
    x[near] = NEAR
    value = erf(np.sqrt(x)) * root / np.sqrt(x)
    by_variance = (-2 / np.sqrt(np.pi)) * half * root * np.exp(-x)
    by_square = -(half * value + by_variance) / (2 * x)
    if near.size:  # the difference of two numbers that are nearly one
        half, root, x = half[near], root[near], half[near] * square[near]
        value[near] = 2 / np.sqrt(np.pi) * root * kummer(0.5, 1.5, -x)
        by_square[near] = -2 / (3 * np.sqrt(np.pi)) * half * root * kummer(1.5, 2.5, -x)
        by_variance[near] = (-2 / np.sqrt(np.pi)) * half * root * np.exp(-x)
    return Expectation(value, by_square, by_variance)


def expected_log(square: FloatArray, variance: FloatArray, dim: int) -> Expectation:
    """Return the expectation of the logarithm of a distance.

    Parameters
    ----------
    square : ndarray of shape (P,)
        As in :func:`expected_power`.
    variance : ndarray of shape (P,)
        As in :func:`expected_power`.
    dim : int
        As in :func:`expected_power`.

    Returns
    -------
    Expectation
    """
    ratio = square / variance
    share = ratio / (ratio + dim + SHIFT)
    value = chebyshev.chebval(2 * share - 1, _log_table(dim))
    return Expectation(
        value + 0.5 * np.log(square + (dim + SHIFT) * variance),
        kummer(1.0, 0.5 * dim + 1, -0.5 * ratio) / (2 * dim * variance),
        kummer(1.0, 0.5 * dim, -0.5 * ratio) / (2 * variance),
    )


@lru_cache
def _log_table(dim: int) -> FloatArray:
    """Return the Chebyshev coefficients of E log|x| - log(a^2 + K + SHIFT) / 2.

    There x has mean (a, 0, ...) and the identity as covariance. The logarithm is the mixture
    ``log s = integral of (e^-t - e^-st) / t``.
    """
    share = 0.5 * (1 + np.cos(np.pi * (np.arange(TERMS) + 0.5) / TERMS))
    ratio = (dim + SHIFT) * share / (1 - share)
    log_t = np.arange(-75.0, 75.0, 0.1)
    t = np.exp(log_t) / dim
    # both of the size of t where that is small: expm1 keeps their difference
    log_normal = -0.5 * dim * np.log1p(2 * t) - np.multiply.outer(ratio, t / (1 + 2 * t))
    values = 0.05 * (np.expm1(-t) - np.expm1(log_normal)).sum(axis=1)
    return np.asarray(
        chebyshev.chebfit(2 * share - 1, values - 0.5 * np.log(ratio + dim + SHIFT), TERMS - 1)
    )


def expected_squared_exponential(
    square: FloatArray, variance: FloatArray, dim: int, rate: float | FloatArray = 1.0
) -> Expectation:
    """Return the expectation of exp(-t d^2), d the distance.

    Parameters
    ----------
    square : ndarray of shape (P,)
        As in :func:`expected_power`.
    variance : ndarray of shape (P,)
        As in :func:`expected_power`.
    dim : int
        As in :func:`expected_power`.
    rate : float or ndarray of shape (P,), default 1.0
        t, above ``-1 / (2 variance)``.

    Returns
    -------
    Expectation
    """
    shrunk = rate / (1 + 2 * rate * variance)
    value = (1 + 2 * rate * variance) ** (-0.5 * dim) * np.exp(-shrunk * square)
    return Expectation(value, -shrunk * value, (2 * shrunk**2 * square - dim * shrunk) * value)


def expected_exponential(square: FloatArray, variance: FloatArray, dim: int) -> Expectation:
    """Return the expectation of exp(-d), d the distance rounded off at 0.

    Parameters
    ----------
    square : ndarray of shape (P,)
        As in :func:`expected_power`.
    variance : ndarray of shape (P,)
        As in :func:`expected_power`.
    dim : int
        As in :func:`expected_power`.

    Returns
    -------
    Expectation
    """
    sums = np.zeros((3, *np.shape(square)))
    for t in np.exp(np.arange(*EXPONENTIAL_ENDS, STEP)):
        weight = np.exp(-0.25 / t - ROUNDING**2 * t) / np.sqrt(t)
        for total, term in zip(
            sums, expected_squared_exponential(square, variance, dim, t), strict=True
        ):
            total += weight * term
    return Expectation(*(STEP / (2 * np.sqrt(np.pi)) * sums))


def expected_root(square: FloatArray, variance: FloatArray, dim: int) -> Expectation:
    """Return the expectation of the distance rounded off at 0.

    Parameters
    ----------
    square : ndarray of shape (P,)
        As in :func:`expected_power`.
    variance : ndarray of shape (P,)
        As in :func:`expected_power`.
    dim : int
        As in :func:`expected_power`.

    Returns
    -------
    Expectation
    """
    # less the root of the mean square, whose integrand is the same at small t
    mean = square + dim * variance + ROUNDING**2
    sums = np.zeros((3, *np.shape(square)))
    for factor in np.exp(np.arange(*ROOT_ENDS, STEP)):
        t, reference = factor / mean, np.exp(-factor)
        shrunk = t / (1 + 2 * t * variance)
        log_value = -(ROUNDING**2) * t - 0.5 * dim * np.log1p(2 * t * variance) - shrunk * square
        value = np.exp(log_value)
        by_variance = (2 * shrunk**2 * square - dim * shrunk) * value
        # both near 1 at small t: expm1 keeps their difference
        sums[0] += (np.expm1(-factor) - np.expm1(log_value)) / np.sqrt(factor)
        sums[1] -= (reference * t - shrunk * value) / np.sqrt(factor)
        sums[2] -= (reference * dim * t + by_variance) / np.sqrt(factor)
    root = np.sqrt(mean)
    value, by_square, by_variance = STEP / (2 * np.sqrt(np.pi)) * root * sums
    return Expectation(root + value, 0.5 / root + by_square, 0.5 * dim / root + by_variance)


def expected_square(square: FloatArray, variance: FloatArray, dim: int) -> Expectation:
    """Return the expectation of the squared distance.

    Parameters
    ----------
    square : ndarray of shape (P,)
        As in :func:`expected_power`.
    variance : ndarray of shape (P,)
        As in :func:`expected_power`.
    dim : int
        As in :func:`expected_power`.

    Returns
    -------
    Expectation
    """
    ones = np.ones(np.shape(square))
    return Expectation(square + dim * variance, ones, dim * ones)


def expected_form(form: Form, square: FloatArray, variance: FloatArray, dim: int) -> Expectation:
    """Return the expectation of a model's form of distance, f(d).

    Parameters
    ----------
    form : {"inverse", "exponential", "squared", "inner"}
        The form; not ``inner``, which is no function of distance.
    square : ndarray of shape (P,)
        As in :func:`expected_power`.
    variance : ndarray of shape (P,)
        As in :func:`expected_power`.
    dim : int
        As in :func:`expected_power`.

    Returns
    -------
    Expectation
    """
    if form == "inverse":
        return expected_power(square, variance, dim)
    if form == "exponential":
        return expected_exponential(square, variance, dim)
    return expected_squared_exponential(square, variance, dim)


def expected_minus_log_form(
    form: Form, square: FloatArray, variance: FloatArray, dim: int
) -> Expectation:
    """Return the expectation of -log f(d): of log d, d or d^2.

    Parameters
    ----------
    form : {"inverse", "exponential", "squared", "inner"}
        As in :func:`expected_form`.
    square : ndarray of shape (P,)
        As in :func:`expected_power`.
    variance : ndarray of shape (P,)
        As in :func:`expected_power`.
    dim : int
        As in :func:`expected_power`.

    Returns
    -------
    Expectation
    """
    if form == "inverse":
        return expected_log(square, variance, dim)
    if form == "exponential":
        return expected_root(square, variance, dim)
    return expected_square(square, variance, dim)
