"""Where the panels of a figure are: on a narrow screen a page shows them one below the other."""

from __future__ import annotations

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

#: Room about a panel, in points.
MARGIN = 3

#: How matplotlib labels the axes of a colour bar.
_COLORBAR = "<colorbar>"


def panel_boxes(figure: Figure) -> list[tuple[float, float, float, float]]:
    """Return where the panels of a figure are, with their labels, and then its legends.

    Parameters
    ----------
    figure : Figure
        A figure that has been drawn.

    Returns
    -------
    list of tuple of (float, float, float, float)
        Left, top, width and height of each, as shares of the figure's; a colour bar is with the
        last panel. Empty where there is one panel.
    """
    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
    visible = [axes for axes in figure.axes if axes.get_visible()]
    panels = [axes.get_tightbbox(renderer) for axes in visible if axes.get_label() != _COLORBAR]
    boxes = [box for box in panels if box is not None]
    if len(boxes) < 2:
        return []
    for axes in visible:
        if axes.get_label() == _COLORBAR and (box := axes.get_tightbbox(renderer)) is not None:
            boxes[-1] = Bbox.union([boxes[-1], box])
    boxes += [legend.get_window_extent(renderer) for legend in figure.legends]
    return [_share(box, figure) for box in boxes]


def _share(box: Bbox, figure: Figure) -> tuple[float, float, float, float]:
    """Return a box as shares of a figure, from its top left corner."""
    whole, margin = figure.bbox, MARGIN * figure.dpi / 72
    left, right = max(0.0, box.x0 - margin), min(whole.width, box.x1 + margin)
    low, high = max(0.0, box.y0 - margin), min(whole.height, box.y1 + margin)
    top = 1 - high / whole.height
    width, height = (right - left) / whole.width, (high - low) / whole.height
    left, top, width, height = (round(v, 4) for v in (left / whole.width, top, width, height))
    return left, top, width, height
