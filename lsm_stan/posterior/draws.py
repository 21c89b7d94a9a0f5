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
    parameters
        With leading axes ``(chain, draw)``.
    most
        How many draws, at most.
    """
    flat = {name: v.reshape(-1, *v.shape[2:]) for name, v in parameters.items()}
    step = -(-len(flat["z"]) // most)
    return {name: values[::step] for name, values in flat.items()}
