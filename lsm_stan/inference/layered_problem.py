"""What is inferred of layers: one model of several networks, as the Stan program takes it.

Its ``network`` is the layers added up, which stands for them where only nodes and their strength
are asked for; the density is that of the layers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from lsm_stan.errors import InputError
from lsm_stan.inference.preconditioning import Preconditioner
from lsm_stan.inference.problem import Problem
from lsm_stan.model.exposure import hide_unexposed_in_layers
from lsm_stan.model.family import ModelSpec, find_model
from lsm_stan.model.layered_parameters import (
    Shape,
    declared_layers,
    from_declared_layers,
)
from lsm_stan.model.layering import Layering, check_layered, layer_data, model_of_layer
from lsm_stan.model.parameters import Parameters, unflat
from lsm_stan.model.stan_data import check_data, check_numbers, fixed_data, run_data
from lsm_stan.network.layers import Layers
from lsm_stan.network.network import Network
from lsm_stan.posterior.movement import monitored_layers
from lsm_stan.text import counted
from lsm_stan.typing import FloatArray, IntArray, plain


@dataclass(frozen=True)
class LayeredProblem(Problem):
    """One model of layers; see `lsm_stan.inference.latent_space_model.LatentSpaceModel`.

    Attributes
    ----------
    layers : Layers
        The layers.
    layering : Layering
        How their positions hang together.
    """

    layers: Layers
    layering: Layering

    @classmethod
    def of_layers(
        cls,
        layers: Layers,
        dim: int,
        *,
        model: str | ModelSpec,
        layering: Layering,
        prior_scale: float | None,
        jitter: float,
    ) -> LayeredProblem:
        """Check the numbers, and the model with every layer.

        Parameters
        ----------
        layers : Layers
            The layers.
        dim : int
            K, the number of latent dimensions.
        model : str or ModelSpec
            A name of :data:`lsm_stan.model.family.MODELS`, or a model.
        layering : Layering
            How positions hang together.
        prior_scale : float or None
            Standard deviation of each coordinate's prior; None for the model's default.
        jitter : float
            Added to the squared distance of a node to itself.

        Returns
        -------
        LayeredProblem

        Raises
        ------
        InputError
            If a number is out of its range, there is no such model, layers cannot have it, or have
            not its covariates, or a layer's weights cannot be its.
        """
        dim, prior_scale, jitter = plain([dim, prior_scale, jitter])
        spec = find_model(model)
        check_layered(spec, layering)
        layers = hide_unexposed_in_layers(spec.terms, layers)
        spec = spec.bound(layers.pooled)
        check_numbers(dim, 1.0 if prior_scale is None else prior_scale, jitter)
        for label, network in zip(layers.labels, layers.networks, strict=True):
            try:
                check_data(spec, network)
            except InputError as error:
                raise InputError(f"layer {label!r}: {error}") from error
        scale = spec.default_scale(dim) if prior_scale is None else prior_scale
        return cls(layers.pooled, spec, dim, scale, jitter, layers, layering)

    @property
    def digest(self) -> str:
        """Digest of the data: of all layers, and of the model's covariates."""
        return self.spec.digest(self.layers)

    @property
    def hierarchical(self) -> bool:
        """Whether there are scales to learn."""
        return super().hierarchical or self.layering.changes(self.layers) > 0

    @property
    def layered(self) -> bool:
        """Whether it is one of layers."""
        return True

    @property
    def preconditioned(self) -> bool:
        """Whether there is a change of variables for it."""
        return False

    @property
    def coords(self) -> dict[str, Any]:
        """Labels of layers, and of what the model's parameters are labelled by."""
        return {"layer": list(self.layers.labels), **self.spec.coords}

    def sites(self, point: Parameters) -> list[tuple[IntArray, FloatArray]]:
        """Return where nodes are, a set for each layer.

        Parameters
        ----------
        point : dict of str to ndarray
            Parameters without leading axes.

        Returns
        -------
        list of tuple
            Nodes, by number, and their places; a node with two roles is at two.
        """
        z = point.get("z_layer", np.stack([point["z"]] * self.layers.n_layers))
        roles = {"role": point["role"]} if "role" in point else {}
        sets = []
        for layer, at in enumerate(self.layers.members):
            nodes, places = super().sites({"z": z[layer], **roles})[0]
            there = np.isin(nodes, at)
            sets.append((nodes[there], places[there]))
        return sets

    def monitored(self, draws: Parameters, log_joint: FloatArray) -> dict[str, FloatArray]:
        """Return the invariants whose exploration decides whether a sample can be trusted.

        Parameters
        ----------
        draws : dict of str to ndarray
            Parameters, leading axes ``(chain, draw)``.
        log_joint : ndarray of shape (chain, draw)
            Log joint densities, in nats.

        Returns
        -------
        dict of str to ndarray
            See :func:`lsm_stan.posterior.movement.monitored_layers`.
        """
        return monitored_layers(self.spec, draws, log_joint)

    @property
    def parts(self) -> tuple[Problem, ...]:
        """The problem of each layer's network by itself."""
        return tuple(
            Problem(network, spec, self.dim, self.prior_scale, self.jitter)
            for spec, network in self._models
        )

    @property
    def _models(self) -> Iterator[tuple[ModelSpec, Network]]:
        """The model of each layer's network, with the network."""
        for layer, network in enumerate(self.layers.networks):
            yield model_of_layer(self.spec, self.layers, layer), network

    def as_record(self) -> dict[str, Any]:
        """Return the model and its numbers, for records and configurations.

        Returns
        -------
        dict
            As of a network alone, and ``layers``.
        """
        return {**super().as_record(), "layers": self.layering.as_record()}

    def stan_data(
        self,
        *,
        learned: bool = False,
        softening: float = 0.0,
        change: Preconditioner | None = None,
    ) -> dict[str, Any]:
        """Return the data of the Stan program.

        Parameters
        ----------
        learned : bool, default False
            As in :meth:`lsm_stan.inference.problem.Problem.stan_data`.
        softening : float, default 0.0
            As there.
        change : Preconditioner or None, default None
            Layers have none.

        Returns
        -------
        dict
            Data by the names that the program has.
        """
        data = self._layer_data | run_data(self.spec, learned=learned, softening=softening)
        return data | {"learned_changes": int(self._shape(learned).learns_changes)}

    @cached_property
    def _layer_data(self) -> dict[str, Any]:
        each = [
            fixed_data(
                network,
                self.dim,
                spec=spec,
                prior_scale=self.prior_scale,
                jitter=self.jitter,
            )
            for spec, network in self._models
        ]
        return layer_data(self.layers, self.layering, each)

    def _shape(self, learned: bool) -> Shape:
        return Shape(self.spec, self.layering, self.layers, self.prior_scale, learned)

    def declared(self, parameters: Parameters, *, learned: bool = False) -> dict[str, FloatArray]:
        """Return parameters as Stan declares them; scales are among them where they are learned.

        Parameters
        ----------
        parameters : dict of str to ndarray
            Parameters, with any leading axes (:mod:`lsm_stan.model.layered_parameters`).
        learned : bool, default False
            Whether scales are parameters.

        Returns
        -------
        dict of str to ndarray
            Values by Stan's names, in the program's order.
        """
        return declared_layers(parameters, self._shape(learned))

    def at_declared(self, values: Parameters, *, learned: bool = False) -> dict[str, FloatArray]:
        """Return the parameters of values that Stan declares.

        Parameters
        ----------
        values : dict of str to ndarray
            Values by Stan's names, with any leading axes.
        learned : bool, default False
            Whether scales are among them.

        Returns
        -------
        dict of str to ndarray
        """
        return from_declared_layers(values, self._shape(learned))

    def at_flat(self, points: FloatArray, *, learned: bool = False) -> Parameters:
        """Return the parameters at points in Stan's own coordinates.

        Parameters
        ----------
        points : ndarray of shape (..., P)
            Points as :func:`lsm_stan.model.parameters.flat` lays them out.
        learned : bool, default False
            Whether scales are among them.

        Returns
        -------
        dict of str to ndarray
        """
        return self.at_declared(unflat(points, self._template(learned)), learned=learned)

    def from_stan(self, result: Any, *, learned: bool = False, **options: bool) -> Parameters:
        """Return the parameters in a result of CmdStanPy.

        Parameters
        ----------
        result : CmdStanMLE, CmdStanVB or CmdStanMCMC
            What CmdStanPy returned for the Stan program.
        learned : bool, default False
            Whether scales were parameters.
        **options : bool
            Options of CmdStanPy's ``stan_variable``.

        Returns
        -------
        dict of str to ndarray
        """
        template = self._template(learned)
        z = np.asarray(result.stan_variable("z_raw", **options))
        batch = z.shape[:-2]
        values = {
            name: np.asarray(result.stan_variable(name, **options)).reshape(*batch, *value.shape)
            if value.size
            else np.zeros((*batch, *value.shape))
            for name, value in template.items()
        }
        return self.at_declared(values, learned=learned)

    def _template(self, learned: bool) -> dict[str, FloatArray]:
        nowhere = {
            "z": np.ones((self.layers.n_nodes, self.dim)),
            "centre": np.zeros((self.spec.clusters, self.dim)),
        }
        return self.declared(nowhere, learned=learned)

    def preconditioner(self, positions: FloatArray) -> None:
        """Return no change of variables: that of one network does not fit layers.

        Parameters
        ----------
        positions : ndarray of shape (M, N, K)
            Position sets.
        """


def problem_of(
    network: Network | Layers,
    dim: int,
    *,
    model: str | ModelSpec,
    prior_scale: float | None,
    jitter: float,
    layers: str | Layering | Mapping[str, Any] | None,
) -> Problem:
    """Return the problem of a network, or of layers.

    Parameters
    ----------
    network : Network or Layers
        What was observed.
    dim : int
        K, the number of latent dimensions.
    model : str or ModelSpec
        A name of :data:`lsm_stan.model.family.MODELS`, or a model.
    prior_scale : float or None
        Standard deviation of each coordinate's prior; None for the model's default.
    jitter : float
        Added to the squared distance of a node to itself.
    layers : str, Layering, mapping or None
        How positions of layers hang together.

    Returns
    -------
    Problem

    Raises
    ------
    InputError
        As :meth:`LayeredProblem.of_layers` and :meth:`lsm_stan.inference.problem.Problem.of` do; or
        if there are layers, and it is not said how they hang together, or the reverse.
    """
    numbers: dict[str, Any] = {"model": model, "prior_scale": prior_scale, "jitter": jitter}
    if isinstance(network, Layers):
        if layers is None:
            raise InputError(
                f"{network.title or 'the network'} has {counted(network.n_layers, 'layer')}: say"
                f" how their positions hang together, with --layers shared, exchangeable or ordered"
                f" (in Python layers='ordered')"
            )
        return LayeredProblem.of_layers(network, dim, layering=Layering.of(layers), **numbers)
    if layers is not None:
        raise InputError(
            "--layers says how layers hang together, and here is one network: name the column of"
            " layers with --layer, or give a folder with a file for each (in Python give a"
            " lsm_stan.Layers, such as fit.layers)"
        )
    return Problem.of(network, dim, **numbers)
