"""A fit, in memory and as a folder that repeats it.

A folder holds

- ``fit.json``: what was run and what came of it, to be read by people and programs;
- ``idata.nc``: ArviZ's container (see :mod:`lsm_stan.idata`);
- ``edges.csv``, ``nodes.csv``: the network that was fitted; ``hidden.csv``: its hidden dyads;
  ``dyads.csv``: its table of dyads;
- ``config.toml``: ``lsm-stan run`` on it repeats the fit;
- ``cmdstan/``: CmdStan's own CSV files and console output.

It is written under a temporary name and renamed when whole, so that a folder with a
``fit.json`` is a finished fit.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w
from numpy.typing import ArrayLike, NDArray

from lsm_stan import idata as container
from lsm_stan.clusters import Clusters, find_clusters
from lsm_stan.compilation import cache_lock
from lsm_stan.dyads import expected_strengths, log_mean, mean_weight
from lsm_stan.errors import InputError
from lsm_stan.files import ensure_ours
from lsm_stan.invariants import (
    MONITORED_NODES,
    MONITORED_PAIRS,
    pair_distances,
    radii,
    sample_nodes,
    sample_pairs,
)
from lsm_stan.models import ModelSpec, read_spec
from lsm_stan.network import Network
from lsm_stan.parameters import SCALES
from lsm_stan.readers import open_network
from lsm_stan.toolchain import print_progress

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

RECORD = "fit.json"
EDGES, NODES, HIDDEN, DYADS = "edges.csv", "nodes.csv", "hidden.csv", "dyads.csv"
#: Starting values that were given, among CmdStan's files.
INIT = "init.npz"


class Scratch:
    """A temporary folder that lives as long as this object, or as what holds it."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="lsm-stan-"))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


@dataclass(frozen=True, eq=False)
class Fit:
    """What one inference method said about one network.

    Attributes
    ----------
    network
        The network that was fitted.
    idata
        ArviZ's container: positions with dims ``(chain, draw, node, dim)`` and node names.
    record
        What ``fit.json`` holds.
    cmdstan_output
        Folder of CmdStan's CSV files and console output.
    """

    network: Network
    idata: container.InferenceData
    record: dict[str, Any]
    cmdstan_output: Path
    # keeps the folder of unsaved output alive as long as the fit
    _scratch: Scratch | None = None

    def __repr__(self) -> str:
        verdict = "converged" if self.converged else "NOT converged"
        return (
            f"Fit({self.method}, {self.network.title}, K = {self.record['dim']}, "
            f"loss {self.loss:,.1f}, {self.record['seconds']:.1f} s, {verdict})"
        )

    @property
    def method(self) -> str:
        """The method's name in :data:`lsm_stan.inference.METHODS`."""
        return str(self.record["method"])

    @property
    def converged(self) -> bool:
        """Whether every check of the method passed; see :attr:`warnings`."""
        return bool(self.record["converged"])

    @property
    def warnings(self) -> list[str]:
        """What keeps the fit from being trusted, in sentences."""
        return list(self.record["warnings"])

    @property
    def log_joint(self) -> float:
        """Log joint density at :attr:`positions`, every constant included, in nats."""
        return float(self.record["log_joint"])

    @property
    def loss(self) -> float:
        """Minus :attr:`log_joint`: what the tutorial prints as its loss."""
        return float(self.record["loss"])

    @property
    def learned(self) -> bool:
        """Whether scales are parameters, of :attr:`log_joint` too; at a mode they are fixed."""
        return not set(SCALES).isdisjoint(self.parameters)

    @property
    def positions(self) -> FloatArray:
        """``(N, K)`` positions: the mode (MAP), or the mean (of aligned draws for NUTS)."""
        return container.estimate_of(self.idata)

    @property
    def estimate(self) -> dict[str, FloatArray]:
        """The parameters at :attr:`positions`, by name; see :mod:`lsm_stan.parameters`."""
        return container.parameters_of(self.idata, "estimate")

    @property
    def parameters(self) -> dict[str, FloatArray]:
        """Draws of every parameter by name, leading axes ``(chain, draw)``; not aligned."""
        return container.parameters_of(self.idata, "posterior")

    @cached_property
    def spec(self) -> ModelSpec:
        """The model that was fitted, with its covariates."""
        return _recorded_spec(self.record).bound(self.network)

    @property
    def draws(self) -> FloatArray:
        """``(chain, draw, N, K)`` positions; not aligned."""
        return container.draws_of(self.idata)

    @cached_property
    def clusters(self) -> Clusters | None:
        """Clusters of nodes, with one label in all draws; None where the model has none."""
        if not self.spec.clusters:
            return None
        scale = self.record["model"]["prior_scale"]
        return find_clusters(self.spec, self.parameters, self.positions, scale)

    def invariants(
        self, pairs: IntArray | None = None, nodes: ArrayLike | None = None
    ) -> container.InferenceData:
        """Return the draws of what rotations and reflections leave unchanged.

        ``az.summary`` and ``az.plot_*`` mean something on these, and nothing on coordinates.

        Parameters
        ----------
        pairs
            ``(P, 2)`` node pairs whose distances and rates are wanted, from 0; by default the
            fixed random set the diagnostics use.
        nodes
            ``(M,)`` nodes whose distances from the origin and expected strengths are wanted, from
            0; by default the fixed random set the diagnostics use: all, up to 500.

        Returns
        -------
        arviz.InferenceData or xarray.DataTree
            Group ``posterior`` with ``log_joint``; the model's scalar parameters; ``theta`` and
            ``sigma_cluster`` of clusters (:attr:`clusters`), the largest first; ``distance`` and
            ``rate``, the expected weight of the first node to the second (dim ``pair``); and
            ``radius`` and ``strength`` (dim ``node``), or ``out_strength`` and ``in_strength``
            where the model tells them apart. And the fit's ``sample_stats``.
        """
        spec, parameters = self.spec, self.parameters
        names = self.network.names
        if pairs is None:
            pairs = sample_pairs(self.network.n_nodes, MONITORED_PAIRS)
        if nodes is None:
            nodes = sample_nodes(self.network.n_nodes, MONITORED_NODES)
        nodes = np.asarray(nodes, dtype=np.int64)
        labels = pair_labels(names, pairs)
        quantities: dict[str, tuple[str, Sequence[str], FloatArray]] = {
            name: ("", (), values) for name, values in parameters.items() if values.ndim == 2
        }
        if spec.terms:
            quantities["beta"] = ("covariate", spec.coords["covariate"], parameters["beta"])
        if self.clusters is not None:
            numbers = [str(number) for number in spec.coords["cluster"]]
            quantities["theta"] = ("cluster", numbers, self.clusters.theta)
            quantities["sigma_cluster"] = ("cluster", numbers, self.clusters.sigma)
        rates = mean_weight(spec, log_mean(spec, parameters, *pairs.T))
        quantities["distance"] = ("pair", labels, pair_distances(self.draws, pairs))
        quantities["rate"] = ("pair", labels, rates)
        if len(nodes):
            of_nodes = [names[node] for node in nodes]
            quantities["radius"] = ("node", of_nodes, radii(self.draws[..., nodes, :]))
            sent, received = expected_strengths(spec, parameters, nodes)
            if self.network.directed and not spec.symmetric:
                quantities["out_strength"] = ("node", of_nodes, sent)
                quantities["in_strength"] = ("node", of_nodes, received)
            else:
                quantities["strength"] = ("node", of_nodes, sent)
        return container.invariants(self.idata, quantities)

    def config(self) -> dict[str, Any]:
        """Return the configuration that repeats this fit, network files beside it."""
        arguments = dict(self.record["arguments"])
        if (self.cmdstan_output / INIT).exists():
            arguments["init"] = f"cmdstan/{INIT}"
        return {
            "network": EDGES,
            "nodes": NODES,
            **({"hidden": HIDDEN} if self.network.n_hidden else {}),
            **({} if self.network.dyad_table is None else {"dyads": DYADS}),
            "title": self.network.title,
            "directed": self.network.directed,
            **self.record["model"],
            "fit": [
                {
                    "method": self.method,
                    "seed": self.record["seed"],
                    "arguments": arguments,
                }
            ],
        }

    def save(self, folder: str | Path) -> Path:
        """Write the fit as a folder, which appears only when whole.

        Parameters
        ----------
        folder
            Replaced if it holds an earlier fit or is empty.

        Returns
        -------
        pathlib.Path
            The folder.

        Raises
        ------
        InputError
            If ``folder`` exists and is something else than a fit.
        """
        folder = Path(folder)
        ensure_replaceable(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            building.chmod(0o755)
            self.network.edge_frame().to_csv(building / EDGES, index=False)
            self.network.node_frame().to_csv(building / NODES, index=False)
            if self.network.n_hidden:
                self.network.hidden_frame().to_csv(building / HIDDEN, index=False)
            if self.network.dyad_table is not None:
                self.network.dyad_frame().to_csv(building / DYADS, index=False)
            (building / "config.toml").write_text(tomli_w.dumps(self.config()), encoding="utf-8")
            shutil.copytree(self.cmdstan_output, building / "cmdstan")
            container.save(self.idata, building / "idata.nc")
            text = json.dumps(self.record, indent=2, allow_nan=False)
            (building / RECORD).write_text(text + "\n", encoding="utf-8")
            _put_in_place(building, folder)
        finally:
            shutil.rmtree(building, ignore_errors=True)
        return folder

    @classmethod
    def load(cls, folder: str | Path) -> Fit:
        """Read a fit that :meth:`save` wrote.

        Parameters
        ----------
        folder
            The fit's folder.

        Returns
        -------
        Fit

        Raises
        ------
        InputError
            If the folder is not a finished fit, or its network is not the one that was fitted.
        """
        folder = Path(folder)
        record = read_record(folder)
        if record is None:
            raise InputError(f"{folder}: no finished fit here (no {RECORD})")
        facts = record["network"]
        network = open_network(
            folder / EDGES,
            directed=facts["directed"],
            nodes=folder / NODES,
            hidden=folder / HIDDEN if facts.get("hidden") else None,
            dyads=folder / DYADS if (folder / DYADS).exists() else None,
            title=facts["title"],
        )
        spec = _recorded_spec(record).bound(network)
        if spec.digest(network) != facts["digest"]:
            raise InputError(
                f"{folder}: {EDGES}, or a table beside it, is not the network that was fitted"
            )
        return cls(
            network=replace(network, notes=tuple(facts.get("notes", network.notes))),
            idata=container.load(folder / "idata.nc"),
            record=record,
            cmdstan_output=folder / "cmdstan",
        )


def pair_labels(names: Sequence[str], pairs: IntArray) -> list[str]:
    """Return what pairs of nodes are called in tables and figures."""
    return [f"{names[i]}–{names[j]}" for i, j in pairs]


def _put_in_place(building: Path, folder: Path) -> None:
    """Give a whole folder its name, in place of an earlier one, which goes."""
    replaced = building.with_name(f"{building.name}-replaced")
    with cache_lock("fits", print_progress, "saving a fit"):
        try:
            if folder.exists():
                folder.rename(replaced)
            building.rename(folder)
        finally:
            if not folder.exists():  # interrupted between the two
                building.rename(folder)
            shutil.rmtree(replaced, ignore_errors=True)


def _recorded_spec(record: dict[str, Any]) -> ModelSpec:
    return read_spec(record["model"].get("model", "tutorial"))


def load_fits(folders: Sequence[str | Path]) -> dict[str, Fit]:
    """Read several fits, named after their folders, or by their paths where names are the same.

    Raises
    ------
    InputError
        If a folder is not a finished fit, or is named twice.
    """
    paths = [Path(folder) for folder in folders]
    names = [path.resolve().name for path in paths]
    fits: dict[str, Fit] = {}
    for path, name in zip(paths, names, strict=True):
        key = name if names.count(name) == 1 else str(path)
        if key in fits:
            raise InputError(f"{path} is named twice; name each fit once")
        fits[key] = Fit.load(path)
    return fits


def read_record(folder: Path) -> dict[str, Any] | None:
    """Return a fit folder's ``fit.json``, or None where there is no finished fit."""
    try:
        record: dict[str, Any] = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except json.JSONDecodeError as error:
        raise InputError(f"{folder / RECORD}: not readable as JSON ({error})") from error
    return record


def ensure_replaceable(folder: Path) -> None:
    """Raise InputError if a folder holds anything that is not a fit."""
    ensure_ours(folder, "a fit", (folder / RECORD).exists())
