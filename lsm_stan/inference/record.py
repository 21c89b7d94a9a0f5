"""What was run and what came of it: the content of ``fit.json``."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lsm_stan.errors import DamagedError
from lsm_stan.posterior.checks import Check

#: The file of a fit's folder that holds the record.
RECORD = "fit.json"


@dataclass(frozen=True)
class NetworkRecord:
    """What is recorded of the network that was fitted.

    Attributes
    ----------
    title : str
        Name in print.
    digest : str
        Digest of the data: of the network, and of the model's covariates.
    directed : bool
        Whether it is directed.
    edges, hidden : int
        Numbers of edges, and of dyads that were not observed.
    notes : sequence of str
        What was said when it was read.
    layers : sequence of str
        Labels of layers; none of a network alone.
    """

    title: str
    digest: str
    directed: bool
    edges: int = 0
    hidden: int = 0
    notes: Sequence[str] = ()
    layers: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class FitRecord:
    """The record of one fit.

    Attributes
    ----------
    method : str
        A name of :data:`lsm_stan.inference.methods.METHODS`.
    seed : int
        Seed, as CmdStan was given it.
    seconds : float
        Wall time, compilation left out.
    log_joint : float
        Log joint density at the fit's positions, every constant included, in nats.
    nodes, dim, total_weight : int
        Size of the network and of its space.
    checks : sequence of Check
        All have passed if the fit converged.
    details : dict
        The method's numbers.
    arguments : dict
        What the method was asked to do.
    model_name : str
        The model, for people to read.
    model : dict
        The model and its numbers, for programs.
    program : str
        Digest of the Stan program's sources.
    network : NetworkRecord
        The network.
    versions : dict
        Versions by name: packages, CmdStan, compiler, Python.
    files : dict
        SHA-256 of the files beside the record, by their paths; none before they are written.
    """

    method: str
    seed: int
    seconds: float
    log_joint: float
    dim: int
    checks: Sequence[Check]
    details: dict[str, Any]
    arguments: dict[str, Any]
    model: dict[str, Any]
    network: NetworkRecord
    versions: dict[str, str]
    nodes: int = 0
    total_weight: int = 0
    model_name: str = ""
    program: str = ""
    files: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def loss(self) -> float:
        """Minus :attr:`log_joint`: what the tutorial prints as its loss."""
        return -self.log_joint

    @property
    def converged(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    @property
    def warnings(self) -> list[str]:
        """What keeps the fit from being trusted, in sentences."""
        return [check.sentence for check in self.checks if not check.passed]

    def as_json(self) -> dict[str, Any]:
        """Return the record as JSON has it, what follows from it included.

        Returns
        -------
        dict
            Numbers, text, lists and dictionaries, in the order people read them.
        """
        values = dataclasses.asdict(self)
        values |= {"loss": self.loss, "converged": self.converged, "warnings": self.warnings}
        return {name: values[name] for name in _ORDER}

    @classmethod
    def from_json(cls, values: Mapping[str, Any], source: Path) -> FitRecord:
        """Return a record that :meth:`as_json` wrote.

        Parameters
        ----------
        values : Mapping
            What the file holds.
        source : Path
            The file, for errors.

        Returns
        -------
        FitRecord

        Raises
        ------
        DamagedError
            If something is missing: the file is damaged, or of another lsm-stan.
        """
        try:
            known = {f.name for f in dataclasses.fields(cls)}
            named = {name: value for name, value in values.items() if name in known}
            network = NetworkRecord(**named.pop("network"))
            network = dataclasses.replace(
                network, notes=tuple(network.notes), layers=tuple(network.layers)
            )
            checks = [Check(**check) for check in named.pop("checks")]
            return cls(**named, network=network, checks=checks)
        except (AttributeError, KeyError, TypeError) as error:
            raise DamagedError(
                f"{source} is no record of a fit that this lsm-stan reads ({error}); run the fit"
                " again"
            ) from error


#: In the order people read them.
_ORDER = (
    *("method", "seed", "seconds", "log_joint", "loss", "nodes", "dim", "total_weight"),
    *("converged", "warnings", "checks", "details", "arguments", "model_name", "model"),
    *("program", "network", "versions", "files"),
)


def read_record(folder: Path) -> FitRecord | None:
    """Read the record in a fit's folder.

    Parameters
    ----------
    folder : Path
        The folder.

    Returns
    -------
    FitRecord or None
        None where there is no finished fit.

    Raises
    ------
    DamagedError
        If the file is damaged.
    """
    path = folder / RECORD
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise DamagedError(
            f"{path} cannot be read ({error.strerror}); run the fit again"
        ) from error
    except ValueError as error:  # of JSON, or of text that is not UTF-8
        raise DamagedError(f"{path} is damaged ({error}); run the fit again") from error
    return FitRecord.from_json(values, path)
