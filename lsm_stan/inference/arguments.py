"""Arguments of the methods: which there are, whether their values can be, and what is recorded."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import cmdstanpy
import numpy as np
from cmdstanpy.cmdstan_args import OptimizeArgs, SamplerArgs, VariationalArgs
from pydantic import Field, TypeAdapter, ValidationError

from lsm_stan.errors import InputError
from lsm_stan.inference.fit import Fit
from lsm_stan.inference.methods import Method

Count = Annotated[int, Field(ge=1)]
Softening = Annotated[float, Field(gt=0, allow_inf_nan=False)]

#: CmdStanPy's arguments that are not passed on: those that are ours to give, those that change
#: nothing here (there are no bounds, no profiles; ADVI's eta counts only without adaptation), and
#: those that spoil a run for CmdStanPy or for us: it cannot read the CSV file of ADVI without
#: adaptation, and gives warmup draws to some of its results and not to others.
WITHHELD = {
    "all": ("data", "inits", "output_dir", "require_converged", "save_profile"),
    "optimize": ("algorithm", "jacobian"),
    "variational": ("adapt_engaged", "eta"),
    "sample": ("threads_per_chain", "save_warmup", "fixed_param"),
}

#: What CmdStanPy checks after the pilot run, or not at all: no draw is no fit.
AT_LEAST_ONE: dict[str, Any] = dict.fromkeys(("iter_sampling", "thin", "draws"), Count | None)

#: CmdStanPy's own checks of arguments, which it makes only when its turn comes.
CHECKED: dict[str, Callable[..., Any]] = {
    "optimize": partial(OptimizeArgs, algorithm="lbfgs"),
    "variational": VariationalArgs,
    "sample": SamplerArgs,
}


def accepted_arguments(method: Method, ours: Callable[..., Any]) -> list[str]:
    """Return the arguments of a method: our own first, then those passed to CmdStanPy.

    Parameters
    ----------
    method : Method
        Of the list.
    ours : callable
        What runs it here: its signature tells our own arguments.
    """
    own = inspect.signature(ours).parameters
    passed = inspect.signature(getattr(cmdstanpy.CmdStanModel, method.verb)).parameters
    withheld = {"self", "seed", "cmdstan", *WITHHELD["all"], *WITHHELD[method.verb]}
    return [name for name in dict.fromkeys([*own, *passed]) if name not in withheld]


def requested(
    method: Method, ours: Callable[..., Any], arguments: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what a method is asked to do, defaults of our own included, for the record.

    Parameters
    ----------
    method, ours
        As in :func:`accepted_arguments`.
    arguments : Mapping
        What is asked for.

    Raises
    ------
    InputError
        If there is no such argument, or CmdStanPy refuses its value.
    """
    accepted = accepted_arguments(method, ours)
    hints = AT_LEAST_ONE | get_type_hints(ours, include_extras=True)
    for name, value in arguments.items():
        if name not in accepted:
            raise InputError(
                f"method {method.name} has no argument {name!r}; it takes {', '.join(accepted)}"
            )
        if name in hints and name != "init":
            try:
                TypeAdapter(hints[name]).validate_python(value, strict=True)
            except ValidationError as error:
                wanted = error.errors()[0]["msg"].removeprefix("Input should be ")
                raise InputError(f"{method.name}: {name} is {value!r}; needed: {wanted}") from error
    parameters = inspect.signature(ours).parameters.values()
    defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
    asked = {**defaults, **arguments}
    check = CHECKED[method.verb]
    known = inspect.signature(check).parameters
    try:
        check(**{k: v for k, v in arguments.items() if k in known}).validate(asked.get("chains"))
    except (TypeError, ValueError) as error:
        raise InputError(f"{method.name}: {error}") from error
    del asked["show_progress"]  # says nothing of the result
    return {name: _plain(value) for name, value in asked.items() if value is not None}


def _plain(value: Any) -> Any:
    """Return a value that JSON and TOML can hold; positions are kept in a file of their own."""
    if isinstance(value, Fit | Mapping) or (isinstance(value, np.ndarray) and value.ndim > 1):
        return "given positions"
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, tuple):
        return list(value)
    return str(value) if isinstance(value, Path) else value
