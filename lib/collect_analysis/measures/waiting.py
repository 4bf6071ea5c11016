"""How long placed accounts wait for their first attempt and their first right-party contact (C13)."""

import ibis
import ibis.expr.types as ir
import pandas as pd

from collect_analysis.book.store import Book
from collect_analysis.measures.contact import is_attempt, is_right_party
from collect_analysis.measures.periods import KpiWindows, Period
from collect_analysis.measures.placements import placed
from collect_analysis.measures.scopes import COMPANY, within
from collect_analysis.methods.survival.survival import kaplan_meier

EVENTS = ("attempt", "right_party")
QUANTILES = {"median": 0.5, "p90": 0.9}
NOT_REACHED = "fewer than this share had it by the last day seen"
COLUMNS = ("unit_key", "event", "cases", "events", "median", "p90", "note")


def time_to_contact(book: Book, contacts: ir.Table, period: Period, windows: KpiWindows) -> pd.DataFrame:
    """How many days pass from placement to the first attempt, and to the first right-party contact?

    Placements made in the period with a unit; contacts of anybody on the account while the placement is in force. Who is still waiting at the
    end of the period is censored then, whose placement ended before on that day: a mean over the reached alone would be too short.
    Columns: unit_key (`all` for the company), event (attempt, right_party), cases (placements), events, median, p90 (days by which half, nine
    of ten had it; Kaplan-Meier), note. Sorted: the company, then units; attempt first. Undefined (NaN): fewer than that share had it by the
    last day seen.
    """
    base = placed(book, start=period.start, end=period.end).select("decision_key", "account_key", "unit_key", "from_date", "to_date")
    inside = contacts.filter(within(contacts.local_ts, period.start, period.end))
    touch = inside.filter(is_attempt(inside, windows) | is_right_party(inside))
    touch = touch.select(of_account="account_key", day=touch.local_ts.date(), tried=is_attempt(touch, windows), met=is_right_party(touch))
    pairs = base.left_join(
        touch,
        [base.account_key == touch.of_account, touch.day >= base.from_date, base.to_date.isnull() | (touch.day < base.to_date)],
    )
    first = pairs.group_by("decision_key", "unit_key", "from_date", "to_date").agg(
        attempt=pairs.day.min(where=pairs.tried), right_party=pairs.day.min(where=pairs.met)
    )
    last = ibis.least(first.to_date.fill_null(ibis.literal(period.end)), ibis.literal(period.end))
    parts = []
    for event in EVENTS:
        had = first[event].notnull()
        time = ibis.ifelse(had, first[event], last).delta(first.from_date, unit="day").cast("int64")
        timed = first.mutate(time=time, end=ibis.ifelse(had, event, "censored"))
        exits = book.frame(timed.group_by("unit_key", "time", "end").agg(count=timed.count()))
        parts += [_row(key, event, some) for key, some in [(COMPANY, exits), *exits.groupby("unit_key", sort=True)] if len(some)]
    table = pd.DataFrame(parts, columns=list(COLUMNS))
    order = table["unit_key"].where(table["unit_key"] != COMPANY, "")
    return table.assign(order=order).sort_values(["order", "event"], ignore_index=True)[list(COLUMNS)]


def _row(key: object, event: str, exits: pd.DataFrame) -> dict[str, object]:
    counts = exits.groupby(["time", "end"], as_index=False).agg(count=("count", "sum"))
    curve = kaplan_meier(counts)
    values = {}
    for name, share in QUANTILES.items():
        reached = curve.loc[curve["value"] <= 1 - share + 1e-12, "time"]
        values[name] = float(reached.iloc[0]) if len(reached) else float("nan")
    missing = [name for name, value in values.items() if value != value]
    events = int(counts.loc[counts["end"] == event, "count"].sum())
    note = f"{', '.join(missing)}: {NOT_REACHED}" if missing else ""
    return {"unit_key": str(key), "event": event, "cases": int(counts["count"].sum()), "events": events, **values, "note": note}
