"""A recorded number over the slots of its report."""

import pandas as pd
from matplotlib.axes import Axes

from collect_analysis.reporting import texts
from collect_analysis.reporting.figures import style

MOST_SERIES = len(style.PALETTE)


def over_slots(table: pd.DataFrame, *, lang: str, currency: str = "") -> Axes:
    """How did the number move, and does it move by more than its interval?

    `table` has columns slot, series, value, low, high, unit, in the order of time. One line per series (at most seven: the first ones), a
    point per slot with its interval; an undefined value leaves a gap.
    """
    ax = style.new_axes("wide")
    slots = list(dict.fromkeys(table["slot"]))
    names = list(dict.fromkeys(table["series"]))[:MOST_SERIES]
    for position, name in enumerate(names):
        # Side by side, so that intervals of one slot do not hide each other.
        aside = (position - (len(names) - 1) / 2) * min(0.09, 0.5 / len(names))
        part = table[table["series"] == name].set_index("slot").reindex(slots)
        places = [place + aside for place in range(len(slots))]
        colour, marker = style.PALETTE[position], style.MARKERS[position]
        ax.vlines(places, part["low"], part["high"], color=colour, linewidth=1.6, alpha=0.7)
        ax.plot(places, part["value"], color=colour, linestyle=style.DASHES[position], marker=marker, label=name or None)
    ax.set_xticks(range(len(slots)), slots, rotation=0 if len(slots) <= 4 else 30, ha="center" if len(slots) <= 4 else "right")
    ax.set_xlim(-0.6, len(slots) - 0.4)
    units = set(table["unit"])
    if units == {"share"}:
        style.percent_axis(ax.yaxis, lang)
        ax.set_ylabel(texts.label("share", lang))
    elif units == {"minor"}:
        ax.set_ylabel(style.money_axis(ax.yaxis, float(table[["value", "high"]].abs().max().max()), currency, lang))
    else:
        style.number_axis(ax.yaxis, lang)
        ax.set_ylabel(", ".join(sorted(texts.value("unit", str(unit), lang) for unit in units)))
    if len(names) > 1:
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderaxespad=0.2)
    return ax
