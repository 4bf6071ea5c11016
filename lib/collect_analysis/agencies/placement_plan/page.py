"""A plan of the next placements as its notebook tells it: room, shares, strata, recalls, tariff; each table as a manager reads it."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from collect_analysis.agencies import comparison, gates as partners, unit_periods
from collect_analysis.agencies.agency_evaluation.page import AgencyPage, months_of_flow
from collect_analysis.agencies.placement_plan import decision, measures_flow, measures_recalls
from collect_analysis.agencies.placement_plan.decision import StratumPlan
from collect_analysis.agencies.placement_plan.measures_recalls import RecallRule
from collect_analysis.agencies.placement_plan.parameters import PlacementPlan
from collect_analysis.agencies.shares import PlacementPlan as Shares
from collect_analysis.book.policy import policy
from collect_analysis.book.store import Book
from collect_analysis.measures import economics, placements
from collect_analysis.methods.evidence import Condition, refused
from collect_analysis.report import tables
from collect_analysis.report.conditions import worded
from collect_analysis.report.recording import RunRecorder
from collect_analysis.report.texts import say

LIST = "recalls"
# Strata shown on the page, largest first; the recorded table holds them all.
MOST_STRATA = 12


@dataclass(frozen=True, kw_only=True)
class Basis:
    """What the plan rests on: the evaluation's page and sums, net indices, gates on the first day of the next period, conditions."""

    page: AgencyPage
    held: pd.DataFrame
    sums: pd.DataFrame
    share_now: pd.Series
    net: pd.DataFrame
    standing: pd.DataFrame
    register: pd.DataFrame
    conditions: list[Condition]
    allocation: str
    net_share: float


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The plan: recent `flow`, `recalled` accounts, `room`, the `shares` (None: nothing to share, or refused), who gets which `strata`;
    why it cannot be told who is quiet.
    """

    flow: pd.DataFrame
    recalled: pd.DataFrame
    room: pd.DataFrame
    shares: Shares | None
    share_table: pd.DataFrame
    strata: StratumPlan | None
    gain: dict[str, float]
    conditions: list[Condition]
    quiet_untold: str = ""


def basis_of(book: Book, params: PlacementPlan) -> Basis:
    """The comparison behind the shares, as the agency evaluation of the same period makes it."""
    page = AgencyPage(book, params.evaluation)
    held = placements.inventory(book, page.panel)
    age = placements.common_age(held, page.panel)
    sums = placements.stratum_sums(book, page.panel, age=age)
    curve = comparison.curves(sums)
    allocation = comparison.basis_of(sums)
    found = comparison.index(sums, allocation=allocation)
    net = economics.net_back(economics.commission(book, page.panel, age=age), curve)
    believed = comparison.believed(
        found, belief=page.belief, batch_months=months_of_flow(held, age=age), shift=economics.net_shift(net)
    )  # fmt: skip
    contacts = partners.breaches(book, page.window, page.limits)
    gated = page.gated(book, contacts)
    rows = unit_periods.read(book, start=params.period_start, end=params.period_end)
    continuity = unit_periods.continuity(rows, threshold=page.recall_threshold)
    conditions = page.conditions(book, held=held, found=found, rows=rows, continuity=continuity, age=age, basis=allocation)
    priced = net[net["net_minor"].notna()]
    collected, kept = priced["collected_minor"].sum(), priced["net_minor"].sum()
    return Basis(
        page=page, held=held, sums=sums, share_now=placements.shares_now(book, page.panel, months=page.share_months), net=believed,
        standing=_blocked_by_then(partners.standing(gated), partners.register(book), params),
        register=partners.register(book), conditions=conditions, allocation=allocation,
        net_share=float(kept / collected) if collected > 0 else float("nan"),
    )  # fmt: skip


def _blocked_by_then(standing: pd.DataFrame, register: pd.DataFrame, params: PlacementPlan) -> pd.DataFrame:
    """The standing with a unit blocked whose letter of authorisation ends before the next period begins: it may not be given anything then."""
    ends = pd.to_datetime(register.set_index("unit_key")["authorised_to"])
    over = standing["unit_key"].map(ends) < pd.Timestamp(params.next_start)
    gates = standing["gates"].mask(over & ~standing["gates"].str.contains("authorisation"), "authorisation")
    return standing.assign(status=standing["status"].mask(over, "blocked"), gates=gates)


def rule_of(params: PlacementPlan) -> RecallRule:
    """The recall rule of the policy in force.

    Raises
    ------
    DataError
        Policy `placement` has no recall rule, or one that is malformed.
    """
    return RecallRule.of(policy("placement", on=params.as_of).get("recall", {}))


def plan_of(book: Book, basis: Basis, params: PlacementPlan, rule: RecallRule) -> Plan:
    """Room, shares and strata of the next period; without shares where nothing was placed or a condition refuses."""
    page = basis.page
    flow = measures_flow.recent_flow(book, page.panel, months=page.share_months)
    quiet_untold = measures_recalls.quiet_untold(book, rule)
    recalled = measures_recalls.recalls(book, page.panel, rule, quiet=not quiet_untold)
    coming = recalled[recalled["verdict"] == "recall"].groupby("unit_key")["open_cases"].sum()
    held = measures_flow.held_now(book).reindex(sorted(basis.share_now.index)).fillna(0)
    limits = basis.register.set_index("unit_key")["capacity_accounts"].astype(float)
    accounts = float(flow["per_month"].sum()) * params.next_months
    named = [{str(key): float(number) for key, number in series.items()} for series in (limits, held, coming)]
    room = decision.room_table(*named, flow_accounts=accounts)
    units = set(basis.share_now.index)
    gated = set(basis.standing.loc[basis.standing["status"].isin(["fail", "blocked"]), "unit_key"])
    then = decision.letters_by(basis.register[basis.register["unit_key"].isin(units)], params.next_end)
    conditions = decision.plan_conditions(then, room, names=page.names, open_units=units - gated)
    shares = None
    if not refused([*basis.conditions, *conditions]):
        most = dict(zip(room["unit_key"], room["most"], strict=True))
        shares = page.plan(basis.share_now, basis.net, basis.standing, basis.conditions, basis=basis.allocation, most=most)
    strata, account_sd = None, 0.0
    if shares is not None:
        worth = measures_flow.credible(measures_flow.worth_of_account(basis.sums))
        # What is left after commission may be unknown: then strata are weighed by what comes in, and no value is said.
        left = basis.net_share if np.isfinite(basis.net_share) else 1.0
        strata = decision.plan_strata(flow, worth, basis.net, shares, months=params.next_months, net_share=left, seed=params.seed)
        account_sd = left * float(worth.loc[worth["group"] == measures_flow.ALL, "scatter"].iloc[0]) ** 0.5
        strata = strata if np.isfinite(basis.net_share) else decision.without_values(strata)
    return Plan(
        flow=flow, recalled=recalled, room=room, shares=shares, share_table=page.plan_table(shares, basis.net, basis.standing),
        strata=strata, gain=decision.expected_gain(strata, basis.net, account_sd=account_sd) if strata else {},
        conditions=worded(conditions, params.lang), quiet_untold=quiet_untold,
    )  # fmt: skip


def measured_gain(plan: Plan) -> pd.DataFrame:
    """The value of the plan as recorded: one row per reading (plan, as_now, gain), value in minor units."""
    if not plan.gain or not np.isfinite(plan.gain["value"]):
        return pd.DataFrame(columns=["reading", "value", "low", "high"])
    rows = [
        {"reading": "plan", "value": plan.gain["value"], "low": plan.gain["low"], "high": plan.gain["high"]},
        {"reading": "as_now", "value": plan.gain["value_now"]},
        {"reading": "gain", "value": plan.gain["gain"], "low": plan.gain["gain_low"], "high": plan.gain["gain_high"]},
    ]
    return pd.DataFrame(rows, columns=["reading", "value", "low", "high"])


def room_shown(table: pd.DataFrame, basis: Basis) -> tables.ShownTable | tables.Absent:
    """Capacity, accounts held, accounts coming back, and the share of the flow there is room for."""
    if table.empty:
        return tables.Absent(say("plan_absent", basis.page.lang))
    shown = basis.page.named(table).assign(
        plan_capacity=table["capacity_accounts"], plan_held=table["held"], plan_recalled=table["recalled"], plan_room=table["room"],
        plan_most=table["most"],
    )  # fmt: skip
    columns = ["unit_name", "plan_capacity", "plan_held", "plan_recalled", "plan_room", "plan_most"]
    return tables.show(shown, lang=basis.page.lang, columns=columns, percent=["plan_most"])


def strata_shown(plan: Plan, basis: Basis) -> tables.ShownTable | tables.Absent:
    """The largest strata side by side: accounts expected, what one brings, and the probability of every unit."""
    page = basis.page
    if plan.strata is None:
        return tables.Absent(say("plan_absent", page.lang))
    groups = plan.strata.groups.sort_values(["accounts", "group"], ascending=[False, True]).head(MOST_STRATA)
    wide = plan.strata.table.pivot_table(index="group", columns="unit_key", values="propensity", aggfunc="first")
    units = list(wide.columns)
    names = {key: page.names.get(key, key) for key in units}
    shown = groups.merge(wide.reset_index(), on="group").rename(columns=names)
    shown = shown.assign(plan_stratum=shown["group"], plan_accounts=shown["accounts"], plan_worth_minor=shown["value"].astype(float))
    columns = ["plan_stratum", "plan_accounts", "plan_worth_minor", *names.values()]
    return tables.show(shown, lang=page.lang, columns=columns, percent=list(names.values()), currency=page.currency)


def value_shown(plan: Plan, basis: Basis) -> tables.ShownTable | tables.Absent:
    """What the plan brings, what shares as now would bring, what exploration costs, and how far the plan is from the best there is."""
    page = basis.page
    if plan.strata is None or plan.strata.optimum is None:
        return tables.Absent(say("plan_absent", page.lang))
    if not np.isfinite(basis.net_share):
        return tables.Absent(say("plan_value_unknown", page.lang))
    best = plan.strata.optimum
    nothing, gain = float("nan"), plan.gain
    rows = [
        ("plan_value_plan", gain["value"], gain["low"], gain["high"]),
        ("plan_value_now", gain["value_now"], nothing, nothing),
        ("plan_value_gain", gain["gain"], gain["gain_low"], gain["gain_high"]),
        ("plan_value_exploration", best.exploration_cost, nothing, nothing),
        ("plan_value_bound", best.bound, nothing, nothing),
    ]
    names = ["plan_reading", "plan_amount_minor", "plan_amount_minor_low", "plan_amount_minor_high"]
    shown = pd.DataFrame([(say(name, page.lang), *numbers) for name, *numbers in rows], columns=names)
    return tables.show(shown, lang=page.lang, columns=names, currency=page.currency)


def recall_table(plan: Plan, basis: Basis) -> pd.DataFrame:
    """Recalls as recorded: those of `recalls.recalls` with names."""
    return basis.page.named(plan.recalled).assign(note="")


def recalls_shown(table: pd.DataFrame, basis: Basis) -> tables.ShownTable | tables.Absent:
    """Accounts by unit: what comes back and why, what is left although the rule names it and why."""
    page = basis.page
    if table.empty:
        return tables.Absent(say("plan_absent_held", page.lang))
    told = table[table["verdict"] != "stays"]
    if told.empty:
        return tables.Absent(say("plan_no_recalls", page.lang))
    shown = told.assign(plan_verdict=told["verdict"], plan_reason=told["reason"], plan_balance_minor=told["balance_minor"])
    order = shown["plan_verdict"].map({"recall": 0, "left": 1})
    shown = shown.assign(place=order).sort_values(["unit_name", "place", "cases"], ascending=[True, True, False], ignore_index=True)
    columns = ["unit_name", "plan_verdict", "plan_reason", "cases", "plan_balance_minor", "note"]
    return tables.show(shown, lang=page.lang, columns=columns, currency=page.currency)


def write_recalls(record: RunRecorder, book: Book, basis: Basis, params: PlacementPlan, rule: RecallRule) -> pd.DataFrame:
    """The list of accounts to recall by name: file, rows, sha256, written. Its rows stay in the run folder."""
    found = record.operational_list(
        LIST,
        measures_recalls.recall_batches(book, basis.page.panel, rule, quiet=not measures_recalls.quiet_untold(book, rule)),
        write=params.write_recalls,
    )
    return pd.DataFrame([{"file": f"lists/{LIST}.csv", "rows": found.rows, "sha256": found.sha256, "written": params.write_recalls}])


def strata_table(plan: Plan) -> pd.DataFrame:
    """The probabilities as recorded: group, unit_key, share_now, propensity, accounts (expected), value_minor, total_minor; empty without a plan."""
    if plan.strata is None:
        return pd.DataFrame(columns=["group", "unit_key", "share_now", "propensity", "accounts", "value_minor", "total_minor"])
    return plan.strata.table
