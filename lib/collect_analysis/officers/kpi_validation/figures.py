"""Figures of a KPI validation."""

import pandas as pd
from matplotlib.axes import Axes

from collect_analysis.report import texts
from collect_analysis.report.figures import style
from collect_analysis.report.figures.intervals import interval_plot

SOURCES = ("person", "portfolio", "group", "month", "residual")
# The officer's own part stands out; chance is grey.
_COLOURS = dict(zip(SOURCES, (style.PRIMARY, style.PALETTE[4], style.PALETTE[5], style.PALETTE[3], style.RULE), strict=True))


def sources(table: pd.DataFrame, *, lang: str) -> Axes:
    """Whose doing is each KPI? One bar per KPI (column label, in order), cut by source. Columns: label, source, share."""
    known = table.dropna(subset=["share"])
    if known.empty:
        return style.nothing(texts.say("kv_no_figure", lang))
    labels = list(dict.fromkeys(known["label"]))
    axes = style.new_axes(rows=len(labels) + 2)
    place = {label: position for position, label in enumerate(labels)}
    left = dict.fromkeys(labels, 0.0)
    for source in SOURCES:
        part = known[known["source"] == source]
        widths, names = part["share"].to_numpy(float), list(part["label"])
        axes.barh(
            [place[name] for name in names], widths, left=[left[name] for name in names], height=0.7, color=_COLOURS[source],
            label=texts.value("kv_source", source, lang),
        )  # fmt: skip
        for name, width in zip(names, widths, strict=True):
            left[name] += width
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.set_xlim(0, 1)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(texts.say("kv_axis_share", lang))
    style.percent_axis(axes.xaxis, lang)
    axes.figure.legend(loc="outside upper left", ncols=3, handlelength=1.2)
    return axes


def prediction(table: pd.DataFrame, *, lang: str) -> Axes:
    """Does next month's cash follow? Columns: label, predicts, predicts_low, predicts_high, follows (flag: the interval lies above 0)."""
    if table["predicts"].isna().all():
        return style.nothing(texts.say("kv_no_figure", lang))
    return interval_plot(
        table, label="label", xlabel=texts.say("kv_axis_prediction", lang), lang=lang, value="predicts", low="predicts_low",
        high="predicts_high", highlight="follows",
    )  # fmt: skip
