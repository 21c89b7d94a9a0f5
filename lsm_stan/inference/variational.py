"""ADVI: one run of it, and what its ELBO and its draws say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lsm_stan.inference.fit import Fit
from lsm_stan.inference.log_joint import LogJoint
from lsm_stan.inference.preconditioning import Preconditioner
from lsm_stan.inference.run import SIG_FIGS, Run
from lsm_stan.model.parameters import Parameters, flat, from_stan
from lsm_stan.posterior.checks import Check, approximation_khat
from lsm_stan.typing import FloatArray

#: Nats a parameter by which draws may lie below the start in the mean. A normal density loses half
#: a nat a parameter from its mode; mean-field ADVI of stiff models loses some two.
MAX_DROP = 10.0


def approximate(
    run: Run, start: Parameters, change: Preconditioner | None, cmdstan: Mapping[str, Any]
) -> Fit:
    """Run ADVI from a start.

    Parameters
    ----------
    run : Run
        The run.
    start : dict of str to ndarray
        Parameters without leading axes.
    change : Preconditioner or None
        The change of variables.
    cmdstan : Mapping
        Further arguments of CmdStanPy.

    Returns
    -------
    Fit
    """
    problem, spec = run.problem, run.problem.spec
    log_joint_of, learned = LogJoint(problem, run.compiled), spec.hierarchical
    with run.folder("advi") as folder:
        result = run.cmdstan(
            data=problem.stan_data(learned=learned, change=change),
            inits=problem.inits(start, learned=learned, change=change),
            output_dir=folder,
            require_converged=False,
            **{"sig_figs": SIG_FIGS, **cmdstan},
        )
        console = Path(result.runset.stdout_files[0]).read_text(encoding="utf-8")
    draws = {name: values[None] for name, values in from_stan(result, spec, mean=False).items()}
    log_joint = log_joint_of.at(draws)[0]
    at_start = flat(problem.declared(start, learned=learned))
    height = float(log_joint_of.at_flat(at_start, learned=learned)[0])
    # both in Stan's coordinates, but for z = C z_raw: that is linear, a constant in densities
    log_q = result.variational_sample_pd["log_g__"].to_numpy()[None]
    elbo = last_elbo(console)
    if elbo is not None and change is not None:
        elbo += problem.dim * change.log_volume  # Stan's entropy is that of z_raw
    return run.finish(
        draws=draws,
        log_joint=log_joint,
        estimate=from_stan(result, spec, mean=True),
        sample_stats={"log_q": log_q},
        checks=[elbo_check(console), drop_check(log_joint[0], height, at_start.size)],
        details={
            "elbo": elbo,
            "khat": approximation_khat((log_joint - log_q).reshape(-1)),
            "draws": draws["z"].shape[1],
            "preconditioned": change is not None,
        },
    )


def last_elbo(console: str) -> float | None:
    """Return the last ELBO that ADVI printed.

    Parameters
    ----------
    console : str
        What CmdStan printed.

    Returns
    -------
    float or None
        In nats; None where it printed none.
    """
    printed = re.findall(r"^\s*\d+\s+(-?\d+\.?\d*)", console, re.MULTILINE)
    return float(printed[-1]) if printed else None


def elbo_check(console: str) -> Check:
    """Check that ADVI stopped by Stan's own rule.

    Parameters
    ----------
    console : str
        What CmdStan printed.

    Returns
    -------
    Check
        ``elbo``.
    """
    stopped = "ELBO CONVERGED" in console
    return Check(
        "elbo",
        stopped,
        "ELBO converged by Stan's own rule"
        if stopped
        else "ADVI reached its last iteration before its ELBO converged",
    )


def drop_check(log_joint: FloatArray, start: float, n_parameters: int) -> Check:
    """Check that an approximation has stayed near the start, or has gone uphill.

    Parameters
    ----------
    log_joint : ndarray of shape (S,)
        Log joint densities of the draws, in nats.
    start : float
        Log joint density of the start, in nats.
    n_parameters : int
        P.

    Returns
    -------
    Check
        ``drop``.
    """
    drop = start - float(log_joint.mean())
    held = drop <= MAX_DROP * n_parameters
    return Check(
        "drop",
        held,
        f"draws lie {drop:,.0f} nats below the start in the mean"
        if held and drop > 0
        else "draws lie above the start in the mean"
        if held
        else f"draws lie {drop:,.3g} nats below the start in the mean, and a normal density of"
        f" {n_parameters:,} parameters {n_parameters / 2:,.0f} below its mode: the approximation"
        " is not of this posterior. Use NUTS",
    )
