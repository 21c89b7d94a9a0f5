"""A thin wrapper over CmdStanPy: one model, its methods, one kind of result.

Methods are named after CmdStanPy's own. An argument that a method does not know itself is
passed to CmdStanPy's method as it is, unless it is in
`lsm_stan.inference.arguments.WITHHELD`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from lsm_stan.choices import Kernel, Sum
from lsm_stan.errors import InputError
from lsm_stan.inference.approximate import TOLERANCE, approximate_mode, check_arguments
from lsm_stan.inference.arguments import Count, NotNegative, Positive, requested
from lsm_stan.inference.compiled_model import CompiledModel
from lsm_stan.inference.continuation import LADDERS
from lsm_stan.inference.fit import Fit
from lsm_stan.inference.hops import usual_hops
from lsm_stan.inference.laplace import approximate_at_mode
from lsm_stan.inference.layered_problem import problem_of
from lsm_stan.inference.methods import METHODS, find_method
from lsm_stan.inference.moves import has_moves
from lsm_stan.inference.optimize import best_mode
from lsm_stan.inference.pathfinder import approximate_along_paths
from lsm_stan.inference.preconditioning import MAX_NODES
from lsm_stan.inference.problem import Problem
from lsm_stan.inference.run import Run
from lsm_stan.inference.sample import sample_posterior
from lsm_stan.inference.setting_out import first_change, starts_for
from lsm_stan.inference.starts import Init, given_start, is_made, is_random
from lsm_stan.inference.variational import approximate
from lsm_stan.inference.vi import approximate_in_closed_form, check_served, count_sites
from lsm_stan.model.family import ModelSpec
from lsm_stan.model.layering import Layering
from lsm_stan.model.parameters import Parameters
from lsm_stan.model.stan_data import DIAGONAL_JITTER
from lsm_stan.network.layers import Layers
from lsm_stan.network.network import Network
from lsm_stan.typing import plain


class LatentSpaceModel(CompiledModel):
    """The latent space model of one network; nothing is compiled before the first fit.

    Parameters
    ----------
    network : Network or Layers
        N nodes and their weighted edges; or several networks of the same nodes.
    dim : int, default 3
        K, the number of latent dimensions.
    model : str or ModelSpec, default "tutorial"
        A name of :data:`lsm_stan.model.family.MODELS`, or any other model of the family.
    prior_scale : float or None, default None
        Standard deviation of each coordinate's normal prior; where it is learned, at modes only.
        By default :meth:`lsm_stan.model.family.ModelSpec.default_scale`.
    jitter : float, default 1e3
        Added to the squared distance of a node to itself; the tutorial's 1e3.
    kernel : {"cpp", "stan"}, default "cpp"
        What the likelihood's sums are in; those in the Stan language are there to be read.
    threads : int, default 1
        Threads that share each process's sum over pairs; worth it for thousands of nodes.
    layers : {"shared", "exchangeable", "ordered"}, Layering, mapping or None, default None
        How the positions of layers hang together (:mod:`lsm_stan.model.layering`); ``+effects`` may
        follow, effects by layer. Needed for layers, and for nothing else. Their fits are of type
        :class:`lsm_stan.inference.layered_fit.LayeredFit`.

    Raises
    ------
    InputError
        If a number is out of its range, there is no such model, or the network's weights cannot be
        its, or it has not the covariates.

    Notes
    -----
    Methods raise InputError for a wrong argument, and InferenceError where CmdStan fails.

    Examples
    --------
    >>> network = Network.from_edges(["a", "b", "c"], ["b", "c", "a"], [3, 1, 2])
    >>> model = LatentSpaceModel(network, dim=2)
    >>> model.prior_predictive(draws=5).prior["z"].shape
    (1, 5, 3, 2)
    """

    def __init__(
        self,
        network: Network | Layers,
        dim: int = 3,
        *,
        model: str | ModelSpec = "tutorial",
        prior_scale: float | None = None,
        jitter: float = DIAGONAL_JITTER,
        kernel: Kernel = "cpp",
        threads: int = 1,
        layers: str | Layering | Mapping[str, Any] | None = None,
    ) -> None:
        problem = problem_of(
            network, dim, model=model, prior_scale=prior_scale, jitter=jitter, layers=layers
        )
        super().__init__(problem, kernel, plain(threads))

    def fit(self, method: str, *, seed: int, **arguments: Any) -> Fit:
        """Run a method by its name.

        Parameters
        ----------
        method : str
            A key of :data:`METHODS`.
        seed : int
            The same seed and inputs give the same result.
        **arguments : Any
            Arguments of that method, or of CmdStanPy's method of the same name.

        Returns
        -------
        Fit
        """
        run: Callable[..., Fit] = getattr(self, find_method(method).verb)
        return run(seed=seed, **arguments)

    def optimize(
        self,
        *,
        seed: int,
        starts: Count = 8,
        ladder: Sequence[Positive] | None = None,
        hops: NotNegative | None = None,
        sum: Sum | None = None,  # noqa: A002
        tolerance: Positive | None = None,
        show_progress: bool = True,
        **cmdstan: Any,
    ) -> Fit:
        """Find the posterior mode by softened continuation from several starts.

        Parameters
        ----------
        seed : int
            Seed of the starting positions, drawn from the prior.
        starts : int, default 8
            Number of starts; the best mode is kept, the others' losses are recorded.
        ladder : sequence of float, or None, default None
            Softenings ε of the successive runs, in units of distance, before the exact model;
            empty for one plain L-BFGS run a start. By default that of the form in
            :data:`lsm_stan.inference.continuation.LADDERS`. These runs leave clusters out, at least
            one of them, at 0; k-means then finds the first centres.
        hops : int or None, default None
            Number of hops (:mod:`lsm_stan.inference.hops`) that go on from the best start's end; by
            default 2 a node, and fewer for more than 300 nodes; of layers none.
        sum : {"exact", "approximate"} or None, default None
            Whether the sum over pairs of nodes visits every pair, which is the default, or is
            approximate (:mod:`lsm_stan.inference.approximate`), for more than some 10,000 nodes. An
            approximate one has no ladder and no hops.
        tolerance : float or None, default None
            Relative error of the log joint that an approximate sum may have; 1e-4 by default.
        show_progress : bool, default True
            Show progress bars.
        **cmdstan : Any
            Further arguments of ``cmdstanpy.CmdStanModel.optimize``.

        Returns
        -------
        Fit
            One chain of one draw: the best mode.

        Raises
        ------
        InputError
            If an approximate sum does not serve the model or an argument.
        """
        rungs = None if ladder is None else list(ladder)
        asked = {"starts": starts, "ladder": rungs, "hops": hops, "sum": sum, **cmdstan}
        if sum == "approximate":
            check_arguments(self.problem, ladder, hops, cmdstan)
            allowed = TOLERANCE if tolerance is None else plain(tolerance)
            run = self._run("map", seed, {**asked, "tolerance": allowed}, show_progress)
            return approximate_mode(run, plain(starts), allowed, cmdstan.get("iter"))
        if tolerance is not None:
            raise InputError(f"map: tolerance is {tolerance}; it is of sum = 'approximate'")
        run = self._run("map", seed, asked, show_progress)
        hops = _hops(self.problem, plain(hops))
        softenings = plain(list(LADDERS[self.spec.form] if ladder is None else ladder))
        if self.spec.clusters:
            # a centre stays with whatever nodes it starts among: it starts, by k-means, where
            # the nodes have come together without it
            softenings = softenings or [0.0]
        return best_mode(run, self.log_joint, starts, softenings, hops, cmdstan)

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
        seed : int
            Seed of the start and of CmdStan.
        init : Init, default "map"
            The start; see :data:`Init`.
        precondition : bool or None, default None
            As in :meth:`sample`: a mean-field Gaussian of ``z_raw`` has the network's own
            correlations in z. By default where the start is a mode: from a random start ADVI then
            stops at a poor place.
        show_progress : bool, default True
            Show the progress bar of a MAP that is found first.
        **cmdstan : Any
            Further arguments of ``cmdstanpy.CmdStanModel.variational``.

        Returns
        -------
        Fit
            One chain of draws from the approximation; the estimate is its mean.
        """
        asked = {"init": init, "precondition": precondition, **cmdstan}
        run, start = self._begin("advi", seed, asked, show_progress)
        if precondition is None:
            precondition = not is_random(init)
        change = first_change(run, init, start, self.optimize) if precondition else None
        run.say("one approximation")
        return approximate(run, start[0], change, cmdstan)

    def pathfinder(
        self,
        *,
        seed: int,
        init: Init = "map",
        paths: Count = 4,
        draws: Count = 1000,
        precondition: bool = True,
        show_progress: bool = True,
    ) -> Fit:
        """Approximate the posterior by the best normal densities on L-BFGS's way to a mode.

        Parameters
        ----------
        seed : int
            Seed of the starts and of the draws.
        init : Init, default "map"
            Where the paths set out, set apart by noise; see :data:`Init`.
        paths : int, default 4
            Number of paths.
        draws : int, default 1000
            Number of draws, drawn again by their importance.
        precondition : bool, default True
            As in :meth:`sample`.
        show_progress : bool, default True
            Show the progress bar of a MAP that is found first.

        Returns
        -------
        Fit
            One chain of draws; the estimate is their mean.
        """
        asked = {"init": init, "paths": paths, "draws": draws, "precondition": precondition}
        run, starts = self._begin("pathfinder", seed, asked, show_progress, paths)
        change = first_change(run, init, starts, self.optimize) if precondition else None
        return approximate_along_paths(run, starts, change, draws)

    def vi(
        self,
        *,
        seed: int,
        init: Init = "map",
        covariance: Literal["shared", "isotropic"] | None = None,
        draws: Count = 1000,
        show_progress: bool = True,
    ) -> Fit:
        """Fit the normal density of highest ELBO, which has a closed form; nothing is random.

        Parameters
        ----------
        seed : int
            Seed of the start and of the draws.
        init : Init, default "map"
            The start; see :data:`Init`. A random one is annealed.
        covariance : {"shared", "isotropic"} or None, default None
            Whether the positions have a covariance, the same in every coordinate, or each a
            variance of its own. By default they have one up to
            :data:`lsm_stan.inference.preconditioning.MAX_NODES` of them.
        draws : int, default 1000
            Number of draws.
        show_progress : bool, default True
            Show the progress bar of a MAP that is found first.

        Returns
        -------
        Fit
            One chain of draws; the estimate is the density's mean. Its ``elbo`` has every constant,
            and is exact (``elbo_exact``) for Poisson models without clusters, else a lower bound.

        Raises
        ------
        InputError
            If the model is none of those served; see
            :func:`lsm_stan.inference.vi.check_served`.
        """
        if covariance is None:
            covariance = "shared" if count_sites(self.problem) <= MAX_NODES else "isotropic"
        check_served(self.problem, covariance)
        asked = {"init": init, "covariance": covariance, "draws": draws}
        run, start = self._begin("vi", seed, asked, show_progress)
        return approximate_in_closed_form(
            run, start[0], annealed=is_random(init), shared=covariance == "shared", draws=draws
        )

    def laplace(
        self,
        *,
        seed: int,
        init: Init = "map",
        draws: Count = 1000,
        show_progress: bool = True,
    ) -> Fit:
        """Approximate the posterior by the normal density that has its curvature at a mode.

        Parameters
        ----------
        seed : int
            Seed of the mode's starts and of the draws.
        init : Init, default "map"
            The mode, or near one; see :data:`Init`.
        draws : int, default 1000
            Number of draws.
        show_progress : bool, default True
            As in :meth:`optimize`.

        Returns
        -------
        Fit
            One chain of draws; the estimate is the mode. Scales are fixed. Rotations of the
            positions have no spread: the posterior is flat along them.
        """
        asked = {"init": init, "draws": draws}
        run, start = self._begin("laplace", seed, asked, show_progress)
        return approximate_at_mode(run, start[0], draws)

    def sample(
        self,
        *,
        seed: int,
        chains: Count = 4,
        init: Init = "map",
        precondition: bool = True,
        moves: bool | None = None,
        unfinished: str | Path | None = None,
        show_progress: bool = True,
        **cmdstan: Any,
    ) -> Fit:
        """Sample the posterior with NUTS.

        Parameters
        ----------
        seed : int
            Seed of the starts and of CmdStan.
        chains : int, default 4
            Number of chains.
        init : Init, default "map"
            The chains' start; see :data:`Init`. With ``"map"``, the default, every chain
            starts in one mode and explores that mode, not the whole posterior.
        precondition : bool, default True
            Sample ``z_raw`` with ``z = C z_raw`` (:mod:`lsm_stan.inference.preconditioning`), C
            from the start and then from a short first run. Other models than ``tutorial``, and
            networks too large for an N×N factor, are sampled as they are: see ``preconditioned``.
        moves : bool or None, default None
            Whether single nodes and groups of nodes also move by themselves, between NUTS's
            transitions, to places that NUTS seldom reaches (:mod:`lsm_stan.inference.moves`). It
            leaves the posterior as it is. By default where it can be: in preconditioned coordinates
            with no other metric of NUTS. Trees are then of depth 6 unless ``max_treedepth`` says
            otherwise.
        unfinished : str, Path or None, default None
            A folder for CmdStan's files: after an interruption the same call goes on from there.
        show_progress : bool, default True
            Show progress bars.
        **cmdstan : Any
            Further arguments of ``cmdstanpy.CmdStanModel.sample``.

        Returns
        -------
        Fit
            The estimate is the mean of the draws, aligned.
        """
        chains = plain(chains)
        asked = {"chains": chains, "init": init, "precondition": precondition, "moves": moves}
        asked |= cmdstan
        moved = has_moves(self.problem, moves, precondition, cmdstan)
        run, starts = self._begin("nuts", seed, asked, show_progress, chains, unfinished)
        change = first_change(run, init, starts, self.optimize) if precondition else None
        return sample_posterior(run, starts, change, moved, cmdstan)

    def _begin(
        self,
        method: str,
        seed: int,
        arguments: Mapping[str, Any],
        show_progress: bool,
        count: int = 1,
        unfinished: str | Path | None = None,
    ) -> tuple[Run, list[Parameters]]:
        """Begin a run with its starts; a given one is read before anything is compiled."""
        init = arguments["init"]
        given = None if is_made(init) else given_start(self.problem, init)
        run = self._run(method, seed, arguments, show_progress)
        if unfinished is not None:
            run.go_on_in(Path(unfinished), given)
        return run, starts_for(run, given, init, count, self.optimize)

    def _run(
        self, method: str, seed: int, arguments: Mapping[str, Any], show_progress: bool
    ) -> Run:
        """Begin a run; the program is compiled first, if it has to be."""
        asked = requested_arguments(method, arguments)
        return Run(self.problem, self.compiled, METHODS[method], seed, asked, show_progress)


def _hops(problem: Problem, asked: int | None) -> int:
    """Return how many hops a search has; raise InputError where layers are asked to hop."""
    if not problem.layered:
        return usual_hops(problem.network.n_nodes) if asked is None else asked
    if asked:
        raise InputError(
            f"map: hops is {asked}, and nodes of layers do not hop; leave it out, or take more"
            f" starts"
        )
    return 0


def requested_arguments(method: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a method is asked to do, this package's defaults included, for the record.

    Parameters
    ----------
    method : str
        A key of :data:`METHODS`.
    arguments : Mapping
        What the caller asks for, by name.

    Returns
    -------
    dict
    """
    asked = find_method(method)
    return requested(asked, getattr(LatentSpaceModel, asked.verb), arguments)
