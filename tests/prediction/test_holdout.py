"""Splits of dyads: what they hold out, what they never do, and how often."""

import numpy as np
import pytest

from lsm_stan import InputError, Network, simulate
from lsm_stan.network.pairs import dyad_blocks, nth_dyad, nth_pair, pair_number
from lsm_stan.prediction import holdout
from lsm_stan.prediction.holdout import (
    folds,
    held_share,
    hold_out,
    hold_out_nodes,
    in_words,
    splits,
)
from tests.support.made import partly_hidden


def some_network(directed=True, n_nodes=12, hidden=((0, 1), (3, 2), (4, 5), (5, 4))):
    network, _ = simulate(n_nodes, 2, seed=1, directed=directed)
    return network.hide(*zip(*hidden, strict=True)) if hidden else network


def cells(network, dyads):
    return set(zip(*(ends.tolist() for ends in dyads), strict=True))


def observed(network):
    """All observed dyads, by enumeration."""
    n = network.n_nodes
    hidden = cells(network, (network.hidden_sender, network.hidden_receiver))
    return {
        (i, j)
        for i in range(n)
        for j in range(n)
        if (i != j if network.directed else i < j) and (i, j) not in hidden
    }


def test_numbers_of_dyads_and_pairs_are_theirs_alone():
    n = 7
    assert cells(None, nth_dyad(np.arange(42), n)) == {
        (i, j) for i in range(n) for j in range(n) if i != j
    }
    one, other = nth_pair(np.arange(21))
    assert cells(None, (one, other)) == {(i, j) for j in range(n) for i in range(j)}
    np.testing.assert_array_equal(pair_number(other, one), np.arange(21))


def test_pairs_of_very_large_networks_are_numbered_exactly():
    j = np.array([10**6, 2 * 10**6])
    for i in (np.zeros(2, dtype=int), j - 1):
        one, other = nth_pair(pair_number(i, j))
        np.testing.assert_array_equal([one, other], [i, j])


@pytest.mark.parametrize("directed", [True, False])
@pytest.mark.parametrize("size", [1, 30, 10**6])
def test_blocks_walk_through_all_dyads_in_order(directed, size):
    network = some_network(directed, hidden=())
    blocks = list(dyad_blocks(network, size))
    sender, receiver = (np.concatenate(ends) for ends in zip(*blocks, strict=True))
    assert cells(network, (sender, receiver)) == observed(network)
    assert np.all(np.diff(sender * network.n_nodes + receiver) > 0)


@pytest.mark.parametrize("directed", [True, False])
@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("draw", [hold_out, hold_out_nodes])
def test_what_is_held_out_was_observed(directed, together, draw):
    network = some_network(directed)
    held_out = draw(network, 0.3, seed=4, together=together)
    chosen = cells(network, held_out)
    assert len(chosen) == len(held_out[0])
    assert chosen < observed(network)
    again = draw(network, 0.3, seed=4, together=together)
    np.testing.assert_array_equal(held_out, again)
    assert cells(network, draw(network, 0.3, seed=5, together=together)) != chosen
    train = network.hide(*held_out)
    assert train.n_hidden == network.n_hidden + len(chosen)
    np.testing.assert_array_equal(train.weight_of(*held_out), -1)
    if together and directed:  # the other direction is held out too, or was not observed
        assert all((j, i) in chosen or (j, i) not in observed(network) for i, j in chosen)


def test_the_share_is_that_of_pairs_or_of_single_dyads():
    network = some_network(hidden=())
    assert len(hold_out(network, 0.25, seed=1, together=False)[0]) == round(0.25 * 132)
    assert len(hold_out(network, 0.25, seed=1)[0]) == 2 * round(0.25 * 66)
    undirected = some_network(directed=False, hidden=())
    for together in (True, False):
        assert len(hold_out(undirected, 0.25, seed=1, together=together)[0]) == round(0.25 * 66)


def test_every_observed_dyad_is_held_out_equally_often():
    network = some_network(n_nodes=6, hidden=((0, 1), (3, 2)))
    times = dict.fromkeys(observed(network), 0)
    n_splits = 600
    for held_out in splits(network, n_splits, seed=0, share=0.25, together=False):
        for dyad in cells(network, held_out):
            times[dyad] += 1
    share = 7 / 28
    error = np.sqrt(n_splits * share * (1 - share))
    assert np.abs(np.array(list(times.values())) - n_splits * share).max() < 4 * error


@pytest.mark.parametrize("directed", [True, False])
@pytest.mark.parametrize("together", [True, False])
def test_folds_are_disjoint_and_cover_what_was_observed(directed, together):
    network = some_network(directed)
    parts = [cells(network, fold) for fold in folds(network, 4, seed=2, together=together)]
    assert len(parts) == 4
    assert sum(map(len, parts)) == len(observed(network))
    assert set.union(*parts) == observed(network)
    if together and directed:
        assert all((j, i) in part for part in parts for i, j in part if (j, i) in observed(network))


def test_dyads_of_few_nodes_are_held_out():
    network = some_network(n_nodes=30, hidden=())
    sender, receiver = hold_out_nodes(network, 0.5, seed=3)
    # 3 nodes of 30 touch every dyad; of their 84 pairs (3 * 29 - 3) half are held out
    assert len(sender) == 2 * 42
    times = np.bincount(np.concatenate([sender, receiver]), minlength=30)
    core = np.argsort(times)[-3:]
    assert np.all(np.isin(sender, core) | np.isin(receiver, core))


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5, 1e-9, float("nan")])
def test_a_share_that_holds_nothing_out_or_all(share):
    with pytest.raises(InputError, match=r"share is .*between 0 and 1"):
        hold_out(some_network(), share, seed=1)


def test_splits_that_make_no_sense():
    network = some_network()
    with pytest.raises(InputError, match="no scheme 'leave-one-out'; there are random, folds"):
        list(splits(network, 2, seed=1, scheme="leave-one-out"))
    with pytest.raises(InputError, match="0 splits"):
        list(splits(network, 0, seed=1))
    for number in (1, 67):
        with pytest.raises(InputError, match=rf"{number} folds .* 2 to 65, the number of pairs"):
            folds(network, number, seed=1)


def test_no_array_of_all_dyads_is_needed():
    n = 300_000  # 9e10 dyads
    network = Network(tuple(map(str, range(n))), [0], [1], [1], directed=True)
    sender, receiver = hold_out(network, 1e-7, seed=1, together=False)
    assert len(sender) == round(1e-7 * n * (n - 1))
    assert np.all(sender != receiver)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (
            {},
            "10% of the pairs of nodes, both directions together, 5 times at random (seeds 3 to 7)",
        ),
        (
            {"together": False, "number": 1},
            "10% of the single ordered dyads, once at random (seed 3)",
        ),
        ({"directed": False}, "10% of the pairs of nodes, 5 times"),
        ({"scheme": "folds"}, "5 disjoint folds of the pairs of nodes"),
        ({"scheme": "nodes"}, "together that touch a tenth of the nodes, 5 times"),
    ],
)
def test_a_scheme_in_words(asked, words):
    usual = {"scheme": "random", "share": 0.1, "together": True, "directed": True, "number": 5}
    assert words in in_words(**{**usual, **asked}, seed=3)


@pytest.fixture
def small_limits(monkeypatch):
    monkeypatch.setattr(holdout, "MOST_HELD_OUT", 10)
    monkeypatch.setattr(holdout, "MOST_FOLDED", 100)


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("scheme", ["random", "nodes"])
def test_of_large_networks_a_sample_is_held_out(scheme, together, small_limits):
    """Observed dyads, none twice, as many as are allowed; each as likely as the others."""
    network = partly_hidden(Network.from_matrix(np.zeros((40, 40), dtype=int)), 1, 0.1)
    times = np.zeros((40, 40), dtype=int)
    for sender, receiver in splits(network, 300, seed=1, scheme=scheme, together=together):
        assert (network.weight_of(sender, receiver) == 0).all()
        units = np.unique(pair_number(sender, receiver)) if together else sender * 40 + receiver
        assert len(units) == len(np.unique(units)) == 10
        np.add.at(times, (sender, receiver), 1)
        if scheme == "nodes":
            touched = np.bincount(np.append(sender, receiver), minlength=40)
            assert np.sort(touched)[-4:].sum() >= len(sender)
    i, j = np.nonzero(network.weight_of(*np.indices((40, 40)).reshape(2, -1)).reshape(40, 40) == 0)
    off = i != j
    counts = times[i[off], j[off]]
    assert abs(counts[: len(counts) // 2].mean() / counts.mean() - 1) < 0.15


def test_what_a_large_network_holds_out_is_said(small_limits):
    network = Network.from_matrix(np.zeros((400, 400), dtype=int))
    share = held_share(network, 0.1, together=True)
    assert share == pytest.approx(10 / (400 * 399 / 2))
    words = in_words(1, seed=1, scheme="random", share=share, together=True, directed=True)
    assert words.startswith("0.013% of the pairs")
    with pytest.raises(InputError, match=r"there are 79,800; .* take scheme random"):
        folds(network, 5, seed=1)
