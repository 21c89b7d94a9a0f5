"""How to read a network: all that a user may say about a source, in one value."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from lsm_stan.choices import ParallelEdges
from lsm_stan.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

#: Given as the column of weights: each row counts 1.
NO_WEIGHTS = "none"


@dataclass(frozen=True)
class Reading:
    """How to read a network; what is None is as the source says.

    Attributes
    ----------
    directed : bool or None
        Whether the network is directed.
    parallel_edges : {"sum", "first"} or None
        Weight of a pair that is listed more than once.
    header : bool or None
        Whether the first row of a text file has the names of columns.
    source, target : str or None
        Columns of senders and receivers, by name, or by number where there is no header.
    weight : str or None
        Column of weights, or edge attribute; ``"none"``: each row counts 1.
    where : tuple of str
        ``COLUMN=VALUE``: rows to keep, by any of the values of a column and by all columns.
    binary : bool
        Whether every weight above 0 becomes 1.
    bipartite : bool
        Whether the network is of two sets: of an edge list senders and receivers, of a matrix rows
        and columns.
    nodes : str, Path, DataFrame or None
        Table of nodes.
    hidden : str, Path or None
        List of dyads that were not observed.
    dyads : str, Path, DataFrame or None
        Table of dyads.
    title : str or None
        What to call the network in print.
    layer : str or None
        Column of an edge list that says which layer an edge is of.
    time : str or None
        Column of an edge list with the times of layers; without `layer` it tells them apart.
    layer_list : str, Path or None
        Table of layers, in their order: columns ``layer`` and, if wanted, ``time``.
    absent : str, Path or None
        Table of nodes that layers have not: columns ``name`` and ``layer``.

    Raises
    ------
    InputError
        If a value is of no use.
    """

    directed: bool | None = None
    parallel_edges: ParallelEdges | None = None
    header: bool | None = None
    source: str | None = None
    target: str | None = None
    weight: str | None = None
    where: tuple[str, ...] = ()
    binary: bool = False
    bipartite: bool = False
    nodes: str | Path | pd.DataFrame | None = None
    hidden: str | Path | None = None
    dyads: str | Path | pd.DataFrame | None = None
    title: str | None = None
    layer: str | None = None
    time: str | None = None
    layer_list: str | Path | None = None
    absent: str | Path | None = None

    def __post_init__(self) -> None:
        if self.parallel_edges not in (None, *get_args(ParallelEdges)):
            raise InputError(
                f"parallel_edges is {self.parallel_edges!r}; it can be 'sum' or 'first'"
            )
        if (self.source is None) != (self.target is None):
            given, lacking = ("target", "source") if self.source is None else ("source", "target")
            raise InputError(
                f"--{given} {getattr(self, given)} is given, --{lacking} is not; the columns of"
                f" both ends of an edge are needed"
            )
        if self.bipartite and self.directed:
            raise InputError(
                "--directed cannot be used with --bipartite: a pair of nodes of two sets is one"
                " dyad"
            )
        for condition in self.where:
            if not condition.partition("=")[0].strip() or "=" not in condition:
                raise InputError(
                    f"--where {condition}: COLUMN=VALUE is needed, such as type=chemical"
                )

    @property
    def conditions(self) -> dict[str, list[str]]:
        """The values of each column that rows are kept for."""
        values: dict[str, list[str]] = {}
        for condition in self.where:
            column, _, value = condition.partition("=")
            values.setdefault(column.strip(), []).append(value.strip())
        return values

    def refuse(self, names: tuple[str, ...], source: str, reason: str) -> None:
        """Raise InputError if one of some options is given.

        Parameters
        ----------
        names : tuple of str
            Attributes that have no meaning here.
        source : str
            File name or description, for error messages.
        reason : str
            Why they have none.

        Raises
        ------
        InputError
            If one of them is given.
        """
        given = next((name for name in names if getattr(self, name) not in (None, (), False)), None)
        option = (given or "").replace("_", "-")
        if given is None and "header" in names and self.header is not None:
            given = option = "header" if self.header else "no-header"
        if given is not None:
            raise InputError(f"{source}: --{option} cannot be used here: {reason}")


#: Options that choose among the columns of a table.
OF_COLUMNS = ("header", "source", "target", "weight", "where")
#: Those that have no meaning for graphs, whose edges have their ends.
OF_TABLES = ("header", "source", "target")
#: Those that have a meaning for layers only.
OF_LAYERS = ("layer", "time", "layer_list", "absent")
