"""Figures of an audit of the record."""

import pandas as pd
from matplotlib.axes import Axes

from collect_analysis.report import texts
from collect_analysis.report.figures import style
from collect_analysis.report.figures.intervals import interval_plot
from collect_analysis.report.texts import formats


def against_chance(table: pd.DataFrame, *, lang: str) -> Axes:
    """How often was each type found, for each one that chance would make? Columns: label, ratio, low, high, beyond (flag)."""
    if table.empty:
        return style.nothing(texts.say("ra_no_figure", lang))
    return interval_plot(
        table, label="label", xlabel=texts.say("ra_axis_ratio", lang), lang=lang, value="ratio", reference=1.0, highlight="beyond"
    )


def digits(table: pd.DataFrame, *, lang: str) -> Axes:
    """Are the digits of the record even? Columns: what, digit, share. The dashed line is what a clock writes."""
    if table.empty or table["share"].isna().all():
        return style.nothing(texts.say("ra_no_figure", lang))
    axes = style.new_axes("wide")
    kinds = list(dict.fromkeys(table["what"]))
    width = 0.8 / len(kinds)
    for place, what in enumerate(kinds):
        part = table[table["what"] == what]
        at = part["digit"] + (place - (len(kinds) - 1) / 2) * width
        axes.bar(at, part["share"], width=width * 0.92, color=style.PALETTE[place], label=texts.value("ra_digits_of", str(what), lang))
    axes.axhline(0.1, color=style.INK, linewidth=1.0, linestyle="--")
    axes.set_xticks(range(10), [str(digit) for digit in range(10)])
    axes.grid(visible=False, axis="x")
    axes.set(xlabel=texts.say("ra_axis_digit", lang), ylabel=texts.say("ra_axis_digit_share", lang))
    axes.set_ylim(0, max(0.14, float(table["share"].max()) * 1.25))
    style.percent_axis(axes.yaxis, lang)
    axes.legend(loc="upper right", ncols=3)
    return axes


def ramp(table: pd.DataFrame, *, lang: str) -> Axes:
    """What do officers of each time since hire get out of comparable accounts? Columns: tenure_from, tenure_to, cases, value, low, high."""
    if table.empty or table["value"].isna().all():
        return style.nothing(texts.say("ra_no_tenure", lang))
    labels = []
    for start, end, cases in zip(table["tenure_from"], table["tenure_to"], table["cases"], strict=True):
        span = f"{start:.0f}+" if pd.isna(end) else f"{start:.0f}–{end - 1:.0f}"
        labels.append(texts.say("ra_tenure_band", lang, span=span, officers=formats.number(cases, lang)))
    return interval_plot(table.assign(label=labels), label="label", xlabel=texts.say("ra_axis_index", lang), lang=lang, reference=1.0)
