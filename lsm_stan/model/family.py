"""The family of models: what they are called, what they are made of, and their priors.

Every model of the family has one name, ``<likelihood>-<form>``,
``<likelihood>-<form>-effects`` or ``<likelihood>-<form>-roles``, and is a choice of

- *likelihood*: ``poisson``; ``nb``, the negative binomial; ``dyadic``, a negative binomial whose
  gamma frailty the two directions of a pair share, so that they are correlated; ``bernoulli``,
  logistic, for binary networks;
- *form*: how the log rate (for ``bernoulli`` the log odds) falls with the distance d of two
  nodes: ``inverse``, -log d; ``exponential``, -d (Hoff, Raftery & Handcock, JASA 97, 2002), but
  rounded off where nodes meet, -√(d² + 0.01), since modes are drawn into the tip of -d, where
  there is no gradient; ``squared``, -d²; or ``inner``, the inner product of their positions
  (Hoff's bilinear model, JASA 100, 2005);
- *effects*: whether every node has a sender and a receiver effect;
- *roles*: whether it has effects, and two positions, one to send from and one to receive at. With
  the inner product these are Hoff's multiplicative effects.

They all have an intercept, and leave the diagonal alone. The first model, ``tutorial``, is that of
Edward's tutorial: ``poisson-inverse`` without an intercept, with a diagonal.

A name can be followed by terms, ``nb-squared-effects + nodematch(class) + clusters(3)``:

- covariates, see :mod:`lsm_stan.model.terms`;
- ``clusters(G)``: the positions are a mixture of G spherical normal distributions (Handcock,
  Raftery & Tantrum, JRSS A 170, 2007), whose centres have the positions' scale.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from itertools import product
from typing import Any, Literal

import numpy as np
from scipy.special import polygamma

from lsm_stan.errors import InputError
from lsm_stan.model.covariates import Covariates, covariates
from lsm_stan.model.terms import NODE_TERMS, OFFSET, Term, read_term, split_outside_brackets
from lsm_stan.network.layers import Layers
from lsm_stan.network.network import Network
from lsm_stan.typing import plain

Form = Literal["inverse", "exponential", "squared", "inner"]
Likelihood = Literal["poisson", "nb", "dyadic", "bernoulli"]

#: In the order of the Stan program's codes, which count from 1.
FORMS: tuple[Form, ...] = ("inverse", "exponential", "squared", "inner")
LIKELIHOODS: tuple[Likelihood, ...] = ("poisson", "nb", "dyadic", "bernoulli")

#: ε of the exponential form's √(d² + ε²).
ROUNDING = 0.1

#: Default scale of the positions' scale, by the power with which it enters the log rate.
SIGMA_Z_SCALES: dict[Form, float] = {"exponential": 3.0, "squared": 1.0, "inner": 1.0}

#: Standard deviation, in nats, that the positions' part of the log rates has in the prior of a mode
#: whose scale is learned otherwise: with it modes predict hidden dyads of *C. elegans* about best.
SPREAD = 1.5


@dataclass(frozen=True)
class ModelSpec:
    """One model of the family.

    The defaults are weakly informative on the log scale that they act on, as Stan's
    recommendations have it (https://github.com/stan-dev/stan/wiki/Prior-Choice-Recommendations).

    Attributes
    ----------
    form : {"inverse", "exponential", "squared", "inner"}
        How the log rate falls with distance; see :mod:`lsm_stan.model.family`.
    likelihood : {"poisson", "nb", "dyadic", "bernoulli"}
        Distribution of the weights; see :mod:`lsm_stan.model.family`.
    intercept, effects, roles : bool
        Whether there are any.
    diagonal : bool
        Whether self-loops are observations, of rate ``1 / sqrt(jitter)``: the tutorial's are.
    intercept_scale : float
        Standard deviation of the intercept's normal prior.
    sigma_scale : float
        Scale of the half-normal prior of the scales (standard deviations) of sender and receiver
        effects; their correlation has the LKJ(2) prior.
    sigma_fixed : float
        What those scales are at a mode, where they cannot be estimated: the joint density of
        effects and scales has no mode but at scale 0. There is no correlation then.
    role_fixed : float
        Standard deviation of the roles' coordinates (half the way from where a node receives to
        where it sends) at a mode; learned else, with the prior of the effects' scales.
    sigma_z_scale : float
        Scale of the half-normal prior of the positions' scale, which is learned where it has a
        meaning: with an inverse form and an intercept only the product of distance and rate has.
        By default :data:`SIGMA_Z_SCALES` of the form: the positions' part of the log rates then
        has a standard deviation between dyads of about 1 to 2 nats in half of the prior's
        networks, and of 5 to 20 in a twentieth.
    phi_scale : float
        Scale of the half-normal prior of ``1 / sqrt(phi)``, the frailty's coefficient of variation:
        a prior on phi itself would have most of its mass where there is no frailty. Where nearly
        all dyads are empty and positions explain little, phi can be far smaller than the prior
        expects (0.12 for *C. elegans* at a mode of K = 2, where 1 / sqrt(phi) is 2.9).
    terms : tuple of Term
        Covariates.
    beta_scale : float
        A covariate's coefficient has a normal prior of this standard deviation, divided by the
        covariate's scale: the distance of its two values, or, where it has more, their standard
        deviation over the dyads; see :mod:`lsm_stan.model.covariates`.
    clusters : int
        G, the clusters of the positions; 0: one normal distribution.
    cluster_fixed : float
        Standard deviation of a cluster at a mode, in units of the positions' scale; where it is
        learned, the median of its log-normal prior.
    cluster_scale : float
        Standard deviation of the logarithm in that prior, which keeps clusters from collapsing.
    concentration : float
        Concentration of the Dirichlet prior of the clusters' shares, ``theta``.
    covariates : Covariates or None
        The values of the terms in one network; see :meth:`bound`.
    """

    form: Form = "inverse"
    likelihood: Likelihood = "poisson"
    intercept: bool = True
    effects: bool = False
    roles: bool = False
    diagonal: bool = False
    intercept_scale: float = 5.0
    sigma_scale: float = 1.0
    sigma_fixed: float = 1.0
    role_fixed: float = 0.5
    sigma_z_scale: float = None  # type: ignore[assignment]  # the form's own
    phi_scale: float = 1.0
    terms: tuple[Term, ...] = ()
    beta_scale: float = 1.0
    clusters: int = 0
    cluster_fixed: float = 0.5
    cluster_scale: float = 0.5
    concentration: float = 1.0
    covariates: Covariates | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        for name, choices in (("form", FORMS), ("likelihood", LIKELIHOODS)):
            if getattr(self, name) not in choices:
                raise InputError(
                    f"{name} is {getattr(self, name)!r}; there are {', '.join(choices)}"
                )
        value: Any = self.sigma_z_scale
        if value is None:
            object.__setattr__(self, "sigma_z_scale", SIGMA_Z_SCALES.get(self.form, 1.0))
        for f in fields(self):
            value = getattr(self, f.name)
            if f.type in ("bool", "int", "float"):
                value = plain(value)
                object.__setattr__(self, f.name, value)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if f.type == "bool" and not isinstance(value, bool):
                raise InputError(f"{f.name} is {value!r}; true or false is needed")
            if f.type == "float" and not (number and 0 < value < np.inf):
                raise InputError(f"{f.name} is {value!r}; a positive, finite number is needed")
        for term in self.terms:
            if not isinstance(term, Term) or read_term(str(term)) != term:
                raise InputError(f"terms has {term!r}; a Term that can be read is needed")
        # in the order of their coefficients: those of nodes first; offsets have none
        ordered = sorted(
            self.terms,
            key=lambda term: (term.kind not in NODE_TERMS) + (term.kind == OFFSET),
        )
        object.__setattr__(self, "terms", tuple(ordered))
        if len(set(self.terms)) < len(self.terms):
            raise InputError(f"terms are {', '.join(map(str, self.terms))}; each once is needed")
        clusters: Any = self.clusters
        if type(clusters) is not int or clusters == 1 or clusters < 0:
            raise InputError(
                f"clusters is {clusters!r}; at least 2 are needed, a whole number, or none"
            )
        if self.roles and self.likelihood == "dyadic":
            raise InputError("likelihood 'dyadic' has no roles; take 'nb'")
        if self.diagonal and self.likelihood != "poisson":
            raise InputError("the diagonal is Poisson; likelihood 'poisson' is needed with it")

    @property
    def dispersed(self) -> bool:
        """Whether there is a frailty, of size phi."""
        return self.likelihood in ("nb", "dyadic")

    @property
    def learns_positions_scale(self) -> bool:
        """Whether the scale of the positions is learned, where scales are."""
        return self.form != "inverse"

    @property
    def hierarchical(self) -> bool:
        """Whether there are scales to learn."""
        return self.effects or self.roles or self.learns_positions_scale or self.clusters > 0

    @property
    def symmetric(self) -> bool:
        """Whether the two directions of a pair have one mean, whatever the network."""
        return not (self.effects or self.roles or self.terms)

    @property
    def extensions(self) -> list[str]:
        """Which of roles, covariates and clusters the model has: not every method serves them."""
        present = {"roles": self.roles, "covariates": self.terms, "clusters": self.clusters}
        return [name for name, has in present.items() if has]

    @property
    def with_coefficient(self) -> tuple[Term, ...]:
        """The terms that have a coefficient: all but offsets."""
        return tuple(term for term in self.terms if term.kind != OFFSET)

    @property
    def softening(self) -> float:
        """ε in ``d = sqrt(|z_i - z_j|^2 + ε^2)``, a part of the model."""
        return ROUNDING if self.form == "exponential" else 0.0

    def default_scale(self, dim: int) -> float:
        """Return the standard deviation of a coordinate where it is not learned.

        A model that does not learn it has 1, the tutorial's. A model that learns it has the one at
        which the positions' part of the log rate has a standard deviation of about :data:`SPREAD`
        between dyads, whatever K: at one scale for every K modes are the worse the larger K.

        Parameters
        ----------
        dim : int
            K, the number of latent dimensions.

        Returns
        -------
        float
        """
        if not self.learns_positions_scale:
            return 1.0
        if self.form == "exponential":  # -d has 0.93 (K = 2) to 1 of the scale
            return SPREAD
        # d^2 has sqrt(8 K) times the scale's square, the inner product sqrt(K) times
        return math.sqrt(SPREAD / math.sqrt((8 if self.form == "squared" else 1) * dim))

    def prior_sd(self, prior_scale: float) -> dict[str, float]:
        """Return the prior standard deviation of what Stan moves in when scales are fixed.

        Parameters
        ----------
        prior_scale : float
            Standard deviation of the positions' coordinates, of clusters' centres.

        Returns
        -------
        dict of str to float
            By the names of the Stan program's declarations, at a mode.
        """
        within = self.cluster_fixed if self.clusters else 0.0
        return {
            "z_raw": prior_scale * float(np.hypot(1, within)),
            "role_raw": 1.0,
            "intercept": self.intercept_scale,
            "log_phi": np.pi / math.sqrt(2),  # -2 log |x| of a normal x
            "effect_raw": 1.0,
            "change_raw": 1.0,
            "coefficient": self.beta_scale,
            "centre": prior_scale,
            # that of the log ratio of two gamma variables
            "theta_raw": math.sqrt(2 * float(polygamma(1, self.concentration))),
        }

    @property
    def name(self) -> str | None:
        """The model's name, terms and all; None where it has other priors than the named ones."""
        plain = replace(self, terms=(), clusters=0, covariates=None)
        base = next((name for name, spec in MODELS.items() if spec == plain), None)
        return None if base is None else base + self._suffix

    @property
    def label(self) -> str:
        """The name, or what comes nearest to one, for people to read."""
        kind = "-roles" if self.roles else "-effects" if self.effects else ""
        return self.name or f"{self.likelihood}-{self.form}{kind}{self._suffix} with other priors"

    @property
    def _suffix(self) -> str:
        terms = [*map(str, self.terms), *([f"clusters({self.clusters})"] * (self.clusters > 0))]
        return "".join(f"+{term}" for term in terms)

    @property
    def coords(self) -> dict[str, list[Any]]:
        """Labels of covariates and numbers of clusters, for dims of these names."""
        of_terms = {"covariate": list(map(str, self.with_coefficient))}
        return {
            **(of_terms if self.with_coefficient else {}),
            **({"cluster": list(range(1, self.clusters + 1))} if self.clusters else {}),
        }

    def bound(self, network: Network) -> ModelSpec:
        """Return the model with the values of its terms in a network.

        Parameters
        ----------
        network : Network
            The network, with the tables that have the terms' columns.

        Returns
        -------
        ModelSpec

        Raises
        ------
        InputError
            If the network's tables do not have the values; see
            :func:`lsm_stan.model.covariates.covariates`.
        """
        if not self.terms:
            return self
        return replace(self, covariates=covariates(self.terms, network))

    def digest(self, network: Network | Layers) -> str:
        """Return the digest of the data of this model: of the network, and of its covariates.

        Parameters
        ----------
        network : Network or Layers
            The network, or layers.

        Returns
        -------
        str
            SHA-256 (hex).
        """
        if self.covariates is None:
            return network.digest
        both = network.digest + self.covariates.digest
        return hashlib.sha256(both.encode()).hexdigest()

    def as_record(self) -> dict[str, Any]:
        """Return the numbers, for records and configurations: what a name means may change one day.

        Returns
        -------
        dict of str to object
        """
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "covariates"}
        return {**values, "terms": [str(term) for term in self.terms]}


MODELS: dict[str, ModelSpec] = {
    "tutorial": ModelSpec(intercept=False, diagonal=True),
    **{
        f"{likelihood}-{form}{suffix}": ModelSpec(
            form, likelihood, effects=bool(suffix), roles=suffix == "-roles"
        )
        for likelihood, form, suffix in product(LIKELIHOODS, FORMS, ("", "-effects", "-roles"))
        if (likelihood, suffix) != ("dyadic", "-roles")
    },
}


def read_spec(record: str | Mapping[str, Any]) -> ModelSpec:
    """Return the model that :meth:`ModelSpec.as_record` recorded.

    Parameters
    ----------
    record : str or mapping
        A name, or the fields of a :class:`ModelSpec`.

    Returns
    -------
    ModelSpec

    Raises
    ------
    InputError
        If there is no such model, or a number or a name is not one of a :class:`ModelSpec`.
    """
    if isinstance(record, str):
        return find_model(record)
    known = [f.name for f in fields(ModelSpec) if f.name != "covariates"]
    unknown = next((name for name in record if name not in known), None)
    if unknown is not None:
        raise InputError(f"a model has no {unknown!r}; it has {', '.join(known)}")
    terms = record.get("terms", [])
    if not isinstance(terms, list) or not all(isinstance(term, str) for term in terms):
        raise InputError(f"terms is {terms!r}; a list such as ['nodematch(class)'] is needed")
    return ModelSpec(**{**record, "terms": tuple(map(read_term, terms))})


def find_model(model: str | ModelSpec) -> ModelSpec:
    """Return a model by its name.

    Parameters
    ----------
    model : str or ModelSpec
        A name of :data:`MODELS`, with or without terms; a model is returned as it is.

    Returns
    -------
    ModelSpec

    Raises
    ------
    InputError
        If there is none of that name.

    Examples
    --------
    >>> from lsm_stan import find_model
    >>> model = find_model("nb-squared-effects + nodematch(class)")
    >>> model.likelihood, model.form, model.effects
    ('nb', 'squared', True)
    >>> model.label
    'nb-squared-effects+nodematch(class)'
    """
    if isinstance(model, ModelSpec):
        return model
    name, *suffixes = split_outside_brackets(model, "+")
    if name not in MODELS:
        raise InputError(
            f"no model {name!r}; there are tutorial, and LIKELIHOOD-FORM,"
            f" LIKELIHOOD-FORM-effects or LIKELIHOOD-FORM-roles with LIKELIHOOD one of"
            f" {', '.join(LIKELIHOODS)} and FORM one of {', '.join(FORMS)}; terms such as"
            f" +nodematch(COLUMN) or +clusters(3) may follow"
        )
    clusters = [suffix for suffix in suffixes if suffix.startswith("cluster")]
    counts = [re.fullmatch(r"clusters\s*\(\s*(\d+)\s*\)", suffix) for suffix in clusters]
    n_clusters = sum(int(count[1]) for count in counts if count)
    if len(clusters) > 1 or (clusters and not n_clusters):
        raise InputError(f"model {model!r}; say once clusters(G), with G, how many, 2 or more")
    terms = [read_term(suffix) for suffix in suffixes if suffix not in clusters]
    return replace(MODELS[name], terms=tuple(terms), clusters=n_clusters)
