"""What ADVI's console says, and what its draws say beside its start."""

import re

import numpy as np
import pytest

from lsm_stan.inference.variational import (
    drop_check,
    elbo_check,
    elbo_trace,
    gradients_taken,
)

CONSOLE = """method = variational
  variational
    algorithm = meanfield (Default)
      meanfield
    iter = 1050
    grad_samples = 2
    elbo_samples = 100 (Default)
    eta = 1 (Default)
    adapt
      engaged = 1 (Default)
      iter = 50 (Default)

Begin eta adaptation.
Iteration:   1 / 250 [  0%]  (Adaptation)
Iteration:  50 / 250 [ 20%]  (Adaptation)
Iteration: 100 / 250 [ 40%]  (Adaptation)
Success! Found best value [eta = 0.1].

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


def test_its_gradients_are_those_of_all_iterations_the_search_for_a_step_included():
    assert gradients_taken(CONSOLE) == 2 * (100 + 300)
    unfinished = CONSOLE.replace("MEDIAN ELBO CONVERGED", "")
    assert gradients_taken(unfinished) == 2 * (100 + 1050)
    given_step = re.sub("Iteration.*\n", "", CONSOLE)
    assert gradients_taken(given_step) == 2 * 300


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
