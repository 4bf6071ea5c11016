"""Figures of a test monitor: the effect at every look with the interval that holds, weeks of work and of assignment."""

from datetime import date, datetime, time

import matplotlib.dates as dates
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from collect_analysis.report import texts
from collect_analysis.report.figures import style
from collect_analysis.report.figures.curves import line_curves
from collect_analysis.report.texts import formats

# Valid intervals of the first looks are far wider than anything a reader needs; the axis shows this many times the naive ones.
_ROOM = 1.6
_TICKS = 5


def effect_at_looks(table: pd.DataFrame, *, lang: str, unit: str, currency: str, margin_relative: float) -> Axes:
    """May the test stop? The difference at every look, the interval that holds for all looks, and the plain one that does not.

    Columns: look_day, arm, base_mean, value, low, high, naive_low, naive_high, crossed, used. The first look at which the valid interval
    left zero is marked. Several challengers have a colour each, and the first one's plain interval only is drawn.
    """
    drawn = table[table["value"].notna() & table["used"]]
    if drawn.empty:
        return style.nothing(texts.say("monitor_no_looks", lang))
    ax = style.new_axes()
    arms = sorted(set(drawn["arm"]))
    for place, arm in enumerate(arms):
        own = drawn[drawn["arm"] == arm]
        days = own["look_day"].tolist()
        colour = style.PALETTE[place]
        name = texts.say("monitor_line_effect", lang) if len(arms) == 1 else texts.value("arm", str(arm), lang)
        ax.plot(days, own["value"], color=colour, marker="o", markersize=3.5, label=name)
        if len(own) == 1:
            # A band over one day has no width: a single look is drawn as bars.
            _bars(ax, own, colour, lang)
            continue
        ax.fill_between(
            days, own["low"], own["high"], color=colour, alpha=0.16, linewidth=0, label=_once(place, "monitor_line_valid", lang)
        )
        if place == 0:
            for side, shown in (("naive_low", texts.say("monitor_line_naive", lang)), ("naive_high", None)):
                ax.plot(days, own[side], color=style.MUTED, linestyle=style.DASHES[2], linewidth=1.2, label=shown)
    firsts = drawn[drawn["crossed"] != ""].groupby("arm").head(1)
    if len(firsts):
        shown = texts.say("monitor_line_crossed", lang)
        ax.plot(firsts["look_day"].tolist(), firsts["value"], marker="s", markersize=9, color=style.ACCENT, linestyle="", label=shown)
    ax.axhline(0, color=style.INK, linewidth=1.0)
    least = margin_relative * float(drawn["base_mean"].iloc[-1])
    if least:
        ax.axhline(least, color=style.GOOD, linewidth=1.0, linestyle=style.DASHES[1], label=texts.say("monitor_line_margin", lang))
    _window(ax, drawn, least)
    axis = texts.say("monitor_axis_effect", lang)
    label = f"{axis} ({texts.say('percentage_points', lang)})" if unit == "share" else axis
    style.outcome_axis(ax.yaxis, unit, label, currency=currency, lang=lang)
    _day_axis(ax, drawn["look_day"], lang)
    ax.set_xlabel(texts.say("monitor_axis_look", lang))
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=2)
    return ax


def _bars(ax: Axes, own: pd.DataFrame, colour: str, lang: str) -> None:
    """The two intervals of a single look, upright, the valid one broad."""
    row = own.iloc[0]
    ax.vlines(row["look_day"], row["low"], row["high"], color=colour, alpha=0.3, linewidth=12, label=texts.say("monitor_line_valid", lang))
    plain = texts.say("monitor_line_naive", lang)
    ax.vlines(row["look_day"], row["naive_low"], row["naive_high"], color=style.MUTED, linestyle="dotted", linewidth=1.6, label=plain)


def _once(place: int, key: str, lang: str) -> str | None:
    return texts.say(key, lang) if place == 0 else None


def _window(ax: Axes, drawn: pd.DataFrame, least: float) -> None:
    edges = np.abs(drawn[["naive_low", "naive_high"]].to_numpy(dtype=float))
    late = np.nanmedian(edges.max(axis=1))
    most = max(_ROOM * late, 1.1 * float(drawn["value"].abs().max()), 1.5 * abs(least))
    ax.set_ylim(-most, most)


def _day_axis(ax: Axes, days: pd.Series, lang: str) -> None:
    """Days on the axis as the language writes them, at most five."""
    ordered = sorted(set(days))
    chosen = [ordered[place] for place in sorted(set(np.linspace(0, len(ordered) - 1, min(_TICKS, len(ordered))).round().astype(int)))]
    ax.set_xticks(dates.date2num([_noon(day) for day in chosen]))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda number, _: formats.day(dates.num2date(number).date(), lang)))


def _noon(day: date) -> datetime:
    return datetime.combine(day, time.min)


def allocation_by_week(table: pd.DataFrame, *, lang: str, champion: str) -> Axes:
    """Did every arm get its share, week by week? Columns: week, arm, planned, value, low, high; the planned share is dashed."""
    drawn = table[table["arm"] != champion]
    if drawn["week"].nunique() < 2:
        return style.nothing(texts.say("monitor_one_week", lang))
    ax = line_curves(
        drawn.assign(arm=[texts.value("arm", str(arm), lang) for arm in drawn["arm"]]),
        x="week",
        xlabel=texts.say("monitor_axis_entry", lang),
        ylabel=texts.say("monitor_axis_share", lang),
        lang=lang,
        curve="arm",
        percent=True,
    )
    for share in sorted(set(drawn["planned"].dropna())):
        ax.axhline(share, color=style.MUTED, linewidth=1.0, linestyle="--")
    _day_axis(ax, drawn["week"], lang)
    return ax


def dose_by_week(table: pd.DataFrame, *, lang: str) -> Axes:
    """How much more was each challenger worked than the champion, week by week? Columns: outcome, week, arm, relative and its bounds."""
    known = table.dropna(subset=["relative"])
    if known["week"].nunique() < 2:
        return style.nothing(texts.say("monitor_few_weeks", lang))
    names = [texts.value("outcome", str(item), lang) for item in known["outcome"]]
    several = len(set(known["arm"])) > 1
    labels = [f"{name} · {texts.value('arm', str(arm), lang)}" if several else name for name, arm in zip(names, known["arm"], strict=True)]
    ax = line_curves(
        known.assign(label=labels),
        x="week",
        xlabel=texts.say("monitor_axis_week", lang),
        ylabel=texts.say("monitor_axis_dose", lang),
        lang=lang,
        value="relative",
        low="relative_low",
        high="relative_high",
        curve="label",
        percent=True,
    )
    ax.axhline(0, color=style.INK, linewidth=1.0)
    most = max(1.5 * float(known["relative"].abs().quantile(0.9)), 0.1)
    ax.set_ylim(max(-most, -1.0), 2 * most)
    _day_axis(ax, known["week"], lang)
    return ax
