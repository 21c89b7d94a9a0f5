"""ArviZ, before 1 and since: the one place where it is imported."""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    # ArviZ 0.23 announces its successor once a day, at import
    warnings.filterwarnings("ignore", r"\nArviZ is undergoing a major refactor", FutureWarning)
    import arviz as az

__all__ = ["az"]

# ArviZ 0.23 compiles with Numba where that is installed, and its Monte-Carlo error of a standard
# deviation then fails under NumPy 2.4
if hasattr(az, "Numba"):
    az.Numba.disable_numba()
