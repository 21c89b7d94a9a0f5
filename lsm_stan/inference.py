"""A thin wrapper over CmdStanPy: one model, three methods, one kind of result.

Methods are named after CmdStanPy's own. An argument that a method does not know itself is
passed to CmdStanPy's method as it is, unless :data:`WITHHELD`.
"""

from __future__ import annotations

import inspect
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_type_hints

import cmdstanpy
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, TypeAdapter, ValidationError
from tqdm import tqdm

from lsm_stan import idata as container
from lsm_stan.alignment import mean_positions, rotation_onto
from lsm_stan.compilation import (
    Kernel,
    compile_with_fallback,
    log_prob_grad,
    sources_digest,
    write_data,
)
from lsm_stan.diagnostics import Check, approximation_khat, sampler_checks
from lsm_stan.errors import InputError
from lsm_stan.execution import Execution, has_bars
from lsm_stan.fit import Fit
from lsm_stan.invariants import monitored
from lsm_stan.methods import METHODS, Method, find_method
from lsm_stan.model import DIAGONAL_JITTER, check_data, check_numbers, fixed_data, run_data
from lsm_stan.models import MODELS, ModelSpec, find_model
from lsm_stan.network import Network
from lsm_stan.optimization import (
    LADDERS,
    continuation,
    curvature,
    distinct_modes,
    newton_step,
    rotation_directions,
)
from lsm_stan.parameters import SCALES, TURNED, Parameters, declared, flat, from_stan
from lsm_stan.preconditioning import MAX_NODES, Preconditioner, preconditioner
from lsm_stan.prior_predictive import PRIOR_DRAWS, prior_groups
from lsm_stan.toolchain import Toolchain, ensure_toolchain

FloatArray = NDArray[np.float64]

#: Where a method starts: a MAP found first, draws from the prior, a fit (or its folder),
#: parameters, or ``(N, K)`` positions (or an ``.npz`` or ``.npy`` file of them).
Init = str | Path | Fit | FloatArray | Parameters

#: Starts that a method makes itself.
MADE = ("map", "random")

Count = Annotated[int, Field(ge=1)]
NotNegative = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]

#: Digits of CmdStan's CSV files: a distance of 0.01 keeps its first seven.
SIG_FIGS = 10

#: An L-BFGS run of the continuation.
LBFGS = {"algorithm": "lbfgs", "history_size": 20, "iter": 2000, "sig_figs": 18}

#: The last L-BFGS run of a start goes on until the line search can improve no more: CmdStan
#: refuses tolerances of 0.
POLISH = {
    "iter": 20_000,
    **dict.fromkeys(("tol_obj", "tol_rel_obj", "tol_grad", "tol_rel_grad", "tol_param"), 1e-30),
}

#: A mode is accepted when a Newton step from it would gain less than this many nats.
MAX_NEWTON_GAIN = 1e-3

#: Largest number of parameters whose Hessian is computed at a mode; of more it is only multiplied.
MAX_CURVATURE_SIZE = 3000

#: CmdStanPy's arguments that are not passed on: those that are ours to give, those that change
#: nothing here (there are no bounds, no profiles; ADVI's eta counts only without adaptation), and
#: those that spoil a run for CmdStanPy or for us: it cannot read the CSV file of ADVI without
#: adaptation, and gives warmup draws to some of its results and not to others.
WITHHELD = {
    "all": ("data", "inits", "output_dir", "require_converged", "save_profile"),
    "optimize": ("algorithm", "jacobian"),
    "variational": ("adapt_engaged", "eta"),
    "sample": ("threads_per_chain", "save_warmup", "fixed_param"),
}

#: What values CmdStanPy's arguments take. It checks some of them itself, but only when its turn
#: comes, after a MAP or a pilot run, and the others not at all.
CMDSTAN: dict[str, Any] = {
    **dict.fromkeys(("iter", "iter_sampling", "thin", "draws", "output_samples"), Count | None),
    **dict.fromkeys(("grad_samples", "elbo_samples", "adapt_iter", "eval_elbo"), Count | None),
    **dict.fromkeys(("max_treedepth", "history_size", "refresh"), Count | None),
    **dict.fromkeys(("iter_warmup", "adapt_init_phase"), NotNegative | None),
    **dict.fromkeys(("adapt_metric_window", "adapt_step_size"), NotNegative | None),
    **dict.fromkeys(("init_alpha", "tol_obj", "tol_rel_obj"), Positive | None),
    **dict.fromkeys(("tol_grad", "tol_rel_grad", "tol_param", "timeout"), Positive | None),
    "adapt_delta": Annotated[float, Field(gt=0, lt=1)] | None,
    "adapt_engaged": bool,
    "algorithm": Literal["meanfield", "fullrank"] | None,
    "sig_figs": Annotated[int, Field(ge=1, le=18)] | None,
}

#: Those that only an adaptation has a use for.
OF_ADAPTATION = ("adapt_delta", "adapt_init_phase", "adapt_metric_window", "adapt_step_size")

#: Warmup and sampling iterations of the short run whose draws shape the preconditioner.
PILOT = 150


class LatentSpaceModel:
    """The latent space model of one network.

    Parameters
    ----------
    network
        N nodes and their weighted edges.
    dim
        K, the number of latent dimensions.
    model
        A name of :data:`lsm_stan.models.MODELS`, or any other model of the family.
    prior_scale
        Standard deviation of each coordinate's normal prior; where it is learned, at modes only.
        By default :meth:`lsm_stan.models.ModelSpec.default_scale`.
    jitter
        Added to the squared distance of a node to itself; the tutorial's 1e3.
    kernel
        ``"cpp"``: the sums of the likelihood in C++ with analytic gradients. ``"stan"``: the
        same in the Stan language, the readable reference.
    threads
        How many threads each CmdStan process shares the sum over pairs among; worth it for
        thousands of nodes. Starts and chains run in processes of their own as it is.

    Raises
    ------
    InputError
        If ``dim``, ``prior_scale`` or ``jitter`` is out of its range, there is no such model, or
        the network's weights cannot be its, or it has not the covariates.

    Notes
    -----
    Nothing is compiled before the first fit; the executable is then kept for every later one.
    """

    def __init__(
        self,
        network: Network,
        dim: int = 3,
        *,
        model: str | ModelSpec = "tutorial",
        prior_scale: float | None = None,
        jitter: float = DIAGONAL_JITTER,
        kernel: Kernel = "cpp",
        threads: int = 1,
    ) -> None:
        self.threads = threads
        self.network = network
        self.dim = dim
        self.spec = find_model(model).bound(network)
        check_numbers(dim, 1.0 if prior_scale is None else prior_scale, jitter)
        self.prior_scale = self.spec.default_scale(dim) if prior_scale is None else prior_scale
        self.jitter = jitter
        self.kernel = kernel
        check_data(self.spec, network)

    def stan_data(
        self,
        *,
        learned: bool = False,
        softening: float = 0.0,
        change: Preconditioner | None = None,
    ) -> dict[str, Any]:
        """Return the data of the Stan program; see :func:`lsm_stan.model.stan_data`."""
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

    def as_record(self) -> dict[str, Any]:
        """Return the model's own numbers, for records and configurations."""
        names = ("dim", "prior_scale", "jitter", "kernel", "threads")
        own = {name: getattr(self, name) for name in names}
        return {"model": self.spec.as_record(), **own}

    @cached_property
    def program(self) -> str:
        """Digest of the Stan program's sources, the kernel's included: as they were compiled."""
        return sources_digest(self.kernel)

    @property
    def digest(self) -> str:
        """Digest of the data: of the network, and of the model's covariates."""
        return self.spec.digest(self.network)

    def compile(self) -> None:
        """Compile the Stan program, or find it compiled; :attr:`kernel` is then what it has."""
        self.executable  # noqa: B018

    @cached_property
    def toolchain(self) -> Toolchain:
        """What compiles the Stan program."""
        return ensure_toolchain()

    @cached_property
    def executable(self) -> cmdstanpy.CmdStanModel:
        """The compiled Stan program; the pure-Stan one, with a warning, if C++ fails."""
        programs = {kernel: sources_digest(kernel) for kernel in get_args(Kernel)}
        executable, self.kernel = compile_with_fallback(
            self.kernel, threads=self.threads > 1, toolchain=self.toolchain
        )
        self.program = programs[self.kernel]
        return executable

    def log_prob(self, z: FloatArray, **others: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Evaluate the log joint density and its gradient, by the Stan program itself.

        Parameters
        ----------
        z
            ``(..., N, K)`` positions.
        **others
            The model's other parameters, with the same leading axes; see
            :mod:`lsm_stan.parameters`. Scales are parameters if they are given.

        Returns
        -------
        log_joint : numpy.ndarray
            ``(...)`` normalised log joint densities, of the parameters as Stan declares them.
        gradient : numpy.ndarray
            ``(..., N, K)`` gradients in the positions, as Stan declares them.

        Raises
        ------
        InferenceError
            If the executable fails.
        """
        *batch, n_nodes, dim = z.shape
        learned = not others.keys().isdisjoint(SCALES)
        value, gradient = self.log_prob_flat(
            flat(self._declared({"z": z, **others}, learned)), learned=learned
        )
        columns = gradient[..., : n_nodes * dim].reshape(*batch, dim, n_nodes)
        return value, np.swapaxes(columns, -1, -2)

    def log_prob_flat(
        self, points: FloatArray, *, learned: bool = False
    ) -> tuple[FloatArray, FloatArray]:
        """Evaluate the log joint density and its whole gradient in Stan's own coordinates.

        Parameters
        ----------
        points
            ``(..., P)``: see :func:`lsm_stan.parameters.flat`.
        learned
            Whether scales are among them.

        Returns
        -------
        log_joint : numpy.ndarray
            ``(...)``.
        gradient : numpy.ndarray
            ``(..., P)``.
        """
        rows = points.reshape(-1, points.shape[-1])
        data = self.stan_data(learned=learned)
        value, gradient = log_prob_grad(self.executable, data, rows, threads=self.threads)
        return value.reshape(points.shape[:-1]), gradient.reshape(points.shape)

    def fit(self, method: str, *, seed: int, **arguments: Any) -> Fit:
        """Run a method by its name.

        Parameters
        ----------
        method
            A key of :data:`METHODS`.
        seed
            The same seed and inputs give the same result.
        **arguments
            Of that method, or of CmdStanPy's method of the same name.

        Raises
        ------
        InputError
            If there is no such method or argument.
        """
        run: Callable[..., Fit] = getattr(self, find_method(method).verb)
        return run(seed=seed, **arguments)

    def optimize(
        self,
        *,
        seed: int,
        starts: Count = 8,
        ladder: Sequence[Positive] | None = None,
        show_progress: bool = True,
        **cmdstan: Any,
    ) -> Fit:
        """Find the posterior mode by softened continuation from several starts.

        Parameters
        ----------
        seed
            Of the starting positions, drawn from the prior.
        starts
            How many; the best mode is kept, the others' losses are recorded.
        ladder
            Softenings ε of the successive runs, in units of distance, before the exact model;
            empty for one plain L-BFGS run a start. By default that of the model's distance
            form in :data:`lsm_stan.optimization.LADDERS`. Of a model with clusters these runs are
            of the model without, at least one, at 0; k-means then finds the first centres.
        show_progress
            Show a progress bar.
        **cmdstan
            Further arguments of ``cmdstanpy.CmdStanModel.optimize``, for every run.

        Returns
        -------
        Fit
            One chain of one draw: the best mode.

        Raises
        ------
        InputError
            If ``starts`` < 1, a softening is not positive, or an argument is unknown.
        InferenceError
            If CmdStan fails.
        """
        asked = {
            "starts": starts,
            "ladder": None if ladder is None else list(ladder),
            **cmdstan,
        }
        ladder = list(LADDERS[self.spec.form] if ladder is None else ladder)
        run = self._execution("map", seed, asked, show_progress)

        def descend(point: Parameters, softening: float, *, start: int, polish: bool) -> Parameters:
            # only the runs that end in the exact model leave their files with the fit; there the
            # stiffness of heavy pairs would cost thousands of iterations, where the ladder has
            # come near enough to a mode to know it
            change = self._preconditioner(point["z"][None]) if polish and ladder else None
            with run.folder(f"start-{start + 1}" if polish else None) as folder:
                model = self if polish else unclustered
                result = run.cmdstan(
                    data=self.stan_data(change=change) if polish else data[softening],
                    inits=model._inits(point, change, learned=False),
                    output_dir=folder,
                    require_converged=False,
                    **{**LBFGS, **(POLISH if polish else {}), **cmdstan},
                )
                return from_stan(result, model.spec)

        unclustered = self
        if self.spec.clusters:
            # a centre stays with whatever nodes it starts among: it starts, by k-means, where
            # the nodes have come together without it
            plain = replace(self.spec, clusters=0)
            unclustered = LatentSpaceModel(
                self.network, self.dim, model=plain, prior_scale=self.prior_scale
            )
            ladder = ladder or [0.0]
        rng = np.random.default_rng(seed)
        first = rng.normal(scale=self.prior_scale, size=(starts, self.network.n_nodes, self.dim))
        rungs = starts * (len(ladder) + 1)
        run.say(f"{starts} starts of {len(ladder) + 1} L-BFGS runs")
        with (
            run.folder(None) as folder,  # of data that all starts share
            tqdm(total=rungs, desc="MAP", unit="run", disable=not has_bars(show_progress)) as bar,
        ):
            data = {
                eps: write_data(
                    Path(folder, f"rung-{k}.json"), unclustered.stan_data(softening=eps)
                )
                for k, eps in enumerate(ladder)
            }
            starting: list[Parameters] = [{"z": z} for z in first]
            ends = continuation(descend, starting, ladder, bar.update)
        modes = {name: np.stack([end[name] for end in ends]) for name in ends[0]}
        points = flat(self._declared(modes, learned=False))
        log_joint, gradient = self.log_prob_flat(points)
        order = np.argsort(-log_joint)
        best = order[0]
        numbers = distinct_modes([modes["z"][i] for i in order])
        checks, details = self._judge_mode(ends[best], gradient[best])
        details["distinct_modes"] = max(numbers) + 1
        details["ladder"] = ladder
        details["starts"] = [
            {
                "start": int(i) + 1,
                "loss": -float(log_joint[i]),
                "gradient_norm": float(np.linalg.norm(gradient[i])),
                "mode": number + 1,
            }
            for i, number in zip(order, numbers, strict=True)
        ]
        return run.finish(
            draws={name: values[None, None, best] for name, values in modes.items()},
            log_joint=log_joint[None, None, best],
            estimate=ends[best],
            checks=checks,
            details=details,
        )

    def variational(
        self,
        *,
        seed: int,
        init: Init = "map",
        precondition: bool | None = None,
        show_progress: bool = True,
        **cmdstan: Any,
    ) -> Fit:
        """Fit Stan's automatic differentiation variational inference (ADVI).

        Parameters
        ----------
        seed
            Of the start and of CmdStan.
        init
            Where to start; see :data:`Init`.
        precondition
            Approximate ``z_raw``, with ``z = C z_raw`` (:mod:`lsm_stan.preconditioning`): a
            mean-field Gaussian there has the network's own correlations in z. By default where
            the start is a mode: from a random start ADVI then stops at a poor place. As for
            :meth:`sample`, of ``tutorial`` only, and not where N is too large.
        show_progress
            Show the progress bar of a MAP that is found first.
        **cmdstan
            Further arguments of ``cmdstanpy.CmdStanModel.variational``.

        Returns
        -------
        Fit
            One chain of draws from the approximation; the estimate is its mean.

        Raises
        ------
        InputError
            If an argument is unknown.
        InferenceError
            If CmdStan fails.
        """
        arguments = {"init": init, "precondition": precondition, **cmdstan}
        given = self._given(init)
        run = self._execution("advi", seed, arguments, show_progress)
        start = self._start(run, given, init, 1)
        if precondition is None:
            precondition = not (isinstance(init, str) and init == "random")
        change = self._first_preconditioner(run, init, start) if precondition else None
        learned = self.spec.hierarchical
        run.say("one approximation")
        with run.folder("advi") as folder:
            result = run.cmdstan(
                data=self.stan_data(learned=learned, change=change),
                inits=self._inits(start[0], change, learned),
                output_dir=folder,
                require_converged=False,
                **{"sig_figs": SIG_FIGS, **cmdstan},
            )
            console = Path(result.runset.stdout_files[0]).read_text(encoding="utf-8")
        mean = from_stan(result, self.spec, mean=True)
        draws = from_stan(result, self.spec, mean=False)
        draws = {name: values[None] for name, values in draws.items()}
        log_joint = self.log_prob(**draws)[0]
        # both in Stan's coordinates, but for z = C z_raw: that is linear, a constant in densities
        log_q = result.variational_sample_pd["log_g__"].to_numpy()[None]
        elbo = [float(value) for value in re.findall(r"^\s*\d+\s+(-?\d+\.?\d*)", console, re.M)]
        stopped = "ELBO CONVERGED" in console
        # Stan's entropy is that of z_raw
        gain = 0.0 if change is None else self.dim * change.log_volume
        checks = [
            Check(
                "elbo",
                stopped,
                "ELBO converged by Stan's own rule"
                if stopped
                else "ADVI reached its last iteration before its ELBO converged",
            )
        ]
        return run.finish(
            draws=draws,
            log_joint=log_joint,
            estimate=mean,
            sample_stats={"log_q": log_q},
            checks=checks,
            details={
                "elbo": elbo[-1] + gain if elbo else None,
                "khat": approximation_khat((log_joint - log_q).reshape(-1)),
                "draws": draws["z"].shape[1],
                "preconditioned": change is not None,
            },
        )

    def sample(
        self,
        *,
        seed: int,
        chains: Count = 4,
        init: Init = "map",
        precondition: bool = True,
        show_progress: bool = True,
        **cmdstan: Any,
    ) -> Fit:
        """Sample the posterior with NUTS.

        Parameters
        ----------
        seed
            Of the starts and of CmdStan.
        chains
            How many.
        init
            Where the chains start; see :data:`Init`. With ``"map"``, the default, every chain
            starts in one mode and explores that mode, not the whole posterior.
        precondition
            Sample ``z_raw`` with ``z = C z_raw`` (:mod:`lsm_stan.preconditioning`), C from the
            start and then from a short first run. Other models than ``tutorial`` are not stiff and
            are sampled as they are, and so are networks too large for an N×N factor; the record's
            ``preconditioned`` says what was done.
        show_progress
            Show progress bars.
        **cmdstan
            Further arguments of ``cmdstanpy.CmdStanModel.sample``.

        Returns
        -------
        Fit
            The estimate is the mean of the draws, aligned.

        Raises
        ------
        InputError
            If an argument is unknown.
        InferenceError
            If CmdStan fails.
        """
        arguments = {"chains": chains, "init": init, "precondition": precondition, **cmdstan}
        given = self._given(init)
        run = self._execution("nuts", seed, arguments, show_progress)
        start = self._start(run, given, init, chains)
        change = self._first_preconditioner(run, init, start) if precondition else None
        learned = self.spec.hierarchical

        def sample(folder_name: str, **options: Any) -> tuple[Parameters, dict[str, FloatArray]]:
            # in the preconditioned coordinates every direction has about the same scale, and a
            # metric estimated from few draws of a posterior this stiff does harm
            defaults: dict[str, Any] = {"sig_figs": SIG_FIGS, "threads_per_chain": self.threads}
            if change is not None and "inv_metric" not in cmdstan:
                defaults["metric"] = "unit_e"
            with run.folder(folder_name) as folder:
                result = run.cmdstan(
                    data=self.stan_data(learned=learned, change=change),
                    inits=[self._inits(point, change, learned) for point in start],
                    chains=chains,
                    output_dir=folder,
                    show_progress=has_bars(show_progress),
                    **{**defaults, **cmdstan, **options},
                )
                columns = {
                    name: np.asarray(values).T for name, values in result.method_variables().items()
                }
                draws = {
                    name: values.reshape(chains, -1, *values.shape[1:])
                    for name, values in from_stan(result, self.spec).items()
                }
                return draws, columns

        if change is not None:
            run.say(f"a pilot run of {chains} chains shapes the preconditioner")
            pilot, _ = sample("pilot", iter_warmup=PILOT, iter_sampling=PILOT, thin=1)
            z = pilot["z"]
            change = self._preconditioner(z[:, ::3].reshape(-1, *z.shape[2:]))
            start = [{name: v[chain, -1] for name, v in pilot.items()} for chain in range(chains)]
        run.say(f"{chains} chains")
        draws, columns = sample("chains")
        stats = {
            new: columns[old].astype(int if new in container.COUNTS else float)
            for old, new in container.SAMPLE_STATS.items()
        }
        stats["diverging"] = stats["diverging"].astype(bool)
        z, log_joint = draws["z"], columns["lp__"]
        checks, details = sampler_checks(
            monitored(self.spec, draws, log_joint), stats, cmdstan.get("max_treedepth") or 10
        )
        best = z.reshape(-1, *z.shape[2:])[log_joint.argmax()]
        estimate = {name: values.mean(axis=(0, 1)) for name, values in draws.items()}
        estimate["z"] = mean_positions(z, best)
        if "role" in draws:  # turned as the positions are
            turned = draws["role"] @ rotation_onto(z, estimate["z"])
            estimate["role"] = turned.mean(axis=(0, 1))
        return run.finish(
            draws=draws,
            log_joint=log_joint,
            estimate=estimate,
            sample_stats=stats,
            checks=checks,
            details={"preconditioned": change is not None, **details},
        )

    def prior_predictive(
        self, *, draws: int = PRIOR_DRAWS, seed: int = 0
    ) -> container.InferenceData:
        """Draw parameters from the priors, and networks at them: what is expected before the data.

        Parameters
        ----------
        draws
            How many.
        seed
            The same seed gives the same draws.

        Returns
        -------
        arviz.InferenceData or xarray.DataTree
            Groups ``prior``; ``prior_predictive``, with statistics of the networks and strengths
            of their nodes; and ``observed_data``, with those of the network itself.

        Raises
        ------
        InputError
            If ``draws`` is below 1.
        """
        groups = prior_groups(
            self.spec,
            self.network,
            self.dim,
            prior_scale=self.prior_scale,
            draws=draws,
            seed=seed,
        )
        return container.contained(groups)

    def _execution(
        self, method: str, seed: int, arguments: Mapping[str, Any], show_progress: bool
    ) -> Execution:
        asked = requested_arguments(method, arguments)
        return Execution(self, METHODS[method], seed, asked, show_progress)

    def _declared(self, parameters: Parameters, learned: bool) -> dict[str, FloatArray]:
        return declared(
            parameters,
            self.spec,
            directed=self.network.directed,
            learned=learned,
            prior_scale=self.prior_scale,
        )

    def _inits(
        self, point: Parameters, change: Preconditioner | None, learned: bool
    ) -> dict[str, FloatArray]:
        """Return starting values as Stan declares them."""
        values = self._declared(point, learned)
        if change is not None:
            values["z_raw"] = change.inverse @ values["z_raw"]
        return {name: value for name, value in values.items() if value.size}

    def _start(
        self, run: Execution, given: Parameters | None, init: Init, count: int
    ) -> list[Parameters]:
        """Return starting values for ``count`` runs."""
        if given is None and init == "random":
            shape = (count, self.network.n_nodes, self.dim)
            rng = np.random.default_rng(run.seed)
            starts: list[Parameters] = [
                {"z": z} for z in rng.normal(scale=self.prior_scale, size=shape)
            ]
            if not self.spec.roles:
                return starts
            # a node's two positions apart, or it is at no distance from itself
            roles = rng.normal(scale=self.spec.role_fixed, size=shape)
            return [{**one, "role": role} for one, role in zip(starts, roles, strict=True)]
        if given is None:
            given = self.optimize(seed=run.seed, show_progress=run.show_progress).estimate
        else:
            run.keep_start(given)
        return [given] * count

    def _given(self, init: Init) -> Parameters | None:
        """Return parameters to start from, None where they are to be made."""
        if isinstance(init, str) and init in MADE:
            return None
        if isinstance(init, str | Path) and Path(init).is_dir():
            init = Fit.load(init)
        given, names = read_start(init), self.network.names
        found, shape = given["z"].shape, (self.network.n_nodes, self.dim)
        if found != shape:
            raise InputError(f"init has shape {found}; (nodes, dim) = {shape} is needed")
        if isinstance(init, Fit):
            for number, (own, other) in enumerate(zip(names, init.network.names, strict=True), 1):
                if own != other:
                    raise InputError(
                        f"init is a fit whose node {number} is {other!r}, here {own!r}; a fit of"
                        " the same nodes in the same order is needed"
                    )
        if self.spec.form == "inverse" and not self.spec.roles:
            _, first, place = np.unique(given["z"], axis=0, return_index=True, return_inverse=True)
            earlier = first[place.reshape(-1)]
            for node in np.flatnonzero(earlier != np.arange(len(names)))[:1]:
                raise InputError(
                    f"init has nodes {names[earlier[node]]!r} and {names[node]!r} at one place,"
                    " where the form inverse has no density; different positions are needed"
                )
        return given

    @property
    def _is_preconditioned(self) -> bool:
        """Whether the model is stiff, and N allows the factor."""
        return self.spec == MODELS["tutorial"] and self.network.n_nodes <= MAX_NODES

    def _preconditioner(self, positions: FloatArray) -> Preconditioner | None:
        """Return the change of variables shaped by ``(M, N, K)`` positions, if there is one."""
        if not self._is_preconditioned:
            return None
        return preconditioner(self.network, positions, self.prior_scale)

    def _first_preconditioner(
        self, run: Execution, init: Init, start: Sequence[Parameters]
    ) -> Preconditioner | None:
        """Return the change of variables shaped by the start, or by a mode if that is random.

        Random positions have nothing of the posterior's curvature; a mode does, whichever it is.
        """
        if not (self._is_preconditioned and isinstance(init, str) and init == "random"):
            return self._preconditioner(start[0]["z"][None])
        mode = self.optimize(seed=run.seed, starts=1, show_progress=False)
        return self._preconditioner(mode.positions[None])

    def _judge_mode(
        self, point: Parameters, gradient: FloatArray
    ) -> tuple[list[Check], dict[str, Any]]:
        """Check that a point is a mode, by its Hessian where its size allows."""
        if not np.isfinite(gradient).all():
            return [Check("gradient", False, "the gradient is not finite")], {}
        values = self._declared(point, learned=False)
        mode = flat(values)
        if mode.size > MAX_CURVATURE_SIZE:
            return self._judge_large_mode(values, gradient)
        # what turns with the positions is turned by one rotation: as if it were further nodes
        parts = [values[name] for name in TURNED]
        nodes = np.concatenate(parts)
        basis = rotation_directions(nodes).T
        blocks = np.split(
            basis.reshape(len(basis), *nodes.shape), np.cumsum([*map(len, parts)])[:-1], axis=1
        )
        still = {name: np.zeros((len(basis), *value.shape)) for name, value in values.items()}
        rotations = flat({**still, **dict(zip(TURNED, blocks, strict=True))}).T
        found = curvature(lambda points: self.log_prob_flat(points)[1], mode, gradient, rotations)
        checks = [
            _newton_check(found.newton_gain),
            Check(
                "curvature",
                found.is_mode,
                f"the log joint falls in every direction but the {found.rotations} rotations"
                if found.is_mode
                else f"the log joint still rises along {found.negative} directions, and along"
                f" {found.flat} it does not change (the {found.rotations} rotations apart): no"
                " mode. Try more starts or another form; this model may have no mode here",
            ),
        ]
        return checks, {"newton_gain": found.newton_gain, "curvature": found.as_record()}

    def _judge_large_mode(
        self, values: dict[str, FloatArray], gradient: FloatArray
    ) -> tuple[list[Check], dict[str, Any]]:
        """Check that a point is a mode, as far as conjugate gradients go."""
        sd = self.spec.prior_sd(self.prior_scale)
        units = flat({name: np.full_like(v, sd.get(name, np.nan)) for name, v in values.items()})
        change = self._preconditioner(values["z_raw"][None])

        def root(vector: FloatArray) -> FloatArray:
            if change is None:
                return vector * units
            return (vector.reshape(self.dim, -1) @ change.factor).reshape(-1)

        with tempfile.TemporaryDirectory(prefix="lsm-stan-") as folder:
            data = write_data(Path(folder, "data.json"), self.stan_data())

            def gradients(points: FloatArray) -> FloatArray:
                return log_prob_grad(self.executable, data, points, threads=self.threads)[1]

            found = newton_step(gradients, flat(values), gradient, root)
        checks = [
            _newton_check(found.newton_gain, "" if found.settled else "at least "),
            Check(
                "curvature",
                found.is_mode,
                f"the log joint falls in the {found.products} directions looked at (the Hessian of"
                f" {gradient.size:,} parameters was not computed: they are more than"
                f" {MAX_CURVATURE_SIZE:,})"
                if found.is_mode
                else "the log joint still rises along a direction: no mode. Try more starts or"
                " another form; this model may have no mode here",
            ),
        ]
        return checks, {"newton_gain": found.newton_gain, "newton_step": found.as_record()}


def accepted_arguments(method: Method) -> list[str]:
    """Return the arguments of a method: our own first, then those passed to CmdStanPy."""
    own = inspect.signature(getattr(LatentSpaceModel, method.verb)).parameters
    passed = inspect.signature(getattr(cmdstanpy.CmdStanModel, method.verb)).parameters
    ours = {"self", "seed", "cmdstan", *WITHHELD["all"], *WITHHELD[method.verb]}
    return [name for name in dict.fromkeys([*own, *passed]) if name not in ours]


def requested_arguments(method: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a method is asked to do, defaults of our own included, for the record.

    Raises
    ------
    InputError
        If there is no such method or argument, or not with this value.
    """
    found = find_method(method)
    accepted = accepted_arguments(found)
    own = getattr(LatentSpaceModel, found.verb)
    hints = CMDSTAN | get_type_hints(own, include_extras=True)
    for name, value in arguments.items():
        if name not in accepted:
            raise InputError(
                f"method {method} has no argument {name!r}; it takes {', '.join(accepted)}"
            )
        if name in hints and name != "init":
            _check_value(method, name, value, hints[name])
    parameters = inspect.signature(own).parameters.values()
    defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
    asked = {**defaults, **arguments}
    _check_together(method, asked)
    del asked["show_progress"]  # says nothing of the result
    return {name: _plain(value) for name, value in asked.items() if value is not None}


def _check_value(method: str, name: str, value: Any, hint: Any) -> None:
    try:
        TypeAdapter(hint).validate_python(_plain(value), strict=True)
    except ValidationError as error:
        wanted = error.errors()[0]["msg"].removeprefix("Input should be ")
        raise InputError(f"{method}: {name} is {value!r}; needed: {wanted}") from error


def _check_together(method: str, asked: Mapping[str, Any]) -> None:
    """Check the sampler's arguments that depend on others."""
    steps, chains = _plain(asked.get("step_size")), asked.get("chains")
    if steps is not None:
        each = isinstance(steps, list)
        _check_value(method, "step_size", steps, list[Positive] if each else Positive)
        if each and len(steps) != chains:
            raise InputError(
                f"{method}: step_size has {len(steps)} values; one is needed, or one for each of"
                f" the {chains} chains"
            )
    given = [name for name in OF_ADAPTATION if asked.get(name) is not None]
    if asked.get("adapt_engaged") is False and given:
        raise InputError(
            f"{method}: {given[0]} is {asked[given[0]]!r}, but adapt_engaged is False; drop one of"
            " them"
        )
    if asked.get("iter_warmup") == 0 and asked.get("adapt_engaged") is not False:
        raise InputError(
            f"{method}: iter_warmup is 0, which leaves nothing to adapt in; needed: at least 1, or"
            " adapt_engaged = False"
        )


def _newton_check(gain: float, bound: str = "") -> Check:
    return Check(
        "gradient",
        gain <= MAX_NEWTON_GAIN,
        f"a Newton step would gain {bound}{gain:.2g} nats (at most {MAX_NEWTON_GAIN:g} at a mode)",
    )


def read_start(init: Init) -> Parameters:
    """Read starting values: a fit, its folder, a file, parameters or positions.

    Raises
    ------
    InputError
        If there are none, or they are not finite numbers.
    """
    if isinstance(init, Fit):
        return init.estimate
    if isinstance(init, np.ndarray):
        return _finite({"z": init}, "init")
    if isinstance(init, Mapping):
        return _finite(init, "init")
    path = Path(init)
    if path.is_dir():
        return Fit.load(path).estimate
    try:
        loaded = np.load(path, allow_pickle=False)
        values = dict(loaded) if isinstance(loaded, Mapping) else {"z": loaded}
    except (OSError, ValueError) as error:
        raise InputError(
            f"init is {str(init)!r}; 'map', 'random', a fit's folder or an .npy file is needed"
        ) from error
    return _finite(values, f"init, {path},")


def _finite(values: Mapping[str, Any], source: str) -> Parameters:
    """Return starting values as numbers; raise InputError where they are none, or without z."""
    if "z" not in values:
        raise InputError(f"{source} has {', '.join(values) or 'nothing'}; positions z are needed")
    numbers = {}
    for name, value in values.items():
        try:
            numbers[name] = np.asarray(value, dtype=float)
        except (TypeError, ValueError) as error:
            raise InputError(f"{source} has {name} that is no array of numbers: {error}") from error
        if not np.isfinite(numbers[name]).all():
            raise InputError(f"{source} has {name} with NaN or infinite numbers; finite are needed")
    return numbers


def _plain(value: Any) -> Any:
    """Return a value that JSON and TOML can hold; positions are kept in a file of their own."""
    if isinstance(value, Fit | Mapping) or (isinstance(value, np.ndarray) and value.ndim > 1):
        return "given positions"
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, tuple):
        return list(value)
    return str(value) if isinstance(value, Path) else value
