"""The shop's margins lie where a collector would expect them (ranges of the domain reference, no benchmarks)."""

import numpy as np
import pandas as pd
import pytest


@pytest.fixture(scope="module")
def steps(frame) -> pd.DataFrame:
    """Pairs of month ends: how an open debt stood, and how it stood a month later."""
    rows = frame("month_end")[["account_key", "month_end", "status", "bucket", "dpd"]].sort_values(["account_key", "month_end"])
    later = rows.groupby("account_key")[["status", "bucket"]].shift(-1)
    pairs = rows.assign(next_status=later["status"], next_bucket=later["bucket"])
    return pairs[(pairs["status"] == "open") & pairs["next_status"].notna()]


def test_six_to_ten_percent_of_the_book_enters_each_month(frame) -> None:
    account, month_end = frame("account"), frame("month_end")
    open_at = month_end[month_end["status"] == "open"].groupby("month_end").size()
    open_at.index = pd.to_datetime(open_at.index).to_period("M")
    entered = pd.to_datetime(account["open_date"]).dt.to_period("M").value_counts()
    share = pd.Series({month: entered[month + 1] / count for month, count in open_at.items() if month + 1 in entered.index})
    assert len(share) == 24
    assert share.between(0.06, 0.10).all(), share.describe()


def test_bucket_one_cures_in_three_to_nine_of_ten_cases(steps) -> None:
    first = steps[steps["bucket"] == 1]
    cured = ((first["next_status"] == "open") & (first["next_bucket"] == 0)) | first["next_status"].isin(["paid_off", "settled"])
    assert 0.75 < cured.mean() < 0.90


def test_later_buckets_cure_less(steps) -> None:
    cured = (steps["next_bucket"] == 0).groupby(steps["bucket"]).mean()
    assert cured[1] > cured[2] > cured[3] > cured[4]


def test_two_to_six_percent_of_debts_over_90_days_pay_in_a_month(frame, cash) -> None:
    late = frame("month_end").query("status == 'open' and dpd > 90")[["account_key", "month_end"]].copy()
    late["month"] = pd.to_datetime(late["month_end"]).dt.to_period("M") + 1
    late = late[late["month"] <= pd.Period("2026-06")]
    paid = cash.assign(month=cash["value_date"].dt.to_period("M"))[["account_key", "month"]].drop_duplicates().assign(paid=1)
    rate = late.merge(paid, how="left").fillna({"paid": 0}).groupby("month")["paid"].mean()
    assert rate.between(0.02, 0.065).all()
    assert 0.02 < rate.mean() < 0.06


def test_contacts_reach_the_debtor_as_often_as_they_do_in_the_trade(frame) -> None:
    contact = frame("contact")
    spoken = contact[(contact["direction"] == "out") & contact["channel"].isin(["call", "voicebot", "visit"])]
    right = spoken["result"].isin(["answered", "met"]) & spoken["verified"] & spoken["party_role"].isin(["debtor", "guarantor"])
    assert 0.05 < right.mean() < 0.15
    everything = contact[contact["direction"] == "out"]
    assert 0.05 < (everything["verified"]).mean() < 0.15


def test_a_quarter_to_a_half_of_conversations_bring_a_promise_and_half_of_these_are_kept(frame, truth) -> None:
    contact = frame("contact")
    right = contact["result"].isin(["answered", "met"]) & contact["verified"]
    assert 0.25 < len(frame("promise")) / right.sum() < 0.50
    total = truth["promises"]["total"]
    assert 0.40 < total["kept"] / (total["kept"] + total["partly"] + total["broken"]) < 0.65


def test_amounts_are_heavy_tailed_but_not_absurd(cash) -> None:
    amount = cash["amount_minor"]
    assert 0.9 < amount.std() / amount.mean() < 2.2
    assert amount.min() > 0


def test_a_contact_log_of_about_fourteen_rows_per_account(frame) -> None:
    # 200,000 accounts give about three million contacts.
    assert 12 < len(frame("contact")) / len(frame("account")) < 17


def test_money_bunches_at_salary_days_and_follows_the_lunar_year(cash, truth) -> None:
    day = cash["value_date"]
    by_day = cash.groupby(day.dt.day).size()
    assert by_day.loc[5:10].mean() > 1.6 * by_day.loc[12:25].mean()
    for first in truth["tet"]["first_days"]:
        offset = (day - pd.Timestamp(first)).dt.days
        count = {
            name: offset.between(low, high).sum() / (high - low + 1)
            for name, low, high in (("before", -14, -1), ("at", 0, 6), ("after", 7, 20))
        }
        assert count["before"] > count["after"] > count["at"], first


def test_the_month_of_tet_moves_between_the_years(truth) -> None:
    factor = truth["tet"]["month_factor"]
    assert factor["2025-01"] > 1.1 > 0.8 > factor["2025-02"]
    assert factor["2026-02"] > 1.1 > 0.9 > factor["2026-03"]
    assert factor["2026-01"] == pytest.approx(1.0)


def test_occupancy_and_attempts_per_hour_look_like_a_floor_at_work(frame) -> None:
    day = frame("unit_day")
    busy = (day["talk_min"] + day["wrap_min"]).sum()
    occupancy = busy / (busy + day["wait_min"].sum())
    assert 0.3 < occupancy < 0.85
    assert (day["talk_min"] + day["wrap_min"] + day["wait_min"] + day["break_min"] <= day["logged_min"]).all()
    assert (day["logged_min"] <= day["scheduled_min"]).mean() == 1.0
    assert np.isfinite(day["scheduled_min"]).all()


def test_targets_add_up_from_officers_to_the_company(frame) -> None:
    target = frame("target").query("kpi == 'R1'")
    by_scope = target.pivot_table(index="period_start", columns="scope_type", values="value", aggfunc="sum")
    assert (by_scope["unit"] == by_scope["company"]).all()
    assert (by_scope["sub_function"] == by_scope["company"]).all()
    assert (by_scope["portfolio"] == by_scope["company"]).all()
    officers = frame("officer").drop_duplicates("officer_key").set_index("officer_key")["unit_key"]
    own = target[target["scope_type"] == "officer"].assign(unit=lambda rows: rows["scope_key"].map(officers))
    tele = own[own["unit"].str.startswith("tele")].groupby(["period_start", "unit"])["value"].sum()
    units = target[target["scope_key"].str.startswith("tele-")].set_index(["period_start", "scope_key"])["value"]
    assert (tele.to_numpy() == units.sort_index().to_numpy()).all()
