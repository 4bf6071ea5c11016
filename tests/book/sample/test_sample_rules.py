"""The cut-off rule, the roll-out by region, the hole in a rule set and the allocation without probabilities."""

import numpy as np
import pandas as pd
import pytest


@pytest.fixture(scope="module")
def judged(frame, cash) -> pd.DataFrame:
    """Decisions of the visit rule with 90 days of follow-up: whether the account paid."""
    rows = frame("decision").query("kind == 'segment'").copy()
    rows["from_date"] = pd.to_datetime(rows["from_date"])
    rows = rows[rows["from_date"] <= "2026-03-31"]
    joined = rows[["account_key", "from_date"]].merge(cash, on="account_key")
    age = (joined["value_date"] - joined["from_date"]).dt.days
    payers = joined.loc[(age >= 0) & (age <= 90), "account_key"]
    product = frame("account").set_index("account_key")["product_code"]
    return rows.assign(paid=rows["account_key"].isin(payers), product=rows["account_key"].map(product))


def jump(rows: pd.DataFrame, cut: int, *, width: float = 0.4) -> tuple[float, float]:
    """Local linear jump of the payer rate at the cut-off, triangular weights, with its robust standard error."""
    x = rows["balance_minor"].to_numpy() / cut - 1
    weight = np.clip(1 - np.abs(x) / width, 0, None)
    above = (x >= 0).astype(float)
    design = np.stack([np.ones_like(x), above, x, x * above], axis=1)
    inverse = np.linalg.inv(design.T @ (design * weight[:, None]))
    outcome = rows["paid"].to_numpy(dtype=float)
    fit = inverse @ (design * weight[:, None]).T @ outcome
    part = design * (weight * (outcome - design @ fit))[:, None]
    return fit[1], float(np.sqrt((inverse @ part.T @ part @ inverse)[1, 1]))


def test_an_account_is_visited_from_the_cut_off_on(frame, truth) -> None:
    rows = frame("decision").query("kind == 'segment'")
    visited = rows["balance_minor"] >= truth["rdd"]["cut_off_minor"]
    assert (visited == (rows["segment"] == "field_visit")).all()
    assert rows["account_key"].is_unique


def test_the_running_variable_is_the_balance_of_the_last_month_end(frame) -> None:
    rows = frame("decision").query("kind == 'segment'").copy()
    rows["month_end"] = (pd.to_datetime(rows["from_date"]) - pd.Timedelta(days=1)).dt.date
    joined = rows.merge(frame("month_end"), on=["account_key", "month_end"], suffixes=("", "_close"))
    assert len(joined) == len(rows)
    assert (joined["balance_minor"] == joined["balance_minor_close"]).all()
    assert joined["dpd"].between(31, 180).all()


def test_nobody_bunches_at_the_cut_off(frame, truth) -> None:
    balance = frame("decision").query("kind == 'segment'")["balance_minor"] / truth["rdd"]["cut_off_minor"]
    below, above = balance.between(0.9, 1.0, inclusive="left").sum(), balance.between(1.0, 1.1, inclusive="left").sum()
    assert abs(below - above) < 3.5 * np.sqrt(below + above) + 0.1 * below


@pytest.mark.parametrize("product", ["card", "cash_loan"])
def test_the_jump_at_the_cut_off_agrees_with_the_truth(judged, truth, product: str) -> None:
    planted = truth["rdd"]
    rows = judged[judged["product"] == product]
    found, error = jump(rows, planted["cut_off_minor"])
    rate = planted["payer_rate_with_visit_near_cut_off"]
    relative = planted["relative_effect"] if product == planted["clean_product"] else planted["relative_effect_with_second_rule"]
    assert abs(found - rate * (1 - 1 / (1 + relative))) < 3 * error
    assert error < 0.09


def test_two_rules_switch_at_the_same_balance_in_one_product_only(frame, truth) -> None:
    rules = frame("ruleset").query("ruleset_id == @rules", local_dict={"rules": truth["rdd"]["ruleset_id"]})
    at_cut = rules[rules["balance_min_minor"] == truth["rdd"]["cut_off_minor"]].groupby("product_code").size()
    assert at_cut[truth["rdd"]["clean_product"]] == 1
    assert at_cut[truth["rdd"]["confounded_product"]] == 2


def test_visited_accounts_are_visited(frame) -> None:
    rows = frame("decision").query("kind == 'segment'")[["account_key", "segment", "from_date"]]
    visits = frame("contact").query("channel == 'visit'")[["account_key", "local_ts"]].merge(rows, on="account_key")
    age = (visits["local_ts"].dt.normalize() - pd.to_datetime(visits["from_date"])).dt.days
    per_account = visits[(age >= 0) & (age <= 31)].groupby("segment").size() / rows.groupby("segment").size()
    per_account = per_account.fillna(0)
    assert per_account["field_visit"] > 0.9
    assert per_account["no_visit"] < 0.1


def test_the_allocation_by_rule_logs_no_probability(frame, truth) -> None:
    planted = truth["deterministic_allocation"]
    rows = frame("decision").query("kind == @kind", local_dict={"kind": planted["decision_kind"]})
    assert len(rows) == planted["decisions"]
    assert rows["propensity"].isna().all()
    assert set(rows["ruleset_id"]) == {planted["ruleset_id"]}


@pytest.fixture(scope="module")
def region_months(frame, cash) -> pd.DataFrame:
    """Share of debts over 30 days past due at the opening that paid in the month: region by month."""
    opening = frame("month_end").query("status == 'open' and dpd > 30")[["account_key", "month_end"]].copy()
    opening["month"] = pd.to_datetime(opening["month_end"]).dt.to_period("M") + 1
    opening = opening[opening["month"] <= "2026-06"]
    paid = cash.assign(month=cash["value_date"].dt.to_period("M"))[["account_key", "month"]].drop_duplicates().assign(paid=1)
    rows = opening.merge(paid, how="left").fillna({"paid": 0})
    rows["region"] = rows["account_key"].map(frame("account").set_index("account_key")["region_code"])
    return rows.pivot_table(index="region", columns="month", values="paid")


def test_regions_start_when_the_rule_set_says_so(frame, truth) -> None:
    rules = frame("ruleset").query("ruleset_id == @rules", local_dict={"rules": truth["rollout"]["ruleset_id"]})
    start = {rule.removeprefix("REGION-").lower(): str(day) for rule, day in zip(rules["rule_id"], rules["effective_from"], strict=True)}
    planted = {region: wave["starts_on"] for wave in truth["rollout"]["waves"] for region in wave["regions"]}
    assert start == planted
    assert not set(truth["rollout"]["never"]) & set(start)
    assert len(truth["rollout"]["never"]) >= 6
    assert all(len(wave["regions"]) >= 6 for wave in truth["rollout"]["waves"])


def test_the_first_wave_gains_as_planted_against_regions_that_never_start(region_months, truth) -> None:
    wave, never = truth["rollout"]["waves"][0], truth["rollout"]["never"]
    start = pd.Period(wave["starts_on"], "M")
    log_rate = np.log(region_months)
    gap = log_rate.loc[wave["regions"]].mean() - log_rate.loc[never].mean()
    before, after = gap[gap.index < start], gap[gap.index >= start + 5]
    error = np.sqrt(before.var() / len(before) + after.var() / len(after))
    assert abs(after.mean() - before.mean() - np.log1p(wave["size"])) < 3 * error
    assert after.mean() - before.mean() > 2 * error


def test_days_thirty_and_thirty_one_of_one_product_match_no_rule(frame, truth) -> None:
    hole = truth["ruleset_hole"]
    rules = frame("ruleset").query("ruleset_id == @rules", local_dict={"rules": hole["ruleset_id"]})
    unmatched = {
        product: [day for day in range(400) if not ((own["dpd_min"] <= day) & (day <= own["dpd_max"])).any()]
        for product, own in rules.groupby("product_code")
    }
    planted = list(range(hole["dpd_from"], hole["dpd_to"] + 1))
    assert unmatched == {product: planted if product == hole["product_code"] else [] for product in unmatched}
    assert len(unmatched) == 4


def test_accounts_fall_into_the_hole(frame, truth) -> None:
    hole = truth["ruleset_hole"]
    rows = frame("month_end").query("status == 'open'").merge(frame("account")[["account_key", "product_code"]])
    inside = rows[(rows["product_code"] == hole["product_code"]) & rows["dpd"].between(hole["dpd_from"], hole["dpd_to"])]
    counts = inside.groupby(inside["month_end"].astype(str)).size().to_dict()
    assert counts == hole["unassigned_by_month_end"]
    assert sum(counts.values()) > 5
