"""The configuration of an analysis: one network, several fits, one TOML file."""

from __future__ import annotations

import tomllib
from dataclasses import fields, replace
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import pandas as pd
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    InstanceOf,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from lsm_stan.choices import Kernel
from lsm_stan.errors import InputError
from lsm_stan.inference.latent_space_model import requested_arguments
from lsm_stan.inference.starts import MADE
from lsm_stan.model.family import read_spec
from lsm_stan.model.layering import Layering
from lsm_stan.model.stan_data import DIAGONAL_JITTER
from lsm_stan.network import reading
from lsm_stan.network.packaged import is_packaged
from lsm_stan.network.reading import Reading

#: The keys that say how to read a network.
_OF_READING = tuple(field.name for field in fields(Reading))

#: Those that are files.
_FILES = ("nodes", "hidden", "dyads", "layer_list", "absent")

#: More tables in tables take TOML's parser time as the square.
_DEEPEST = 1000

#: A fit's name is that of a folder.
_LONGEST_NAME = 100


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class FitConfig(_Strict):
    """One fit.

    Attributes
    ----------
    method : str
        A key of :data:`lsm_stan.inference.methods.METHODS`.
    seed : int
        Seed of that method.
    name : str
        Name of the fit's folder; by default the method's name.
    arguments : dict of str to Any
        Arguments of the method, or of CmdStanPy's method of the same name.
    """

    method: str
    seed: Annotated[int, Field(ge=0)]
    name: Annotated[str, Field(pattern=r"^[\w][\w.-]*$", max_length=_LONGEST_NAME)] = ""
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
    """A published loss to set the fits' losses beside.

    Attributes
    ----------
    label : str
        Where it was published.
    loss : float
        The loss, minus the log joint density, in nats.
    """

    label: str
    loss: float


def _as_reading(values: Any) -> Any:
    """Make a value of the keys of a network's table, each of its type."""
    if not isinstance(values, dict):
        return values
    unknown = [name for name in values if name not in _OF_READING]
    if unknown:
        raise ValueError(f"there is no key {unknown[0]!r}; there are {', '.join(_OF_READING)}")
    settings, hints = (
        ConfigDict(arbitrary_types_allowed=True),
        get_type_hints(Reading, {**vars(reading), "pd": pd}),
    )
    for name, value in values.items():
        try:
            TypeAdapter(hints[name], config=settings).validate_python(value, strict=True)
        except ValidationError as error:
            raise ValueError(f"{name} is {value!r}; {error.errors()[0]['msg']}") from error
    return Reading(**values)


class NetworkConfig(_Strict):
    """A network and how to read it: the keys of ``[network]``.

    Attributes
    ----------
    file : str
        The name of a packaged network, such as ``celegans``, or of packaged layers; or a file that
        :func:`lsm_stan.network.readers.read_network` reads, or a folder of layers.
    how : Reading
        The other keys: the attributes of a :class:`lsm_stan.network.reading.Reading`.
    """

    file: str
    how: Annotated[InstanceOf[Reading], BeforeValidator(_as_reading)] = Reading()

    @model_validator(mode="before")
    @classmethod
    def _keys_of_reading(cls, values: Any) -> Any:
        if isinstance(values, str):
            return {"file": values}
        if not isinstance(values, dict) or "how" in values:
            return values
        how = {name: value for name, value in values.items() if name != "file"}
        if isinstance(how.get("where"), str | list):
            where = how["where"]
            how["where"] = (where,) if isinstance(where, str) else tuple(where)
        return {**{name: values[name] for name in values if name == "file"}, "how": how}


class AnalysisConfig(_Strict):
    """An analysis: a network, the model's numbers, and the fits.

    Attributes
    ----------
    network : NetworkConfig
        A :class:`NetworkConfig`, or its file alone; then the keys of reading may stand beside it.
    model : str or dict
        A name of :data:`lsm_stan.model.family.MODELS`, or a table of the numbers of a
        :class:`lsm_stan.model.family.ModelSpec`.
    dim, prior_scale, jitter, layers, kernel, threads : Any
        As in :class:`lsm_stan.inference.latent_space_model.LatentSpaceModel`.
    reference : PublishedLoss or None
        A published loss for context.
    colour_by : str or None
        The column of the node table that colours nodes; see
        :func:`lsm_stan.report.report.make_report`.
    note : str or None
        Markdown for the head of the results' README, such as where else to look.
    fit : tuple of FitConfig
        The fits, in the order they are run.
    """

    network: NetworkConfig
    model: str | dict[str, Any] = "tutorial"
    dim: Annotated[int, Field(ge=1)] = 3
    prior_scale: Annotated[float, Field(gt=0)] | None = None
    jitter: Annotated[float, Field(gt=0)] = DIAGONAL_JITTER
    layers: str | dict[str, Any] | None = None
    kernel: Kernel = "cpp"
    threads: Annotated[int, Field(ge=1)] = 1
    reference: PublishedLoss | None = None
    colour_by: str | None = None
    note: str | None = None
    fit: Annotated[tuple[FitConfig, ...], Field(min_length=1, strict=False)]

    @model_validator(mode="before")
    @classmethod
    def _keys_beside_the_network(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        beside = {name: value for name, value in values.items() if name in _OF_READING}
        network = values.get("network")
        if not beside or not isinstance(network, str):
            return values
        rest = {name: value for name, value in values.items() if name not in beside}
        return {**rest, "network": {"file": network, **beside}}

    @model_validator(mode="after")
    def _model_known(self) -> AnalysisConfig:
        read_spec(self.model)
        if self.layers is not None:
            Layering.of(self.layers)
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
    path : str or Path
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
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from error
    if any(line.partition("=")[0].count(".") > _DEEPEST for line in text.splitlines()):
        raise InputError(f"{path}: not TOML that can be read (a key has too many dots)")
    try:
        values = tomllib.loads(text)
    # thousands of brackets, or of digits, are no errors of TOML
    except (ValueError, RecursionError, MemoryError) as error:
        raise InputError(f"{path}: not TOML ({str(error) or type(error).__name__})") from error
    try:
        config = AnalysisConfig.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if part != "how")
        message = first["msg"].removeprefix("Value error, ")
        raise InputError(f"{path}: {f'{where}: ' if where else ''}{message}") from error
    return _resolved(config, _absolute(path).parent)


def _resolved(config: AnalysisConfig, folder: Path) -> AnalysisConfig:
    """Make the paths of a configuration absolute."""
    fits = []
    for fit in config.fit:
        init = fit.arguments.get("init")
        if isinstance(init, str) and init not in MADE:
            arguments = {**fit.arguments, "init": str(folder / init)}
            fit = fit.model_copy(update={"arguments": arguments})
        fits.append(fit)
    network = config.network
    file = network.file if is_packaged(network.file) else str(folder / network.file)
    tables = {name: getattr(network.how, name) for name in _FILES}
    absolute: dict[str, Any] = {
        name: str(folder / table) for name, table in tables.items() if table is not None
    }
    how = replace(network.how, **absolute)
    resolved = network.model_copy(update={"file": file, "how": how})
    return config.model_copy(update={"network": resolved, "fit": tuple(fits)})


def _absolute(path: Path) -> Path:
    try:
        return path.resolve()
    except OSError as error:  # the working directory was deleted
        raise InputError(f"{path}: the working directory is not there any more") from error
