"""Figures of target setting."""

import pandas as pd
from matplotlib.axes import Axes

from collect_analysis.report import texts
from collect_analysis.report.figures import style
from collect_analysis.report.figures.intervals import interval_plot


def against_target(table: pd.DataFrame, *, lang: str) -> Axes:
    """Where does the target lie in the forecast? Columns: label, value (P50 over target), low (P20), high (P80), hard (flag)."""
    if table["value"].isna().all():
        return style.nothing(texts.say("target_no_sheet", lang))
    xlabel = texts.say("target_axis_over_target", lang)
    return interval_plot(table, label="label", xlabel=xlabel, lang=lang, reference=1.0, percent=True, highlight="hard")


def past_forecasts(table: pd.DataFrame, *, lang: str, currency: str) -> Axes:
    """Where did the money land in what was foretold? Columns: month, p20, p50, p80, actual, inside (flag), target; money in minor units."""
    if table.empty:
        return style.nothing(texts.say("target_no_backtest", lang))
    axes = style.new_axes()
    places = range(len(table))
    axes.vlines(
        places, table["p20"], table["p80"], color=style.PRIMARY, linewidth=7, alpha=0.3, label=texts.say("target_series_band", lang)
    )
    axes.plot(
        places, table["p50"], linestyle="none", marker="_", markersize=11, color=style.PRIMARY, label=texts.say("target_series_p50", lang)
    )
    axes.plot(
        places,
        table["target"],
        linestyle="none",
        marker="^",
        markersize=5,
        color=style.MUTED,
        label=texts.say("target_series_target", lang),
    )
    axes.plot(
        places,
        table["actual"],
        linestyle="none",
        marker="o",
        markersize=6,
        color=style.ACCENT,
        label=texts.say("target_series_actual", lang),
    )
    step = max(1, len(table) // 12)
    axes.set_xticks(list(places)[::step], list(table["month"])[::step], rotation=45, ha="right")
    most = float(table[["p80", "actual", "target"]].max().max())
    axes.set_ylabel(texts.say("target_axis_cash", lang, unit=style.money_axis(axes.yaxis, most, currency, lang)))
    axes.set_xlabel("")
    axes.grid(visible=False, axis="x")
    axes.legend(loc="upper left", bbox_to_anchor=(0.0, 1.16), ncols=4, handletextpad=0.4, columnspacing=1.2)
    return axes
