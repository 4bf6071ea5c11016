"""Figures that several reports about the portfolio draw."""

import pandas as pd
from matplotlib.axes import Axes

from collect_analysis.report import texts
from collect_analysis.report.figures import style
from collect_analysis.report.texts import formats

# Cells darker than this take white figures; shares below 0.05 % would read 0.0 and are left blank.
_DARK, _WRITTEN = 0.55, 0.0005


def roll_matrix(table: pd.DataFrame, *, lang: str, top_bucket: int) -> Axes:
    """Where did accounts go? Rows: bucket at the start of a month; columns: bucket or exit at its end; shares of the row, by count.

    Columns: version, from_bucket, to, value, denominator, note. A row without accounts stays white; one with a note rests on few.
    """
    if "value" not in table:
        return style.nothing(texts.phrase(str(table["note"].iloc[0]), lang))
    counted = table[table["version"] == "count"]
    rows, columns = list(dict.fromkeys(counted["from_bucket"])), list(dict.fromkeys(counted["to"]))
    cells = counted.set_index(["from_bucket", "to"])["value"].astype(float)
    shares = cells.reindex(pd.MultiIndex.from_product([rows, columns])).to_numpy().reshape(len(rows), len(columns))
    first = counted.drop_duplicates("from_bucket").set_index("from_bucket")
    labels = [_row(bucket, first.loc[bucket, "denominator"], bool(first.loc[bucket, "note"]), lang, top_bucket) for bucket in rows]
    axes = style.new_axes("wide", rows=len(rows) + 3)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row, values in enumerate(shares):
        for column, value in enumerate(values):
            if value >= _WRITTEN:
                colour = "white" if value > _DARK else style.INK
                text = formats.number(value * 100, lang, digits=0 if value >= 0.0995 else 1)
                axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=8)
    axes.set_xticks(range(len(columns)), [_state(name, lang, top_bucket) for name in columns], rotation=45, ha="right")
    axes.set_yticks(range(len(rows)), labels)
    axes.grid(visible=False)
    axes.set(xlabel=texts.say("kpi_axis_bucket_close", lang), ylabel=texts.say("kpi_axis_bucket_open", lang))
    return axes


def _state(name: str, lang: str, top_bucket: int) -> str:
    return f"{name}+" if name == str(top_bucket) else texts.value("to", name, lang)


def _row(bucket: int, accounts: float, few: bool, lang: str, top_bucket: int) -> str:
    count = f"n = {formats.number(accounts, lang)}"
    return f"{bucket}{'+' if bucket == top_bucket else ''}  ({texts.say('kpi_few', lang, count=count) if few else count})"
