"""Is the inference right? ``python -m benchmarks.calibration reports/calibration``.

Parameters are drawn from a model's priors, a network from the model at them, NUTS is run on the
network, and true values are ranked among its draws: for simulation-based calibration of a few
models, for the coverage of intervals of all. Finished simulations are kept in the folder, so that
an interrupted run goes on.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from cmdstanpy import CmdStanModel
from tqdm import tqdm

from benchmarks import calibration_report
from benchmarks.ranks import FloatArray, rank
from lsm_stan import LatentSpaceModel, simulate
from lsm_stan import idata as container
from lsm_stan.compilation import sources_digest
from lsm_stan.dyads import log_mean, mean_weight, pair_log_likelihood
from lsm_stan.errors import LsmStanError
from lsm_stan.holdout import hold_out
from lsm_stan.invariants import pair_distances, radii
from lsm_stan.models import MODELS, ModelSpec, find_model
from lsm_stan.parameters import NODE_PARAMETERS, Parameters
from lsm_stan.simulation import draw_parameters
from lsm_stan.toolchain import cores

#: What a finished simulation left: ``simulation``, its number; ``ranks`` by quantity;
#: ``divergences``; ``saturated``, a share; ``ess``, the smallest of the log joint and scalar
#: parameters before thinning; ``weight``; and ``seconds``. A failed one: ``error``.
Record = dict[str, Any]

#: Parameters with few values, and those of them that are of clusters, which have no order.
COEFFICIENTS, OF_CLUSTERS = ("beta",), ("theta", "sigma_cluster")

#: Finished simulations, in the folder of the results.
KEPT = "simulations"


@dataclass(frozen=True)
class Study:
    """Simulations of one model.

    Attributes
    ----------
    model
        A model's name; covariates are of :func:`tables`.
    nodes, dim
        N and K of the networks.
    warmup
        Of NUTS, iterations.
    draws, thin
        L, how many draws the truth is ranked among, and how many iterations lie between them.
        Ranks need independent draws more than many.
    directed
        Whether the networks are.
    hidden
        The share of dyads that are not observed.
    """

    model: str
    nodes: int
    dim: int
    warmup: int
    draws: int
    thin: int
    directed: bool = True
    hidden: float = 0.0

    @property
    def label(self) -> str:
        """The model, and what is not usual of the networks."""
        unusual = [] if self.directed else ["undirected"]
        unusual += [f"{self.hidden:.0%} hidden"] if self.hidden else []
        return ", ".join([self.model, *unusual])

    @property
    def priors(self) -> dict[str, float]:
        """Scales of priors, none wider than the model's own, which make weights of 10⁹.

        Priors are data of the Stan program: it is the same one.
        """
        inner = find_model(self.model).form == "inner"  # grows with the square of the positions
        return {
            "intercept_scale": 1.0,
            "sigma_scale": 0.5,
            "sigma_z_scale": 0.5 if inner else 1.0,
        }

    @property
    def spec(self) -> ModelSpec:
        """The model with these priors."""
        return replace(find_model(self.model), **self.priors)

    @property
    def file(self) -> str:
        """Name of the file of finished simulations: one for everything that decides them."""
        program = sources_digest("cpp")
        settings = json.dumps({**asdict(self), **self.priors, "program": program}, sort_keys=True)
        return f"{self.label}-{hashlib.sha256(settings.encode()).hexdigest()[:12]}.jsonl"


#: Studies of simulation-based calibration, and how many simulations each has.
SBC = tuple(
    Study(name, nodes=12, dim=dim, warmup=500, draws=39, thin=25)
    for name, dim in (("tutorial", 2), ("tutorial", 3), ("nb-squared-effects", 2))
)
SBC_SIMULATIONS = 200
#: The same of coverage: of every named model, and of what else there can be.
COVERAGE = tuple(
    Study(name, nodes=16, dim=2, warmup=300, draws=19, thin=25, directed=directed, hidden=hidden)
    for name, directed, hidden in (
        *((name, True, 0.0) for name in MODELS),
        ("poisson-inverse+nodeocov(size)+absdiff(size)", True, 0.0),
        ("poisson-exponential-effects+nodeicov(size)+edgecov(contact)", True, 0.0),
        ("nb-squared-effects+nodecov(size)+nodematch(group)+edgecov(contact)", True, 0.0),
        ("dyadic-squared+absdiff(size)+edgecov(contact)", True, 0.0),
        ("bernoulli-inner+nodeocov(size)+nodematch(group)", True, 0.0),
        ("poisson-squared+clusters(2)", True, 0.0),
        ("nb-exponential-effects+clusters(3)", True, 0.0),
        ("bernoulli-squared+clusters(2)", True, 0.0),
        ("tutorial", False, 0.0),
        ("poisson-exponential-effects", False, 0.0),
        ("nb-squared-effects", False, 0.0),
        ("bernoulli-inner", False, 0.0),
        ("tutorial", True, 0.2),
        ("nb-squared-effects", True, 0.2),
        ("dyadic-exponential-effects", True, 0.2),
        ("bernoulli-squared-effects", False, 0.2),
    )
)
COVERAGE_SIMULATIONS = 20


def tables(study: Study) -> dict[str, pd.DataFrame]:
    """Return the tables that covariates are of: every network of a study has the same."""
    rng = np.random.default_rng(study.nodes)
    names = [str(i + 1) for i in range(study.nodes)]
    nodes = pd.DataFrame(
        {"size": rng.normal(size=study.nodes), "group": rng.choice([*"abc"], size=study.nodes)},
        pd.Index(names),
    )
    one, other = np.nonzero(np.triu(rng.random((study.nodes, study.nodes)) < 0.3, 1))
    pairs = pd.MultiIndex.from_arrays([np.array(names)[one], np.array(names)[other]])
    dyads = pd.DataFrame({"contact": rng.normal(size=len(one))}, pairs)
    return {"node_table": nodes, "dyad_table": dyads}


def simulation(study: Study, number: int, executable: CmdStanModel) -> Record:
    """Draw parameters and a network, fit the model to it, and rank the truth.

    Parameters
    ----------
    study
        Which model, and how.
    number
        From 0; it, the model's name and K are the seed.
    executable
        The compiled Stan program.
    """
    # of the truth, the network, the start and the chain: with one seed the start would be the
    # truth, and chains that do not move would look calibrated; CmdStan's end at 2³¹
    sequence = np.random.SeedSequence([zlib.crc32(study.label.encode()), study.dim, number])
    of_truth, of_network, of_hidden, of_chain = (int(s) >> 1 for s in sequence.generate_state(4))
    size, spec = (study.nodes, study.dim), study.spec
    options: dict[str, Any] = {"directed": study.directed, **(tables(study) if spec.terms else {})}
    # the coefficients' priors depend on the covariates' scale: any network of theirs tells it
    bound = spec.bound(simulate(*size, seed=1, **options)[0]) if spec.terms else spec
    truth = draw_parameters(*size, seed=of_truth, model=bound, directed=study.directed)
    try:
        network, _ = simulate(*size, seed=of_network, model=spec, parameters=truth, **options)
        if study.hidden:
            network = network.hide(*hold_out(network, study.hidden, seed=of_hidden, together=False))
        model = LatentSpaceModel(network, study.dim, model=spec)
        model.executable = executable  # or each would find it by itself
        fit = model.sample(
            seed=of_chain,
            chains=1,
            init="random",
            precondition=False,
            show_progress=False,
            iter_warmup=study.warmup,
            iter_sampling=study.draws * study.thin,
        )
        joined = {
            name: np.concatenate([truth[name][None], values[0, study.thin - 1 :: study.thin]])
            for name, values in fit.parameters.items()
        }
        found = quantities(model, joined)
    except LsmStanError as error:
        return {"simulation": number, "error": str(error)}
    details = fit.record["details"]
    scalars = [values for values in fit.parameters.values() if values.ndim == 2]
    chains = [container.log_joint_of(fit.idata), *scalars]
    return {
        "simulation": number,
        "ranks": {name: rank(values).tolist() for name, values in found.items()},
        "divergences": details["divergences"],
        "saturated": details["saturated"],
        "ess": round(min(container.ess(values) for values in chains), 1),
        "weight": network.total_weight,
        "seconds": fit.record["seconds"],
    }


def quantities(model: LatentSpaceModel, parameters: Parameters) -> dict[str, FloatArray]:
    """Return what is ranked: functions of parameters and network that rotations do not change.

    The log joint density and the log likelihood are of both, so that they find faults that no
    parameter by itself shows (Modrák et al., Bayesian Analysis 20, 2025).

    Parameters
    ----------
    model
        Of one network.
    parameters
        With one leading axis.

    Returns
    -------
    dict
        ``(D,)`` of one number a draw, ``(D, ...)`` of pairs, dyads or nodes.
    """
    n, z = model.network.n_nodes, parameters["z"]
    pairs = np.column_stack(np.triu_indices(n, 1))
    log_mu = log_mean(model.spec, parameters, *np.nonzero(~np.eye(n, dtype=bool)))
    likelihood = pair_log_likelihood(model.spec, parameters, model.network, pairs)
    return {
        "log_joint": model.log_prob(**parameters)[0],
        "log_likelihood": likelihood.sum(axis=-1),
        "total_weight": mean_weight(model.spec, log_mu).sum(axis=-1),
        **{name: values for name, values in parameters.items() if values.ndim == 1},
        **{name: parameters[name] for name in COEFFICIENTS if name in parameters},
        **{name: np.sort(parameters[name]) for name in OF_CLUSTERS if name in parameters},
        "distance": pair_distances(z, pairs),
        "log_mean": log_mu,
        "radius": radii(z),
        **{name: parameters[name] for name in NODE_PARAMETERS if name in parameters},
    }


def run(studies: dict[Study, int], folder: Path, jobs: int) -> dict[Study, list[Record]]:
    """Run the simulations that are missing.

    Parameters
    ----------
    studies
        And how many simulations each is to have.
    folder
        Of finished simulations, a file a study. Failed ones are not kept, and tried again.
    jobs
        How many run at once.

    Returns
    -------
    dict
        The records of each study, in the order of their numbers.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kept = {study: folder / study.file for study in studies}  # of the program as it is now
    found = {study: read_kept(kept[study]) for study in studies}
    missing = [
        (study, number)
        for study, size in studies.items()
        for number in range(size)
        if number not in found[study]
    ]
    # all studies get on alike, so that what is found can be looked at early
    missing.sort(key=lambda task: (task[1] + 0.5) / studies[task[0]])
    total = sum(studies.values())
    executable = LatentSpaceModel(simulate(2, 1, seed=1)[0], 1).executable
    # threads: the work is done by CmdStan's processes
    with (
        ThreadPoolExecutor(max_workers=jobs) as pool,
        tqdm(total=total, initial=total - len(missing), unit="fit") as bar,
    ):
        futures = {pool.submit(simulation, *task, executable): task[0] for task in missing}
        try:
            for future in as_completed(futures):
                study, record = futures[future], future.result()
                found[study][record["simulation"]] = record
                if "error" not in record:
                    keep(kept[study], record)
                bar.set_description(study.model, refresh=False)
                bar.update()
        except BaseException:
            # an interrupt or a fault: what is done stays, nothing more begins
            pool.shutdown(cancel_futures=True)
            raise
    return {study: [found[study][k] for k in range(size)] for study, size in studies.items()}


def read_kept(path: Path) -> dict[int, Record]:
    """Return finished simulations by their numbers; a line that was cut short is none."""
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        with suppress(json.JSONDecodeError):
            record = json.loads(line)
            found[record["simulation"]] = record
    return found


def keep(path: Path, record: Record) -> None:
    """Add a finished simulation to a file, on a line of its own even after one cut short."""
    before = path.read_bytes() if path.exists() else b""
    begin = "\n" if before and not before.endswith(b"\n") else ""
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{begin}{json.dumps(record)}\n")


def calibrate(
    folder: Path,
    jobs: int,
    sbc: Sequence[Study] = SBC,
    coverage: Sequence[Study] = COVERAGE,
    simulations: tuple[int, int] = (SBC_SIMULATIONS, COVERAGE_SIMULATIONS),
) -> None:
    """Run what is missing of both, and write the results to a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    sizes = {**dict.fromkeys(sbc, simulations[0]), **dict.fromkeys(coverage, simulations[1])}
    found = run(sizes, folder / KEPT, jobs)
    calibration_report.write(
        folder, {study: found[study] for study in sbc}, {study: found[study] for study in coverage}
    )


def main() -> None:
    """Read the command line, and run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.calibration", description=__doc__)
    parser.add_argument("folder", type=Path, help="of the results")
    parser.add_argument("--jobs", type=int, default=cores(), help="fits at once")
    arguments = parser.parse_args()
    try:
        calibrate(arguments.folder, arguments.jobs)
    except KeyboardInterrupt:
        raise SystemExit("interrupted; run it again to go on") from None
    print(f"written to {arguments.folder}")


if __name__ == "__main__":
    main()
