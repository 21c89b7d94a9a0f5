"""What the calibration simulates: models, networks, and what is kept of each simulation."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from lsm_stan.cmdstan.sources import sources_digest
from lsm_stan.model.family import MODELS, ModelSpec, find_model

#: What a finished simulation left: ``simulation``, its number, and of the calibration ``ranks`` by
#: quantity; ``divergences``; ``saturated``, a share; ``ess``, the smallest of the log joint and
#: scalar parameters before thinning; ``weight``; and ``seconds``. A failed one: ``error``.
Record = dict[str, Any]


@dataclass(frozen=True)
class Study:
    """Simulations of one model.

    Attributes
    ----------
    model : str
        A model's name; covariates are of :func:`tables`.
    nodes, dim : int
        N and K of the networks.
    warmup : int
        Of NUTS, iterations.
    draws, thin : int
        L, how many draws the truth is ranked among, and how many iterations lie between them.
        Ranks need independent draws more than many.
    directed : bool
        Whether the networks are.
    hidden : float
        The share of dyads that are not observed.
    """

    model: str
    nodes: int
    dim: int
    warmup: int
    draws: int
    thin: int
    directed: bool = True
    hidden: float = 0.0

    @property
    def label(self) -> str:
        """The model, and what is not usual of the networks."""
        unusual = [] if self.directed else ["undirected"]
        unusual += [f"{self.hidden:.0%} hidden"] if self.hidden else []
        return ", ".join([self.model, *unusual])

    @property
    def priors(self) -> dict[str, float]:
        """Scales of priors, none wider than the model's own, which make weights of 10⁹.

        Priors are data of the Stan program: it is the same one.
        """
        inner = find_model(self.model).form == "inner"  # grows with the square of the positions
        return {
            "intercept_scale": 1.0,
            "sigma_scale": 0.5,
            "sigma_z_scale": 0.5 if inner else 1.0,
        }

    @property
    def spec(self) -> ModelSpec:
        """The model with these priors."""
        return replace(find_model(self.model), **self.priors)

    @property
    def file(self) -> str:
        """Name of the file of finished simulations: one for everything that decides them."""
        program = sources_digest("cpp")
        settings = json.dumps({**asdict(self), **self.priors, "program": program}, sort_keys=True)
        return f"{self.label}-{hashlib.sha256(settings.encode()).hexdigest()[:12]}.jsonl"


#: Studies of simulation-based calibration, and how many simulations each has.
SBC = tuple(
    Study(name, nodes=12, dim=dim, warmup=500, draws=39, thin=25)
    for name, dim in (("tutorial", 2), ("tutorial", 3), ("nb-squared-effects", 2))
)
SBC_SIMULATIONS = 200
#: The same of coverage: of every named model, and of what else there can be.
COVERAGE = tuple(
    Study(name, nodes=16, dim=2, warmup=300, draws=19, thin=25, directed=directed, hidden=hidden)
    for name, directed, hidden in (
        *((name, True, 0.0) for name in MODELS),
        ("poisson-inverse+nodeocov(size)+absdiff(size)", True, 0.0),
        ("poisson-exponential-effects+nodeicov(size)+edgecov(contact)", True, 0.0),
        ("nb-squared-effects+nodecov(size)+nodematch(group)+edgecov(contact)", True, 0.0),
        ("dyadic-squared+absdiff(size)+edgecov(contact)", True, 0.0),
        ("bernoulli-inner+nodeocov(size)+nodematch(group)", True, 0.0),
        ("poisson-squared+clusters(2)", True, 0.0),
        ("nb-exponential-effects+clusters(3)", True, 0.0),
        ("bernoulli-squared+clusters(2)", True, 0.0),
        ("tutorial", False, 0.0),
        ("poisson-exponential-effects", False, 0.0),
        ("nb-squared-effects", False, 0.0),
        ("bernoulli-inner", False, 0.0),
        ("tutorial", True, 0.2),
        ("nb-squared-effects", True, 0.2),
        ("dyadic-exponential-effects", True, 0.2),
        ("bernoulli-squared-effects", False, 0.2),
    )
)
COVERAGE_SIMULATIONS = 20

#: Of a trial.
QUICK = tuple(
    Study(name, nodes=5, dim=2, warmup=100, draws=19, thin=2)
    for name in ("tutorial", "nb-squared-effects")
)


def tables(study: Study) -> dict[str, pd.DataFrame]:
    """Return the tables that covariates are of: every network of a study has the same."""
    rng = np.random.default_rng(study.nodes)
    names = [str(i + 1) for i in range(study.nodes)]
    nodes = pd.DataFrame(
        {"size": rng.normal(size=study.nodes), "group": rng.choice([*"abc"], size=study.nodes)},
        pd.Index(names),
    )
    senders, receivers = np.nonzero(np.triu(rng.random((study.nodes, study.nodes)) < 0.3, 1))
    pairs = pd.MultiIndex.from_arrays([np.array(names)[senders], np.array(names)[receivers]])
    dyads = pd.DataFrame({"contact": rng.normal(size=len(senders))}, pairs)
    return {"node_table": nodes, "dyad_table": dyads}
