"""ArviZ, before 1 and since: the one place where it is imported."""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    # ArviZ 0.23 announces its successor once a day, at import
    warnings.filterwarnings("ignore", r"\nArviZ is undergoing a major refactor", FutureWarning)
    import arviz as az

if hasattr(az, "Numba"):  # where numba is installed, ArviZ 0.23 fails in it under NumPy 2.4
    az.Numba.disable_numba()

__all__ = ["az"]
