"""Days from assignment to the first payment, to cure, or to a supplied end, by arm: counts per day and end, never subjects."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import ibis
import ibis.expr.types as ir
import pandas as pd

from collect_analysis.book.engine import sum_of_products
from collect_analysis.book.store import Book
from collect_analysis.measures.arms import subjects_of
from collect_analysis.measures.cash import payments
from collect_analysis.measures.cohort import Cohort
from collect_analysis.measures.reopened import lasting_exits

Event = Literal["paid", "cured", "supplied"]
PAID, CURED, CENSORED = "paid", "cured", "censored"
EXIT_COLUMNS = ["arm", "time", "end", "count"]
DESIGN_COLUMNS = ["arm", "clusters", "cases", "design_effect"]
NO_PAYMENTS = "the source has no payments: the first one cannot be dated"
NO_MONTH_ENDS = "the source has no month ends: cure cannot be dated"
NO_EXITS = "the source does not tell when and how observation ended: map exit_days and exit_cause"
EXITS_MISSING = "{missing} subjects have no end of observation: map exit_days and exit_cause for everybody, `censored` where still open"
NOBODY_AT_RISK = "nobody was overdue on the day of assignment: nothing to cure"
NEVER_HAPPENED = "it never happened within the horizon"
ONE_ARM = "fewer than two arms have subjects to follow"
# A placement that ended so says on which day the debt left; the month end only says in which month.
_LEFT = {"recall": "recalled", "written_off": "written_off", "sold": "sold", "paid": "paid_off"}


@dataclass(frozen=True, kw_only=True)
class Exits:
    """When the subjects of each arm came to which end, counted.

    `counts`: arm, time (days since assignment), end, count; everybody still open is `censored` on the last day seen. `waiting`: the same for
    the end `event` alone, where subjects that left otherwise stay counted until their last possible day: what compares arms when ends
    compete; empty where that day is unknown. `design`: arm, clusters, cases, design_effect (variance of days waited over that of independent
    subjects). `reason` says why nothing can be read, else it is empty. `left_out`: subjects that could not have the event (already current).
    """

    event: str
    horizon_days: int
    counts: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=EXIT_COLUMNS))
    waiting: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=EXIT_COLUMNS))
    design: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=DESIGN_COLUMNS))
    reason: str = ""
    left_out: int = 0


def payment_exits(book: Book, cohort: Cohort, arms: Sequence[str], *, horizon_days: int) -> Exits:
    """When did each subject first pay, if nothing took it away before?

    The event is the day of the first payment that stayed (`cash.payments`). Other ends are how an
    account left the book without having paid (recalled, written_off, sold, settled, paid_off), on the day its placement ended for that
    reason, else at the month end that says so. A payment on the day of leaving counts as a payment. A supplied cohort is read from its
    columns exit_days and exit_cause, where the event is `paid`, else `cured`, else the most frequent cause.
    """
    if cohort.supplied:
        return _supplied_exits(book, cohort, arms, horizon_days)
    if not book.has("payment"):
        return Exits(event=PAID, horizon_days=horizon_days, reason=NO_PAYMENTS)
    subjects = _followed(cohort, arms, horizon_days)
    stayed = payments(book)
    joined = subjects.inner_join(stayed, subjects["subject_key"] == stayed["account_key"])
    paid = joined.mutate(day=joined["value_date"].delta(joined["assigned_on"], unit="day"))
    paid = paid.filter(paid["day"] >= 0, paid["day"] <= horizon_days)
    first = paid.group_by("subject_key").aggregate(event_day=ibis._.day.min())
    return _counted(book, subjects, first, _left(book, subjects), event=PAID, horizon_days=horizon_days)


def cure_exits(book: Book, cohort: Cohort, arms: Sequence[str], *, horizon_days: int) -> Exits:
    """When was each overdue subject cured, if nothing took it away before?

    Cured: at a month end after assignment the account is current (bucket 0) and not made so by restructuring, or paid off. Other ends: as in
    `payment_exits`. Left out are subjects that were current on the day of assignment: they cannot be cured. That was known before the arms
    were treated, so that leaving them out keeps the arms comparable. A supplied cohort has no month ends: see `payment_exits`.
    """
    if cohort.supplied or not book.has("month_end"):
        return Exits(event=CURED, horizon_days=horizon_days, reason=NO_MONTH_ENDS)
    everybody = _followed(cohort, arms, horizon_days)
    subjects = _overdue(book, everybody)
    month_end = book.table("month_end")
    joined = subjects.inner_join(month_end, subjects["subject_key"] == month_end["account_key"])
    current = (joined["status"] == "open") & (joined["bucket"] == 0) & ~joined["reaged"].fill_null(False)
    stayed_away = joined.semi_join(lasting_exits(month_end), ["account_key", "month_end"])
    paid_off = stayed_away.filter(stayed_away["status"] == "paid_off")
    cured = joined.filter(current).union(paid_off).filter(lambda row: row["month_end"] > row["assigned_on"])
    first = cured.group_by("subject_key").aggregate(event_day=cured["month_end"].delta(cured["assigned_on"], unit="day").min())
    left = _left(book, subjects)
    left = left.filter(left["end"] != "paid_off")
    found = _counted(book, subjects, first, left, event=CURED, horizon_days=horizon_days)
    everyone = int(str(book.scalar(everybody.count())))
    return Exits(**{**vars(found), "left_out": everyone - int(found.design["cases"].sum())})


def _followed(cohort: Cohort, arms: Sequence[str], horizon_days: int) -> ir.Table:
    """Subjects with the last day on which anything of them can be seen: the horizon, or `as_of` where that comes first."""
    subjects = subjects_of(cohort, arms)
    seen = ibis.literal(cohort.as_of).delta(subjects["assigned_on"], unit="day")
    last = ibis.least(seen.fill_null(horizon_days), ibis.literal(horizon_days)).cast("int64")
    return subjects.select("subject_key", "cluster_key", "arm", "assigned_on", last_day=last)


def _left(book: Book, subjects: ir.Table) -> ir.Table:
    """How and when each subject left the book after assignment, to stay away (`reopened.lasting_exits`): subject_key, end, left_day. From
    month ends, else from placements.
    """
    placement = book.table("decision")
    placement = placement.filter(
        placement["kind"] == "placement", placement["to_date"].notnull(), placement["end_reason"].isin(list(_LEFT))
    )
    # `to_date` is the day after the last one.
    ended = placement.select(
        ended_account=placement["account_key"],
        ended_on=placement["to_date"] - ibis.interval(days=1),
        ended_how=placement["end_reason"].cases(*_LEFT.items()),
    )
    if not book.has("month_end"):
        joined = subjects.inner_join(ended, subjects["subject_key"] == ended["ended_account"])
        joined = joined.filter(joined["ended_on"] >= joined["assigned_on"])
        day = joined["ended_on"].delta(joined["assigned_on"], unit="day")
        return joined.group_by("subject_key").aggregate(left_day=day.min(), end=joined["ended_how"].argmin(day))
    exit_ends = lasting_exits(book.table("month_end"))
    joined = subjects.inner_join(exit_ends, subjects["subject_key"] == exit_ends["account_key"])
    closed = joined.filter(joined["month_end"] > joined["assigned_on"])
    closed = closed.select("subject_key", "assigned_on", "month_end", "status")
    told = closed.left_join(
        ended,
        (closed["subject_key"] == ended["ended_account"])
        & (closed["status"] == ended["ended_how"])
        & (closed["month_end"].truncate("M") == ended["ended_on"].truncate("M"))
        & (ended["ended_on"] >= closed["assigned_on"]),
    )
    day = ibis.coalesce(told["ended_on"], told["month_end"]).delta(told["assigned_on"], unit="day")
    return told.group_by("subject_key").aggregate(left_day=day.min(), end=told["status"].argmin(day))


def _overdue(book: Book, subjects: ir.Table) -> ir.Table:
    """The subjects that were overdue on the day of assignment: by the state of that day, else the last month end, else as handed over."""
    state, month_end, account = book.table("state"), book.table("month_end"), book.table("account")
    valid = (state["valid_from"] <= subjects["assigned_on"]) & (state["valid_to"].isnull() | (subjects["assigned_on"] < state["valid_to"]))
    on_day = subjects.inner_join(state, (subjects["subject_key"] == state["account_key"]) & valid)
    on_day = on_day.group_by("subject_key").aggregate(bucket_on_day=on_day["bucket"].max())
    earlier = subjects.inner_join(month_end, subjects["subject_key"] == month_end["account_key"])
    earlier = earlier.filter(earlier["month_end"] < earlier["assigned_on"])
    last = earlier.group_by("subject_key").aggregate(bucket_before=earlier["bucket"].argmax(earlier["month_end"]))
    handed = account.select(entered="account_key", overdue_on_entry=(account["debt_status"] != "pre_due").ifelse(1, 0))
    known = subjects.left_join(on_day, "subject_key").drop("subject_key_right")
    known = known.left_join(last, "subject_key").drop("subject_key_right")
    known = known.left_join(handed, known["subject_key"] == handed["entered"])
    late = ibis.coalesce(known["bucket_on_day"], known["bucket_before"], known["overdue_on_entry"]) > 0
    return known.filter(late.fill_null(False)).select(*subjects.columns)


def _counted(book: Book, subjects: ir.Table, first: ir.Table, left: ir.Table, *, event: str, horizon_days: int) -> Exits:
    """The counts of subjects with `first` (subject_key, event_day) against `left` (subject_key, left_day, end)."""
    both = subjects.left_join(first, "subject_key").drop("subject_key_right")
    both = both.left_join(left, "subject_key").drop("subject_key_right")
    never = ibis.literal(horizon_days + 1)
    happened, gone, last = both["event_day"].fill_null(never), both["left_day"].fill_null(never), both["last_day"]
    is_event = (happened <= last) & (happened <= gone)
    is_left = ~is_event & (gone <= last)
    time = ibis.cases((is_event, happened), (is_left, gone), else_=last)
    end = ibis.cases((is_event, ibis.literal(event)), (is_left, both["end"]), else_=ibis.literal(CENSORED))
    # Known last days: who left otherwise can never have the event, and stays at risk of it until then (Fine and Gray 1999, section 3.1).
    timed = both.select("arm", "cluster_key", time=time.cast("int64"), end=end, waited=is_event.ifelse(happened, last).cast("int64"))
    return _summed(book, timed, event=event, horizon_days=horizon_days, complete=True)


def _summed(book: Book, timed: ir.Table, *, event: str, horizon_days: int, complete: bool) -> Exits:
    """Counts and design effects of one row per subject: arm, cluster_key, time, end, waited."""
    with book.materialized(timed) as rows:
        counts = _grouped(book, rows, rows["time"], rows["end"])
        alone = (rows["end"] == event).ifelse(ibis.literal(event), ibis.literal(CENSORED))
        waiting = _grouped(book, rows, rows["waited"], alone) if complete else pd.DataFrame(columns=EXIT_COLUMNS)
        design = _design(book, rows)
    reason = "" if (counts["end"] == event).any() else NEVER_HAPPENED
    if counts["arm"].nunique() < 2:
        reason = ONE_ARM if len(counts) else NOBODY_AT_RISK
    return Exits(event=event, horizon_days=horizon_days, counts=counts, waiting=waiting, design=design, reason=reason)


def _grouped(book: Book, rows: ir.Table, time: ir.Column, end: ir.Column) -> pd.DataFrame:
    named = rows.select("arm", time=time, end=end)
    grouped = named.group_by(["arm", "time", "end"]).aggregate(count=named.count())
    return book.frame(grouped).sort_values(["arm", "time", "end"], ignore_index=True)[EXIT_COLUMNS]


def _design(book: Book, rows: ir.Table) -> pd.DataFrame:
    """Design effect of the days waited, per arm: variance of their mean over clusters against that over independent subjects."""
    squared = sum_of_products(rows["waited"], rows["waited"])
    cluster = rows.group_by(["arm", "cluster_key"]).aggregate(n=rows.count(), w=rows["waited"].sum().cast("int64"))
    n, w = cluster["n"], cluster["w"]
    sums = cluster.group_by("arm").aggregate(
        clusters=cluster.count(),
        cases=n.sum().cast("int64"),
        w=w.sum().cast("int64"),
        ww=sum_of_products(w, w),
        wn=sum_of_products(w, n),
        nn=sum_of_products(n, n),
    )
    single = rows.group_by("arm").aggregate(w2=squared)
    table = book.frame(sums).merge(book.frame(single), on="arm", validate="one_to_one").sort_values("arm", ignore_index=True)
    mean = table["w"] / table["cases"]
    between = (table["ww"] - 2 * mean * table["wn"] + mean**2 * table["nn"]).clip(lower=0) * table["clusters"] / (table["clusters"] - 1)
    within = (table["w2"] - table["cases"] * mean**2).clip(lower=0) * table["cases"] / (table["cases"] - 1)
    effect = (between / within).where((within > 0) & (table["clusters"] < table["cases"]), 1.0)
    return table.assign(design_effect=effect.fillna(1.0))[DESIGN_COLUMNS]


def _supplied_exits(book: Book, cohort: Cohort, arms: Sequence[str], horizon_days: int) -> Exits:
    """Ends as the source tells them: exit_days and exit_cause; days after the horizon are cut there."""
    subjects = subjects_of(cohort, arms)
    known = subjects["exit_days"].notnull() & subjects["exit_cause"].notnull()
    facts = book.frame(subjects.aggregate(cases=subjects.count(), known=known.sum().fill_null(0))).iloc[0]
    if not facts["known"]:
        return Exits(event=PAID, horizon_days=horizon_days, reason=NO_EXITS)
    if facts["known"] < facts["cases"]:
        missing = EXITS_MISSING.format(missing=int(facts["cases"] - facts["known"]))
        return Exits(event=PAID, horizon_days=horizon_days, reason=missing)
    inside = subjects["exit_days"] <= horizon_days
    cut = subjects.select(
        "arm",
        "cluster_key",
        time=ibis.least(subjects["exit_days"], ibis.literal(horizon_days)).cast("int64"),
        end=inside.ifelse(subjects["exit_cause"], ibis.literal(CENSORED)),
    )
    ends = book.frame(cut.group_by("end").aggregate(count=cut.count(), last=cut["time"].min())).sort_values(
        ["count", "end"], ascending=[False, True]
    )
    causes = [str(end) for end in ends["end"] if end != CENSORED]
    event = next((name for name in (PAID, CURED) if name in causes), causes[0] if causes else PAID)
    censored = ends[ends["end"] == CENSORED]
    # Nobody is lost sight of before the horizon: everybody's last possible day is the horizon.
    complete = censored.empty or int(censored["last"].iloc[0]) >= horizon_days
    timed = cut.mutate(waited=(cut["end"] == event).ifelse(cut["time"], ibis.literal(horizon_days) if complete else cut["time"]))
    return _summed(book, timed, event=event, horizon_days=horizon_days, complete=complete)
