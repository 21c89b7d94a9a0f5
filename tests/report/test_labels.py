"""Names of nodes: none over another, none outside."""

from itertools import combinations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Annotation

from lsm_stan.report.labels import LONGEST, label_nodes
from lsm_stan.report.plots import Figure


@pytest.mark.parametrize("projection", ["rectilinear", "3d"])
def test_names_do_not_overlap_and_the_first_come_first(projection: str) -> None:
    rng = np.random.default_rng(1)
    places = rng.normal(size=(200, 3 if projection == "3d" else 2))
    places[1] = places[0]
    names = [f"a long name of node {k}" if k % 7 else f"very {'long ' * 9}{k}" for k in range(200)]
    figure = Figure(figsize=(6, 5), layout="constrained")
    axes = figure.add_subplot(projection=projection)
    axes.scatter(*places.T, label="nodes")
    axes.legend()
    labelled = label_nodes(axes, places, names, range(200), 30, fontsize=7)
    assert labelled == sorted(labelled)
    assert 5 < len(labelled) <= 30
    assert not {0, 1} <= set(labelled)
    figure.draw_without_rendering()
    renderer = FigureCanvasAgg(figure).get_renderer()
    texts = [child for child in axes.get_children() if isinstance(child, Annotation)]
    assert len(texts) == len(labelled)
    boxes = [text.get_window_extent(renderer) for text in texts]
    boxes.append(axes.get_legend().get_window_extent(renderer))
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
    assert all(len(text.get_text()) <= LONGEST for text in texts)
    frame = axes.get_window_extent(renderer)
    assert all(frame.contains(box.x0, box.y0) and frame.contains(box.x1, box.y1) for box in boxes)
