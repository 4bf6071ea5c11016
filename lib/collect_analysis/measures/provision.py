"""Why specific provision moved: by the groups debtors moved between (F10), by what was paid, by what came and went."""

from collections.abc import Sequence
from datetime import date

import ibis
import ibis.expr.types as ir
import pandas as pd

from collect_analysis.measures.flow import EXITS, MISSING
from collect_analysis.measures.periods import month_start
from collect_analysis.measures.placements import months_between
from collect_analysis.measures.transitions import Transitions, close_after

# Handed over as already written off or sold: no provision is held against them.
NOT_PROVIDED = ("off_balance", "sold")
ENTERED = "entered"
NO_GROUP = "the month ends carry no regulatory group: map reg_group"
NOTHING_PROVIDED = "no debt on the balance sheet: nothing is provided for"
# Why provision moved. `worse`, `better`: the debtor's group; `paid_down`: the balance at the new group's rate; the rest: came or went.
CAUSES = ("worse", "better", "paid_down", ENTERED, *EXITS, MISSING)


def group_reason(transitions: Transitions) -> str:
    """Why groups and provision cannot be told; empty where they can."""
    ends = _on_balance(transitions)
    facts = transitions.book.frame(ends.agg(rows=ends.count(), known=ends.reg_group.notnull().sum().fill_null(0))).iloc[0]
    return NOTHING_PROVIDED if not facts["rows"] else NO_GROUP if not facts["known"] else ""


def exposures(transitions: Transitions) -> pd.DataFrame:
    """The exposure behind every change of provision, by account and the group of its debtor.

    Columns: month (of the close), kind (open: open at both month ends; entered; an exit; missing), from_group, to_group (NaN where there is
    none), count (accounts), open_minor, close_minor (balance; overpaid: 0). Debts handed over as written off or sold are not in it. Months
    without one of their month ends have no row. Sorted.
    """
    ends = _on_balance(transitions)
    of_debtor = ibis.window(group_by=[ends.debtor, ends.month_end])
    group = ends.reg_group.max(where=ends.status == "open").over(of_debtor)
    rows = ends.mutate(group=ibis.ifelse(ends.status == "open", group, ibis.null("int64")))
    order = ibis.window(group_by=rows.account_key, order_by=rows.month_end)
    names = ("month_end", "status", "group", "exposure")
    before = {"last_end": rows.month_end.lag().over(order), "last_status": rows.status.lag().over(order)}
    rows = rows.mutate(**{f"next_{name}": rows[name].lead().over(order) for name in names}, **before)
    period = transitions.scope.period
    start = rows.filter(rows.status == "open", rows.month_end >= ibis.literal(period.opening), rows.month_end < ibis.literal(period.end))
    follows = (months_between(start.next_month_end, start.month_end) == 1).fill_null(False)
    kind = ibis.cases((~follows, MISSING), else_=start.next_status)
    went = start.select(
        month=close_after(start.month_end),
        kind=kind,
        from_group="group",
        to_group=ibis.ifelse(kind == "open", start.next_group, ibis.null("int64")),
        opening="exposure",
        closing=ibis.ifelse(kind == "open", start.next_exposure, ibis.literal(0, "int64")),
    )
    # What was closed and is open again comes in anew.
    fresh = (months_between(rows.month_end, rows.last_end) != 1).fill_null(True) | (rows.last_status != "open").fill_null(False)
    new = rows.filter(
        rows.status == "open", fresh, rows.month_end > ibis.literal(period.opening), rows.month_end <= ibis.literal(period.end)
    )
    came = new.select(
        month=new.month_end,
        kind=ibis.literal(ENTERED),
        from_group=ibis.null("int64"),
        to_group="group",
        opening=ibis.literal(0, "int64"),
        closing="exposure",
    )
    both = went.union(came)
    grouped = both.group_by("month", "kind", "from_group", "to_group").agg(
        count=both.count(), open_minor=both.opening.sum().cast("int64"), close_minor=both.closing.sum().cast("int64")
    )
    found = transitions.book.frame(grouped)
    found["month"] = pd.to_datetime(found["month"]).dt.date
    # Beside a month end that was not delivered every account would seem to have gone, or to have come.
    ends = transitions.book.months("month_end")
    found = found[[{month_start(day), month_start(day, -1)} <= ends for day in found["month"]]]
    return found.sort_values(["month", "kind", "from_group", "to_group"], ignore_index=True)


def provision_bridge(cells: pd.DataFrame, rates: Sequence[float]) -> pd.DataFrame:
    """Why did specific provision move from one month end to the next?

    `cells` is the table of `exposures`, `rates` the share provided for in groups 1 to 5. Columns: month, cause (`CAUSES`), count (accounts),
    amount_minor (change of provision), opening_minor, closing_minor (provision at both ends, of the month). The amounts of a month add up
    to closing less opening. `worse` and `better`: (rate of the new group - rate of the old) x opening balance; with what was paid off and
    the sign turned this is F10, provision released. `paid_down`: rate of the new group x change of balance. An account without a group is
    provided for at 0; `exposures` shows it.
    """
    rate_open, rate_close = _rates(cells["from_group"], rates), _rates(cells["to_group"], rates)
    stays = cells["kind"] == "open"
    parts = []
    moved = (rate_close - rate_open) * cells["open_minor"]
    for cause, chosen in (("worse", stays & (rate_close > rate_open)), ("better", stays & (rate_close < rate_open))):
        parts.append(_cause(cells[chosen], cause, moved[chosen]))
    parts.append(_cause(cells[stays], "paid_down", rate_close[stays] * (cells["close_minor"] - cells["open_minor"])[stays]))
    entered = cells["kind"] == ENTERED
    parts.append(_cause(cells[entered], ENTERED, (rate_close * cells["close_minor"])[entered]))
    for name in (*EXITS, MISSING):
        chosen = cells["kind"] == name
        parts.append(_cause(cells[chosen], name, -(rate_open * cells["open_minor"])[chosen]))
    ends = cells.assign(opening_minor=rate_open * cells["open_minor"], closing_minor=rate_close * cells["close_minor"])
    ends = ends.groupby("month", as_index=False)[["opening_minor", "closing_minor"]].sum()
    table = pd.concat([part for part in parts if len(part)], ignore_index=True)
    place = {name: number for number, name in enumerate(CAUSES)}
    table = table.merge(ends, on="month", validate="many_to_one")
    return table.sort_values(
        ["month", "cause"], key=lambda column: column.map(place) if column.name == "cause" else column, ignore_index=True
    )


def last_and_all(bridge: pd.DataFrame, last_day: date) -> pd.DataFrame:
    """Why did provision move in the last month, and over all months?

    Columns: those of `provision_bridge`; month is the last month's end, or `all`; there `count` is of accounts month by month.
    """
    last = bridge[bridge["month"] == last_day]
    whole = bridge.groupby("cause", as_index=False, sort=False)[["count", "amount_minor"]].sum()
    opening = bridge.loc[bridge["month"] == bridge["month"].min(), "opening_minor"].max()
    whole = whole.assign(month="all", opening_minor=opening, closing_minor=last["closing_minor"].max())
    return pd.concat([last.assign(month=f"{last_day:%Y-%m-%d}"), whole], ignore_index=True)[list(bridge.columns)]


def by_bucket(transitions: Transitions, rates: Sequence[float]) -> pd.DataFrame:
    """How much is provided for the accounts of each bucket at the end of the period? Columns: from, count, exposure_minor, provision_minor.

    All open accounts of the bucket are counted, also those nothing is provided for.
    """
    ends, scope = _all(transitions), transitions.scope
    now = ends.filter(ends.month_end == ibis.literal(scope.period.end), ends.status == "open")
    group = now.reg_group.max().over(ibis.window(group_by=now.debtor))
    told = now.select(
        bucket=ibis.least(now.bucket, ibis.literal(scope.top_bucket)),
        group=ibis.ifelse(now.provided, group, ibis.null("int64")),
        exposure=ibis.ifelse(now.provided, now.exposure, ibis.literal(0, "int64")),
    )
    grouped = told.group_by("bucket", "group").agg(count=told.count(), exposure_minor=told.exposure.sum().cast("int64"))
    found = transitions.book.frame(grouped)
    found = found.assign(provision_minor=_rates(found["group"], rates) * found["exposure_minor"])
    found["from"] = found["bucket"].astype(int).astype(str)
    return found.groupby("from", as_index=False)[["count", "exposure_minor", "provision_minor"]].sum()


def held_after(transitions: Transitions, rates: Sequence[float], origins: Sequence[date], *, horizon: int) -> pd.DataFrame:
    """How much was provided 0, 1, 2, ... months later for the accounts open on each of these month ends?

    Columns: origin, step (months later, up to `horizon` and the end of the period), from (bucket then), count (accounts still open then),
    provision_minor. Accounts that entered after the origin are not in it.
    """
    ends, scope = _all(transitions), transitions.scope
    open_then = ends.filter(ends.status == "open", ends.month_end <= ibis.literal(scope.period.end))
    group = open_then.reg_group.max().over(ibis.window(group_by=[open_then.debtor, open_then.month_end]))
    held = open_then.select(
        "account_key",
        "month_end",
        bucket=ibis.least(open_then.bucket, ibis.literal(scope.top_bucket)),
        group=ibis.ifelse(open_then.provided, group, ibis.null("int64")),
        exposure=ibis.ifelse(open_then.provided, open_then.exposure, ibis.literal(0, "int64")),
    )
    start = held.filter(held.month_end.isin([ibis.literal(day) for day in origins])).select(start_key="account_key", origin="month_end")
    joined = start.join(held, (start.start_key == held.account_key) & (held.month_end >= start.origin))
    joined = joined.mutate(step=months_between(joined.month_end, joined.origin))
    near = joined.filter(joined.step <= horizon)
    cells = near.group_by("origin", "step", "bucket", "group").agg(count=near.count(), exposure_minor=near.exposure.sum().cast("int64"))
    found = transitions.book.frame(cells)
    found = found.assign(provision_minor=_rates(found["group"], rates) * found["exposure_minor"])
    found["origin"], found["from"] = pd.to_datetime(found["origin"]).dt.date, found["bucket"].astype(int).astype(str)
    keys = ["origin", "step", "from"]
    # Sums of floats depend on their order.
    found = found.sort_values([*keys, "group"], ignore_index=True)
    return found.groupby(keys, as_index=False)[["count", "provision_minor"]].sum()


def _rates(groups: pd.Series, rates: Sequence[float]) -> pd.Series:
    """The rate of each group; 0 for an account without one."""
    return groups.astype(float).map({float(group): rate for group, rate in enumerate(rates, 1)}).fillna(0.0)


def _cause(cells: pd.DataFrame, cause: str, amount: pd.Series) -> pd.DataFrame:
    found = cells[["month", "count"]].assign(amount_minor=amount).groupby("month", as_index=False).sum()
    return found.assign(cause=cause)[["month", "cause", "count", "amount_minor"]]


def _all(transitions: Transitions) -> ir.Table:
    """The month ends followed, with debtor, exposure and whether provision is held against the debt."""
    ends, account = transitions.ends, transitions.book.table("account")
    whose = account.select(owed="account_key", customer="customer_key", standing="debt_status")
    joined = ends.left_join(whose, [("account_key", "owed")])
    return joined.select(
        *[name for name in ends.columns if name not in ("score", "hold_code")],
        debtor=ibis.coalesce(joined.customer, joined.account_key),
        exposure=joined.balance_minor,
        provided=~joined.standing.isin(list(NOT_PROVIDED)).fill_null(False),
    )


def _on_balance(transitions: Transitions) -> ir.Table:
    every = _all(transitions)
    return every.filter(every.provided)
