"""Names of nodes in a figure, none over another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patheffects import withStroke
from matplotlib.transforms import Bbox
from mpl_toolkits.mplot3d import Axes3D, proj3d

from lsm_stan.typing import FloatArray

#: Longer names are cut to this many letters.
LONGEST = 24

#: Room between two names, in pixels; and what sets a name off from the lines behind it.
GAP, HALO = 1.5, withStroke(linewidth=1.6, foreground="white")


def label_nodes(
    axes: Axes,
    places: FloatArray,
    names: Sequence[str],
    order: Iterable[int],
    most: int,
    **style: Any,
) -> list[int]:
    """Write names beside nodes, those first that come first, where there is room.

    Parameters
    ----------
    axes : Axes
        Flat ones, or those of a figure in three dimensions; everything else is in them already.
    places : ndarray of shape (N, D)
        The nodes' places, of as many dimensions as the axes.
    names : sequence of str
        Their names.
    order : iterable of int
        Nodes, those first that are to have their names first.
    most : int
        How many names at most.
    **style : Any
        How the text is set; ``colours``, a colour by node, where they differ.

    Returns
    -------
    list of int
        The nodes whose names are there.
    """
    figure = axes.figure.canvas.figure  # whole, where the axes are in a part of it
    figure.draw_without_rendering()  # settles where the axes are
    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
    colours = style.pop("colours", None)
    frame = axes.get_window_extent(renderer)
    legend = axes.get_legend()
    taken: list[Bbox] = [] if legend is None else [legend.get_window_extent(renderer)]
    labelled: list[int] = []
    for node in order:
        if len(labelled) == most:
            break
        text = names[node] if len(names[node]) <= LONGEST else f"{names[node][: LONGEST - 1]}…"
        colour = {} if colours is None else {"color": colours[node]}
        place = _seen(axes, places[node])
        label = axes.annotate(
            text, place, (3, 3), textcoords="offset points", parse_math=False, **style, **colour
        )
        label.set_in_layout(False)
        label.set_path_effects([HALO])
        box = label.get_window_extent(renderer).padded(GAP)
        outside = box.x1 > frame.x1 or box.y1 > frame.y1 or box.x0 < frame.x0 or box.y0 < frame.y0
        if outside or any(box.overlaps(other) for other in taken):
            label.remove()
        else:
            taken.append(box)
            labelled.append(int(node))
    return labelled


def _seen(axes: Axes, place: FloatArray) -> tuple[float, float]:
    """Return where a place is seen, in the data of flat axes."""
    if isinstance(axes, Axes3D):
        x, y, _ = proj3d.proj_transform(*place, axes.get_proj())
        return float(x), float(y)
    return float(place[0]), float(place[1])
