"""MAP: what its record says of the search."""

from types import SimpleNamespace

import pytest

from lsm_stan import LatentSpaceModel, simulate
from lsm_stan.inference.optimize import evaluations

CONSOLE = """
Initial log joint probability = -479.207
    Iter      log prob        ||dx||      ||grad||       alpha      alpha0  # evals  Notes 
      19      -479.025    0.00166552    0.00198083           1           1       27   
    Iter      log prob        ||dx||      ||grad||       alpha      alpha0  # evals  Notes 
      58      -478.457   1.53813e-06    3.5767e-07   4.609e-09       0.001      131  LS failed, Hessian reset 
Optimization terminated normally: 
"""  # noqa: E501, W291 - as CmdStan writes it


@pytest.mark.parametrize(("said", "expected"), [(CONSOLE, 131), ("Optimization ended\n", 1)])
def test_evaluations_are_those_that_cmdstan_prints_last(tmp_path, said, expected):
    (tmp_path / "console.txt").write_text(said)
    result = SimpleNamespace(runset=SimpleNamespace(stdout_files=[tmp_path / "console.txt"]))
    assert evaluations(result) == expected


@pytest.mark.cmdstan
def test_the_record_of_a_mode_counts_gradients():
    model = LatentSpaceModel(simulate(9, 2, seed=1)[0], 2)

    def gradients(**arguments):
        mode = model.optimize(seed=1, show_progress=False, **arguments)
        return mode.record.details["gradients"]

    one, two = gradients(starts=1, hops=0), gradients(starts=2, hops=0)
    assert 10 < one < two, "ten runs of L-BFGS each"
    assert gradients(starts=1, hops=5) > one
