"""How the positions of layers hang together, and the data of the Stan program for layers.

With z_l the positions in layer l and independent standard normal e_l,

================  =========================================================
structure         positions
================  =========================================================
``shared``        ``z_l = z``: kinds of edges in one space
``exchangeable``  ``z_l = z + sigma e_l``: animals, raters
``ordered``       ``z_1 = z``, ``z_l = z_{l-1} + sigma s_l e_l``: points in time
================  =========================================================

with ``s_l`` the square root of the time between the two layers, in units of the mean time between
successive layers: sigma is the standard deviation of a coordinate's change over a step of mean
length, whatever the unit of time. Every layer has an intercept of its own and, if asked for,
effects. All else is the same in all layers: the dispersion, coefficients of covariates and their
values, and the roles of nodes, which are added to z_l. Clusters are of z.

sigma has a half-normal prior in units of the positions' scale. Like other scales it is learned
where there are draws, and fixed at a mode.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, get_args

import numpy as np

from lsm_stan.choices import Structure
from lsm_stan.errors import InputError
from lsm_stan.model.family import ModelSpec
from lsm_stan.model.subset import model_among
from lsm_stan.network.layers import Layers
from lsm_stan.typing import FloatArray, IntArray, plain

#: What follows a structure's name where effects differ between layers.
EFFECTS = "+effects"

#: What of a network's Stan data counts its edges and dyads, and is added up over layers.
_ADDED = ("n_edges", "n_totals", "n_hidden", "n_charged", "weighted_covariate")

#: Those that name ends, which are members of all layers; and those with a value for each.
_ENDS = tuple(
    name
    for kind in ("", "total_", "hidden_", "charged_")
    for name in (f"{kind}sender", f"{kind}receiver")
)
_VALUES = (
    *("weight", "self_weight", "total", "total_back", "hidden_back", "hidden_weight"),
    *("charged_back", "charged_weight", "sender_covariate", "receiver_covariate"),
    *("total_covariate", "total_reverse_covariate"),
    *("charged_covariate", "charged_reverse_covariate"),
)


@dataclass(frozen=True)
class Layering:
    """How the positions of layers hang together.

    Attributes
    ----------
    structure : {"shared", "exchangeable", "ordered"}
        See :mod:`lsm_stan.model.layering`.
    layer_effects : bool
        Whether a node has sender and receiver effects of its own in every layer; they have one
        scale, and one correlation, in all layers.
    change_scale : float
        Scale of the half-normal prior of sigma, in units of the positions' scale.
    change_fixed : float
        sigma at a mode, in the same units.
    """

    structure: Structure = "shared"
    layer_effects: bool = False
    change_scale: float = 1.0
    change_fixed: float = 0.3

    def __post_init__(self) -> None:
        if self.structure not in get_args(Structure):
            raise InputError(
                f"layers is {self.structure!r}; there are {', '.join(get_args(Structure))}, and"
                f" {EFFECTS} may follow"
            )
        if not isinstance(self.layer_effects, bool):
            raise InputError(f"layer_effects is {self.layer_effects!r}; true or false is needed")
        for name in ("change_scale", "change_fixed"):
            value = plain(getattr(self, name))
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not (number and 0 < value < np.inf):
                raise InputError(f"{name} is {value!r}; a positive, finite number is needed")

    @classmethod
    def of(cls, value: str | Layering | Mapping[str, Any]) -> Layering:
        """Return a layering by its name, or from what :meth:`as_record` recorded.

        Parameters
        ----------
        value : str, Layering or mapping
            A structure, which ``+effects`` may follow; a layering; or its attributes by name.

        Returns
        -------
        Layering

        Raises
        ------
        InputError
            If there is no such structure or attribute.

        Examples
        --------
        >>> Layering.of("ordered+effects").layer_effects
        True
        """
        if isinstance(value, Layering):
            return value
        if not isinstance(value, Mapping):
            structure = str(value).removesuffix(EFFECTS).strip()
            return cls(structure, structure != str(value).strip())  # type: ignore[arg-type]  # checked there
        known = [f.name for f in fields(cls)]
        unknown = next((name for name in value if name not in known), None)
        if unknown is not None:
            raise InputError(f"layers have no {unknown!r}; they have {', '.join(known)}")
        return cls(**value)

    def as_record(self) -> dict[str, Any]:
        """Return the attributes, for records and configurations.

        Returns
        -------
        dict of str to object
        """
        return {f.name: plain(getattr(self, f.name)) for f in fields(self)}

    def steps(self, layers: Layers) -> tuple[IntArray, FloatArray]:
        """Return which layer each comes from, and how far its change goes.

        Parameters
        ----------
        layers : Layers
            L layers.

        Returns
        -------
        source : ndarray of int64 of shape (L,)
            Number of an earlier layer, from 0; -1 where a layer starts from the nodes' own z.
        step : ndarray of float64 of shape (L,)
            In units of sigma; 0 where there is no change.
        """
        n = layers.n_layers
        source, step = np.full(n, -1, dtype=np.int64), np.zeros(n)
        if self.structure == "exchangeable":
            step[:] = 1.0 if n > 1 else 0.0
        if self.structure == "ordered" and n > 1:
            times = np.arange(n) if layers.times is None else layers.times
            gaps = np.diff(times).astype(float)
            source[1:] = np.arange(n - 1)
            step[1:] = np.sqrt(gaps / gaps.mean()) if gaps.any() else 0.0
        return source, step

    def changes(self, layers: Layers) -> int:
        """Return how many layers have a change.

        Parameters
        ----------
        layers : Layers
            L layers.

        Returns
        -------
        int
        """
        return int(np.count_nonzero(self.steps(layers)[1]))


def check_layered(spec: ModelSpec, layering: Layering) -> None:
    """Raise InputError if layers cannot have a model.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    layering : Layering
        How positions hang together.

    Raises
    ------
    InputError
        If effects by layer are asked for and the model has none.
    """
    if layering.layer_effects and not spec.effects:
        raise InputError(
            f"effects by layer are asked for, and model {spec.label} has none; take"
            f" {spec.likelihood}-{spec.form}-effects"
        )


def model_of_layer(spec: ModelSpec, layers: Layers, layer: int) -> ModelSpec:
    """Return the model of one layer's network.

    Parameters
    ----------
    spec : ModelSpec
        The model of the layers, bound to all of their nodes (``layers.pooled``) if it has
        covariates.
    layers : Layers
        The layers.
    layer : int
        Number of the layer, from 0.

    Returns
    -------
    ModelSpec
        With the covariates of the layer's nodes; their scales are those of all layers, and so
        are the coefficients.
    """
    return model_among(spec, layers.n_nodes, layers.members[layer])


def one_layer(n_nodes: int) -> dict[str, Any]:
    """Return what Stan data say of layers where a network is alone.

    Parameters
    ----------
    n_nodes : int
        N.

    Returns
    -------
    dict of str to object
        By the names of the program's data block.
    """
    return _layer_data(Layering(), [np.arange(n_nodes)], np.full(1, -1), np.zeros(1))


def layer_data(
    layers: Layers, layering: Layering, each: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the fixed Stan data of layers, from those of each layer's network.

    Parameters
    ----------
    layers : Layers
        L layers of N nodes.
    layering : Layering
        How their positions hang together.
    each : sequence of mapping
        What :func:`lsm_stan.model.stan_data.fixed_data` returns for each layer's network.

    Returns
    -------
    dict of str to object
        By the names of the program's data block; ends of edges and dyads are members.
    """
    before = np.cumsum([0, *(len(at) for at in layers.members)])[:-1]
    added = {name: sum(data[name] for data in each) for name in _ADDED}
    ends = {
        name: np.concatenate([data[name] + b for data, b in zip(each, before, strict=True)])
        for name in _ENDS
    }
    values = {name: np.concatenate([data[name] for data in each]) for name in _VALUES}
    of_layers = _layer_data(layering, layers.members, *layering.steps(layers))
    return {**each[0], **added, **ends, **values, **of_layers, "n_nodes": layers.n_nodes}


def _layer_data(
    layering: Layering, members: Sequence[IntArray], source: IntArray, step: FloatArray
) -> dict[str, Any]:
    n_layers = len(members)
    return {
        "n_layers": n_layers,
        "n_members": sum(map(len, members)),
        "member_node": np.concatenate(members) + 1,
        "member_layer": np.repeat(np.arange(n_layers), [len(at) for at in members]) + 1,
        "from_layer": source + 1,
        "step": step,
        "n_effect_sets": n_layers if layering.layer_effects else 1,
        "change_fixed": layering.change_fixed,
        "change_scale": layering.change_scale,
        "learned_changes": 0,
    }
