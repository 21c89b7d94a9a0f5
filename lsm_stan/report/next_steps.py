"""What to do after a report: one sentence, and a command to copy."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from lsm_stan.criticism.results import placement
from lsm_stan.criticism.verdict import judge_model
from lsm_stan.inference.fit import Fit
from lsm_stan.inference.fit_folder import DYADS, EDGES, HIDDEN, NODES
from lsm_stan.inference.methods import METHODS
from lsm_stan.inference.record import RECORD
from lsm_stan.report.page import Command
from lsm_stan.report.report import Report

#: A line of a command goes on below from this many letters on.
FOLD = 48

#: ``NAME = VALUE`` in advice: an argument of the method.
_SETTING = re.compile(r"\b([a-z_]+) = ([\d.]+)")


class NextStep(NamedTuple):
    """What to do next.

    Attributes
    ----------
    reason : str
        A sentence.
    command : Command
        What does it.
    """

    reason: str
    command: Command


def next_step(report: Report) -> NextStep:
    """Return what to do after a report.

    Parameters
    ----------
    report : Report
        What :func:`lsm_stan.report.report.make_report` returns.

    Returns
    -------
    NextStep
        First another model, where the model does not describe the network; then a sample, where
        there is none; then a choice among numbers of dimensions, where positions mean nothing; then
        a better sample, where this one is not to be trusted; else predictions.
    """
    fit, name = report.reference, report.comparison.reference
    check = report.checks[name]
    following = check.next_model
    if judge_model(check).kind == "bad" and following is not None:
        model, dim = following.spec.label, fit.record.dim + following.more_dims
        same = following.spec == fit.spec
        return NextStep(
            f"More dimensions: the failed statistics ask for {dim} of them."
            if same
            else f"Another model: {model} is what the failed statistics ask for.",
            _mode_and_sample(fit, model, dim),
        )
    if fit.method != "nuts":
        return NextStep(
            f"A sample: {METHODS[fit.method].title} does not tell how uncertain the positions are,"
            " NUTS does.",
            _sample(fit, name, {}, "nuts"),
        )
    if placement(fit).means_nothing:
        return NextStep(
            "A comparison with no positions at all: held-out dyads tell whether any number of"
            " dimensions predicts better.",
            _select(fit),
        )
    if not fit.converged:
        advice = [check.advice for check in fit.record.checks if not check.passed]
        settings: dict[str, str] = {}
        for key, value in _SETTING.findall("; ".join(advice)):
            settings[key] = max(value, settings.get(key, value), key=float)
        return NextStep(
            "A better sample: the failed checks of this one ask for it."
            if settings
            else "Another sample, with another seed: the failed checks of this one ask for it.",
            _sample(fit, name, settings, f"{name}-again"),
        )
    return NextStep(
        "Predictions: the dyads where an edge is likeliest, and those that are heavier than"
        " expected.",
        _predict(fit),
    )


def _mode_and_sample(fit: Fit, model: str, dim: int) -> Command:
    folder = _folder(fit)
    if folder is None:
        return Command(
            f"model = LatentSpaceModel(network, dim={dim}, model={model!r})\n"
            "mode = model.optimize(seed=1)\n"
            "fit = model.sample(seed=1, init=mode)"
        )
    stem = re.sub(r"[^\w.-]+", "-", model).strip("-") + ("" if dim == fit.record.dim else f"-{dim}")
    mode, sample, page = (_beside(folder, f"{stem}-{end}") for end in ("map", "nuts", "report"))
    of = [*_network(fit, folder), "--model", model, "--dim", str(dim), "--seed", "1"]
    return _lines(
        ["lsm-stan", "fit", *of, "--method", "map", "--out", mode],
        ["lsm-stan", "fit", *of, "--method", "nuts", "--init", mode, "--out", sample],
        ["lsm-stan", "report", mode, sample, "--out", page],
    )


def _sample(fit: Fit, name: str, settings: Mapping[str, str], out: str) -> Command:
    """Return the command that samples the posterior of a fit's model, from where it is."""
    model, folder = fit.spec.name, _folder(fit)
    asked = fit.record.arguments if fit.method == "nuts" else {}
    kept = {key: str(value) for key, value in asked.items() if _is_number(value)}
    arguments = {**kept, **settings}
    if folder is None or model is None:
        named = "".join(f", {key}={value}" for key, value in arguments.items())
        return Command(f"fit = model.sample(seed=2, init=fits[{name!r}]{named})")
    sets = [part for key, value in arguments.items() for part in ("--set", f"{key}={value}")]
    of = [*_network(fit, folder), "--model", model, "--dim", str(fit.record.dim), "--seed", "2"]
    start = ["--method", "nuts", "--init", _shown(folder), *sets]
    return _lines(["lsm-stan", "fit", *of, *start, "--out", _beside(folder, out)])


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _select(fit: Fit) -> Command:
    model, most, folder = fit.spec.label, fit.record.dim + 1, _folder(fit)
    if folder is None:
        dims = f"dims=range(1, {most + 1})"
        return Command(f'select(network, "chosen", models=[{model!r}], {dims}, seed=1)')
    of = [*_network(fit, folder), "--models", model, "--dims", f"1-{most}", "--seed", "1"]
    return _lines(["lsm-stan", "select", *of, "--out", _beside(folder, "chosen")])


def _predict(fit: Fit) -> Command:
    folder = _folder(fit)
    if folder is None:
        return Command("predict(fit)")
    out = _beside(folder, f"{folder.name}-dyads.csv")
    return _lines(["lsm-stan", "predict", _shown(folder), "--out", out])


def _folder(fit: Fit) -> Path | None:
    """Return the folder that a fit was read from; None if it was not."""
    folder = fit.cmdstan_output.parent
    return folder if (folder / RECORD).is_file() else None


def _network(fit: Fit, folder: Path) -> list[str]:
    """Return the network as it was fitted, for the command line: it lies in the fit's folder."""
    files = {"--nodes": NODES, "--hidden": HIDDEN, "--dyads": DYADS}
    there = {option: file for option, file in files.items() if (folder / file).is_file()}
    options = [part for option, file in there.items() for part in (option, _shown(folder / file))]
    direction = "--directed" if fit.network.directed else "--undirected"
    return [_shown(folder / EDGES), *options, direction]


def _beside(folder: Path, name: str) -> str:
    return _shown(folder.parent / name)


def _shown(path: Path) -> str:
    """Return a path as a user here would type it."""
    relative = os.path.relpath(path)
    return str(path.resolve()) if relative.startswith("..") else relative


def _lines(*commands: Sequence[str]) -> Command:
    return Command("\n".join(map(_folded, commands)))


def _folded(command: Sequence[str]) -> str:
    """Return a command for a shell, on several lines where it is long."""
    lines = [""]
    for part in map(shlex.quote, command):
        # an option stays with its value
        if lines[-1] and part.startswith("--") and len(lines[-1]) > FOLD:
            lines.append(f"    {part}")
        else:
            lines[-1] += f" {part}" if lines[-1] else part
    return " \\\n".join(lines)
