r"""An upper bound of the mean of log(1 + u + u'), where both directions of a pair share a frailty.

With :math:`u = e^\eta f(d)` and :math:`u' = e^{\eta'} f(d)`, :math:`\eta` and :math:`\eta'` normal
with a covariance, and tilts t, t' and r, it is that of :mod:`lsm_stan.model.soft_plus` with one
term more,

.. math:: t\,E\eta + t'\,E\eta' + r\,E\log f + \log\!\left(E e^{-t\eta-t'\eta'}\,E f^{-r}
          + E e^{(1-t)\eta-t'\eta'}\,E f^{1-r} + E e^{-t\eta+(1-t')\eta'}\,E f^{1-r}\right).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

from lsm_stan.model.expectations import Expectation
from lsm_stan.model.normal_products import Products
from lsm_stan.model.soft_plus import Differences, SoftPlus, Tilts, powers
from lsm_stan.typing import FloatArray


class Both(NamedTuple):
    """What both directions of pairs have besides positions, normal.

    Attributes
    ----------
    mean, variance : ndarray of shape (2, P)
        Means and variances of η and η'.
    covariance : ndarray of shape (P,)
        Covariances of η with η'.
    """

    mean: FloatArray
    variance: FloatArray
    covariance: FloatArray


def bounded_both(
    both: Both,
    between: Differences | Products,
    log_form: Expectation,
    tilts: Tilts | None = None,
) -> SoftPlus:
    """Return the bound.

    Parameters
    ----------
    both : Both
        Mean and variance of η and η'.
    between : Differences or Products
        The differences of positions, or their inner products.
    log_form : Expectation
        Logarithm of the expectation of f.
    tilts : tuple of ndarray of shape (2, P) and (P,), or None, default None
        t and t', and r; by default all are 0.

    Returns
    -------
    SoftPlus
        ``by_mean`` has a row for η and η' each, ``by_variance`` those and one for the covariance.
    """
    none = np.zeros(log_form.value.shape)
    (t, back), r = tilts or ((none, none), none)
    zero = Expectation(none, none, none)
    minus_log, down, up = (zero, zero, log_form) if tilts is None else powers(between, log_form, r)
    # what η and η' are multiplied by in the three terms
    times = np.stack([np.stack([-t, -back]), np.stack([1 - t, -back]), np.stack([-t, 1 - back])])
    product = times[:, 0] * times[:, 1]
    terms = np.einsum("twp,wp->tp", times, both.mean)
    terms += 0.5 * np.einsum("twp,wp->tp", times**2, both.variance) + product * both.covariance
    terms += np.stack([down.value, up.value, up.value])
    log_sum = logsumexp(terms, axis=0)
    share = np.exp(terms - log_sum)
    value = t * both.mean[0] + back * both.mean[1] - r * minus_log.value + log_sum
    rest, grown = share[0], share[1] + share[2]
    of_square = 0.5 * np.einsum("tp,twp->wp", share, times**2)
    return SoftPlus(
        value,
        share[1:],
        np.concatenate([of_square, np.sum(share * product, axis=0)[None]]),
        Expectation(
            value,
            rest * down.by_square + grown * up.by_square - r * minus_log.by_square,
            rest * down.by_variance + grown * up.by_variance - r * minus_log.by_variance,
        ),
    )
