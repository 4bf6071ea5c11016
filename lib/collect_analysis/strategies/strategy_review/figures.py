"""Figures of a strategy review."""

import pandas as pd
from matplotlib.axes import Axes

from collect_analysis.report import texts
from collect_analysis.report.figures import style
from collect_analysis.report.figures.curves import line_curves
from collect_analysis.report.figures.intervals import interval_plot


def effects_by_horizon(table: pd.DataFrame, *, lang: str, horizon_days: int) -> Axes:
    """Does the relative effect hold at every horizon? One line per outcome, arm and horizon; the primary horizon stands out.

    Columns: outcome, arm, horizon_days, relative, relative_low, relative_high.
    """
    days = [texts.say("days", lang, days=item) for item in table["horizon_days"]]
    labels = [f"{name} · {item}" for name, item in zip(_names(table, lang), days, strict=True)]
    drawn = table.assign(label=labels, primary=table["horizon_days"] == horizon_days)
    return interval_plot(
        drawn,
        label="label",
        xlabel=texts.say("axis_relative_effect", lang),
        lang=lang,
        value="relative",
        low="relative_low",
        high="relative_high",
        percent=True,
        highlight="primary",
    )


def _names(table: pd.DataFrame, lang: str) -> list[str]:
    """What each row is about: the outcome, and the arm where there are several."""
    outcomes = [texts.value("outcome", str(item), lang) for item in table["outcome"]]
    if len(set(table["arm"])) < 2:
        return outcomes
    return [f"{outcome} · {texts.value('arm', str(arm), lang)}" for outcome, arm in zip(outcomes, table["arm"], strict=True)]


def cumulative_recovery(table: pd.DataFrame, *, lang: str, currency: str) -> Axes:
    """When does the money come, and do the arms part? Columns: arm, day, value, low, high (minor units per account)."""
    if table["value"].dropna().empty:
        return style.nothing(texts.say("no_daily_cash", lang))
    named = table.assign(arm=[texts.value("arm", str(arm), lang) for arm in table["arm"]])
    axes = line_curves(named, x="day", xlabel=texts.say("axis_day", lang), ylabel="", lang=lang, curve="arm")
    unit = style.money_axis(axes.yaxis, float(table["high"].max()), currency, lang)
    axes.set_ylabel(texts.say("axis_cash_per_account", lang, unit=unit))
    return axes
