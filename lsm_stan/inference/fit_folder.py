"""A fit as a folder that repeats it.

A folder holds

- ``fit.json``: what was run and what came of it (:mod:`lsm_stan.inference.record`);
- ``idata.nc``: ArviZ's container (:mod:`lsm_stan.posterior.idata`);
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
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import tomli_w

from lsm_stan.cmdstan.cache import cache_lock
from lsm_stan.errors import InputError
from lsm_stan.files import ensure_ours
from lsm_stan.inference.record import RECORD, FitRecord, read_record
from lsm_stan.model.family import read_spec
from lsm_stan.network.network import Network
from lsm_stan.network.readers import open_network
from lsm_stan.network.reading import Reading
from lsm_stan.posterior import idata as container
from lsm_stan.progress import print_progress

EDGES, NODES, HIDDEN, DYADS = "edges.csv", "nodes.csv", "hidden.csv", "dyads.csv"
IDATA, CONFIG, CMDSTAN = "idata.nc", "config.toml", "cmdstan"
#: Starting values that were given, among CmdStan's files.
INIT = "init.npz"


@dataclass(frozen=True, eq=False)
class Content:
    """What a fit's folder holds; see :class:`lsm_stan.inference.fit.Fit`.

    Attributes
    ----------
    network : Network
        The network that was fitted.
    idata : InferenceData or DataTree
        ArviZ's container.
    record : FitRecord
        What was run and what came of it.
    cmdstan_output : Path
        Folder of CmdStan's CSV files and console output.
    """

    network: Network
    idata: container.InferenceData
    record: FitRecord
    cmdstan_output: Path

    def config(self) -> dict[str, Any]:
        """Return the configuration that repeats the fit, network files beside it.

        Returns
        -------
        dict
            As ``config.toml`` has it.
        """
        arguments = dict(self.record.arguments)
        if (self.cmdstan_output / INIT).exists():
            arguments["init"] = f"{CMDSTAN}/{INIT}"
        method = {"method": self.record.method, "seed": self.record.seed, "arguments": arguments}
        network = {
            "file": EDGES,
            "header": True,
            "nodes": NODES,
            **({"hidden": HIDDEN} if self.network.n_hidden else {}),
            **({} if self.network.dyad_table is None else {"dyads": DYADS}),
            "title": self.network.title,
            "directed": self.network.directed,
        }
        return {
            "network": network,
            **self.record.model,
            "fit": [method],
        }

    def write(self, folder: Path) -> None:
        """Write a folder, which appears only when whole.

        Parameters
        ----------
        folder : Path
            The folder; it is replaced if it holds an earlier fit or is empty.

        Raises
        ------
        InputError
            If ``folder`` exists and is something else than a fit.
        """
        ensure_replaceable(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        network = self.network
        try:
            building.chmod(0o755)
            network.edge_frame().to_csv(building / EDGES, index=False)
            network.node_frame().to_csv(building / NODES, index=False)
            if network.n_hidden:
                network.hidden_frame().to_csv(building / HIDDEN, index=False)
            if network.dyad_table is not None:
                network.dyad_frame().to_csv(building / DYADS, index=False)
            (building / CONFIG).write_text(tomli_w.dumps(self.config()), encoding="utf-8")
            shutil.copytree(self.cmdstan_output, building / CMDSTAN)
            container.save(self.idata, building / IDATA)
            text = json.dumps(self.record.as_json(), indent=2, allow_nan=False)
            (building / RECORD).write_text(text + "\n", encoding="utf-8")
            _put_in_place(building, folder)
        finally:
            shutil.rmtree(building, ignore_errors=True)

    @classmethod
    def read(cls, folder: Path) -> Content:
        """Read a folder that :meth:`write` wrote.

        Parameters
        ----------
        folder : Path
            The fit's folder.

        Returns
        -------
        Content

        Raises
        ------
        InputError
            If the folder is not a finished fit, or its network is not the one that was fitted.
        """
        record = read_record(folder)
        if record is None:
            raise InputError(f"{folder}: no finished fit here (no {RECORD})")
        how = Reading(
            directed=record.network.directed,
            header=True,
            nodes=folder / NODES,
            hidden=folder / HIDDEN if record.network.hidden else None,
            dyads=folder / DYADS if (folder / DYADS).exists() else None,
            title=record.network.title,
        )
        network = open_network(folder / EDGES, how)
        spec = read_spec(record.model.get("model", "tutorial")).bound(network)
        if spec.digest(network) != record.network.digest:
            raise InputError(
                f"{folder}: {EDGES}, or a table beside it, is not the network that was fitted"
            )
        return cls(
            network=replace(network, notes=tuple(record.network.notes)),
            idata=container.load(folder / IDATA),
            record=record,
            cmdstan_output=folder / CMDSTAN,
        )


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


def ensure_replaceable(folder: Path) -> None:
    """Raise an error if a folder holds anything that is not a fit.

    Parameters
    ----------
    folder : Path
        A folder, or none yet.

    Raises
    ------
    InputError
        If the folder holds something else.
    """
    ensure_ours(folder, "a fit", (folder / RECORD).exists())
