"""What is inferred: one model of one network, as the Stan program takes it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from lsm_stan.inference.preconditioning import (
    Preconditioner,
    is_preconditioned,
    preconditioner_of,
)
from lsm_stan.model.exposure import hide_unexposed
from lsm_stan.model.family import ModelSpec, find_model
from lsm_stan.model.parameters import Parameters, declared, from_flat, from_stan
from lsm_stan.model.stan_data import check_data, check_numbers, fixed_data, run_data
from lsm_stan.network.network import Network
from lsm_stan.network.readers import ensure_network
from lsm_stan.posterior.invariants import monitored
from lsm_stan.typing import FloatArray, IntArray, plain


@dataclass(frozen=True)
class Problem:
    """One model of one network; see `lsm_stan.inference.latent_space_model.LatentSpaceModel`.

    Attributes
    ----------
    network : Network
        N nodes and their weighted edges.
    spec : ModelSpec
        The model, bound to the network's covariates.
    dim : int
        K, the number of latent dimensions.
    prior_scale : float
        Standard deviation of each coordinate's normal prior.
    jitter : float
        Added to the squared distance of a node to itself.
    """

    network: Network
    spec: ModelSpec
    dim: int
    prior_scale: float
    jitter: float

    @classmethod
    def of(
        cls,
        network: Network,
        dim: int,
        *,
        model: str | ModelSpec,
        prior_scale: float | None,
        jitter: float,
    ) -> Problem:
        """Check the numbers, and bind the model to the network.

        Parameters
        ----------
        network : Network
            N nodes and their weighted edges.
        dim : int
            K, the number of latent dimensions.
        model : str or ModelSpec
            A name of :data:`lsm_stan.model.family.MODELS`, or a model.
        prior_scale : float or None
            Standard deviation of each coordinate's prior; None for the model's default.
        jitter : float
            Added to the squared distance of a node to itself.

        Returns
        -------
        Problem

        Raises
        ------
        InputError
            If a number is out of its range, there is no such model, or the network's weights
            cannot be its, or it has not the covariates.
        """
        ensure_network(network)
        dim, prior_scale, jitter = plain([dim, prior_scale, jitter])
        spec = find_model(model)
        network = hide_unexposed(spec.terms, network, network.dyad_table)
        spec = spec.bound(network)
        check_numbers(dim, 1.0 if prior_scale is None else prior_scale, jitter)
        check_data(spec, network)
        scale = spec.default_scale(dim) if prior_scale is None else prior_scale
        return cls(network, spec, dim, scale, jitter)

    @property
    def digest(self) -> str:
        """Digest of the data: of the network, and of the model's covariates."""
        return self.spec.digest(self.network)

    @property
    def hierarchical(self) -> bool:
        """Whether there are scales to learn."""
        return self.spec.hierarchical

    @property
    def layered(self) -> bool:
        """Whether it is one of layers."""
        return False

    @property
    def preconditioned(self) -> bool:
        """Whether there is a change of variables for it."""
        return is_preconditioned(self.spec, self.network)

    @property
    def parts(self) -> tuple[Problem, ...]:
        """The problems of single networks whose likelihoods make up this one's: itself."""
        return (self,)

    @property
    def coords(self) -> dict[str, Any]:
        """Labels of dims that are neither nodes' nor latent."""
        return self.spec.coords

    def sites(self, point: Parameters) -> list[tuple[IntArray, FloatArray]]:
        """Return where nodes are, in sets of which only those of one meet.

        Parameters
        ----------
        point : dict of str to ndarray
            Parameters without leading axes.

        Returns
        -------
        list of tuple
            Nodes, by number, and their places; a node with two roles is at two.
        """
        z = point["z"]
        nodes = np.arange(len(z))
        if not self.spec.roles:
            return [(nodes, z)]
        role = point.get("role", np.zeros_like(z))
        return [(np.tile(nodes, 2), np.concatenate([z + role, z - role]))]

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
            See :func:`lsm_stan.posterior.invariants.monitored`.
        """
        return monitored(self.spec, draws, log_joint)

    def as_record(self) -> dict[str, Any]:
        """Return the model and its numbers, for records and configurations.

        Returns
        -------
        dict
            ``model``, ``dim``, ``prior_scale`` and ``jitter``.
        """
        numbers = {name: getattr(self, name) for name in ("dim", "prior_scale", "jitter")}
        return {"model": self.spec.as_record(), **numbers}

    def without_clusters(self) -> Problem:
        """Return the problem with one normal prior of all positions; itself if it has no other.

        Returns
        -------
        Problem
        """
        return replace(self, spec=replace(self.spec, clusters=0)) if self.spec.clusters else self

    def stan_data(
        self,
        *,
        learned: bool = False,
        softening: float = 0.0,
        change: Preconditioner | None = None,
    ) -> dict[str, Any]:
        """Return the data of the Stan program; see :func:`lsm_stan.model.stan_data.run_data`.

        Parameters
        ----------
        learned : bool, default False
            Whether scales are parameters.
        softening : float, default 0.0
            ε of the softened distance, in units of distance.
        change : Preconditioner or None, default None
            The change of variables.

        Returns
        -------
        dict
            Data by the names that the program has.
        """
        factor = None if change is None else change.factor
        return self._fixed_data | run_data(
            self.spec, learned=learned, softening=softening, factor=factor
        )

    @cached_property
    def _fixed_data(self) -> dict[str, Any]:
        return fixed_data(
            self.network,
            self.dim,
            spec=self.spec,
            prior_scale=self.prior_scale,
            jitter=self.jitter,
        )

    def declared(self, parameters: Parameters, *, learned: bool = False) -> dict[str, FloatArray]:
        """Return parameters as Stan declares them; scales are among them where they are learned.

        Parameters
        ----------
        parameters : dict of str to ndarray
            Parameters, with any leading axes (:mod:`lsm_stan.model.parameters`).
        learned : bool, default False
            Whether scales are parameters.

        Returns
        -------
        dict of str to ndarray
            Values by Stan's names, in the program's order.
        """
        return declared(
            parameters,
            self.spec,
            directed=self.network.directed,
            learned=learned,
            prior_scale=self.prior_scale,
        )

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
        return from_flat(
            points,
            self.spec,
            n_nodes=self.network.n_nodes,
            dim=self.dim,
            directed=self.network.directed,
            learned=learned,
            prior_scale=self.prior_scale,
        )

    def from_stan(self, result: Any, *, learned: bool = False, **options: bool) -> Parameters:
        """Return the parameters in a result of CmdStanPy.

        Parameters
        ----------
        result : CmdStanMLE, CmdStanVB or CmdStanMCMC
            What CmdStanPy returned for the Stan program.
        learned : bool, default False
            Whether scales were parameters; of one network the result says it itself.
        **options : bool
            Options of CmdStanPy's ``stan_variable``.

        Returns
        -------
        dict of str to ndarray
        """
        return from_stan(result, self.spec, **options)

    def inits(
        self,
        point: Parameters,
        *,
        learned: bool = False,
        change: Preconditioner | None = None,
    ) -> dict[str, FloatArray]:
        """Return starting values for CmdStanPy.

        Parameters
        ----------
        point : dict of str to ndarray
            Parameters without leading axes.
        learned : bool, default False
            Whether scales are parameters.
        change : Preconditioner or None, default None
            The change of variables.

        Returns
        -------
        dict of str to ndarray
            Values by Stan's names; empty parameters are left out.
        """
        values = self.coordinates(point, learned=learned, change=change)
        return {name: value for name, value in values.items() if value.size}

    def coordinates(
        self,
        point: Parameters,
        *,
        learned: bool = False,
        change: Preconditioner | None = None,
    ) -> dict[str, FloatArray]:
        """Return parameters in the coordinates that a sampler moves in.

        Parameters
        ----------
        point : dict of str to ndarray
            Parameters without leading axes.
        learned : bool, default False
            Whether scales are parameters.
        change : Preconditioner or None, default None
            The change of variables.

        Returns
        -------
        dict of str to ndarray
            Values by Stan's names.
        """
        values = self.declared(point, learned=learned)
        if change is not None:
            values["z_raw"] = change.inverse @ values["z_raw"]
        return values

    def at_coordinates(
        self, points: FloatArray, *, learned: bool = False, change: Preconditioner | None = None
    ) -> dict[str, FloatArray]:
        """Return the parameters at points that :meth:`coordinates` leads to.

        Parameters
        ----------
        points : ndarray of shape (..., P)
            Points as :func:`lsm_stan.model.parameters.flat` lays them out.
        learned : bool, default False
            Whether scales are among them.
        change : Preconditioner or None, default None
            The change of variables.

        Returns
        -------
        dict of str to ndarray
        """
        parameters = dict(self.at_flat(points, learned=learned))
        if change is not None:
            parameters["z"] = change.factor @ parameters["z"]
        return parameters

    def preconditioner(self, positions: FloatArray) -> Preconditioner | None:
        """Return the change of variables shaped by positions, if there is one.

        Parameters
        ----------
        positions : ndarray of shape (M, N, K)
            Position sets to average the curvature over.

        Returns
        -------
        Preconditioner or None
        """
        return preconditioner_of(self.spec, self.network, positions, self.prior_scale)
