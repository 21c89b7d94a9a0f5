"""A fit: what one method said about one network."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lsm_stan.errors import InputError
from lsm_stan.inference.fit_folder import Content
from lsm_stan.inference.prior_predictive import PRIOR_DRAWS, prior_groups
from lsm_stan.inference.record import FitRecord
from lsm_stan.model.family import ModelSpec, read_spec
from lsm_stan.model.log_prior import log_jacobian, log_prior
from lsm_stan.model.parameters import SCALES
from lsm_stan.model.pointwise import (
    MAX_GIGABYTES,
    check_choice,
    chosen_units,
    pointwise_log_likelihood,
)
from lsm_stan.model.replication import NO_DYADS, observed, replications
from lsm_stan.network.network import Network
from lsm_stan.posterior import idata as container
from lsm_stan.posterior.clusters import Clusters, find_clusters
from lsm_stan.posterior.density import density_in_words
from lsm_stan.posterior.groups import (
    observed_group,
    predictive_group,
    scalar_group,
    unit_group,
    updated,
)
from lsm_stan.posterior.invariants import MONITORED_PAIRS, monitored_nodes, sample_pairs
from lsm_stan.posterior.quantities import invariant_quantities
from lsm_stan.temporary import Scratch
from lsm_stan.text import counted
from lsm_stan.typing import FloatArray, IntArray

#: Draws of which a network is drawn, about, where nothing else is asked for.
PREDICTIVE_DRAWS = 200


@dataclass(frozen=True, eq=False)
class Fit:
    """What one inference method said about one network.

    Attributes
    ----------
    network : Network
        The network that was fitted.
    idata : InferenceData or DataTree
        ArviZ's container: positions with dims ``(chain, draw, node, dim)`` and node names.
    record : FitRecord
        What was run and what came of it.
    cmdstan_output : Path
        Folder of CmdStan's CSV files and console output.
    """

    network: Network
    idata: container.InferenceData
    record: FitRecord
    cmdstan_output: Path
    _scratch: Scratch | None = None  # keeps the folder of unsaved output as long as the fit
    _layered: ClassVar[list[type[Any]]] = []  # the one subclass, of layers

    def __reduce__(self) -> tuple[Any, ...]:
        return Fit._of, (self._content,)

    def __repr__(self) -> str:
        of = self.network.title or counted(self.network.n_nodes, "node")
        end = f"{self.density}, {'' if self.converged else 'NOT '}converged"
        return f"Fit({self.method}, {of}, K = {self.record.dim}, {end})"

    @property
    def density(self) -> str:
        """The loss of a mode, or the log joint over draws, and what became of scales, in words."""
        return density_in_words(self.spec, self.learned, container.log_joint_of(self.idata))

    @property
    def method(self) -> str:
        """The method's name in :data:`lsm_stan.inference.methods.METHODS`."""
        return self.record.method

    @property
    def converged(self) -> bool:
        """Whether every check of the method passed; see :attr:`warnings`."""
        return self.record.converged

    @property
    def warnings(self) -> list[str]:
        """What keeps the fit from being trusted, in sentences."""
        return self.record.warnings

    @property
    def log_joint(self) -> float:
        """Log joint density at :attr:`positions`, every constant included, in nats."""
        return self.record.log_joint

    @property
    def loss(self) -> float:
        """Minus :attr:`log_joint`: what the tutorial prints as its loss."""
        return self.record.loss

    @property
    def learned(self) -> bool:
        """Whether scales are parameters, of :attr:`log_joint` too; at a mode they are fixed."""
        return not set(SCALES).isdisjoint(self.parameters)

    @property
    def positions(self) -> FloatArray:
        """``(N, K)`` positions: the mode (MAP), or the mean (of aligned draws for NUTS)."""
        return container.estimate_of(self.idata)

    @property
    def estimate(self) -> dict[str, FloatArray]:
        """The parameters at :attr:`positions`, by name; see :mod:`lsm_stan.model.parameters`."""
        return container.parameters_of(self.idata, "estimate")

    @property
    def parameters(self) -> dict[str, FloatArray]:
        """Draws of every parameter by name, leading axes ``(chain, draw)``; not aligned."""
        return container.parameters_of(self.idata, "posterior")

    @cached_property
    def spec(self) -> ModelSpec:
        """The model that was fitted, with its covariates."""
        return read_spec(self.record.model.get("model", "tutorial")).bound(self.network)

    @property
    def draws(self) -> FloatArray:
        """``(chain, draw, N, K)`` positions; not aligned."""
        return container.draws_of(self.idata)

    @property
    def prior_scale(self) -> float:
        """Standard deviation of a coordinate's prior, where it is not learned."""
        return float(self.record.model["prior_scale"])

    @cached_property
    def log_prior_blocks(self) -> dict[str, FloatArray]:
        """Log prior densities ``(chain, draw)`` by block; see :mod:`lsm_stan.model.log_prior`."""
        return log_prior(
            self.spec,
            self.parameters,
            directed=self.network.directed,
            prior_scale=self.prior_scale,
        )

    @property
    def log_likelihood_total(self) -> FloatArray:
        """Log likelihoods ``(chain, draw)`` of the network: the log joint, less the priors.

        The Stan program has added it up already, and O(N²) sums a draw in NumPy are slow.
        """
        volume = log_jacobian(
            self.spec,
            self.parameters,
            directed=self.network.directed,
            prior_scale=self.prior_scale,
        )
        log_joint = container.log_joint_of(self.idata)
        return np.asarray(log_joint - sum(self.log_prior_blocks.values(), start=volume))

    @cached_property
    def clusters(self) -> Clusters | None:
        """Clusters of nodes, with one label in all draws; None where the model has none."""
        if not self.spec.clusters:
            return None
        return find_clusters(self.spec, self.parameters, self.positions, self.prior_scale)

    def invariants(
        self, pairs: IntArray | None = None, nodes: ArrayLike | None = None
    ) -> container.InferenceData:
        """Return the draws of what rotations and reflections leave unchanged.

        ``az.summary`` and ``az.plot_*`` mean something on these, and nothing on coordinates.

        Parameters
        ----------
        pairs : ndarray of int64 of shape (P, 2), or None, default None
            Node pairs whose distances and rates are wanted, from 0; by default the
            fixed random set the diagnostics use.
        nodes : array_like of shape (M,), or None, default None
            Nodes whose distances from the origin and expected strengths are wanted, from
            0; by default the fixed random set the diagnostics use: up to 500.

        Returns
        -------
        InferenceData or DataTree
            Group ``posterior`` with ``log_joint``; the model's scalar parameters; ``theta`` and
            ``sigma_cluster`` of clusters (:attr:`clusters`), the largest first; ``distance`` and
            ``rate``, the expected weight of the first node to the second (dim ``pair``); and
            ``radius`` and ``strength`` (dim ``node``), or ``out_strength`` and ``in_strength``
            where the model tells them apart. ``sample_stats`` is the fit's.
        """
        if pairs is None:
            pairs = sample_pairs(self.network.n_nodes, MONITORED_PAIRS)
        if nodes is None:
            nodes = monitored_nodes(self.network.n_nodes)
        quantities = invariant_quantities(
            self.network,
            self.spec,
            self.parameters,
            self.clusters,
            pairs,
            np.asarray(nodes, dtype=np.int64),
        )
        return container.invariants(self.idata, quantities)

    def log_likelihood(
        self,
        by: Literal["dyad", "pair", "network"] = "dyad",
        dyads: ArrayLike | None = None,
        *,
        thin: int = 1,
        dtype: Literal["float64", "float32"] = "float64",
        max_gigabytes: float = MAX_GIGABYTES,
    ) -> container.Dataset:
        """Put the log likelihood of observations into :attr:`idata`, for ``az.loo`` and others.

        Parameters
        ----------
        by : {"dyad", "pair", "network"}, default "dyad"
            What is one observation. ``"dyad"``: a dyad given its reverse, which matters in
            ``dyadic`` alone; ``"pair"``: both directions together; ``"network"``: all of it, one
            number a draw, which power-scaling (``az.psense_summary``) takes.
        dyads : array_like of shape (D, 2), or None, default None
            Node indices, from 0, of observed dyads or pairs; all by default.
        thin : int, default 1
            Step: every ``thin``-th draw of each chain is taken.
        dtype : {"float64", "float32"}, default "float64"
            ``"float32"`` halves the memory, and keeps seven digits.
        max_gigabytes : float, default: :data:`lsm_stan.model.pointwise.MAX_GIGABYTES`
            What is larger is refused before anything is computed.

        Returns
        -------
        Dataset
            Group ``log_likelihood``: ``weight``, in nats, with dims ``(chain, draw, dyad)`` and
            coordinates ``sender`` and ``receiver``; ``(chain, draw, pair)``; or ``(chain, draw)``.
            ``observed_data`` has the ``weight`` of dyads too.

        Raises
        ------
        InputError
            If a dyad was not observed, the array would be too large (the message says how large,
            and what makes it smaller), or an argument is none that is known.
        """
        check_choice("by", by, ("dyad", "pair", "network"))
        check_choice("dtype", dtype, ("float64", "float32"))
        draws, labels = self._thinned(thin)
        if by == "network":
            group = scalar_group({"weight": self.log_likelihood_total[:, ::thin]}, labels)
            container.attach(self.idata, {"log_likelihood": group})
            return group
        n_draws = draws["z"].shape[0] * draws["z"].shape[1]
        units = chosen_units(
            "the log likelihood",
            self.network,
            dyads,
            by,
            n_draws=n_draws,
            thin=thin,
            dtype=dtype,
            max_gigabytes=max_gigabytes,
        )
        values = pointwise_log_likelihood(self.spec, draws, self.network, units, by, dtype)
        group = unit_group(values, self.network, units, by, labels)
        container.attach(self.idata, {"log_likelihood": group})
        if by == "dyad":
            self._observe(observed_group(self.network, units))
        return group

    def log_prior(self) -> container.Dataset:
        """Put the log prior density of every draw into :attr:`idata`, by block.

        Returns
        -------
        Dataset
            Group ``log_prior``, in nats: a variable with dims ``(chain, draw)`` a block of
            :mod:`lsm_stan.model.log_prior`, which says what each is the density of.
        """
        group = scalar_group(self.log_prior_blocks, container.draw_labels(self.idata))
        container.attach(self.idata, {"log_prior": group})
        return group

    def posterior_predictive(
        self,
        dyads: ArrayLike | Literal["all"] | None = None,
        *,
        thin: int | None = None,
        seed: int = 0,
        max_gigabytes: float = MAX_GIGABYTES,
    ) -> container.Dataset:
        """Draw networks of the fitted model, and put what is kept of them into :attr:`idata`.

        Parameters
        ----------
        dyads : array_like of shape (D, 2), "all" or None, default None
            Node indices, from 0, of observed dyads whose weights are kept; ``"all"``
            of them; or none.
        thin : int or None, default None
            Step: every ``thin``-th draw of each chain has a network; by default some 200 have.
        seed : int, default 0
            The same seed gives the same networks.
        max_gigabytes : float, default: :data:`lsm_stan.model.pointwise.MAX_GIGABYTES`
            Weights of dyads that take more are refused before anything is drawn.

        Returns
        -------
        Dataset
            Group ``posterior_predictive``, dims ``(chain, draw, ...)``: the statistics of
            :func:`lsm_stan.predictive_checks`, one variable each; ``out_strength`` and
            ``in_strength``, or ``strength``, of dim ``node``; and ``weight`` of dim ``dyad``.
            ``observed_data`` has the same of the network itself.

        Raises
        ------
        InputError
            If a dyad was not observed, or there are too many.
        """
        n_chains, n_draws = self.draws.shape[:2]
        if thin is None:
            thin = max(1, n_chains * n_draws // PREDICTIVE_DRAWS)
        draws, labels = self._thinned(thin)
        units = NO_DYADS
        if dyads is not None:
            if isinstance(dyads, str):
                check_choice("dyads", dyads, ("all",))
            units = chosen_units(
                "weights",
                self.network,
                None if isinstance(dyads, str) else dyads,
                "dyad",
                n_draws=n_chains * len(labels["draw"]),
                thin=thin,
                dtype="int64",
                max_gigabytes=max_gigabytes,
            )
        rng = np.random.default_rng(seed)
        kept = replications(self.spec, draws, self.network, units, rng)
        group = predictive_group(kept, self.network, units, labels)
        container.attach(self.idata, {"posterior_predictive": group})
        self._observe(predictive_group(observed(self.network, units), self.network, units, {}))
        return group

    def prior_predictive(
        self, *, draws: int = PRIOR_DRAWS, seed: int = 0
    ) -> tuple[container.Dataset, container.Dataset]:
        """Put draws from the model's priors, and of networks at them, into :attr:`idata`.

        Parameters
        ----------
        draws : int, default 200
            Number of draws.
        seed : int, default 0
            The same seed gives the same draws.

        Returns
        -------
        prior, prior_predictive : Dataset
            Groups of one chain, named as in ``posterior`` and by :meth:`posterior_predictive`.
            ``observed_data`` has the statistics of the network itself.
        """
        of_model, scale = (self.spec, self.network, self.record.dim), self.prior_scale
        groups = prior_groups(*of_model, prior_scale=scale, draws=draws, seed=seed)
        self._observe(groups.pop("observed_data"))
        container.attach(self.idata, groups)
        return groups["prior"], groups["prior_predictive"]

    def _thinned(self, thin: int) -> tuple[dict[str, FloatArray], dict[str, NDArray[Any]]]:
        """Return every so manieth draw of each chain, with its labels."""
        if thin < 1:
            raise InputError(f"thin is {thin}; an integer >= 1 is needed")
        draws = {name: values[:, ::thin] for name, values in self.parameters.items()}
        return draws, container.draw_labels(self.idata, thin)

    def _observe(self, new: container.Dataset) -> None:
        """Put what draws are compared with into ``observed_data``."""
        group = updated(container.group(self.idata, "observed_data"), new)
        container.attach(self.idata, {"observed_data": group})

    @property
    def _content(self) -> Content:
        return Content(self.network, self.idata, self.record, self.cmdstan_output)

    def config(self) -> dict[str, Any]:
        """Return the configuration that repeats this fit, network files beside it.

        Returns
        -------
        dict
        """
        return self._content.config()

    def save(self, folder: str | Path) -> Path:
        """Write the fit as a folder, which appears only when whole.

        Parameters
        ----------
        folder : str or Path
            The folder; it is replaced if it holds an earlier fit or is empty.

        Returns
        -------
        Path
            The folder; see :mod:`lsm_stan.inference.fit_folder`.

        Raises
        ------
        InputError
            If ``folder`` exists and is something else than a fit, or cannot be written.
        MachineError
            If there is no room. Nothing is left; the fit can be saved elsewhere.
        """
        return self._content.write(Path(folder))

    @classmethod
    def load(cls, folder: str | Path) -> Fit:
        """Read a fit that :meth:`save` wrote.

        Parameters
        ----------
        folder : str or Path
            The fit's folder.

        Returns
        -------
        Fit

        Raises
        ------
        InputError
            If the folder is not a finished fit, or its network or draws are not the fit's.
        """
        return cls._of(Content.read(Path(folder)))

    @classmethod
    def _of(cls, c: Content) -> Fit:
        made = c.network, c.idata, c.record, c.cmdstan_output, c.scratch
        return Fit(*made) if c.layers is None else cls._layered[0](*made, layers=c.layers)

    def __init_subclass__(cls) -> None:
        Fit._layered.append(cls)
