"""How long a cure lasts (F7): what became of accounts after they were cured, month end by month end."""

import ibis
import numpy as np
import pandas as pd

from collect_analysis.measures.flow import EXITS
from collect_analysis.measures.placements import months_between
from collect_analysis.measures.transitions import Transitions
from collect_analysis.methods.rates.rates import rate_table
from collect_analysis.methods.survival.survival import kaplan_meier

RELAPSED, OPEN = "relapsed", "censored"
# Closed by paying: it cannot relapse, and counts as a cure that lasted. Whoever left otherwise was lost sight of.
CLOSED, LOST = ("paid_off", "settled"), ("written_off", "recalled", "sold")
LEFT_EARLY = "most of them left before the months were over: what they would have done is not known"
NOT_FOLLOWED = "no cure was followed for {months} months yet"
COLUMNS = ["month", "product_code", "from", "time", "end", "count"]


def after_cure(transitions: Transitions, *, follow: int) -> pd.DataFrame:
    """What became of every account cured in the period, over the `follow` month ends after its cure?

    Cured: open in bucket 1 or worse at a month end and current at the next one, by payment and not by restructuring. Columns: month (of the
    cure), product_code, from (bucket it was cured from), time (months after the cure), end, count. end: relapsed (in bucket 1 or worse at
    that month end), how it left, or censored (current when last seen). What happens between month ends is not seen. Sorted.
    """
    moves, ends = transitions.moves, transitions.ends
    cured = moves.filter(moves.state == "cured").select(
        cured_key="account_key", cured_on="month", product="product_code", cured_from="bucket"
    )
    joined = cured.left_join(ends, (cured.cured_key == ends.account_key) & (ends.month_end > cured.cured_on))
    joined = joined.mutate(offset=months_between(joined.month_end, joined.cured_on))
    # An exit holds unless a later month end says that the account is open.
    open_until = joined.month_end.max(where=joined.status == "open").over(ibis.window(group_by=[joined.cured_key, joined.cured_on]))
    joined = joined.mutate(undone=(open_until > joined.month_end).fill_null(False))
    inside = joined.offset <= follow
    left = inside & (joined.status != "open") & ~joined.undone
    followed = joined.group_by("cured_key", "cured_on", "product", "cured_from").agg(
        relapse=joined.offset.min(where=inside & (joined.status == "open") & (joined.bucket >= 1)),
        gone=joined.offset.min(where=left),
        how=joined.status.max(where=left),
        # A month without a row is a month not seen: the account is followed up to the last row before the gap.
        seen=joined.offset.nunique(where=inside & (joined.status == "open")),
    )
    never = follow + 1
    relapse, gone = followed.relapse.fill_null(never), followed.gone.fill_null(never)
    end = ibis.cases((relapse < gone, RELAPSED), (gone <= follow, followed.how), else_=OPEN)
    time = ibis.cases((relapse < gone, relapse), (gone <= follow, gone), else_=followed.seen.fill_null(0))
    told = followed.select(month="cured_on", product_code="product", cured_from="cured_from", time=time.cast("int64"), end=end)
    counts = transitions.book.frame(told.group_by("month", "product_code", "cured_from", "time", "end").agg(count=told.count()))
    counts = counts.assign(month=pd.to_datetime(counts["month"]).dt.date, **{"from": counts["cured_from"].astype(int).astype(str)})
    return counts.sort_values(COLUMNS[:-1], ignore_index=True)[COLUMNS]


def sustained(after: pd.DataFrame, *, months: int, last_month: object, by: list[str]) -> pd.DataFrame:
    """Which share of cures lasted (F7)? Only cures old enough to be followed for all of the `months`.

    `after` is the table of `after_cure`, `last_month` the last month end of the book. Columns: by, numerator (cured and not in bucket 1 or
    worse at any of the month ends), denominator (cured), value, low, high (Wilson), left (of the numerator: written off, recalled or sold
    before the months were over), all_cohorts (the same share from all cures, by Kaplan-Meier, those who left taken as lost sight of), note.
    Undefined (NaN + note): no cure is old enough.
    """
    old = pd.to_datetime(after["month"]) + pd.offsets.MonthEnd(months) <= pd.Timestamp(str(last_month))
    rows = []
    for key, part in after.groupby(by, sort=True) if by else [((), after)]:
        whole = part[old.loc[part.index]]
        within = whole["time"] <= months
        relapsed = int(whole.loc[within & (whole["end"] == RELAPSED), "count"].sum())
        total = int(whole["count"].sum())
        left = int(whole.loc[within & whole["end"].isin(LOST), "count"].sum())
        names = dict(zip(by, key, strict=True)) if by else {}
        row = {**names, "numerator": total - relapsed, "denominator": total, "left": left, "all_cohorts": _kaplan_meier(part, months)}
        rows.append(row)
    table = pd.DataFrame(rows, columns=[*by, "numerator", "denominator", "left", "all_cohorts"])
    early = (table["numerator"] > 0) & (table["left"] > table["numerator"] / 2)
    return rate_table(table.assign(note=np.where(early, LEFT_EARLY, "")), undefined=NOT_FOLLOWED.format(months=months))


def curve(after: pd.DataFrame, *, by: list[str]) -> pd.DataFrame:
    """Which share of cures still lasts after each month, all cohorts? Columns: by, time, value, low, high, at_risk (`kaplan_meier`)."""
    exits = after[after["time"] > 0].groupby([*by, "time", "end"], as_index=False).agg(count=("count", "sum"))
    return kaplan_meier(exits, censored=(OPEN, *EXITS), by=by)


def _kaplan_meier(part: pd.DataFrame, months: int) -> float:
    exits = part[part["time"] > 0]
    if exits.empty or exits["time"].max() < months:
        return float("nan")
    table = kaplan_meier(exits.groupby(["time", "end"], as_index=False).agg(count=("count", "sum")), censored=(OPEN, *EXITS))
    reached = table[table["time"] <= months]
    return float(reached["value"].iloc[-1]) if len(reached) else 1.0
