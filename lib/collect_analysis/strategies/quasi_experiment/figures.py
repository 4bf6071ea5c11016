"""Figures of quasi-experiments: a cut-off, an event study, the answer under other choices."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from collect_analysis.report import texts
from collect_analysis.report.figures import style
from collect_analysis.report.figures.intervals import interval_plot

_BEFORE = -0.5
_TICKS = 7


def cut_off_plot(
    points: pd.DataFrame, *, cutoff: float, unit: str, running_unit: str, currency: str, lang: str, xlabel: str, ylabel: str
) -> Axes:
    """Does the outcome jump where the rule switches? Dots are means of neighbouring cases, lines the fits that meet the cut-off.

    Columns: series (cases, fit), side, running (in `running_unit`), value (in `unit`).
    """
    drawn = points.dropna(subset=["value"])
    if drawn.empty:
        return style.nothing(texts.say("no_points", lang))
    axes = style.new_axes()
    for side, colour, marker in (("below", style.PRIMARY, "o"), ("above", style.ACCENT, "s")):
        own = drawn[drawn["side"] == side]
        dots, line = own[own["series"] == "cases"], own[own["series"] == "fit"]
        axes.plot(
            dots["running"], dots["value"], linestyle="", marker=marker, color=colour, markeredgecolor="white", markersize=6, alpha=0.75
        )
        axes.plot(line["running"], line["value"], color=colour, linewidth=2.4)
    axes.axvline(cutoff, color=style.MUTED, linewidth=1.0, linestyle="--", zorder=1)
    axes.xaxis.set_major_locator(MaxNLocator(_TICKS))
    style.outcome_axis(axes.xaxis, running_unit, xlabel, currency=currency, lang=lang)
    style.outcome_axis(axes.yaxis, unit, ylabel, currency=currency, lang=lang)
    return axes


def event_study_plot(points: pd.DataFrame, *, unit: str, currency: str, lang: str, period: str) -> Axes:
    """Was nothing there before the start, and how did the effect grow after it? Columns: at (periods since the start), value, low, high."""
    drawn = points.dropna(subset=["value"])
    if drawn.empty:
        return style.nothing(texts.say("no_points", lang))
    axes = style.new_axes()
    for after, colour, marker in ((False, style.MUTED, "o"), (True, style.PRIMARY, "s")):
        own = drawn[(drawn["at"] > _BEFORE) == after]
        axes.vlines(own["at"], own["low"], own["high"], color=colour, linewidth=2.0)
        axes.plot(own["at"], own["value"], linestyle="", marker=marker, color=colour, markeredgecolor="white", markersize=6)
    axes.axhline(0, color=style.MUTED, linewidth=1.0)
    axes.axvline(_BEFORE, color=style.MUTED, linewidth=1.0, linestyle="--")
    axes.set_xlabel(texts.say(f"axis_since_start_{period}", lang))
    style.outcome_axis(axes.yaxis, unit, texts.say("axis_effect", lang), currency=currency, lang=lang)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    style.number_axis(axes.xaxis, lang, digits=0)
    return axes


def choices_plot(choices: pd.DataFrame, naive: pd.DataFrame, *, unit: str, currency: str, lang: str) -> Axes:
    """Would other choices have said something else? The answer first, marked; then one line per choice (check, at, value, low, high)."""
    answer = naive[naive["comparison"] == "answer"].assign(label=texts.value("comparison", "answer", lang), answer=True)
    names = [f"{texts.value('check', str(row['check']), lang)}: {row['at']}" for row in choices.to_dict("records")]
    table = pd.concat([answer, choices.assign(label=names, answer=False)], ignore_index=True)
    if table["value"].isna().all():
        return style.nothing(texts.say("no_points", lang))
    axes = interval_plot(table, label="label", xlabel="", lang=lang, highlight="answer")
    style.outcome_axis(axes.xaxis, unit, texts.say("axis_effect", lang), currency=currency, lang=lang)
    return axes
