"""One point of each orbit of rotations: coordinates without them, and the volume of an orbit.

Rotating and reflecting all positions leaves the posterior as it is. Its mass is the mass of the
positions that are turned onto a reference m, that is ``m' w`` symmetric and positive definite,
each weighed with the volume of all its turned copies (the Faddeev-Popov determinant):

    ∫ p(z) dz = vol(O(K)) ∫ p(w) |det M(w)| dw,   M_ab,cd = <n_ab, w G_cd>

with G the generators of rotations and n an orthonormal basis of the directions in which m turns.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy.linalg import null_space
from scipy.special import gammaln

from lsm_stan.posterior.alignment import align
from lsm_stan.typing import BoolArray, FloatArray


class RotationSlice:
    """The positions that are turned onto a reference.

    Parameters
    ----------
    reference : ndarray of shape (N, K)
        Positions of rank K.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> by_slice = RotationSlice(rng.normal(size=(5, 2)))
    >>> draws = rng.normal(size=(7, 5, 2))
    >>> by_slice.coordinates(draws).shape
    (7, 9)
    """

    def __init__(self, reference: FloatArray) -> None:
        self.reference = reference
        rows, columns = np.triu_indices(reference.shape[1], 1)
        self._generators = np.zeros((len(rows), reference.shape[1], reference.shape[1]))
        self._generators[np.arange(len(rows)), rows, columns] = 1.0
        self._generators -= np.swapaxes(self._generators, 1, 2)

    @cached_property
    def _turning(self) -> FloatArray:
        """Orthonormal directions in which the reference turns, of shape (N K, K (K - 1) / 2)."""
        turned = self.reference @ self._generators
        return np.linalg.qr(turned.reshape(-1, self.reference.size).T)[0]

    @cached_property
    def _basis(self) -> FloatArray:
        """Orthonormal directions of the slice, as columns."""
        if not len(self._generators):
            return np.eye(self.reference.size)
        return null_space(self._turning.T)

    def coordinates(self, positions: FloatArray) -> FloatArray:
        """Turn positions onto the reference, and return them without the rotations.

        Parameters
        ----------
        positions : ndarray of shape (M, N, K)
            Positions.

        Returns
        -------
        ndarray of shape (M, N K - K (K - 1) / 2)
        """
        turned = align(positions, self.reference)
        return turned.reshape(len(positions), -1) @ self._basis

    def positions(self, coordinates: FloatArray) -> FloatArray:
        """Return the positions of coordinates.

        Parameters
        ----------
        coordinates : ndarray of shape (M, N K - K (K - 1) / 2)
            As :meth:`coordinates` returns them.

        Returns
        -------
        ndarray of shape (M, N, K)
        """
        return (coordinates @ self._basis.T).reshape(-1, *self.reference.shape)

    def log_orbit(self, positions: FloatArray) -> FloatArray:
        """Return the log volume of all turned copies, for each unit of volume of the slice.

        Parameters
        ----------
        positions : ndarray of shape (M, N, K)
            Positions of the slice.

        Returns
        -------
        ndarray of shape (M,)
            -inf for positions that are not turned onto the reference.
        """
        dim = self.reference.shape[1]
        turned = positions[:, None] @ self._generators
        rows = turned.reshape(len(positions), len(self._generators), self.reference.size)
        matrix = rows @ self._turning
        log_volume = np.linalg.slogdet(matrix)[1] + log_volume_of_rotations(dim)
        return np.where(self._is_onto(positions), log_volume, -np.inf)

    def _is_onto(self, positions: FloatArray) -> BoolArray:
        """Whether no rotation or reflection brings positions nearer to the reference."""
        overlap = np.swapaxes(positions, 1, 2) @ self.reference
        symmetric = (overlap + np.swapaxes(overlap, 1, 2)) / 2
        return np.asarray(np.linalg.eigvalsh(symmetric)[:, 0] > 0)


def log_volume_of_rotations(dim: int) -> float:
    """Return the log volume of the rotations and reflections of K dimensions.

    Parameters
    ----------
    dim : int
        K.

    Returns
    -------
    float
        Where a turn by one radian in a plane has length 1.

    Examples
    --------
    >>> bool(np.isclose(np.exp(log_volume_of_rotations(3)), 16 * np.pi**2))
    True
    """
    spheres = [np.log(2) + k / 2 * np.log(np.pi) - gammaln(k / 2) for k in range(1, dim + 1)]
    return float(sum(spheres))
