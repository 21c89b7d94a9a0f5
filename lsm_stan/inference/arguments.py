"""Arguments of the methods: which there are, whether their values can be, and what is recorded."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import cmdstanpy
import numpy as np
from pydantic import Field, TypeAdapter, ValidationError

from lsm_stan.errors import InputError
from lsm_stan.inference.fit import Fit
from lsm_stan.inference.methods import Method
from lsm_stan.typing import plain

Count = Annotated[int, Field(ge=1)]
NotNegative = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]

#: CmdStanPy's arguments that are not passed on: those that this package gives, those that change
#: nothing here (there are no bounds, no profiles; ADVI's eta counts only without adaptation), and
#: those that spoil a run for CmdStanPy or for us: it cannot read the CSV file of ADVI without
#: adaptation, and gives warmup draws to some of its results and not to others.
WITHHELD = {
    "all": ("data", "inits", "output_dir", "require_converged", "save_profile"),
    "optimize": ("algorithm", "jacobian"),
    "variational": ("adapt_engaged", "eta"),
    "sample": ("threads_per_chain", "save_warmup", "fixed_param"),
}

#: What values CmdStanPy's arguments take. It checks some of them itself, but only when its turn
#: comes, after a MAP or a pilot run, and the others not at all.
CMDSTAN: dict[str, Any] = {
    **dict.fromkeys(("iter", "iter_sampling", "thin", "draws", "output_samples"), Count | None),
    **dict.fromkeys(("grad_samples", "elbo_samples", "adapt_iter", "eval_elbo"), Count | None),
    **dict.fromkeys(("max_treedepth", "history_size", "refresh"), Count | None),
    **dict.fromkeys(("iter_warmup", "adapt_init_phase"), NotNegative | None),
    **dict.fromkeys(("adapt_metric_window", "adapt_step_size"), NotNegative | None),
    **dict.fromkeys(("init_alpha", "tol_obj", "tol_rel_obj"), Positive | None),
    **dict.fromkeys(("tol_grad", "tol_rel_grad", "tol_param", "timeout"), Positive | None),
    "adapt_delta": Annotated[float, Field(gt=0, lt=1)] | None,
    "adapt_engaged": bool,
    "algorithm": Literal["meanfield", "fullrank"] | None,
    "sig_figs": Annotated[int, Field(ge=1, le=18)] | None,
}

#: Those that only an adaptation has a use for.
OF_ADAPTATION = ("adapt_delta", "adapt_init_phase", "adapt_metric_window", "adapt_step_size")


def accepted_arguments(method: Method, ours: Callable[..., Any]) -> list[str]:
    """Return the arguments of a method: this package's first, then those passed to CmdStanPy.

    Parameters
    ----------
    method : Method
        The method.
    ours : callable
        The function that runs it; its signature has this package's arguments.

    Returns
    -------
    list of str
    """
    our_arguments = inspect.signature(ours).parameters
    theirs = getattr(cmdstanpy.CmdStanModel, method.verb) if method.by_cmdstan else ours
    passed = inspect.signature(theirs).parameters
    withheld = {"self", "seed", "cmdstan", *WITHHELD["all"], *WITHHELD.get(method.verb, ())}
    return [name for name in dict.fromkeys([*our_arguments, *passed]) if name not in withheld]


def requested(
    method: Method, ours: Callable[..., Any], arguments: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what a method is asked to do, this package's defaults included, for the record.

    Parameters
    ----------
    method : Method
        The method.
    ours : callable
        The function that runs it.
    arguments : Mapping
        What the caller asks for, by name.

    Returns
    -------
    dict
        Values that JSON and TOML can hold, by name.

    Raises
    ------
    InputError
        If there is no such argument, or not with this value.
    """
    accepted = accepted_arguments(method, ours)
    hints = CMDSTAN | get_type_hints(ours, include_extras=True)
    for name, value in arguments.items():
        if name not in accepted:
            raise InputError(
                f"method {method.name} has no argument {name!r}; it takes {', '.join(accepted)}"
            )
        if name == "init":
            _check_start(method.name, value)
        elif name in hints:
            _check_value(method.name, name, value, hints[name])
    parameters = inspect.signature(ours).parameters.values()
    defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
    asked = {**defaults, **arguments}
    _check_together(method.name, asked)
    for name in ("show_progress", "unfinished"):  # they say nothing of the result
        asked.pop(name, None)
    return {name: _plain(value) for name, value in asked.items() if value is not None}


def _check_start(method: str, value: Any) -> None:
    if not isinstance(value, str | Path | Fit | np.ndarray | Mapping):
        raise InputError(
            f"{method}: init is {value!r}; needed: map, random, a fit or its folder, a file of"
            f" positions, or arrays by name"
        )


def _check_value(method: str, name: str, value: Any, hint: Any) -> None:
    try:
        TypeAdapter(hint).validate_python(_plain(value), strict=True)
    except ValidationError as error:
        wanted = error.errors()[0]["msg"].removeprefix("Input should be ")
        raise InputError(f"{method}: {name} is {value!r}; needed: {wanted}") from error


def _check_together(method: str, asked: Mapping[str, Any]) -> None:
    """Check the sampler's arguments that depend on others."""
    steps, chains = _plain(asked.get("step_size")), asked.get("chains")
    if steps is not None:
        each = isinstance(steps, list)
        _check_value(method, "step_size", steps, list[Positive] if each else Positive)
        if each and len(steps) != chains:
            raise InputError(
                f"{method}: step_size has {len(steps)} values; one is needed, or one for each of"
                f" the {chains} chains"
            )
    given = [name for name in OF_ADAPTATION if asked.get(name) is not None]
    if asked.get("adapt_engaged") is False and given:
        raise InputError(
            f"{method}: {given[0]} is {asked[given[0]]!r}, but adapt_engaged is False; drop one of"
            " them"
        )
    if asked.get("iter_warmup") == 0 and asked.get("adapt_engaged") is not False:
        raise InputError(
            f"{method}: iter_warmup is 0, which leaves nothing to adapt in; needed: at least 1, or"
            " adapt_engaged = False"
        )


def _plain(value: Any) -> Any:
    """Return a value that JSON and TOML can hold; positions are kept in a separate file."""
    if isinstance(value, Fit | Mapping) or (isinstance(value, np.ndarray) and value.ndim > 1):
        return "given positions"
    if isinstance(value, np.ndarray):
        return value.tolist()
    return str(value) if isinstance(value, Path) else plain(value)
