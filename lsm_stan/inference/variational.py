"""ADVI: what Stan's console says of its ELBO."""

from __future__ import annotations

import re

from lsm_stan.posterior.checks import Check
from lsm_stan.typing import FloatArray

#: Nats a parameter by which draws may lie below the start in the mean. A normal density loses half
#: a nat a parameter from its mode; mean-field ADVI of stiff models loses some two.
MAX_DROP = 10.0


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
