"""One run of one method: CmdStan's files, its failures, the clock and the record."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from cmdstanpy.utils import get_logger
from numpy.typing import NDArray

from lsm_stan.cmdstan.compiled import Compiled
from lsm_stan.cmdstan.density import write_data
from lsm_stan.cmdstan.versions import versions
from lsm_stan.errors import InferenceError, InputError, MachineError
from lsm_stan.files import ROOM_THERE, ensure_room, needs_room, write_whole
from lsm_stan.inference.fit import Fit
from lsm_stan.inference.fit_folder import INIT
from lsm_stan.inference.layered_fit import LayeredFit
from lsm_stan.inference.layered_problem import LayeredProblem
from lsm_stan.inference.log_joint import LogJoint
from lsm_stan.inference.methods import Method
from lsm_stan.inference.problem import Problem
from lsm_stan.inference.record import FitRecord, NetworkRecord
from lsm_stan.inference.starts import without_path
from lsm_stan.inference.unfinished import FILES, claim, digest_of_start
from lsm_stan.model.parameters import Parameters
from lsm_stan.posterior import idata as container
from lsm_stan.posterior.checks import Check
from lsm_stan.posterior.clusters import find_clusters, mean_clusters
from lsm_stan.processes import LAST_LINES, limit_reached
from lsm_stan.progress import print_progress
from lsm_stan.temporary import Scratch, temporary_folder
from lsm_stan.typing import FloatArray, plain

# What CmdStanPy logs of each run is in the fit's record, or in an error of this package.
get_logger().setLevel(logging.CRITICAL)


#: What the name of a file of moves has after that of the data that it lies beside.
MOVES = ".moves.json"

#: Digits of CmdStan's CSV files: a distance of 0.01 keeps its first seven.
SIG_FIGS = 10

#: The largest seed that CmdStan takes for certain.
MAX_SEED = 2**31 - 1


class Run:
    """A run in progress. Its clock starts at once: what is compiled comes first.

    Parameters
    ----------
    problem : Problem
        The model and the network that are fitted.
    compiled : Compiled
        The program that runs.
    method : Method
        The method that fits them.
    seed : int
        Seed that CmdStan is given.
    arguments : dict
        What was asked for, for the record.
    show_progress : bool
        Whether to say what is being done.

    Attributes
    ----------
    from_before : dict of str to list of int
        How many draws of each chain an earlier process had made, by the chains' folder.

    Raises
    ------
    InputError
        If CmdStan takes no such seed.
    """

    def __init__(
        self,
        problem: Problem,
        compiled: Compiled,
        method: Method,
        seed: int,
        arguments: dict[str, Any],
        show_progress: bool,
    ) -> None:
        seed = plain(seed)
        if type(seed) is not int or not 0 <= seed <= MAX_SEED:
            raise InputError(f"seed is {seed!r}; an integer from 0 to {MAX_SEED} is needed")
        self.problem = problem
        self.compiled = compiled
        self.show_progress = show_progress
        self.method = method
        self.seed = seed
        self.arguments = arguments
        self.from_before: dict[str, list[int]] = {}
        self._scratch: Scratch | None = Scratch()
        self._files = self._scratch.path
        self._started = time.perf_counter()

    def go_on_in(self, folder: Path, start: Parameters | None) -> None:
        """Keep CmdStan's files where an interruption leaves them, and take up what one has left.

        Parameters
        ----------
        folder : Path
            The folder (:mod:`lsm_stan.inference.unfinished`), which may be there.
        start : dict of str to ndarray, or None
            The start that was given.

        Raises
        ------
        InputError
            If the folder holds something else.
        """
        all_versions = versions(self.compiled.toolchain)
        asked = {
            "method": self.method.name,
            "seed": self.seed,
            "arguments": without_path(self.arguments),
            "start": digest_of_start(start),
            "model": {**self.problem.as_record(), **self.compiled.as_record()},
            "network": self.problem.digest,
            "program": self.compiled.program,
            "versions": {name: all_versions[name] for name in ("lsm-stan", "cmdstan")},
        }
        with needs_room(f"{folder} was not written: ", ROOM_THERE):
            self._started -= claim(folder, asked)
        self._files, self._scratch = folder / FILES, None

    def seed_after(self, chain: int, draws: int) -> int:
        """Return a seed for a chain that goes on: under its own it would take numbers again.

        Parameters
        ----------
        chain : int
            The chain's number, from 1.
        draws : int
            How many it has made.

        Returns
        -------
        int
        """
        [word] = np.random.SeedSequence([self.seed, chain, draws]).generate_state(1)
        return int(word) % MAX_SEED

    def made_once(self, name: str, make: Callable[[], Parameters]) -> Parameters:
        """Return parameters that take long to make; an interruption does not lose them.

        Parameters
        ----------
        name : str
            The name of their file.
        make : callable
            Makes them where they are not there yet.

        Returns
        -------
        dict of str to ndarray
            Parameters without leading axes.
        """
        if self._scratch is not None:
            return make()
        file = self._files / f"{name}.npz"
        if not file.exists():
            content = BytesIO()
            np.savez(content, **make())  # type: ignore[arg-type]
            write_whole(file, content.getvalue())
        return dict(np.load(file))

    def say(self, step: str) -> None:
        """Tell what is being done.

        Parameters
        ----------
        step : str
            What is done next.
        """
        if self.show_progress:
            print_progress(f"{self.method.title}: {step}")

    @contextmanager
    def folder(self, name: str | None) -> Iterator[str]:
        """Give a folder for CmdStan's files: kept with the fit under a name, or thrown away.

        Parameters
        ----------
        name : str or None
            The folder's name; None for one that is thrown away.

        Yields
        ------
        str
            Path of the folder.
        """
        with contextlib.ExitStack() as stack:
            if name is None:
                folder = stack.enter_context(temporary_folder())
            else:
                folder = self._files / name
                folder.mkdir(exist_ok=True)
            try:
                yield str(folder)
            except Exception:
                ensure_room(folder)
                raise

    def keep_start(self, parameters: Parameters) -> None:
        """Keep starting values with the fit, so that it can be repeated.

        Parameters
        ----------
        parameters : dict of str to ndarray
            Parameters without leading axes.
        """
        np.savez(self._files / INIT, **parameters)  # type: ignore[arg-type]

    def keep_files(self, folder: Path) -> None:
        """Keep CmdStan's files of an earlier run with the fit.

        Parameters
        ----------
        folder : Path
            Where they are.
        """
        with needs_room():
            shutil.copytree(folder, self._files, dirs_exist_ok=True)

    def cmdstan(
        self,
        data: Mapping[str, Any] | Path,
        *,
        moves: Mapping[str, Any] | None = None,
        **arguments: Any,
    ) -> Any:
        """Run CmdStanPy's method of the same name.

        Parameters
        ----------
        data : Mapping or Path
            Stan data, or a JSON file of them.
        moves : Mapping or None, default None
            Moves between transitions of NUTS, as :func:`lsm_stan.inference.moves.moves_data` has
            them.
        **arguments : Any
            Further arguments of CmdStanPy, a seed among them where it is not the run's.

        Returns
        -------
        Any
            What CmdStanPy returns.

        Raises
        ------
        InputError
            If CmdStanPy refuses an argument.
        InferenceError
            If the executable fails, or takes longer than was asked for.
        MachineError
            If there is no room for its files, or no memory.
        """
        # CmdStanPy hands it on to CmdStan, whose threads go by it
        os.environ["STAN_NUM_THREADS"] = str(self.compiled.threads)
        try:
            with self.folder(None) as folder:
                with needs_room():
                    file = (
                        data
                        if isinstance(data, Path)
                        else write_data(Path(folder, "data.json"), data)
                    )
                    if moves is not None:
                        write_data(Path(f"{file}{MOVES}"), moves)
                plain_arguments = {name: plain(value) for name, value in arguments.items()}
                verb = getattr(self.compiled.executable, self.method.verb)
                return verb(data=str(file), **{"seed": self.seed, **plain_arguments})
        except (TypeError, ValueError) as error:
            raise InputError(f"{self.method.name}: {error}") from error
        except TimeoutError as error:
            raise InferenceError(f"{self.method.name}: {error}") from error
        except RuntimeError as error:
            console = _last_lines(Path(arguments["output_dir"])) or str(error)
            if limit := limit_reached(_code_of(str(error)), console):
                raise MachineError(f"{self.method.name}: CmdStan failed: {limit}") from error
            raise InferenceError(f"{self.method.name}: CmdStan failed:\n{console}") from error

    def finish(
        self,
        *,
        draws: Parameters,
        log_joint: FloatArray,
        estimate: Parameters,
        checks: list[Check],
        details: dict[str, Any],
        sample_stats: Mapping[str, NDArray[Any]] | None = None,
        height: float | None = None,
    ) -> Fit:
        """Stop the clock and assemble the fit.

        Parameters
        ----------
        draws : dict of str to ndarray
            Parameters with leading axes ``(chain, draw)``.
        log_joint : ndarray of shape (chain, draw)
            Log joint densities, in nats.
        estimate : dict of str to ndarray
            Parameters without leading axes; clusters are those of the draws, their labels matched.
        checks : list of Check
            All must have passed for the fit to count as converged.
        details : dict
            The method's numbers, for the record.
        sample_stats : dict of str to ndarray of shape (chain, draw), or None, default None
            Columns of a sampler.
        height : float or None, default None
            The log joint density of the estimate, in nats; by default it is evaluated, exactly.

        Returns
        -------
        Fit
        """
        seconds = time.perf_counter() - self._started
        problem, compiled = self.problem, self.compiled
        network, spec = problem.network, problem.spec
        if spec.clusters:
            clusters = find_clusters(spec, draws, estimate["z"], problem.prior_scale)
            estimate = {**estimate, **mean_clusters(clusters, draws)}
        if height is None:
            height = float(LogJoint(problem, compiled).at(estimate)[0])
        record = FitRecord(
            method=self.method.name,
            seed=self.seed,
            seconds=round(seconds, 3),
            log_joint=height,
            nodes=network.n_nodes,
            dim=problem.dim,
            total_weight=network.total_weight,
            checks=checks,
            details=details,
            arguments=self.arguments,
            model_name=spec.label,
            model={**problem.as_record(), **compiled.as_record()},
            program=compiled.program,
            network=NetworkRecord(
                title=network.title,
                digest=problem.digest,
                directed=network.directed,
                edges=network.n_edges,
                hidden=network.n_hidden,
                notes=network.notes,
                layers=problem.layers.labels if isinstance(problem, LayeredProblem) else (),
            ),
            versions=versions(compiled.toolchain),
        )
        provenance = ("method", "seed", "seconds", "log_joint", "arguments", "versions")
        attrs = {name: getattr(record, name) for name in provenance}
        attrs["network_digest"] = problem.digest
        built = container.build(
            network,
            draws=draws,
            log_joint=log_joint,
            estimate=estimate,
            sample_stats=sample_stats,
            constants={"prior_scale": problem.prior_scale, "jitter": problem.jitter},
            coords=problem.coords,
            # netCDF attributes are numbers and text
            attrs={k: json.dumps(v) if isinstance(v, dict) else v for k, v in attrs.items()},
        )
        made = network, built, record, self._files, self._scratch
        if isinstance(problem, LayeredProblem):
            return LayeredFit(*made, layers=problem.layers)
        return Fit(*made)


def _code_of(message: str) -> int:
    """Return how a process of CmdStan ended, from what CmdStanPy says: minus a signal's number."""
    codes = re.search(r"retcodes=\[([^\]]*)\]", message)
    return min((int(code) for code in re.findall(r"-?\d+", codes[1] if codes else "")), default=0)


def _last_lines(folder: Path) -> str:
    """Return what CmdStan printed last in a folder of its output."""
    for console in sorted(folder.glob("*.txt")):
        lines = console.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        if lines:
            return "\n".join(lines[-LAST_LINES:])
    return ""
