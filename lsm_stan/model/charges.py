"""What dyads have besides positions: a normal linear part of their log mean, and its derivatives.

The log mean weight of a dyad is η + log f(d), with η the sum of the intercept, the effects of both
ends, and covariates times coefficients.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from lsm_stan.model.family import ModelSpec
from lsm_stan.model.normal_pairs import Gradient, at_nodes
from lsm_stan.model.parameters import Parameters
from lsm_stan.typing import FloatArray, IntArray

#: The least log exposure, in nats: what a hidden dyad without any has, instead of minus infinity.
LEAST = -700.0


@dataclass(frozen=True, eq=False)
class Dyads:
    """Some dyads, and their covariates.

    Attributes
    ----------
    sender, receiver : ndarray of int64 of shape (D,)
        0-based node indices.
    covariates : ndarray of shape (D, T)
        Values of the model's terms, those with a coefficient in units of their scales.
    """

    sender: IntArray
    receiver: IntArray
    covariates: FloatArray

    @classmethod
    def of(cls, spec: ModelSpec, sender: IntArray, receiver: IntArray) -> Dyads:
        """Return dyads with the covariates that a model has of them.

        Parameters
        ----------
        spec : ModelSpec
            The model, bound to its network if it has covariates.
        sender, receiver : ndarray of int64 of shape (D,)
            0-based node indices.

        Returns
        -------
        Dyads
        """
        if spec.covariates is None:
            return cls(sender, receiver, np.zeros((len(sender), 0)))
        values = spec.covariates.values(sender, receiver)
        unit = spec.covariates.coefficients(spec.covariates.scale)
        return cls(sender, receiver, np.maximum(values / unit, LEAST))


@dataclass(eq=False)
class Charges:
    """What dyads have besides positions, and derivatives in it, as they are added up.

    Attributes
    ----------
    spec : ModelSpec
        The model.
    sent, received : ndarray of shape (N, 2)
        Means and variances of the sender's and the receiver's parts of η.
    coefficient : ndarray of shape (T, 2)
        Means and variances of what the values of the terms are multiplied by.
    log_phi, log_phi_variance : float
        Mean and variance of log(phi); 0 where there is none.
    by_sent, by_received : ndarray of shape (N, 2)
        Derivatives in the means and variances.
    by_coefficient : ndarray of shape (T, 2)
        The same of coefficients.
    intercept_variance : float
        Variance of the intercept, a part of the senders' that all dyads share; 0 without one.
    by_intercept_variance : float
        Derivative in it, beyond that in the senders' parts.
    by_log_phi, by_log_phi_variance : float
        As those before, of log(phi).
    """

    spec: ModelSpec
    sent: FloatArray
    received: FloatArray
    coefficient: FloatArray
    log_phi: float
    log_phi_variance: float
    by_sent: FloatArray
    by_received: FloatArray
    by_coefficient: FloatArray
    intercept_variance: float = 0.0
    by_intercept_variance: float = 0.0
    by_log_phi: float = 0.0
    by_log_phi_variance: float = 0.0

    @classmethod
    def of_normals(
        cls, spec: ModelSpec, n_nodes: int, mean: Parameters, variance: Parameters
    ) -> Charges:
        """Return those of normal parameters.

        Parameters
        ----------
        spec : ModelSpec
            The model.
        n_nodes : int
            N.
        mean, variance : dict of str to ndarray
            As in :meth:`lsm_stan.model.expected_likelihood.ExpectedLikelihood.at`.

        Returns
        -------
        Charges
        """
        sent, received = np.zeros((n_nodes, 2)), np.zeros((n_nodes, 2))
        coefficient = np.zeros((len(spec.terms), 2))
        log_phi = log_phi_variance = 0.0
        if spec.covariates is not None:
            coefficient[spec.covariates.offsets, 0] = 1.0
        for moment, values in enumerate((mean, variance)):
            if spec.intercept:
                sent[:, moment] += values["intercept"]
            if spec.effects:
                sent[:, moment] += values["effect"][:, 0]
                received[:, moment] += values["effect"][:, -1]
            if spec.covariates is not None and spec.with_coefficient:
                coefficient[~spec.covariates.offsets, moment] = values["coefficient"]
        if spec.dispersed:
            log_phi, log_phi_variance = mean["log_phi"].item(), variance["log_phi"].item()
        return cls(
            spec,
            sent,
            received,
            coefficient,
            log_phi,
            log_phi_variance,
            np.zeros_like(sent),
            np.zeros_like(received),
            np.zeros_like(coefficient),
            variance["intercept"].item() if spec.intercept else 0.0,
        )

    @property
    def size(self) -> float:
        """The mean of phi."""
        return math.exp(self.log_phi + 0.5 * self.log_phi_variance)

    def between(self, dyads: Dyads) -> tuple[FloatArray, FloatArray]:
        """Return means and variances of η of dyads.

        Parameters
        ----------
        dyads : Dyads
            D dyads.

        Returns
        -------
        mean, variance : ndarray of shape (D,) or ()
        """
        if self.spec.symmetric:  # all have one
            mean, variance = self.sent[0]
            return np.asarray(mean), np.asarray(variance)
        mean, variance = (
            self.sent[dyads.sender, moment] + self.received[dyads.receiver, moment]
            for moment in (0, 1)
        )
        if self.spec.terms:
            mean += dyads.covariates @ self.coefficient[:, 0]
            variance += dyads.covariates**2 @ self.coefficient[:, 1]
        return mean, variance

    def covariance(self, there: Dyads, back: Dyads) -> FloatArray:
        """Return the covariances of η of dyads and of their reverses.

        Parameters
        ----------
        there, back : Dyads
            D dyads, and their reverses, in a directed network.

        Returns
        -------
        ndarray of shape (D,)
        """
        of_terms = there.covariates * back.covariates @ self.coefficient[:, 1]
        return np.asarray(self.intercept_variance + of_terms)

    def count_covariance(self, there: Dyads, back: Dyads, values: FloatArray) -> None:
        """Add derivatives in the covariances of η of dyads and of their reverses.

        Parameters
        ----------
        there, back : Dyads
            As in :meth:`covariance`.
        values : ndarray of shape (D,)
            The derivatives.
        """
        self.by_intercept_variance += float(values.sum())
        self.by_coefficient[:, 1] += values @ (there.covariates * back.covariates)

    def linear(self, edges: Dyads, weight: FloatArray) -> float:
        """Return the means of η of edges times their weights, and count the derivatives.

        Parameters
        ----------
        edges : Dyads
            E edges.
        weight : ndarray of shape (E,)
            Their weights.

        Returns
        -------
        float
        """
        self.count(edges, weight, np.zeros(len(weight)))
        return float(np.sum(weight * self.between(edges)[0]))

    def count(self, dyads: Dyads, by_mean: FloatArray, by_variance: FloatArray) -> None:
        """Add derivatives in what η has of dyads.

        Parameters
        ----------
        dyads : Dyads
            D dyads.
        by_mean, by_variance : ndarray of shape (D,)
            Derivatives in its mean and variance.
        """
        for moment, values in enumerate((by_mean, by_variance)):
            if self.spec.symmetric:
                self.by_sent[0, moment] += values.sum()
            else:
                n_nodes = len(self.by_sent)
                self.by_sent[:, moment] += at_nodes(dyads.sender, values, n_nodes)
                self.by_received[:, moment] += at_nodes(dyads.receiver, values, n_nodes)
        if self.spec.terms:
            self.by_coefficient[:, 0] += by_mean @ dyads.covariates
            self.by_coefficient[:, 1] += by_variance @ dyads.covariates**2

    def add_to(self, total: Gradient) -> None:
        """Add the derivatives in the parameters' means and variances to a gradient.

        Parameters
        ----------
        total : Gradient
            What is added to.
        """
        spec = self.spec
        for moment, values in enumerate((total.mean, total.variance)):
            if spec.intercept:
                values["intercept"] += self.by_sent[:, moment].sum()
            if spec.effects:
                values["effect"][:, 0] += self.by_sent[:, moment]
                values["effect"][:, -1] += self.by_received[:, moment]
            if spec.covariates is not None and spec.with_coefficient:
                values["coefficient"] += self.by_coefficient[~spec.covariates.offsets, moment]
        if spec.intercept:
            total.variance["intercept"] += self.by_intercept_variance
        if spec.dispersed:
            total.mean["log_phi"] += self.by_log_phi
            total.variance["log_phi"] += self.by_log_phi_variance
