"""Figures of time to payment and time to cure."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes

from collect_analysis.report import texts
from collect_analysis.report.figures import style
from collect_analysis.report.figures.curves import line_curves


def incidence(table: pd.DataFrame, *, event: str, reason: str, arms: Sequence[str], horizon_days: int, lang: str) -> Axes:
    """Which share of each arm (in the order of `arms`) has come to the event by each day up to the horizon?

    Columns: arm, end, time, value, low, high. `reason`: why there is nothing to draw, else empty.
    """
    own = table[table["end"] == event]
    if reason or own.empty:
        return style.nothing(texts.phrase(reason, lang) or texts.say("no_exits", lang))
    days = pd.RangeIndex(horizon_days + 1)
    # A share stays what it was until the next day on which somebody comes to the end.
    stepped = [
        own[own["arm"] == arm]
        .set_index("time")[["value", "low", "high"]]
        .reindex(days, method="ffill")
        .rename_axis("time")
        .assign(arm=texts.value("arm", str(arm), lang))
        for arm in arms
        if (own["arm"] == arm).any()
    ]
    label = texts.say("axis_incidence", lang, event=texts.value("end", event, lang).lower())
    drawn = pd.concat(stepped).reset_index()
    return line_curves(drawn, x="time", xlabel=texts.say("axis_day", lang), ylabel=label, lang=lang, curve="arm", percent=True)
