"""A fit of layers: what one method said about several networks of the same nodes."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from lsm_stan.errors import InputError
from lsm_stan.inference.fit import Fit
from lsm_stan.inference.fit_folder import Content
from lsm_stan.model.family import ModelSpec
from lsm_stan.model.layered_parameters import of_layer
from lsm_stan.model.layering import Layering, model_of_layer
from lsm_stan.network.layers import Layers
from lsm_stan.posterior import idata as container
from lsm_stan.posterior.invariants import MONITORED_PAIRS, sample_pairs
from lsm_stan.posterior.movement import changes_of_pairs, layer_quantities, movers_table
from lsm_stan.typing import FloatArray, IntArray

_NOT_YET = (
    "are not there for layers yet; predictive_layers and score_layer judge each layer, and"
    " fit.of_layer(LABEL) has its parameters"
)


def _refused(what: str) -> Any:
    """Return a method that refuses what there is of one network only."""

    def refuse(self: LayeredFit, *args: Any, **options: Any) -> Any:
        """Refuse what there is of one network only, and not of layers yet.

        Parameters
        ----------
        *args, **options : Any
            As :class:`lsm_stan.inference.fit.Fit` takes them.

        Raises
        ------
        InputError
            Always.
        """
        raise InputError(f"{what} {_NOT_YET}")

    return refuse


@dataclass(frozen=True, eq=False, repr=False)
class LayeredFit(Fit):
    """What one inference method said about layers.

    ``network`` is the layers added up, which stands for them on maps; ``positions`` and ``draws``
    are what layers have in common.

    Attributes
    ----------
    layers : Layers
        The layers that were fitted.
    """

    layers: Layers = field(kw_only=True)

    @cached_property
    def layering(self) -> Layering:
        """How the positions of the layers hang together."""
        return Layering.of(self.record.model["layers"])

    @property
    def layer_positions(self) -> FloatArray:
        """``(L, N, K)`` positions in every layer: the mode, or the mean (aligned for NUTS)."""
        return self.estimate["z_layer"]

    @property
    def layer_draws(self) -> FloatArray:
        """``(chain, draw, L, N, K)`` positions; not aligned: the layers of a draw turn as one."""
        return self.parameters["z_layer"]

    def __reduce__(self) -> tuple[Any, ...]:
        return LayeredFit._of, (self._content,)

    def of_layer(self, layer: int | str) -> dict[str, FloatArray]:
        """Return draws of the parameters of one layer's network, by the names of one alone.

        Parameters
        ----------
        layer : int or str
            The layer, by number or label.

        Returns
        -------
        dict of str to ndarray
            Leading axes ``(chain, draw)``; nodes are those of the layer's network.
        """
        return of_layer(self.parameters, self.layers, self.layers.index(layer))

    def model_of_layer(self, layer: int | str) -> ModelSpec:
        """Return the model of one layer's network, with the covariates of its nodes.

        Parameters
        ----------
        layer : int or str
            The layer, by number or label.

        Returns
        -------
        ModelSpec
            What, with :meth:`of_layer`, functions of a network alone take.
        """
        return model_of_layer(self.spec, self.layers, self.layers.index(layer))

    def movers(self) -> pd.DataFrame:
        """Return how far every node moves; see :func:`lsm_stan.posterior.movement.movers_table`.

        Returns
        -------
        DataFrame
        """
        return movers_table(self.parameters, self.layers)

    def changes(
        self, first: int | str | None = None, last: int | str | None = None, top: int = 20
    ) -> pd.DataFrame:
        """Return the pairs that approach each other most surely between two layers, or part.

        Parameters
        ----------
        first, last : int, str or None, default None
            Two layers, by number or label; by default the first and the last.
        top : int, default 20
            Number of pairs of each kind, at most.

        Returns
        -------
        DataFrame
            See :func:`lsm_stan.posterior.movement.changes_of_pairs`.
        """
        ends = (0 if first is None else first, self.layers.n_layers - 1 if last is None else last)
        return changes_of_pairs(self.parameters, self.layers, *ends, top)

    def invariants(
        self, pairs: IntArray | None = None, nodes: Any = None
    ) -> container.InferenceData:
        """Return the draws of what rotations and reflections leave unchanged.

        Parameters
        ----------
        pairs : ndarray of int64 of shape (P, 2), or None, default None
            Node pairs whose distances are wanted, from 0; by default a fixed random set.
        nodes : None, default None
            Not looked at: there is ``moved`` for every node.

        Returns
        -------
        InferenceData or DataTree
            Group ``posterior`` with ``log_joint`` and the quantities of
            :func:`lsm_stan.posterior.movement.layer_quantities`; ``sample_stats`` is the fit's.
        """
        if pairs is None:
            pairs = sample_pairs(self.layers.n_nodes, MONITORED_PAIRS)
        quantities = layer_quantities(
            self.spec, self.parameters, self.clusters, self.layers, np.asarray(pairs)
        )
        return container.invariants(self.idata, quantities)

    log_prior_blocks = property(_refused("log priors by block"))
    log_likelihood_total = property(_refused("log likelihoods by draw"))
    log_likelihood = _refused("log likelihoods by dyad")
    posterior_predictive = _refused("posterior predictive groups")
    prior_predictive = _refused("prior predictive groups")

    @property
    def _content(self) -> Content:
        return Content(
            self.network, self.idata, self.record, self.cmdstan_output, layers=self.layers
        )
