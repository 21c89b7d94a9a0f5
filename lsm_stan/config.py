"""The configuration of an analysis: one network, several fits, one TOML file."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from lsm_stan.choices import Kernel
from lsm_stan.errors import InputError
from lsm_stan.inference.latent_space_model import requested_arguments
from lsm_stan.inference.starts import MADE
from lsm_stan.model.family import read_spec
from lsm_stan.model.stan_data import DIAGONAL_JITTER


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class FitConfig(_Strict):
    """One fit.

    Attributes
    ----------
    method
        A key of :data:`lsm_stan.inference.methods.METHODS`.
    seed
        Of that method.
    name
        Of the fit's folder; the method's name where not given.
    arguments
        Of the method, or of CmdStanPy's method of the same name.
    """

    method: str
    seed: Annotated[int, Field(ge=0)]
    name: Annotated[str, Field(pattern=r"^[\w][\w.-]*$")] = ""
    arguments: dict[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _name_by_method(cls, values: Any) -> Any:
        if isinstance(values, dict) and "name" not in values and "method" in values:
            return {**values, "name": values["method"]}
        return values

    @model_validator(mode="after")
    def _known(self) -> FitConfig:
        requested_arguments(self.method, self.arguments)
        return self


class PublishedLoss(_Strict):
    """A published loss to set the fits' losses beside."""

    label: str
    loss: float


class AnalysisConfig(_Strict):
    """An analysis: a network, the model's numbers, and the fits.

    Attributes
    ----------
    network
        ``celegans``, or a file that :func:`lsm_stan.network.readers.read_network` reads.
    nodes
        A node table to go with it.
    hidden
        A list of dyads that were not observed.
    dyads
        A table of facts about dyads.
    title
        Of the network, in reports.
    directed, parallel_edges
        As in :func:`lsm_stan.network.readers.open_network`.
    model
        A name of :data:`lsm_stan.model.family.MODELS`, or a table of the numbers of a
        :class:`lsm_stan.model.family.ModelSpec`.
    dim, prior_scale, jitter, kernel, threads
        As in :class:`lsm_stan.inference.latent_space_model.LatentSpaceModel`.
    reference
        A published loss for context.
    colour_by
        The column of the node table that colours nodes; see
        :func:`lsm_stan.report.report.make_report`.
    note
        Markdown for the head of the results' README, such as where else to look.
    fit
        The fits, in the order they are run.
    """

    network: str
    nodes: str | None = None
    hidden: str | None = None
    dyads: str | None = None
    title: str | None = None
    directed: bool | None = None
    parallel_edges: Literal["sum", "first"] | None = None
    model: str | dict[str, Any] = "tutorial"
    dim: Annotated[int, Field(ge=1)] = 3
    prior_scale: Annotated[float, Field(gt=0)] | None = None
    jitter: Annotated[float, Field(gt=0)] = DIAGONAL_JITTER
    kernel: Kernel = "cpp"
    threads: Annotated[int, Field(ge=1)] = 1
    reference: PublishedLoss | None = None
    colour_by: str | None = None
    note: str | None = None
    fit: Annotated[tuple[FitConfig, ...], Field(min_length=1, strict=False)]

    @model_validator(mode="after")
    def _model_known(self) -> AnalysisConfig:
        read_spec(self.model)
        return self

    @model_validator(mode="after")
    def _names_differ(self) -> AnalysisConfig:
        names = [fit.name for fit in self.fit]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two fits are named {name!r}; give each a name of its own")
        return self


def load_config(path: str | Path) -> AnalysisConfig:
    """Read and check a configuration.

    Parameters
    ----------
    path
        A TOML file. Paths in it are relative to its folder.

    Returns
    -------
    AnalysisConfig

    Raises
    ------
    InputError
        If the file cannot be read, or a key is unknown, missing or out of its range.
    """
    path = Path(path)
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: not TOML ({error})") from error
    try:
        config = AnalysisConfig.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        raise InputError(f"{path}: {f'{where}: ' if where else ''}{message}") from error
    return _resolved(config, path.resolve().parent)


def _resolved(config: AnalysisConfig, folder: Path) -> AnalysisConfig:
    """Make the paths of a configuration absolute."""
    fits = []
    for fit in config.fit:
        init = fit.arguments.get("init")
        if isinstance(init, str) and init not in MADE:
            arguments = {**fit.arguments, "init": str(folder / init)}
            fit = fit.model_copy(update={"arguments": arguments})
        fits.append(fit)
    network = config.network if config.network == "celegans" else str(folder / config.network)
    beside = {"network": network}
    for name in ("nodes", "hidden", "dyads"):
        if getattr(config, name) is not None:
            beside[name] = str(folder / getattr(config, name))
    return config.model_copy(update={**beside, "fit": tuple(fits)})
