"""Figures of an agency evaluation."""

import math

import matplotlib
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from collect_analysis.reporting.figures import style
from collect_analysis.reporting.figures.intervals import interval_plot
from collect_analysis.reporting.texts import say

_COLUMNS = 3


def liquidation_curves(table: pd.DataFrame, *, lang: str) -> Figure:
    """Does a unit's curve leave the band in which an equally good unit of its size would stay? One small panel per unit, the same axes.

    Columns: unit_name, age_months, value, expected, expected_low, expected_high (shares of the balance placed).
    """
    matplotlib.rcParams.update(style.STYLE)
    names = list(dict.fromkeys(table["unit_name"]))
    columns = min(_COLUMNS, len(names))
    rows = math.ceil(len(names) / columns)
    figure = Figure(figsize=(style.SIZES["wide"][0], 0.8 + 2.1 * rows))
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for panel, name in zip(panels, names, strict=False):
        part = table[table["unit_name"] == name].sort_values("age_months")
        low, high = part["expected_low"].astype(float), part["expected_high"].astype(float)
        panel.fill_between(part["age_months"], low, high, color=style.MUTED, alpha=0.22, linewidth=0, label=say("agency_band", lang))
        panel.plot(part["age_months"], part["expected"], color=style.MUTED, linestyle="--", linewidth=1.2, label=say("agency_peers", lang))
        panel.plot(part["age_months"], part["value"], color=style.PRIMARY, label=say("agency_actual", lang))
        panel.set_title(str(name), pad=6)
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        style.percent_axis(panel.yaxis, lang)
    for panel in panels[len(names) :]:
        panel.remove()
    figure.supxlabel(say("agency_axis_age", lang), fontsize=10)
    figure.supylabel(say("agency_axis_liquidation", lang), fontsize=10)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper right", ncols=3)
    return figure


def index_forest(table: pd.DataFrame, *, lang: str) -> Axes:
    """Whose index lies credibly on one side of 1? The shrunken index with its interval; the open mark is the figure before shrinking.

    Columns: unit_name, value, low, high, ratio.
    """
    ordered = table.sort_values("value", ascending=False, na_position="last", ignore_index=True)
    axes = interval_plot(ordered, label="unit_name", xlabel=say("agency_axis_index", lang), lang=lang, reference=1.0)
    axes.scatter(ordered["ratio"], ordered.index, marker="o", s=34, facecolors="white", edgecolors=style.MUTED, zorder=2.5)
    return axes


def funnel_plot(table: pd.DataFrame, curve: pd.DataFrame, *, lang: str) -> Axes:
    """Which units lie outside the funnel?

    `table`: unit_name, effective_cases, value, place; `curve`: effective_cases, inner_low, inner_high, outer_low, outer_high.
    """
    axes = style.new_axes()
    axes.axhline(1.0, color=style.MUTED, linewidth=1.0, linestyle="--")
    for name, dash, label in (("inner", "-", say("agency_limit_inner", lang)), ("outer", (0, (5, 2)), say("agency_limit_outer", lang))):
        axes.plot(curve["effective_cases"], curve[f"{name}_low"], color=style.MUTED, linestyle=dash, linewidth=1.2, label=label)
        axes.plot(curve["effective_cases"], curve[f"{name}_high"], color=style.MUTED, linestyle=dash, linewidth=1.2)
    known = table.dropna(subset=["effective_cases", "value"])
    outside = known["place"].isin(["above", "below"])
    axes.scatter(known["effective_cases"][~outside], known["value"][~outside], color=style.PRIMARY, s=44, zorder=3)
    axes.scatter(known["effective_cases"][outside], known["value"][outside], color=style.ACCENT, marker="s", s=52, zorder=3)
    for row in known.to_dict("records"):
        axes.annotate(str(row["unit_name"]), (row["effective_cases"], row["value"]), xytext=(7, 4), textcoords="offset points", fontsize=9)
    axes.set(xlabel=say("agency_axis_effective", lang), ylabel=say("agency_axis_oe", lang))
    style.number_axis(axes.xaxis, lang)
    style.number_axis(axes.yaxis, lang)
    axes.legend(loc="best")
    return axes


def share_steps(table: pd.DataFrame, *, lang: str) -> Axes:
    """From which share to which? Columns: unit_name, share_now, share_next; one line per unit, the largest proposal on top."""
    return _dumbbell(
        table.sort_values("share_next", ascending=False, ignore_index=True),
        before="share_now",
        after="share_next",
        labels=(say("agency_share_now", lang), say("agency_share_next", lang)),
        xlabel=say("agency_axis_share", lang),
        lang=lang,
    )


def share_gap(table: pd.DataFrame, *, lang: str) -> Axes:
    """Who brings a larger share of the money than of what was placed? Columns: unit_name, placed_share, collected_share."""
    return _dumbbell(
        table,
        before="placed_share",
        after="collected_share",
        labels=(say("agency_placed_share", lang), say("agency_collected_share", lang)),
        xlabel=say("agency_axis_share_of_all", lang),
        lang=lang,
    )


def unit_rates(table: pd.DataFrame, totals: pd.DataFrame, *, lang: str) -> Axes:
    """How do the units' rates spread period by period, and which of them rest on an inventory that was taken back?

    `table`: period_start, value, verdict; `totals`: period_start, value (all units together).
    """
    axes = style.new_axes()
    place = {day: number for number, day in enumerate(totals["period_start"])}
    for verdict, colour, marker, size, key in (
        ("ok", style.PRIMARY, "o", 26, "agency_rate_ok"),
        ("recalled", style.ACCENT, "s", 34, "agency_rate_recalled"),
    ):
        part = table[(table["verdict"] == verdict) & table["value"].notna()]
        at = part["period_start"].map(place)
        axes.scatter(at, part["value"], color=colour, marker=marker, s=size, alpha=0.75, linewidth=0, label=say(key, lang), zorder=3)
    axes.plot(range(len(totals)), totals["value"], color=style.INK, marker="_", markersize=16, label=say("agency_rate_pooled", lang))
    axes.set_xticks(range(len(totals)), [str(day)[:7] for day in totals["period_start"]])
    axes.set(xlabel=say("agency_axis_period", lang), ylabel=say("agency_axis_rate", lang))
    axes.set_ylim(bottom=0)
    style.percent_axis(axes.yaxis, lang)
    axes.figure.legend(*axes.get_legend_handles_labels(), loc="outside upper right", ncols=3)
    return axes


def _dumbbell(table: pd.DataFrame, *, before: str, after: str, labels: tuple[str, str], xlabel: str, lang: str) -> Axes:
    axes = style.new_axes(rows=len(table))
    rows = range(len(table))
    axes.hlines(rows, table[before], table[after], color=style.RULE, linewidth=3, zorder=1)
    axes.scatter(table[before], rows, facecolors="white", edgecolors=style.MUTED, linewidths=1.6, s=46, label=labels[0], zorder=2)
    axes.scatter(table[after], rows, color=style.PRIMARY, s=52, label=labels[1], zorder=3)
    axes.set_yticks(rows, [str(name) for name in table["unit_name"]])
    axes.set_ylim(len(table) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.set(xlabel=xlabel, ylabel="")
    style.percent_axis(axes.xaxis, lang)
    axes.legend(loc="lower right")
    return axes
