"""Could the cases have been in either arm, and are they alike once weighted: propensities mirrored by arm above, balance below."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from collect_analysis.reporting import texts
from collect_analysis.reporting.figures import style

_TOP, _ROW = 2.9, 0.3


def overlap_and_balance(points: pd.DataFrame, *, arms: tuple[str, str], trim: tuple[float, float], most: float, lang: str) -> Axes:
    """The chance of the treatment in both arms, and each covariate's standardised difference before and after weighting.

    Columns of `points`: panel (propensity, balance), name (arm, or covariate), low, high (bounds of a bin), value (share of the arm in the
    bin, or difference before weighting), after (difference after weighting). `arms`: treated above, untreated below. `trim`: bounds of the
    overlap region, `most`: the largest difference that counts as balanced.
    """
    shares, balance = points[points["panel"] == "propensity"], points[points["panel"] == "balance"]
    if shares["value"].dropna().empty:
        return style.nothing(texts.say("overlap_no_figure", lang))
    figure = style.new_axes("tall").figure
    figure.clear()
    heights = [_TOP, 0.9 + _ROW * max(len(balance), 2)]
    figure.set_figheight(sum(heights) + 0.6)  # type: ignore[union-attr]
    above, below = figure.subplots(2, 1, height_ratios=heights)
    _mirrored(above, shares, arms, trim, lang)
    _love_plot(below, balance, most, lang)
    return above


def _mirrored(axes: Axes, shares: pd.DataFrame, arms: tuple[str, str], trim: tuple[float, float], lang: str) -> None:
    for arm, sign, colour in zip(arms, (1.0, -1.0), (style.PRIMARY, style.ACCENT), strict=True):
        own = shares[shares["name"] == arm]
        axes.bar(own["low"], sign * own["value"], width=own["high"] - own["low"], align="edge", color=colour, label=arm, edgecolor="white")
    axes.axhline(0, color=style.INK, linewidth=0.8)
    for bound in (item for item in trim if 0 < item < 1):
        axes.axvline(bound, color=style.MUTED, linewidth=1.0, linestyle="--")
    most = float(shares["value"].max())
    axes.set(xlim=(0, 1), ylim=(-1.1 * most, 1.1 * most), title=texts.say("overlap_title", lang))
    axes.set(xlabel=texts.say("axis_propensity", lang), ylabel=texts.say("axis_share_of_arm", lang))
    axes.legend(loc="upper right")
    style.percent_axis(axes.xaxis, lang)
    ticks = [tick for tick in axes.get_yticks() if abs(tick) <= 1.1 * most]
    axes.set_yticks(ticks, [f"{texts.formats.number(abs(100 * tick), lang, digits=0)} %" for tick in ticks])


def _love_plot(axes: Axes, balance: pd.DataFrame, most: float, lang: str) -> None:
    places = np.arange(len(balance))
    for place, (before, after) in enumerate(zip(balance["value"], balance["after"], strict=True)):
        axes.plot([before, after], [place, place], color=style.RULE, linewidth=1.6, zorder=1)
    axes.plot(balance["value"], places, "s", color=style.ACCENT, markersize=6, label=texts.say("balance_before", lang))
    axes.plot(balance["after"], places, "o", color=style.PRIMARY, markersize=6.5, label=texts.say("balance_after", lang))
    axes.axvline(0, color=style.INK, linewidth=0.8)
    for bound in (-most, most):
        axes.axvline(bound, color=style.MUTED, linewidth=1.0, linestyle="--")
    axes.set_yticks(places, [covariate_name(str(name), lang) for name in balance["name"]])
    axes.set_ylim(len(balance) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.set(xlabel=texts.say("axis_balance", lang), title=texts.say("balance_title", lang))
    axes.legend(loc="best")
    style.number_axis(axes.xaxis, lang)


def covariate_name(column: str, lang: str) -> str:
    """What a covariate is called; of a code (`region: north`) the level stands beside it."""
    name, separator, level = column.partition(": ")
    return texts.value("covariate", name, lang) + separator + texts.value("covariate_level", level, lang)
