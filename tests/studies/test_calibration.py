"""The calibration itself is calibrated: exact posteriors pass, wrong ones do not."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from lsm_stan.cmdstan.find import Toolchain
from lsm_stan.model.family import MODELS
from studies import calibration
from studies.calibration import calibrate
from studies.calibration_study import COVERAGE, QUICK, Study
from studies.calibration_tables import coverage_table, fit_table
from studies.ranks import band, coverage, covered, deviation, rank, share_inside
from studies.simulations import read_kept

DRAWS = 19

#: Of 300 ranks, by ``ecdf_confidence_band`` of ArviZ 0.23, method "optimized".
ARVIZ_BAND = (
    [6, 17, 29, 42, 55, 69, 83, 97, 112, 126, 141, 157, 172, 188, 204, 220, 237, 255, 274],
    [26, 45, 63, 80, 96, 112, 128, 143, 159, 174, 188, 203, 217, 231, 245, 258, 271, 283, 294],
)


def normal_ranks(*shape: int, spread: float = 1.0, seed: int = 1) -> np.ndarray:
    """Rank means with a N(0, 1) prior of one N(mean, 1) observation among posterior draws.

    The posterior is N(y / 2, 1 / 2), whose standard deviation is made ``spread`` times as large.
    """
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=shape)
    y = truth + rng.normal(size=shape)
    draws = y / 2 + spread * np.sqrt(0.5) * rng.normal(size=(DRAWS, *shape))
    return rank(np.concatenate([truth[None], draws]))


def test_ranks_are_numbers_of_draws_below_the_truth() -> None:
    values = np.array([[2.5, 0.0], [1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])
    np.testing.assert_array_equal(rank(values), [2, 0])


def test_what_is_not_a_number_has_no_rank() -> None:
    with pytest.raises(ValueError, match="not a number"):
        rank(np.array([1.0, np.nan]))


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_intervals_hold_their_share_of_uniform_ranks(share: float) -> None:
    inside = covered(np.arange(DRAWS + 1), DRAWS, share)
    assert inside.mean() == share
    np.testing.assert_array_equal(inside, inside[::-1])


def test_ranks_of_exact_posteriors_are_uniform() -> None:
    ranks = normal_ranks(20_000)
    assert stats.chisquare(np.bincount(ranks, minlength=DRAWS + 1)).pvalue > 1e-3


def test_the_band_holds_uniform_ranks_in_95_per_cent_of_cases() -> None:
    outside = sum(deviation(ranks, DRAWS) > 1 for ranks in normal_ranks(1000, 100))
    assert stats.binomtest(outside, 1000, 0.05).pvalue > 1e-3


@pytest.mark.parametrize("simulations", [20, 100, 1000])
def test_the_probability_of_staying_inside_a_band_is_that_of_simulations(simulations) -> None:
    below, above = (np.rint(simulations * edge).astype(int) for edge in band(simulations, DRAWS))
    rng = np.random.default_rng(5)
    counts = rng.multinomial(simulations, np.full(DRAWS + 1, 1 / (DRAWS + 1)), size=20_000)
    paths = counts.cumsum(axis=1)[:, :-1]
    inside = ((paths >= below) & (paths <= above)).all(axis=1).sum()
    probability = share_inside(below, above, simulations)
    assert probability >= 0.95
    assert stats.binomtest(int(inside), 20_000, probability).pvalue > 1e-3


def test_a_band_of_one_point_is_the_binomial_interval() -> None:
    below, above = band(50, 1)
    low, high = stats.binom.interval(0.95, 50, 0.5)
    np.testing.assert_allclose([below[0], above[0]], [low / 50, high / 50])


def test_the_band_is_that_of_arviz_within_one_rank() -> None:
    """ArviZ comes as near to 95 % as it can, we do not go below."""
    below, above = band(300, DRAWS)
    np.testing.assert_allclose(300 * below, ARVIZ_BAND[0], atol=1.01)
    np.testing.assert_allclose(300 * above, ARVIZ_BAND[1], atol=1.01)


@pytest.mark.parametrize("spread", [0.6, 1.6])
def test_too_narrow_and_too_wide_posteriors_are_found(spread: float) -> None:
    ranks = normal_ranks(300, spread=spread)
    assert deviation(ranks, DRAWS) > 1
    actual, error = coverage(list(ranks[:, None]), DRAWS, 0.5)
    assert np.sign(actual - 0.5) == np.sign(spread - 1)
    assert abs(actual - 0.5) > 3 * error


def test_coverage_of_exact_posteriors_is_nominal_within_its_error() -> None:
    for share in (0.5, 0.9):
        actual, error = coverage(list(normal_ranks(4000, 5)), DRAWS, share)
        assert abs(actual - share) < 3 * error
        assert error == pytest.approx(np.sqrt(share * (1 - share) / 20_000), rel=0.1)


def test_the_error_of_coverage_is_over_simulations() -> None:
    ranks = np.repeat(normal_ranks(2000, 1), 50, axis=1)  # one quantity, fifty times
    _, error = coverage(list(ranks), DRAWS, 0.5)
    assert error == pytest.approx(np.sqrt(0.25 / 2000), rel=0.05)


def test_few_quantities_that_are_all_covered_are_no_finding() -> None:
    actual, error = coverage([np.array([10])] * 20, DRAWS, 0.9)
    assert actual == 1
    assert error == pytest.approx(np.sqrt(0.09 / 20))


def test_the_table_flags_the_model_whose_posterior_is_too_narrow() -> None:
    results = {}
    for seed, (name, spread) in enumerate({"tutorial": 1.0, "nb-squared": 0.5}.items()):
        ranks = normal_ranks(200, 30, spread=spread, seed=seed)
        study = Study(name, nodes=6, dim=2, warmup=1, draws=DRAWS, thin=1)
        calm = {"divergences": 0, "saturated": 0.0, "ess": 100.0}
        results[study] = [{**calm, "ranks": {"log_mean": row.tolist()}} for row in ranks]
    results[study].append({"error": "no weights"})  # has no ranks
    table = coverage_table(results).set_index("model")
    assert not table.loc["tutorial", "flagged"]
    assert table.loc["nb-squared", "flagged"]
    assert table.loc["nb-squared", "covered_90"] < 0.8
    assert table.loc["nb-squared", "simulations"] == 200


def test_fits_with_trouble_count_and_stuck_ones_are_told_apart() -> None:
    study = Study("tutorial", nodes=6, dim=2, warmup=1, draws=DRAWS, thin=1)
    calm = {"ranks": {"log_mean": [10]}, "divergences": 0, "saturated": 0.0, "ess": 100.0}
    stuck = {**calm, "ranks": {"log_mean": [0]}, "saturated": 0.9}
    results = {study: [calm, {**calm, "divergences": 1}, {**calm, "ess": 3.0}, stuck]}
    table = coverage_table(results).set_index("model")
    assert table.loc["all", "covered_90"] == 0.75
    assert table.loc["all but stuck", "covered_90"] == 1
    counts = fit_table(results).loc[0]
    assert counts[["divergent", "slow", "stuck", "any", "failed"]].tolist() == [1, 1, 1, 3, 0]


def test_every_model_is_covered() -> None:
    assert [study.label for study in COVERAGE][: len(MODELS)] == list(MODELS)
    assert len({study.label for study in COVERAGE}) == len(COVERAGE)


@pytest.mark.slow
@pytest.mark.cmdstan
def test_a_calibration_goes_on_where_it_stopped(
    toolchain: Toolchain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    studies = QUICK
    calibrate(tmp_path, 2, studies, studies, simulations=(3, 3))
    kept = {study: read_kept(tmp_path / calibration.KEPT / study.file) for study in studies}
    assert [sorted(records) for records in kept.values()] == [[0, 1, 2]] * 2
    ranks = kept[studies[1]][0]["ranks"]
    assert ranks.keys() >= {"log_joint", "phi", "rho", "sigma_z", "log_mean", "sender_effect"}
    assert len(ranks["log_mean"]) == 5 * 4

    (tmp_path / calibration.KEPT / studies[0].file).unlink()
    done: list[str] = []
    simulation = calibration.simulation

    def counted(study: Study, *others: object) -> calibration.Record:
        done.append(study.model)
        return simulation(study, *others)

    monkeypatch.setattr(calibration, "simulation", counted)
    calibrate(tmp_path, 2, studies, studies, simulations=(3, 3))
    assert done == ["tutorial"] * 3
    again = read_kept(tmp_path / calibration.KEPT / studies[0].file)
    assert {k: r["ranks"] for k, r in again.items()} == {
        k: r["ranks"] for k, r in kept[studies[0]].items()
    }
