"""Figures of portfolio and flow: rates with their bands over months, accounts by bucket in the coming months."""

from collections.abc import Sequence

import matplotlib
import matplotlib.dates as dates
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from collect_analysis.report import texts
from collect_analysis.report.figures import style

# Buckets drawn month by month: the ones early work can still move.
_DRAWN_BUCKETS = ("0", "1", "2", "3")
_RATES = ("rolled", "cured")
_PANEL_HEIGHT = 1.75
_TICKS = 4


def rates_over_months(table: pd.DataFrame, *, lang: str, top_bucket: int, unlike: Sequence[object]) -> Figure | Axes:
    """Which month moved more than months do? One panel per bucket (rows) and rate (columns: rolled forward, cured).

    Columns: from, rate, month, value, centre, watch_low, watch_high, side. The band is that of 95 of 100 ordinary months; months outside
    the wide band are squares in the second colour; months of `unlike` are hollow.
    """
    buckets = [name for name in _DRAWN_BUCKETS if name in set(table["from"])]
    if not buckets:
        return style.nothing(texts.say("flow_nothing_moves", lang))
    figure, panels = _panels(len(buckets), 2)
    for row, bucket in enumerate(buckets):
        for column, rate in enumerate(_RATES):
            axes = panels[row][column]
            part = table[(table["from"] == bucket) & (table["rate"] == rate)].sort_values("month")
            if part.empty:
                axes.set_axis_off()
                continue
            _one_rate(axes, part, unlike)
            name = f"{bucket}+" if bucket == str(top_bucket) else bucket
            axes.set_title(texts.say(f"flow_panel_{rate}", lang, bucket=name), fontsize=9.5, pad=5)
            # A band is read against itself, not against zero; points at its edge must not be cut.
            axes.margins(y=0.14)
            style.percent_axis(axes.yaxis, lang)
    return figure


def _one_rate(axes: Axes, part: pd.DataFrame, unlike: Sequence[object]) -> None:
    months = part["month"].tolist()
    value = part["value"].astype(float)
    axes.fill_between(
        months, part["watch_low"].astype(float), part["watch_high"].astype(float), color=style.PRIMARY, alpha=0.13, linewidth=0
    )
    axes.plot(months, part["centre"].astype(float), color=style.MUTED, linewidth=1.0, linestyle="--")
    axes.plot(months, value, color=style.PRIMARY, linewidth=1.2)
    marked = part["month"].isin(list(unlike)).to_numpy()
    far = part["side"].isin(["above", "below"]).to_numpy()
    for position, month in enumerate(months):
        colour, marker = (style.ACCENT, "s") if far[position] else (style.PRIMARY, "o")
        face = "white" if marked[position] else colour
        axes.plot([month], [value.iloc[position]], marker=marker, markersize=4.5, color=colour, markerfacecolor=face)
    # The last month always has its name.
    axes.set_xticks(months[:: -max(1, len(months) // _TICKS)])
    axes.xaxis.set_major_formatter(dates.DateFormatter("%m/%y"))
    axes.tick_params(labelsize=8)


def projection(table: pd.DataFrame, *, lang: str, buckets: Sequence[str], top_bucket: int) -> Figure | Axes:
    """How many of today's accounts will stand in each bucket in the coming months? One panel per bucket.

    Columns: step, state, value, low, high (the band eight futures of ten fall into).
    """
    told = table[table["state"].isin(list(buckets)) & table["value"].notna()]
    if told.empty:
        return style.nothing(texts.phrase(str(table["note"].iloc[0]), lang))
    names = [name for name in buckets if name in set(told["state"])]
    columns = 3
    rows = -(-len(names) // columns)
    figure, panels = _panels(rows, columns)
    for place in range(rows * columns):
        axes = panels[place // columns][place % columns]
        if place >= len(names):
            axes.set_axis_off()
            continue
        part = told[told["state"] == names[place]].sort_values("step")
        axes.fill_between(part["step"], part["low"].astype(float), part["high"].astype(float), color=style.PRIMARY, alpha=0.16, linewidth=0)
        axes.plot(part["step"], part["value"].astype(float), color=style.PRIMARY, marker="o", markersize=3.5)
        name = f"{names[place]}+" if names[place] == str(top_bucket) else names[place]
        axes.set_title(texts.say("flow_bucket", lang, bucket=name), fontsize=9.5, pad=5)
        axes.set_ylim(bottom=0)
        axes.set_xticks(part["step"].tolist() if len(part) <= 8 else part["step"].tolist()[:: -(-len(part) // 6)])
        style.number_axis(axes.yaxis, lang)
        axes.tick_params(labelsize=8)
    figure.supxlabel(texts.say("flow_axis_months_ahead", lang), fontsize=9.5)
    return figure


def _panels(rows: int, columns: int) -> tuple[Figure, list[list[Axes]]]:
    matplotlib.rcParams.update(style.STYLE)
    figure = Figure(figsize=(style.SIZES["wide"][0], 0.5 + _PANEL_HEIGHT * rows))
    grid = figure.subplots(rows, columns, squeeze=False)
    return figure, [list(row) for row in grid]
