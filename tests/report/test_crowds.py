"""Figures of large networks: a sample of nodes, the strongest among them, and shades of all."""

import json
import re

import numpy as np
import pytest
from matplotlib.collections import PathCollection, PolyCollection

from lsm_stan import Network
from lsm_stan.report import crowds, plots
from lsm_stan.report.crowds import crowd_note, shown_nodes
from lsm_stan.report.interactive import embedding_figure
from tests.support.made import fit_of

N = 300


def ring() -> Network:
    """Return a ring of nodes of which one has a heavy edge, and another is strong."""
    i = np.arange(N)
    edges = np.append(i, [7, *[200] * 30]), np.append((i + 1) % N, [150, *range(30, 60)])
    return Network.from_edges(*edges, np.append(np.ones(N, int), [99, *[5] * 30]), names=range(N))


@pytest.fixture
def crowded(monkeypatch):
    monkeypatch.setattr(crowds, "MANY_NODES", 50)
    monkeypatch.setattr(crowds, "DRAWN_EDGES", 1)
    monkeypatch.setattr(crowds, "STRONGEST", 3)


def test_all_nodes_are_shown_where_they_are_few():
    np.testing.assert_array_equal(shown_nodes(ring()), np.arange(N))
    assert crowd_note(ring()) == ""


def test_of_many_nodes_a_sample_and_the_strongest_are_shown(crowded):
    shown = shown_nodes(ring())
    assert 50 <= len(shown) <= 55
    assert {7, 150, 200} <= set(shown.tolist())
    assert "Of the 300 nodes 50 at random" in crowd_note(ring())


def test_the_page_has_a_bounded_number_of_nodes(crowded):
    rng = np.random.default_rng(1)
    html = embedding_figure(rng.normal(size=(N, 2)), ring(), hollow=rng.random(N) < 0.3)
    figure = json.loads(re.search(r'json">(.*)</script>', html, re.DOTALL)[1])
    ids = [name for trace in figure["data"] for name in trace.get("ids", [])]
    assert set(ids) == {str(node) for node in shown_nodes(ring())}


@pytest.mark.parametrize("dim", [2, 3])
def test_shades_hold_all_nodes(crowded, dim):
    draws = {"z": np.random.default_rng(2).normal(size=(1, 1, N, dim))}
    figure = plots.plot_embedding(fit_of(ring(), draws, "tutorial"))
    shades = [a for a in figure.axes[0].collections if isinstance(a, PolyCollection)]
    assert sum(a.get_array().sum() for a in shades) == N
    points = [a for a in figure.axes[0].collections if isinstance(a, PathCollection)]
    assert sum(len(a.get_offsets()) for a in points) == len(shown_nodes(ring()))


def test_ellipses_are_of_a_sample(monkeypatch):
    monkeypatch.setattr(plots, "ELLIPSES", 20)
    draws = {"z": np.random.default_rng(3).normal(size=(1, 30, N, 2))}
    figure = plots.plot_uncertainty(fit_of(ring(), draws, "tutorial"))
    named = len(plots.PALETTE) * 2
    assert 20 <= len(figure.axes[0].patches) <= 20 + named
