"""The log joint density of a model of a network and its gradient, by the Stan program itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lsm_stan.cmdstan.compiled import Compiled
from lsm_stan.inference.problem import Problem
from lsm_stan.model.parameters import SCALES, Parameters, flat
from lsm_stan.typing import FloatArray


@dataclass(frozen=True)
class LogJoint:
    """The log joint density of a problem, as it was compiled.

    Attributes
    ----------
    problem : Problem
        The model and its network.
    compiled : Compiled
        The Stan program that evaluates it.
    """

    problem: Problem
    compiled: Compiled

    def at(self, parameters: Parameters) -> tuple[FloatArray, FloatArray]:
        """Evaluate it, and its gradient in the positions.

        Parameters
        ----------
        parameters : dict of str to ndarray
            Parameters, with any leading axes (:mod:`lsm_stan.model.parameters`). Scales are
            parameters if they are given.

        Returns
        -------
        log_joint : ndarray of shape (...)
            Log joint densities, in nats.
        gradient : ndarray of shape (..., N, K)
            Gradients in the positions.
        """
        *batch, n_nodes, dim = parameters["z"].shape
        learned = not parameters.keys().isdisjoint(SCALES)
        value, gradient = self.at_flat(
            flat(self.problem.declared(parameters, learned=learned)), learned=learned
        )
        columns = gradient[..., : n_nodes * dim].reshape(*batch, dim, n_nodes)
        return value, np.swapaxes(columns, -1, -2)

    def at_flat(
        self, points: FloatArray, *, learned: bool = False
    ) -> tuple[FloatArray, FloatArray]:
        """Evaluate it, and its whole gradient, in Stan's own coordinates.

        Parameters
        ----------
        points : ndarray of shape (..., P)
            Parameters as :func:`lsm_stan.model.parameters.flat` lays them out.
        learned : bool, default False
            Whether scales are among them.

        Returns
        -------
        log_joint : ndarray of shape (...)
            Log joint densities, in nats.
        gradient : ndarray of shape (..., P)
            Gradients in all parameters.
        """
        rows = points.reshape(-1, points.shape[-1])
        data = self.problem.stan_data(learned=learned)
        value, gradient = self.compiled.log_prob_grad(data, rows)
        return value.reshape(points.shape[:-1]), gradient.reshape(points.shape)
