"""What pay schemes are simulated on: officer by month what came in, what was expected or asked, gates, money taken back, cures that last."""

from collections.abc import Sequence

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from collect_analysis.book.store import Book
from collect_analysis.measures.cash import linked
from collect_analysis.measures.conduct import RULES, LegalLimits, judged_contacts
from collect_analysis.measures.periods import KpiWindows, Period, month_end, month_start
from collect_analysis.measures.scopes import UNASSIGNED, within
from collect_analysis.officers.officer_gates import ratios_by_month
from collect_analysis.officers.officer_index import monthly
from collect_analysis.officers.pooling import Pooling

KEYS = ("month", "officer_key")
COUNTS = ("critical_n", "critical_d", "breaches", "kept_n", "kept_d")
SUMMED = (
    "accounts", "payers", "cash_minor", "expected_cash_minor", "variance_cash_minor", "capped_minor", "expected_minor", "variance_minor",
)  # fmt: skip


def officer_months(
    book: Book,
    pooling: Pooling,
    *,
    factors: Sequence[str],
    reference_months: int,
    cap_quantile: float,
    windows: KpiWindows,
    limits: Sequence[LegalLimits],
) -> pd.DataFrame:
    """What did each officer collect in each month, what was expected and asked, and what do the gates say?

    Columns: month (first day), officer_key, unit_key, sub_function (of the unit of which most was expected), the sums of `SUMMED` (of
    `officer_index.monthly`: expected sums scaled within sub-functions), target_minor (approved R1 of the officer and month; NaN: none),
    critical_n, critical_d (assessments with a critical failure, of assessments), breaches (outbound contacts that broke a hard rule; NaN: the
    book has no contacts), kept_n, kept_d (promises kept, of those decided). Sorted. Rows without an officer are left out.

    Raises
    ------
    DataError
        See `expected.observed_expected`.
    """
    table = monthly(book, pooling, factors=factors, reference_months=reference_months, cap_quantile=cap_quantile)
    table = table[(table["officer_key"] != UNASSIGNED) & (table["unit_key"] != UNASSIGNED)]
    whole = table.groupby(list(KEYS), as_index=False)[list(SUMMED)].sum()
    main = table.sort_values([*KEYS, "expected_minor", "unit_key"]).drop_duplicates(list(KEYS), keep="last")
    whole = whole.merge(main[[*KEYS, "unit_key", "sub_function"]], on=list(KEYS), validate="one_to_one")
    whole["month"] = pd.to_datetime(whole["month"]).dt.date
    if whole.empty:
        return whole.assign(target_minor=np.nan, **dict.fromkeys(COUNTS, np.nan))
    period = Period(min(whole["month"]), month_end(pooling.last_month))
    parts = [_targets(book, period), _quality(book, period), _breaches(book, period, limits), _kept(book, period, windows)]
    for part in parts:
        part["month"] = pd.to_datetime(part["month"]).dt.date
        whole = whole.merge(part, on=list(KEYS), how="left", validate="one_to_one")
    if book.has("contact") and limits:
        whole["breaches"] = whole["breaches"].fillna(0.0)
    return whole.sort_values(list(KEYS), ignore_index=True)


def _empty(*columns: str) -> pd.DataFrame:
    return pd.DataFrame({"month": pd.Series(dtype=object), "officer_key": pd.Series(dtype=object)} | {name: [] for name in columns})


def _targets(book: Book, period: Period) -> pd.DataFrame:
    """The highest approved version of R1 of each officer and month."""
    if not book.has("target"):
        return _empty("target_minor")
    target = book.table("target")
    signed = target.filter(
        target.status == "approved",
        target.scope_type == "officer",
        target.kpi == "R1",
        within(target.period_start, period.start, period.end),
    )
    rows = book.frame(
        signed.select("version", "period_end", month="period_start", officer_key="scope_key", target_minor=signed.value.cast("float64"))
    )
    ends = rows["month"].map(lambda day: month_end(pd.Timestamp(day).date())) if len(rows) else rows["month"]
    rows = rows[pd.to_datetime(rows["period_end"]) == pd.to_datetime(ends)].sort_values([*KEYS, "version"])
    return rows.drop_duplicates(list(KEYS), keep="last")[[*KEYS, "target_minor"]]


def _quality(book: Book, period: Period) -> pd.DataFrame:
    if not book.has("qa"):
        return _empty("critical_n", "critical_d")
    qa = book.table("qa")
    inside = qa.filter(within(qa.assessed_on, period.start, period.end), qa.officer_key.notnull())
    month = inside.assessed_on.truncate("M").cast("date")
    return book.frame(
        inside.group_by(month=month, officer_key=inside.officer_key).agg(
            critical_n=inside.critical_fail.cast("int64").sum().fill_null(0).cast("float64"), critical_d=inside.count().cast("float64")
        )
    )


def _breaches(book: Book, period: Period, limits: Sequence[LegalLimits]) -> pd.DataFrame:
    if not book.has("contact") or not limits:
        return _empty("breaches")
    broken: list[ir.Table] = []
    for limit in limits:
        judged = judged_contacts(book, period, [limit])
        hard = ibis.literal(False)
        for rule in RULES:
            hard = hard | ((judged[rule.lower()] != 0) if limit.severity[rule] == "hard" else ibis.literal(False))
        broken.append(judged.filter(hard, judged.officer_key.notnull()).select(broken_key="event_key"))
    contact = book.table("contact")
    found = ibis.union(*broken) if len(broken) > 1 else broken[0]
    dated = contact.inner_join(found, contact.event_key == found.broken_key)
    month = dated.local_ts.date().truncate("M").cast("date")
    return book.frame(dated.group_by(month=month, officer_key=dated.officer_key).agg(breaches=dated.count().cast("float64")))


def _kept(book: Book, period: Period, windows: KpiWindows) -> pd.DataFrame:
    ratios = ratios_by_month(book, period, windows=windows)
    kept = ratios[ratios["kpi"] == "kept"]
    sums = kept.groupby(list(KEYS), as_index=False)[["numerator", "denominator"]].sum()
    return sums.rename(columns={"numerator": "kept_n", "denominator": "kept_d"}).astype({"kept_n": float, "kept_d": float})


def taken_back(book: Book, period: Period) -> pd.DataFrame:
    """Which money counted at a month's end and was taken back later, and how many days after it came?

    Columns: month (of the payment), officer_key (who held the account when the month opened, or first if it entered in the month), days (from
    payment to reversal), amount_minor (what each reversal took back; below 0 where a reversal was taken back itself). Only of eligible
    payments, after the last day of their month; sorted. Empty without payments.
    """
    if not book.has("payment") or not book.has("month_end"):
        return _empty("days", "amount_minor")
    posting = linked(book)
    back = posting.filter(posting.reversal_of.notnull(), posting.counts, within(posting.origin_day, period.start, period.end))
    dated = back.mutate(
        month=back.origin_day.truncate("M").cast("date"),
        days=(back.value_date.cast("timestamp").epoch_seconds() - back.origin_day.cast("timestamp").epoch_seconds()) // 86_400,
        amount_minor=-back.amount_minor,
    )
    later = dated.filter(dated.value_date.truncate("M").cast("date") > dated.month)
    ends = book.table("month_end").select(of_account="account_key", held_by="officer_key", held_on="month_end")
    opening = later.left_join(ends, (later.account_key == ends.of_account) & (ends.held_on < later.month))
    holder = opening.group_by("payment_key", "month", "days", "amount_minor").agg(officer_key=opening.held_by.argmax(opening.held_on))
    known = holder.filter(holder.officer_key.notnull())
    sums = known.group_by("month", "officer_key", "days").agg(amount_minor=known.amount_minor.sum().cast("float64"))
    table = book.frame(sums)
    table["month"] = pd.to_datetime(table["month"]).dt.date
    return table.sort_values(["month", "officer_key", "days"], ignore_index=True)


def lasting_cures(book: Book, period: Period, *, months: int) -> pd.DataFrame:
    """Which cures of each officer's accounts lasted so many months?

    Cured: open and overdue at the month end before, open and current at the month's end; it lasted if it is not overdue `months` month ends
    later (an account no longer open does not count). Columns: month (of the cure), officer_key (who held the account at the month end before),
    lasting_n, lasting_d. Sorted. Months too young to be followed have no row.
    """
    ends = book.table("month_end")
    open_ends = ends.filter(ends.status == "open").select("account_key", "month_end", "bucket", "officer_key")
    moved = {f"{name}_{step}": open_ends[name] for name in ("account_key", "month_end", "bucket") for step in ("now", "then")}
    now = open_ends.select(**{name: column for name, column in moved.items() if name.endswith("now")})
    then = open_ends.select(**{name: column for name, column in moved.items() if name.endswith("then")})
    before = open_ends.filter(open_ends.bucket >= 1, within(open_ends.month_end, month_start(period.start, -1), period.end))
    before = before.mutate(first=(before.month_end.truncate("M") + ibis.interval(months=1)).cast("date"))
    cured = before.inner_join(
        now, (before.account_key == now.account_key_now) & (before.first == now.month_end_now.truncate("M").cast("date"))
    )
    cured = cured.filter(cured.bucket_now == 0, within(cured.first, period.start, period.end))
    cured = cured.mutate(due=(cured.first + ibis.interval(months=months)).cast("date"))
    followed = cured.inner_join(
        then, (cured.account_key == then.account_key_then) & (cured.due == then.month_end_then.truncate("M").cast("date"))
    )
    followed = followed.filter(followed.officer_key.notnull())
    table = book.frame(
        followed.group_by(month="first", officer_key="officer_key").agg(
            lasting_n=(followed.bucket_then == 0).cast("int64").sum().cast("float64"), lasting_d=followed.count().cast("float64")
        )
    )
    table["month"] = pd.to_datetime(table["month"]).dt.date
    return table.sort_values(list(KEYS), ignore_index=True)
