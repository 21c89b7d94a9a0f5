"""Where methods start: draws from the prior, a fit, its folder, a file, parameters or positions."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from lsm_stan.errors import InputError
from lsm_stan.inference.fit import Fit
from lsm_stan.inference.problem import Problem
from lsm_stan.inference.units import levels
from lsm_stan.model.parameters import DIMS, Parameters
from lsm_stan.typing import FloatArray

#: Where a method starts: a MAP found first, draws from the prior, a fit (or its folder),
#: parameters, or ``(N, K)`` positions (or an ``.npz`` or ``.npy`` file of them).
Init = str | Path | Fit | FloatArray | Parameters

#: Starts that a method makes itself.
MADE = ("map", "random")


def is_made(init: Init) -> bool:
    """Return whether a method makes a start itself.

    Parameters
    ----------
    init : Init
        The start of a method.

    Returns
    -------
    bool
    """
    return isinstance(init, str) and init in MADE


def is_random(init: Init) -> bool:
    """Return whether a method starts from draws of the prior.

    Parameters
    ----------
    init : Init
        The start of a method.

    Returns
    -------
    bool
    """
    return isinstance(init, str) and init == "random"


def without_path(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return a method's arguments without the name of a start that was given.

    Parameters
    ----------
    arguments : Mapping
        The arguments, by name.

    Returns
    -------
    dict of str to object

    Examples
    --------
    >>> without_path({"init": "fits/map", "chains": 2}), without_path({"init": "map"})
    ({'chains': 2}, {'init': 'map'})
    """
    return {k: v for k, v in arguments.items() if k != "init" or v in MADE}


def prior_starts(problem: Problem, count: int, seed: int) -> list[Parameters]:
    """Draw starting positions from the prior; intercept and dispersion are the data's.

    Parameters
    ----------
    problem : Problem
        The model and its network.
    count : int
        Number of starts.
    seed : int
        The same seed gives the same starts.

    Returns
    -------
    list of dict of str to ndarray
        ``z``, and ``intercept`` and ``phi`` where the model has them.
    """
    shape = (count, problem.network.n_nodes, problem.dim)
    rng = np.random.default_rng(seed)
    positions = rng.normal(scale=problem.prior_scale, size=shape)
    return [{"z": z, **levels(problem)} for z in positions]


def random_starts(problem: Problem, count: int, seed: int) -> list[Parameters]:
    """Draw starting values of a sampler.

    Parameters
    ----------
    problem : Problem
        The model and its network.
    count : int
        Number of starts.
    seed : int
        The same seed gives the same starts.

    Returns
    -------
    list of dict of str to ndarray
        What :func:`prior_starts` returns, and ``role`` where the model has roles.
    """
    starts = prior_starts(problem, count, seed)
    if not problem.spec.roles:
        return starts
    # a node's two positions apart, or it is at no distance from itself
    rng = np.random.default_rng([seed, 1])
    shape = (count, *starts[0]["z"].shape)
    roles = rng.normal(scale=problem.spec.role_fixed, size=shape)
    return [{**start, "role": role} for start, role in zip(starts, roles, strict=True)]


def given_start(problem: Problem, init: Init) -> Parameters:
    """Read starting values of a problem, and check that they can be its.

    Parameters
    ----------
    problem : Problem
        The model and its network.
    init : Init
        A start that the caller gives.

    Returns
    -------
    dict of str to ndarray
        Parameters without leading axes.

    Raises
    ------
    InputError
        If there are none, they are of another shape or of other nodes, or have no density.
    """
    if isinstance(init, str | Path) and Path(init).is_dir():
        init = Fit.load(init)
    start, names = read_start(init), problem.network.names
    shape, needed = start["z"].shape, (problem.network.n_nodes, problem.dim)
    if shape != needed:
        raise InputError(f"init has shape {shape}; (nodes, dim) = {needed} is needed")
    if isinstance(init, Fit):
        start = _in_order(start, init.network.names, names)
    if problem.spec.form == "inverse" and not problem.spec.roles:
        _, first, position = np.unique(start["z"], axis=0, return_index=True, return_inverse=True)
        earlier = first[position.reshape(-1)]
        for node in np.flatnonzero(earlier != np.arange(len(names)))[:1]:
            raise InputError(
                f"init has nodes {names[earlier[node]]!r} and {names[node]!r} at one place,"
                " where the form inverse has no density; different positions are needed"
            )
    return start


def read_start(init: Init) -> Parameters:
    """Read starting values: a fit, its folder, a file, parameters or positions.

    Parameters
    ----------
    init : Init
        A start that the caller gives.

    Returns
    -------
    dict of str to ndarray
        Parameters without leading axes.

    Raises
    ------
    InputError
        If there are none, or they are not finite numbers.
    """
    if isinstance(init, Fit):
        return init.estimate
    if isinstance(init, np.ndarray):
        return _finite({"z": init}, "init")
    if isinstance(init, Mapping):
        return _finite(init, "init")
    path = Path(init)
    if path.is_dir():
        return Fit.load(path).estimate
    try:
        loaded = np.load(path, allow_pickle=False)
        values = dict(loaded) if isinstance(loaded, Mapping) else {"z": loaded}
    except (OSError, ValueError, EOFError, BadZipFile, zlib.error) as error:
        raise InputError(
            f"init is {str(init)!r}; 'map', 'random', a fit's folder or an .npy file is needed"
        ) from error
    return _finite(values, f"init, {path},")


def _in_order(
    parameters: Parameters, there: Sequence[str], here: Sequence[str]
) -> dict[str, FloatArray]:
    """Put the values of nodes in another order; raise InputError where the nodes are others."""
    place = {name: number for number, name in enumerate(there)}
    for name in here:
        if name not in place:
            other = next(name for name in there if name not in set(here))
            raise InputError(
                f"init is a fit of other nodes: it has no {name!r}, and here is no {other!r}; a fit"
                " of the same nodes is needed, in any order"
            )
    order = [place[name] for name in here]
    return {
        name: values.take(order, DIMS[name].index("node"))
        if "node" in DIMS.get(name, ())
        else values
        for name, values in parameters.items()
    }


def _finite(values: Mapping[str, Any], source: str) -> Parameters:
    """Return starting values as numbers; raise InputError where they are none, or without z."""
    if "z" not in values:
        raise InputError(f"{source} has {', '.join(values) or 'nothing'}; positions z are needed")
    numbers = {}
    for name, value in values.items():
        try:
            numbers[name] = np.asarray(value, dtype=float)
        except (TypeError, ValueError) as error:
            raise InputError(f"{source} has {name} that is no array of numbers: {error}") from error
        if not np.isfinite(numbers[name]).all():
            raise InputError(f"{source} has {name} with NaN or infinite numbers; finite are needed")
    return numbers
