"""Figures that judge fits: whatever a table has is drawn."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex

from lsm_stan import simulate
from lsm_stan.criticism.comparison import Comparison
from lsm_stan.criticism.ppc import PredictiveCheck
from lsm_stan.report.diagnostic_plots import (
    plot_convergence,
    plot_distances,
    plot_elbo,
    plot_forest,
    plot_predictive,
)
from lsm_stan.report.plots import PALETTE
from tests.support.made import made_fit, scattered

#: More than the palette has colours.
MANY = [f"fit {number}" for number in range(len(PALETTE) + 1)]


def drawn(panel: Axes) -> dict[str, np.ndarray]:
    """Return the points of a panel's scatters by their labels, ``(P, 2)``."""
    return {str(one.get_label()): np.asarray(one.get_offsets()) for one in panel.collections}


@pytest.mark.parametrize("n_quantities", [3, 12, 25])
def test_every_item_is_drawn_and_the_distances_on_top(n_quantities: int) -> None:
    rng = np.random.default_rng(1)
    names = [*(f"scale {k}" for k in range(n_quantities - 2)), "distance", "rate"]
    items = pd.DataFrame({"quantity": np.repeat(names, 5)})
    items[["rhat", "ess_bulk", "ess_tail"]] = rng.uniform(1, 900, size=(len(items), 3))
    figure = plot_convergence(items)
    for panel, ess in zip(figure.axes, ("ess_bulk", "ess_tail"), strict=True):
        actual = drawn(panel)
        assert set(actual) == set(names)
        for name, rows in items.groupby("quantity"):
            np.testing.assert_array_equal(actual[str(name)], rows[[ess, "rhat"]])
        by_height = sorted(panel.collections, key=lambda one: one.get_zorder())
        assert by_height[-1].get_label() == "distance"
        looks = {
            (to_hex(one.get_facecolor()[0]), one.get_paths()[0].vertices.tobytes())
            for one in panel.collections
        }
        assert len(looks) == min(len(names), 3 * len(PALETTE))
    (listed,) = figure.legends
    assert {text.get_text() for text in listed.get_texts()} == set(names)


def test_every_one_of_many_fits_is_drawn() -> None:
    rng = np.random.default_rng(2)
    table = pd.DataFrame({"statistic": ["share_zero"], "observed": [0.5]})
    nothing = pd.DataFrame()
    checks = {
        name: PredictiveCheck(
            table, pd.DataFrame({"share_zero": rng.random(20)}), nothing, nothing, []
        )
        for name in MANY
    }
    _, labels = plot_predictive(checks).axes[0].get_legend_handles_labels()
    assert set(labels) == set(MANY)
    distances = pd.DataFrame(rng.uniform(1, 2, size=(8, len(MANY) + 1)), columns=["nuts", *MANY])
    for panel in plot_distances(Comparison(nothing, distances, distances, "nuts")).axes:
        assert list(drawn(panel)) == MANY


def test_every_elbo_of_a_trace_is_drawn() -> None:
    trace = [(100, -34498.2), (200, -34089.2), (300, -33987.4)]
    (axis,) = plot_elbo(trace, "gradient").axes
    np.testing.assert_array_equal(axis.lines[0].get_xydata(), trace)
    assert axis.get_xlabel() == "gradient"


def test_a_forest_of_many_fits() -> None:
    network, truth = simulate(6, 2, seed=4)
    positions = truth["z"]
    fit = made_fit(network, scattered(positions, np.random.default_rng(3), 0.1, size=10))
    (axis,) = plot_forest(dict.fromkeys(MANY, fit)).axes
    assert axis.get_legend() is not None
    assert {text.get_text() for text in axis.get_legend().get_texts()} == set(MANY)


def test_labels_of_distances_do_not_overlap_whatever_they_span() -> None:
    """A mode may put two nodes at one place: a distance of 1e-8 would have eight decades."""
    rng = np.random.default_rng(4)
    for smallest in (0.5, 0.01, 1e-8, 0.0):
        distances = pd.DataFrame({"nuts": rng.uniform(1, 2, 20), "map": rng.uniform(1, 2, 20)})
        distances.loc[0, "map"] = smallest
        figure = plot_distances(Comparison(pd.DataFrame(), distances, pd.DataFrame(), "nuts"))
        figure.draw_without_rendering()
        renderer = FigureCanvasAgg(figure).get_renderer()
        panel = figure.axes[0]
        for axis in (panel.xaxis, panel.yaxis):
            low, high = axis.get_view_interval()
            texts = [
                label.get_window_extent(renderer)
                for place, label in zip(
                    axis.get_majorticklocs(), axis.get_ticklabels(), strict=True
                )
                if low <= place <= high
            ]
            assert len(texts) > 1
            assert not any(one.overlaps(other) for one, other in combinations(texts, 2))
