"""Curves over time or age, with the band between which each plausibly lies."""

import itertools

import pandas as pd
from matplotlib.axes import Axes

from collect_analysis.report.figures import style


def line_curves(
    table: pd.DataFrame,
    *,
    x: str,
    xlabel: str,
    ylabel: str,
    lang: str,
    value: str = "value",
    low: str = "low",
    high: str = "high",
    curve: str | None = None,
    percent: bool = False,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """How does a value move along `x`, and by how much could each curve be off?

    One line per name in column `curve` (one line in all if None), in order of first appearance, its band from `low` to `high` where the
    table has them. Undefined points break the line. Each line ends in its name, so that no legend has to be matched by colour; where ends
    would lie on each other a legend is drawn instead.
    """
    ax = style.new_axes() if ax is None else ax
    names = list(dict.fromkeys(table[curve])) if curve else [None]
    ends: list[tuple[str, object, float, str]] = []
    for position, name in enumerate(names):
        part = (table if name is None else table[table[curve] == name]).sort_values(x)
        colour = style.PALETTE[position % len(style.PALETTE)]
        dash = style.DASHES[position % len(style.DASHES)]
        ax.plot(part[x], part[value].astype(float), color=colour, linestyle=dash, label=None if name is None else str(name))
        if {low, high} <= set(part.columns):
            ax.fill_between(part[x], part[low].astype(float), part[high].astype(float), color=colour, alpha=0.13, linewidth=0)
        last = part.dropna(subset=[value]).tail(1)
        if name is not None and len(last):
            ends.append((str(name), last[x].iloc[0], float(last[value].iloc[0]), colour))
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title)
    (style.percent_axis if percent else style.number_axis)(ax.yaxis, lang)
    _name_lines(ax, ends)
    return ax


def _name_lines(ax: Axes, ends: list[tuple[str, object, float, str]]) -> None:
    bottom, top = ax.get_ylim()
    heights = sorted(height for _, _, height, _ in ends)
    apart = all(above - below > 0.06 * (top - bottom) for below, above in itertools.pairwise(heights))
    if not apart:
        ax.legend(loc="best")
        return
    for name, x, y, colour in ends:
        ax.annotate(name, (x, y), xytext=(6, 0), textcoords="offset points", color=colour, fontsize=9, va="center", annotation_clip=False)
