"""Sites: all points that turn as one, in one array, as a normal density has them.

They are the nodes' positions; where nodes have roles, the positions that they send from, z + role,
and after them those that they receive at, z - role; then the centres of clusters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from lsm_stan.model.family import ModelSpec
from lsm_stan.model.parameters import Parameters
from lsm_stan.typing import FloatArray


@dataclass(frozen=True)
class Sites:
    """Which site is whose.

    Attributes
    ----------
    n_nodes : int
        N.
    roles : bool
        Whether a node has two sites.
    clusters : int
        G, the number of centres.
    """

    n_nodes: int
    roles: bool = False
    clusters: int = 0

    @classmethod
    def of(cls, spec: ModelSpec, n_nodes: int) -> Sites:
        """Return the sites of a model.

        Parameters
        ----------
        spec : ModelSpec
            The model.
        n_nodes : int
            N.

        Returns
        -------
        Sites
        """
        return cls(n_nodes, spec.roles, spec.clusters)

    @property
    def receiving(self) -> int:
        """The site at which node 0 receives."""
        return self.n_nodes if self.roles else 0

    @property
    def first_centre(self) -> int:
        """The site that is the first centre."""
        return self.n_nodes + self.receiving

    @property
    def total(self) -> int:
        """M, the number of sites."""
        return self.first_centre + self.clusters

    def joined(self, parameters: Parameters) -> FloatArray:
        """Return the sites of parameters.

        Parameters
        ----------
        parameters : dict of str to ndarray
            ``z``, and where the model has them ``role`` and ``centre``.

        Returns
        -------
        ndarray of shape (M, K)
        """
        parts = [parameters["z"]]
        if self.roles:
            parts = [parts[0] + parameters["role"], parts[0] - parameters["role"]]
        if self.clusters:
            parts.append(parameters["centre"])
        return np.concatenate(parts)

    def split(self, sites: FloatArray) -> dict[str, FloatArray]:
        """Return the parameters of sites: what :meth:`joined` undoes.

        Parameters
        ----------
        sites : ndarray of shape (..., M, K)
            Sites.

        Returns
        -------
        dict of str to ndarray

        Examples
        --------
        >>> import numpy as np
        >>> parts = Sites(1, roles=True).split(np.array([[3.0], [1.0]]))
        >>> print(parts["z"], parts["role"])
        [[2.]] [[1.]]
        """
        sends, receives = sites[..., : self.n_nodes, :], sites[..., self.receiving :, :]
        receives = receives[..., : self.n_nodes, :]
        parameters = {"z": sends}
        if self.roles:
            parameters = {"z": 0.5 * (sends + receives), "role": 0.5 * (sends - receives)}
        if self.clusters:
            parameters["centre"] = sites[..., self.first_centre :, :]
        return parameters

    def log_volume(self, dim: int) -> float:
        """Return the log volume of sites in one of positions and roles.

        Parameters
        ----------
        dim : int
            K.

        Returns
        -------
        float
            In nats.
        """
        return self.receiving * dim * math.log(2)
