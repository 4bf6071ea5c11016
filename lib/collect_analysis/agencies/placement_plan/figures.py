"""Figures of a plan of the next placements."""

import pandas as pd
from matplotlib.axes import Axes

from collect_analysis.report.figures import style
from collect_analysis.report.texts import formats, say


def recalls(table: pd.DataFrame, *, lang: str) -> Axes:
    """How many accounts come back from each unit, and how many stay although the rule names them? Columns: unit_name, verdict, cases."""
    told = table[table["verdict"] != "stays"]
    if told.empty:
        return style.nothing(say("plan_no_recalls", lang))
    wide = told.pivot_table(index="unit_name", columns="verdict", values="cases", aggfunc="sum").fillna(0)
    wide = wide.reindex(columns=["recall", "left"], fill_value=0).sort_index(ascending=False)
    axes = style.new_axes(rows=len(wide) + 1)
    axes.barh(wide.index, wide["recall"], color=style.PRIMARY, height=0.6, label=say("plan_back", lang), zorder=3)
    axes.barh(wide.index, wide["left"], left=wide["recall"], color=style.RULE, height=0.6, label=say("plan_left", lang), zorder=3)
    for place, count in enumerate(wide["recall"]):
        axes.annotate(
            formats.number(count, lang), (0, place), xytext=(5, 0), textcoords="offset points", va="center", color="white", fontsize=9
        )
    axes.xaxis.set_major_formatter(lambda value, _: formats.number(value, lang))
    axes.set_xlabel(say("plan_axis_accounts", lang))
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0.2)
    return axes
