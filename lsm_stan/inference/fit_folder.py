"""A fit as a folder that repeats it.

A folder holds

- ``fit.json``: what was run and what came of it (:mod:`lsm_stan.inference.record`);
- ``idata.nc``: ArviZ's container (:mod:`lsm_stan.posterior.idata`);
- ``edges.csv``, ``nodes.csv``: the network that was fitted; ``hidden.csv``: its hidden dyads;
  ``dyads.csv``: its table of dyads; of layers, ``layers.csv`` and ``absent.csv``;
- ``config.toml``: ``lsm-stan run`` on it repeats the fit;
- ``cmdstan/``: CmdStan's own CSV files and console output.

It is written under a temporary name and renamed when whole, so that a folder with a
``fit.json`` is a finished fit. That has the digests of all files.
"""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import tomli_w

from lsm_stan.cmdstan.cache import cache_lock
from lsm_stan.errors import DamagedError, InputError
from lsm_stan.files import (
    ROOM_THERE,
    contents,
    digest_of_file,
    ensure_ours,
    ensure_writable,
    files_in,
    needs_room,
)
from lsm_stan.inference.record import RECORD, FitRecord, read_record
from lsm_stan.model.family import read_spec
from lsm_stan.network.layer_readers import open_layers
from lsm_stan.network.layers import Layers
from lsm_stan.network.network import Network
from lsm_stan.network.readers import open_network
from lsm_stan.network.reading import Reading
from lsm_stan.network.text_files import write_table
from lsm_stan.posterior import idata as container
from lsm_stan.progress import print_progress
from lsm_stan.temporary import PARTIAL, Scratch, partial_folder

EDGES, NODES, HIDDEN, DYADS = "edges.csv", "nodes.csv", "hidden.csv", "dyads.csv"
LAYERS, ABSENT = "layers.csv", "absent.csv"
#: How a configuration reads the layers of a fit's folder.
LAYER_KEYS = {"layer": "layer", "layer_list": LAYERS, "absent": ABSENT}
IDATA, CONFIG, CMDSTAN = "idata.nc", "config.toml", "cmdstan"
#: Starting values that were given, among CmdStan's files.
INIT = "init.npz"

#: What an earlier fit is called while another takes its place.
REPLACED = "replaced"


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
    scratch : Scratch or None
        What keeps that folder, where it is a temporary one.
    layers : Layers or None
        The layers that were fitted; `network` is their sum then.
    """

    network: Network
    idata: container.InferenceData
    record: FitRecord
    cmdstan_output: Path
    scratch: Scratch | None = None
    layers: Layers | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Carry CmdStan's files along: their folder need not be where, or when, this is read."""
        files = contents(self.cmdstan_output)
        return _carried, (self.network, self.idata, self.record, files, self.layers)

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
            **({"hidden": HIDDEN} if HIDDEN in self.tables() else {}),
            **({} if self.network.dyad_table is None else {"dyads": DYADS}),
            **({} if self.layers is None else LAYER_KEYS),
            "title": self.network.title,
            "directed": self.network.directed,
        }
        return {
            "network": network,
            **self.record.model,
            "fit": [method],
        }

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return the tables of what was fitted, by the names of their files.

        Returns
        -------
        dict of str to DataFrame
        """
        network, layers = self.network, self.layers
        tables = {NODES: network.node_frame()}
        if layers is None:
            tables[EDGES], hidden = network.edge_frame(), network.hidden_frame()
        else:
            tables[EDGES], hidden = layers.edge_frame(), layers.hidden_frame()
            tables[LAYERS] = layers.layer_frame()
            tables[ABSENT] = layers.absent_frame()
        if len(hidden):
            tables[HIDDEN] = hidden
        if network.dyad_table is not None:
            tables[DYADS] = network.dyad_frame()
        return tables

    def write(self, folder: Path) -> Path:
        """Write a folder, which appears only when whole.

        Parameters
        ----------
        folder : Path
            The folder; it is replaced if it holds an earlier fit or is empty.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        InputError
            If ``folder`` exists and is something else than a fit, or cannot be written.
        MachineError
            If there is no room; nothing is left then.
        """
        ensure_replaceable(folder)
        named, folder = folder, folder.resolve()
        with (
            needs_room(f"{named} was not written: ", ROOM_THERE),
            partial_folder(folder) as partial,
        ):
            building = partial / folder.name
            building.mkdir()
            for name, table in self.tables().items():
                write_table(table, building / name)
            (building / CONFIG).write_text(tomli_w.dumps(self.config()), encoding="utf-8")
            self._copy_output(building / CMDSTAN)
            container.save(self.idata, building / IDATA)
            digests = {name: digest_of_file(path) for name, path in files_in(building).items()}
            record = replace(self.record, files=digests)
            text = json.dumps(record.as_json(), indent=2, allow_nan=False)
            (building / RECORD).write_text(text + "\n", encoding="utf-8")
            _put_in_place(building, folder)
        return named

    def _copy_output(self, target: Path) -> None:
        """Copy CmdStan's files, unless they have gone, or another fit's are there now."""
        target.mkdir()
        wanted = {n: d for n, d in self.record.files.items() if n.startswith(f"{CMDSTAN}/")}
        source = self.cmdstan_output
        there = files_in(source)
        if any(
            (path := there.get(name.removeprefix(f"{CMDSTAN}/"))) is None
            or digest_of_file(path) != digest
            for name, digest in wanted.items()
        ):
            warnings.warn(
                f"CmdStan's own files of this fit are no longer in {source}: it is saved without",
                stacklevel=5,
            )
            return
        shutil.copytree(source, target, dirs_exist_ok=True)

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
            If the folder is not a finished fit.
        DamagedError
            If it is damaged, or its network or draws are not those of the fit.
        """
        _finish_move(folder)
        record = read_record(folder)
        if record is None:
            raise InputError(f"{folder}: no finished fit here (no {RECORD})")
        try:
            return cls._read(folder, record)
        except DamagedError:
            raise
        except (AttributeError, KeyError, OSError, TypeError, ValueError) as error:
            raise DamagedError(f"{folder} is damaged ({error}); run the fit again") from error

    @classmethod
    def _read(cls, folder: Path, record: FitRecord) -> Content:
        how = Reading(
            directed=record.network.directed,
            header=True,
            nodes=folder / NODES,
            hidden=folder / HIDDEN if record.network.hidden else None,
            dyads=folder / DYADS if (folder / DYADS).exists() else None,
            title=record.network.title,
        )
        if record.network.layers:
            return cls._with_layers(folder, record, how)
        network = open_network(folder / EDGES, how)
        spec = read_spec(record.model.get("model", "tutorial")).bound(network)
        if spec.digest(network) != record.network.digest:
            raise _other_network(folder)
        for name in (NODES, HIDDEN, DYADS):
            _ensure_own(folder / name, record)
        return cls(
            network=replace(network, notes=tuple(record.network.notes)),
            idata=_read_idata(folder / IDATA, record),
            record=record,
            cmdstan_output=folder / CMDSTAN,
        )

    @classmethod
    def _with_layers(cls, folder: Path, record: FitRecord, how: Reading) -> Content:
        hidden = folder / HIDDEN
        how = replace(
            how,
            hidden=hidden if hidden.exists() else None,
            layer="layer",
            layer_list=folder / LAYERS,
            absent=folder / ABSENT,
        )
        layers = open_layers(folder / EDGES, how)
        spec = read_spec(record.model.get("model", "tutorial")).bound(layers.pooled)
        if spec.digest(layers) != record.network.digest:
            raise _other_network(folder)
        for name in (NODES, HIDDEN, DYADS, LAYERS, ABSENT):
            _ensure_own(folder / name, record)
        layers = replace(layers, notes=tuple(record.network.notes))
        return cls(
            network=layers.pooled,
            idata=_read_idata(folder / IDATA, record),
            record=record,
            cmdstan_output=folder / CMDSTAN,
            layers=layers,
        )


def _other_network(folder: Path) -> DamagedError:
    return DamagedError(
        f"{folder}: {EDGES}, or a table beside it, is not the network that was fitted; put it back,"
        " or run the fit again"
    )


def _carried(
    network: Network,
    idata: container.InferenceData,
    record: FitRecord,
    files: Mapping[str, bytes],
    layers: Layers | None,
) -> Content:
    """Return what was carried here, with a folder of its own for CmdStan's files."""
    scratch = Scratch(files)
    return Content(network, idata, record, scratch.path, scratch, layers)


def _ensure_own(path: Path, record: FitRecord) -> None:
    """Raise DamagedError if a file is not the one that the record was written with."""
    digest = record.files.get(path.name)
    if digest is not None and digest_of_file(path) != digest:
        raise DamagedError(
            f"{path} is damaged, or another fit's: it is not the file that {RECORD} was written"
            " with; run the fit again"
        )


def _read_idata(path: Path, record: FitRecord) -> container.InferenceData:
    """Read the draws of a fit; raise DamagedError if they are damaged, or not its own."""
    try:
        _ensure_own(path, record)
        return container.load(path)
    except DamagedError:
        raise
    except Exception as error:  # whatever HDF5 makes of a damaged file
        raise DamagedError(f"{path} cannot be read ({error}); run the fit again") from error


def _put_in_place(building: Path, folder: Path) -> None:
    """Give a whole folder its name, in place of an earlier one, which goes."""
    replaced = building.with_name(REPLACED)
    with cache_lock("fits", print_progress, "saving a fit"):
        try:
            if folder.exists():
                folder.rename(replaced)
            building.rename(folder)
        finally:
            if not folder.exists():  # interrupted between the two
                building.rename(folder)


def _finish_move(folder: Path) -> None:
    """Give a whole folder its name where a process was killed before it could."""
    folder = folder.resolve()

    def waiting() -> list[Path]:
        moved = folder.parent.glob(f".*{PARTIAL}/{REPLACED}")
        beside = [path.with_name(folder.name) for path in moved]
        return [path for path in beside if (path / RECORD).exists()]

    if folder.exists() or not waiting():
        return
    with cache_lock("fits", print_progress, "saving a fit"):
        if not folder.exists() and (buildings := waiting()):
            buildings[0].rename(folder)


def ensure_replaceable(folder: Path) -> None:
    """Raise an error if a folder holds anything that is not a fit, or cannot be written.

    Parameters
    ----------
    folder : Path
        A folder, or none yet.

    Raises
    ------
    InputError
        If the folder holds something else, or no folder can be made there.
    """
    _finish_move(folder)
    ensure_ours(folder, "a fit", (folder / RECORD).exists())
    ensure_writable(folder.resolve(), "name another folder for the fit")
