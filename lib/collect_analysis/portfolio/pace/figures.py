"""Figures of a month's pace."""

import pandas as pd
from matplotlib.axes import Axes

from collect_analysis.report import texts
from collect_analysis.report.figures import style
from collect_analysis.report.figures.curves import line_curves
from collect_analysis.report.figures.intervals import interval_plot
from collect_analysis.report.texts import formats, say


def _absent(table: pd.DataFrame, column: str, lang: str) -> Axes | None:
    if column in table and len(table):
        return None
    return style.nothing(str(table["note"].iloc[0]) if "note" in table and len(table) else say("pace_nothing", lang))


def landing(table: pd.DataFrame, *, lang: str, currency: str) -> Axes:
    """Cash so far, where it is heading with its band, and the plan. Columns: series, day, value, low, high."""
    absent = _absent(table, "series", lang)
    if absent is not None:
        return absent
    named = table.assign(series=[texts.value("pace_series", name, lang) for name in table["series"]])
    axes = line_curves(named, x="day", xlabel=say("pace_axis_day", lang), ylabel="", lang=lang, curve="series")
    unit = style.money_axis(axes.yaxis, float(table[["value", "high"]].max().max()), currency, lang)
    axes.set_ylabel(say("pace_axis_cash", lang, unit=unit))
    axes.set_ylim(bottom=0)
    return axes


def scopes(table: pd.DataFrame, *, lang: str) -> Axes:
    """Forecast over plan of company, sub-functions and units; unlikely ones marked. Columns: label, value, low, high, unlikely."""
    absent = _absent(table, "label", lang)
    if absent is not None:
        return absent
    return interval_plot(
        table, label="label", xlabel=say("pace_axis_of_plan", lang), lang=lang, reference=1.0, percent=True, highlight="unlikely"
    )


def waterfall(table: pd.DataFrame, *, lang: str, currency: str) -> Axes:
    """From the plan to date to the cash so far, part by part. Columns: pace_step, amount_minor, from_minor, to_minor."""
    absent = _absent(table, "pace_step", lang)
    if absent is not None:
        return absent
    axes = style.new_axes(rows=len(table) + 1)
    scale = formats.money_scale(float(table[["from_minor", "to_minor"]].abs().max().max()), currency, lang)
    last = len(table) - 1
    for place, row in enumerate(table.to_dict("records")):
        total = place in (0, last)
        colour = style.PRIMARY if total else style.GOOD if row["amount_minor"] >= 0 else style.ACCENT
        left, right = sorted((row["from_minor"], row["to_minor"]))
        axes.barh(place, right - left, left=left, color=colour, height=0.6, zorder=3)
        text = formats.number(row["amount_minor"] / scale.divisor, lang, digits=2)
        axes.annotate(
            text if total or row["amount_minor"] < 0 else f"+{text}",
            (right, place),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
        )
        if place < last:
            axes.plot([row["to_minor"]] * 2, [place, place + 1], color=style.MUTED, linewidth=0.8, zorder=2)
    # Totals are far larger than parts: the axis starts where something happens, and says so by not starting at 0.
    ends = table.loc[:, ["from_minor", "to_minor"]].iloc[1:last].to_numpy() if last > 1 else table[["from_minor", "to_minor"]].to_numpy()
    spread = float(ends.max() - ends.min()) or float(ends.max()) or 1.0
    axes.set_xlim(max(0.0, float(ends.min()) - 0.25 * spread), float(ends.max()) + 0.2 * spread)
    axes.set_yticks(range(len(table)), [texts.value("pace_step", name, lang) for name in table["pace_step"]])
    axes.set_ylim(len(table) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    unit = style.money_axis(axes.xaxis, float(table["to_minor"].abs().max()), currency, lang)
    axes.set_xlabel(say("pace_axis_bridge", lang, unit=unit))
    return axes


def errors(table: pd.DataFrame, *, lang: str) -> Axes:
    """How far off the forecast was by share of the month gone, beside the months before alone and dividing by working days.

    Columns: series, gone, value.
    """
    absent = _absent(table, "series", lang)
    if absent is not None:
        return absent
    named = table.assign(series=[texts.value("pace_source", name, lang) for name in table["series"]])
    axes = line_curves(
        named, x="gone", xlabel=say("pace_axis_gone", lang), ylabel=say("pace_axis_error", lang), lang=lang, curve="series", percent=True
    )
    style.percent_axis(axes.xaxis, lang)
    axes.set_ylim(bottom=0)
    return axes
