r"""Sums of a function of distance over all other nodes, without a visit to every pair.

For e^-d² and e^-d by their spectra: charges are spread to plane waves by a non-uniform fast Fourier
transform, multiplied by the spectrum of the function, and read where the nodes are (Greengard and
Lee, SIAM Review 46, 2004). For 1/d in three dimensions by the fast multipole method. Both come from
libraries: FINUFFT (Barnett, Magland and af Klinteberg, SIAM J. Sci. Comput. 41, 2019) and FMM3D.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
from scipy.special import kv

from lsm_stan.errors import InferenceError, InputError
from lsm_stan.model.family import ModelSpec
from lsm_stan.typing import FloatArray

#: Most plane waves, and most dimensions in which there are few enough.
MAX_WAVES, MAX_DIM = 2_500_000, 3

#: Smallest precision that the libraries are asked for.
FINEST = 1e-10

#: Returns what all others' charges give at each node, by the charges of ``(C, N)``, and its slope.
Sums = Callable[[FloatArray], tuple[FloatArray, FloatArray]]


def check_sums(spec: ModelSpec, dim: int) -> None:
    """Refuse forms and dimensions that there are no fast sums of, and libraries that are missing.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    dim : int
        K, the number of dimensions.

    Raises
    ------
    InputError
        If there are none.
    """
    if spec.form == "inner" or (spec.form == "inverse" and dim != 3) or dim > MAX_DIM:
        raise InputError(
            f"sum is 'approximate', which there is for the forms squared and exponential with K = 1"
            f" to {MAX_DIM}, and for inverse with K = 3; model {spec.label!r} with K = {dim} has"
            " sum = 'exact' only"
        )
    _library(spec)


def kernel_sums(
    spec: ModelSpec, power: int, points: FloatArray, precision: float, threads: int = 1
) -> Sums:
    """Return what sums a power of a model's function of distance over all other nodes.

    Parameters
    ----------
    spec : ModelSpec
        The model, as :func:`check_sums` passes it.
    power : int
        The power of f, from 1.
    points : ndarray of shape (N, K)
        Positions.
    precision : float
        Relative error that is aimed at.
    threads : int, default 1
        How many threads the library may use.

    Returns
    -------
    callable
        It takes charges ``(C, N)``; C is 1 or 2. It returns the sums over j other than i of
        ``charge_j f(d_ij)**power``, ``(C, N)``, and their gradients in ``z_i``, ``(C, N, K)``.
    """
    precision = max(precision, FINEST)
    if spec.form == "inverse":
        return _multipole(points, precision)
    return _fourier(spec, power, points, precision, threads)


def _library(spec: ModelSpec) -> Any:
    name = "fmm3dpy" if spec.form == "inverse" else "finufft"
    try:
        return import_module(name)
    except ImportError as error:
        raise InputError(
            f"sum = 'approximate' needs {name} ({error}); pip install 'lsm-stan[large]'"
        ) from error


def _multipole(points: FloatArray, precision: float) -> Sums:
    fmm = import_module("fmm3dpy")
    sources = np.asfortranarray(points.T)
    # some of its versions have 1 / (4 π d), others 1 / d
    apart = np.asfortranarray([[0.0, 1.0], [0.0, 0.0], [0.0, 0.0]])
    unit = float(fmm.lfmm3d(eps=precision, sources=apart, charges=np.ones(2), pg=1).pot[0])

    def sums(charges: FloatArray) -> tuple[FloatArray, FloatArray]:
        results = [
            fmm.lfmm3d(eps=precision, sources=sources, charges=each, pg=2) for each in charges
        ]
        value = np.stack([result.pot for result in results]) / unit
        return value, np.stack([result.grad.T for result in results]) / unit

    return sums


def _fourier(
    spec: ModelSpec, power: int, points: FloatArray, precision: float, threads: int
) -> Sums:
    nufft = import_module("finufft")
    dim = points.shape[1]
    low, high = points.min(axis=0), points.max(axis=0)
    reach = math.log(1 / precision) / power  # of log f
    around = math.sqrt(reach) if spec.form == "squared" else reach
    period = high - low + around
    highest = _highest(spec, power, precision)
    wanted = np.ceil(highest * period / np.pi).astype(int)
    most = int(MAX_WAVES ** (1 / dim))
    if spec.form == "squared" and (wanted > most).any():
        raise InferenceError(
            f"positions span {float((high - low).max()):.3g} units, too many for an approximate sum"
            f" in {dim} dimensions; take sum = 'exact'"
        )
    counts = tuple(int(count) + int(count) % 2 for count in np.minimum(wanted, most))
    waves = np.meshgrid(
        *(
            2 * np.pi / length * np.arange(-(count // 2), count // 2)
            for count, length in zip(counts, period, strict=True)
        ),
        indexing="ij",
        sparse=True,
    )
    squared = np.asarray(sum(wave**2 for wave in waves))
    spectrum = _spectrum(spec, power, squared, dim) / np.prod(period)
    angles = [
        np.ascontiguousarray(column)
        for column in ((points - (low + high) / 2) * (2 * np.pi / period)).T
    ]
    spread = getattr(nufft, f"nufft{dim}d1")
    read = getattr(nufft, f"nufft{dim}d2")
    at_zero = math.exp(-power * spec.softening)
    options: dict[str, Any] = {"eps": precision, "nthreads": threads}

    def sums(charges: FloatArray) -> tuple[FloatArray, FloatArray]:
        # two real sets in one complex: f is real and even; each of the same size, or the error of
        # the larger would be in the smaller
        unit = np.sqrt(np.mean(charges**2, axis=1))
        unit[unit == 0] = 1.0
        packed = (charges[0] / unit[0]).astype(complex)
        if len(charges) > 1:
            packed += 1j * (charges[1] / unit[1])
        modes = spread(*angles, packed, counts, isign=-1, **options) * spectrum
        value, slope = np.empty_like(charges), np.empty((*charges.shape, dim))
        for axis, wave in enumerate((None, *waves)):
            each = modes if wave is None else 1j * wave * modes
            result = read(*angles, np.ascontiguousarray(each), isign=1, **options)
            for part, real in enumerate((result.real, result.imag)[: len(charges)]):
                if wave is None:
                    value[part] = unit[part] * real
                else:
                    slope[part, :, axis - 1] = unit[part] * real
        return value - at_zero * charges, slope

    return sums


def _highest(spec: ModelSpec, power: int, precision: float) -> float:
    """Return the highest frequency that a function's spectrum has any to speak of."""
    decay = math.log(1 / precision)
    if spec.form == "squared":
        return 2 * math.sqrt(power * decay)
    return math.hypot(power, decay / spec.softening)


def _spectrum(spec: ModelSpec, power: int, squared: FloatArray, dim: int) -> FloatArray:
    """Return the Fourier transform of a power of f at squared frequencies.

    e^(-a sqrt(d² + ε²)) is a mixture of Gaussians, whose transforms add up to a Bessel function.
    """
    if spec.form == "squared":
        return np.asarray((math.pi / power) ** (dim / 2) * np.exp(-squared / (4 * power)))
    epsilon, order = spec.softening, (dim + 1) / 2
    root = np.sqrt(power**2 + squared)
    return np.asarray(
        power
        * math.pi ** ((dim - 1) / 2)
        * (root / (2 * epsilon)) ** -order
        * kv(order, epsilon * root)
    )
