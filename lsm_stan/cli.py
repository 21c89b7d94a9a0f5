"""The command line ``lsm-stan``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, get_args

import typer

import lsm_stan as lsm
from lsm_stan.choices import Kernel
from lsm_stan.errors import InputError, LsmStanError, ToolchainError
from lsm_stan.files import ensure_writable
from lsm_stan.network.reading import Reading
from lsm_stan.options import (
    MODEL,
    ColourOption,
    DimOption,
    DimsOption,
    ExportArgument,
    FitArgument,
    FitsArgument,
    ForceOption,
    InitOption,
    JobsOption,
    KernelOption,
    LadderOption,
    LayersOption,
    MethodName,
    MethodOption,
    ModelOption,
    NetworkArgument,
    OriginOption,
    SchedulerOption,
    SchemeOption,
    SeedOption,
    SettingsOption,
    StartsOption,
    SumOption,
    ThreadsOption,
    TogetherOption,
    ToleranceOption,
    read_dims,
    read_ladder,
    read_settings,
    reads_network,
)
from lsm_stan.outputs import ask_to_replace, ensure_csv, write_file
from lsm_stan.progress import print_progress

app = typer.Typer(
    help="Latent space models of weighted networks, fitted with Stan.",
    epilog="To begin: lsm-stan fit celegans --method map --seed 1 --out fits/map",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command()
def setup(
    source: OriginOption = "auto",
    check: Annotated[
        bool, typer.Option("--check", help="Only print what is found; install nothing.")
    ] = False,
) -> None:
    """Find CmdStan, or install it, compile the model and evaluate one density.

    Every other command does this by itself on first use.
    """
    from lsm_stan import terminal
    from lsm_stan.cmdstan.compilation import compile_with_fallback
    from lsm_stan.cmdstan.verification import check_kernel, check_program

    if check:
        toolchain = lsm.find_toolchain()
        if toolchain is None:
            raise LsmStanError("no CmdStan found; `lsm-stan setup` installs one")
        kernels = [check_kernel(kernel, toolchain) for kernel in get_args(Kernel)]
    else:
        toolchain = lsm.ensure_toolchain(source)
        executable, kernel = compile_with_fallback(toolchain=toolchain)
        kernels = [check_program(kernel, executable)]
    terminal.show_toolchain(toolchain, kernels)
    for result in kernels:
        if result.state == "wrong":
            raise ToolchainError(f"the kernel {result.kernel}: {result.message}")


@app.command()
@reads_network
def info(
    network: NetworkArgument,
    *,
    how: Reading,
) -> None:
    """Show what is read from a network: nodes, edges, weights, covariates, warnings."""
    from lsm_stan import terminal
    from lsm_stan.network.layer_readers import open_source

    terminal.show_source(open_source(network, how))


@app.command()
@reads_network
def fit(
    network: NetworkArgument,
    method: MethodOption,
    out: Annotated[Path, typer.Option(help="Folder for the fit; appears when it is whole.")],
    seed: SeedOption,
    dim: DimOption = 3,
    model: ModelOption = "tutorial",
    starts: StartsOption = None,
    ladder: LadderOption = None,
    sum_: SumOption = None,
    tolerance: ToleranceOption = None,
    init: InitOption = None,
    settings: SettingsOption = None,
    kernel: KernelOption = "cpp",
    threads: ThreadsOption = 1,
    layers: LayersOption = None,
    jobs: JobsOption = None,
    scheduler: SchedulerOption = None,
    force: ForceOption = False,
    *,
    how: Reading,
) -> None:
    """Fit the model to one network by one method, to layers, or to each network of a folder.

    For instance: lsm-stan fit edges.csv --method nuts --dim 2 --seed 1 --set iter_sampling=500
    --out fits/nuts; of a folder OUT gets a fit for each file, and fits.csv.
    """
    from lsm_stan import terminal
    from lsm_stan.inference.fit_folder import ensure_replaceable
    from lsm_stan.inference.fits import fit_and_save
    from lsm_stan.inference.latent_space_model import requested_arguments
    from lsm_stan.inference.plan import warn_if_long
    from lsm_stan.network.layer_readers import open_source

    arguments = read_settings(settings)
    given: dict[str, Any] = {"starts": starts, "init": init, "sum": sum_, "tolerance": tolerance}
    given["ladder"] = None if ladder is None else read_ladder(ladder)
    arguments |= {name: value for name, value in given.items() if value is not None}
    requested_arguments(method.value, arguments)  # refuses before anything is compiled
    options: dict[str, Any] = {"dim": dim, "model": model, "kernel": kernel, "threads": threads}
    if Path(network).is_dir() and layers is None:
        options |= {"method": method.value, "seed": seed, "arguments": arguments}
        options |= {"jobs": jobs, "scheduler": scheduler, "force": force, "say": print_progress}
        terminal.show_fits(lsm.fit_each(lsm.open_networks(Path(network), how), out, **options))
        return
    if jobs or scheduler:
        raise InputError(f"--jobs and --scheduler are of a folder of networks; {network} is none")
    ensure_replaceable(out)
    if not force:
        ask_to_replace(out)
    read = open_source(network, how)
    terminal.show_notes(read.notes)
    fitted = lsm.LatentSpaceModel(read, **options, layers=layers)
    warn_if_long(fitted, method.value, arguments, print_progress)
    result = fit_and_save(fitted, method.value, seed, arguments, out, print_progress)
    terminal.show_fit(result, out)


@app.command()
@reads_network
def plan(
    network: NetworkArgument,
    method: Annotated[
        MethodName | None, typer.Option(help="One method. \\[default: all of them]")
    ] = None,
    dim: DimOption = 3,
    model: ModelOption = "tutorial",
    settings: SettingsOption = None,
    threads: ThreadsOption = 1,
    layers: LayersOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    *,
    how: Reading,
) -> None:
    """Estimate what fits will cost, in time and memory, from a few gradients of this network.

    For instance: lsm-stan plan edges.csv --model nb-squared-effects --dim 2
    """
    from lsm_stan import terminal
    from lsm_stan.inference.plan import plan as planned
    from lsm_stan.network.layer_readers import open_source

    if settings and method is None:
        raise InputError("--set is of one method; name it with --method")
    arguments = None if method is None else {method.value: read_settings(settings)}
    read = open_source(network, how)
    fitted = lsm.LatentSpaceModel(read, dim, model=model, threads=threads, layers=layers)
    result = planned(fitted, arguments)
    terminal.show_plan(result, as_json=as_json)


@app.command()
@reads_network
def select(
    network: NetworkArgument,
    models: Annotated[
        str, typer.Option(metavar="NAME,...", help="Models, as fit's --model, commas between.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for scores.csv, figures and finished fits.")],
    seed: SeedOption,
    dims: DimsOption = "1-6",
    splits: Annotated[int, typer.Option(min=1, help="How often dyads are held out.")] = 5,
    share: Annotated[float, typer.Option(help="Of the dyads, held out; folds have none.")] = 0.1,
    scheme: SchemeOption = "random",
    together: TogetherOption = True,
    method: MethodOption = MethodName["map"],
    settings: SettingsOption = None,
    jobs: JobsOption = None,
    scheduler: SchedulerOption = None,
    *,
    how: Reading,
) -> None:
    """Choose model and dimension by how well held-out dyads are predicted; OUT/README.md explains.

    Finished fits are kept: an interrupted selection goes on where it stopped. For instance:
    lsm-stan select edges.csv --models tutorial,nb-exponential --dims 1-4 --seed 1 --out chosen
    """
    from lsm_stan import terminal
    from lsm_stan.model.terms import split_outside_brackets
    from lsm_stan.network.readers import open_network

    read = open_network(network, how)
    terminal.show_notes(read.notes)
    selection = lsm.select(
        read,
        out,
        dims=read_dims(dims),
        models=split_outside_brackets(models, ","),
        n_splits=splits,
        seed=seed,
        scheme=scheme,
        share=share,
        together=together,
        method=method.value,
        arguments=read_settings(settings),
        jobs=jobs,
        scheduler=scheduler,
        say=print_progress,
    )
    terminal.show_selection(selection)
    print_progress(f"page, tables and figures: {lsm.write_selection(selection, out).parent}")


@app.command()
def resume(
    fit: FitArgument,
    draws: Annotated[int, typer.Option(min=1, help="Iterations more of each chain.")],
    out: Annotated[Path | None, typer.Option(help="Folder. \\[default: FIT, replaced]")] = None,
) -> None:
    """Let the chains of a fit by NUTS go on from where they ended, with what they had learned."""
    from lsm_stan import terminal
    from lsm_stan.inference.fits import save_or_rescue

    target = fit if out is None else out
    result = lsm.resume(lsm.Fit.load(fit), draws=draws)
    save_or_rescue(result, target)
    terminal.show_fit(result, target)


@app.command()
def predict(
    fit: FitArgument,
    out: Annotated[Path, typer.Option(help="Table to write (.csv).")],
    top: Annotated[int, typer.Option(min=1, help="Dyads of each kind, at most.")] = 50,
) -> None:
    """List the dyads where an edge is likeliest: hidden, empty, and heavier than predicted.

    Columns: kind (hidden, empty or heavy), source, target, weight, probability of an edge, expected
    weight, 90 % intervals of both over draws, and tail, the probability of so large a weight.
    """
    from lsm_stan import terminal
    from lsm_stan.text import counted

    ensure_csv(out)
    table = lsm.predict(lsm.Fit.load(fit), top)
    write_file(lambda: table.to_csv(out, index=False), out)
    terminal.show_predictions(table)
    print_progress(f"{counted(len(table), 'dyad')}: {out}")


@app.command()
def simulate(
    out: Annotated[Path, typer.Option(help="Edge list to write (.csv); positions go beside it.")],
    seed: SeedOption,
    nodes: Annotated[int, typer.Option(help="N, the number of nodes.")] = 60,
    dim: DimOption = 2,
    model: Annotated[
        str, typer.Option(help=f"{MODEL}; no covariates, which Python's simulate takes.")
    ] = "tutorial",
    directed: Annotated[bool, typer.Option("--directed/--undirected")] = True,
) -> None:
    """Draw a network from the model, and save its true positions with it."""
    from lsm_stan import terminal

    ensure_csv(out)
    if lsm.find_model(model).terms:
        raise InputError(
            f"{model} has covariates; simulate draws no tables of them: in Python"
            f" lsm_stan.simulate takes node_table and dyad_table"
        )
    drawn, parameters = lsm.simulate(nodes, dim, seed=seed, model=model, directed=directed)
    table = drawn.node_frame()
    for axis in range(dim):
        table[f"z{axis + 1}"] = parameters["z"][:, axis]
    node_file = out.with_name(f"{out.stem}-nodes.csv")
    write_file(lambda: table.to_csv(node_file, index=False), node_file)
    write_file(lambda: drawn.edge_frame().to_csv(out, index=False), out)
    terminal.show_network(drawn)
    print_progress(f"edges: {out}; nodes and true positions: {node_file}")


@app.command()
def run(
    config: Annotated[Path, typer.Argument(metavar="CONFIG.toml", help="What to run.")],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the results. \\[default: CONFIG without its suffix]"),
    ] = None,
    jobs: JobsOption = None,
    scheduler: SchedulerOption = None,
) -> None:
    r"""Run several fits of one network, then the report.

    A fit that is already there is kept: an interrupted run goes on where it stopped.

    CONFIG.toml has network = "celegans" or a file, and a \[\[fit]] for each fit, with method and
    seed, and if wanted name and arguments = {...}, of the method. Instead of a file, \[network]
    says how to read it: file, and if wanted directed, parallel_edges, header, source, target,
    weight, where (a list), binary, bipartite, nodes, hidden, dyads, layer, time, layer_list,
    absent, title. The other keys are optional: model (a name, or a table that can set scales of
    priors: {likelihood = "nb", form = "squared", effects = true, sigma_scale = 2.0}), dim, layers
    (a structure, or a table), prior_scale, jitter, kernel, threads, colour_by, note, and
    \[reference] with label and loss. Paths are relative to the file.
    """
    from lsm_stan import terminal

    loaded = lsm.load_config(config)
    if out is None and not config.suffix:
        raise InputError(f"{config} has no suffix to leave out; name a folder with --out")
    out = config.with_suffix("") if out is None else out
    terminal.show_analysis(lsm.run(loaded, out, print_progress, jobs=jobs, scheduler=scheduler))


@app.command()
def compare(
    fits: FitsArgument,
    out: Annotated[Path, typer.Option(help="Folder for comparison.csv.")] = Path(),
) -> None:
    """Set fits of one network side by side: time, error, spread, against the most exact one."""
    from lsm_stan import terminal

    file = out / "comparison.csv"
    ensure_csv(file)
    loaded = lsm.load_fits(fits)
    if len(loaded) < 2:
        raise InputError(f"{fits[0]} is compared with nothing; name another fit of its network")
    comparison = lsm.compare(loaded)
    terminal.show_comparison(comparison)
    write_file(lambda: comparison.table.to_csv(file, index=False), file)
    print_progress(f"written to {file}")


@app.command()
def loo(
    fits: FitsArgument,
    out: Annotated[Path, typer.Option(help="Table to write (.csv).")] = Path("loo.csv"),
) -> None:
    """Set fits of one network, of any models, side by side by PSIS-LOO over dyads.

    Fits need draws of the posterior (nuts). Where Pareto k are too large, hold dyads out instead:
    lsm-stan select.
    """
    from lsm_stan import terminal

    ensure_csv(out)
    table = lsm.loo_table(lsm.load_fits(fits))
    terminal.show_loo(table)
    write_file(lambda: table.to_csv(out, index=False), out)
    print_progress(f"written to {out}")


@app.command()
def weigh(
    fits: FitsArgument,
    out: Annotated[Path, typer.Option(help="Folder for modes.csv and modes.nc.")] = Path("modes"),
    draws: Annotated[int, typer.Option(min=1, help="Most draws, of all fits together.")] = 4000,
    seed: SeedOption = 0,
) -> None:
    """Weigh the modes that draws lie around: how much of the posterior is near each.

    Fits are by nuts, of one model; they may have started at different modes. Where modes can be
    weighed, modes.nc is one posterior for ArviZ, draws of each mode by its weight. What came of it
    is kept in each fit's fit.json, and reports say it.
    """
    from lsm_stan import terminal
    from lsm_stan.inference.fit_folder import ensure_replaceable
    from lsm_stan.posterior import idata as container

    table, posterior = out / "modes.csv", out / "modes.nc"
    ensure_csv(table)
    loaded = lsm.load_fits(fits)
    for folder in fits:
        ensure_replaceable(folder)
    first = next(iter(loaded.values()))
    model = lsm.LatentSpaceModel(first.network, **{**first.record.model, "model": first.spec})
    weights = lsm.weigh_modes(model, list(loaded.values()), seed=seed, draws=draws)
    terminal.show_modes(weights)
    write_file(lambda: weights.table.to_csv(table, index=False), table)
    posterior.unlink(missing_ok=True)  # an earlier one
    if (whole := weights.idata) is not None:
        write_file(lambda: container.save(whole, posterior), posterior)
    for folder, fitted in zip(fits, loaded.values(), strict=True):
        weights.recorded(fitted).save(folder)
    print_progress(f"written to {out}, and to fit.json of the fits")


@app.command()
def report(
    fits: FitsArgument,
    out: Annotated[Path, typer.Option(help="Folder for index.html, its figures and tables.")],
    colour_by: ColourOption = None,
) -> None:
    """Write one page about fits of one network: what they say, and whether to trust it."""
    from lsm_stan import terminal
    from lsm_stan.report.layers_page import write_layers
    from lsm_stan.report.report_page import ensure_page

    ensure_page(out)
    loaded = lsm.load_fits(fits)
    if (page := write_layers(loaded, out, print_progress)) is not None:
        print_progress(f"report: {page.resolve()}")
        return
    made = lsm.make_report(loaded, print_progress, colour_by=colour_by)
    terminal.show_summary(made)
    print_progress(f"report: {lsm.write_report(made, out).resolve()}")


@app.command()
def export(fit: FitArgument, file: ExportArgument) -> None:
    """Write positions, their uncertainty, strengths and effects of the nodes for other programs."""
    from lsm_stan.report.export import ensure_export

    ensure_export(file)
    ensure_writable(file, "name another file")
    print_progress(f"written to {lsm.export(lsm.Fit.load(fit), file)}")
