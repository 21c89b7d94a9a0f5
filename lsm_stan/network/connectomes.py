"""Connectomes of *C. elegans* with the names of their neurons.

``lsm_stan/network/data/worms/README.md`` names the sources of the tables, and how they were made.
"""

from __future__ import annotations

from typing import Literal, get_args, overload

import numpy as np
import pandas as pd

from lsm_stan.errors import InputError
from lsm_stan.network.datasets import packaged_table
from lsm_stan.network.layers import Layers
from lsm_stan.network.network import Network

Synapses = Literal["chemical", "electrical"]

#: Hours after birth of the animals of Witvliet et al. (2021), about; 1 to 4 are in stage L1, 5 in
#: L2, 6 in L3, the last two are adults.
HOURS = {"1": 0, "2": 5, "3": 8, "4": 16, "5": 23, "6": 27, "7": 45, "8": 45}

_COUNTED = {
    "chemical": "chemical synapses, from sender to receiver",
    "electrical": "gap junctions, which have no direction",
}


@overload
def load_connectome(name: Literal["white1986"], synapses: Synapses = ...) -> Network: ...
@overload
def load_connectome(name: Literal["witvliet2021"], synapses: Synapses = ...) -> Layers: ...
def load_connectome(name: str, synapses: Synapses = "chemical") -> Network | Layers:
    """Load a connectome of *C. elegans* whose neurons have their names.

    Neurons only: muscles and glia, and the synapses that they have, are left out.
    ``lsm_stan/network/data/worms/README.md`` names the sources.

    Parameters
    ----------
    name : {"white1986", "witvliet2021"}
        ``"white1986"``: the whole animal of White et al. (1986), pieced together from several, as
        Varshney et al. (2011) count its synapses: 300 neurons. ``"witvliet2021"``: the brains of
        eight animals, from birth to adult, by Witvliet et al. (2021): 161 to 181 neurons each.
    synapses : {"chemical", "electrical"}, default "chemical"
        Chemical synapses are directed. Electrical ones, gap junctions, are not; those of
        ``"witvliet2021"`` are incomplete, as its authors say.

    Returns
    -------
    Network or Layers
        A `Network`, or `Layers` of eight animals, called 1 to 8, whose times are hours after birth.
        A neuron without a recorded connection in an animal, of either kind, is absent there. The
        node table has the columns

        ``class``
            ``sensory``, ``interneuron``, ``motor`` or ``other``.
        ``type``
            What the neuron is called in more detail, such as ``Amphid``.

    Raises
    ------
    InputError
        If there is no such connectome, or no such synapses.

    Examples
    --------
    >>> from lsm_stan import load_connectome
    >>> white = load_connectome("white1986")
    >>> white.n_nodes, white.n_edges, white.total_weight
    (300, 2266, 6509)
    >>> animals = load_connectome("witvliet2021")
    >>> animals.n_layers, animals.times.tolist()
    (8, [0.0, 5.0, 8.0, 16.0, 23.0, 27.0, 45.0, 45.0])
    """
    if synapses not in get_args(Synapses):
        raise InputError(f"synapses is {synapses!r}; it can be 'chemical' or 'electrical'")
    if name == "white1986":
        return _white(synapses)
    if name == "witvliet2021":
        return _witvliet(synapses)
    raise InputError(f"there is no connectome {name!r}; there are 'white1986' and 'witvliet2021'")


def _white(synapses: Synapses) -> Network:
    neurons = _neurons()
    there = neurons[neurons["white1986"] == "1"]
    table = _synapses("white1986", synapses)
    title = f"C. elegans, {synapses} synapses, White et al. 1986"
    return _network(table, table["weight"], there, synapses, title, (_note(synapses),))


def _witvliet(synapses: Synapses) -> Layers:
    neurons = _neurons()
    table = _synapses("witvliet2021", synapses)
    networks = {
        animal: _network(table, table[animal], neurons[neurons[animal] == "1"], synapses, animal)
        for animal in HOURS
    }
    in_any = neurons[(neurons[list(HOURS)] == "1").any(axis=1)]
    notes = [
        _note(synapses),
        "Times are hours after birth, about; animals 7 and 8 are adults. A neuron without a"
        " recorded connection in an animal is absent there.",
    ]
    if synapses == "electrical":
        notes.append("Gap junctions were annotated in part only, as the authors say.")
    return Layers.of(
        networks,
        times=list(HOURS.values()),
        names=in_any.index,
        node_table=_facts(in_any),
        title=f"C. elegans, {synapses} synapses of eight animals, Witvliet et al. 2021",
        notes=notes,
    )


def _note(synapses: Synapses) -> str:
    return (
        f"Weights are numbers of {_COUNTED[synapses]}; neurons only, without muscles and glia:"
        " lsm_stan/network/data/worms/README.md."
    )


def _network(
    table: pd.DataFrame,
    weights: pd.Series[str],
    neurons: pd.DataFrame,
    synapses: Synapses,
    title: str,
    notes: tuple[str, ...] = (),
) -> Network:
    """Make a network of a column of weights, 0 where a pair has no synapse."""
    weight = weights.to_numpy(dtype=np.int64)
    place = {name: k for k, name in enumerate(neurons.index)}
    rows = np.flatnonzero(weight)
    sender, receiver = (
        table[end].iloc[rows].map(place).to_numpy(dtype=np.int64) for end in ("source", "target")
    )
    return Network(
        tuple(neurons.index),
        sender,
        receiver,
        weight[rows],
        synapses == "chemical",
        node_table=_facts(neurons),
        title=title,
        notes=notes,
    )


def _neurons() -> pd.DataFrame:
    return packaged_table("worms/neurons.csv").set_index("name")


def _facts(neurons: pd.DataFrame) -> pd.DataFrame:
    return neurons[["class", "type"]]


def _synapses(name: str, synapses: Synapses) -> pd.DataFrame:
    table = packaged_table(f"worms/{name}.csv")
    return table[table["kind"] == synapses]
