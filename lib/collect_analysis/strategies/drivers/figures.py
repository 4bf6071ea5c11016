"""Figures of a drivers report."""

from collections.abc import Mapping

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from collect_analysis.report import texts
from collect_analysis.report.figures import style
from collect_analysis.report.figures.curves import line_curves
from collect_analysis.report.figures.intervals import interval_plot
from collect_analysis.report.texts import formats

_PANELS_A_ROW = 2


def agreement(table: pd.DataFrame, *, lang: str, unit: str, currency: str, xlabel: str, ylabel: str) -> Axes:
    """Do groups of cases do as predicted? Columns: predicted, value, low, high. On the dashed line prediction and observation agree."""
    shown = table.dropna(subset=["predicted", "value"])
    if shown.empty:
        return style.nothing(texts.say("no_drivers_figure", lang))
    axes = style.new_axes("square")
    ends = [float(shown[["predicted", "low"]].min().min()), float(shown[["predicted", "high"]].max().max())]
    axes.plot(ends, ends, color=style.MUTED, linewidth=1.0, linestyle="--", zorder=1)
    for row in shown.to_dict("records"):
        axes.plot([row["predicted"]] * 2, [row["low"], row["high"]], color=style.PRIMARY, linewidth=2.0, solid_capstyle="butt", zorder=2)
    axes.plot(shown["predicted"], shown["value"], "o", color=style.PRIMARY, markersize=7, markeredgecolor="white", zorder=3)
    for axis, name in ((axes.xaxis, xlabel), (axes.yaxis, ylabel)):
        style.outcome_axis(axis, unit, texts.say(name, lang), currency=currency, lang=lang)
    return axes


def partial_effects(table: pd.DataFrame, *, lang: str, units: Mapping[str, str], currency: str) -> Axes:
    """What is expected at each value of each factor, the others being as they are? One panel per factor, all on the same scale.

    Columns: factor, place, at, category, value, low, high.
    """
    names = list(dict.fromkeys(table["factor"])) if len(table) else []
    if not names:
        return style.nothing(texts.say("no_drivers_figure", lang))
    matplotlib.rcParams.update(style.STYLE)
    rows = -(-len(names) // _PANELS_A_ROW)
    grid = Figure(figsize=(style.SIZES["wide"][0], 0.6 + 2.5 * rows)).subplots(rows, _PANELS_A_ROW, sharey=True, squeeze=False)
    for axes, name in zip(grid.flat, names, strict=False):
        _panel(axes, table[table["factor"] == name], str(name), lang=lang, unit=units[name], currency=currency)
    for axes in grid.flat[len(names) :]:
        axes.set_axis_off()
    for axes in grid[:, 0]:
        axes.set_ylabel(texts.say("axis_expected", lang))
    return grid.flat[0]


def _panel(axes: Axes, part: pd.DataFrame, name: str, *, lang: str, unit: str, currency: str) -> None:
    if unit == "category":
        place = np.arange(len(part))
        for x, row in zip(place, part.to_dict("records"), strict=True):
            axes.plot([x, x], [row["low"], row["high"]], color=style.PRIMARY, linewidth=2.0, solid_capstyle="butt")
        axes.plot(place, part["value"], "o", color=style.PRIMARY, markersize=6, markeredgecolor="white")
        axes.set_xticks(place, [str(item) for item in part["category"]], rotation=35 if len(part) > 3 else 0)
    else:
        axes.plot(part["at"], part["value"], color=style.PRIMARY, marker="o", markersize=3.5)
        axes.fill_between(part["at"], part["low"], part["high"], color=style.PRIMARY, alpha=0.13, linewidth=0)
        whole = bool((part["at"] % 1 == 0).all()) and unit == "number"
        axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=whole))
        style.outcome_axis(axes.xaxis, unit, "", currency=currency, lang=lang)
        if name.endswith("year"):
            axes.xaxis.set_major_formatter("{x:.0f}")
    axes.set_title(texts.value("factor", name, lang), fontsize=10)
    style.percent_axis(axes.yaxis, lang)


def importance(table: pd.DataFrame, *, lang: str) -> Axes:
    """How much worse is the order of the predictions without each factor? Columns: factor, value, low, high."""
    if table.empty:
        return style.nothing(texts.say("no_drivers_figure", lang))
    drawn = table.assign(label=[texts.value("factor", str(item), lang) for item in table["factor"]])
    return interval_plot(drawn, label="label", xlabel=texts.say("axis_importance", lang), lang=lang)


def levers(table: pd.DataFrame, *, lang: str) -> Axes:
    """What did each lever change, relative to its own champion?

    Columns: experiment_id, arm, horizon_days, relative, relative_low, relative_high.
    """
    labels = [
        f"{row['experiment_id']} · {texts.value('arm', str(row['arm']), lang)} · {texts.say('days', lang, days=formats.number(row['horizon_days'], lang))}"
        for row in table.to_dict("records")
    ]
    return interval_plot(
        table.assign(label=labels), label="label", xlabel=texts.say("axis_lever", lang), lang=lang,
        value="relative", low="relative_low", high="relative_high", percent=True,
    )  # fmt: skip


def qini(table: pd.DataFrame, *, lang: str, unit: str, currency: str) -> Axes:
    """What does treating the most promising share bring, against the same share in any order? Columns: treated, value, low, high, random."""
    if table["value"].dropna().empty:
        return style.nothing(texts.say("no_drivers_figure", lang))
    random = table.assign(value=table["random"], low=table["random"], high=table["random"])
    named = [part.assign(curve=texts.say(word, lang)) for part, word in ((table, "curve_predicted"), (random, "curve_random"))]
    axes = line_curves(pd.concat(named), x="treated", xlabel=texts.say("axis_treated", lang), ylabel="", lang=lang, curve="curve")
    style.outcome_axis(axes.yaxis, unit, texts.say("axis_gain", lang), currency=currency, lang=lang)
    style.percent_axis(axes.xaxis, lang)
    axes.axhline(0, color=style.MUTED, linewidth=0.8)
    return axes
