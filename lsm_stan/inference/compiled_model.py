"""A model of one network with its compiled program: what it is before anything is inferred."""

from __future__ import annotations

import platform
from functools import cached_property
from typing import Any

from lsm_stan.choices import Kernel
from lsm_stan.cmdstan.compiled import Compiled, compile_latent_space
from lsm_stan.errors import InputError, MachineError
from lsm_stan.inference.log_joint import LogJoint
from lsm_stan.inference.prior_predictive import PRIOR_DRAWS, prior_groups
from lsm_stan.inference.problem import Problem
from lsm_stan.model.family import ModelSpec
from lsm_stan.network.network import Network
from lsm_stan.posterior import idata as container
from lsm_stan.typing import FloatArray


class CompiledModel:
    """A model of one network; its program is compiled when it is first asked for.

    Parameters
    ----------
    problem : Problem
        The network, the model and its priors.
    kernel : {"cpp", "stan"}
        What the likelihood's sums are in.
    threads : int
        Threads that share each process's sum over pairs.
    """

    def __init__(self, problem: Problem, kernel: Kernel, threads: int) -> None:
        self.problem = problem
        self.kernel: Kernel = kernel
        self.threads = threads
        self._program: str | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Leave the program behind: where this is read it is compiled again, or there already."""
        state = dict(self.__dict__)
        compiled: Compiled | None = state.pop("compiled", None)
        return {**state, "_program": self._program if compiled is None else compiled.program}

    @property
    def network(self) -> Network:
        """The network."""
        return self.problem.network

    @property
    def spec(self) -> ModelSpec:
        """The model, bound to the network's covariates."""
        return self.problem.spec

    @property
    def dim(self) -> int:
        """K, the number of latent dimensions."""
        return self.problem.dim

    def compile(self) -> None:
        """Compile the Stan program, or find it compiled."""
        self.compiled  # noqa: B018

    @cached_property
    def compiled(self) -> Compiled:
        """The compiled Stan program; the pure-Stan one, with a warning, if C++ fails.

        Raises
        ------
        MachineError
            If the model comes from a process that has another program.
        """
        compiled = compile_latent_space(self.kernel, self.threads)
        if self._program not in (None, compiled.program):
            raise MachineError(
                f"{platform.node()} has another program ({compiled.program}) than the process that"
                f" the model comes from ({self._program}); install one version of lsm-stan"
                " everywhere"
            )
        return compiled

    @property
    def log_joint(self) -> LogJoint:
        """The log joint density, as compiled."""
        return LogJoint(self.problem, self.compiled)

    def stan_data(self) -> dict[str, Any]:
        """Return the data of the Stan program; see :func:`lsm_stan.model.stan_data.stan_data`.

        Returns
        -------
        dict
        """
        return self.problem.stan_data()

    def as_record(self) -> dict[str, Any]:
        """Return what was asked for, as records and configurations have it, and what it became.

        Returns
        -------
        dict
        """
        return self.problem.as_record() | self.compiled.as_record()

    def log_prob_grad(self, z: FloatArray, **others: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Evaluate the log joint density and its gradient, by the Stan program itself.

        Parameters
        ----------
        z : ndarray of shape (..., N, K)
            Positions.
        **others : ndarray
            The model's other parameters, with the same leading axes; see
            :mod:`lsm_stan.model.parameters`. Scales are parameters if they are given.

        Returns
        -------
        log_joint : ndarray of shape (...)
            Normalised log joint densities, in nats, of the parameters as Stan declares them.
        gradient : ndarray of shape (..., N, K)
            Gradients in the positions, as Stan declares them.
        """
        return self.log_joint.at({"z": z, **others})

    def prior_predictive(
        self, *, draws: int = PRIOR_DRAWS, seed: int = 0
    ) -> container.InferenceData:
        """Draw parameters from the priors, and networks at them: what is expected before the data.

        Parameters
        ----------
        draws : int, default 200
            Number of draws.
        seed : int, default 0
            The same seed gives the same draws.

        Returns
        -------
        InferenceData or DataTree
            Groups ``prior``, ``prior_predictive`` (networks' statistics) and ``observed_data``.

        Raises
        ------
        InputError
            If the model is one of layers.
        """
        if self.problem.layered:
            raise InputError(
                "prior predictive groups are of one network, and not of layers yet: simulate_layers"
                " draws layers from the priors"
            )
        of_model, scale = (self.spec, self.network, self.dim), self.problem.prior_scale
        groups = prior_groups(*of_model, prior_scale=scale, draws=draws, seed=seed)
        return container.contained(groups)
