"""What the priors of a fit say: before the data, and of what the data left open."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lsm_stan.criticism.advice import STATISTICS
from lsm_stan.criticism.verdict import CHANCE_FAILURES
from lsm_stan.inference.fit import Fit
from lsm_stan.inference.fits import ensure_fits
from lsm_stan.inference.prior_predictive import PRIOR_DRAWS, prior_predictive
from lsm_stan.model.log_prior import chosen_blocks
from lsm_stan.model.replication import NO_DYADS, observed
from lsm_stan.model.subset import among
from lsm_stan.posterior import idata as container
from lsm_stan.posterior.checks import SHARE, WORDS, Finding
from lsm_stan.posterior.draws import MAX_DRAWS
from lsm_stan.posterior.intervals import ENDS
from lsm_stan.posterior.invariants import sample_nodes
from lsm_stan.posterior.power_scaling import MOVED, sensitivity
from lsm_stan.progress import doing
from lsm_stan.text import brief

#: The most nodes that networks are drawn of: priors expect a fair share of all edges now and then.
PRIOR_NODES = 500

#: The fewest draws whose distribution functions can be told apart.
MIN_DRAWS = 100

#: What the blocks of :mod:`lsm_stan.model.log_prior` are priors of, in words.
PRIORS = {
    "positions": "positions",
    "positions_scale": "the scale of positions",
    "clusters": "shares and sizes of clusters",
    "intercept": "the intercept",
    "dispersion": "the frailty's size",
    "effects": "sender and receiver effects",
    "effects_scale": "scales of effects",
    "roles": "roles",
    "roles_scale": "the scale of roles",
    "covariates": "coefficients",
}

#: Statistics that a sentence lists.
LISTED = 3

#: What quantities are called in sentences, where not by their names.
NAMES = {
    **WORDS,
    "distance": "distances",
    "rate": "rates",
    "beta": "coefficients",
    "theta": "shares of clusters",
    "sigma_cluster": "standard deviations of clusters",
}


@dataclass(frozen=True, eq=False)
class PriorCheck:
    """What the priors of a fit say.

    Attributes
    ----------
    predicted : DataFrame
        A row a statistic: ``statistic``; ``observed``; and ``prior_median``, ``prior_low`` and
        ``prior_high``, the median and the ends of 90 % over networks drawn from the priors.
    items : DataFrame
        A row a posterior quantity, of those that rotations leave unchanged: ``quantity``,
        ``item``, and its power-scaling sensitivity to the priors (``prior``), to the likelihood
        (``likelihood``), and to each prior alone, under the names of :data:`PRIORS`. A fit
        with fewer than 100 draws has no rows.
    quantities : DataFrame
        The same condensed, a row a quantity: how many ``items`` there are, how many of them are
        ``moved_by_prior`` and ``moved_by_likelihood``, and by the prior alone (``prior_alone``):
        their sensitivity is 0.05 or more; the medians of their sensitivities, ``prior`` and
        ``likelihood``; and the prior that moves most of them, ``strongest``.
    findings : list of Finding
        The same in sentences.
    nodes : int
        Number of nodes that `predicted` is of: all, or 500 at random and the dyads among them.
    """

    predicted: pd.DataFrame
    items: pd.DataFrame
    quantities: pd.DataFrame
    findings: list[Finding]
    nodes: int


def check_priors(
    fit: Fit,
    *,
    draws: int = PRIOR_DRAWS,
    seed: int = 0,
    invariants: container.InferenceData | None = None,
) -> PriorCheck:
    """Say what the priors of a fit expect before the data, and what of the result is theirs.

    Parameters
    ----------
    fit : Fit
        A fit by any method; what priors move is said of one with draws.
    draws : int, default 200
        Number of networks that are drawn from the priors.
    seed : int, default 0
        The same seed gives the same networks.
    invariants : InferenceData, DataTree or None, default None
        What :meth:`~lsm_stan.Fit.invariants` of the fit has returned before, to save the time.

    Returns
    -------
    PriorCheck

    Raises
    ------
    InputError
        If `fit` is none.
    """
    ensure_fits(fit)
    doing("networks of the priors")
    nodes = sample_nodes(fit.network.n_nodes, PRIOR_NODES)
    spec, network = among(fit.spec, fit.network, nodes)
    _, networks = prior_predictive(
        spec,
        network,
        fit.record.dim,
        prior_scale=fit.prior_scale,
        draws=draws,
        seed=seed,
    )
    statistics = observed(network, NO_DYADS).statistics
    table = pd.DataFrame({str(name): values[0] for name, values in networks.statistics.items()})
    low, median, high = table.quantile([ENDS[0], 0.5, ENDS[1]]).to_numpy()
    predicted = pd.DataFrame(
        {
            "statistic": list(table),
            "observed": [float(value) for value in statistics.values()],
            "prior_median": median,
            "prior_low": low,
            "prior_high": high,
        }
    )
    of_any = ["observed", "prior_median"]
    predicted = predicted.dropna(subset=of_any, how="all").reset_index(drop=True)
    few = len(nodes) < fit.network.n_nodes
    part = f" (looked at: {len(nodes):,} random nodes)" if few else ""
    findings = [_of_the_prior_networks(predicted, part)]
    items = quantities = pd.DataFrame()
    if fit.draws[..., 0, 0].size >= MIN_DRAWS:
        items = _sensitivities(fit, fit.invariants() if invariants is None else invariants)
        quantities = _condensed(items)
        findings += _of_the_sensitivities(quantities)
    else:
        text = "What of the result is due to the priors is not known of a mode: it needs draws."
        findings.append(Finding("caution", text, "priors-unknown"))
    return PriorCheck(predicted, items, quantities, findings, len(nodes))


def _sensitivities(fit: Fit, invariants: container.InferenceData) -> pd.DataFrame:
    """Return the sensitivities of all invariant quantities to each prior and to the likelihood."""
    blocks = fit.log_prior_blocks
    priors = {name: blocks[name].reshape(-1) for name in chosen_blocks(blocks)}
    parts = {
        "prior": np.sum(list(priors.values()), axis=0),
        "likelihood": fit.log_likelihood_total.reshape(-1),
        **priors,
    }
    step = -(-len(parts["prior"]) // MAX_DRAWS)
    tables = []
    for name, variable in container.group(invariants, "posterior").items():
        if name == "log_joint":  # is made of prior and likelihood
            continue
        values = variable.to_numpy()
        values = values.reshape(values.shape[0] * values.shape[1], -1)[::step]
        dims = variable.dims[2:]
        labels = variable[dims[0]].to_numpy() if dims else [""]
        by_part = {part: sensitivity(values, log_p[::step]) for part, log_p in parts.items()}
        tables.append(pd.DataFrame({"quantity": str(name), "item": labels, **by_part}))
    return pd.concat(tables, ignore_index=True)


def _condensed(items: pd.DataFrame) -> pd.DataFrame:
    """Return a row a quantity: what moves its items."""
    blocks = [name for name in items if name in PRIORS]
    rows = []
    for quantity, group in items.groupby("quantity", sort=False):
        moved = group["prior"] >= MOVED
        strongest = group.loc[moved, blocks].median() if moved.any() else group[blocks].median()
        rows.append(
            {
                "quantity": quantity,
                "items": len(group),
                "moved_by_prior": int(moved.sum()),
                "moved_by_likelihood": int((group["likelihood"] >= MOVED).sum()),
                "prior": group["prior"].median(),
                "likelihood": group["likelihood"].median(),
                "prior_alone": int((moved & (group["likelihood"] < MOVED)).sum()),
                "strongest": str(strongest.idxmax()),
            }
        )
    return pd.DataFrame(rows)


def _of_the_prior_networks(predicted: pd.DataFrame, part: str) -> Finding:
    """Say whether networks like the observed one are among those that the priors expect."""
    table = predicted.dropna()
    inside = table["observed"].between(table["prior_low"], table["prior_high"])
    outside = table[~inside]
    count = f"{inside.sum()} of {len(table)} statistics"
    if len(outside) <= CHANCE_FAILURES * len(table):
        text = (
            f"Before the data the priors allow for this network{part}: {count} lie in 90 % of what"
            " networks drawn from the priors have."
        )
        return Finding("good", text, "priors-allow")
    contrasts = "; ".join(
        f"{STATISTICS[row['statistic']].label} is {brief(row['observed'])}, the priors expect"
        f" {brief(row['prior_low'])} to {brief(row['prior_high'])}"
        for row in outside.head(LISTED).to_dict("records")
    )
    rest = f"; and {len(outside) - LISTED} more" if len(outside) > LISTED else ""
    text = (
        f"Before the data the priors expect other networks{part}: {count} lie in 90 % of what"
        f" networks drawn from the priors have. {contrasts[:1].upper()}{contrasts[1:]}{rest}."
        " Wider priors would be looked at next."
    )
    return Finding("caution", text, "priors-expect-others")


def _of_the_sensitivities(quantities: pd.DataFrame) -> list[Finding]:
    """Say which quantities the priors move, and of which the likelihood says little."""
    findings = []
    # a few items of many are moved by chance
    said = quantities["moved_by_prior"] > (1 - SHARE) * quantities["items"]
    for row in quantities[said].to_dict("records"):
        name = NAMES.get(row["quantity"], row["quantity"])
        single, decided = row["items"] == 1, row["prior_alone"]
        moved = f"{row['moved_by_prior']:,} of {row['items']:,} {name} are"
        which = f"{name} is" if single else moved
        text = f"{which} moved by the prior of {PRIORS[row['strongest']]}"
        if not decided:
            text += " and by the data."
        elif single:
            text += ", hardly by the data: the prior decides."
        else:
            text += f"; {decided:,} hardly by the data: there the prior decides."
        findings.append(Finding("caution", text[:1].upper() + text[1:], "priors-move"))
    if findings:
        return findings
    text = (
        f"The priors move no quantity of the result: {SHARE:.0%} of the power-scaling sensitivities"
        f" of each are below {MOVED}."
    )
    return [Finding("good", text, "priors-move-nothing")]
