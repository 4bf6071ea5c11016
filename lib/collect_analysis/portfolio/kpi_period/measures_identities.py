"""What must add up exactly: each number of a KPI period held against another way to count it, in whole numbers."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import ibis.expr.types as ir
import pandas as pd

from collect_analysis.measures import flow, held, promises
from collect_analysis.measures.attribution import UNATTRIBUTED, attribution
from collect_analysis.measures.cash import collected_by_hand, payments
from collect_analysis.measures.contact import is_attempt
from collect_analysis.measures.kpi_table import Facts, lacking
from collect_analysis.measures.periods import month_end, month_start
from collect_analysis.measures.scopes import within

_LONG_AGO, _FOREVER = pd.Timestamp("1900-01-01"), pd.Timestamp("2200-01-01")
COLUMNS = ("identity", "counted", "held_against", "gap", "scopes", "met")
# Which tables each needs, in the order in which they are told.
NEEDS = {
    "flow_adds_up": ("month_end",),
    "assigned_stay": ("month_end",),
    "cash_adds_up": ("payment",),
    "no_posting_lost": ("payment",),
    "attribution_adds_up": ("contact", "payment"),
    "placed_stay": ("decision", "payment"),
    "promises_add_up": ("promise", "payment"),
    "one_payment_one_promise": ("promise", "payment"),
    "attempts_counted_once": ("contact",),
    "overdue_in_time_rate": ("ticket",),
    "contacts_as_held": ("contact",),
    "followed_as_held": ("month_end",),
    "overdue_as_held": ("month_end",),
    "days_as_held": ("unit_day",),
    "cash_before_as_held": ("payment",),
    "overdue_before_as_held": ("month_end",),
    "attempts_before_as_held": ("contact",),
}
# Those that follow accounts from month end to month end.
_PAIRS = ("flow_adds_up", "followed_as_held", "overdue_as_held", "overdue_before_as_held")
_BEFORE = "_before_as_held"


@dataclass(frozen=True)
class _Check:
    """Two ways to count one thing; `scopes` where they differ."""

    counted: float
    held_against: float
    scopes: int = 0


def identities(facts: Facts, kpis: pd.DataFrame) -> pd.DataFrame:
    """Do the KPIs of a period add up? Whole numbers, so that the gap is exact.

    `kpis` is the table of `kpi_table` (or `compared`) for the company and any other grains. One row per identity whose tables the book holds
    in the period (of `before`: in the one before); columns: identity, counted (what the KPIs say), held_against (another way to count it),
    gap (counted - held_against; of flow and cash the largest of all scopes), scopes (in how many it is open), met.

    - flow_adds_up: F1 + F3 + F4 + F5 + F6 = 1, by count and by balance, in every scope;
    - assigned_stay: accounts assigned = open at the opening + entered or open again since, whatever left (denominators do not shrink);
    - cash_adds_up: the scopes of each grain add up to the company, by either credit (R1, R1-day); no_posting_lost: the company to the
      postings themselves, every reversal followed by hand (no join multiplied money, no netting lost any);
    - attribution_adds_up: attributed cash + visible residual = all payments that stayed;
    - placed_stay: the denominator of R2 is the balance of all placements of the batches, recalled ones included, each account once at a time;
    - promises_add_up: kept + partly + renegotiated + broken + undecided = promises falling due;
    - one_payment_one_promise: what was dealt to promises is no more than the cash of their accounts in their windows, each payment once;
    - attempts_counted_once: attempts of units = attempts in the log;
    - overdue_in_time_rate: the denominator of Q6 = tickets closed in the period + tickets open past their due time;
    - contacts_as_held, followed_as_held: the contacts read, and the accounts followed to the next month end, are those the book holds;
      overdue_as_held, days_as_held: so are the denominators of F1 and W9; cash_, overdue_ and attempts_before_as_held: so is what the period
      before is told by (R1, F1, C4). A relation that lost its rows on the way opens them, whatever it was lost by.
    """
    rows = []
    for name, needs in NEEDS.items():
        about = facts.previous if name.endswith(_BEFORE) else facts
        if lacking(about, needs, ends=(about.period.opening, about.period.end) if name in _PAIRS else None):
            continue
        check = _CHECKS[name](facts, kpis)
        if check is not None:
            gap = check.counted - check.held_against
            met = gap == 0 if name != "one_payment_one_promise" else gap <= 0
            rows.append((name, check.counted, check.held_against, gap, check.scopes, bool(met) and check.scopes == 0))
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"counted": float, "held_against": float, "gap": float, "met": bool})


def _company(kpis: pd.DataFrame, kpi: str, column: str) -> float:
    """A number of the company; NaN where the KPI or the column was not asked for."""
    if column not in kpis:
        return float("nan")
    found = kpis.loc[(kpis["kpi"] == kpi) & (kpis["scope_type"] == "company"), column]
    return float(found.iloc[0]) if len(found) else float("nan")


def _flow(facts: Facts, kpis: pd.DataFrame) -> _Check | None:
    if not set(flow.IDENTITY) <= set(kpis["kpi"]):
        return None
    gaps = flow.identity_gaps(kpis)
    opening = _company(kpis, "F1", "denominator")
    counted = sum(_company(kpis, kpi, "numerator") for kpi in flow.IDENTITY)
    if gaps.empty:
        return _Check(counted, opening)
    worst = gaps.assign(size=gaps["gap"].abs()).nlargest(1, "size").iloc[0]
    return _Check(float(worst["counted"]), float(worst["opening"]), len(gaps))


def _assigned(facts: Facts, kpis: pd.DataFrame) -> _Check | None:
    counted = _company(kpis, "R9", "denominator")
    if counted != counted:
        return None
    period, ends = facts.period, facts.book.table("month_end")
    opening = ends.filter(ends.month_end == period.opening).select("account_key", "status")
    inside = ends.filter(ends.month_end > period.opening, ends.month_end <= period.end).select("account_key").distinct()
    stock = facts.book.scalar(opening.filter(opening.status == "open").count())
    entered = facts.book.scalar(inside.anti_join(opening, "account_key").count())
    held = (
        ends.filter(ends.month_end > period.opening, ends.month_end <= period.end, ends.status == "open").select("account_key").distinct()
    )
    again = facts.book.scalar(opening.filter(opening.status != "open").semi_join(held, "account_key").count())
    return _Check(counted, float(str(stock)) + float(str(entered)) + float(str(again)))


def _scopes_of_cash(facts: Facts, kpis: pd.DataFrame) -> _Check | None:
    total = _company(kpis, "R1", "value")
    if total != total:
        return None
    # Whoever a payment is credited to, it is one payment of the company.
    sums = kpis[kpis["kpi"].isin(["R1", "R1-day"])].groupby(["kpi", "scope_type"])["value"].sum()
    apart = sums[sums != total]
    return _Check(float(apart.iloc[0]) if len(apart) else total, total, len(apart))


def _postings(facts: Facts, kpis: pd.DataFrame) -> _Check | None:
    counted = _company(kpis, "R1", "value")
    if counted != counted:
        return None
    return _Check(counted, _by_hand(facts))


def _by_hand(facts: Facts) -> float:
    return float(collected_by_hand(facts.book, start=facts.period.start, end=facts.period.end))


def _attempted_before(facts: Facts) -> float:
    before = facts.period.previous
    return held.attempted(facts.book, before.start, before.end, facts.windows)


def _stayed(facts: Facts) -> float:
    money = payments(facts.book)
    inside = money.filter(within(money.value_date, facts.period.start, facts.period.end))
    return float(str(facts.book.scalar(inside.amount_minor.sum().fill_null(0).cast("int64"))))


def _attributed(facts: Facts, kpis: pd.DataFrame) -> _Check | None:
    table = attribution(facts.book, facts["contacts"], facts.period, facts.windows)
    residual = float(table.loc[table["unit_key"] == UNATTRIBUTED, "numerator"].sum())
    told = _company(kpis, "C12", "numerator")
    mine = told if told == told else float(table["numerator"].sum()) - residual
    return _Check(mine + residual, _stayed(facts))


def _placed(facts: Facts, kpis: pd.DataFrame) -> _Check | None:
    counted, age = _company(kpis, "R2", "denominator"), facts.windows.liquidation_months
    if counted != counted:
        return None
    first, last = month_start(facts.period.start, -age), month_end(facts.period.end, -age)
    return _Check(counted, float(_placed_by_hand(facts, first, last)))


def _placed_by_hand(facts: Facts, first: date, last: date) -> int:
    """What was placed from `first` to `last`, one placement of an account after the other: one that begins while another runs is left out."""
    decision = facts.book.table("decision")
    every = decision.filter(decision.kind == "placement", decision.unit_key.notnull())
    batch = every.filter(within(every.from_date, first, last))
    rows = every.semi_join(batch, "account_key").select("account_key", "decision_key", "from_date", "to_date", "balance_minor")
    frame = facts.book.frame(rows).sort_values(["account_key", "from_date", "decision_key"])
    begun, ended = pd.to_datetime(frame["from_date"]), pd.to_datetime(frame["to_date"]).fillna(_FOREVER)
    total, of, runs_to = 0, "", _LONG_AGO
    for account, day, end, balance in zip(frame["account_key"], begun, ended, frame["balance_minor"].fillna(0), strict=True):
        runs_to = runs_to if account == of else _LONG_AGO
        if day >= runs_to and pd.Timestamp(first) <= day <= pd.Timestamp(last):
            total += max(int(balance), 0)
        of, runs_to = account, max(runs_to, end)
    return total


def _promises(facts: Facts, kpis: pd.DataFrame) -> _Check | None:
    states = promises.states_of(facts.book, facts["due"]).set_index("state")["promises"]
    promise = facts.book.table("promise")
    due = promise.filter(promise.amount_minor > 0, within(promise.due_date, facts.period.start, facts.period.end))
    judged = _company(kpis, "C8", "denominator")
    decided = judged if judged == judged else float(states.drop("undecided").sum())
    return _Check(decided + float(states["undecided"]), float(str(facts.book.scalar(due.count()))))


def _dealt_once(facts: Facts, kpis: pd.DataFrame) -> _Check | None:
    """Cash dealt to promises against the cash of their accounts within the windows, every payment counted once."""
    due = facts["due"]
    dealt = facts.book.scalar(due.paid_minor.sum().fill_null(0).cast("int64"))
    promise = facts.book.table("promise")
    mine = promise.semi_join(due.select("promise_key"), "promise_key")
    window = mine.select(of_account="account_key", first=mine.made_ts.date(), due_date="due_date")
    money = payments(facts.book).select("payment_key", "account_key", "value_date", "amount_minor")
    grace = timedelta(days=facts.windows.grace_days)
    money = money.filter(money.value_date <= facts.period.end + grace)
    pairs = money.inner_join(window, [("account_key", "of_account")])
    near = pairs.filter(pairs.value_date >= pairs.first, pairs.value_date.delta(pairs.due_date, unit="day") <= facts.windows.grace_days)
    once = near.select("payment_key", "amount_minor").distinct()
    available = facts.book.scalar(once.amount_minor.sum().fill_null(0).cast("int64"))
    return _Check(float(str(dealt)), float(str(available)))


def _attempts(facts: Facts, kpis: pd.DataFrame) -> _Check | None:
    counted = _company(kpis, "C4", "denominator")
    if counted != counted:
        return None
    contact = facts.book.table("contact")
    inside = contact.filter(within(contact.local_ts, facts.period.start, facts.period.end))
    return _Check(counted, float(str(facts.book.scalar(inside.filter(is_attempt(inside, facts.windows)).count()))))


def _judged_tickets(facts: Facts, kpis: pd.DataFrame) -> _Check | None:
    counted = _company(kpis, "Q6", "denominator")
    if counted != counted:
        return None
    ticket = facts.book.table("ticket")
    mine = ticket.filter(ticket.owner_side.isin(facts.windows.sla_owner_sides))
    after = datetime.combine(facts.period.end + timedelta(days=1), time())
    closed = mine.filter(within(mine.closed_ts, facts.period.start, facts.period.end)).count()
    still = mine.filter(mine.closed_ts.isnull() | (mine.closed_ts >= after), mine.opened_ts < after, mine.due_ts < after).count()
    return _Check(counted, float(str(facts.book.scalar(closed))) + float(str(facts.book.scalar(still))))


def _contacts(facts: Facts, kpis: pd.DataFrame) -> _Check:
    since = facts.period.start - timedelta(days=facts.windows.attribution_days)
    return _Check(_number(facts, facts["contacts"].count()), held.contacts(facts.book, since, facts.period.end))


def _followed(facts: Facts, kpis: pd.DataFrame) -> _Check:
    pairs = facts["pairs"]
    followed = _number(facts, pairs.filter(pairs.state != flow.MISSING).count())
    return _Check(followed, held.followed(facts.book, facts.period.opening, facts.period.end))


def _read(kpi: str, column: str, rows: Callable[[Facts], float]) -> Callable[[Facts, pd.DataFrame], _Check | None]:
    """A number of a KPI against what the book holds; a KPI that was asked for and has no number counts nothing."""

    def check(facts: Facts, kpis: pd.DataFrame) -> _Check | None:
        counted = _company(kpis, kpi, column)
        if column not in kpis or kpi not in set(kpis["kpi"]):
            return None
        return _Check(0.0 if counted != counted else counted, rows(facts))

    return check


def _number(facts: Facts, expression: ir.IntegerScalar) -> float:
    return float(str(facts.book.scalar(expression)))


_CHECKS = {
    "flow_adds_up": _flow,
    "assigned_stay": _assigned,
    "cash_adds_up": _scopes_of_cash,
    "no_posting_lost": _postings,
    "attribution_adds_up": _attributed,
    "placed_stay": _placed,
    "promises_add_up": _promises,
    "one_payment_one_promise": _dealt_once,
    "attempts_counted_once": _attempts,
    "overdue_in_time_rate": _judged_tickets,
    "contacts_as_held": _contacts,
    "followed_as_held": _followed,
    "overdue_as_held": _read("F1", "denominator", lambda f: held.overdue(f.book, f.period.opening, f.period.end)),
    "days_as_held": _read("W9", "denominator", lambda f: held.scheduled_days(f.book, f.period.start, f.period.end)),
    "cash_before_as_held": _read("R1", "previous", lambda f: _by_hand(f.previous)),
    "overdue_before_as_held": _read(
        "F1", "previous_cases", lambda f: held.overdue(f.book, f.previous.period.opening, f.previous.period.end)
    ),
    "attempts_before_as_held": _read("C4", "previous_cases", _attempted_before),
}
