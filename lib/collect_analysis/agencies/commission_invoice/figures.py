"""Figures of a check of commission invoices."""

import pandas as pd
from matplotlib.axes import Axes

from collect_analysis.report import texts
from collect_analysis.report.figures import style
from collect_analysis.report.texts import formats, say


def bridge(table: pd.DataFrame, *, lang: str, currency: str) -> Axes:
    """From what was earned to what was billed, reason by reason. Columns: reason, difference_minor, from_minor, to_minor."""
    if len(table) < 3:
        return style.nothing(say("invoice_no_bridge", lang))
    axes = style.new_axes(rows=len(table) + 1)
    last = len(table) - 1
    inner = table.iloc[1:last]
    most = float(inner["difference_minor"].abs().max())
    scale = formats.money_scale(most, currency, lang)
    for place, row in enumerate(table.to_dict("records")):
        total = place in (0, last)
        colour = style.PRIMARY if total else style.ACCENT if row["difference_minor"] > 0 else style.GOOD
        left, right = sorted((row["from_minor"], row["to_minor"]))
        axes.barh(place, right - left, left=left, color=colour, height=0.6, zorder=3)
        text = formats.number(row["difference_minor"] / scale.divisor, lang, digits=2)
        label = text if total or row["difference_minor"] < 0 else f"+{text}"
        axes.annotate(label, (right, place), xytext=(5, 0), textcoords="offset points", va="center", fontsize=9)
        if place < last:
            axes.plot([row["to_minor"]] * 2, [place, place + 1], color=style.MUTED, linewidth=0.8, zorder=2)
    # Totals are far larger than differences: the axis starts where something happens, and says so by not starting at 0.
    low, high = (float(inner[["from_minor", "to_minor"]].to_numpy().min()), float(inner[["from_minor", "to_minor"]].to_numpy().max()))
    spread = (high - low) or high or 1.0
    axes.set_xlim(max(0.0, low - 0.25 * spread), high + 0.22 * spread)
    axes.set_yticks(range(len(table)), [texts.value("invoice_reason", name, lang) for name in table["reason"]])
    axes.set_ylim(len(table) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    # The axis is written in the unit of the numbers beside the bars.
    unit = style.money_axis(axes.xaxis, most, currency, lang)
    axes.set_xlabel(say("invoice_axis_bridge", lang, unit=unit))
    return axes
