"""What a month's pace asks for: move capacity, campaign, overtime or nothing; stated rules, codes and numbers, no wording."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from collect_analysis.book.presence import absent, delivered
from collect_analysis.measures.periods import month_start, months_from
from collect_analysis.measures.scopes import UNASSIGNED
from collect_analysis.methods.evidence import Condition
from collect_analysis.methods.forecast.completion import Curve, Forecast
from collect_analysis.methods.profiling.bridge import PARTS
from collect_analysis.methods.rates.levels import FEWEST_MONTHS
from collect_analysis.methods.rates.rates import wilson_interval
from collect_analysis.portfolio.pace.measures_outlook import Explained, Outlook

Action = Literal["refuse", "nothing", "move_capacity", "overtime", "campaign"]
# At most so many units can carry a gap that is called concentrated.
FEW_UNITS = 2
EVEN = 0.5
# What the work itself brings, as against plan, calendar, inventory and large tickets.
WORK = ("rate", "ticket")
ENOUGH_MONTHS = 12
# After so many working days a month without a payment is one that was not delivered.
SURELY_PAID = 3


@dataclass(frozen=True, kw_only=True)
class PaceVerdict:
    """The month in one object. Shares 0-1, money in minor units.

    `reach`: probability of the plan (NaN without one); `needed`: by how much the cash still to come must grow to meet it; `cause`: the part of
    the bridge that takes most ("" where none takes any); `units`: which units the action is about, most money first; `carried`: their share of
    what that part takes.
    """

    action: Action
    reason: str
    reach: float
    needed: float
    cause: str
    units: tuple[str, ...]
    carried: float


def verdict(
    made: Forecast | None, plan: float, explained: Explained | None, *, hold_above: float, most_uplift: float, concentrated_share: float
) -> PaceVerdict:
    """What should be done today?

    Rules, the first that applies: no forecast (refused) -> refuse; no plan -> nothing; month over -> nothing; probability of the plan at least
    `hold_above` -> nothing (on track); the cash to come would have to grow by more than `most_uplift` -> nothing that effort can mend (say so
    now); the part that takes most is the rate (fewer accounts pay than in the reference months): carried to `concentrated_share` by at most
    two units -> move capacity there, else overtime; it is the ticket -> campaign; it lies outside the work (plan, calendar, volume, mix, large
    tickets): even chance or better -> nothing, else campaign, as the work is not behind and only something extra can close the gap.
    """
    if made is None:
        return _nothing("refuse", "refused", float("nan"), float("nan"))
    reach = made.reach(plan)
    if not np.isfinite(plan):
        return _nothing("nothing", "no_plan", reach, float("nan"))
    to_come = made.value - made.paid
    needed = max(plan - made.value, 0.0) / to_come if to_come > 0 else float("nan")
    if made.complete >= 1:
        return _nothing("nothing", "over", reach, needed)
    if reach >= hold_above:
        return _nothing("nothing", "on_track", reach, needed)
    cause, units, carried = _cause(explained)
    judged = PaceVerdict(action="nothing", reason="", reach=reach, needed=needed, cause=cause, units=units, carried=carried)
    if not needed <= most_uplift:
        return replace(judged, reason="out_of_reach")
    if cause == "rate" and carried >= concentrated_share:
        return replace(judged, action="move_capacity", reason="rate_in_few")
    if cause == "rate":
        return replace(judged, action="overtime", reason="rate_everywhere")
    if cause == "ticket":
        return replace(judged, action="campaign", reason="ticket")
    if reach >= EVEN:
        return replace(judged, reason="even_chance")
    return replace(judged, action="campaign", reason="outside_work")


def _nothing(action: Action, reason: str, reach: float, needed: float) -> PaceVerdict:
    return PaceVerdict(action=action, reason=reason, reach=reach, needed=needed, cause="", units=(), carried=float("nan"))


def _cause(explained: Explained | None) -> tuple[str, tuple[str, ...], float]:
    """The part that takes most, the few units that lose most by it, and their share of all that units lose by it."""
    if explained is None:
        return "", (), float("nan")
    worst = min(explained.totals.items(), key=lambda item: item[1])
    if worst[1] >= 0:
        return "", (), float("nan")
    by_unit = explained.units.set_index("unit_key")
    # Where the cause is not the work, the units to ask are those with most money short, whatever part it is in.
    losses = (by_unit[worst[0]] if worst[0] in WORK else by_unit[list(explained.parts)].sum(axis=1)).astype(float)
    losses = losses[losses < 0].sort_values(kind="stable")
    first = losses.head(FEW_UNITS)
    return worst[0], tuple(str(name) for name in first.index if name != UNASSIGNED), float(first.sum() / losses.sum())


def basis(known: Outlook) -> list[Condition]:
    """Can a forecast be made at all? Refusing: no payments, none of this month though it should have brought some, too few whole months
    before, a Tet month without any Tet before.
    """
    months = int((known.past.totals > 0).sum())
    in_tet = bool(known.month.x[0][:, known.month.tet_features].any())
    seen = len(frozenset().union(*known.past.tets)) if known.past.names else 0
    found = [
        _delivered(known),
        Condition(name="pace_months", met=months >= FEWEST_MONTHS, details={"months": months, "least": FEWEST_MONTHS}),
        Condition(name="pace_tet_seen", met=not in_tet or seen > 0),
    ]
    if found[2].met:
        enough = not in_tet or seen >= 3
        found.append(Condition(name="pace_tets_enough", met=enough, consequence="downgrade", details={"seen": seen}))
    if found[1].met:
        few = {"months": months, "enough": ENOUGH_MONTHS}
        found.append(Condition(name="pace_months_enough", met=months >= ENOUGH_MONTHS, consequence="note", details=few))
    return [
        *found,
        Condition(name="pace_calendar", met=known.listed, consequence="downgrade"),
        Condition(name="pace_plan", met=bool(np.isfinite(known.plan("company", "all"))), consequence="note"),
        Condition(name="pace_holders", met=known.allotted_share == 0, consequence="note", details={"cash_share": known.allotted_share}),
    ]


def _delivered(known: Outlook) -> Condition:
    """Are the payments there, of this month as soon as it must have brought some, and of every month before it since the first?"""
    today = month_start(known.as_of)
    due = int(known.month.working[0][: known.as_of.day].sum()) >= SURELY_PAID
    missing = absent(known.book, ("payment",), [today] if due else [])
    before = months_from(known.featured["month"].min(), month_start(known.as_of, -1))
    asked = (*before, today) if due else before
    return delivered(absent(known.book, ("payment",), asked), consequence="refuse" if missing else "downgrade")


def quality(stages: pd.DataFrame) -> list[Condition]:
    """Has the forecast earned trust? It must beat dividing by working days, and its 80 % band must hold.

    Days of a month hang together: the band is judged as if each month were one case.
    """
    if stages.empty:
        return [Condition(name="pace_tested", met=False, consequence="downgrade")]
    row = stages[stages["stage"] == "all"].to_dict("records")[0]
    months = int(row["months"])
    _, high = wilson_interval([row["covered80"] * months], [months])
    errors = {"own_share": float(row["mape"]), "naive_share": float(row["naive_mape"]), "months": months}
    held = {"held_share": float(row["covered80"]), "months": months}
    return [
        Condition(name="pace_tested", met=True, consequence="downgrade"),
        Condition(name="pace_beats_naive", met=bool(row["mape"] < row["naive_mape"]), consequence="downgrade", details=errors),
        Condition(name="pace_band_holds", met=bool(high[0] >= 0.8), consequence="downgrade", details=held),
    ]


def exactness(explained: Explained) -> Condition:
    """Do the parts of the bridge add up to the last unit of money? Blocking."""
    gap = explained.actual_minor - explained.start_minor
    off = sum(explained.totals.values()) - gap
    cells = int(explained.cells[list(PARTS[1:])].to_numpy().sum()) - (explained.actual_minor - explained.base_minor)
    return Condition(name="pace_bridge_exact", met=off == 0 and cells == 0, details={"off": off or cells})


def days_ahead(known: Outlook, curve: Curve, made: Forecast, *, plan: float) -> pd.DataFrame:
    """What should each coming day bring, and where would the plan stand? Columns: date, day_kind, share (of the cash to come), expected_minor,
    cumulative_minor, plan_minor (plan x share complete). In order; empty when the month is over.
    """
    month, today = known.month, known.as_of.day
    shares, gone = curve.shares(month)[0], curve.complete(month)[0]
    size = int(month.inside[0].sum())
    left = shares[today:size]
    if not len(left) or left.sum() <= 0:
        return pd.DataFrame(columns=["date", "day_kind", "share", "expected_minor", "cumulative_minor", "plan_minor"])
    part = known.featured[known.featured["month"] == month.names[0]].iloc[today:size]
    share = left / left.sum()
    expected = (made.value - made.paid) * share
    return pd.DataFrame(
        {
            "date": part["date"].to_numpy(),
            "day_kind": [day_kind(row) for row in part.to_dict("records")],
            "share": share,
            "expected_minor": expected,
            "cumulative_minor": made.paid + np.cumsum(expected),
            "plan_minor": plan * gone[today:size],
        }
    )


def day_kind(row: dict) -> str:
    """What makes a day what it is: tet, holiday, salary, closing, weekend or plain; the first that applies."""
    if any(row[name] for name in row if str(name).startswith("tet_")):
        return "tet"
    for name, kind in (("holiday", "holiday"), ("salary", "salary"), ("closing_last", "closing"), ("closing", "closing")):
        if row[name]:
            return kind
    return "plain" if row["working_day"] else "weekend"


def unusual(found: pd.DataFrame, by_day: pd.DataFrame, *, beyond: float) -> pd.DataFrame:
    """Which days were unlike any other of their kind, and why, as far as the book tells?

    `found`: all days as `completion_backtest.unusual_days` gives them, listed where |z| > `beyond`; `by_day`: date, collected_minor,
    largest_minor, late_minor. A day most of whose cash was posted late is listed whatever it brought: while its cash was missing, the pace
    looked worse than it was. Columns: date, month, cause (late_feed, large_ticket, more, less), collected_minor, expected_minor, z. In order.
    """
    days = found.assign(date=[month.replace(day=number) for month, number in zip(found["month"], found["date_number"], strict=True)])
    table = days[["date", "expected_minor", "z"]].merge(by_day, on="date", how="inner", validate="one_to_one")
    late = table["late_minor"] > table["collected_minor"] / 2
    table = table[late | (table["z"].abs() > beyond)]
    above = table["collected_minor"] - table["expected_minor"]
    cause = np.select(
        [table["late_minor"] > table["collected_minor"] / 2, (above > 0) & (table["largest_minor"] > above / 2), above > 0],
        ["late_feed", "large_ticket", "more"],
        "less",
    )
    table = table.assign(cause=cause, month=[day.replace(day=1) for day in table["date"]])
    return table.sort_values("date", ignore_index=True)[["date", "month", "cause", "collected_minor", "expected_minor", "z"]]
