"""Figures of a KPI period."""

import pandas as pd
from matplotlib.axes import Axes

from collect_analysis.report import texts
from collect_analysis.report.figures import style
from collect_analysis.report.figures.curves import line_curves
from collect_analysis.report.figures.intervals import interval_plot


def attainment(table: pd.DataFrame, *, lang: str) -> Axes:
    """Who met the money target, and who missed it beyond chance? Columns: label, value, low, high (shares of the target), missed (flag)."""
    if table.empty:
        return style.nothing(texts.say("kpi_no_target", lang))
    axes = interval_plot(
        table, label="label", xlabel=texts.say("kpi_axis_attainment", lang), lang=lang, reference=1.0, percent=True, highlight="missed"
    )
    return axes


def pace(table: pd.DataFrame, *, lang: str, currency: str) -> Axes:
    """How did the cash come in, day by day, against the period before and the target? Columns: series, working_day, cumulative_minor."""
    if "working_day" not in table or table.empty:
        return style.nothing(
            texts.phrase(str(table["note"].iloc[0]), lang) if "note" in table and len(table) else texts.say("kpi_no_cash", lang)
        )
    named = table.assign(series=[texts.value("series", name, lang) for name in table["series"]])
    axes = line_curves(
        named,
        x="working_day",
        xlabel=texts.say("kpi_axis_working_day", lang),
        ylabel="",
        lang=lang,
        value="cumulative_minor",
        curve="series",
    )
    unit = style.money_axis(axes.yaxis, float(table["cumulative_minor"].max()), currency, lang)
    axes.set_ylabel(texts.say("kpi_axis_cumulative_cash", lang, unit=unit))
    axes.set_ylim(bottom=0)
    return axes
