"""Figures of a check of agencies for gaming."""

import pandas as pd
from matplotlib.axes import Axes

from collect_analysis.report import texts
from collect_analysis.report.figures import style
from collect_analysis.report.figures.intervals import interval_plot

# A mark per finding: shape and colour both tell, for print in grey.
_MARKS = {
    "strong": {"marker": "s", "color": style.ACCENT, "s": 120},
    "weak": {"marker": "D", "color": style.PALETTE[4], "s": 70},
    "none": {"marker": "o", "color": style.RULE, "s": 40},
    "not_judged": {"marker": "x", "color": style.MUTED, "s": 30},
}


def findings_map(table: pd.DataFrame, *, lang: str) -> Axes:
    """Which test found what at which agency? Columns: label (test), unit_name, finding. Tests from the top, agencies side by side."""
    if table.empty:
        return style.nothing(texts.say("ig_nothing", lang))
    tests, units = list(dict.fromkeys(table["label"])), list(dict.fromkeys(table["unit_name"]))
    axes = style.new_axes(rows=len(tests) + 1)
    for finding, mark in _MARKS.items():
        part = table[table["finding"] == finding]
        if len(part):
            at_x, at_y = [units.index(name) for name in part["unit_name"]], [tests.index(name) for name in part["label"]]
            axes.scatter(at_x, at_y, label=texts.value("ig_finding", finding, lang), zorder=3, **mark)  # type: ignore[arg-type]
    axes.set_yticks(range(len(tests)), tests)
    many = len(units) > 8
    axes.set_xticks(range(len(units)), units, rotation=60 if many else 0, ha="right" if many else "center")
    axes.set_xlim(-0.5, len(units) - 0.5)
    axes.set_ylim(len(tests) - 0.5, -0.5)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.legend(loc="upper center", bbox_to_anchor=(0.4, -0.01), ncols=4)
    return axes


def attention(table: pd.DataFrame, *, lang: str) -> Axes:
    """How many times the attempts of the rest do the most valuable accounts get? Columns: label, value, low, high, odd (flag)."""
    if table.empty:
        return style.nothing(texts.say("ig_not_asked", lang))
    return interval_plot(table, label="label", xlabel=texts.say("ig_axis_attention", lang), lang=lang, reference=1.0, highlight="odd")
