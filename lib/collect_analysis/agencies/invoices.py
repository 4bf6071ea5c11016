"""What partners billed and what they had earned: lines of invoices with the facts of the payment behind each, and every payment that earns.

A payment earns commission for the partner whose placement was in force on its value date, at the tariff of that day and the tier of the
placement's age. A reversal is a credit of its own: it counts in the period of its own day, at the tier and the tariff of the money it
comes from. Payments that are not eligible, and their reversals, earn nothing.
"""

from datetime import date

import ibis
import ibis.expr.types as ir
import pandas as pd

from collect_analysis.book.store import Book
from collect_analysis.measures.cash import linked
from collect_analysis.measures.economics import priced
from collect_analysis.measures.placements import months_between
from collect_analysis.measures.scopes import distinct_names, within

ON, BEFORE, AFTER, NEVER = "on", "before", "after", "never"
LINE_COLUMNS = (
    "invoice_id", "line_no", "unit_key", "period_start", "period_end", "issued_on", "payment_key", "tier_from", "base_minor", "rate",
    "commission_minor", "tax_minor", "invoice_total_minor", "currency", "known", "eligible", "posted_on", "standing", "tax_rate",
)  # fmt: skip
EARNED_COLUMNS = (
    "payment_key", "unit_key", "posted_on", "amount_minor", "reversal_of", "origin_key", "currency", "tier_from", "rate", "tax_rate", "placements", "known",
)  # fmt: skip


def billed(book: Book, *, start: date, end: date) -> pd.DataFrame:
    """Which lines were billed for the period, and what is known of the payment behind each?

    The lines of every invoice whose own period touches `start` to `end`. Columns: LINE_COLUMNS; known: the posting is in the book; eligible:
    it counts under the contract; posted_on: its value date; standing: whether the debt was with that partner on the day (on, before: only
    later, after: earlier and no more, never); tax_rate: of the payment's day, for a line without a payment of the period's last day.
    Sorted by invoice and line. Money in minor units; empty where nothing was billed.
    """
    line = book.table("invoice_line")
    line = line.filter(line.period_end >= ibis.literal(start), line.period_start <= ibis.literal(end))
    fact = _dated(book).select(
        fact_key="payment_key", account_key="account_key", eligible="counts", posted_on="posted_on", earned_on="value_date"
    )
    row = line.left_join(fact, line.payment_key == fact.fact_key).mutate(known=fact.fact_key.notnull())
    held = _held(book).rename(held_account="account_key", held_unit="unit_key")
    joined = row.left_join(held, (row.account_key == held.held_account) & (row.unit_key == held.held_unit))
    over = joined.to_date.notnull() & (joined.to_date <= joined.earned_on)
    stood = joined.group_by("invoice_id", "line_no").agg(
        now=((joined.from_date <= joined.earned_on) & ~over).fill_null(False).cast("int64").max(),
        ended=over.fill_null(False).cast("int64").max(),
        later=(joined.from_date > joined.earned_on).fill_null(False).cast("int64").max(),
    )
    row = row.left_join(stood, ["invoice_id", "line_no"]).drop("invoice_id_right", "line_no_right")
    standing = ibis.cases((row.now == 1, ON), (row.ended == 1, AFTER), (row.later == 1, BEFORE), else_=NEVER)
    tax = book.table("tariff").filter(ibis._.kind == "tax").select(since="valid_from", until="valid_to", tax_rate="rate")
    row = row.mutate(standing=standing, taxed_on=ibis.coalesce(row.earned_on, row.period_end))
    taxed = row.left_join(tax, [row.taxed_on >= tax.since, tax.until.isnull() | (row.taxed_on < tax.until)])
    frame = _days(book.frame(taxed.select(*LINE_COLUMNS)), "period_start", "period_end", "issued_on", "posted_on")
    # Where tax rates overlap a line stands twice; the condition on tariffs names their rows.
    return frame.sort_values(["invoice_id", "line_no", "tax_rate"], ignore_index=True).drop_duplicates(
        ["invoice_id", "line_no"], ignore_index=True
    )


def earned(book: Book, *, start: date, end: date) -> pd.DataFrame:
    """Which payments and credits of the period earn commission, for whom, at which tier and rate?

    Only partners: units of type `agency`, units that no table `unit` knows, and units that billed. Columns: EARNED_COLUMNS; posted_on: the
    row's own value date; reversal_of: the posting a credit takes back, origin_key: the payment it comes from; tier_from and rate empty:
    no tariff; tax_rate empty: no tax; placements: in how many placements at once; known: the unit is in table `unit`. A row stands twice where
    tariffs or placements overlap. Sorted; money in minor units. Empty where nothing was paid on placements.
    """
    posting = _dated(book)
    counted = posting.filter(posting.counts, within(posting.posted_on, start, end))
    held = _held(book).rename(held_account="account_key")
    inside = (held.from_date <= counted.value_date) & (held.to_date.isnull() | (counted.value_date < held.to_date))
    joined = counted.inner_join(held, (counted.account_key == held.held_account) & inside)
    unit = book.table("unit").group_by(known_unit="unit_key").agg(partner=(ibis._.unit_type == "agency").max())
    joined = joined.left_join(unit, joined.unit_key == unit.known_unit)
    bill = book.table("invoice_line").select(billing_unit="unit_key").distinct()
    joined = joined.left_join(bill, joined.unit_key == bill.billing_unit)
    joined = joined.filter(joined.known_unit.isnull() | joined.partner | joined.billing_unit.notnull())
    paid = joined.mutate(
        age_months=months_between(joined.value_date, joined.from_date),
        placements=joined.decision_key.count().over(ibis.window(group_by="payment_key")),
        known=joined.known_unit.notnull(),
    ).select(
        "payment_key",
        "unit_key",
        "value_date",
        "posted_on",
        "amount_minor",
        "age_months",
        "reversal_of",
        "origin_key",
        "currency",
        "placements",
        "known",
    )
    frame = _days(book.frame(priced(book, paid).select(*EARNED_COLUMNS)), "posted_on")
    return frame.sort_values(["unit_key", "posted_on", "payment_key", "tier_from", "rate"], ignore_index=True)


def tariff_rows(book: Book) -> pd.DataFrame:
    """The rows of table `tariff` that price invoices: tariff_id, kind, item, tier_from, valid_from, valid_to, rate. Sorted."""
    table = book.table("tariff")
    chosen = table.filter(table.kind.isin(["commission", "tax"])).select(
        "tariff_id", "kind", "item", "tier_from", "valid_from", "valid_to", "rate"
    )
    return _days(book.frame(chosen), "valid_from", "valid_to").sort_values(
        ["kind", "tariff_id", "tier_from", "valid_from"], ignore_index=True
    )


def unit_names(book: Book) -> pd.DataFrame:
    """Every unit once, by its key, with its latest name and all it was called: unit_key, name, names (in order of time)."""
    unit = book.table("unit").select("unit_key", "valid_from", "valid_to", "name", "tariff_id")
    frame = book.frame(unit).sort_values(["unit_key", "valid_from"])
    grouped = frame.groupby("unit_key", as_index=False)
    table = grouped.agg(name=("name", "last"), names=("name", lambda names: list(dict.fromkeys(names))))
    return table.assign(name=table["unit_key"].map(distinct_names(dict(zip(table["unit_key"], table["name"], strict=True)))))


def _dated(book: Book) -> ir.Table:
    """Postings (`cash.linked`) with the day by which they are placed and priced: that of the payment they belong to; posted_on is their own."""
    row = linked(book)
    return row.mutate(posted_on=row.value_date, value_date=ibis.coalesce(row.origin_day, row.value_date))


def _held(book: Book) -> ir.Table:
    """Placements with a unit, whatever their balance: decision_key, account_key, unit_key, from_date, to_date."""
    table = book.table("decision").filter(ibis._.kind == "placement", ibis._.unit_key.notnull())
    return table.select("decision_key", "account_key", "unit_key", "from_date", "to_date")


def _days(frame: pd.DataFrame, *names: str) -> pd.DataFrame:
    """Days as one type, also where a column is empty, so that they compare."""
    return frame.assign(**{name: pd.to_datetime(frame[name]).astype("datetime64[s]") for name in names})
