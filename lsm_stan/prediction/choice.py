"""Which candidate the scores choose: the simplest within one standard error of the best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from lsm_stan.prediction.scores import split_error

#: What identifies a candidate in the tables, and the first columns of ``scores.csv``.
CANDIDATE = ["model", "dim"]


@dataclass(frozen=True)
class Choice:
    """What the scores say of the candidates.

    Attributes
    ----------
    model : str or None
        Model of the choice; None where the data do not decide.
    dim : int or None
        Its number of dimensions; None likewise.
    reason : str
        Why, in a sentence.
    table : DataFrame
        A row a candidate, best first; see :func:`candidates`.
    """

    model: str | None
    dim: int | None
    reason: str
    table: pd.DataFrame


def candidates(scores: pd.DataFrame, share: float, by: Sequence[str] = CANDIDATE) -> pd.DataFrame:
    """Average scores over splits, and compare with the best split by split.

    Parameters
    ----------
    scores : DataFrame
        A row a candidate and split: its names, ``split``, ``log_density`` (in nats) and any
        other numbers.
    share : float
        Share of the dyads that a split holds out: standard errors are those of
        :func:`lsm_stan.prediction.scores.split_error`.
    by : sequence of str, default ("model", "dim")
        The columns that name a candidate.

    Returns
    -------
    DataFrame
        A row a candidate, best first: its names; ``log_density`` and its standard error over
        splits, ``error``; ``difference`` from the best, the mean over splits, and its standard
        error, ``difference_error``; ``splits``, their number; and the means of all other numbers.
    """
    by_split = scores.pivot_table(index="split", columns=list(by), values="log_density")
    groups = scores.groupby(list(by))
    table = groups.mean(numeric_only=True).drop(columns="split")
    table.insert(1, "error", split_error(by_split, share))
    table.insert(2, "splits", groups.size())
    order = [name for name in ("log_density", "parameters") if name in table]
    table = table.sort_values(order, ascending=[False, True][: len(order)])
    difference = by_split.sub(by_split[table.index[0]], axis=0)
    table.insert(2, "difference", difference.mean())
    table.insert(3, "difference_error", split_error(difference, share))
    return table.reset_index()


def choose(scores: pd.DataFrame, baselines: pd.DataFrame, share: float) -> Choice:
    """Choose the simplest candidate within one standard error of the best.

    The error is that of the paired difference of mean log densities, over splits (the
    one-standard-error rule: Breiman et al., Classification and Regression Trees, 1984), and the
    simplest is the one of fewest parameters, of those that are better than the best baseline by
    one standard error.

    Nothing is chosen where there is one split only, where the best is not better than the best
    baseline by one standard error, or where several candidates within one standard error are
    equally simple.

    Parameters
    ----------
    scores : DataFrame
        Columns ``model, dim, split, log_density, auc, parameters``.
    baselines : DataFrame
        Columns ``model, split, log_density``.
    share : float
        Share of the dyads that a split holds out.

    Returns
    -------
    Choice

    Examples
    --------
    >>> splits = {"dim": 2, "split": [1, 2], "parameters": 9, "auc": 0.8}
    >>> scores = pd.DataFrame({"model": "tutorial", "log_density": [-1.0, -1.1], **splits})
    >>> baselines = pd.DataFrame({"model": "constant", "split": [1, 2], "log_density": -2.0})
    >>> choose(scores, baselines, share=0.1).reason
    'tutorial with K = 2: the best'
    """
    table = candidates(scores, share)

    def undecided(reason: str) -> Choice:
        return Choice(None, None, reason, table)

    if scores["split"].nunique() < 2:
        return undecided("one split has no standard error; take more splits")
    baseline = _best_baseline(baselines)
    by_split = scores.pivot_table(index="split", columns=CANDIDATE, values="log_density")
    gains = by_split[pd.MultiIndex.from_frame(table[CANDIDATE])].sub(baseline, axis=0)
    gain, error = gains.mean().to_numpy(), split_error(gains, share).to_numpy()
    if not gain[0] > error[0]:
        return undecided(
            f"no candidate predicts better than the baseline {baseline.name!r} by one standard"
            f" error ({gain[0]:+.4f} ± {error[0]:.4f} a dyad)"
        )
    near = table[(-table["difference"] <= table["difference_error"]) & (gain > error)]
    simplest = near[near["parameters"] == near["parameters"].min()]
    names = [f"{row['model']} with K = {row['dim']}" for row in table[CANDIDATE].to_dict("records")]
    if len(simplest) > 1:
        return undecided(
            f"{' and '.join(names[i] for i in simplest.index)} are equally simple and within one"
            f" standard error of the best: the data do not decide"
        )
    rank = int(simplest.index[0])
    chosen = table.iloc[rank]
    reason = f"{names[rank]}: " + (
        "the best"
        if rank == 0
        else f"the simplest within one standard error of the best, {names[0]}"
        f" ({chosen['difference']:+.4f} ± {chosen['difference_error']:.4f} a dyad)"
    )
    return Choice(str(chosen["model"]), int(chosen["dim"]), reason, table)


def _best_baseline(baselines: pd.DataFrame) -> pd.Series[float]:
    """Return the log densities by split, named after the baseline, of the best."""
    by_split = baselines.pivot_table(index="split", columns="model", values="log_density")
    return by_split[by_split.mean().idxmax()]
