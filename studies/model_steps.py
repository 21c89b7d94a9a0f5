"""The steps from the tutorial to the best model, each with what it adds."""

from __future__ import annotations

#: What a step adds to the model, from which candidate to which, and why it might help.
STEPS = (
    (
        "an intercept",
        "tutorial, K = 3, MAP",
        "poisson-inverse, K = 3, MAP",
        "without one, only large distances can make a network sparse",
    ),
    (
        "sender and receiver effects",
        "poisson-inverse, K = 3, MAP",
        "poisson-inverse-effects, K = 3, MAP",
        "some neurons send, or receive, far more than others wherever they lie",
    ),
    (
        "exp(-d) instead of 1/d",
        "poisson-inverse-effects, K = 3, MAP",
        "poisson-exponential-effects, K = 3, MAP",
        "1/d falls so slowly that far pairs keep a rate, and rises without bound at d = 0",
    ),
    (
        "negative binomial weights",
        "poisson-exponential-effects, K = 3, MAP",
        "nb-exponential-effects, K = 3, MAP",
        "given its mean, a weight varies far more than a Poisson count",
    ),
    (
        "exp(-d²) instead of exp(-d)",
        "nb-exponential-effects, K = 2, MAP",
        "nb-squared-effects, K = 2, MAP",
        "neighbourhoods with an edge: near pairs alike, far pairs without connection",
    ),
    (
        "exp(-d²) instead of exp(-d)",
        "nb-exponential-effects, K = 3, MAP",
        "nb-squared-effects, K = 3, MAP",
        "the same",
    ),
    (
        "exp(-d²) instead of exp(-d)",
        "nb-exponential-effects, K = 5, MAP",
        "nb-squared-effects, K = 5, MAP",
        "the same",
    ),
    (
        "draws instead of a mode",
        "nb-squared-effects, K = 5, MAP",
        "nb-squared-effects, K = 5, NUTS",
        "a mode takes one set of positions for certain, with scales that are not learned;"
        " draws average over what is unknown",
    ),
    (
        "positions, all in all",
        "degrees-nb",
        "nb-squared-effects, K = 5, NUTS",
        "against sender × receiver factors with negative binomial weights",
    ),
)
