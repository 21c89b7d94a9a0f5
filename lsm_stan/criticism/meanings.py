"""What the sentences of a verdict mean, by what they are about: for pages and for the manual."""

from __future__ import annotations

from typing import NamedTuple


class Meaning(NamedTuple):
    """What a sentence means.

    Attributes
    ----------
    title : str
        What it is about.
    text : str
        What was asked, what follows from the answer, and what can be done.
    """

    title: str
    text: str


#: Meanings by the name that findings have for what they are about: that of a check, or another.
MEANINGS: dict[str, Meaning] = {
    name: Meaning(title, text)
    for name, title, text in (
        (
            "model-fits",
            "The model reproduces the network",
            "Networks were drawn from the fitted model. Of the statistics that were compared, such"
            " as the share of zeros or transitivity, about one in ten would lie outside a 90 %"
            " interval by chance; no more than a fifth did. It speaks for what was compared, and"
            " for nothing else.",
        ),
        (
            "model-misses",
            "The model does not describe this network well",
            "More statistics of the network than chance lets lie outside what networks of the"
            " fitted model have. Positions can still be a fair picture, but probabilities of edges"
            " and expected weights are off. Take the model that the page names, and compare both on"
            " dyads that were held out (lsm-stan select).",
        ),
        (
            "modes-same",
            "All chains explore the same mode",
            "The chains' mean positions, turned onto each other, differ no more than the two halves"
            " of one chain do. Draws may be pooled.",
        ),
        (
            "modes-apart",
            "The chains sit in different modes",
            "Each chain stays in an arrangement of its own, and their shares of the draws say"
            " nothing about how likely these are. Start all chains at the best mode, report each"
            " mode by itself, or weigh them by the mass around each (lsm-stan weigh). Stacking"
            " weights are for prediction: they are no probabilities of modes.",
        ),
        (
            "mode-is-a-point",
            "A mode is one point",
            "It maximises the density and has no spread. Other modes may be as high, or lower and"
            " wider, with more of the posterior around them: their losses tell how high they are,"
            " not how much they weigh. Draws (nuts) tell of uncertainty.",
        ),
        (
            "modes-weighed",
            "Modes were weighed",
            "Draws were sorted by the mode that a climb from each ends in, and the mass around each"
            " mode was computed by bridge sampling. Only modes that draws came near are among"
            " them.",
        ),
        (
            "one-mode-explored",
            "Only the surroundings of one mode were explored",
            "The chains began at one mode. What they say holds of its surroundings; R-hat cannot"
            " see a mode that no chain has been to. Start at random (--init random), or at several"
            " modes, if other arrangements matter.",
        ),
        (
            "approximation-near",
            "The approximation is near the posterior",
            "Pareto k-hat of the importance ratios is at most 0.7: draws of the approximation can"
            " stand for the posterior's, reweighted if need be.",
        ),
        (
            "approximation-far",
            "The approximation is far from the posterior",
            "Pareto k-hat of the importance ratios is above 0.7: a few draws would carry all the"
            " weight. Means are a rough picture; spreads and intervals are mostly too narrow. In"
            " hundreds of dimensions this is the rule.",
        ),
        (
            "approximation-unknown",
            "The approximation's error is not known",
            "Pareto k-hat needs at least 100 draws with finite densities.",
        ),
        (
            "passed",
            "The method passed its checks",
            "Nothing that was looked at speaks against the fit as a fit of this model. Whether the"
            " model describes the network is another question, which the predictive checks answer.",
        ),
        (
            "no-structure",
            "No latent structure was found",
            "Either all nodes are at one point, or the places of more than half of them are"
            " unknown: the network shows nothing that distances explain beyond what level and"
            " effects do. Compare numbers of dimensions, and models without positions, on dyads"
            " that were held out (lsm-stan select).",
        ),
        (
            "priors-allow",
            "The priors allow for this network",
            "Networks drawn from the priors, before any data, are like this one in the statistics"
            " that were compared.",
        ),
        (
            "priors-expect-others",
            "The priors expect other networks",
            "This network lies outside most of what the priors expect. That is no fault of the"
            " fit, since data outweigh weak priors; where a quantity is also moved by its prior,"
            " try a wider one.",
        ),
        (
            "priors-move",
            "A prior moves the result",
            "The quantity changes when the prior is made a little stronger or weaker"
            " (power-scaling). Where the data move it too, prior and data pull against each other"
            " or add up; where they hardly do, the prior decides and the data say little: say so"
            " when you quote it.",
        ),
        (
            "priors-move-nothing",
            "The priors move nothing",
            "Quantities of the result stay where they are when the priors are made a little"
            " stronger or weaker.",
        ),
        (
            "priors-unknown",
            "What is due to the priors is not known",
            "Power-scaling reweights draws, and needs some hundred of them. A mode has none.",
        ),
        (
            "search",
            "Whether the search began",
            "L-BFGS looks along a line for a higher point. Where it finds none it ends at once, and"
            " nothing was searched: its steps are too long or too short there, or the log joint is"
            " so large that double precision cannot tell two points apart. That says nothing about"
            " the model. Count in a larger unit, or start elsewhere.",
        ),
        (
            "gradient",
            "Whether the search ended",
            "At a mode nothing is to be gained: a Newton step from there would gain less than 0.001"
            " nats. Where more is to be gained the search stopped on its way: use more starts.",
        ),
        (
            "curvature",
            "Whether the point is a mode",
            "At a mode the log joint falls in every direction but the K(K-1)/2 of rotation. Where"
            " it rises along one, the point is a saddle; where it is flat along more, the data"
            " leave something open that the prior hardly settles. Try more starts, fewer dimensions"
            " or another form.",
        ),
        (
            "sum",
            "Whether the approximate sum is near enough",
            "In a large network the sum over all pairs was approximated. Exact sums of some random"
            " nodes say how far off it is: the error should be within the tolerance that was"
            " asked for. A smaller tolerance takes more time.",
        ),
        (
            "elbo",
            "Whether the lower bound converged",
            "VI knows its gradient, so that it can tell that no step is worth taking. ADVI only has"
            " Stan's stopping rule, which looks at noisy changes: it says nothing about the error"
            " of the approximation, which k-hat does.",
        ),
        (
            "drop",
            "Whether the approximation is where it began",
            "Draws of a normal density lie below its mode by about half a nat a parameter. Where"
            " they lie far lower, the optimiser has gone astray.",
        ),
        (
            "paths",
            "Whether paths ended",
            "Pathfinder follows L-BFGS from several points. A path that did not end has not been to"
            " a mode, and the best normal density may lie beyond its end.",
        ),
        (
            "moves",
            "Moves between transitions",
            "Single nodes turn about their neighbours, and groups jump between places they were"
            " seen at, between transitions of NUTS. Each is a Metropolis step: the posterior is the"
            " same with and without them.",
        ),
        (
            "divergences",
            "Divergent transitions",
            "The sampler's steps were too long for a place of high curvature, and the draws may"
            " leave that place out. One in a thousand does little harm; more bias the result."
            " Take smaller steps (adapt_delta), or another model.",
        ),
        (
            "tree_depth",
            "Draws at the depth limit",
            "Trajectories were cut short before they turned. The draws are right, but each moves"
            " less far, so that more of them are needed.",
        ),
        (
            "energy",
            "BFMI",
            "The Bayesian fraction of missing information compares how much the energy changes from"
            " draw to draw with how much it varies. Below 0.3 chains move slowly between the middle"
            " and the tails of the posterior: warm up longer.",
        ),
        (
            "rhat",
            "R-hat of distances",
            "R-hat compares chains with each other. At most 1.01 is asked for 95 % of 500 fixed"
            " random distances, since of so many a few are above by chance. Above, chains do not"
            " yet agree: run longer, and look whether they are in different modes.",
        ),
        (
            "ess",
            "Bulk ESS of distances",
            "How many independent draws would tell the means as well. At least 400 are asked for 95"
            " % of the distances. Below, means are uncertain and R-hat itself is noisy: run"
            " longer.",
        ),
        (
            "ess_tail",
            "Tail ESS of distances",
            "The same for the 5 % and 95 % quantiles, on which intervals rest.",
        ),
        (
            "exploration",
            "Other quantities",
            "R-hat and ESS of rates, effects, radii, strengths and scalar parameters, held to the"
            " limits of the distances. Quote a quantity only if it passed.",
        ),
    )
}
