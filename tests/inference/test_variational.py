"""What ADVI's console says, and what its draws say beside its start."""

import numpy as np
import pytest

from lsm_stan.inference.variational import drop_check, elbo_check, elbo_trace

CONSOLE = """Success! Found best value [eta = 0.1].

Begin stochastic gradient ascent.
  iter             ELBO   delta_ELBO_mean   delta_ELBO_med   notes
   100       -34498.214             1.000            1.000
   200       -34089.213             0.500            1.000
   300       -33987.424             0.333            0.000   MEDIAN ELBO CONVERGED

Drawing a sample of size 1000 from the approximate posterior...
"""


def test_the_trace_is_what_was_printed():
    assert elbo_trace(CONSOLE) == [(100, -34498.214), (200, -34089.213), (300, -33987.424)]
    assert elbo_trace("COMPLETED.") == []


def test_an_early_stop_is_said():
    check = elbo_check(CONSOLE)
    assert check.passed
    assert "the last 100 still gained 102 nats: a smaller tol_rel_obj goes on" in check.message
    settled = elbo_check(CONSOLE.replace("-34089.213", "-33989.213"))
    assert settled.message == "ELBO converged by Stan's own rule after 300 iterations"


def test_no_convergence_fails():
    check = elbo_check(CONSOLE.replace("MEDIAN ELBO CONVERGED", ""))
    assert not check.passed
    assert "raise iter" in check.message


@pytest.mark.parametrize(("start", "passed"), [(-10.0, True), (70.0, False), (-100.0, True)])
def test_a_drop_is_judged_by_the_number_of_parameters(start, passed):
    check = drop_check(np.array([-30.0, -50.0]), start, n_parameters=10)
    assert check.passed is passed
    assert ("above the start" in check.message) == (start == -100.0)
