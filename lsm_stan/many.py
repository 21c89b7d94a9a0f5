"""One model fitted to each of many networks, such as the connectomes of a folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from lsm_stan.choices import Kernel
from lsm_stan.cmdstan.cache import folder_lock
from lsm_stan.errors import InferenceError, InputError, LsmStanError
from lsm_stan.files import as_csv, content_of, ensure_ours, ensure_writable, write_whole
from lsm_stan.inference.fit import Fit
from lsm_stan.inference.fit_folder import ensure_replaceable
from lsm_stan.inference.fits import kept_fit
from lsm_stan.inference.latent_space_model import LatentSpaceModel, requested_arguments
from lsm_stan.inference.record import RECORD
from lsm_stan.model.family import ModelSpec
from lsm_stan.network.formats import is_network_file
from lsm_stan.network.network import Network
from lsm_stan.network.readers import AS_IT_SAYS, open_network
from lsm_stan.network.reading import Reading
from lsm_stan.progress import Progress
from lsm_stan.sweeps import check_scheduler
from lsm_stan.tasks import FitTask, make_fits
from lsm_stan.text import counted, listed

#: In the folder of the fits: what came of each.
TABLE = "fits.csv"


def open_networks(folder: Path, how: Reading = AS_IT_SAYS) -> dict[str, Network]:
    """Read every network of a folder, one a file.

    Parameters
    ----------
    folder : Path
        Files of other kinds, and folders in it, are passed over.
    how : Reading, default Reading()
        How to read each.

    Returns
    -------
    dict of str to Network
        By the files' names without suffixes, in order.

    Raises
    ------
    InputError
        If there is none, one cannot be read, or two have one name.
    """
    files = sorted(path for path in folder.iterdir() if is_network_file(path))
    tables = {Path(table).resolve() for table in (how.nodes, how.hidden, how.dyads) if table}
    networks: dict[str, Network] = {}
    for file in files:
        name = file.name.removeprefix("out.").partition(".")[0]
        if file.resolve() in tables:
            continue
        if name in networks:
            raise InputError(
                f"{folder} has two files called {name!r}, one of them {file.name}; fits are named"
                " after files: give each a name of its own"
            )
        networks[name] = open_network(file, how)
    if not networks:
        raise InputError(f"{folder} has no file of a network; `lsm-stan fit --help` lists suffixes")
    return networks


def fit_each(
    networks: Mapping[str, Network],
    folder: str | Path,
    *,
    method: str,
    seed: int,
    dim: int = 3,
    model: str | ModelSpec = "tutorial",
    arguments: Mapping[str, Any] | None = None,
    kernel: Kernel = "cpp",
    threads: int = 1,
    jobs: int | None = None,
    scheduler: str | None = None,
    force: bool = False,
    say: Progress = print,
) -> pd.DataFrame:
    """Fit one model to each of many networks, several at once.

    Fits that are there already, and are those asked for, are kept: what was interrupted goes on
    where it stopped. A fit that fails does not stop the others.

    Parameters
    ----------
    networks : Mapping of str to Network
        By their names.
    folder : str or Path
        Each fit gets a folder there, called as its network; ``fits.csv`` lists them.
    method : str
        A key of :data:`lsm_stan.inference.methods.METHODS`.
    seed : int
        Seed of every fit.
    dim : int, default 3
        K, the number of latent dimensions.
    model : str or ModelSpec, default "tutorial"
        As in :class:`lsm_stan.LatentSpaceModel`.
    arguments : Mapping or None, default None
        Arguments of the method.
    kernel : {"cpp", "stan"}, default "cpp"
        As in :class:`lsm_stan.LatentSpaceModel`.
    threads : int, default 1
        As in :class:`lsm_stan.LatentSpaceModel`.
    jobs : int or None, default None
        Number of fits that run at once on this machine; by default 1, which keeps the cores busy
        with its starts or chains.
    scheduler : str or None, default None
        As in :func:`lsm_stan.select`.
    force : bool, default False
        Whether whole fits that are not those asked for are replaced.
    say : callable, default print
        It is called with a sentence for everything that happens.

    Returns
    -------
    DataFrame
        A row a network: ``network, nodes, edges, log_joint, converged, seconds``.

    Raises
    ------
    InputError
        If an argument makes no sense, or the folder holds something else, or other fits.
    InferenceError
        If fits failed; the others are there.
    """
    folder, given = Path(folder), dict(arguments or {})
    requested = requested_arguments(method, given)
    check_scheduler(scheduler)
    ensure_ours(folder, "fits of many networks", _is_ours(folder))
    ensure_writable(folder / TABLE, "name another folder for the fits")
    models = {
        name: LatentSpaceModel(network, dim, model=model, kernel=kernel, threads=threads)
        for name, network in networks.items()
    }
    for name in models:
        ensure_replaceable(folder / name)
    rows: dict[str, dict[str, Any]] = {}
    failures: dict[str, LsmStanError] = {}
    missing: dict[str, FitTask] = {}

    def keep(name: str, fit: Fit | LsmStanError) -> None:
        if isinstance(fit, LsmStanError):
            failures[name] = fit
            say(f"{name}: {fit}")
            return
        if name in missing:
            say(
                f"[{len(rows) + 1}/{len(models)}] {name}: {fit.density}, {fit.record.seconds:.0f} s"
            )
        rows[name] = _row(name, fit)

    with folder_lock(folder, say, f"fitting into {folder}"):
        compiled = next(iter(models.values())).compiled
        for name, each in models.items():
            each.compiled = compiled
            kept = kept_fit(folder / name, each, (method, seed, requested), name, say)
            if kept is None:
                missing[name] = FitTask(each, method, seed, given, folder / name)
            else:
                keep(name, kept)
        others = [] if force else [name for name in missing if _is_fit(folder / name)]
        if others:
            raise InputError(
                f"{folder} holds fits that are not those asked for: {listed(others)}; --force"
                f" replaces them, or name another folder with --out"
            )
        if rows:
            say(f"{len(rows)} of {len(models)} fits are already done, and kept")
        try:
            if missing:
                make_fits(
                    missing,
                    keep,
                    jobs=1 if scheduler is None and jobs is None else jobs,
                    scheduler=scheduler,
                    finished=len(rows),
                    say=say,
                )
        except KeyboardInterrupt:
            say(f"{len(rows)} of {len(models)} fits are done, and kept: run it again to go on")
            raise
        if failures:
            raise InferenceError(
                f"{counted(len(failures), 'network')} of {len(models)} could not be fitted:"
                f" {listed(list(failures))}; the other fits are in {folder}"
            )
        table = pd.DataFrame([rows[name] for name in models])
        write_whole(folder / TABLE, as_csv(table))
    return table


def _row(name: str, fit: Fit) -> dict[str, Any]:
    return {
        "network": name,
        "nodes": fit.network.n_nodes,
        "edges": fit.network.n_edges,
        "log_joint": fit.log_joint,
        "converged": fit.converged,
        "seconds": fit.record.seconds,
    }


def _is_fit(folder: Path) -> bool:
    """Return whether a folder holds a whole fit."""
    try:
        Fit.load(folder)
    except LsmStanError:
        return False
    return True


def _is_ours(folder: Path) -> bool:
    """Return whether a folder holds fits, whole or interrupted, and nothing else."""
    names = content_of(folder) if folder.is_dir() else []
    return all(name == TABLE or (folder / name / RECORD).is_file() for name in names)
