"""The page of a report: its headline and its sections, written as one HTML file."""

from __future__ import annotations

from pathlib import Path

from lsm_stan.criticism.verdict import judge_model
from lsm_stan.files import ensure_ours, ensure_writable
from lsm_stan.inference.methods import METHODS
from lsm_stan.inference.record import RECORD
from lsm_stan.network.summary import describe
from lsm_stan.posterior.checks import Finding
from lsm_stan.report.criticism_sections import model_section, priors_section, trust_section
from lsm_stan.report.page import INDEX, Page, file_stems, write_page
from lsm_stan.report.report import Report
from lsm_stan.report.sections import (
    clusters_section,
    coefficients_section,
    comparison_section,
    embedding_section,
    provenance_section,
    quantities_section,
)
from lsm_stan.text import listed


def write_report(report: Report, folder: Path) -> Path:
    """Write a report as a page, with its figures as PNG and its tables as CSV beside it.

    Parameters
    ----------
    report : Report
        What :func:`lsm_stan.report.report.make_report` returns.
    folder : Path
        Folder of the page; other files of an earlier page stay.

    Returns
    -------
    Path
        ``index.html``, which needs nothing besides itself.

    Raises
    ------
    InputError
        If ``folder`` is neither new, nor empty, nor one of an earlier page, or cannot be written.
    MachineError
        If there is no room.
    """
    ensure_page(folder)
    return write_page(report_page(report), folder)


def is_page(folder: Path) -> bool:
    """Return whether a folder has a page, and is not a fit.

    Parameters
    ----------
    folder : Path
        A folder, or none yet.

    Returns
    -------
    bool
    """
    return (folder / INDEX).exists() and not (folder / RECORD).exists()


def ensure_page(folder: Path) -> None:
    """Raise an error if a folder holds anything else than an earlier page, or cannot be written.

    Parameters
    ----------
    folder : Path
        A folder, or none yet.

    Raises
    ------
    InputError
        If it holds something else, or nothing can be written there.
    """
    ensure_ours(folder, "a page", is_page(folder))
    ensure_writable(folder / INDEX, "name another folder for the page")


def report_page(report: Report) -> Page:
    """Lay a report out as a page.

    Parameters
    ----------
    report : Report
        What :func:`lsm_stan.report.report.make_report` returns.

    Returns
    -------
    Page
    """
    fit = report.reference
    network, facts = fit.network, describe(fit.network)
    return Page(
        title=network.title or "Latent space model",
        subtitle=f"A latent space model in {fit.record.dim} dimensions, fitted by"
        f" {listed([METHODS[fit.method].title for fit in report.fits.values()])}",
        facts={
            **facts.in_short,
            "model": fit.spec.label,
            "dimensions": str(fit.record.dim),
        },
        findings=headline(report),
        sections=[
            *([] if report.coefficients.empty else [coefficients_section(report)]),
            comparison_section(report),
            embedding_section(report),
            *([] if report.clusters.empty else [clusters_section(report)]),
            model_section(report),
            priors_section(report),
            *(trust_section(report, *of_fit) for of_fit in file_stems(report.fits).items()),
            quantities_section(report),
            provenance_section(report),
        ],
        footer=f"lsm-stan {fit.record.versions['lsm-stan']}. Everything on this page but the"
        " pictures of positions is the same for every rotation and reflection of the draws.",
    )


def headline(report: Report) -> list[Finding]:
    """Return the findings to read first: those on every fit, and then that on the model.

    A fit with problems gives the first of them; any other gives its first finding, and every
    caution.

    Parameters
    ----------
    report : Report
        What :func:`lsm_stan.report.report.make_report` returns.

    Returns
    -------
    list of Finding
    """
    first = []
    for name, verdict in report.verdicts.items():
        bad = [finding for finding in verdict.findings if finding.kind == "bad"]
        cautions = [finding for finding in verdict.findings if finding.kind == "caution"]
        shown = bad[:1] or [verdict.findings[0], *cautions]
        first += [Finding(finding.kind, f"{name}: {finding.text}") for finding in shown]
    return [*first, judge_model(report.checks[report.comparison.reference])]
