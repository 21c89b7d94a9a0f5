"""Draws as the rest of the package takes them: evenly spaced, chains one after the other."""

from __future__ import annotations

from lsm_stan.model.parameters import Parameters
from lsm_stan.typing import FloatArray

#: Draws that predictions are means of: a thousand tell a log density to a few thousandths.
MAX_DRAWS = 1000


def flat_draws(parameters: Parameters, most: int = MAX_DRAWS) -> dict[str, FloatArray]:
    """Return evenly spaced draws, chains one after the other.

    Parameters
    ----------
    parameters : dict of str to ndarray
        Parameters with leading axes ``(chain, draw)``.
    most : int, default MAX_DRAWS
        How many draws, at most.

    Returns
    -------
    dict of str to ndarray
        Parameters with one leading axis.
    """
    flat = {name: v.reshape(-1, *v.shape[2:]) for name, v in parameters.items()}
    step = -(-len(flat["z"]) // most)
    return {name: values[::step] for name, values in flat.items()}
