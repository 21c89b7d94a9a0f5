"""Many tasks at once: on this machine, or by the workers of a Dask scheduler.

Everything that runs many fits goes through :func:`sweep`, which needs nothing but an executor as
:mod:`concurrent.futures` has them. A task takes everything along that it needs, and its result
comes back whole: no file is shared between machines. A task whose worker is lost runs again.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from importlib import import_module
from typing import Any, TypeVar

from tqdm import tqdm

from lsm_stan.errors import InputError, LsmStanError, MachineError
from lsm_stan.processes import cores
from lsm_stan.progress import Progress, be_still, has_bars

Key = TypeVar("Key")
Task = TypeVar("Task")
Result = TypeVar("Result")

#: The scheduler that is started for a sweep, with workers on this machine, and ends with it.
LOCAL = "local"

#: Seconds in which a scheduler has to answer.
PATIENCE = 20


def sweep(
    work: Callable[[Task], Result],
    tasks: Mapping[Key, Task],
    done: Callable[[Key, Result], object],
    *,
    jobs: int | None = None,
    scheduler: str | None = None,
    title: str = "fits",
    finished: int = 0,
    say: Progress = print,
) -> None:
    """Do tasks, several at once, and hand on each result as soon as it is there.

    Parameters
    ----------
    work : callable
        Does a task. For a scheduler it is a function of a module, not one made in another.
    tasks : Mapping of Key to Task
        By their keys.
    done : callable
        Takes a key and its result, in this thread.
    jobs : int or None, default None
        How many run at once on this machine; as many as there are cores by default.
    scheduler : str or None, default None
        The address of a Dask scheduler, such as ``tcp://host:8786``; ``local`` for one that is
        started with ``jobs`` workers; None for threads of this process, each of which waits for
        CmdStan's processes.
    title : str, default "fits"
        What the progress bar is called.
    finished : int, default 0
        How many others were done before: the bar begins there.
    say : callable, default print
        Takes a sentence where something unusual happens.

    Raises
    ------
    InputError
        If there is no such scheduler, or jobs and the address of one are given.
    LsmStanError
        What a task raises: nothing more begins then.
    """
    with (
        executor(jobs, scheduler, say) as pool,
        tqdm(
            total=finished + len(tasks),
            initial=finished,
            desc=title,
            disable=not has_bars(show_progress=bool(tasks)),
        ) as bar,
    ):
        futures = {_submit(pool, work, task): key for key, task in tasks.items()}
        waiting = set(futures)
        try:
            for future in as_completed(futures):
                result = _result(future)
                waiting.discard(future)
                with tqdm.external_write_mode():
                    done(futures[future], result)
                if not bar.disable:
                    be_still()
                bar.update()
        except BaseException:
            # an interrupt or a failed task: nothing more begins, and what is done stays
            begun = [future for future in waiting if not future.cancel()]
            for future in begun:
                if future.exception() is None:
                    done(futures[future], future.result())
            raise


@contextmanager
def executor(
    jobs: int | None = None, scheduler: str | None = None, say: Progress = print
) -> Iterator[Executor]:
    """Give an executor as :mod:`concurrent.futures` has them.

    Parameters
    ----------
    jobs, scheduler, say : Any
        As in :func:`sweep`.

    Raises
    ------
    InputError
        As :func:`sweep` does.

    Yields
    ------
    Executor
    """
    if scheduler is None:
        # threads: the work is done by CmdStan's processes
        with ThreadPoolExecutor(max_workers=jobs or cores()) as pool:
            yield pool
        return
    if jobs is not None and scheduler != LOCAL:
        raise InputError(
            f"jobs is {jobs}, but the workers of {scheduler} decide how many run at once; leave"
            f" --jobs out, or take --scheduler {LOCAL}"
        )
    with ExitStack() as stack:
        client = stack.enter_context(_client(jobs or cores(), scheduler))
        if not client.scheduler_info()["workers"]:
            say(
                f"{scheduler} has no workers yet; waiting for one: dask worker"
                f" {client.scheduler_info()['address']}"
            )
        yield stack.enter_context(client.get_executor(pure=False))


def check_scheduler(scheduler: str | None) -> None:
    """Refuse a scheduler where Dask is not installed.

    Parameters
    ----------
    scheduler : str or None
        As in :func:`sweep`.

    Raises
    ------
    InputError
        If it is not.
    """
    if scheduler is not None:
        _dask(scheduler)


def _dask(scheduler: str) -> Any:
    try:
        return import_module("distributed")
    except ImportError as error:
        raise InputError(
            f"--scheduler {scheduler} needs Dask ({error}); pip install 'lsm-stan[dask]'"
        ) from error


@contextmanager
def _client(jobs: int, scheduler: str) -> Iterator[Any]:
    """Connect to a scheduler; start one, and its workers, if it is to be of this sweep."""
    dask = _dask(scheduler)
    with ExitStack() as stack:
        address: Any = scheduler
        if scheduler == LOCAL:
            address = stack.enter_context(
                dask.LocalCluster(n_workers=jobs, threads_per_worker=1, dashboard_address=":0")
            )
        try:
            # not Dask's default: xarray, which writes fits, would have workers write them
            client = dask.Client(address, timeout=PATIENCE, set_as_default=False)
        except (OSError, ValueError) as error:
            raise InputError(
                f"--scheduler {scheduler}: no scheduler answers there"
                f" ({str(error) or type(error).__name__}); the address that `dask scheduler` prints"
                f" is needed, such as tcp://host:8786, or {LOCAL}"
            ) from error
        yield stack.enter_context(client)


def _submit(pool: Executor, work: Callable[[Task], Result], task: Task) -> Future[Result]:
    with warnings.catch_warnings():
        # a task takes its network along: there may be no disk that both sides see
        warnings.filterwarnings("ignore", message="Sending large graph")
        return pool.submit(work, task)


def _result(future: Future[Result]) -> Result:
    """Return what a task came to; say in one sentence what a scheduler's errors mean."""
    try:
        return future.result()
    except LsmStanError:
        raise
    except Exception as error:
        kind = type(error)
        if kind.__module__.partition(".")[0] != "distributed" and not isinstance(
            error, ModuleNotFoundError
        ):
            raise
        means = {
            "KilledWorker": "worker after worker was lost with one task; each worker needs more"
            " memory, or the limit of its memory raised (dask worker --memory-limit)",
            "ModuleNotFoundError": "a worker cannot import what the task needs; install lsm-stan of"
            " the same version there",
        }
        raise MachineError(f"{means.get(kind.__name__, 'Dask failed')} ({error})") from error
