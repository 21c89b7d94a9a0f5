"""Fits made from draws, without a sampler: for tests of what comes after one."""

from typing import Any

import numpy as np

from lsm_stan import Fit, simulate
from lsm_stan.inference.record import FitRecord, NetworkRecord
from lsm_stan.model.family import find_model
from lsm_stan.model.simulation import draw_parameters
from lsm_stan.network.network import Network
from lsm_stan.posterior import idata
from lsm_stan.posterior.alignment import mean_positions
from lsm_stan.posterior.checks import Check, sampler_checks
from lsm_stan.posterior.invariants import monitored
from lsm_stan.temporary import Scratch
from tests.support import tutorial


def made_fit(
    network: Network,
    draws: np.ndarray,
    method: str = "nuts",
    *,
    checks: list[Check] | None = None,
    details: dict[str, Any] | None = None,
    arguments: dict[str, Any] | None = None,
    log_joint: np.ndarray | None = None,
    model: str = "tutorial",
    others: dict[str, np.ndarray] | None = None,
    **stats: np.ndarray,
) -> Fit:
    """Return a fit with ``(chain, draw, N, K)`` draws that a method might have returned.

    NUTS's own statistics are those of a flawless run unless given; so is the log joint. The
    tutorial's model can have clusters, with draws of the other parameters.
    """
    dense = network.to_dense()
    if log_joint is None:
        log_joint = np.array([[tutorial.log_joint(z, dense) for z in chain] for chain in draws])
    estimate = draws[0, 0] if draws.shape[1] == 1 else mean_positions(draws, draws[0, 0])
    details = dict(details or {})
    if method == "nuts":
        shape = log_joint.shape
        energy = np.random.default_rng(0).normal(size=shape)
        flawless = {"diverging": np.zeros(shape, bool), "tree_depth": np.full(shape, 7)}
        stats = {**flawless, "n_steps": np.full(shape, 127), "energy": energy, **stats}
        quantities = monitored(find_model(model), {"z": draws, **(others or {})}, log_joint)
        checks, actual = sampler_checks(quantities, stats, 10)
        details |= actual
    container = idata.build(
        network,
        draws={"z": draws, **(others or {})},
        log_joint=log_joint,
        estimate={"z": estimate},
        sample_stats=stats,
        coords=find_model(model).coords,
    )
    record = FitRecord(
        method=method,
        seed=1,
        seconds=1.0,
        dim=draws.shape[-1],
        log_joint=float(tutorial.log_joint(estimate, dense)),
        checks=checks or [],
        details=details,
        arguments=arguments or {},
        model={"model": model, "jitter": 1e3, "prior_scale": 1.0},
        network=NetworkRecord(network.title, network.digest, network.directed),
        versions={"lsm-stan": "none", "cmdstan": "none", "arviz": "none"},
    )
    scratch = Scratch()
    return Fit(network, container, record, scratch.path, scratch)


def scattered(
    positions: np.ndarray, rng: np.random.Generator, noise: float, chains: int = 4, size: int = 250
) -> np.ndarray:
    """Return independent draws about ``(N, K)`` positions: ``(chains, size, N, K)``."""
    return positions + noise * rng.normal(size=(chains, size, *positions.shape))


def apart(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Return four chains of 250 draws, of which the last is one standard deviation off."""
    draws = rng.normal(size=(4, 250, *shape))
    draws[3] += 1
    return draws


def turned(draws: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Turn every draw by an orthogonal matrix of its own, half of them reflections."""
    dim = draws.shape[-1]
    turns, _ = np.linalg.qr(rng.normal(size=(*draws.shape[:2], dim, dim)))
    flip = np.ones((*draws.shape[:2], 1, dim))
    flip[..., 0] = rng.choice([-1.0, 1.0], size=(*draws.shape[:2], 1))
    return draws @ (turns * flip)


def with_clusters(draws: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return draws of two clusters to go with ``(chains, size, N, K)`` draws of positions."""
    shape = draws.shape[:2]
    ends = draws[..., [0, -1], :] + 0.1 * rng.normal(size=(*shape, 2, draws.shape[-1]))
    theta = rng.beta(20, 10, size=shape)
    sigma = np.exp(0.1 * rng.normal(size=(*shape, 2)))
    return {"centre": ends, "theta": np.stack([theta, 1 - theta], -1), "sigma_cluster": sigma}


def disguised(
    draws: np.ndarray, others: dict[str, np.ndarray], rng: np.random.Generator
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Turn every draw by an orthogonal matrix of its own, and permute its clusters' labels."""
    both = turned(np.concatenate([draws, others["centre"]], axis=-2), rng)
    z, centre = np.split(both, [draws.shape[-2]], axis=-2)
    order = np.argsort(rng.random(others["theta"].shape), axis=-1)
    permuted = {
        name: np.take_along_axis(others[name], order, axis=-1)
        for name in ("theta", "sigma_cluster")
    }
    return z, {"centre": np.take_along_axis(centre, order[..., None], axis=-2), **permuted}


def simulated_fit(
    model: str = "nb-squared-effects",
    *,
    directed: bool = True,
    n_nodes: int = 12,
    dim: int = 2,
    n_draws: int = 40,
    hide: bool = True,
) -> Fit:
    """Return a fit whose draws are near the truth of a simulated network, two chains of them."""
    spec = find_model(model)
    truth = draw_parameters(n_nodes, dim, seed=5, model=spec, directed=directed)
    truth |= {"phi": np.asarray(1.5)} if spec.dispersed else {}
    network, _ = simulate(n_nodes, dim, seed=5, model=spec, directed=directed, parameters=truth)
    names = tuple(f"n{i}" for i in range(n_nodes))
    network = Network.from_matrix(network.to_dense(), list(names), directed=directed)
    network = network.hide([0, 1, 2], [1, 2, 7]) if hide else network
    rng = np.random.default_rng(6)
    draws = {
        name: np.stack(
            [value * np.exp(0.1 * rng.normal(size=value.shape)) for _ in range(2 * n_draws)]
        )
        for name, value in truth.items()
    }
    if "rho" in draws:
        draws["rho"] = np.clip(draws["rho"], -0.95, 0.95)
    if not directed and spec.effects:
        draws["receiver_effect"] = draws["sender_effect"]
        draws["sigma_receiver"] = draws["sigma_sender"]
    draws = {name: v.reshape(2, n_draws, *v.shape[1:]) for name, v in draws.items()}
    return fit_of(network, draws, model)


def fit_of(network: Network, draws: dict[str, np.ndarray], model: str) -> Fit:
    """Return a fit by NUTS with draws of every parameter, and hardly a record."""
    built = idata.build(
        network,
        draws=draws,
        log_joint=np.zeros(draws["z"].shape[:2]),
        estimate={name: values[0, 0] for name, values in draws.items()},
    )
    return Fit(network, built, short_record(network, model, dim=draws["z"].shape[-1]), None)


def short_record(network: Network, model: str | dict[str, Any], dim: int = 2) -> FitRecord:
    """Return a record with hardly more in it than the model."""
    return FitRecord(
        method="nuts",
        seed=1,
        seconds=1.0,
        dim=dim,
        log_joint=0.0,
        checks=[],
        details={},
        arguments={},
        model={"model": model, "prior_scale": 1.0},
        network=NetworkRecord(network.title, network.digest, network.directed),
        versions={},
    )


def partly_hidden(network: Network, seed: int, share: float) -> Network:
    """Hide some dyads, not all: of directed pairs one direction, both or none."""
    i, j = np.nonzero(~np.eye(network.n_nodes, dtype=bool))
    if not network.directed:
        i, j = i[i < j], j[i < j]
    rng = np.random.default_rng(seed)
    hidden = rng.random(len(i)) < share
    hidden[rng.integers(len(i))] = False
    return network.hide(i[hidden], j[hidden])
