"""What is at fault in a model whose networks differ from the observed one, and what comes next."""

from __future__ import annotations

from typing import NamedTuple

from lsm_stan.model.family import MODELS, ModelSpec

#: Where scales of priors are set.
WHERE = "(in Python, or in the file of lsm-stan run)"


class Statistic(NamedTuple):
    """What a statistic is called, and what it says of the tutorial's model.

    Attributes
    ----------
    label
        In words.
    less, more
        What is at fault where the network has less of it than the tutorial's model, or more.
    """

    label: str
    less: str
    more: str


def _strength(label: str, effects: str) -> Statistic:
    alone = "a node's strength follows from its position alone, and"
    next_ = f"{effects} effects would be looked at next"
    return Statistic(
        label,
        f"{alone} nodes amid the cloud are made too strong; {next_}",
        f"{alone} positions cannot set strong nodes apart from weak ones this far; {next_}",
    )


def _shared(label: str) -> Statistic:
    return Statistic(
        label,
        "both directions of a pair share one rate, which makes them more alike than in the "
        "network; sender and receiver effects would be looked at next",
        "both directions of a pair share one rate and nothing else; a reciprocity effect of the "
        "pair would be looked at next",
    )


_UNBOUNDED = (
    "a rate of 1/d has no bound, and the closest pairs outweigh the others more than in the "
    "network; a rate that is bounded where nodes meet would be looked at next"
)

STATISTICS = {
    "share_zero": Statistic(
        "the share of weights that are zero",
        "edges are spread over more pairs than rates of 1/d spread them; an intercept would be "
        "looked at next",
        "the rate of a pair falls too slowly with distance to come near zero inside the cloud, "
        "and a Poisson count spreads its mean over too many pairs; a steeper rate, an intercept "
        "or a negative binomial would be looked at next",
    ),
    "mean_weight": Statistic(
        "the mean weight",
        "the prior holds the cloud tighter than the weights ask for, and no intercept lowers the "
        f"rates; an intercept or a larger prior_scale {WHERE} would be looked at next",
        "the prior spreads the cloud wider than the weights ask for, and no intercept raises the "
        f"rates; an intercept or a smaller prior_scale {WHERE} would be looked at next",
    ),
    "dispersion": Statistic(
        "the variance of the weights over their mean",
        _UNBOUNDED,
        "a pair's weight varies as little about its rate as a Poisson count does; a negative "
        "binomial would be looked at next",
    ),
    "max_weight": Statistic(
        "the largest weight",
        _UNBOUNDED,
        "the rate of a pair is near the mean of its weights at best (of both directions, if "
        "directed), and a Poisson count stays near its rate; a negative binomial, or sender and "
        "receiver effects, would be looked at next",
    ),
    "sd_out_strength": _strength("the standard deviation of the strengths sent", "sender"),
    "sd_in_strength": _strength("the standard deviation of the strengths received", "receiver"),
    "sd_strength": _strength("the standard deviation of the strengths", "node"),
    "max_out_strength": _strength("the largest strength sent", "sender"),
    "max_in_strength": _strength("the largest strength received", "receiver"),
    "max_strength": _strength("the largest strength", "node"),
    "reciprocity": _shared("the share of edges that are returned"),
    "weight_correlation": _shared("the correlation of the two weights of a pair"),
    "transitivity": Statistic(
        "the share of connected triples that are closed",
        "nodes close to a third are close to each other, and triples close more often than in the "
        "network (by chance too, where there are too few zeros); node effects would be looked at "
        "next",
        "the rate of a pair falls too slowly with distance to set groups apart; a steeper rate or "
        "more dimensions would be looked at next",
    ),
}


def fault(name: str, spec: ModelSpec, *, more: bool) -> str:
    """Say which part of a model is at fault where a statistic is outside what it predicts.

    Parameters
    ----------
    name
        A key of :data:`STATISTICS`.
    spec
        The model.
    more
        Whether the network has more of it than the model predicts, or less.

    Returns
    -------
    str
        A clause, which names what would be looked at next.
    """
    if spec == MODELS["tutorial"]:
        return STATISTICS[name].more if more else STATISTICS[name].less
    if name == "mean_weight":
        cause, next_ = _mean_weight(spec)
    elif name in ("share_zero", "dispersion", "max_weight"):
        cause, next_ = _spread(spec, more)
    elif name in ("reciprocity", "weight_correlation"):
        cause, next_ = _reciprocity(spec, more)
    elif name == "transitivity":
        cause, next_ = _transitivity(spec, more)
    else:
        cause, next_ = _strengths(spec)
    return f"{cause}; {next_} would be looked at next"


def _mean_weight(spec: ModelSpec) -> tuple[str, str]:
    if not spec.intercept:
        return "no intercept sets the mean", "an intercept"
    return "the intercept alone could meet the mean", "the fit's convergence"


def _spread(spec: ModelSpec, more: bool) -> tuple[str, str]:
    if not more and spec.dispersed:
        return (
            "one frailty of all dyads varies more than the weights do",
            "a Poisson likelihood, or node effects if there are none,",
        )
    if spec.likelihood == "poisson" and more:
        return "a Poisson count varies about its rate as little as it can", "a negative binomial"
    if not spec.effects:
        return "nodes differ by their positions only", "sender and receiver effects"
    if spec.form == "inverse":
        return "a rate of 1/d falls slowly, and has no bound", "the exponential or squared form"
    return "positions and effects leave something out", "more dimensions, or covariates,"


def _strengths(spec: ModelSpec) -> tuple[str, str]:
    if not spec.effects:
        return "a node's strength follows from its position alone", "sender and receiver effects"
    if spec.likelihood == "poisson":
        return "a Poisson count varies about its rate as little as it can", "a negative binomial"
    return "the effects' prior draws nodes together", f"a larger sigma_scale {WHERE}"


def _reciprocity(spec: ModelSpec, more: bool) -> tuple[str, str]:
    if not more:
        return "both directions of a pair share one distance", "roles, two positions a node,"
    if spec.roles:
        return "a node sends and receives at two places", "the model without roles"
    if spec.likelihood in ("poisson", "nb"):
        return "a pair's directions share their distance and no more", "likelihood dyadic"
    if spec.likelihood == "dyadic":
        return "one frailty of all pairs is not enough", "an edgecov of the pairs"
    return "a pair's directions share their distance and no more", "more dimensions"


def _transitivity(spec: ModelSpec, more: bool) -> tuple[str, str]:
    if not more and not spec.roles:
        return "nodes close to a third are close to each other", "roles, two positions a node,"
    if more and spec.form == "inverse":
        return "a rate of 1/d falls too slowly to set groups apart", "a steeper form"
    if more and not spec.clusters:
        return "groups are not set apart", "more dimensions, or clusters,"
    return "positions leave something out", "another number of dimensions"
