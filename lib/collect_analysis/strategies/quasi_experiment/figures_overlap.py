"""Could the cases have been in either arm, and are they alike once weighted: propensities mirrored by arm above, balance below."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from collect_analysis.report import texts
from collect_analysis.report.figures import style

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
    """Each half has its own scale: one arm often crowds where the other is thin, and what matters is where both have somebody."""
    ticks: dict[float, str] = {0.0: "0 %"}
    for arm, sign, colour in zip(arms, (1.0, -1.0), (style.PRIMARY, style.ACCENT), strict=True):
        own = shares[shares["name"] == arm]
        most = float(own["value"].max()) or 1.0
        height = sign * own["value"] / most
        axes.bar(own["low"], height, width=own["high"] - own["low"], align="edge", color=colour, label=arm, edgecolor="white")
        ticks |= {sign * part: texts.formats.share(part * most, lang, digits=0 if most > 0.1 else 1) for part in (0.5, 1.0)}
    axes.axhline(0, color=style.INK, linewidth=0.8)
    for bound in (item for item in trim if 0 < item < 1):
        axes.axvline(bound, color=style.MUTED, linewidth=1.0, linestyle="--")
    axes.set(xlim=(0, 1), ylim=(-1.08, 1.08))
    axes.set(xlabel=texts.say("axis_propensity", lang), ylabel=texts.say("axis_share_of_arm", lang))
    _headed(axes, texts.say("overlap_title", lang))
    style.percent_axis(axes.xaxis, lang)
    axes.set_yticks(list(ticks), list(ticks.values()))


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
    axes.set(xlabel=texts.say("axis_balance", lang))
    _headed(axes, texts.say("balance_title", lang))
    style.number_axis(axes.xaxis, lang)


def _headed(axes: Axes, title: str) -> None:
    """Title, and under it the legend: arms have long names, and neither may hide the other or a bar."""
    axes.set_title(title, pad=26)
    axes.legend(loc="lower left", bbox_to_anchor=(0.0, 0.98), ncols=2, borderaxespad=0.2, handlelength=1.4)


def covariate_name(column: str, lang: str) -> str:
    """What a covariate is called; of a code (`region: north`) the level stands beside it."""
    name, separator, level = column.partition(": ")
    return texts.value("covariate", name, lang) + separator + texts.value("covariate_level", level, lang)
