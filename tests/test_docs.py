"""The code of docs/arviz.md runs as it stands, under the ArviZ that is installed."""

import re
from pathlib import Path
from typing import Any

import arviz as az
import matplotlib.pyplot as plt
import numpy as np
import pytest

from lsm_stan.cmdstan.find import Toolchain

PAGE = Path(__file__).parent.parent / "docs" / "arviz.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
OTHER = "# ArviZ 1\n" if hasattr(az, "waic") else "# before ArviZ 1\n"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Estimated shape parameter of Pareto:UserWarning")  # as it says
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # ArviZ 0.23 on pandas 3, Matplotlib 3.11
def test_the_page_on_arviz_runs(toolchain: Toolchain) -> None:
    names: dict[str, Any] = {}
    here = [block for block in BLOCKS if not block.startswith(OTHER)]
    assert len(here) < len(BLOCKS)
    for block in here:
        exec(compile(block, str(PAGE), "exec"), names)
        plt.close("all")
    ours, theirs = names["ours"], names["theirs"]
    elpd = theirs.elpd_loo if hasattr(theirs, "elpd_loo") else theirs.elpd
    assert ours.elpd == pytest.approx(elpd, abs=1e-8)
    network = names["network"]
    assert np.asarray(names["pit"] if hasattr(az, "waic") else names["pit"]["weight"]).shape == (
        network.n_observed,
    )
