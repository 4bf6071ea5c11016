"""Figures of time to payment and time to cure."""

import pandas as pd
from matplotlib.axes import Axes

from collect_analysis.reporting import texts
from collect_analysis.reporting.figures import style
from collect_analysis.reporting.figures.curves import line_curves


def incidence(table: pd.DataFrame, *, event: str, reason: str, lang: str) -> Axes:
    """Which share of each arm has come to the event by each day? Columns: arm, end, time, value, low, high; `reason`: why there is none."""
    own = table[table["end"] == event]
    if reason or own.empty:
        return style.nothing(texts.phrase(reason, lang) or texts.say("no_exits", lang))
    days = pd.RangeIndex(int(own["time"].max()) + 1)
    # A share stays what it was until the next day on which somebody comes to the end.
    stepped = [
        part.set_index("time")[["value", "low", "high"]].reindex(days, method="ffill").rename_axis("time").reset_index().assign(arm=arm)
        for arm, part in own.groupby("arm", sort=False)
    ]
    label = texts.say("axis_incidence", lang, event=texts.value("end", event, lang).lower())
    drawn = pd.concat(stepped, ignore_index=True)
    return line_curves(drawn, x="time", xlabel=texts.say("axis_day", lang), ylabel=label, lang=lang, curve="arm", percent=True)
