"""Options and arguments that several commands have."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from lsm_stan.choices import ParallelEdges
from lsm_stan.inference.methods import METHODS

MethodName = Enum("MethodName", {name: name for name in METHODS})  # type: ignore[misc]

MethodOption = Annotated[MethodName, typer.Option(help="The inference method.")]

NetworkArgument = Annotated[
    str,
    typer.Argument(
        metavar="NETWORK",
        help="celegans, or a file: .csv or .tsv edge list or labelled matrix, .npy, .npz, .gml,"
        " .graphml",
    ),
]

DirectedOption = Annotated[
    bool | None,
    typer.Option(
        "--directed/--undirected",
        help="Whether Y_ij and Y_ji differ. \\[default: as the file says]",
    ),
]

ParallelOption = Annotated[
    ParallelEdges | None,
    typer.Option(
        "--parallel-edges",
        help="The weight of a pair that is listed twice. \\[default: sum; for celegans first, as"
        " in the tutorial]",
    ),
]

NodesOption = Annotated[
    Path | None, typer.Option(help="A table of nodes: names, and columns such as class.")
]

FitsArgument = Annotated[
    list[Path], typer.Argument(metavar="FIT...", help="Folders of fits of one network.")
]

ColourOption = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN",
        help="The column of the table of nodes that colours them. \\[default: class, or else club,"
        " type, group, ...]",
    ),
]

HiddenOption = Annotated[
    Path | None,
    typer.Option(help="A list of dyads that were not observed: .csv or .tsv, source and target."),
]

DyadsOption = Annotated[
    Path | None,
    typer.Option(
        help="A table of dyads: .csv or .tsv, source, target and columns such as contact."
    ),
]

SeedOption = Annotated[int, typer.Option(min=0, help="The same seed gives the same result.")]

DimOption = Annotated[int, typer.Option(help="K, the number of latent dimensions.")]

SettingsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Any further argument of the method or of CmdStanPy's; may be repeated.",
    ),
]

MODEL = (
    "tutorial, or LIKELIHOOD-FORM, LIKELIHOOD-FORM-effects (of sender and receiver) or"
    " LIKELIHOOD-FORM-roles (two positions a node): poisson, nb, dyadic or bernoulli; inverse,"
    " exponential, squared or inner. clusters(G) may follow, G clusters of positions, such as"
    " nb-squared-effects+clusters(3)"
)

ModelOption = Annotated[
    str,
    typer.Option(
        help=f"{MODEL}, and covariates, such as"
        " nb-squared-effects+nodematch(group)+edgecov(contact): nodeocov, nodeicov, nodecov,"
        " nodematch or absdiff of a column of --nodes, edgecov of one of --dyads."
    ),
]
