"""What the shop's own history says of a population: who stands in it, who enters it each month, what past members paid.

The population is read from month ends: who stood in it at the close of a month is assigned on the next day. Accounts stay in the engine;
what leaves are counts and sums.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Literal

import ibis
import ibis.expr.types as ir
import pandas as pd

from collect_analysis.book.engine import compensated_sum, sum_of_products
from collect_analysis.book.presence import absent, require
from collect_analysis.book.store import Book
from collect_analysis.errors import DataError
from collect_analysis.measures import arms, periods
from collect_analysis.measures.cohort import AMOUNT, PAYER, Cohort, Covariate, Outcome
from collect_analysis.measures.cohort_events import net_payments
from collect_analysis.measures.periods import month_start, months_from
from collect_analysis.measures.scopes import owed
from collect_analysis.methods.rates.levels import PAID_BEFORE_DAYS

COVARIATES = ("paid_before", "balance", "bucket", "score")
PACE = ["month_end", "cases", "customers", "balance_minor"]


@dataclass(frozen=True, kw_only=True)
class Population:
    """Whom a test would be about. `entry`: accounts on entering the segment; `stock`: all that stand in it. Empty filters let all in.

    `min_balance_minor` is inclusive, `max_balance_minor` exclusive.
    """

    source: Literal["entry", "stock"]
    portfolios: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    buckets: tuple[int, ...] = ()
    regions: tuple[str, ...] = ()
    min_balance_minor: int | None = None
    max_balance_minor: int | None = None


@dataclass(frozen=True, kw_only=True)
class History:
    """Past cohorts of a population, one per month end whose horizon is over (the arms of `cohort`), and how many accounts come per month.

    `current` are the accounts that a test could assign now (None where the history was supplied); `pace` counts those in the population per
    month end, columns PACE; `per_month` accounts that come into it in a mean month (NaN: nobody counted); `available` accounts that could be
    assigned now (of a supplied history all its subjects); `months_known` month ends of the book; `gaps` for how many subjects each declared
    covariate is unknown; `arm` of a past experiment whose subjects the cohort is ("" for month ends).
    """

    cohort: Cohort
    months: tuple[str, ...]
    months_known: int
    pace: pd.DataFrame
    gaps: Mapping[str, int]
    per_month: float
    available: float
    current: ir.Table | None = None
    arm: str = ""


def check_filters(book: Book, population: Population) -> None:
    """Refuse a filter that names what the book does not hold: a population emptied by a typing error is no population.

    Raises
    ------
    DataError
        A product, portfolio, region or bucket is unknown; the sentence lists what there is.
    """
    account, month_end = book.table("account"), book.table("month_end")
    wanted = {
        "portfolios": (account["portfolio_code"], population.portfolios),
        "products": (account["product_code"], population.products),
        "regions": (account["region_code"], population.regions),
        "buckets": (month_end["bucket"], population.buckets),
    }
    problems = []
    for name, (column, values) in wanted.items():
        if not values:
            continue
        found = book.frame(column.as_table().distinct())
        known = sorted(found[found.columns[0]].dropna().tolist())
        unknown = [str(value) for value in values if value not in known]
        if unknown:
            listed = ", ".join(str(value) for value in known[:20]) or "none"
            problems.append(f"{name}: {', '.join(unknown)} is not in book '{book.manifest.name}'; it has {listed}")
    if problems:
        raise DataError(problems)


def open_history(book: Book, population: Population, *, horizon_days: int, months: int, covariates: Sequence[str]) -> History:
    """What became of those who stood in (or entered) the population at the last `months` month ends whose horizon is over?

    Outcomes: payer_rate and cash_per_account within `horizon_days` of the day after the month end, as a strategy review reads them.
    Covariates, all known at the month end: paid_before (90 days), balance, bucket, score (else that of entry).

    Raises
    ------
    DataError
        The book has no month ends, or a filter names what it does not hold.
    """
    closes = _month_ends(book)
    if not closes:
        raise DataError(
            f"book '{book.manifest.name}' has no month ends as of {book.as_of}, so it tells nothing of a population; load table month_end, "
            "or name a supplied cohort with history_experiment_id"
        )
    require(book, ("account", "payment"), asks="the history of a population")
    check_filters(book, population)
    # Where the month end before is not there everybody would seem to enter.
    known = {month_start(day) for day in closes}
    follow = [day for day in closes if month_start(day, -1) in known]
    usable = follow if population.source == "entry" else closes
    over = [day for day in usable if _read(book, day, horizon_days)][-months:]
    read = sorted({*over, *usable[-months:]})
    rows = members(book, population, read).cache()
    pace = book.frame(
        rows.group_by("month_end")
        .aggregate(cases=rows.count(), customers=rows["cluster_key"].nunique(), balance_minor=rows["balance"].sum().cast("int64"))
        .order_by("month_end")
    )
    pace["month_end"] = pd.to_datetime(pace["month_end"]).dt.date
    # A month in which nobody came is a month.
    pace = pace.set_index("month_end").reindex(usable[-months:]).fillna(0).astype("int64").rename_axis("month_end").reset_index()
    entered = pace["cases"].mean() if population.source == "entry" else _entries(book, population, follow[-months:])
    cohort = _cohort(book, rows.filter(rows["month_end"].isin(over)), horizon_days)
    names = tuple(day.isoformat()[:7] for day in over)
    declared = [item for item in cohort.covariates if item.name in covariates]
    return History(
        cohort=cohort,
        months=names,
        months_known=len(closes),
        pace=pace,
        gaps=_gaps(book, cohort, declared),
        per_month=float(entered),
        available=float(pace["cases"].iloc[-1]) if len(pace) else 0.0,
        current=rows.filter(rows["month_end"] == ibis.literal(usable[-1])) if usable else None,
    )


def _read(book: Book, close: date, horizon_days: int) -> bool:
    """Whether the outcome after a month end can be read: its days are over, and their payments were delivered."""
    last = close + timedelta(days=1 + horizon_days)
    return last <= book.as_of and set(months_from(close + timedelta(days=1), last)) <= book.months("payment")


def gaps_of(book: Book) -> tuple[str, ...]:
    """Which month ends, and which payments after the first, are absent up to the last month that is over? Sentences; empty: none is."""
    last = book.as_of if periods.month_end(book.as_of) == book.as_of else month_start(book.as_of, -1)
    first = min(book.months("month_end"), default=last)
    return absent(book, ("month_end",), months_from(first, last)), absent(book, ("payment",), months_from(month_start(first, 1), last))


def arm_as_now(book: Book, cohort: Cohort, *, champion: str, named: str = "") -> str:
    """Which arm of a past experiment was treated as the champion of the next test will be?

    The arm `named`, else the one called like the `champion`, else the one whose role in table `experiment` is champion, else the only one:
    what a challenger brought says nothing of what happens without it.

    Raises
    ------
    DataError
        `named` is no arm of the experiment, or nothing tells which arm it was.
    """
    known = {str(arm) for arm in book.frame(cohort.table.select("arm").distinct())["arm"].dropna()}
    by_role = {arm for arm, plan in cohort.planned.items() if plan.get("role") == "champion"} & known
    arms_known = ", ".join(sorted(known))
    if named and named not in known:
        raise DataError(f"history_arm: experiment '{cohort.experiment_id}' has no arm '{named}'; its arms are {arms_known}")
    for found in ({named} & known, {champion} & known, by_role, known):
        if len(found) == 1:
            return found.pop()
    raise DataError(
        f"history_experiment_id: experiment '{cohort.experiment_id}' has the arms {arms_known}, none called '{champion}', and table experiment "
        "names no champion; write as history_arm the arm that was treated as the champion of this test will be"
    )


def supplied_history(book: Book, cohort: Cohort, *, arm: str, covariates: Sequence[str]) -> History:
    """The history that one `arm` of a past experiment tells (`arm_as_now`), its subjects as one past population.

    Dates of assignment of all arms are the pace: who came was assigned by lot.
    """
    table = cohort.table
    dated = table.filter(table["assigned_on"].notnull())
    dated = dated.mutate(month=dated["assigned_on"].truncate("M"))
    frame = book.frame(
        dated.group_by("month")
        .aggregate(cases=dated.count(), customers=dated["cluster_key"].nunique(), balance_minor=ibis.literal(0, type="int64"))
        .order_by("month")
    )
    known = [item for item in cohort.covariates if item.name in covariates and item.measured == "before"]
    own = replace(cohort, table=table.filter(table["arm"] == arm).mutate(arm=ibis.literal("history")))
    return History(
        cohort=own,
        months=("history",),
        months_known=len(frame),
        pace=frame.rename(columns={"month": "month_end"})[PACE],
        gaps=_gaps(book, own, known),
        per_month=float(frame["cases"].mean()) if len(frame) else float("nan"),
        available=float(str(book.scalar(table.count()))),
        arm=arm,
    )


def members(book: Book, population: Population, month_ends: Sequence[date]) -> ir.Table:
    """Who stands in the population at these month ends (source `stock`), or came into it since the month end before (`entry`)?

    One row per account and month end: month_end, subject_key, cluster_key (customer), officer_key, product, region, balance, bucket, score.
    """
    month_end, account = book.table("month_end"), book.table("account")
    rows = month_end.filter(month_end["status"] == "open")
    if population.buckets:
        rows = rows.filter(rows["bucket"].isin(list(population.buckets)))
    if population.min_balance_minor is not None:
        rows = rows.filter(rows["balance_minor"] >= population.min_balance_minor)
    if population.max_balance_minor is not None:
        rows = rows.filter(rows["balance_minor"] < population.max_balance_minor)
    for column, values in (
        ("portfolio_code", population.portfolios),
        ("product_code", population.products),
        ("region_code", population.regions),
    ):
        if values:
            account = account.filter(account[column].isin(list(values)))
    wanted = rows.filter(rows["month_end"].isin([ibis.literal(day) for day in month_ends]))
    if population.source == "entry":
        before = rows.select(known_key=rows["account_key"], next_month=_month_number(rows["month_end"]) + 1)
        wanted = wanted.anti_join(
            before, [wanted["account_key"] == before["known_key"], _month_number(wanted["month_end"]) == before["next_month"]]
        )
    joined = wanted.join(account, wanted["account_key"] == account["account_key"])
    return joined.select(
        month_end=joined["month_end"],
        subject_key=joined["account_key"],
        cluster_key=joined["customer_key"],
        officer_key=joined["officer_key"],
        product=joined["product_code"],
        region=joined["region_code"],
        balance=owed(joined["balance_minor"]),
        bucket=joined["bucket"],
        score=joined["score"].fill_null(joined["score_at_entry"]),
    )


def by_officer(cohort: Cohort) -> Cohort | None:
    """The cohort with officers as clusters, accounts without an officer left out; None where the source names no officers."""
    if "officer_key" not in cohort.table.columns:
        return None
    worked = cohort.table.filter(cohort.table["officer_key"].notnull())
    return replace(cohort, table=worked.mutate(cluster_key=worked["officer_key"]))


def products_of(book: Book, cohort: Cohort, outcomes: Sequence[Outcome], covariates: Sequence[Covariate]) -> dict[tuple[str, str], float]:
    """Sums of products of every pair of 1, the outcomes and the covariates over all subjects: what `test_plan.explained` takes."""
    table = cohort.table
    table = table.mutate(one=ibis.literal(1, type="int64"))
    columns = {"1": table["one"]}
    columns |= {item.name: table[item.column] for item in outcomes}
    columns |= {item.name: table[item.column] for item in covariates}
    names = list(columns)
    pairs = [(a, b) for place, a in enumerate(names) for b in names[place:]]
    sums = {f"p{place}": sum_of_products(_whole(columns[a]), _whole(columns[b])) for place, (a, b) in enumerate(pairs)}
    found = book.frame(table.aggregate(**sums)).iloc[0]
    return {pair: float(found[f"p{place}"]) if pd.notna(found[f"p{place}"]) else 0.0 for place, pair in enumerate(pairs)}


def monthly_sums(book: Book, history: History) -> pd.DataFrame:
    """Sums per outcome and past cohort (`arms.arm_sums`, the month as arm)."""
    return arms.arm_sums(book, history.cohort, history.months, history.cohort.outcomes)


def bucket_sums(book: Book, cohort: Cohort, outcomes: Sequence[Outcome], bucket: ir.Column) -> pd.DataFrame:
    """The sums of `experiments.SUMS` per outcome and hash bucket of the customer: one pass over the subjects.

    `bucket` is an expression over `cohort.table`. Columns: outcome, unit, horizon_days, bucket, and the sums.
    """
    table = cohort.table.mutate(bucket=bucket)
    inner: dict[str, ir.Value] = {"n": table.count()}
    for place, item in enumerate(outcomes):
        value = _whole(table[item.column]).fill_null(0)
        inner |= {
            f"y{place}": arms.total(value),
            f"q{place}": sum_of_products(value, value),
            f"p{place}": (value > 0).cast("int64").sum(),
        }
    cluster = table.group_by(["bucket", "cluster_key"]).aggregate(**inner)
    n = cluster["n"]
    sums: dict[str, ir.Value] = {"clusters": cluster.count(), "cases": n.sum(), "sum_nn": sum_of_products(n, n)}
    for place in range(len(outcomes)):
        y = cluster[f"y{place}"]
        sums |= {
            f"sum_y{place}": arms.total(y),
            f"sum_y2{place}": compensated_sum(cluster[f"q{place}"]),
            f"positive{place}": cluster[f"p{place}"].sum(),
            f"sum_yy{place}": sum_of_products(y, y),
            f"sum_yn{place}": sum_of_products(y, n),
        }
    found = book.frame(cluster.group_by("bucket").aggregate(**sums).order_by("bucket"))
    shared = ["clusters", "cases", "sum_nn"]
    parts = []
    for place, item in enumerate(outcomes):
        own = {f"{name}{place}": name for name in ("sum_y", "sum_y2", "positive", "sum_yy", "sum_yn")}
        part = found[["bucket", *shared, *own]].rename(columns=own)
        parts.append(part.assign(outcome=item.name, unit=item.unit, horizon_days=item.horizon_days))
    return pd.concat(parts, ignore_index=True)


def _cohort(book: Book, rows: ir.Table, horizon_days: int) -> Cohort:
    """The past members with what they paid: the month of the cohort is its arm."""
    rows = rows.mutate(arm=rows["month_end"].strftime("%Y-%m"), assigned_on=(rows["month_end"] + ibis.interval(days=1)).cast("date"))
    payments = net_payments(book)
    joined = rows.join(payments, rows["subject_key"] == payments["account_key"])
    day = joined["paid_on"].delta(joined["assigned_on"], unit="day")
    joined = joined.mutate(day=day).filter(day <= horizon_days, day >= -PAID_BEFORE_DAYS)
    paid = joined.group_by(["subject_key", "arm"]).aggregate(
        amount=joined["amount_minor"].sum(where=joined["day"] >= 0),
        earlier=joined["amount_minor"].sum(where=joined["day"] < 0),
    )
    table = rows.left_join(paid, ["subject_key", "arm"])
    amount = table["amount"].fill_null(0).cast("int64")
    table = table.select(
        *(table[name] for name in rows.columns),
        **{
            f"amount_d{horizon_days}_minor": amount,
            f"payer_d{horizon_days}": (amount > 0).cast("int64"),
            "paid_before": table["earlier"].fill_null(0).cast("int64"),
        },
    )
    return Cohort(
        experiment_id="history",
        supplied=False,
        as_of=book.as_of,
        table=table.cache(),
        outcomes=(
            Outcome(name=AMOUNT, column=f"amount_d{horizon_days}_minor", unit="minor", horizon_days=horizon_days),
            Outcome(name=PAYER, column=f"payer_d{horizon_days}", unit="share", horizon_days=horizon_days),
        ),
        covariates=tuple(Covariate(name=name, column=name, measured="before") for name in COVARIATES),
        doses=(),
        planned={},
    )


def _month_ends(book: Book) -> list[date]:
    table = book.table("month_end")
    found = book.frame(table.select("month_end").distinct().order_by("month_end"))
    return [day.date() for day in pd.to_datetime(found["month_end"])]


def _entries(book: Book, population: Population, month_ends: Sequence[date]) -> float:
    """How many accounts come into a standing population in a mean month? NaN where the book knows no month before."""
    if not month_ends:
        return float("nan")
    rows = members(book, replace(population, source="entry"), month_ends)
    return float(str(book.scalar(rows.count()))) / len(month_ends)


def _month_number(day: ir.Column) -> ir.Column:
    return day.year() * 12 + day.month()


def _gaps(book: Book, cohort: Cohort, covariates: Sequence[Covariate]) -> dict[str, int]:
    if not covariates:
        return {}
    table = cohort.table
    found = book.frame(table.aggregate(**{f"c{place}": table[item.column].isnull().sum() for place, item in enumerate(covariates)}))
    counts = {item.name: int(found[f"c{place}"].fillna(0).iloc[0]) for place, item in enumerate(covariates)}
    return {name: count for name, count in counts.items() if count}


def _whole(column: ir.Column) -> ir.Column:
    """Whole numbers stay whole (their products are summed exactly); flags and others become numbers."""
    kind = column.type()
    return column.cast("int64") if kind.is_integer() or kind.is_boolean() else column.cast("float64")
