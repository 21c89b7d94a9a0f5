"""Choosing model and dimension by the prediction of held-out dyads.

A *cell* is one model of one dimension fitted to one split. Finished cells are kept as files, named
after everything that went into them, so that a run that was interrupted, or is asked for more,
does only what is missing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from lsm_stan.choices import Scheme
from lsm_stan.cmdstan.cache import folder_lock
from lsm_stan.errors import InputError
from lsm_stan.files import ensure_ours, ensure_writable, write_whole
from lsm_stan.inference.latent_space_model import LatentSpaceModel, requested_arguments
from lsm_stan.inference.methods import METHODS
from lsm_stan.model.family import ModelSpec, find_model
from lsm_stan.model.parameters import declared, flat
from lsm_stan.network.network import Network
from lsm_stan.network.pairs import pair_number
from lsm_stan.network.readers import ensure_network
from lsm_stan.network.summary import NetworkSummary, describe
from lsm_stan.posterior.draws import flat_draws
from lsm_stan.prediction.baselines import predict_baselines
from lsm_stan.prediction.choice import CANDIDATE, Choice, choose
from lsm_stan.prediction.holdout import Dyads, held_share, in_words, splits
from lsm_stan.prediction.scores import calibration_table, predict_held_out, scores
from lsm_stan.processes import cores
from lsm_stan.progress import Progress
from lsm_stan.sweeps import LOCAL, check_scheduler, sweep
from lsm_stan.typing import IntArray, plain

#: The folder of the finished cells, in that of the selection.
CELLS = "cells"

#: Raised when cells hold something else than they did.
CELL_FORMAT = 3

COLUMNS = [*CANDIDATE, "split", "dyads", "log_density", "auc"]


@dataclass(frozen=True)
class Selection:
    """The outcome of :func:`select`.

    Attributes
    ----------
    scores : DataFrame
        A row a cell: ``model, dim, split, dyads, log_density, auc``, then the other scores of
        :func:`lsm_stan.prediction.scores.scores`, ``parameters``, ``converged`` and ``seconds``.
    baselines : DataFrame
        The same scores of the predictors of :mod:`lsm_stan.prediction.baselines`, on the same
        splits.
    calibration : DataFrame
        Rows of :func:`lsm_stan.prediction.scores.calibration_table` for the best candidate, by
        ``split``.
    warnings : DataFrame
        What kept fits from converging: ``model, dim, split, warning``.
    share : float
        Share of the observed dyads that a split holds out.
    choice : Choice
        See :func:`choose`.
    network : NetworkSummary
        Facts about the network.
    held_out, fitted : str
        What was held out, and how the candidates were fitted, in words.
    """

    scores: pd.DataFrame
    baselines: pd.DataFrame
    calibration: pd.DataFrame
    warnings: pd.DataFrame
    share: float
    choice: Choice
    network: NetworkSummary
    held_out: str
    fitted: str


def select(
    network: Network,
    folder: Path,
    *,
    dims: Sequence[int],
    models: Sequence[str],
    n_splits: int,
    seed: int,
    scheme: Scheme = "random",
    share: float = 0.1,
    together: bool = True,
    method: str = "map",
    arguments: Mapping[str, Any] | None = None,
    jobs: int | None = None,
    scheduler: str | None = None,
    say: Progress = print,
) -> Selection:
    """Fit every model in every dimension to every split, and score what was held out.

    Parameters
    ----------
    network : Network
        N nodes.
    folder : Path
        Finished cells are kept here, in ``cells/``.
    dims : sequence of int
        Numbers of dimensions of the grid.
    models : sequence of str
        Names of its models; see :func:`lsm_stan.model.family.find_model`.
    n_splits : int
        Number of splits; see :func:`lsm_stan.prediction.holdout.splits`.
    seed : int
        Seed of the splits, and of every fit.
    scheme : {"random", "folds", "nodes"}, default "random"
        Way to draw dyads; see :func:`lsm_stan.prediction.holdout.splits`.
    share : float, default 0.1
        Share of the dyads that a random split holds out.
    together : bool, default True
        Whether the two directions of a pair are held out, and scored, together.
    method : str, default "map"
        A key of :data:`lsm_stan.inference.methods.METHODS`.
    arguments : Mapping or None, default None
        Its arguments.
    jobs : int or None, default None
        Number of fits that run at once; by default as many as keep the cores busy with their
        starts or chains.
    scheduler : str or None, default None
        The address of a Dask scheduler whose workers fit, or ``"local"`` for one that is started
        on this machine. Numbers are the same; see :func:`lsm_stan.sweeps.sweep`.
    say : callable, default print
        It is called with a sentence for everything that happens.

    Returns
    -------
    Selection

    Raises
    ------
    InputError
        If an argument makes no sense.
    InferenceError
        If a fit fails; finished cells stay.
    """
    ensure_network(network)
    dims, n_splits, seed, share = plain([list(dims), n_splits, seed, share])
    folder = Path(folder)
    requested = requested_arguments(method, arguments or {})
    check_scheduler(scheduler)
    models = [find_model(model).label for model in models]  # names with their spaces left out
    for what, values in (("dims", dims), ("models", models)):
        if len(set(values)) < max(1, len(values)):
            raise InputError(f"{what} are {list(values)}; at least one is needed, each once")
    ensure_ours(folder, "a selection", (folder / CELLS).is_dir())
    ensure_writable(folder / CELLS / "cell", "name another folder for the selection")
    held_out = [
        _HeldOut.of(network, dyads, together)
        for dyads in splits(
            network, n_splits, seed=seed, scheme=scheme, share=share, together=together
        )
    ]
    grid = [
        _Cell(split, held_out[split - 1], model, dim, method, requested, seed)
        for split, model, dim in product(range(1, n_splits + 1), models, dims)
    ]
    first = grid[0].model
    for cell in grid:  # all are of one program, which is compiled and looked for once
        cell.model.compiled = first.compiled
    with folder_lock(folder, say, f"selecting into {folder}"):
        if scheduler in (None, LOCAL):
            jobs = jobs or _default_jobs(requested)
        results = _run(grid, folder / CELLS, jobs, scheduler, say)
    table = pd.DataFrame([{**cell.facts, **row["scores"]} for cell, row in results])
    table = table[list(dict.fromkeys([*COLUMNS, *table.columns]))]
    baselines = _baseline_scores(held_out)
    held = float(table["dyads"].mean() / network.n_observed)
    choice = choose(table, baselines, held)
    best = choice.table.iloc[0]
    calibration = pd.concat(
        [
            pd.DataFrame({"split": cell.facts["split"], **row["calibration"]})
            for cell, row in results
            if all(cell.facts[name] == best[name] for name in CANDIDATE)
        ],
        ignore_index=True,
    )
    warnings = pd.DataFrame(
        [
            [*(cell.facts[name] for name in (*CANDIDATE, "split")), warning]
            for cell, row in results
            for warning in row["warnings"]
        ],
        columns=[*CANDIDATE, "split", "warning"],
    )
    return Selection(
        scores=table,
        baselines=baselines,
        calibration=calibration,
        warnings=warnings,
        share=held,
        choice=choice,
        network=describe(network),
        held_out=in_words(
            n_splits,
            seed=seed,
            scheme=scheme,
            share=held_share(network, share, together=together),
            together=together,
            directed=network.directed,
        ),
        fitted=f"{METHODS[method].title}, seed {seed}, {_listed(requested)}",
    )


def n_parameters(spec: ModelSpec, n_nodes: int, dim: int, *, directed: bool) -> int:
    """Return how many parameters a model has, learned scales among them.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    n_nodes, dim : int
        Numbers of nodes and of dimensions.
    directed : bool
        Whether the network is directed.

    Returns
    -------
    int

    Examples
    --------
    >>> n_parameters(find_model("tutorial"), n_nodes=10, dim=2, directed=True)
    20
    """
    start = {"z": np.ones((n_nodes, dim))}
    values = declared(start, spec, directed=directed, learned=spec.hierarchical)
    return int(flat(values).shape[-1])


class _HeldOut(NamedTuple):
    """A split: what is left, what was taken out, the weights there, and what was taken as one."""

    train: Network
    dyads: Dyads
    weight: IntArray
    unit: IntArray

    @classmethod
    def of(cls, network: Network, dyads: Dyads, together: bool) -> _HeldOut:
        unit = pair_number(*dyads) if together else np.arange(len(dyads[0]))
        return cls(network.hide(*dyads), dyads, network.weight_of(*dyads), unit)

    @property
    def in_pairs(self) -> bool:
        """Whether both directions of some pair are scored as one."""
        return len(np.unique(self.unit)) < len(self.unit)


class _Cell:
    """A cell of the grid: what is fitted, and to what."""

    def __init__(
        self,
        split: int,
        held_out: _HeldOut,
        model: str,
        dim: int,
        method: str,
        arguments: dict[str, Any],
        seed: int,
    ) -> None:
        self.held_out = held_out
        self.method, self.arguments, self.seed = method, arguments, seed
        network = held_out.train
        self.model = LatentSpaceModel(network, dim, model=model)
        self.facts: dict[str, Any] = {
            "model": model,
            "dim": dim,
            "split": split,
            "dyads": len(held_out.weight),
            "parameters": n_parameters(
                self.model.spec, network.n_nodes, dim, directed=network.directed
            ),
        }

    @cached_property
    def key(self) -> str:
        """Digest of everything that goes into the cell."""
        parts = [
            CELL_FORMAT,
            self.model.problem.digest,
            hashlib.sha256(self.held_out.weight.astype("<i8").tobytes()).hexdigest(),
            self.model.as_record(),
            self.model.compiled.program,
            self.method,
            self.arguments,
            self.seed,
            self.held_out.in_pairs,
        ]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:24]

    def run(self) -> dict[str, Any]:
        """Fit, and score."""
        model = copy(self.model)
        # the cell's problem would keep the Stan data after the fit
        model.problem = replace(model.problem)
        model.compiled = self.model.compiled
        fit = model.fit(self.method, seed=self.seed, show_progress=False, **self.arguments)
        train, dyads, weight, unit = self.held_out
        prediction = predict_held_out(
            fit.spec, flat_draws(fit.parameters), train, *dyads, weight, unit
        )
        numbers = {**scores(prediction, weight, unit), "converged": fit.converged}
        table = calibration_table(prediction.probability, weight > 0)
        return {
            "scores": {**numbers, "seconds": fit.record.seconds},
            "calibration": table.rename_axis("bin").reset_index().to_dict("list"),
            "warnings": fit.warnings,
        }


def _run(
    grid: Sequence[_Cell], folder: Path, jobs: int | None, scheduler: str | None, say: Progress
) -> list[tuple[_Cell, dict[str, Any]]]:
    """Run the cells that are missing, several at once; each leaves a file when it is done."""
    results: dict[int, dict[str, Any]] = {}
    for number, cell in enumerate(grid):
        file = folder / f"{cell.key}.json"
        if file.exists():
            try:
                results[number] = _read_cell(file)
            except (OSError, ValueError, KeyError, TypeError):
                say(f"{file} is damaged: the fit is made again")
    if results:
        say(f"{len(results)} of {len(grid)} fits are already done, and kept")
    missing = {number: cell for number, cell in enumerate(grid) if number not in results}

    def keep(number: int, result: dict[str, Any]) -> None:
        results[number] = result
        facts, score = grid[number].facts, result["scores"]
        text = json.dumps({"of": facts, **result}, indent=1)
        write_whole(folder / f"{grid[number].key}.json", f"{text}\n".encode())
        say(
            f"[{len(results)}/{len(grid)}] {facts['model']}, K = {facts['dim']}, split"
            f" {facts['split']}: {score['log_density']:.4f} a dyad, AUC {score['auc']:.3f},"
            f" {score['seconds']:.0f} s"
        )

    try:
        if missing:
            sweep(
                _Cell.run,
                missing,
                keep,
                jobs=jobs,
                scheduler=scheduler,
                finished=len(results),
                say=say,
            )
    except KeyboardInterrupt:
        say(f"{len(results)} of {len(grid)} fits are done, and kept: run it again to go on")
        raise
    return [(cell, results[number]) for number, cell in enumerate(grid)]


def _read_cell(file: Path) -> dict[str, Any]:
    """Read a finished cell; fail as what comes after would, where it is damaged."""
    cell = json.loads(file.read_text(encoding="utf-8"))
    for name in ("log_density", "auc", "seconds", "converged"):
        float(cell["scores"][name])
    pd.DataFrame({"split": 1, **cell["calibration"]})
    list(cell["warnings"])
    return dict(cell)


def _baseline_scores(held_out: Sequence[_HeldOut]) -> pd.DataFrame:
    rows = []
    for split, (train, dyads, weight, unit) in enumerate(held_out, start=1):
        for name, prediction in predict_baselines(train, *dyads, weight).items():
            facts = {"model": name, "split": split, "dyads": len(weight)}
            rows.append({**facts, **scores(prediction, weight, unit)})
    return pd.DataFrame(rows)


def _listed(arguments: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in arguments.items())


def _default_jobs(arguments: Mapping[str, Any]) -> int:
    """Return how many fits keep the cores busy: each runs its starts, or chains, at once."""
    at_once = arguments.get("starts", arguments.get("chains", 1))
    return max(1, cores() // int(at_once))
