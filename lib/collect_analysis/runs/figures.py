"""A recorded number over the slots of its report."""

from collections.abc import Sequence
from itertools import pairwise

import pandas as pd
from matplotlib.axes import Axes

from collect_analysis.report import texts
from collect_analysis.report.figures import style

MOST_SERIES = len(style.PALETTE)


def over_slots(table: pd.DataFrame, *, lang: str, currency: str = "", breaks: Sequence[str] = ()) -> Axes:
    """How did the number move, and does it move by more than its interval?

    `table` has columns slot, series, value, low, high, unit, in the order of time. One line per series (at most seven: the first ones), a
    point per slot with its interval; an undefined value leaves a gap. A dashed upright line stands before every slot of `breaks`: from there
    on the number is defined otherwise, and the line of values is not drawn across it.
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
        for number, (first, last) in enumerate(_stretches(slots, breaks)):
            ax.plot(
                places[first:last], part["value"].iloc[first:last], color=colour, linestyle=style.DASHES[position], marker=marker,
                label=(name or None) if number == 0 else None,
            )  # fmt: skip
    ax.set_xticks(range(len(slots)), slots, rotation=0 if len(slots) <= 4 else 30, ha="center" if len(slots) <= 4 else "right")
    ax.set_xlim(-0.6, len(slots) - 0.4)
    _mark_breaks(ax, slots, breaks, lang)
    units = set(table["unit"])
    unit = str(table["unit"].iloc[0]) if len(units) == 1 else ""
    named = {"share": texts.label("share", lang), "minor": ""}
    label = named.get(unit, ", ".join(sorted(texts.value("unit", str(item), lang) for item in units)))
    style.outcome_axis(ax.yaxis, unit, label, currency=currency, lang=lang)
    if len(names) > 1:
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderaxespad=0.2)
    return ax


def _stretches(slots: Sequence[str], breaks: Sequence[str]) -> list[tuple[int, int]]:
    """Runs of slots with one definition, as first place and place after the last."""
    edges = [0, *(place for place, slot in enumerate(slots) if slot in breaks and place > 0), len(slots)]
    return list(pairwise(edges))


def _mark_breaks(ax: Axes, slots: Sequence[str], breaks: Sequence[str], lang: str) -> None:
    for place, slot in enumerate(slots):
        if slot in breaks:
            ax.axvline(place - 0.5, color=style.MUTED, linestyle="--", linewidth=1)
            ax.annotate(
                texts.say("definition_break", lang), (place - 0.5, 1), xycoords=("data", "axes fraction"), xytext=(3, -3),
                textcoords="offset points", va="top", fontsize="small", color=style.MUTED,
            )  # fmt: skip
