"""Fits as tasks: several are made at once, here or by workers, and saved as they come."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lsm_stan.errors import InferenceError
from lsm_stan.inference.fit import Fit
from lsm_stan.inference.fits import fit_and_save, save_or_rescue
from lsm_stan.inference.latent_space_model import LatentSpaceModel
from lsm_stan.inference.starts import MADE, given_start, is_made
from lsm_stan.progress import Progress, print_progress
from lsm_stan.sweeps import sweep


@dataclass(frozen=True)
class FitTask:
    """A fit that is to be made, with everything that it needs.

    Attributes
    ----------
    model : LatentSpaceModel
        The model of the network.
    method : str
        A key of :data:`lsm_stan.inference.methods.METHODS`.
    seed : int
        Seed of the fit.
    arguments : Mapping
        The method's.
    folder : Path
        Where the fit is to be saved.
    """

    model: LatentSpaceModel
    method: str
    seed: int
    arguments: Mapping[str, Any]
    folder: Path

    def fit(self) -> Fit | InferenceError:
        """Return the fit, or why there is none: others go on.

        Returns
        -------
        Fit or InferenceError
        """
        try:
            return self.model.fit(
                self.method, seed=self.seed, show_progress=False, **self.arguments
            )
        except InferenceError as error:
            return error

    def fit_and_save(self) -> Fit | InferenceError:
        """Fit on this machine, where chains go on after an interruption, and save the fit.

        Returns
        -------
        Fit or InferenceError
        """
        arguments = {"show_progress": False, **self.arguments}
        try:
            return fit_and_save(
                self.model, self.method, self.seed, arguments, self.folder, print_progress
            )
        except InferenceError as error:
            return error

    def carried(self) -> FitTask:
        """Return the task for another machine, which need not see the file of a start.

        Returns
        -------
        FitTask
        """
        init = self.arguments.get("init", MADE[0])
        if is_made(init):
            return self
        start = given_start(self.model.problem, init)
        return replace(self, arguments={**self.arguments, "init": start})


def make_fits(
    tasks: Mapping[str, FitTask],
    done: Callable[[str, Fit | InferenceError], object],
    *,
    jobs: int | None,
    scheduler: str | None,
    finished: int,
    say: Progress,
) -> None:
    """Make fits, several at once; each is saved as soon as it is there.

    Parameters
    ----------
    tasks : Mapping of str to FitTask
        By the names of the fits.
    done : callable
        Takes a name, and the fit or why there is none, in this thread.
    jobs, scheduler, finished, say : Any
        As in :func:`lsm_stan.sweeps.sweep`.

    Raises
    ------
    InputError
        If there is no such scheduler, or a start cannot be read.
    LsmStanError
        What hinders all fits, such as a full disk.
    """

    def save(name: str, fit: Fit | InferenceError) -> None:
        if isinstance(fit, Fit):
            save_or_rescue(fit, tasks[name].folder)
        done(name, fit)

    here = scheduler is None
    sweep(
        FitTask.fit_and_save if here else FitTask.fit,
        tasks if here else {name: task.carried() for name, task in tasks.items()},
        done if here else save,
        jobs=jobs,
        scheduler=scheduler,
        finished=finished,
        say=say,
    )
