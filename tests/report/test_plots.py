"""Colours of groups: told apart by people without one kind of cone, too."""

from itertools import combinations

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from lsm_stan.report.plots import PALETTE, UNKNOWN_COLOUR

#: Machado, Oliveira & Fernandes (IEEE TVCG 15, 2009), severity 1, on linear RGB.
CONES = {
    "all": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
}

#: From linear sRGB to XYZ, and the white of D65.
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def lab(colour: str, cones: np.ndarray) -> np.ndarray:
    """Return CIELAB coordinates of a colour as it is seen."""
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = TO_XYZ @ np.clip(cones @ linear, 0, 1) / TO_XYZ.sum(axis=1)
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("cones", CONES)
def test_colours_of_groups_are_told_apart(cones: str) -> None:
    seen = [lab(colour, CONES[cones]) for colour in (*PALETTE, UNKNOWN_COLOUR)]
    differences = [float(np.linalg.norm(a - b)) for a, b in combinations(seen, 2)]
    assert min(differences) > 10, "some four times what can just be seen"


def test_the_measure_finds_red_and_green_alike_where_they_are() -> None:
    red, green = (lab(colour, CONES["deuteranopia"]) for colour in ("#d62728", "#2ca02c"))
    assert np.linalg.norm(red - green) < 10
