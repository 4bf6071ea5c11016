"""The KPIs of a period in idiomatic pandas: numerators and denominators by scope, no intervals. What the engine is measured against."""

from collections.abc import Iterator
from datetime import time, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from collect_analysis.measures.conduct import LegalLimits
from collect_analysis.measures.periods import KpiWindows, Period, month_end, month_start

GRAINS = {"company": None, "portfolio": "portfolio_code", "sub_function": "sub_function", "unit": "unit_key", "officer": "officer_key"}
SCOPES = ["portfolio_code", "sub_function", "unit_key", "officer_key"]
NOBODY = "unassigned"
STATES = ("rolled", "improved", "cured", "paid_off", "settled", "written_off", "recalled", "sold")
Rows = list[tuple[str, str, str, float, float]]


class Shop:
    """The tables of a book as frames, read with the columns and days that are needed."""

    def __init__(self, folder: Path, period: Period) -> None:
        self.folder, self.as_of = folder, pd.Timestamp(period.end)
        self.account = self.read("account", ["account_key", "customer_key", "portfolio_code", "original_minor"])
        self.unit = self.read("unit", ["unit_key", "sub_function", "tariff_id"])
        self.ends = self.read("month_end", None, [("month_end", ">=", period.previous.opening), ("month_end", "<=", period.end)])
        since = pd.Timestamp(period.previous.start - timedelta(days=14))
        after = pd.Timestamp(period.end + timedelta(days=1))
        columns = ["event_key", "account_key", "customer_key", "local_ts", "direction", "channel", "result", "party_role", "verified",
                   "unit_key", "officer_key"]  # fmt: skip
        self.contact = self.read("contact", columns, [("local_ts", ">=", since), ("local_ts", "<", after)])
        self.contact["day"] = self.contact["local_ts"].dt.normalize()
        payment = self.read("payment", ["payment_key", "account_key", "amount_minor", "value_date", "reversal_of", "eligible"])
        undone = set(payment["reversal_of"].dropna())
        good = payment["eligible"] & payment["reversal_of"].isna() & ~payment["payment_key"].isin(undone)
        self.cash = payment[good].drop(columns=["reversal_of", "eligible"])
        self.promise = self.read(
            "promise", ["promise_key", "account_key", "made_ts", "due_date", "amount_minor", "unit_key", "officer_key"]
        )
        placed = ["decision_key", "account_key", "unit_key", "from_date", "to_date", "end_reason", "balance_minor"]
        self.placed = self.read("decision", placed, [("kind", "==", "placement")])
        self.unit_day = self.read("unit_day")
        self.ticket, self.target, self.tariff = self.read("ticket"), self.read("target"), self.read("tariff")
        self.officer = self.read("officer", ["officer_key", "valid_from", "valid_to", "role"])

    def read(self, table: str, columns: list[str] | None = None, filters: list | None = None) -> pd.DataFrame:
        frame = pd.read_parquet(self.folder / table, columns=columns, filters=filters)
        for name in frame.columns:
            if name.endswith(("_date", "month_end")) or name in ("date", "valid_from", "valid_to", "period_start", "period_end"):
                frame[name] = pd.to_datetime(frame[name])
        return frame

    def scoped(self, facts: pd.DataFrame) -> pd.DataFrame:
        """Facts with account, unit and officer get the columns they are grouped by."""
        out = facts.merge(self.account[["account_key", "portfolio_code"]], on="account_key", how="left")
        out = out.merge(self.unit[["unit_key", "sub_function"]], on="unit_key", how="left")
        for name in SCOPES:
            if name in out:
                out[name] = out[name].fillna(NOBODY)
        return out


def kpi_numbers(folder: Path, period: Period, windows: KpiWindows, limits: LegalLimits) -> pd.DataFrame:
    """Numerator and denominator of every KPI in every scope, for the period and the one before."""
    shop = Shop(folder, period)
    parts = []
    for when, span in (("current", period), ("previous", period.previous)):
        rows = [row for part in _parts(shop, span, windows, limits) for row in part]
        parts.append(pd.DataFrame(rows, columns=["kpi", "scope_type", "scope_key", "numerator", "denominator"]).assign(when=when))
    return pd.concat(parts, ignore_index=True)


def _parts(shop: Shop, period: Period, windows: KpiWindows, limits: LegalLimits) -> Iterator[Rows]:
    start, end = pd.Timestamp(period.start), pd.Timestamp(period.end)
    contact = shop.contact[(shop.contact["day"] >= start) & (shop.contact["day"] <= end)]
    met = contact["result"].isin(["answered", "met"])
    contact = contact.assign(
        attempt=(contact["direction"] == "out") & contact["channel"].isin(windows.attempt_channels),
        answered=met,
        rpc=met & contact["party_role"].isin(["debtor", "guarantor"]) & contact["verified"],
        touched=met | (contact["result"] == "delivered"),
    )
    held = _holders(shop, period)
    cash = shop.cash[(shop.cash["value_date"] >= start) & (shop.cash["value_date"] <= end)]
    yield from _flow(shop, period)
    money = _cash(shop, held, cash)
    yield from _cash_kpis(money)
    yield from _targets(shop, money, start, end)
    yield _batches(shop, period, windows)
    yield _costs(shop, money, contact, cash, start, end)
    yield from _funnel(shop, held, contact, start, end)
    yield from _promises(shop, period, windows)
    yield from _attributed(shop, contact, cash, windows, start)
    yield from _hours(shop, contact, windows, start, end)
    yield _breaches(shop, contact, limits)
    yield from _service(shop, held, contact, windows, start, end)


def _ratio(kpi: str, facts: pd.DataFrame, y: str, x: str | None, grains: tuple[str, ...] = tuple(GRAINS)) -> Rows:
    columns = [y] if x in (None, y) else [y, x]
    rows: Rows = []
    for grain in grains:
        by = GRAINS[grain]
        sums = dict(facts.groupby(by)[columns].sum().iterrows()) if by else {"all": facts[columns].sum()}
        rows += [(kpi, grain, str(key), float(total[y]), float(total[x]) if x else np.nan) for key, total in sums.items()]
    return rows


def _holders(shop: Shop, period: Period) -> pd.DataFrame:
    opening = shop.ends[shop.ends["month_end"] == pd.Timestamp(period.opening)]
    stock = opening[opening["status"] == "open"].assign(entered=False)
    later = shop.ends[(shop.ends["month_end"] > pd.Timestamp(period.opening)) & (shop.ends["month_end"] <= pd.Timestamp(period.end))]
    new = (
        later[~later["account_key"].isin(opening["account_key"])]
        .sort_values("month_end")
        .drop_duplicates("account_key")
        .assign(entered=True)
    )
    held = pd.concat([stock, new])[["account_key", "unit_key", "officer_key", "balance_minor", "entered"]]
    held = shop.scoped(held).merge(shop.account[["account_key", "original_minor"]], on="account_key", how="left")
    held["opening_minor"] = held["original_minor"].where(held["entered"], held["balance_minor"])
    return held


def _flow(shop: Shop, period: Period) -> Iterator[Rows]:
    ends = shop.ends[["account_key", "month_end", "status", "bucket", "balance_minor", "reaged", "unit_key", "officer_key"]]
    before = ends[(ends["month_end"] == pd.Timestamp(period.opening)) & (ends["status"] == "open") & (ends["bucket"] >= 1)]
    after = ends[ends["month_end"] == pd.Timestamp(period.end)]
    pairs = before.merge(after[["account_key", "status", "bucket", "reaged"]], on="account_key", how="left", suffixes=("", "_next"))
    is_open = pairs["status_next"] == "open"
    reaged = is_open & pairs["reaged_next"].eq(True) & (pairs["bucket_next"] == 0)
    state = np.select(
        [~is_open, reaged, pairs["bucket_next"] > pairs["bucket"], pairs["bucket_next"] == pairs["bucket"], pairs["bucket_next"] == 0],
        [pairs["status_next"], "reaged", "rolled", "stayed", "cured"],
        "improved",
    )
    pairs = shop.scoped(pairs).assign(open=1)
    for name in STATES:
        pairs[name] = state == name
    pairs["stayed"] = np.isin(state, ["stayed", "reaged"])
    pairs["cured_or_reaged"] = np.isin(state, ["cured", "reaged"])
    pairs["left"] = np.isin(state, ["paid_off", "settled", "written_off", "recalled", "sold"])
    names = {"F1": "rolled", "F3": "stayed", "F4": "improved", "F5": "cured", "F5b": "cured_or_reaged", "F6": "left"}
    for kpi, name in names.items():
        pairs["money"] = pairs["balance_minor"].where(pairs[name], 0)
        yield _ratio(kpi, pairs, name, "open")
        yield _ratio(f"{kpi}-balance", pairs, "money", "balance_minor")
    closing = after[(after["status"] == "open") & (after["bucket"] >= 2)]
    both = pd.concat([before.assign(x=before["balance_minor"], y=0), closing.assign(x=0, y=closing["balance_minor"])])
    yield _ratio("F2", shop.scoped(both), "y", "x")


def _cash(shop: Shop, held: pd.DataFrame, cash: pd.DataFrame) -> pd.DataFrame:
    paid = cash.groupby("account_key", as_index=False)["amount_minor"].sum().rename(columns={"amount_minor": "collected"})
    money = held.assign(assigned=1).merge(paid, on="account_key", how="left")
    lost = paid[~paid["account_key"].isin(held["account_key"])].assign(unit_key=None, officer_key=None, assigned=0, opening_minor=0)
    money = pd.concat([money, shop.scoped(lost)])
    money["payer"] = money["collected"].notna().astype(int)
    money["assigned_payer"] = money["payer"] * money["assigned"]
    return money.assign(collected=money["collected"].fillna(0))


def _cash_kpis(money: pd.DataFrame) -> Iterator[Rows]:
    yield _ratio("R1", money, "collected", None)
    yield _ratio("R3", money, "collected", "opening_minor")
    yield _ratio("R9", money, "assigned_payer", "assigned")
    yield _ratio("R10", money, "collected", "payer")


def _targets(shop: Shop, money: pd.DataFrame, start: pd.Timestamp, end: pd.Timestamp) -> Iterator[Rows]:
    plan = shop.target
    plan = plan[(plan["kpi"] == "R1") & (plan["status"] == "approved") & (plan["period_start"] == start) & (plan["period_end"] == end)]
    plan = (
        plan.sort_values("version")
        .drop_duplicates(["scope_type", "scope_key"], keep="last")
        .set_index(["scope_type", "scope_key"])["value"]
    )
    rows = _ratio("R14", money, "collected", None)
    yield [(kpi, grain, key, y, float(plan[grain, key])) for kpi, grain, key, y, _ in rows if (grain, key) in plan.index]


def _batches(shop: Shop, period: Period, windows: KpiWindows) -> Rows:
    age = windows.liquidation_months
    first, last = pd.Timestamp(month_start(period.start, -age)), pd.Timestamp(month_end(period.end, -age))
    base = shop.placed[shop.placed["from_date"].between(first, last) & (shop.placed["balance_minor"] > 0)]
    paid = base.merge(shop.cash, on="account_key")
    months = (paid["value_date"].dt.year - paid["from_date"].dt.year) * 12 + paid["value_date"].dt.month - paid["from_date"].dt.month
    inside = (paid["value_date"] >= paid["from_date"]) & (paid["to_date"].isna() | (paid["value_date"] < paid["to_date"])) & (months <= age)
    got = paid[inside].groupby("decision_key")["amount_minor"].sum().rename("got")
    facts = shop.scoped(base.merge(got, on="decision_key", how="left").fillna({"got": 0}))
    return _ratio("R2", facts, "got", "balance_minor", ("company", "portfolio", "sub_function", "unit"))


def _costs(shop: Shop, money: pd.DataFrame, contact: pd.DataFrame, cash: pd.DataFrame, start: pd.Timestamp, end: pd.Timestamp) -> Rows:
    price = shop.tariff[shop.tariff["kind"] == "channel_event"].set_index("item")["amount_minor"]
    out = contact[contact["direction"] == "out"]
    events = shop.scoped(out[["account_key", "unit_key", "officer_key"]].assign(cost=out["channel"].map(price).fillna(0)))
    days = shop.unit_day[(shop.unit_day["date"] >= start) & (shop.unit_day["date"] <= end) & (shop.unit_day["logged_min"] > 0)]
    roles = days.merge(shop.officer, on="officer_key")
    roles = roles[(roles["valid_from"] <= roles["date"]) & (roles["valid_to"].isna() | (roles["date"] < roles["valid_to"]))]
    rate = shop.tariff[shop.tariff["kind"] == "officer_minute"].set_index("item")["amount_minor"]
    minutes = roles.assign(cost=roles["logged_min"] * roles["role"].map(rate)).dropna(subset=["cost"])
    minutes = minutes.merge(shop.unit[["unit_key", "sub_function"]], on="unit_key", how="left")
    held = cash.merge(shop.placed[shop.placed["balance_minor"] > 0], on="account_key")
    held = held[(held["value_date"] >= held["from_date"]) & (held["to_date"].isna() | (held["value_date"] < held["to_date"]))]
    age = (held["value_date"].dt.year - held["from_date"].dt.year) * 12 + held["value_date"].dt.month - held["from_date"].dt.month
    tiers = shop.tariff[shop.tariff["kind"] == "commission"].sort_values("tier_from")
    share = tiers["rate"].to_numpy()[np.searchsorted(tiers["tier_from"], age, side="right") - 1]
    # Half a minor unit is rounded up, as invoices are; pandas would round it to even.
    fee = np.floor(held["amount_minor"] * share + 0.5)
    tax = float(shop.tariff.loc[shop.tariff["kind"] == "tax", "rate"].iloc[0])
    fees = shop.scoped(held[["account_key", "unit_key"]].assign(cost=fee + np.floor(fee * tax + 0.5)))
    columns = ["sub_function", "unit_key", "cost", "collected"]
    facts = pd.concat([money.assign(cost=0)[columns], *(part.assign(collected=0)[columns] for part in (events, minutes, fees))])
    return _ratio("R7", facts, "cost", "collected", ("company", "sub_function", "unit"))


def _funnel(shop: Shop, held: pd.DataFrame, contact: pd.DataFrame, start: pd.Timestamp, end: pd.Timestamp) -> Iterator[Rows]:
    by_account = contact.groupby("account_key")
    touched = pd.concat([by_account["attempt"].sum().rename("attempts"), by_account["rpc"].max(), by_account["touched"].max()], axis=1)
    made = shop.promise["made_ts"].dt.normalize()
    promised = set(shop.promise.loc[(made >= start) & (made <= end), "account_key"])
    reach = held.merge(touched, left_on="account_key", right_index=True, how="left").assign(assigned=1)
    reach["attempts"] = reach["attempts"].fillna(0)
    reach["attempted"] = reach["attempts"] > 0
    reach["reached"] = reach["rpc"].eq(True)
    reach["promised"] = reach["reached"] & reach["account_key"].isin(promised)
    yield _ratio("C1", reach, "attempted", "assigned")
    yield _ratio("C2", reach, "attempts", "attempted")
    yield _ratio("C6", reach, "reached", "assigned")
    yield _ratio("C7", reach, "promised", "reached")
    tried = shop.scoped(contact[contact["attempt"]])
    yield _ratio("C3", tried, "answered", "attempt")
    yield _ratio("C4", tried, "rpc", "attempt")
    yield _ratio("C5", tried, "rpc", "answered")


def _promises(shop: Shop, period: Period, windows: KpiWindows) -> Iterator[Rows]:
    promise = shop.promise
    grace = pd.Timedelta(days=windows.grace_days)
    due = promise["due_date"].between(pd.Timestamp(period.start), pd.Timestamp(period.end))
    mine = promise[promise["account_key"].isin(promise.loc[due, "account_key"])].sort_values(
        ["account_key", "due_date", "made_ts", "promise_key"]
    )
    paid: dict[str, int] = {}
    payments = dict(tuple(shop.cash.sort_values(["value_date", "payment_key"]).groupby("account_key")[["value_date", "amount_minor"]]))
    for account, group in mine.groupby("account_key"):
        rows = list(
            zip(group["promise_key"], group["made_ts"].dt.normalize(), group["due_date"] + grace, group["amount_minor"], strict=True)
        )
        paid |= dict.fromkeys(group["promise_key"], 0)
        if account not in payments:
            continue
        for day, amount in payments[account].itertuples(index=False):
            fits = [row for row in rows if row[1] <= day <= row[2] and paid[row[0]] < row[3]]
            unkept = [row for row in fits if paid[row[0]] < windows.kept_threshold * row[3]]
            for row in (unkept or fits)[:1]:
                paid[row[0]] += amount
    # While the grace has not passed on the day the book is read as of, nobody knows.
    decided = mine[
        mine["due_date"].between(pd.Timestamp(period.start), pd.Timestamp(period.end)) & (mine["due_date"] + grace <= shop.as_of)
    ]
    facts = shop.scoped(decided).assign(due=1)
    got = facts["promise_key"].map(paid)
    facts["kept"] = got >= windows.kept_threshold * facts["amount_minor"]
    facts["covered"] = np.minimum(got, facts["amount_minor"])
    yield _ratio("C8", facts, "kept", "due")
    yield _ratio("C9", facts, "covered", "amount_minor")


def _attributed(shop: Shop, contact: pd.DataFrame, cash: pd.DataFrame, windows: KpiWindows, start: pd.Timestamp) -> Iterator[Rows]:
    all_days = shop.contact
    met = all_days["result"].isin(["answered", "met"]) & all_days["party_role"].isin(["debtor", "guarantor"]) & all_days["verified"]
    touch = all_days[met].sort_values(["local_ts", "event_key"])[["account_key", "local_ts", "day", "unit_key", "officer_key"]]
    paid = cash.assign(at=(cash["value_date"] + pd.Timedelta(hours=23, minutes=59, seconds=59)).astype("datetime64[us]")).sort_values("at")
    found = pd.merge_asof(paid, touch.astype({"local_ts": "datetime64[us]"}), left_on="at", right_on="local_ts", by="account_key")
    found = found[(found["value_date"] - found["day"]).dt.days <= windows.attribution_days]
    work = contact[contact["attempt"] | contact["rpc"]].assign(amount_minor=0)
    columns = ["account_key", "unit_key", "officer_key", "amount_minor", "attempt", "rpc"]
    facts = shop.scoped(pd.concat([work[columns], found.assign(attempt=False, rpc=False)[columns]]))
    yield _ratio("C12", facts, "amount_minor", "rpc")
    yield _ratio("C12-attempt", facts, "amount_minor", "attempt")


def _hours(shop: Shop, contact: pd.DataFrame, windows: KpiWindows, start: pd.Timestamp, end: pd.Timestamp) -> Iterator[Rows]:
    days = shop.unit_day[(shop.unit_day["date"] >= start) & (shop.unit_day["date"] <= end)]
    work = contact.groupby(["officer_key", "day"])[["attempt", "rpc"]].sum().reset_index()
    made = (
        shop.promise.assign(day=shop.promise["made_ts"].dt.normalize())
        .groupby(["officer_key", "day"])
        .size()
        .rename("promises")
        .reset_index()
    )
    facts = days.merge(work, left_on=["officer_key", "date"], right_on=["officer_key", "day"], how="left")
    facts = facts.merge(made, left_on=["officer_key", "date"], right_on=["officer_key", "day"], how="left", suffixes=("", "_made"))
    facts = facts.merge(shop.unit[["unit_key", "sub_function"]], on="unit_key", how="left").fillna({"attempt": 0, "rpc": 0, "promises": 0})
    facts["busy"] = facts["talk_min"] + facts["wrap_min"]
    facts["productive"] = facts["busy"] + facts["wait_min"]
    grains = ("company", "sub_function", "unit", "officer")
    yield _ratio("W1", facts[~facts["sub_function"].isin(windows.occupancy_excludes)], "busy", "productive", grains)
    for kpi, column in (("W4", "attempt"), ("W4-rpc", "rpc"), ("W4-promise", "promises")):
        yield _ratio(kpi, facts, column, "productive", grains)


def _breaches(shop: Shop, contact: pd.DataFrame, limits: LegalLimits) -> Rows:
    out = contact[contact["direction"] == "out"].sort_values(["local_ts", "event_key"])
    counted = out["channel"].isin(limits.day_channels)
    number = out[counted].groupby(["customer_key", "day"]).cumcount()
    daily = (number >= limits.most_per_day).reindex(out.index, fill_value=False)
    second = (out["local_ts"] - out["day"]).dt.total_seconds() // 1
    late = (second < _seconds(limits.opens)) | (second > _seconds(limits.closes))
    party = out["party_role"].isin(limits.forbidden_parties)
    pairs = out[["event_key", "account_key", "unit_key", "day"]].merge(shop.placed, on=["account_key", "unit_key"])
    over = pairs["end_reason"].isin(limits.end_reasons) & (pairs["day"] >= pairs["to_date"])
    running = (pairs["day"] >= pairs["from_date"]) & (pairs["to_date"].isna() | (pairs["day"] < pairs["to_date"]))
    recalled = set(pairs.loc[over, "event_key"]) - set(pairs.loc[running, "event_key"])
    facts = out.assign(outbound=1, breach=daily | late | party | out["event_key"].isin(recalled))
    return _ratio("Q1", shop.scoped(facts), "breach", "outbound")


def _service(
    shop: Shop, held: pd.DataFrame, contact: pd.DataFrame, windows: KpiWindows, start: pd.Timestamp, end: pd.Timestamp
) -> Iterator[Rows]:
    ticket = shop.ticket.merge(held[["account_key", "unit_key"]], on="account_key", how="left", suffixes=("", "_held"))
    ticket["unit_key"] = ticket["unit_key"].fillna(ticket["unit_key_held"])
    after = end + pd.Timedelta(days=1)
    grains = ("company", "portfolio", "sub_function", "unit")
    touched = set(contact.loc[contact["touched"], "account_key"])
    accounts = held.assign(contacted=held["account_key"].isin(touched).astype(int), complaints=0)
    opened = ticket[(ticket["type"] == "complaint") & (ticket["opened_ts"] >= start) & (ticket["opened_ts"] < after)]
    complaints = shop.scoped(opened[["account_key", "unit_key"]].assign(contacted=0, complaints=1))
    yield _ratio("Q2", pd.concat([accounts, complaints]), "complaints", "contacted", grains)
    mine = ticket[ticket["owner_side"].isin(windows.sla_owner_sides)]
    closed = mine["closed_ts"].ge(start) & mine["closed_ts"].lt(after)
    overdue = (mine["opened_ts"] < after) & (mine["due_ts"] < after) & ~mine["closed_ts"].lt(after)
    judged = mine[closed | overdue]
    in_time = judged["closed_ts"].lt(after) & (judged["closed_ts"] <= judged["due_ts"])
    yield _ratio("Q6", shop.scoped(judged[["account_key", "unit_key"]].assign(in_time=in_time, judged=1)), "in_time", "judged", grains)


def _seconds(moment: time) -> int:
    return moment.hour * 3600 + moment.minute * 60 + moment.second
