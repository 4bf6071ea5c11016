"""Account-months: every account a month started with or received, what was known of it then, and what it paid in the month.

The population of a month is that of `scopes.holders` for a period of one month: accounts open at the month end before it, held by the unit and
officer of that month end, and accounts that entered within it, held by those of their first month end. Whatever leaves stays in.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date

import ibis
import ibis.expr.types as ir

from collect_analysis.book.presence import require
from collect_analysis.book.store import Book
from collect_analysis.errors import DataError, ParameterError
from collect_analysis.measures.cash import cash
from collect_analysis.measures.periods import month_end, month_start, months_from
from collect_analysis.measures.placements import months_between
from collect_analysis.measures.reopened import reopened
from collect_analysis.measures.scopes import FACT_SCOPES, Directory, owed, within

NEEDS, ASKS = ("month_end", "payment"), "expected recovery"
UNKNOWN = "unknown"
BALANCE_BANDS, SCORE_BANDS = 4, 3
_WIDE_BUCKETS = ((4, 6, "04-06"), (7, 12, "07-12"))
_WIDE_RECENCY = ((1, 1, "01"), (2, 3, "02-03"), (4, 6, "04-06"), (7, 12, "07-12"))


@dataclass(frozen=True, kw_only=True)
class Window:
    """Months (first days) from `reference_first` to `reference_last`, from which rates are read, and those from `first` to `last` they serve.

    `earliest` is the first month the book can tell anything of: the one after its first month end, not before its first payment.
    """

    first: date
    last: date
    reference_first: date
    reference_last: date
    earliest: date

    @property
    def start(self) -> date:
        """First month of both."""
        return min(self.first, self.reference_first)

    @property
    def end(self) -> date:
        """Last month of both."""
        return max(self.last, self.reference_last)

    @property
    def overlaps(self) -> bool:
        """Whether months are among those their own expectation was read from."""
        return self.reference_last >= self.first


def window_of(book: Book, first_month: date, last_month: date, *, reference_months: int) -> Window:
    """Which months serve as reference? The `reference_months` before `first_month`; where the book starts later, its first ones.

    Rates are frozen for all months asked for. In a book that has no `reference_months` before `first_month` the reference reaches into the
    months asked for (`overlaps`), up to the last month that was over on `as_of`.

    Raises
    ------
    ParameterError
        Days that are no first of a month, in the wrong order, fewer than one reference month.
    DataError
        The book has no month end before `first_month`, the months asked for are not over on `as_of`, or one of the window is absent.
    """
    problems = [f"{day} is no first day of a month" for day in (first_month, last_month) if day.day != 1]
    if last_month < first_month:
        problems.append(f"the last month {last_month} lies before the first, {first_month}")
    if reference_months < 1:
        problems.append(f"reference_months is {reference_months}; write 1 or more")
    if problems:
        raise ParameterError(problems)
    require(book, NEEDS, asks=ASKS)
    earliest = max(month_start(min(book.months("month_end")), 1), min(book.months("payment")))
    over = month_start(book.as_of, 0) if book.as_of == month_end(book.as_of) else month_start(book.as_of, -1)
    if first_month < earliest or last_month > over:
        raise DataError(
            f"months {first_month:%Y-%m} to {last_month:%Y-%m} are asked for; the book has whole months from {earliest:%Y-%m} to "
            f"{over:%Y-%m}: choose months between these"
        )
    start = max(earliest, month_start(first_month, -reference_months))
    return whole(
        book,
        Window(
            first=first_month,
            last=last_month,
            reference_first=start,
            reference_last=min(over, month_start(start, reference_months - 1)),
            earliest=earliest,
        ),
    )


def whole(book: Book, window: Window) -> Window:
    """The window, if every month of it was delivered that is over on the day of the book: beside a month end that was not, all accounts
    would seem to have come in, and a month without payments would teach that nobody pays.

    Raises
    ------
    DataError
        A month end or the payments of a month are absent.
    """
    last = min(window.end, month_start(book.as_of, -1) if book.as_of < month_end(book.as_of) else month_start(book.as_of))
    require(book, ("month_end",), months_from(month_start(window.start, -1), last), asks=ASKS)
    require(book, ("payment",), months_from(window.start, last), asks=ASKS)
    return window


@contextmanager
def account_months(
    book: Book, window: Window, *, factors: Sequence[str], cap_quantile: float, ahead: int = 1
) -> Iterator[tuple[ir.Table, int]]:
    """The account-months of a window with the level of every factor; and the cap in minor units.

    One row per account and month. Columns: month (first day), account_key, the scopes (see `scopes`), opening_minor, one text column per
    factor, cash_minor (paid in the month; `ahead` months after the opening where that is more than 1), capped_minor (at most the cap),
    payer (0 or 1), asked, reference (whether the month is one of those). The cap is the `cap_quantile` of what payers paid in a reference
    month. Levels: bucket 0 to 3, 04-06, 07-12, 13+; recency, months since the last payment before the month: 01, 02-03, ... , never (in
    this book); bands by quarters of the balance and thirds of the score of the reference months, 1 is lowest. An account that entered in
    the month has recency `entered`, and instead of a bucket its standing on entry with the sub-function of its first month end: only that
    tells who had it. Use as `with account_months(...) as (rows, cap): ...`.
    """
    facts = _with_history(book, _population(book, window.end), window, ahead)
    inside = facts.filter(within(facts.month, window.start, window.end))
    reference = within(inside.month, window.reference_first, window.reference_last)
    asked = within(inside.month, window.first, window.last)
    with book.materialized(inside.mutate(reference=reference, asked=asked)) as rows:
        cuts, cap = _cuts(book, rows.filter(rows.reference), cap_quantile)
        levels = {name: _levels(rows, cuts)[name].fill_null(UNKNOWN) for name in factors}
        capped = ibis.least(rows.cash_minor, ibis.literal(cap, "int64"))
        columns = ["month", "account_key", *FACT_SCOPES, "opening_minor", "cash_minor", "payer", "reference", "asked"]
        yield rows.select(*columns, capped_minor=capped, **levels), cap


def _population(book: Book, last: date) -> ir.Table:
    """Who was there at the start of each month up to `last`, or entered within it; what was closed and is open again enters anew."""
    ends = book.table("month_end")
    ends = ends.filter(ends.month_end <= ibis.literal(month_end(last)))
    first_end = ends.month_end.min().as_scalar()
    order = ibis.window(group_by=ends.account_key, order_by=ends.month_end)
    marked = ends.mutate(
        before=ends.month_end.lag().over(order), before_status=ends.status.lag().over(order), start=ends.month_end.truncate("M")
    )
    closed = ((marked.before_status != "open") & (marked.status == "open")).fill_null(False)
    fresh = marked.before.isnull() | (months_between(marked.month_end, marked.before) > 1) | closed
    marked = marked.mutate(fresh=fresh & (marked.month_end > first_end))
    again = reopened(book, month_end(last))
    marked = marked.left_join(again, [marked.account_key == again.again_key, marked.month_end == again.again_on])
    held = ("account_key", "unit_key", "officer_key", "balance_minor", "restored_minor")
    following = (marked.start + ibis.interval(months=1)).cast("date")
    stock = marked.filter(marked.status == "open").select(*held, "bucket", "score", month=following, entered=ibis.literal(False))
    entries = marked.filter(marked.fresh).select(*held, "bucket", "score", month=marked.start.cast("date"), entered=ibis.literal(True))
    return stock.union(entries).filter(ibis._.month <= ibis.literal(last))


def _with_history(book: Book, population: ir.Table, window: Window, ahead: int) -> ir.Table:
    """The population with what it paid in the month, months since it last paid, and what the account is."""
    directory = Directory.of(book, min(book.as_of, month_end(window.last)))
    money = cash(book)
    paid = money.group_by(on_account=money.account_key, paid_month=money.value_date.truncate("M").cast("date")).agg(
        paid_minor=money.amount_minor.sum().cast("int64")
    )
    same = [population.account_key == paid.on_account, population.month == paid.paid_month]
    joined = population.left_join(paid, same).drop("on_account", "paid_month")
    earlier = ibis.window(group_by=joined.account_key, order_by=joined.month, preceding=(None, 1))
    last_paid = ibis.ifelse(joined.paid_minor > 0, joined.month, ibis.null("date")).max().over(earlier)
    joined = joined.mutate(since=months_between(joined.month, last_paid), outcome_minor=joined.paid_minor)
    if ahead > 1:
        later = paid.select("on_account", due=(paid.paid_month - ibis.interval(months=ahead - 1)).cast("date"), later_minor="paid_minor")
        joined = joined.left_join(later, [joined.account_key == later.on_account, joined.month == later.due])
        joined = joined.mutate(outcome_minor=joined.later_minor).drop("on_account", "due", "later_minor")
    account = book.table("account").select(
        of_account="account_key", product="product_code", region="region_code", debt_status="debt_status", entry_score="score_at_entry"
    )
    known = directory.describe(joined, on_entry="original_minor").left_join(account, [("account_key", "of_account")])
    on_entry = ibis.coalesce(known.restored_minor, known.on_entry, known.balance_minor)
    opening = ibis.ifelse(known.entered, on_entry, known.balance_minor)
    paid_minor = known.outcome_minor.fill_null(0)
    return known.select(
        "month", "account_key", *FACT_SCOPES, "bucket", "since", "entered", "product", "region", "debt_status",
        opening_minor=owed(opening),
        score=ibis.coalesce(known.score, known.entry_score),
        cash_minor=paid_minor,
        payer=(paid_minor > 0).cast("int64"),
    )  # fmt: skip


def _cuts(book: Book, reference: ir.Table, cap_quantile: float) -> tuple[dict[str, list[float]], int]:
    """Where the bands begin, and the cap."""
    balance = reference.opening_minor
    quarters = {f"balance{i}": balance.quantile(i / BALANCE_BANDS, where=balance > 0).cast("float64") for i in range(1, BALANCE_BANDS)}
    thirds = {f"score{i}": reference.score.quantile(i / SCORE_BANDS).cast("float64") for i in range(1, SCORE_BANDS)}
    cap = reference.cash_minor.quantile(cap_quantile, where=reference.payer == 1).cast("float64")
    found = book.frame(reference.agg(**quarters, **thirds, cap=cap)).iloc[0]
    cuts = {name: [float(found[key]) for key in found.index if str(key).startswith(name)] for name in ("balance", "score")}
    # Without a payer nothing is capped.
    return cuts, int(found["cap"]) if found["cap"] == found["cap"] and found["cap"] is not None else 2**62


def _levels(rows: ir.Table, cuts: dict[str, list[float]]) -> dict[str, ir.StringValue]:
    standing = rows.debt_status.fill_null(UNKNOWN) + ibis.literal(" ") + rows.sub_function
    bucket = _joined(rows.bucket, _WIDE_BUCKETS, beyond="13+")
    since = _joined(rows.since, _WIDE_RECENCY, beyond="13+").fill_null("never")
    return {
        "bucket": ibis.ifelse(rows.entered, ibis.literal("entered ") + standing, bucket),
        "recency": ibis.ifelse(rows.entered, "entered", since),
        "balance_band": _band(rows.opening_minor, cuts["balance"]),
        "score_band": _band(rows.score, cuts["score"]),
        "product": rows["product"],
        "region": rows.region,
        "portfolio": rows.portfolio_code,
        "sub_function": rows.sub_function,
    }


def _joined(column: ir.IntegerValue, ranges: Sequence[tuple[int, int, str]], *, beyond: str) -> ir.StringValue:
    """Whole numbers as they are below the first range, then by range."""
    low, high = ranges[0][0], ranges[-1][1]
    inner = [(column.between(first, last), name) for first, last, name in ranges]
    exact = ibis.literal("0") + column.cast("string")
    return ibis.cases((column.isnull(), ibis.null("string")), (column < low, exact), *inner, (column > high, beyond))


def _band(column: ir.NumericValue, cuts: Sequence[float]) -> ir.StringValue:
    """1 is lowest; a value on a cut belongs to the band above. Equal or missing cuts leave bands empty, no more."""
    known = [cut for cut in cuts if cut == cut]
    steps = [(column < cut, str(place)) for place, cut in enumerate(known, start=1)]
    return ibis.cases((column.isnull(), UNKNOWN), *steps, else_=str(len(known) + 1))
