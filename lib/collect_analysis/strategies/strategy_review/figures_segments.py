"""Figure of effects by segment: as measured, and drawn to the overall effect."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from collect_analysis.report import texts
from collect_analysis.report.figures import style

APART = 0.16


def forest(effects: pd.DataFrame, overall: pd.DataFrame, *, currency: str, lang: str) -> Axes:
    """Does any segment gain more than the others? Two lines per level: the effect as measured and, thick, drawn to the overall one.

    `effects`: segment, level, arm (all as shown), scale, unit, relative or value with bounds, shrunk, shrunk_low, shrunk_high. `overall`:
    value per segment and arm, drawn as a dashed line where there is one comparison only.
    """
    drawn = effects[effects["shrunk"].notna()]
    if drawn.empty:
        return style.nothing(texts.say("no_segments_drawn", lang))
    relative = bool((drawn["scale"] == "relative").all())
    raw = ["relative", "relative_low", "relative_high"] if relative else ["value", "low", "high"]
    axes = style.new_axes(rows=len(drawn) + 1)
    axes.axvline(0, color=style.MUTED, linewidth=1.0, zorder=1)
    if len(overall) == 1:
        axes.axvline(float(overall["value"].iloc[0]), color=style.GOOD, linewidth=1.2, linestyle="--", zorder=1)
    for position, row in enumerate(drawn.to_dict("records")):
        _interval(axes, [float(row[name]) for name in raw], position - APART, style.MUTED, "o", 1.2)
        _interval(axes, [float(row[name]) for name in ("shrunk", "shrunk_low", "shrunk_high")], position + APART, style.PRIMARY, "s", 2.6)
    several = len(set(drawn["arm"])) > 1
    labels = [
        f"{row['segment']}: {row['level']}" + (f" · {texts.value('arm', str(row['arm']), lang)}" if several else "")
        for row in drawn.to_dict("records")
    ]
    axes.set_yticks(range(len(drawn)), labels)
    axes.set_ylim(len(drawn) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    label = texts.say("axis_segment_relative" if relative else "axis_segment_absolute", lang)
    style.outcome_axis(axes.xaxis, "share" if relative else str(drawn["unit"].iloc[0]), label, currency=currency, lang=lang)
    _name_marks(axes, lang, with_overall=len(overall) == 1)
    return axes


def _interval(axes: Axes, bounds: list[float], height: float, colour: str, marker: str, width: float) -> None:
    value, low, high = bounds
    axes.plot([low, high], [height, height], color=colour, linewidth=width, solid_capstyle="butt", zorder=2)
    axes.plot([value], [height], marker=marker, color=colour, markersize=6, markeredgecolor="white", zorder=3)


def _name_marks(axes: Axes, lang: str, *, with_overall: bool) -> None:
    marks = [
        Line2D([], [], color=style.MUTED, marker="o", linewidth=1.2, label=texts.say("as_measured", lang)),
        Line2D([], [], color=style.PRIMARY, marker="s", linewidth=2.6, label=texts.say("drawn_to_overall", lang)),
    ]
    if with_overall:
        marks.append(Line2D([], [], color=style.GOOD, linestyle="--", linewidth=1.2, label=texts.say("overall_effect", lang)))
    axes.legend(handles=marks, loc="upper center", bbox_to_anchor=(0.5, -0.22 if len(axes.get_yticks()) > 3 else -0.3), ncols=len(marks))
