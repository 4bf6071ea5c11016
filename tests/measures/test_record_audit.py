"""The audit finds what was planted, where it was planted, and of each kind of odd record exactly those that are odd."""

import json
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from collect_analysis.book.policy import in_force
from collect_analysis.book.store import Book, open_book
from collect_analysis.measures import day_sheets
from collect_analysis.measures.conduct import LegalLimits
from collect_analysis.measures.periods import Period
from collect_analysis.measures.record_audit import CONTACT_TYPES, AuditRules, audited, shortfalls, zone_seconds

from tests.small_book import book_of

JUNE = Period(date(2026, 6, 1), date(2026, 6, 30))
ACCOUNT = "account_key, tz\na, Asia/Ho_Chi_Minh\nb, Asia/Ho_Chi_Minh\n"
HEAD = "event_key, account_key, ts_utc, local_ts, channel, result, party_role, verified, talk_s, wrap_s, unit_key, officer_key, contact_point_hash\n"


def limits_of(period: Period) -> list[LegalLimits]:
    return [LegalLimits.of(version) for version in in_force("legal_limits", start=period.start, end=period.end)]


def call(event: str, at: str, talk: int, *, account: str = "a", local: str = "", wrap: int = 0, who: str = "o1", met: bool = True) -> str:
    """An answered call at a UTC time of day of 10 June; local time seven hours later unless given."""
    hours, rest = at.split(":", 1)
    local = local or f"{int(hours) + 7:02d}:{rest}"
    party, sure = ("debtor", "true") if met else ("unknown", "false")
    return f"{event}, {account}, 2026-06-10 {at}, 2026-06-10 {local}, call, answered, {party}, {sure}, {talk}, {wrap}, u, {who}, p\n"


def visit(event: str, at: str, place: str, who: str = "o1") -> str:
    hours, rest = at.split(":", 1)
    return f"{event}, a, 2026-06-10 {at}, 2026-06-10 {int(hours) + 7:02d}:{rest}, visit, met, debtor, true, , , u, {who}, {place}\n"


def found(tables: dict[str, str], **rules) -> pd.DataFrame:
    book = book_of({"account": ACCOUNT, "unit": "unit_key\nu\n", **tables}, as_of=date(2026, 6, 30))
    with audited(book, JUNE, AuditRules(**rules), limits_of(JUNE)) as audit:
        return audit.findings().groupby("type")[["observed", "trials", "expected"]].sum()


def test_a_call_overlaps_if_it_talks_into_the_next_one_and_its_after_work_may_not_fit() -> None:
    # 01:00:00 talks 90 s into the call of 01:01:00; that one talks 30 s and its 40 s of after-call work reach past 01:02:00.
    log = (
        HEAD
        + call("1", "01:00:00", 90)
        + call("2", "01:01:00", 30, wrap=40)
        + call("3", "01:02:00", 30)
        + call("4", "01:02:30", 5, who="o2")
    )
    table = found({"contact": log})
    assert table.loc["overlap", ["observed", "trials"]].tolist() == [1, 4]
    assert table.loc["wrap_gap", "observed"] == 1
    # All four start in one hour: one of the others starts within t seconds with probability 1 - exp(-others · t / 3600).
    chance = [1 - 2.718281828459045 ** (-others * talk / 3600) for others, talk in ((2, 90), (2, 30), (2, 30), (0, 5))]
    assert table.loc["overlap", "expected"] == pytest.approx(sum(chance))


def test_records_of_one_second_two_addresses_within_minutes_and_round_times_are_found() -> None:
    log = (
        HEAD
        + call("1", "01:00:00", 60)
        + call("2", "01:00:00", 61)
        + visit("3", "02:00:10", "x")
        + visit("4", "02:03:11", "y")
        + visit("5", "02:05:12", "y")
    )
    table = found({"contact": log}, visit_gap_min=5)
    assert table.loc["same_second", "observed"] == 1
    assert table.loc["visit_pair", ["observed", "trials"]].tolist() == [1, 3]
    assert table.loc["round_start", ["observed", "trials"]].tolist() == [2, 5]
    assert table.loc["round_talk", ["observed", "trials"]].tolist() == [1, 2]
    assert table.loc["round_start", "expected"] == pytest.approx(5 / 60)


def test_hours_are_held_against_the_law_and_its_very_second_is_told_apart() -> None:
    log = HEAD + call("1", "14:00:30", 20) + call("2", "14:00:00", 20) + call("3", "00:00:00", 20) + call("4", "13:59:59", 20)
    table = found({"contact": log})
    assert table.loc["after_hours", "observed"] == 1
    assert table.loc["hour_edge", "observed"] == 2
    # Those less than an hour from a limit have one chance in 3,600 each.
    assert table.loc["hour_edge", "expected"] == pytest.approx(4 / 3600)


def test_a_clock_an_hour_ahead_is_found_by_its_zone_not_by_the_commonest_difference() -> None:
    log = HEAD + call("1", "01:00:01", 20, local="09:00:01") + call("2", "02:00:01", 20, local="10:00:01") + call("3", "03:00:01", 20)
    book = book_of({"account": ACCOUNT, "unit": "unit_key\nu\n", "contact": log}, as_of=date(2026, 6, 30))
    with audited(book, JUNE, AuditRules(), limits_of(JUNE)) as audit:
        days = audit.clock_days()
    assert days[["unit_key", "contacts", "wrong", "minutes_off"]].to_numpy().tolist() == [["u", 3, 2, 60.0]]


def test_both_times_of_a_day_on_which_the_clock_is_changed_are_right() -> None:
    spans = zone_seconds(["Europe/Berlin"], date(2026, 3, 28), date(2026, 3, 30))["Europe/Berlin"]
    assert [seconds for _, _, seconds in spans] == [(3600,), (3600, 7200), (7200,)]


def test_a_promise_needs_a_right_party_contact_on_its_day_and_a_short_one_is_odd() -> None:
    promises = (
        "account_key, made_ts, due_date, amount_minor, unit_key, officer_key\n"
        "a, 2026-06-10 08:05:00, 2026-06-20, 100, u, o1\n"
        "b, 2026-06-10 09:00:00, 2026-06-20, 300, u, o1\n"
        "a, 2026-06-11 09:00:00, 2026-06-20, 500, u, o1\n"
    )
    log = HEAD + call("1", "01:00:10", 9) + call("2", "02:00:10", 60, account="b", met=False)
    book = book_of({"account": ACCOUNT, "unit": "unit_key\nu\n", "contact": log, "promise": promises}, as_of=date(2026, 6, 30))
    with audited(book, JUNE, AuditRules(), limits_of(JUNE)) as audit:
        table = audit.findings().set_index("type")
    assert table.loc["promise_without_rpc", ["observed", "trials", "money_minor"]].tolist() == [2, 3, 800]
    assert table.loc["short_rpc", ["observed", "trials"]].tolist() == [1, 1]


def test_cash_after_records_found_counts_once_for_the_last_of_them() -> None:
    # Two late calls on one account; 700 on the day of the first, 500 after both, 900 too late.
    log = HEAD + "".join(
        f"{event}, a, 2026-06-{day} 14:10:01, 2026-06-{day} 21:10:01, call, no_answer, none, false, 0, 0, u, {who}, p\n"
        for event, day, who in (("1", "10", "o1"), ("2", "12", "o2"))
    )
    paid = "account_key, amount_minor, value_date\na, 700, 2026-06-10\na, 500, 2026-06-20\na, 900, 2026-06-27\n"
    tables = {"account": ACCOUNT, "unit": "unit_key\nu\n", "contact": log, "payment": paid}
    book = book_of(tables, as_of=date(2026, 6, 30))
    with audited(book, JUNE, AuditRules(money_days=14), limits_of(JUNE)) as audit:
        late = audit.findings().query("type == 'after_hours'").set_index("officer_key")["money_minor"]
    assert late.to_dict() == {"o1": 700, "o2": 500}


def test_day_sheets_and_the_log_are_held_against_each_other() -> None:
    sheets = (
        "officer_key, unit_key, date, logged_min, talk_min, wrap_min, visits\n"
        "o1, u, 2026-06-10, 60, 2, 0, 0\n"  # two minutes declared, 20 minutes of calls: unlogged
        "o2, u, 2026-06-10, 60, 30, 0, 0\n"  # 30 minutes declared, one of calls: unbacked
        "o3, u, 2026-06-10, 45, 0, 0, 0\n"  # paid, nothing done
        "o4, u, 2026-06-10, 0, 0, 0, 0\n"  # absent, but calls
    )
    log = HEAD + call("1", "01:00:10", 1200) + call("2", "01:00:10", 60, who="o2") + call("3", "01:00:10", 60, who="o4")
    # Nobody of the unit has a sheet on the eleventh.
    log += call("4", "01:00:10", 60, who="o2").replace("2026-06-10", "2026-06-11")
    tariff = "kind, item, amount_minor\nofficer_minute, tele, 10\n"
    book = book_of(
        {"account": ACCOUNT, "unit": "unit_key\nu\n", "contact": log, "unit_day": sheets, "tariff": tariff}, as_of=date(2026, 6, 30)
    )
    with audited(book, JUNE, AuditRules(tolerance_min=5), limits_of(JUNE)) as audit:
        table = audit.findings().groupby("type")[["observed", "trials", "money_minor"]].sum()
        whole = day_sheets.completeness(book, JUNE, audit.log).iloc[0]
    assert table.loc["minutes_unlogged"].tolist() == [1, 3, 180]
    assert table.loc["minutes_unbacked"].tolist() == [1, 3, 290]
    assert table.loc["present_without_event"].tolist() == [1, 3, 450]
    assert table.loc["event_while_absent", "observed"] == 1
    assert table.loc["day_without_sheets", "observed"] == 1
    # Told by both: 2 + 1 of 20 + 30 + 1 + 1 minutes.
    assert (whole["numerator"], whole["denominator"]) == pytest.approx((3, 52))


def test_a_book_without_contacts_says_what_is_missing() -> None:
    book = book_of({"account": ACCOUNT, "unit": "unit_key\nu\n"}, as_of=date(2026, 6, 30))
    assert set(shortfalls(book, JUNE)) >= {*CONTACT_TYPES, "promise_without_rpc", "minutes_unbacked", "duplicate_position"}
    with audited(book, JUNE, AuditRules(), limits_of(JUNE)) as audit:
        assert audit.findings().empty
        assert audit.clock_days().empty


@pytest.fixture(scope="module")
def sample(sample_book: Path) -> Book:
    return open_book("sample", as_of=date(2026, 6, 30), folder=sample_book)


def test_planted_faults_are_found_exactly_where_they_were_planted(sample: Book, sample_book: Path) -> None:
    truth = json.loads((sample_book / "sample" / "truth.json").read_text())
    whole = Period(date.fromisoformat(truth["first_day"]), date(2026, 6, 30))
    with audited(sample, whole, AuditRules(), limits_of(whole)) as audit:
        findings, clock = audit.findings(), audit.clock_days()
    shift, hours = truth["faults"]["clock_shift"], truth["breaches"]["HOURS"]
    assert clock["unit_key"].tolist() == [shift["unit_key"]]
    assert str(clock["day"][0])[:10] == shift["date"]
    assert (clock["wrong"][0], clock["minutes_off"][0] * 60) == (shift["contacts"], shift["seconds"])
    late = findings[findings["type"] == "after_hours"].groupby("unit_key")["observed"].sum()
    assert late[late > 0].to_dict() == {unit: count for unit, count in hours["by_unit"].items() if count}
    assert findings.loc[findings["type"] == "hour_edge", "observed"].sum() == truth["breaches"]["lawful_at_the_edge"]["contacts"]
    # The shop draws every start on its own: chance, and no more.
    sums = findings.groupby("type")[["observed", "expected"]].sum()
    for name in ("overlap", "wrap_gap", "round_start", "visit_pair"):
        assert abs(sums.loc[name, "observed"] - sums.loc[name, "expected"]) < 4 * sums.loc[name, "expected"] ** 0.5
    assert sums.loc[["short_rpc", "promise_without_rpc", "present_without_event"], "observed"].sum() == 0
