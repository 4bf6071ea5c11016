"""Breaches of the contact rules, counted anew from the contacts, equal the planted ones exactly; nothing else breaks a rule."""

import numpy as np
import pandas as pd
import pytest

LIMIT = 5


@pytest.fixture(scope="module")
def outbound(frame) -> pd.DataFrame:
    contact = frame("contact")
    return contact[contact["direction"] == "out"].assign(day=contact["local_ts"].dt.normalize())


def counts(series: pd.Series) -> dict[str, int]:
    return {str(key): int(value) for key, value in series.items() if value}


def test_the_sixth_attempt_of_a_day_is_seen_by_debtor_and_mostly_by_no_unit(outbound, truth) -> None:
    planted = truth["breaches"]["FREQ_DAY"]
    by_debtor = outbound.groupby(["customer_key", "day"]).size()
    assert (by_debtor > LIMIT).sum() == planted["debtor_days"]
    assert set(by_debtor[by_debtor > LIMIT]) == {planted["attempts"]}
    by_unit = outbound.groupby(["customer_key", "day", "unit_key"]).size()
    own = by_unit[by_unit > LIMIT].groupby("unit_key").size()
    assert counts(own) == planted["days_within_one_unit"]
    hidden = planted["debtor_days"] - int(own.sum())
    assert hidden == planted["debtor_days_split_across_units"]
    assert hidden > own.sum()


def test_a_split_day_lies_with_two_units_that_each_keep_the_limit(outbound, truth) -> None:
    by_debtor = outbound.groupby(["customer_key", "day"])["unit_key"].agg(["size", "nunique"])
    split = by_debtor[(by_debtor["size"] > LIMIT) & (by_debtor["nunique"] == 2)]
    rows = outbound.merge(split.reset_index()[["customer_key", "day"]])
    involved = rows.drop_duplicates(["customer_key", "day", "unit_key"]).groupby("unit_key").size()
    assert counts(involved) == truth["breaches"]["FREQ_DAY"]["split_days_by_unit"]


def test_calls_outside_the_lawful_hours_are_the_planted_ones(outbound, truth) -> None:
    second = (outbound["local_ts"] - outbound["day"]).dt.total_seconds()
    outside = outbound[(second < 7 * 3600) | (second > 21 * 3600)]
    assert counts(outside.groupby("unit_key").size()) == truth["breaches"]["HOURS"]["by_unit"]
    assert set(outside["local_ts"].dt.strftime("%H:%M:%S")) == {"21:00:30"}


def test_calls_on_the_stroke_of_the_hour_are_there_and_lawful(outbound, truth) -> None:
    edges = outbound["local_ts"].dt.strftime("%H:%M:%S").isin(["07:00:00", "21:00:00"])
    assert edges.sum() == truth["breaches"]["lawful_at_the_edge"]["contacts"]


def test_contacts_after_the_debt_was_taken_back_are_the_planted_ones(outbound, frame, truth) -> None:
    placement = frame("decision").query("kind == 'placement'")
    over = placement[placement["end_reason"].isin(["recall", "return", "paid", "sold"])][["account_key", "unit_key", "to_date"]]
    joined = outbound[["event_key", "account_key", "unit_key", "day"]].merge(over, on=["account_key", "unit_key"])
    late = joined[joined["day"] >= pd.to_datetime(joined["to_date"])]
    assert counts(late.groupby("unit_key").size()) == truth["breaches"]["RECALL"]["by_unit"]


def test_no_contact_follows_an_exit_but_the_planted_ones(outbound, frame, truth) -> None:
    month_end = frame("month_end")
    out = month_end[month_end["status"] != "open"].set_index("account_key")["month_end"]
    left = pd.to_datetime(outbound["account_key"].map(out))
    assert (outbound["day"] > left).sum() == truth["breaches"]["RECALL"]["contacts"]


def test_relatives_were_reached_as_often_as_planted_and_mostly_by_one_agency(outbound, truth) -> None:
    reached = outbound[outbound["party_role"].isin(["relative", "third_party"])]
    found = counts(reached.groupby("unit_key").size())
    assert found == truth["breaches"]["PARTY"]["by_unit"]
    assert max(found, key=found.get) == truth["agencies"]["conduct_gate"]


def test_agencies_call_only_what_they_hold(outbound, frame, truth) -> None:
    placement = frame("decision").query("kind == 'placement'")[["account_key", "unit_key", "from_date", "to_date"]]
    agency = outbound[outbound["unit_key"].str.startswith("ag-")]
    joined = agency[["event_key", "account_key", "unit_key", "day"]].merge(placement, on=["account_key", "unit_key"], how="left")
    until = pd.to_datetime(joined["to_date"]).fillna(pd.Timestamp("2100-01-01"))
    held = (joined["day"] >= pd.to_datetime(joined["from_date"])) & (joined["day"] < until)
    without = set(agency["event_key"]) - set(joined.loc[held, "event_key"])
    assert len(without) == truth["breaches"]["RECALL"]["contacts"]


def test_the_dialer_stood_still_for_two_hours(outbound, frame, truth) -> None:
    fault = truth["faults"]["dialer_outage"]
    calls = outbound[(outbound["channel"] == "call") & outbound["unit_key"].str.startswith("tele-")]
    still = calls["day"] == fault["date"]
    hour = calls["local_ts"].dt.hour
    assert not (still & hour.between(10, 11)).any()
    usual = calls[hour.between(10, 11)].groupby("day").size()
    same_weekday = usual[usual.index.day_of_week == pd.Timestamp(fault["date"]).day_of_week]
    assert fault["calls_lost"] == pytest.approx(same_weekday.tail(12).median(), rel=0.35)


def test_one_unit_was_an_hour_ahead_for_a_day(frame, truth) -> None:
    contact = frame("contact")
    ahead = (contact["local_ts"] - contact["ts_utc"]).dt.total_seconds() - 7 * 3600
    wrong = contact[ahead != 0]
    fault = truth["faults"]["clock_shift"]
    assert set(ahead[ahead != 0]) == {fault["seconds"]}
    assert set(wrong["unit_key"]) == {fault["unit_key"]}
    assert set(wrong["local_ts"].dt.strftime("%Y-%m-%d")) == {fault["date"]}
    assert len(wrong) == fault["contacts"]


def test_one_payment_feed_came_a_day_late_with_its_money(frame, truth) -> None:
    fault, feeds, payment = truth["faults"]["late_feed"], frame("feed_manifest"), frame("payment")
    late = feeds[feeds["arrived_ts"] > feeds["expected_ts"]]
    assert late[["source", "status"]].to_numpy().tolist() == [[fault["source"], "late"]]
    assert str(late["business_date"].iloc[0]) == fault["business_date"]
    of_day = payment[payment["value_date"].astype(str) == fault["business_date"]]
    assert (len(of_day), int(of_day["amount_minor"].sum())) == (fault["rows"], fault["amount_minor"])
    assert late[["rows", "amount_minor"]].to_numpy().tolist() == [[fault["rows"], fault["amount_minor"]]]
    local = payment["posted_utc"] + pd.Timedelta(hours=7)
    posted_later = payment[local.dt.date > payment["value_date"]]
    assert (posted_later["value_date"].astype(str) == fault["business_date"]).mean() > 0.95


def test_the_feeds_carry_what_the_tables_hold(frame) -> None:
    feeds, payment = frame("feed_manifest"), frame("payment")
    money = feeds[feeds["source"] == "payments"]
    assert int(money["amount_minor"].sum()) == int(payment["amount_minor"].sum())
    assert int(money["rows"].sum()) == len(payment)
    assert (money["rows"] == money["control_rows"]).all()


def test_the_score_stood_still_for_one_month_and_no_other(frame, truth) -> None:
    rows = frame("month_end").sort_values(["account_key", "month_end"])
    before = rows.groupby("account_key")["score"].shift()
    same = (rows["score"] == before)[before.notna()].groupby(rows["month_end"]).mean()
    stuck = [str(day) for day, share in same.items() if share > 0.99]
    assert stuck == [truth["faults"]["stuck_score"]["month_end"]]
    assert np.max([share for share in same if share < 0.99]) < 0.1
