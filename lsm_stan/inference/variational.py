"""ADVI: what Stan's console says of its ELBO."""

from __future__ import annotations

import re

from lsm_stan.posterior.checks import Check


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
