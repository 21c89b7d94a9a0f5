"""Run a configuration: every fit that is not there yet, then the report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from lsm_stan.cmdstan.cache import folder_lock
from lsm_stan.config import AnalysisConfig
from lsm_stan.errors import InferenceError, LsmStanError
from lsm_stan.files import content_of, ensure_ours, ensure_writable, write_whole
from lsm_stan.inference.fit import Fit
from lsm_stan.inference.fit_folder import ensure_replaceable
from lsm_stan.inference.fits import fit_and_save, kept_fit
from lsm_stan.inference.latent_space_model import LatentSpaceModel, requested_arguments
from lsm_stan.inference.plan import warn_if_long
from lsm_stan.inference.starts import MADE
from lsm_stan.model.family import read_spec
from lsm_stan.network.grouping import grouping
from lsm_stan.network.layer_readers import open_source
from lsm_stan.network.layers import Layers
from lsm_stan.progress import Progress
from lsm_stan.report.layers_page import layers_page
from lsm_stan.report.markdown import README, as_markdown
from lsm_stan.report.page import FIGURES, Page, PageTable, Section, write_page
from lsm_stan.report.report import Report, make_report
from lsm_stan.report.report_page import is_page, report_page
from lsm_stan.report.shown import shown_fits
from lsm_stan.sweeps import check_scheduler
from lsm_stan.tasks import FitTask, make_fits
from lsm_stan.text import as_text

#: Tables and figures of the report that the README of the results shows too.
IN_README = (
    *("coefficients", "comparison", "distances", "embedding", "rates", "predictive", "ppc"),
    "invariants",
)

#: In the folder of a run, beside the page; and how the README says whose it is.
FITS = "fits"
WRITTEN = "Written by `lsm-stan run`"


@dataclass(frozen=True)
class Analysis:
    """The outcome of a configuration: the report of its fits, in memory and as a page.

    Fits of layers have a page alone.

    Attributes
    ----------
    config : AnalysisConfig
        What was run.
    report : Report or None
        The report in memory; None for layers.
    page : Path
        The page, ``index.html``.
    """

    config: AnalysisConfig
    report: Report | None
    page: Path


def run(
    config: AnalysisConfig,
    folder: Path,
    say: Progress = print,
    *,
    jobs: int | None = None,
    scheduler: str | None = None,
) -> Analysis:
    """Run the fits of a configuration that are missing, and write the report of all.

    Parameters
    ----------
    config : AnalysisConfig
        What to run.
    folder : Path
        Where; every fit gets a folder ``fits/<name>``. A fit that is already there and is the
        one asked for is kept, so that an interrupted analysis goes on where it stopped.
    say : callable, default print
        Told what happens, a sentence at a time.
    jobs : int or None, default None
        Number of fits that run at once on this machine, those apart that start at another; by
        default 1, which keeps the cores busy with its starts or chains.
    scheduler : str or None, default None
        As in :func:`lsm_stan.select`.

    Returns
    -------
    Analysis

    Raises
    ------
    LsmStanError
        If ``folder`` holds anything else than an earlier run, whole or interrupted, if the network
        cannot be read, or if a fit fails; finished fits stay.
    """
    ensure_ours(folder, "the outcome of a run", _is_run(folder))
    ensure_writable(folder / README, "name another folder with --out")
    network = open_source(config.network.file, config.network.how)
    # refuses before anything is fitted
    grouping(network.pooled if isinstance(network, Layers) else network, config.colour_by)
    model = LatentSpaceModel(
        network,
        config.dim,
        model=read_spec(config.model),
        prior_scale=config.prior_scale,
        jitter=config.jitter,
        kernel=config.kernel,
        threads=config.threads,
        layers=config.layers,
    )
    check_scheduler(scheduler)
    wanted = {
        fit.name: FitTask(model, fit.method, fit.seed, fit.arguments, folder / FITS / fit.name)
        for fit in config.fit
    }
    for task in wanted.values():
        ensure_replaceable(task.folder)
    model.compile()
    fits: dict[str, Fit] = {}
    with folder_lock(folder, say, f"running into {folder}"), _going_on(fits, len(wanted), say):
        _make(wanted, fits, say, jobs or (1 if scheduler is None else None), scheduler)
        # a fit that is kept may have other notes, another title, tables that it has no use for
        of_layers = isinstance(network, Layers)
        fits = {
            name: fits[name] if of_layers else replace(fits[name], network=model.network)
            for name in wanted
        }
        say("report: judging and comparing the fits")
        if isinstance(network, Layers):
            page = layers_page(fits, say)
            analysis = Analysis(config, None, write_page(page, folder))
            write_whole(folder / README, as_markdown(_with_note(config, page)).encode())
            return analysis
        report = make_report(fits, say, colour_by=config.colour_by)
        page = report_page(report)
        analysis = Analysis(config, report, write_page(page, folder))
        write_whole(folder / README, as_markdown(_readme(config, report, page)).encode())
    return analysis


def _make(
    wanted: Mapping[str, FitTask],
    fits: dict[str, Fit],
    say: Progress,
    jobs: int | None,
    scheduler: str | None,
) -> None:
    """Load the fits that are there, and make the others: one by one, or several at once."""
    which = {name: f"[{number}/{len(wanted)}] {name}" for number, name in enumerate(wanted, 1)}
    failures: list[InferenceError] = []

    def done(name: str, fit: Fit | InferenceError) -> None:
        if isinstance(fit, Fit):
            fits[name] = fit
        else:
            failures.append(fit)

    one_by_one = jobs == 1 and scheduler is None
    for batch in [[name] for name in wanted] if one_by_one else _independent(wanted):
        missing = {}
        for name in batch:
            task = wanted[name]
            asked = task.method, task.seed, requested_arguments(task.method, task.arguments)
            kept = kept_fit(task.folder, task.model, asked, which[name], say)
            if kept is None:
                say(f"{which[name]}: {task.method}, seed {task.seed}")
                warn_if_long(task.model, task.method, task.arguments, say)
                missing[name] = task
            else:
                say(f"{which[name]}: already done, kept ({task.folder})")
                fits[name] = kept
        if one_by_one:
            for name, task in missing.items():
                fits[name] = fit_and_save(
                    task.model, task.method, task.seed, task.arguments, task.folder, say
                )
        elif missing:
            make_fits(missing, done, jobs=jobs, scheduler=scheduler, finished=len(fits), say=say)
        if failures:
            raise failures[0]


def _independent(wanted: Mapping[str, FitTask]) -> list[list[str]]:
    """Return fits in their order, in batches of which none starts at another of its batch."""

    def starts_at(name: str, other: str) -> bool:
        init = wanted[name].arguments.get("init")
        path = Path(init).resolve() if isinstance(init, str) and init not in MADE else None
        return path is not None and path.is_relative_to(wanted[other].folder.resolve())

    batches: list[list[str]] = []
    for name in wanted:
        if batches and not any(starts_at(name, o) or starts_at(o, name) for o in batches[-1]):
            batches[-1].append(name)
        else:
            batches.append([name])
    return batches


@contextmanager
def _going_on(fits: Mapping[str, Fit], wanted: int, say: Progress) -> Iterator[None]:
    """Say how to go on where a run is stopped, or fails."""
    try:
        yield
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt | LsmStanError):
            say(f"{len(fits)} of {wanted} fits are done, and kept: run it again to go on")
        raise


def _is_run(folder: Path) -> bool:
    """Return whether a folder has the outcome of a run: whole, without its page, or interrupted."""
    readme = folder / README
    if readme.is_file():
        return WRITTEN in readme.read_text(encoding="utf-8", errors="replace")
    names = content_of(folder) if folder.is_dir() else []
    if FIGURES in names:  # of a page that was not written to its end
        names = [name for name in names if name != FIGURES and not name.endswith(".csv")]
    return is_page(folder) or names == [FITS]


def _readme(config: AnalysisConfig, report: Report, page: Page) -> Page:
    """Return the README of the results: the fits, and some of what the page shows."""
    columns = ["fit", "seconds", "log_joint", "loss", "converged"]
    fits = shown_fits(report)[columns]
    if config.reference is not None:
        loss = config.reference.loss
        published = {"fit": f"*{config.reference.label}*", "log_joint": -loss, "loss": loss}
        fits = pd.concat([as_text(pd.DataFrame([published], columns=columns)), fits])
    caption = (
        "log_joint: of a mode, or the mean and standard deviation over draws, with every constant;"
        " the loss is its negative at a mode. converged: whether the method's own checks passed;"
        " ADVI's is Stan's stopping rule only (see khat below)."
    )
    shown = [
        replace(section, items=items)
        for section in page.sections
        if (items := [item for item in section.items if getattr(item, "name", None) in IN_README])
    ]
    return replace(
        _with_note(config, page),
        sections=[
            Section("Fits", "", [PageTable("summary", caption, report.summary, fits)]),
            *shown,
        ],
    )


def _with_note(config: AnalysisConfig, page: Page) -> Page:
    """Return a page that says who wrote it, with the configuration's note."""
    written = (
        f"{WRITTEN}, which also writes `index.html` here: the whole report, with an interactive"
        " embedding. Do not edit."
    )
    return replace(
        page,
        subtitle="\n\n".join([f"{page.subtitle}.", written, (config.note or "").strip()]).strip(),
    )
