"""What is at fault in a model whose networks differ from the observed one, and what comes next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple, TypeAlias

from lsm_stan.model.family import MODELS, ModelSpec

#: Where scales of priors are set.
WHERE = "(in Python, or in the file of lsm-stan run)"


class Step(NamedTuple):
    """A step from a model to the next.

    Attributes
    ----------
    words : str
        What it is called in a sentence.
    changes : dict of str to object
        Fields of a :class:`ModelSpec` that it changes, and ``dim``, how many dimensions it adds;
        empty where no named model takes it.
    """

    words: str
    changes: Mapping[str, Any] = {}


#: From a model, and whether the network has more of a statistic than it predicts or less, to what
#: is at fault and what would be looked at next.
Cause: TypeAlias = Callable[[ModelSpec, bool], tuple[str, Step]]


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


class NextModel(NamedTuple):
    """The model to try after one that fails.

    Attributes
    ----------
    spec : ModelSpec
        A named model.
    more_dims : int
        How many latent dimensions it has more.
    """

    spec: ModelSpec
    more_dims: int


NEGATIVE_BINOMIAL = Step("a negative binomial", {"likelihood": "nb"})
EFFECTS = Step("sender and receiver effects", {"effects": True})
ROLES = Step("roles, two positions a node,", {"effects": True, "roles": True})
BOUNDED = Step("the exponential or squared form", {"form": "squared"})
DIMENSIONS = {"dim": 1}


def fault(name: str, spec: ModelSpec, *, more: bool, directed: bool = True) -> str:
    """Say which part of a model is at fault where a statistic is outside what it predicts.

    Parameters
    ----------
    name : str
        A key of :data:`STATISTICS`.
    spec : ModelSpec
        The model.
    more : bool
        Whether the network has more of it than the model predicts, or less.
    directed : bool, default True
        Whether the network is directed.

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
    cause, step = _cause(name, spec, more, directed)
    return f"{cause}; {step.words} would be looked at next"


def next_model(
    spec: ModelSpec, failed: Mapping[str, bool], *, binary: bool = False, directed: bool = True
) -> NextModel | None:
    """Name the model that takes all steps at once that failed statistics ask for.

    Parameters
    ----------
    spec : ModelSpec
        The model that failed.
    failed : mapping of str to bool
        By the failed statistics' names, keys of :data:`STATISTICS`, whether the network has more
        of them than the model predicts.
    binary : bool, default False
        Whether every weight of the network is 0 or 1.
    directed : bool, default True
        Whether the network is directed.

    Returns
    -------
    NextModel or None
        None where no named model takes any step.

    Examples
    --------
    >>> failed = {"share_zero": True, "dispersion": True, "max_in_strength": True}
    >>> next_model(MODELS["tutorial"], failed).spec.name
    'nb-squared-effects'
    """
    changes: dict[str, Any] = {"likelihood": "bernoulli"} if binary and failed else {}
    for name, more in failed.items():
        _, step = _cause(name, spec, more, directed)
        changes = {**step.changes, **changes}  # the first step of its kind holds
    dims = changes.pop("dim", 0)
    likelihood = changes.get("likelihood", spec.likelihood)
    form = changes.get("form", spec.form)
    roles = changes.get("roles", spec.roles) and likelihood != "dyadic"
    effects = roles or changes.get("effects", spec.effects)
    suffix = "-roles" if roles else "-effects" if effects else ""
    named = MODELS[f"{likelihood}-{form}{suffix}"]
    if named.diagonal == spec.diagonal and all(
        getattr(named, part) == getattr(spec, part)
        for part in ("likelihood", "form", "effects", "roles", "intercept")
    ):
        return NextModel(spec, dims) if dims and spec.name else None
    if not changes:  # of the tutorial's model
        return None
    return NextModel(replace(named, terms=spec.terms, clusters=spec.clusters), 0)


def _cause(name: str, spec: ModelSpec, more: bool, directed: bool) -> tuple[str, Step]:
    """Return what is at fault, and a step that the network allows: roles need directions."""
    cause, step = STATISTICS[name].cause(spec, more)
    if step is ROLES and not directed:
        step = Step("another number of dimensions", DIMENSIONS)
    return cause, step


def _zeros(spec: ModelSpec, more: bool) -> tuple[str, Step]:
    if spec.form != "inverse" or (spec.dispersed and not more):
        return _variation(spec, more)
    if not more:
        step = EFFECTS if spec.intercept else Step("an intercept", {"intercept": True})
        return "edges are spread over more pairs than rates of 1/d spread them", step
    cause = "the rate of a pair falls too slowly with distance to come near zero inside the cloud"
    steeper = {"form": "squared"}
    if spec.likelihood != "poisson":
        return cause, Step("a steeper rate", steeper)
    intercept = ", an intercept" * (not spec.intercept)
    return (
        f"{cause}, and a Poisson count spreads its mean over too many pairs",
        Step(f"a steeper rate{intercept} or a negative binomial", {**steeper, "likelihood": "nb"}),
    )


def _mean_weight(spec: ModelSpec, more: bool) -> tuple[str, Step]:
    if spec.intercept:
        return "the intercept alone could meet the mean", Step("the fit's convergence")
    if more:
        cause, scale = "spreads the cloud wider than the weights ask for", "smaller"
    else:
        cause, scale = "holds the cloud tighter than the weights ask for", "larger"
    return (
        f"the prior {cause}, and no intercept {'raises' if more else 'lowers'} the rates",
        Step(f"an intercept or a {scale} prior_scale {WHERE}", {"intercept": True}),
    )


def _largest(spec: ModelSpec, more: bool) -> tuple[str, Step]:
    if spec.form == "inverse" and not (more or spec.dispersed):
        return (
            "a rate of 1/d has no bound, and the closest pairs outweigh the others more than in"
            " the network",
            BOUNDED,
        )
    return _variation(spec, more)


def _variation(spec: ModelSpec, more: bool) -> tuple[str, Step]:
    if not more and spec.dispersed:
        # not a Poisson likelihood: with it the network was too much dispersed, or would be
        return (
            "one frailty of all dyads makes up for what positions and effects leave out",
            Step("more dimensions, or covariates,", DIMENSIONS) if spec.effects else EFFECTS,
        )
    if spec.likelihood == "poisson" and more:
        return "a Poisson count stays near its rate", NEGATIVE_BINOMIAL
    if not spec.effects:
        return "nodes differ by their positions only", EFFECTS
    if spec.form == "inverse":
        return "a rate of 1/d falls slowly, and has no bound", BOUNDED
    step = Step("more dimensions, or covariates,", DIMENSIONS)
    return "positions and effects leave something out", step


def _strengths(spec: ModelSpec, more: bool) -> tuple[str, Step]:
    if not spec.effects:
        what = (
            "positions cannot set strong nodes apart from weak ones this far"
            if more
            else "nodes amid the cloud are made too strong"
        )
        return f"a node's strength follows from its position alone, and {what}", EFFECTS
    if spec.likelihood == "poisson":
        return "a Poisson count stays near its rate", NEGATIVE_BINOMIAL
    return "the effects' prior draws nodes together", Step(f"a larger sigma_scale {WHERE}")


def _reciprocity(spec: ModelSpec, more: bool) -> tuple[str, Step]:
    if not more:
        return (
            "both directions of a pair share one distance, which makes them more alike than in the"
            " network",
            ROLES if spec.effects else EFFECTS,
        )
    if spec.likelihood in ("poisson", "nb"):
        cause = "a pair's directions share their distance and no more"
        if spec.roles:  # without them, and without more, it was or would be too little, too
            cause = "a node sends and receives at two places"
        step = Step("likelihood dyadic", {"likelihood": "dyadic", "roles": False})
        return cause, step
    if spec.likelihood == "dyadic":
        return "one frailty of all pairs is not enough", Step("an edgecov of the pairs")
    step = Step("more dimensions", DIMENSIONS)
    return "a pair's directions share their distance and no more", step


def _transitivity(spec: ModelSpec, more: bool) -> tuple[str, Step]:
    if not more and not spec.roles:
        return (
            "nodes close to a third are close to each other, and triples close more often than in"
            " the network (by chance too, where there are too few zeros)",
            ROLES if spec.effects else EFFECTS,
        )
    if more and spec.form == "inverse":
        return (
            "a rate of 1/d falls too slowly to set groups apart",
            Step("a steeper form", {"form": "squared"}),
        )
    if more and not spec.clusters:
        return "groups are not set apart", Step("more dimensions, or clusters,", DIMENSIONS)
    return "positions leave something out", Step("another number of dimensions", DIMENSIONS)


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
