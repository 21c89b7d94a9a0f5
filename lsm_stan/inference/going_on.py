"""What chains of NUTS need to go on: their files, their step sizes and their metrics.

After its warmup a chain's next draw depends on its position, the step size, the metric and, where
nodes move, the covariance and the jumps, and on nothing else: momenta are drawn anew each time.
CmdStan's file of the chain has the first three, the files of the runs before it those that the
others were learned from. So a chain that goes on is the same Markov chain, under other random
numbers; the position is rounded to the digits of the file.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cmdstanpy
import numpy as np

from lsm_stan.errors import DamagedError
from lsm_stan.files import write_whole
from lsm_stan.inference.chain_files import ChainFile
from lsm_stan.temporary import temporary_folder

#: Arguments that are of the beginning of a chain, or of this package.
OF_BEGINNING = {
    *("chains", "init", "precondition", "moves", "iter_warmup", "iter_sampling", "step_size"),
    *("adapt_delta", "adapt_engaged", "adapt_init_phase", "adapt_metric_window"),
    *("adapt_step_size", "inv_metric", "metric", "seed"),
}

#: Arguments that are of a chain each where they are lists.
OF_A_CHAIN = ("step_size", "inv_metric")

#: The file of a chain that was interrupted, and the folder of the draws that follow it.
CHAIN, FOLLOWING = "chain_{}.csv", "chain_{}-after-{}"


def settings_to_go_on(
    before: cmdstanpy.CmdStanMCMC, settings: Mapping[str, Any], iterations: int
) -> dict[str, Any]:
    """Return the arguments of chains that go on with what they have learned.

    Parameters
    ----------
    before : CmdStanMCMC
        The chains, as they were read.
    settings : Mapping
        The arguments of CmdStanPy that they began with.
    iterations : int
        How many each chain goes on for.

    Returns
    -------
    dict of str to object
        Arguments of CmdStanPy.
    """
    others = {name: value for name, value in settings.items() if name not in OF_BEGINNING}
    # CmdStanPy reads no files of chains without a warmup: it is one iteration that adapts nothing
    others |= {"iter_warmup": 1, "iter_sampling": iterations, "adapt_engaged": False}
    others |= {
        "step_size": np.asarray(before.step_size).tolist(),
        "metric": before.metric_type,
    }
    if (metric := before.inv_metric) is not None:
        others["inv_metric"] = list(metric)
    return others


def settings_of_one(settings: Mapping[str, Any], chain: int, chains: int) -> dict[str, Any]:
    """Return the arguments of one of several chains.

    Parameters
    ----------
    settings : Mapping
        Arguments of CmdStanPy for all.
    chain : int
        Its number, from 1.
    chains : int
        How many there are.

    Returns
    -------
    dict of str to object

    Examples
    --------
    >>> settings_of_one({"step_size": [0.1, 0.2], "thin": 3}, 2, 2)
    {'step_size': 0.2, 'thin': 3}
    """
    return {
        name: value[chain - 1]
        if name in OF_A_CHAIN and isinstance(value, list) and len(value) == chains
        else value
        for name, value in settings.items()
    }


def read_files(folder: Path) -> cmdstanpy.CmdStanMCMC:
    """Read CmdStan's files of chains.

    Parameters
    ----------
    folder : Path
        Where they are.

    Returns
    -------
    CmdStanMCMC

    Raises
    ------
    DamagedError
        If they are missing, damaged, or of another method.
    """
    # in the order of the chains, the tenth after the ninth
    files = sorted(folder.glob("*.csv"), key=lambda file: (len(file.name), file.name))
    try:
        result = cmdstanpy.from_csv([str(file) for file in files])
    except (OSError, ValueError) as error:
        raise DamagedError(f"{folder}: CmdStan's files cannot be read ({error})") from error
    if not isinstance(result, cmdstanpy.CmdStanMCMC):
        raise DamagedError(f"{folder}: these are no chains of NUTS")
    return result


def can_go_on(settings: Mapping[str, Any]) -> bool:
    """Return whether the files of chains tell where they were.

    Parameters
    ----------
    settings : Mapping
        Arguments of CmdStanPy.

    Returns
    -------
    bool
        Not without a warmup, whose files CmdStanPy does not read, nor where files have other
        names, or a second one lies beside each.
    """
    others = ("save_latent_dynamics", "chain_ids")
    return settings.get("iter_warmup") != 0 and not any(map(settings.get, others))


def take_up(folder: Path, chains: int, wanted: int) -> list[ChainFile]:
    """Bring the files of chains into order after an interruption, and return them.

    What followed a chain is joined to its file. Interrupted itself, it can be done again.

    Parameters
    ----------
    folder : Path
        Where the files are.
    chains : int
        How many chains there are to be.
    wanted : int
        How many draws each is to have.

    Returns
    -------
    list of ChainFile
        One a chain: with its end where it has all draws, without draws where it has to begin.
    """
    taken = [_take_up(folder, chain, chains, wanted) for chain in range(1, chains + 1)]
    for left in folder.iterdir():
        if left.is_dir():
            shutil.rmtree(left)
        elif left.suffix == ".csv" and not re.fullmatch(CHAIN.format(r"\d+"), left.name):
            left.unlink()
    return taken


def folder_after(folder: Path, chain: int, file: ChainFile) -> Path:
    """Return the folder for the draws that follow a file.

    Parameters
    ----------
    folder : Path
        Where the file is.
    chain : int
        Its number, from 1.
    file : ChainFile
        The file: the folder's name has the number of its draws, so that none is joined twice.

    Returns
    -------
    Path
    """
    return folder / FOLLOWING.format(chain, len(file.draws))


def state_after(file: ChainFile, thin: int) -> cmdstanpy.CmdStanMCMC:
    """Read a chain as far as it came.

    Parameters
    ----------
    file : ChainFile
        Its file, with a draw at least.
    thin : int
        How many iterations each draw takes.

    Returns
    -------
    CmdStanMCMC
        One chain.
    """
    with temporary_folder() as folder:
        (folder / CHAIN.format(1)).write_bytes(file.ended_here(thin))
        return read_files(folder)


def holds_draws(folder: Path) -> bool:
    """Return whether some chain of a folder, or below it, has come beyond its warmup.

    Parameters
    ----------
    folder : Path
        A folder of CmdStan's files.

    Returns
    -------
    bool
    """
    return any(ChainFile.read(path.read_bytes()).draws for path in folder.rglob("*.csv"))


def _take_up(folder: Path, chain: int, chains: int, wanted: int) -> ChainFile:
    whole = folder / CHAIN.format(chain)
    # CmdStanPy's name of a chain; one alone has no number
    named = "*.csv" if chains == 1 else f"*_{chain}.csv"
    sources = [whole] if whole.exists() else sorted(folder.glob(named))
    file = ChainFile.read(sources[0].read_bytes()) if sources else ChainFile()
    for following in sorted(folder_after(folder, chain, file).glob("*.csv")):
        file = file.followed_by(ChainFile.read(following.read_bytes()))
    file = file.up_to(wanted)
    if file.draws:
        write_whole(whole, file.content)
    else:
        whole.unlink(missing_ok=True)
    return file
