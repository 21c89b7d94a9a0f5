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
from lsm_stan.model.parameters import Parameters, flat
from lsm_stan.posterior.checks import Check, approximation_khat
from lsm_stan.typing import FloatArray

#: Nats a parameter by which draws may lie below the start in the mean. A normal density loses half
#: a nat a parameter from its mode; mean-field ADVI of stiff models loses some two.
MAX_DROP = 10.0

#: How Stan says that its own rule has stopped it.
CONVERGED = "ELBO CONVERGED"

#: Nats that the last evaluation may have gained without a word.
EARLY = 10.0


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
    problem = run.problem
    log_joint_of, learned = LogJoint(problem, run.compiled), problem.hierarchical
    with run.folder("advi") as folder:
        result = run.cmdstan(
            data=problem.stan_data(learned=learned, change=change),
            inits=problem.inits(start, learned=learned, change=change),
            output_dir=folder,
            require_converged=False,
            **{"sig_figs": SIG_FIGS, **cmdstan},
        )
        console = Path(result.runset.stdout_files[0]).read_text(encoding="utf-8")
    of_draws = problem.from_stan(result, learned=learned, mean=False)
    draws = {name: values[None] for name, values in of_draws.items()}
    log_joint = log_joint_of.at(draws)[0]
    at_start = flat(problem.declared(start, learned=learned))
    height = float(log_joint_of.at_flat(at_start, learned=learned)[0])
    # both in Stan's coordinates, but for z = C z_raw: that is linear, a constant in densities
    log_q = result.variational_sample_pd["log_g__"].to_numpy()[None]
    # Stan's entropy is that of z_raw
    volume = 0.0 if change is None else problem.dim * change.log_volume
    trace = [(iteration, elbo + volume) for iteration, elbo in elbo_trace(console)]
    return run.finish(
        draws=draws,
        log_joint=log_joint,
        estimate=problem.from_stan(result, learned=learned, mean=True),
        sample_stats={"log_q": log_q},
        checks=[elbo_check(console), drop_check(log_joint[0], height, at_start.size)],
        details={
            "elbo": trace[-1][1] if trace else None,
            "elbo_trace": trace,
            "khat": approximation_khat((log_joint - log_q).reshape(-1)),
            "draws": draws["z"].shape[1],
            "gradients": gradients_taken(console),
            "preconditioned": change is not None,
        },
    )


def elbo_trace(console: str) -> list[tuple[int, float]]:
    """Return the ELBOs that ADVI printed, one an evaluation.

    Parameters
    ----------
    console : str
        What CmdStan printed.

    Returns
    -------
    list of tuple of (int, float)
        Iteration, and ELBO in nats.
    """
    printed = re.findall(r"^\s*(\d+)\s+(-?\d+\.?\d*)", console, re.MULTILINE)
    return [(int(iteration), float(elbo)) for iteration, elbo in printed]


def gradients_taken(console: str) -> int:
    """Return how many gradients ADVI took, the search for a step size included.

    Each iteration of either takes ``grad_samples`` (``stan::variational::advi``). Draws without a
    finite gradient, which Stan replaces without a word, are not counted, nor are the ELBO's, which
    have no gradient.

    Parameters
    ----------
    console : str
        What CmdStan printed.

    Returns
    -------
    int
    """
    samples, most = (
        int(re.findall(rf"^\s*{name} = (\d+)", console, re.MULTILINE)[0])
        for name in ("grad_samples", "iter")
    )
    search = re.findall(r"^Iteration:\s*(\d+) / .*\(Adaptation\)", console, re.MULTILINE)
    iterations = elbo_trace(console)[-1][0] if CONVERGED in console else most
    return samples * (iterations + int(search[-1] if search else 0))


def elbo_check(console: str) -> Check:
    """Check that ADVI stopped by Stan's own rule, and say what its last step still gained.

    Parameters
    ----------
    console : str
        What CmdStan printed.

    Returns
    -------
    Check
        ``elbo``.
    """
    if CONVERGED not in console:
        text = "ADVI reached its last iteration before its ELBO converged: raise iter"
        return Check("elbo", False, text)
    trace = elbo_trace(console)
    text = f"ELBO converged by Stan's own rule after {trace[-1][0]:,} iterations"
    gain = trace[-1][1] - trace[-2][1] if len(trace) > 1 else 0.0
    if gain > EARLY:
        text += (
            f", though the last {trace[-1][0] - trace[-2][0]:,} still gained {gain:,.0f} nats: a"
            " smaller tol_rel_obj goes on"
        )
    return Check("elbo", True, text)


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
