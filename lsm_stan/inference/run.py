"""One run of one method: CmdStan's files, its failures, the clock and the record."""

from __future__ import annotations

import json
import logging
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from cmdstanpy.utils import get_logger
from numpy.typing import NDArray

from lsm_stan.cmdstan.compilation import write_data
from lsm_stan.cmdstan.versions import versions
from lsm_stan.errors import InferenceError, InputError
from lsm_stan.inference.fit import INIT, Fit, Scratch
from lsm_stan.inference.methods import Method
from lsm_stan.model.parameters import Parameters
from lsm_stan.posterior import idata as container
from lsm_stan.posterior.checks import Check
from lsm_stan.posterior.clusters import find_clusters, mean_clusters
from lsm_stan.processes import LAST_LINES
from lsm_stan.progress import print_progress

if TYPE_CHECKING:
    from lsm_stan.inference.latent_space_model import LatentSpaceModel

# What CmdStanPy logs of each run is in the fit's record, or in an error of ours.
get_logger().setLevel(logging.CRITICAL)

FloatArray = NDArray[np.float64]

#: The largest seed that CmdStan takes for certain.
MAX_SEED = 2**31 - 1


class Execution:
    """A run in progress.

    Parameters
    ----------
    model
        What is fitted; compiled here if it has to be, before the clock starts.
    method
        How.
    seed
        Given to CmdStan.
    arguments
        What was asked for, for the record.
    show_progress
        Whether to say what is being done.
    """

    def __init__(
        self,
        model: LatentSpaceModel,
        method: Method,
        seed: int,
        arguments: dict[str, Any],
        show_progress: bool,
    ) -> None:
        if not 0 <= seed <= MAX_SEED:
            raise InputError(f"seed is {seed}; an integer from 0 to {MAX_SEED} is needed")
        self.model = model
        self.show_progress = show_progress
        self.method = method
        self.seed = seed
        self.arguments = arguments
        self._verb = getattr(model.executable, method.verb)
        self._scratch = Scratch()
        self._started = time.perf_counter()

    def say(self, step: str) -> None:
        """Tell what is being done."""
        if self.show_progress:
            print_progress(f"{self.method.title}: {step}")

    @contextmanager
    def folder(self, name: str | None) -> Iterator[str]:
        """Give a folder for CmdStan's files: kept with the fit under a name, or thrown away."""
        if name is None:
            with tempfile.TemporaryDirectory(prefix="lsm-stan-") as thrown_away:
                yield thrown_away
        else:
            kept = self._scratch.path / name
            kept.mkdir()
            yield str(kept)

    def keep_start(self, parameters: Parameters) -> None:
        """Keep starting values with the fit, so that it can be repeated."""
        np.savez(self._scratch.path / INIT, **parameters)  # type: ignore[arg-type]

    def cmdstan(self, data: Mapping[str, Any] | Path, **arguments: Any) -> Any:
        """Run CmdStanPy's method of the same name on Stan data, or a JSON file of them.

        Raises
        ------
        InputError
            If CmdStanPy refuses an argument.
        InferenceError
            If the executable fails, or takes longer than was asked for.
        """
        # CmdStanPy hands it on to CmdStan, whose own threads go by it
        os.environ["STAN_NUM_THREADS"] = str(self.model.threads)
        try:
            with self.folder(None) as folder:
                file = (
                    data if isinstance(data, Path) else write_data(Path(folder, "data.json"), data)
                )
                return self._verb(data=str(file), seed=self.seed, **arguments)
        except (TypeError, ValueError) as error:
            raise InputError(f"{self.method.name}: {error}") from error
        except TimeoutError as error:
            raise InferenceError(f"{self.method.name}: {error}") from error
        except RuntimeError as error:
            console = _last_lines(Path(arguments["output_dir"])) or str(error)
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
    ) -> Fit:
        """Stop the clock and assemble the fit.

        Parameters
        ----------
        draws
            Parameters with leading axes ``(chain, draw)``.
        log_joint
            ``(chain, draw)``.
        estimate
            Parameters without; clusters are those of the draws, their labels matched.
        checks
            All must have passed for the fit to count as converged.
        details
            Numbers of the method, for the record.
        sample_stats
            ``(chain, draw)`` columns of a sampler.
        """
        seconds = time.perf_counter() - self._started
        model, network = self.model, self.model.network
        if model.spec.clusters:
            found = find_clusters(model.spec, draws, estimate["z"], model.prior_scale)
            estimate = {**estimate, **mean_clusters(found, draws)}
        at_estimate = float(model.log_prob(**estimate)[0])
        record = {
            "method": self.method.name,
            "seed": self.seed,
            "seconds": round(seconds, 3),
            "log_joint": at_estimate,
            "loss": -at_estimate,
            "nodes": network.n_nodes,
            "dim": model.dim,
            "total_weight": network.total_weight,
            "converged": all(check.passed for check in checks),
            "warnings": [check.message for check in checks if not check.passed],
            "checks": [check.as_record() for check in checks],
            "details": details,
            "arguments": self.arguments,
            "model_name": model.spec.label,
            "model": model.as_record(),
            "program": model.program,
            "network": {
                "title": network.title,
                "digest": model.digest,
                "directed": network.directed,
                "edges": network.n_edges,
                "hidden": network.n_hidden,
                "notes": list(network.notes),
            },
            "versions": versions(model.toolchain),
        }
        provenance = ("method", "seed", "seconds", "log_joint", "arguments", "versions")
        attrs = {name: record[name] for name in provenance} | {"network_digest": model.digest}
        built = container.build(
            network,
            draws=draws,
            log_joint=log_joint,
            estimate=estimate,
            sample_stats=sample_stats,
            constants={"prior_scale": model.prior_scale, "jitter": model.jitter},
            coords=model.spec.coords,
            # netCDF attributes are numbers and text
            attrs={k: json.dumps(v) if isinstance(v, dict) else v for k, v in attrs.items()},
        )
        return Fit(network, built, record, self._scratch.path, self._scratch)


def _last_lines(folder: Path) -> str:
    """Return what CmdStan printed last in a folder of its output."""
    for console in sorted(folder.glob("*.txt")):
        lines = console.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        if lines:
            return "\n".join(lines[-LAST_LINES:])
    return ""
