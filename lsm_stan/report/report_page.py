"""The page of a report: its headline and its sections, written as one HTML file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lsm_stan.criticism.results import describe_result, placement
from lsm_stan.criticism.verdict import in_one_sentence, judge_model
from lsm_stan.files import ensure_ours, ensure_writable
from lsm_stan.inference.methods import METHODS
from lsm_stan.inference.record import RECORD
from lsm_stan.network.summary import describe
from lsm_stan.posterior.checks import Finding
from lsm_stan.progress import doing
from lsm_stan.report.criticism_sections import model_section, priors_section, trust_section
from lsm_stan.report.next_steps import next_step
from lsm_stan.report.page import INDEX, Page, Points, Section, file_stems, write_page
from lsm_stan.report.report import Report
from lsm_stan.report.sections import (
    clusters_section,
    coefficients_section,
    comparison_section,
    embedding_section,
    provenance_section,
    quantities_section,
)
from lsm_stan.text import counted, listed


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
    doing("figures and tables of the page")
    fit = report.reference
    network, facts, dim = fit.network, describe(fit.network), fit.record.dim
    return Page(
        title=network.title or "Latent space model",
        subtitle=f"A latent space model in {counted(dim, 'dimension')}, fitted by"
        f" {listed([METHODS[fit.method].title for fit in report.fits.values()])}",
        facts={
            **facts.in_short,
            "model": fit.spec.label,
            "dimension" if dim == 1 else "dimensions": str(dim),
        },
        summary=summary(report),
        sections=[
            *([] if report.coefficients.empty else [coefficients_section(report.coefficients)]),
            embedding_section(report),
            *(
                []
                if report.clusters.empty
                else [clusters_section(report.comparison.reference, fit, report.clusters)]
            ),
            model_section(report),
            *([comparison_section(report)] if len(report.fits) > 1 else []),
            priors_section(report),
            *(trust_section(report, *of_fit) for of_fit in file_stems(report.fits).items()),
            quantities_section(report),
            provenance_section(report),
        ],
        footer=f"lsm-stan {fit.record.versions['lsm-stan']}. Everything on this page but the"
        " pictures of positions is the same for every rotation and reflection of the draws.",
    )


def summary(report: Report) -> list[Section]:
    """Return what to read first: what was found, whether to trust it, and what to do next.

    Parameters
    ----------
    report : Report
        What :func:`lsm_stan.report.report.make_report` returns.

    Returns
    -------
    list of Section
    """
    step = next_step(report)
    name = report.comparison.reference
    intro = f"By {name}, the most exact of the fits." if len(report.fits) > 1 else ""
    return [
        Section("What was found", intro, [results(report)]),
        Section("Whether to trust it", "", [headline(report)]),
        Section("What to do next", "", [step.reason, step.command]),
    ]


def results(report: Report) -> Points:
    """Return what the reference fit found, in sentences.

    Parameters
    ----------
    report : Report
        What :func:`lsm_stan.report.report.make_report` returns.

    Returns
    -------
    sequence of Finding or str
    """
    return describe_result(report.reference, report.groups)


def headline(report: Report) -> list[Finding]:
    """Return a sentence on the model and one on every fit: the worst first.

    Parameters
    ----------
    report : Report
        What :func:`lsm_stan.report.report.make_report` returns.

    Returns
    -------
    list of Finding
        Problems, then cautions, then what is good; of a kind the model comes first, and then the
        fits by the most exact methods.
    """
    reference = report.comparison.reference
    of_model = judge_model(report.checks[reference])
    if of_model.kind == "good" and placement(report.reference).means_nothing:
        of_model = replace(of_model, text=f"{of_model.text} The positions have no part in that.")
    findings = [of_model]
    order = list(METHODS)
    for name in sorted(
        report.fits, key=lambda n: (n != reference, -order.index(report.fits[n].method))
    ):
        said = in_one_sentence(report.fits[name], report.verdicts[name])
        findings.append(replace(said, text=f"{name}: {said.text}"))
    kinds = ("bad", "caution", "good")
    return sorted(findings, key=lambda finding: kinds.index(finding.kind))
