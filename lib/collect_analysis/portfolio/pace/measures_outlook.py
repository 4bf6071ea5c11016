"""A running month as pace sees it: its days and those of past months, the forecast of every scope, the bridge from plan to cash."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import pandas as pd

from collect_analysis.book.store import Book
from collect_analysis.measures import pace
from collect_analysis.measures.pace import CELL_KEYS, CELL_NUMBERS, ENTERED, Cut
from collect_analysis.measures.pace_days import calendar_days, features, with_cash
from collect_analysis.measures.periods import month_end, month_start
from collect_analysis.measures.recovery import targets
from collect_analysis.measures.scopes import COMPANY, UNASSIGNED, Directory
from collect_analysis.methods.forecast.completion import Curve, Forecast, Months, fit_curve, forecast, months_of
from collect_analysis.methods.profiling import bridge

SCOPES = ("company", "sub_function", "unit")
# Fewer past months with cash than this give a scope no forecast of its own.
FEWEST_OF_SCOPE = 3
FORECAST_COLUMNS = (
    "scope_type", "scope_key", "paid_minor", "complete", "value", "low", "high", "plan_minor", "reach", "gap_minor", "prior_minor", "months",
    "note",
)  # fmt: skip
TOO_SHORT = "fewer than {fewest} past months with cash"


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """The month of `as_of` up to that day. `featured`: days of past months and of this one; `daily`: cash by day and unit, entrants allotted;
    `by_day`: of the company, with the largest posting and what was posted late;
    `months`: the company's, this month last; `plans`: approved target of each scope; `allotted_share`: share of the cash so far whose holder
    is not known yet.
    """

    book: Book
    as_of: date
    featured: pd.DataFrame
    listed: bool
    daily: pd.DataFrame
    by_day: pd.DataFrame
    sub_functions: Mapping[str, str]
    months: Months
    plans: pd.DataFrame
    shares: pd.Series
    allotted_share: float

    @property
    def cut(self) -> Cut:
        """The running month up to `as_of`."""
        return Cut(self.as_of)

    @property
    def past(self) -> Months:
        """The company's months before this one."""
        return self.months.only(slice(0, len(self.months.names) - 1))

    @property
    def month(self) -> Months:
        """The company's running month."""
        return self.months.only([len(self.months.names) - 1])

    @property
    def paid_minor(self) -> int:
        """Cash of the month so far."""
        return int(self.month.totals[0])

    def plan(self, scope_type: str, scope_key: str) -> float:
        """Approved money target of a scope for the month; NaN without."""
        own = self.plans[(self.plans["scope_type"] == scope_type) & (self.plans["scope_key"] == scope_key)]["target"]
        return float(own.iloc[0]) if len(own) else float("nan")

    def series(self, scope_type: str, scope_key: str) -> Months:
        """The months of one scope."""
        if scope_type == "company":
            return self.months
        unit = self.daily["unit_key"]
        names = unit if scope_type == "unit" else unit.map(lambda key: self.sub_functions.get(key, UNASSIGNED))
        own = self.daily[names == scope_key]
        place = {name: row for row, name in enumerate(self.months.names)}
        cash = np.where(np.isfinite(self.months.cash), 0.0, np.nan)
        rows = [place[month_start(day)] for day in own["date"]]
        np.add.at(cash, (rows, [day.day - 1 for day in own["date"]]), own["collected_minor"].to_numpy(dtype=float))
        return replace(self.months, cash=cash)


def outlook(book: Book, *, history_months: int, reference_months: int) -> Outlook:
    """What is known on the day of the book about the running month and up to `history_months` whole months before it?

    Past months start with the first whole one: a month whose first working day had passed before the first posting is left out, and so is
    one whose payments were not delivered. Cash of accounts that came in during the running month has no holder yet: it goes to units by
    their shares of such cash in the last `reference_months`.
    """
    as_of = book.as_of
    daily = pace.daily_cash(book, start=month_start(as_of, -history_months), end=as_of)
    start = _first_month(book, daily, as_of)
    days = calendar_days(book, start, month_end(as_of))
    featured = features(days)
    daily = daily[daily["date"] >= start]
    now = daily["date"] >= month_start(as_of)
    unheld = daily["entered"] & now & (daily["unit_key"] == UNASSIGNED)
    shares = pace.entrant_shares(daily, start=month_start(as_of, -reference_months), end=month_start(as_of) - timedelta(days=1))
    paid = float(daily.loc[now, "collected_minor"].sum())
    share = float(daily.loc[unheld, "collected_minor"].sum()) / paid if paid > 0 else 0.0
    by_day = daily.groupby("date", as_index=False).agg(
        collected_minor=("collected_minor", "sum"), largest_minor=("largest_minor", "max"), late_minor=("late_minor", "sum")
    )
    spread = pace.allotted(daily[["date", "unit_key", "entered", "collected_minor"]], shares, entered=unheld, numbers=("collected_minor",))
    units = book.frame(Directory.of(book, as_of).units.select("unit_key", "sub_function"))
    return Outlook(
        book=book,
        as_of=as_of,
        featured=featured,
        listed=bool(days["listed"].all()),
        daily=spread,
        by_day=by_day,
        sub_functions=dict(zip(units["unit_key"], units["sub_function"].astype(object).fillna(UNASSIGNED), strict=True)),
        months=_delivered(book, months_of(with_cash(featured, by_day.set_index("date")["collected_minor"], known_until=as_of))),
        plans=targets(book, pace.whole(as_of), grains=SCOPES).query("kpi == 'R1'"),
        shares=shares,
        allotted_share=share if len(shares) else 0.0,
    )


def _delivered(book: Book, months: Months) -> Months:
    """The months without past ones whose payments were not delivered: they did not bring 0."""
    known, last = book.months("payment"), len(months.names) - 1
    return months.only([row for row, name in enumerate(months.names) if name in known or row == last])


def _first_month(book: Book, daily: pd.DataFrame, as_of: date) -> date:
    """First day of the first whole month with cash; the running month where there is none before it."""
    if daily.empty:
        return month_start(as_of)
    first = daily["date"].min()
    days = calendar_days(book, month_start(first), month_end(first))
    opening = days.loc[days["working_day"], "date"].min()
    begins = month_start(first) if pd.isna(opening) or first <= opening.date() else month_start(first, 1)
    return min(begins, month_start(as_of))


def company_forecast(known: Outlook, *, tet_spread: float) -> tuple[Curve, Forecast]:
    """The company's completion curve, from the months before, and its forecast."""
    curve = fit_curve(known.past)
    return curve, forecast(known.past, known.month, day=known.as_of.day, curve=curve, tet_spread=tet_spread)


def scope_forecasts(known: Outlook, curve: Curve, company: Forecast, *, level: float, tet_spread: float) -> pd.DataFrame:
    """Where will the company, each sub-function and each unit end, and will each reach its target?

    A scope's curve shrinks to the company's. What is still to come of the scopes of one kind is scaled by one factor, so that they add up to
    the company's. Columns: `FORECAST_COLUMNS` (value, low, high: cash at month end, interval of `level`; gap_minor: value - plan; reach:
    probability of at least the plan; months: past months with cash). Company first, then by kind and key.
    """
    rows = [_row("company", COMPANY, company, known, level, 1.0)]
    units = sorted(set(known.daily["unit_key"]))
    keys = {"sub_function": sorted({known.sub_functions.get(unit, UNASSIGNED) for unit in units}), "unit": units}
    for scope_type, names in keys.items():
        made: dict[str, Forecast | None] = {}
        for name in names:
            series = known.series(scope_type, name)
            past = series.only(slice(0, len(series.names) - 1))
            enough = int((past.totals > 0).sum()) >= FEWEST_OF_SCOPE
            own = fit_curve(past, towards=curve) if enough else curve
            month = series.only([len(series.names) - 1])
            made[name] = forecast(past, month, day=known.as_of.day, curve=own, tet_spread=tet_spread) if enough else None
        to_come = sum(item.value - item.paid for item in made.values() if item)
        factor = (company.value - company.paid) / to_come if to_come > 0 else 1.0
        rows += [_row(scope_type, name, item, known, level, factor) for name, item in made.items()]
    return pd.DataFrame(rows, columns=list(FORECAST_COLUMNS))


def _row(scope_type: str, name: str, made: Forecast | None, known: Outlook, level: float, factor: float) -> tuple[object, ...]:
    plan = known.plan(scope_type, name)
    if made is None:
        nothing = float("nan")
        note = TOO_SHORT.format(fewest=FEWEST_OF_SCOPE)
        return (scope_type, name, nothing, nothing, nothing, nothing, nothing, plan, nothing, nothing, nothing, 0, note)
    value, low, high = (made.paid + (end - made.paid) * factor for end in (made.value, *made.interval(level)))
    # The plan as the unscaled forecast meets it: the same share of what is to come.
    reach = made.reach(made.paid + (plan - made.paid) / factor) if factor > 0 else float(value >= plan)
    return (scope_type, name, made.paid, made.complete, value, low, high, plan, reach, value - plan, made.prior, made.df + 1, "")


@dataclass(frozen=True, kw_only=True)
class Explained:
    """The bridge from the plan to date to the cash so far, in whole units of money: parts of `cells` and `units` add up exactly.

    `plan_minor`: plan x share complete (None without a plan); `base_minor`: what the reference months brought on average by the same
    completion; `calendar`: by what this month's calendar lies ahead of theirs; `large_minor`: from what sum an account is a large ticket.
    """

    plan_minor: int | None
    base_minor: int
    actual_minor: int
    calendar: float
    large_minor: int
    days: tuple[date, ...]
    cells: pd.DataFrame
    units: pd.DataFrame

    @property
    def start_minor(self) -> int:
        """Where the bridge starts: the plan to date, or the reference without one."""
        return self.base_minor if self.plan_minor is None else self.plan_minor

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts of the bridge, in order."""
        return bridge.PARTS if self.plan_minor is not None else bridge.PARTS[1:]

    @property
    def totals(self) -> dict[str, int]:
        """Each part over all units."""
        return {name: int(self.units[name].sum()) for name in self.parts}


def openings(known: Outlook, reference_months: int) -> tuple[date, ...]:
    """First days of the months whose ends the bridge starts from: the one before the running month and before each reference month."""
    return tuple(month_start(name, -1) for name in (*known.past.names[-reference_months:], month_start(known.as_of)))


def explain(known: Outlook, curve: Curve, *, reference_months: int, top_bucket: int, quantile: float, order: bridge.Order) -> Explained:
    """Which unit, bucket, product and which part of the work explains the distance between plan and cash so far?

    The reference: the last `reference_months` months, each cut on the day whose expected completion is nearest to today's; their mean.
    Buckets from `top_bucket` on are one. Accounts that came in go to units by the same shares in both.
    """
    as_of, place = known.as_of, known.as_of.day - 1
    references = min(reference_months, len(known.past.names))
    past = known.past.only(slice(len(known.past.names) - references, len(known.past.names)))
    gone, now = curve.complete(past), float(curve.complete(known.month)[0, place])
    last = past.inside.sum(axis=1) - 1
    nearest = [int(np.abs(gone[row, : last[row] + 1] - now).argmin()) for row in range(references)]
    days = tuple(name + timedelta(days=day) for name, day in zip(past.names, nearest, strict=True))
    large = pace.large_ticket(known.book, start=past.names[0], end=month_start(as_of) - timedelta(days=1), quantile=quantile)
    reached = float(np.mean([gone[row, day] * curve.season(past)[row] for row, day in enumerate(nearest)]))
    calendar = now * float(curve.season(known.month)[0]) / reached
    current = _told(pace.cells(known.book, known.cut, large_minor=large), known, top_bucket)
    base = pd.concat([_told(pace.cells(known.book, Cut(day), large_minor=large), known, top_bucket) for day in days])
    base = base.groupby(list(CELL_KEYS), as_index=False)[list(CELL_NUMBERS)].sum()
    base[list(CELL_NUMBERS)] /= references
    return _bridged(known, current, base, complete=now, calendar=calendar, large=large, days=days, order=order)


def _told(cells: pd.DataFrame, known: Outlook, top_bucket: int) -> pd.DataFrame:
    """Cells with buckets joined from `top_bucket` on; entrants go to units by shares while the month is not over."""
    cells = cells.assign(bucket=cells["bucket"].clip(upper=top_bucket))
    entered = cells["bucket"] == ENTERED
    if known.as_of < month_end(known.as_of) and len(known.shares):
        cells = cells.assign(unit_key=cells["unit_key"].mask(entered, UNASSIGNED))
        return pace.allotted(cells, known.shares, entered=entered, numbers=CELL_NUMBERS)
    cells[list(CELL_NUMBERS)] = cells[list(CELL_NUMBERS)].astype(float)
    return cells.groupby(list(CELL_KEYS), as_index=False)[list(CELL_NUMBERS)].sum()


def _bridged(
    known: Outlook,
    current: pd.DataFrame,
    base: pd.DataFrame,
    *,
    complete: float,
    calendar: float,
    large: int,
    days: tuple[date, ...],
    order,
) -> Explained:
    """The exact bridge of cells, and of units with the plan."""
    both = current.merge(base, on=list(CELL_KEYS), how="outer", suffixes=("", "_base"), validate="one_to_one").fillna(0.0)
    both = both.rename(columns={f"{name}_base": f"base_{name}" for name in CELL_NUMBERS}).sort_values(list(CELL_KEYS), ignore_index=True)
    raw = bridge.variance_bridge(both, keys=CELL_KEYS, calendar=calendar, order=order)
    actual, start = known.paid_minor, round(float(raw["base_minor"].sum()))
    cells = bridge.exact(raw, parts=bridge.PARTS[1:], start=start, end=actual)
    units = cells.groupby("unit_key", as_index=False)[["base_minor", *bridge.PARTS[1:], "actual_minor"]].sum()
    target = known.plan("company", COMPANY)
    plan = None if not np.isfinite(target) else round(target * complete)
    if plan is not None:
        own = known.plans[known.plans["scope_type"] == "unit"].set_index("scope_key")["target"].astype(float) * complete
        units = units.merge(own.rename("plan_minor").reset_index(), left_on="unit_key", right_on="scope_key", how="outer")
        units["unit_key"] = units["unit_key"].fillna(units["scope_key"])
        units = units.drop(columns="scope_key").fillna(0.0).sort_values("unit_key", ignore_index=True)
        # What the company's target asks beyond the units' stands with nobody.
        rest = target * complete - float(units["plan_minor"].sum())
        if abs(rest) >= 1 and (units["unit_key"] != UNASSIGNED).all():
            units = pd.concat([units, pd.DataFrame([{"unit_key": UNASSIGNED}])], ignore_index=True).fillna(0.0)
        units.loc[units["unit_key"] == UNASSIGNED, "plan_minor"] += rest
        units["plan_minor"] = bridge.rounded(units["plan_minor"], plan)
        units["plan"] = bridge.rounded(units["base_minor"] - units["plan_minor"], start - plan)
        units[list(bridge.PARTS[1:])] = units[list(bridge.PARTS[1:])].astype("int64")
    return Explained(
        plan_minor=plan, base_minor=start, actual_minor=actual, calendar=calendar, large_minor=large, days=days, cells=cells, units=units
    )
