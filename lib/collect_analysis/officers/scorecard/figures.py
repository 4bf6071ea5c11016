"""Figures of a scorecard: officers by band, units with their intervals."""

import pandas as pd
from matplotlib.axes import Axes

from collect_analysis.report import texts
from collect_analysis.report.figures import style
from collect_analysis.report.figures.intervals import interval_plot

# What is credibly apart stands out; the rest, which must not be told apart, is one grey.
_COLOURS = {"above": style.GOOD, "below": style.ACCENT}
_ORDER = ("above", "within", "open", "below")
_GAP = 3


def caterpillar(officers: pd.DataFrame, *, lang: str, told: bool) -> Axes:
    """Who lies credibly on one side of what colleagues get? One line per officer, grouped by band; nobody is named or numbered.

    Columns: band, value, low, high. Only those who were banded are drawn; nobody where officers may not be `told`.
    """
    if not told:
        return style.nothing(texts.say("scorecard_officers_not_here", lang))
    drawn = officers[officers["band"].isin(_ORDER) & officers["value"].notna()]
    if drawn.empty:
        return style.nothing(texts.say("scorecard_nobody_banded", lang))
    axes = style.new_axes("tall")
    axes.axvline(1.0, color=style.MUTED, linewidth=1.0, linestyle="--", zorder=1)
    position, ticks, labels = 0, [], []
    for band in _ORDER:
        group = drawn[drawn["band"] == band].sort_values("value", ascending=False)
        if group.empty:
            continue
        colour = _COLOURS.get(band, style.MUTED)
        places = range(position, position + len(group))
        axes.hlines(places, group["low"], group["high"], color=colour, linewidth=1.1, alpha=0.85, zorder=2)
        axes.plot(group["value"], places, linestyle="none", marker="o", color=colour, markersize=2.6, zorder=3)
        ticks.append(position + (len(group) - 1) / 2)
        labels.append(f"{texts.value('band', band, lang)}\nn = {len(group)}")
        position += len(group) + _GAP
    axes.set_ylim(position - _GAP + 0.5, -1.5)
    axes.set_yticks(ticks, labels)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.set(xlabel=texts.say("scorecard_axis_index", lang), ylabel="")
    style.number_axis(axes.xaxis, lang)
    return axes


def units(table: pd.DataFrame, *, lang: str) -> Axes:
    """Which units lie credibly on one side of the other units of their sub-function? Columns: label, value, low, high, apart (flag)."""
    if table.empty:
        return style.nothing(texts.say("scorecard_no_units", lang))
    return interval_plot(table, label="label", xlabel=texts.say("scorecard_axis_index", lang), lang=lang, reference=1.0, highlight="apart")
