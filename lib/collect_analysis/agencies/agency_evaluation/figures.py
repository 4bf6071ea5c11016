"""Figures of an agency evaluation."""

import math

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from collect_analysis.report.figures import style
from collect_analysis.report.figures.intervals import interval_plot
from collect_analysis.report.texts import formats, percent, say

_COLUMNS = 3
# A step that adds less than half a per cent is written nowhere; a ratio of two has the deepest shade; more names than this stand upright.
_STILL, _DEEPEST, _FEW = 1.005, float(np.log(2)), 8


def liquidation_curves(table: pd.DataFrame, *, lang: str) -> Figure:
    """Does a unit's curve leave the band in which an equally good unit of its size would stay? One small panel per unit, the same axes.

    Columns: unit_name, age_months, value, expected, expected_low, expected_high (shares of the balance placed).
    """
    names = list(dict.fromkeys(table["unit_name"]))
    figure, panels = _small_panels(names, lang)
    for panel, name in zip(panels, names, strict=True):
        part = table[table["unit_name"] == name].sort_values("age_months")
        low, high = part["expected_low"].astype(float), part["expected_high"].astype(float)
        panel.fill_between(part["age_months"], low, high, color=style.MUTED, alpha=0.22, linewidth=0, label=say("agency_band", lang))
        panel.plot(part["age_months"], part["expected"], color=style.MUTED, linestyle="--", linewidth=1.2, label=say("agency_peers", lang))
        panel.plot(part["age_months"], part["value"], color=style.PRIMARY, label=say("agency_actual", lang))
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper right", ncols=3)
    return figure


def number_curves(table: pd.DataFrame, *, lang: str) -> Figure:
    """How much less do accounts bring that another placement had been tried on? One small panel per unit; each beside its own peers.

    Columns: unit_name, placement (first, later), age_months, value, expected (shares of the balance placed).
    """
    names = list(dict.fromkeys(table["unit_name"]))
    figure, panels = _small_panels(names, lang)
    looks = {"first": (style.PRIMARY, "-"), "later": (style.ACCENT, "-")}
    for panel, name in zip(panels, names, strict=True):
        for placement, (colour, dash) in looks.items():
            part = table[(table["unit_name"] == name) & (table["placement"] == placement)].sort_values("age_months")
            panel.plot(part["age_months"], part["value"], color=colour, linestyle=dash, label=say(f"agency_curve_{placement}", lang))
            panel.plot(part["age_months"], part["expected"], color=colour, linestyle="--", linewidth=1.0, alpha=0.7)
    handles, labels = panels[0].get_legend_handles_labels()
    handles.append(Line2D([], [], color=style.MUTED, linestyle="--", linewidth=1.0))
    figure.legend(handles, [*labels, say("agency_peers", lang)], loc="outside upper right", ncols=3)
    return figure


def batch_curves(triangle: pd.DataFrame, projected: pd.DataFrame, factors: pd.DataFrame, *, lang: str) -> Figure:
    """How did each batch develop, and where will all of a unit's batches together stand at the horizon? One small panel per unit.

    `triangle`: unit_name, batch_month, age_months, value; `projected`: unit_name, reached_months, value, low, high (also of all units);
    `factors`: of all units, age_months, next_age_months, factor, written under the steps of their panel.
    """
    names = list(projected["unit_name"])
    figure, panels = _small_panels(names, lang)
    whole = triangle.groupby(["batch_month", "age_months"], as_index=False)[["numerator", "denominator"]].sum()
    whole = whole.assign(unit_name=names[-1], value=whole["numerator"] / whole["denominator"])
    cells = pd.concat([triangle, whole])
    cells = cells[cells["age_months"] <= (projected["reached_months"].max() if projected["value"].notna().any() else math.inf)]
    for panel, row in zip(panels, projected.to_dict("records"), strict=True):
        for _, batch in cells[cells["unit_name"] == row["unit_name"]].groupby("batch_month"):
            panel.plot(batch["age_months"], batch["value"], color=style.MUTED, linewidth=0.8, alpha=0.5, label=say("agency_batch", lang))
        if pd.notna(row["value"]):
            error = [[row["value"] - row["low"]], [row["high"] - row["value"]]]
            panel.errorbar(
                [row["reached_months"]], [row["value"]], yerr=error, color=style.ACCENT, marker="s", markersize=5, capsize=4, zorder=4,
                label=say("agency_projection", lang),
            )  # fmt: skip
    # The panels share their axes: set once, when all of them are drawn.
    panels[0].set_ylim(bottom=0)
    for step in factors[factors["factor"] > _STILL].to_dict("records"):
        text = f"×{formats.number(step['factor'], lang, digits=2)}"
        panels[-1].annotate(text, ((step["age_months"] + step["next_age_months"]) / 2, 0), xytext=(0, 3), textcoords="offset points",
                            ha="center", fontsize=6.5, rotation=90, color=style.INK)  # fmt: skip
    found = {label: handle for panel in panels for handle, label in zip(*panel.get_legend_handles_labels(), strict=True)}
    figure.legend(list(found.values()), list(found), loc="outside upper right", ncols=2)
    return figure


def stratum_map(table: pd.DataFrame, *, lang: str) -> Axes:
    """In which strata does a unit collect more or less than expected, and does the expectation fit there?

    Columns: unit_name (the last one in the table is the pool), group (a stratum in words), value (O/E), stands (flag: it still differs when
    all strata are counted). A blank cell rests on too few accounts.
    """
    names, groups = list(dict.fromkeys(table["unit_name"])), list(dict.fromkeys(table["group"]))
    wide = table.set_index(["group", "unit_name"])
    axes = style.new_axes(rows=max(round(0.75 * len(groups)), 6))
    values = wide["value"].astype(float).unstack().reindex(index=groups, columns=names)  # noqa: PD010 - one value per cell
    shades = LinearSegmentedColormap.from_list("ratio", [style.ACCENT, "#ffffff", style.PRIMARY])
    axes.imshow(np.log(values.where(values > 0)), cmap=shades, vmin=-_DEEPEST, vmax=_DEEPEST, aspect="auto")
    stands = wide["stands"].fillna(False).astype(bool)
    for down, group in enumerate(groups):
        for across, name in enumerate(names):
            if pd.isna(values.loc[group, name]):
                continue
            deep = abs(np.log(max(values.loc[group, name], 1e-9))) > 0.7 * _DEEPEST
            axes.text(
                across, down, formats.number(values.loc[group, name], lang, digits=2), ha="center", va="center", fontsize=7.5,
                fontweight="bold" if stands.get((group, name), False) else "normal", color="white" if deep else style.INK,
            )  # fmt: skip
    axes.set_xticks(range(len(names)), names, rotation=0 if len(names) <= _FEW else 90)
    axes.set_yticks(range(len(groups)), groups)
    axes.tick_params(length=0, labelsize=7.5)
    axes.xaxis.tick_top()
    axes.axvline(len(names) - 1.5, color=style.INK, linewidth=1.2)
    axes.grid(visible=False)
    return axes


def _small_panels(names: list[str], lang: str) -> tuple[Figure, list[Axes]]:
    """One panel per unit, the same axes: months after the month of placement against the share of the balance placed."""
    matplotlib.rcParams.update(style.STYLE)
    columns = min(_COLUMNS, len(names))
    rows = math.ceil(len(names) / columns)
    figure = Figure(figsize=(style.SIZES["wide"][0], 0.8 + 2.1 * rows))
    panels = list(figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel())
    for panel, name in zip(panels, names, strict=False):
        panel.set_title(str(name), pad=6)
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        style.percent_axis(panel.yaxis, lang)
    for panel in panels[len(names) :]:
        panel.remove()
    # The lowest panel of every column shows the months, also where the last row is not full.
    for panel in panels[max(0, len(names) - columns) : len(names)]:
        panel.tick_params(labelbottom=True)
    figure.supxlabel(say("agency_axis_age", lang), fontsize=10)
    figure.supylabel(say("agency_axis_liquidation", lang), fontsize=10)
    return figure, panels[: len(names)]


def index_forest(table: pd.DataFrame, *, lang: str) -> Axes:
    """Whose index lies credibly on one side of 1? The shrunken index with its interval; the open mark is the figure before shrinking.

    Columns: unit_name, value, low, high, ratio.
    """
    ordered = table.sort_values("value", ascending=False, na_position="last", ignore_index=True)
    axes = interval_plot(ordered, label="unit_name", xlabel=say("agency_axis_index", lang), lang=lang, reference=1.0)
    drawn = style.first_rows(ordered)
    axes.scatter(drawn["ratio"], drawn.index, marker="o", s=34, facecolors="white", edgecolors=style.MUTED, zorder=2.5)
    return axes


def funnel_plot(table: pd.DataFrame, curve: pd.DataFrame, *, lang: str) -> Axes:
    """Which units lie outside the funnel?

    `table`: unit_name, effective_cases, value, place; `curve`: of `funnel.limit_curve`, whose levels name the lines.
    """
    axes = style.new_axes()
    axes.axhline(1.0, color=style.MUTED, linewidth=1.0, linestyle="--")
    for name, dash in (("inner", "-"), ("outer", (0, (5, 2)))):
        label = say(f"agency_limit_{name}", lang, level=percent(float(curve[f"{name}_level"].max()), lang))
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
    every, table = len(table), style.first_rows(table)
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
    style.note_cut(axes, every, lang)
    return axes
