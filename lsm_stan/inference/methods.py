"""The one list of inference methods: everything that names a method learns it from here."""

from __future__ import annotations

from dataclasses import dataclass

from lsm_stan.errors import InputError


@dataclass(frozen=True)
class Method:
    """One way to fit the model.

    Attributes
    ----------
    name : str
        Name on the command line, in configurations and in results.
    title : str
        Name in print.
    verb : str
        Name of the method of :class:`lsm_stan.inference.latent_space_model.LatentSpaceModel`, and
        of ``cmdstanpy.CmdStanModel`` if that runs it.
    by_cmdstan : bool
        Whether CmdStan runs it, and takes arguments that are not ours.
    chains : bool
        Whether its draws are chains, each draw made from the one before it. Those of an
        approximation are independent.
    """

    name: str
    title: str
    verb: str
    by_cmdstan: bool = True
    chains: bool = False


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method("map", "MAP", "optimize"),
        Method("laplace", "Laplace", "laplace", by_cmdstan=False),
        Method("pathfinder", "Pathfinder", "pathfinder", by_cmdstan=False),
        Method("vi", "VI", "vi", by_cmdstan=False),
        Method("advi", "ADVI", "variational"),
        Method("nuts", "NUTS", "sample", chains=True),
    )
}


def find_method(name: str) -> Method:
    """Return a method by its name.

    Parameters
    ----------
    name : str
        A key of :data:`METHODS`.

    Returns
    -------
    Method

    Raises
    ------
    InputError
        If there is none of that name.

    Examples
    --------
    >>> find_method("nuts").verb
    'sample'
    """
    if name not in METHODS:
        raise InputError(f"no method {name!r}; there are {', '.join(METHODS)}")
    return METHODS[name]
