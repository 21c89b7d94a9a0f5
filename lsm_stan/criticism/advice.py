"""What is at fault in a model whose networks differ from the observed one, and what comes next."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from lsm_stan.model.family import ModelSpec

#: Where scales of priors are set.
WHERE = "(in Python, or in the file of lsm-stan run)"

#: From a model, and whether the network has more of a statistic than it predicts or less, to what
#: is at fault and what would be looked at next.
Cause: TypeAlias = Callable[[ModelSpec, bool], tuple[str, str]]


class Statistic(NamedTuple):
    """What a statistic is called, and what is at fault where a model does not reach it.

    Attributes
    ----------
    label : str
        Its name in sentences.
    cause : callable
        A :data:`Cause`.
    """

    label: str
    cause: Cause


def fault(name: str, spec: ModelSpec, *, more: bool) -> str:
    """Say which part of a model is at fault where a statistic is outside what it predicts.

    Parameters
    ----------
    name : str
        A key of :data:`STATISTICS`.
    spec : ModelSpec
        The model.
    more : bool
        Whether the network has more of it than the model predicts, or less.

    Returns
    -------
    str
        A clause, which names what would be looked at next.

    Examples
    --------
    >>> from lsm_stan.model.family import MODELS
    >>> fault("dispersion", MODELS["tutorial"], more=True)
    'a Poisson count stays near its rate; a negative binomial would be looked at next'
    """
    cause, next_ = STATISTICS[name].cause(spec, more)
    return f"{cause}; {next_} would be looked at next"


def _zeros(spec: ModelSpec, more: bool) -> tuple[str, str]:
    if spec.form != "inverse" or (spec.dispersed and not more):
        return _variation(spec, more)
    if not more:
        return (
            "edges are spread over more pairs than rates of 1/d spread them",
            "sender and receiver effects" if spec.intercept else "an intercept",
        )
    cause = "the rate of a pair falls too slowly with distance to come near zero inside the cloud"
    if spec.likelihood != "poisson":
        return cause, "a steeper rate"
    return (
        f"{cause}, and a Poisson count spreads its mean over too many pairs",
        f"a steeper rate{', an intercept' * (not spec.intercept)} or a negative binomial",
    )


def _mean_weight(spec: ModelSpec, more: bool) -> tuple[str, str]:
    if spec.intercept:
        return "the intercept alone could meet the mean", "the fit's convergence"
    if more:
        cause, scale = "spreads the cloud wider than the weights ask for", "smaller"
    else:
        cause, scale = "holds the cloud tighter than the weights ask for", "larger"
    return (
        f"the prior {cause}, and no intercept {'raises' if more else 'lowers'} the rates",
        f"an intercept or a {scale} prior_scale {WHERE}",
    )


def _largest(spec: ModelSpec, more: bool) -> tuple[str, str]:
    if spec.form == "inverse" and not (more or spec.dispersed):
        return (
            "a rate of 1/d has no bound, and the closest pairs outweigh the others more than in"
            " the network",
            "the exponential or squared form",
        )
    return _variation(spec, more)


def _variation(spec: ModelSpec, more: bool) -> tuple[str, str]:
    if not more and spec.dispersed:
        return (
            "one frailty of all dyads varies more than the weights do",
            "a Poisson likelihood, or node effects if there are none,",
        )
    if spec.likelihood == "poisson" and more:
        return "a Poisson count stays near its rate", "a negative binomial"
    if not spec.effects:
        return "nodes differ by their positions only", "sender and receiver effects"
    if spec.form == "inverse":
        return "a rate of 1/d falls slowly, and has no bound", "the exponential or squared form"
    return "positions and effects leave something out", "more dimensions, or covariates,"


def _strengths(spec: ModelSpec, more: bool) -> tuple[str, str]:
    if not spec.effects:
        what = (
            "positions cannot set strong nodes apart from weak ones this far"
            if more
            else "nodes amid the cloud are made too strong"
        )
        return (
            f"a node's strength follows from its position alone, and {what}",
            "sender and receiver effects",
        )
    if spec.likelihood == "poisson":
        return "a Poisson count stays near its rate", "a negative binomial"
    return "the effects' prior draws nodes together", f"a larger sigma_scale {WHERE}"


def _reciprocity(spec: ModelSpec, more: bool) -> tuple[str, str]:
    if not more:
        return (
            "both directions of a pair share one distance, which makes them more alike than in the"
            " network",
            "roles, two positions a node," if spec.effects else "sender and receiver effects",
        )
    if spec.roles:
        return "a node sends and receives at two places", "the model without roles"
    if spec.likelihood in ("poisson", "nb"):
        return "a pair's directions share their distance and no more", "likelihood dyadic"
    if spec.likelihood == "dyadic":
        return "one frailty of all pairs is not enough", "an edgecov of the pairs"
    return "a pair's directions share their distance and no more", "more dimensions"


def _transitivity(spec: ModelSpec, more: bool) -> tuple[str, str]:
    if not more and not spec.roles:
        return (
            "nodes close to a third are close to each other, and triples close more often than in"
            " the network (by chance too, where there are too few zeros)",
            "roles, two positions a node," if spec.effects else "sender and receiver effects",
        )
    if more and spec.form == "inverse":
        return "a rate of 1/d falls too slowly to set groups apart", "a steeper form"
    if more and not spec.clusters:
        return "groups are not set apart", "more dimensions, or clusters,"
    return "positions leave something out", "another number of dimensions"


STATISTICS = {
    "share_zero": Statistic("the share of weights that are zero", _zeros),
    "mean_weight": Statistic("the mean weight", _mean_weight),
    "dispersion": Statistic("the variance of the weights over their mean", _largest),
    "max_weight": Statistic("the largest weight", _largest),
    "sd_out_strength": Statistic("the standard deviation of the strengths sent", _strengths),
    "sd_in_strength": Statistic("the standard deviation of the strengths received", _strengths),
    "sd_strength": Statistic("the standard deviation of the strengths", _strengths),
    "max_out_strength": Statistic("the largest strength sent", _strengths),
    "max_in_strength": Statistic("the largest strength received", _strengths),
    "max_strength": Statistic("the largest strength", _strengths),
    "reciprocity": Statistic("the share of edges that are returned", _reciprocity),
    "weight_correlation": Statistic("the correlation of the two weights of a pair", _reciprocity),
    "transitivity": Statistic("the share of connected triples that are closed", _transitivity),
}
