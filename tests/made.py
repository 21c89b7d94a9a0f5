"""Fits made from draws, without a sampler: for tests of what comes after one."""

from typing import Any

import numpy as np
import tutorial

from lsm_stan import Fit, idata
from lsm_stan.alignment import mean_positions
from lsm_stan.diagnostics import Check, sampler_checks
from lsm_stan.fit import Scratch
from lsm_stan.network import Network
from lsm_stan.versions import versions


def made_fit(
    network: Network,
    draws: np.ndarray,
    method: str = "nuts",
    *,
    checks: list[Check] | None = None,
    details: dict[str, Any] | None = None,
    arguments: dict[str, Any] | None = None,
    log_joint: np.ndarray | None = None,
    **stats: np.ndarray,
) -> Fit:
    """Return a fit with ``(chain, draw, N, K)`` draws that a method might have returned.

    NUTS's own statistics are those of a flawless run unless given; so is the log joint.
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
        checks, found = sampler_checks(draws, stats, 10)
        details |= found
    container = idata.build(
        network,
        draws={"z": draws},
        log_joint=log_joint,
        estimate={"z": estimate},
        sample_stats=stats,
    )
    checks = checks or []
    at_estimate = float(tutorial.log_joint(estimate, dense))
    record = {
        "method": method,
        "seed": 1,
        "seconds": 1.0,
        "dim": draws.shape[-1],
        "log_joint": at_estimate,
        "loss": -at_estimate,
        "converged": all(check.passed for check in checks),
        "warnings": [check.message for check in checks if not check.passed],
        "checks": [check.as_record() for check in checks],
        "details": details,
        "arguments": arguments or {},
        "model": {"jitter": 1e3, "prior_scale": 1.0},
        "network": {
            "title": network.title,
            "digest": network.digest,
            "directed": network.directed,
        },
        "versions": {**versions(), "cmdstan": "none"},
    }
    scratch = Scratch()
    return Fit(network, container, record, scratch.path, scratch)


def scattered(
    positions: np.ndarray, rng: np.random.Generator, noise: float, chains: int = 4, size: int = 250
) -> np.ndarray:
    """Return independent draws about ``(N, K)`` positions: ``(chains, size, N, K)``."""
    return positions + noise * rng.normal(size=(chains, size, *positions.shape))


def turned(draws: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Turn every draw by an orthogonal matrix of its own, half of them reflections."""
    dim = draws.shape[-1]
    turns, _ = np.linalg.qr(rng.normal(size=(*draws.shape[:2], dim, dim)))
    flip = np.ones((*draws.shape[:2], 1, dim))
    flip[..., 0] = rng.choice([-1.0, 1.0], size=(*draws.shape[:2], 1))
    return draws @ (turns * flip)
