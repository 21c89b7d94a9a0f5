"""A fit's density in words: the loss of a mode, and log joints over draws, are not one number."""

from __future__ import annotations

from lsm_stan.model.family import ModelSpec
from lsm_stan.typing import FloatArray


def density_in_words(spec: ModelSpec, learned: bool, log_joint: FloatArray) -> str:
    """Return what is said of a density.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    learned : bool
        Whether its scales, where it has any, are learned: the density is of more parameters then.
    log_joint : ndarray of shape (chain, draw)
        Log joint densities, in nats; one of a mode.

    Returns
    -------
    str

    Examples
    --------
    >>> import numpy as np
    >>> from lsm_stan.model.family import MODELS
    >>> density_in_words(MODELS["nb-squared"], False, np.array([[-1033.0]]))
    'loss 1,033.0 (scales held fixed)'
    >>> density_in_words(MODELS["tutorial"], False, np.array([[-905.0, -895.0]]))
    'log joint -900.0 ± 7.1 over draws'
    """
    scales = f" (scales {'learned' if learned else 'held fixed'})" if spec.hierarchical else ""
    if log_joint.size == 1:
        return f"loss {-log_joint.item():,.1f}{scales}"
    return f"log joint {log_joint.mean():,.1f} ± {log_joint.std(ddof=1):.1f} over draws{scales}"
