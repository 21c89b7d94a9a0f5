"""What a fit will cost is a range from gradients of this network, and is said before a long run."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from lsm_stan import InputError, LatentSpaceModel, simulate
from lsm_stan.cli import app
from lsm_stan.inference import plan as planning
from lsm_stan.inference.methods import METHODS
from lsm_stan.inference.mode_checks import MAX_CURVATURE_SIZE
from lsm_stan.inference.plan import GRADIENTS, Estimate, Plan, plan, warn_if_long
from lsm_stan.text import duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.123, "0.12 s"), (89, "89 s"), (150, "2.5 min"), (9000, "2.5 h"), (864_000, "10 days")],
)
def test_times_have_their_usual_unit(seconds, text):
    assert duration(seconds) == text


def made_plan(**seconds: tuple[float, float]) -> Plan:
    estimates = [Estimate(name, seconds.get(name, (1.0, 5.0)), (0.3, 0.5)) for name in METHODS]
    estimates.sort(key=lambda estimate: estimate.method not in seconds)
    return Plan(100, 300, 200, 0.002, 4, 1, estimates)


@pytest.mark.parametrize(
    ("method", "arguments", "words"),
    [
        ("nuts", {}, ["NUTS will take about 20 min to 3 h", "method ", "--threads 4"]),
        ("map", {"starts": 3}, ["MAP will take", "--starts 1"]),
    ],
)
def test_a_long_run_is_said_before_with_a_way_out(method, arguments, words, monkeypatch):
    monkeypatch.setattr(planning, "plan", lambda *_: made_plan(**{method: (1200.0, 10_800.0)}))
    said: list[str] = []
    warn_if_long(None, method, arguments, said.append)
    assert len(said) == 1
    assert all(word in said[0] for word in [*words, "a gradient of 2 ms", "Ctrl-C"])


def test_an_approximate_sum_is_not_warned_of_as_the_exact_one(monkeypatch):
    exact, said = (1200.0, 10_800.0), []
    for seconds in ((20.0, 590.0), (100.0, 700.0)):
        planned = made_plan(map=exact)
        approximate = Estimate(planning.APPROXIMATE, seconds, (0.3, 0.5))
        made = Plan(100, 300, 200, 0.002, 4, 1, [*planned.estimates, approximate])
        monkeypatch.setattr(planning, "plan", lambda *_, made=made: made)
        warn_if_long(None, "map", {"sum": "approximate", "starts": 1}, said.append)
    [sentence] = said
    assert sentence.startswith("MAP will take about 1.7 min to 12 min")
    assert "method map" not in sentence
    warn_if_long(None, "map", {"starts": 1}, said.append)
    assert "method map --sum approximate takes 1.7 min to 12 min" in said[1]


def test_nothing_is_said_of_a_short_run(monkeypatch):
    monkeypatch.setattr(planning, "plan", lambda *_: made_plan(nuts=(20.0, 590.0)))
    said: list[str] = []
    warn_if_long(None, "nuts", {}, said.append)
    assert said == []


@pytest.fixture(scope="module")
def model() -> LatentSpaceModel:
    return LatentSpaceModel(simulate(30, 2, seed=1)[0], 2)


@pytest.mark.cmdstan
def test_estimates_are_in_proportion_to_what_is_asked_for(model, monkeypatch):
    monkeypatch.setattr(planning, "cores", lambda: 2)
    asked = {"chains": 2, "iter_warmup": 100, "iter_sampling": 100, "init": "random"}
    few = plan(model, {"nuts": asked})
    many = plan(model, {"nuts": asked | {"chains": 8, "iter_sampling": 400}})
    assert few.parameters == 60
    for planned, iterations in ((few, 200), (many, 4 * 500)):
        (estimate,) = planned.estimates
        gradients = np.array(GRADIENTS["nuts"]) * iterations
        expected = planned.gradient_seconds * gradients + planning.BESIDE
        np.testing.assert_allclose(estimate.seconds, expected)
    assert many.estimates[0].gigabytes > few.estimates[0].gigabytes


@pytest.mark.cmdstan
def test_every_method_has_an_estimate_or_an_obstacle(model, monkeypatch):
    table = plan(model).as_table()
    assert table["method"].tolist() == list(METHODS) == list(GRADIENTS)
    assert (table["seconds_low"] < table["seconds_high"]).all()
    assert (table["gigabytes_low"] < table["gigabytes_high"]).all()
    assert not table["obstacle"].any()
    monkeypatch.setattr(planning, "MAX_CURVATURE_SIZE", 50)
    obstacles = plan(model).as_table().set_index("method")["obstacle"]
    assert obstacles["laplace"] == "needs the Hessian of 60 parameters; 50 is most"
    assert MAX_CURVATURE_SIZE > 50
    with pytest.raises(InputError, match="no method"):
        plan(model, {"guess": {}})


@pytest.mark.cmdstan
def test_the_command_prints_a_table_or_json():
    said = CliRunner().invoke(app, ["plan", "celegans", "--dim", "2"])
    assert said.exit_code == 0
    assert all(name in said.stdout for name in METHODS)
    said = CliRunner().invoke(app, ["plan", "celegans", "--method", "vi", "--json"])
    (estimate,) = json.loads(said.stdout)["estimates"]
    assert estimate["method"] == "vi"
    refused = CliRunner().invoke(app, ["plan", "celegans", "--set", "chains=2"])
    assert isinstance(refused.exception, InputError)


@pytest.mark.cmdstan
def test_a_large_network_has_an_approximate_sum_if_there_is_one(monkeypatch):
    monkeypatch.setattr(planning, "LARGE", 30)
    network = simulate(30, 2, seed=1)[0]
    last = {
        name: plan(LatentSpaceModel(network, 2, model=name), {"map": {"starts": 1}}).estimates[-1]
        for name in ("poisson-squared", "tutorial")
    }
    assert last["tutorial"].method == "map"  # 1/d has one for K = 3 alone
    assert last["poisson-squared"].method == planning.APPROXIMATE
    assert 0 < last["poisson-squared"].seconds[0] < last["poisson-squared"].seconds[1]
