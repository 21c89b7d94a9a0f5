"""Is the inference right? ``python -m studies.calibration reports/calibration``.

Parameters are drawn from a model's priors, a network from the model at them, NUTS is run on the
network, and true values are ranked among its draws: for simulation-based calibration of a few
models, for the coverage of intervals of all. Finished simulations are kept in the folder, so that
an interrupted run goes on.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lsm_stan import LatentSpaceModel, simulate
from lsm_stan.cmdstan.compiled import Compiled
from lsm_stan.errors import LsmStanError
from lsm_stan.model.likelihood import log_mean, mean_weight, pair_log_likelihood
from lsm_stan.model.parameters import NODE_PARAMETERS, Parameters
from lsm_stan.model.simulation import draw_parameters
from lsm_stan.posterior import diagnostics
from lsm_stan.posterior import idata as container
from lsm_stan.posterior.invariants import pair_distances, radii
from lsm_stan.prediction.holdout import hold_out
from lsm_stan.typing import FloatArray
from studies import calibration_page
from studies.calibration_study import (
    COVERAGE,
    COVERAGE_SIMULATIONS,
    QUICK,
    SBC,
    SBC_SIMULATIONS,
    Record,
    Study,
    tables,
)
from studies.ranks import rank
from studies.simulations import run, seeds

#: Parameters with few values, and those of them that are of clusters, which have no order.
COEFFICIENTS, OF_CLUSTERS = ("beta",), ("theta", "sigma_cluster")

#: Finished simulations, in the folder of the results.
KEPT = "simulations"


def simulation(study: Study, number: int, compiled: Compiled | None) -> Record:
    """Draw parameters and a network, fit the model to it, and rank the truth.

    Parameters
    ----------
    study : Study
        Which model, and how.
    number : int
        From 0.
    compiled : Compiled or None
        The compiled Stan program; None where it is to be found here.
    """
    of_truth, of_network, of_hidden, of_chain = seeds(study, number)
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
        if compiled is not None:  # or each would find it by itself
            model.compiled = compiled
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
        values_of = quantities(model, joined)
    except LsmStanError as error:
        return {"simulation": number, "error": str(error)}
    details = fit.record.details
    scalars = [values for values in fit.parameters.values() if values.ndim == 2]
    chains = [container.log_joint_of(fit.idata), *scalars]
    return {
        "simulation": number,
        "ranks": {name: rank(values).tolist() for name, values in values_of.items()},
        "divergences": details["divergences"],
        "saturated": details["saturated"],
        "ess": round(min(diagnostics.ess(values) for values in chains), 1),
        "weight": network.total_weight,
        "seconds": fit.record.seconds,
    }


def quantities(model: LatentSpaceModel, parameters: Parameters) -> dict[str, FloatArray]:
    """Return what is ranked: functions of parameters and network that rotations do not change.

    The log joint density and the log likelihood are of both, so that they find faults that no
    parameter by itself shows (Modrák et al., Bayesian Analysis 20, 2025).

    Parameters
    ----------
    model : LatentSpaceModel
        Of one network.
    parameters : Parameters
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
        "log_joint": model.log_prob_grad(**parameters)[0],
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


def calibrate(
    folder: Path,
    jobs: int | None,
    sbc: Sequence[Study] = SBC,
    coverage: Sequence[Study] = COVERAGE,
    simulations: tuple[int, int] = (SBC_SIMULATIONS, COVERAGE_SIMULATIONS),
    scheduler: str | None = None,
) -> None:
    """Run what is missing of both, and write the results to a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    sizes = {**dict.fromkeys(sbc, simulations[0]), **dict.fromkeys(coverage, simulations[1])}
    records = run(simulation, sizes, folder / KEPT, jobs, scheduler)
    calibration_page.write(
        folder,
        {study: records[study] for study in sbc},
        {study: records[study] for study in coverage},
    )


def main() -> None:
    """Read the command line, and run."""
    parser = argparse.ArgumentParser(prog="python -m studies.calibration", description=__doc__)
    parser.add_argument("folder", type=Path, help="of the results")
    parser.add_argument("--jobs", type=int, help="networks at once; as many as cores")
    parser.add_argument("--scheduler", help="address of a Dask scheduler whose workers fit")
    parser.add_argument("--quick", action="store_true", help="two small studies: a trial")
    arguments = parser.parse_args()
    trial = {"sbc": QUICK, "coverage": QUICK, "simulations": (2, 2)} if arguments.quick else {}
    try:
        calibrate(arguments.folder, arguments.jobs, scheduler=arguments.scheduler, **trial)
    except KeyboardInterrupt:
        raise SystemExit("interrupted; run it again to go on") from None
    print(f"written to {arguments.folder}")


if __name__ == "__main__":
    main()
