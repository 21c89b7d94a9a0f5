"""The versions and the machine that results depend on."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from lsm_stan.cmdstan.install import ensure_toolchain
from lsm_stan.cmdstan.versions import versions

#: Libraries of the ``bench`` extra.
RIVALS = ("jax", "jaxlib", "pymc", "pytensor", "numba")


def describe() -> dict[str, str]:
    """Return what the results were measured on and with."""
    described = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "system": f"{platform.system()} {platform.machine()}",
        "CPU": f"{_cpu_model()}, {os.cpu_count()} cores",
        "widest vectors": _vectors(),
        "memory": f"{psutil.virtual_memory().total / 1e9:.0f} GB",
        "load before": f"{os.getloadavg()[0]:.1f}",
        **versions(ensure_toolchain()),
    }
    for package in RIVALS:
        try:
            described[package] = version(package)
        except PackageNotFoundError:
            described[package] = "not installed"
    return described


def _cpuinfo(field: str) -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(field)), "")


def _cpu_model() -> str:
    numbers = [_cpuinfo(field) for field in ("cpu family", "model\t", "stepping")]
    known = f" (family {numbers[0]}, model {numbers[1]}, stepping {numbers[2]})"
    return (_cpuinfo("model name") or platform.processor()) + (known if all(numbers) else "")


def _vectors() -> str:
    flags = _cpuinfo("flags").split()
    return next((name for name in ("avx512f", "avx2", "avx", "sse2") if name in flags), "unknown")
