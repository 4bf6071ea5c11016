"""Values with their intervals, one line each: effects of arms, indices of agencies, rates of units."""

import pandas as pd
from matplotlib.axes import Axes

from collect_analysis.report.figures import style


def interval_plot(
    table: pd.DataFrame,
    *,
    label: str,
    xlabel: str,
    lang: str,
    value: str = "value",
    low: str = "low",
    high: str = "high",
    reference: float | None = 0.0,
    percent: bool = False,
    highlight: str | None = None,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Which values lie credibly on one side of the reference?

    One row per row of `table`, the first on top: the point `value`, the interval `low` to `high`, the name from column `label`. `highlight`
    names a flag column whose true rows are drawn in the accent colour with a square. A row without a value keeps its line and shows a dash.
    Of more rows than a person can tell apart the first are drawn, and the figure says so.
    """
    rows, table = len(table), style.first_rows(table)
    ax = style.new_axes(rows=len(table)) if ax is None else ax
    marked = table[highlight].fillna(False).astype(bool) if highlight else pd.Series(False, index=table.index)
    if reference is not None:
        ax.axvline(reference, color=style.MUTED, linewidth=1.0, linestyle="--", zorder=1)
    for position, (_, row) in enumerate(table.iterrows()):
        colour, marker = (style.ACCENT, "s") if marked.iloc[position] else (style.PRIMARY, "o")
        if pd.isna(row[value]):
            ax.annotate("–", (0.5, position), xycoords=("axes fraction", "data"), color=style.MUTED, ha="center", va="center")
            continue
        if pd.notna(row[low]) and pd.notna(row[high]):
            ax.plot([row[low], row[high]], [position, position], color=colour, linewidth=2.0, solid_capstyle="butt", zorder=2)
        ax.plot([row[value]], [position], marker=marker, color=colour, markersize=7, markeredgecolor="white", zorder=3)
    ax.set_yticks(range(len(table)), [str(name) for name in table[label]])
    ax.set_ylim(len(table) - 0.5, -0.5)
    ax.grid(visible=False, axis="y")
    ax.tick_params(axis="y", length=0)
    ax.set(xlabel=xlabel, ylabel="", title=title)
    (style.percent_axis if percent else style.number_axis)(ax.xaxis, lang)
    style.note_cut(ax, rows, lang)
    return ax
