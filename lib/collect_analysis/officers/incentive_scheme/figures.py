"""Figures of a pay scheme."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from collect_analysis.report import texts
from collect_analysis.report.figures import style
from collect_analysis.report.texts import formats, say

_COLOURS = {"today": style.MUTED, "proposed": style.PRIMARY, "changed": style.GOOD}
_DASHES = {"today": style.DASHES[1], "proposed": "-", "changed": style.DASHES[2]}


def _absent(table: pd.DataFrame, column: str, lang: str) -> Axes | None:
    if column in table and len(table):
        return None
    return style.nothing(str(table["note"].iloc[0]) if "note" in table and len(table) else say("scheme_nothing", lang))


def _schemes(table: pd.DataFrame) -> list[str]:
    return list(dict.fromkeys(str(name) for name in table["scheme"]))


def cost(table: pd.DataFrame, *, lang: str, currency: str) -> Axes:
    """Cost of each month under each scheme, with the band of officers drawn anew. Columns: scheme, month, value, low, high."""
    absent = _absent(table, "month", lang)
    if absent is not None:
        return absent
    axes = style.new_axes()
    months = sorted(set(table["month"]))
    at = np.arange(len(months))
    for name in _schemes(table):
        part = table[table["scheme"] == name].set_index("month").reindex(months)
        colour = _COLOURS[name]
        axes.plot(at, part["value"], color=colour, linestyle=_DASHES[name], label=texts.value("scheme", name, lang))
        axes.fill_between(at, part["low"].astype(float), part["high"].astype(float), color=colour, alpha=0.13, linewidth=0)
    every = 1 if len(months) <= 6 else 2
    axes.set_xticks(at[::every], [_month(month, lang) for month in months[::every]])
    unit = style.money_axis(axes.yaxis, float(table["high"].max()), currency, lang)
    axes.set_ylim(bottom=0)
    axes.set(xlabel="", ylabel=say("scheme_axis_cost", lang, unit=unit))
    axes.legend(loc="best")
    return axes


def _month(day: object, lang: str) -> str:
    stamp = pd.Timestamp(str(day))
    return f"{stamp.month:02d}/{stamp.year}" if lang == "vi" else f"{stamp.year}-{stamp.month:02d}"


def pay_curve(table: pd.DataFrame, *, lang: str, currency: str) -> Axes:
    """Pay of a month by own attainment under each scheme; a jump is a vertical line. Columns: scheme, attainment, value."""
    absent = _absent(table, "attainment", lang)
    if absent is not None:
        return absent
    axes = style.new_axes()
    for name in _schemes(table):
        part = table[table["scheme"] == name]
        axes.plot(part["attainment"], part["value"], color=_COLOURS[name], linestyle=_DASHES[name], label=texts.value("scheme", name, lang))
    style.percent_axis(axes.xaxis, lang)
    unit = style.money_axis(axes.yaxis, float(table["value"].max()), currency, lang)
    axes.set(xlabel=say("scheme_axis_attainment", lang), ylabel=say("scheme_axis_pay", lang, unit=unit))
    axes.legend(loc="upper left")
    return axes


def games(table: pd.DataFrame, *, lang: str, limit: float) -> Axes:
    """Pay gained by each way of gaming as a share of all pay, under each scheme, beside the limit. Columns: scheme, game, value."""
    absent = _absent(table, "game", lang)
    if absent is not None:
        return absent
    names, channels = _schemes(table), list(dict.fromkeys(table["game"]))
    axes = style.new_axes(rows=len(channels) * len(names) // 2 + 2)
    height = 0.8 / len(names)
    for place, name in enumerate(names):
        part = table[table["scheme"] == name].set_index("game")["value"].reindex(channels).astype(float)
        at = np.arange(len(channels)) - 0.4 + height * (place + 0.5)
        axes.barh(at, part.fillna(0.0), height=height * 0.9, color=_COLOURS[name], label=texts.value("scheme", name, lang), zorder=3)
        for y, value in zip(at, part, strict=True):
            text = formats.share(value, lang) if np.isfinite(value) and value > 0 else formats.share(0.0, lang, digits=0)
            at_end, box = (max(np.nan_to_num(value), 0.0), y), {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
            axes.annotate(text, at_end, xytext=(4, 0), textcoords="offset points", va="center", fontsize=8, bbox=box, zorder=5)
    axes.axvline(limit, color=style.ACCENT, linewidth=1.0, linestyle="--", zorder=4)
    axes.set_yticks(range(len(channels)), [texts.value("game", channel, lang) for channel in channels])
    axes.set_ylim(len(channels) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.margins(x=0.12)
    style.percent_axis(axes.xaxis, lang)
    axes.set_xlabel(say("scheme_axis_games", lang))
    axes.legend(loc="lower right")
    return axes
