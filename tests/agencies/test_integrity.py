"""What each integrity test counts, by hand on small books where one agency games one thing; and the planted cherry-picker of the sample shop."""

from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from collect_analysis.agencies.integrity import NO_VERIFIED, TESTS, IntegrityRules, facts
from collect_analysis.agencies.integrity_money import NO_REMITTANCE
from collect_analysis.agencies.integrity_verdict import STRONG, WEAK, Thresholds, judged
from collect_analysis.book.policy import in_force
from collect_analysis.book.store import open_book
from collect_analysis.errors import DataError
from collect_analysis.measures.conduct import LegalLimits
from collect_analysis.measures.periods import KpiWindows, Period

from tests.small_book import book_of

JUNE = Period(date(2026, 6, 1), date(2026, 6, 30))
PLACED = """account_key, unit_key, from_date, to_date, balance_minor, segment
a1, x, 2026-05-01, , 1000, s
a2, x, 2026-05-01, , 100, s
a3, x, 2026-05-01, , 100, s
b1, y, 2026-05-01, , 1000, s
b2, y, 2026-05-01, 2026-06-11, 100, s
"""


def found(tables: dict[str, str], **rules) -> pd.DataFrame:
    base = {"account": "account_key\na1\na2\na3\nb1\nb2\n", "unit": "unit_key, unit_type\nx, agency\ny, agency\n", "decision": PLACED}
    book = book_of({**base, **tables}, as_of=date(2026, 6, 30))
    limits = [LegalLimits.of(version) for version in in_force("legal_limits", start=JUNE.start, end=JUNE.end)]
    table = facts(book, IntegrityRules(period=JUNE, **rules), windows=KpiWindows(), limits=limits)
    assert table.groupby("test", sort=False).size().to_dict() == dict.fromkeys(TESTS, 2)
    return table.set_index(["test", "unit_key"])


def seen(table: pd.DataFrame, *key: str) -> list[float]:
    return table.loc[key, ["observed", "trials"]].tolist()


LOG = """account_key, local_ts, unit_key, verified_log, channel
a1, 2026-06-02 09:00:00, x, false, call
a1, 2026-06-02 09:00:00, x, false, call
a1, 2026-06-11 09:10:11, x, true, call
a1, 2026-06-12 21:30:12, x, true, call
b1, 2026-06-02 09:00:13, y, true, call
b2, 2026-06-03 10:00:14, y, true, call
b2, 2026-06-11 09:00:15, y, true, call
"""


def test_work_and_times_are_counted_where_they_were_done() -> None:
    # a1 and b1 are the most valuable third of five; payments make the stratum worth something.
    paid = "account_key, amount_minor, value_date\na1, 50, 2026-05-20\nb1, 60, 2026-05-20\n"
    table = found({"contact": LOG, "payment": paid}, top_share=0.4, audit_dates=(date(2026, 6, 13),), burst_days=2)
    assert seen(table, "cherry_picking", "x") == [4, 4]
    # y called once on each side; its last call was after the placement had ended.
    assert seen(table, "cherry_picking", "y") == [1, 2]
    assert seen(table, "hoarding", "x") == [2, 3]
    assert seen(table, "hoarding", "y") == [0, 1]
    assert seen(table, "unverified", "x") == [2, 4]
    assert seen(table, "unverified", "y") == [0, 2]
    assert seen(table, "burst", "x") == [2, 4]
    assert seen(table, "duplicate_event", "x") == [1, 4]
    assert seen(table, "after_hours", "x") == [1, 4]
    assert seen(table, "after_hours", "y") == [0, 3]
    # Agencies name no officer: their record is looked at as one.
    assert seen(table, "same_second", "x") == [1, 4]
    assert seen(table, "round_start", "x") == [2, 4]
    assert table.loc[("round_start", "x"), "expected"] == pytest.approx(4 / 60)


def test_month_ends_are_looked_at_where_no_audit_is_named() -> None:
    late = LOG + "a2, 2026-06-30 09:00:16, x, true, call\na2, 2026-06-28 09:00:16, x, true, call\na2, 2026-06-27 09:00:16, x, true, call\n"
    assert seen(found({"contact": late}, burst_days=3), "burst", "x") == [2, 7]


def test_old_money_is_of_payers_who_paid_promised_or_agreed_before_placement() -> None:
    tables = {
        # b1 paid 40 days before it was placed: too long ago to be on its way.
        "payment": "account_key, amount_minor, value_date\na1, 50, 2026-04-20\na1, 70, 2026-06-02\na2, 30, 2026-06-02\na3, 20, 2026-06-05\n"
        "b1, 10, 2026-03-20\nb1, 60, 2026-06-03\n",
        "promise": "account_key, made_ts, due_date, amount_minor\na2, 2026-04-28 09:00:00, 2026-05-03, 30\nb1, 2026-04-10 09:00:00, 2026-04-20, 5\n",
        "arrangement": "account_key, type, from_date, to_date, covered_minor, status\nb1, plan, 2026-01-01, 2026-04-01, 9, broken\n",
    }
    table = found(tables)
    assert seen(table, "old_money", "x") == [2, 3]
    assert table.loc[("old_money", "x"), "money_minor"] == 100
    assert seen(table, "old_money", "y") == [0, 1]


def test_cash_that_an_agency_keeps_is_told_late_or_missing() -> None:
    paid = """account_key, amount_minor, value_date, source, remitted_on
a1, 70, 2026-06-02, agency, 2026-06-04
a2, 30, 2026-06-02, agency, 2026-06-09
a3, 20, 2026-06-05, agency,
a1, 90, 2026-06-29, agency,
b1, 60, 2026-06-03, transferor,
b1, 40, 2026-06-04, agency, 2026-06-04
"""
    table = found({"payment": paid})
    # Two days to remit: the payment of 29 June is not due yet.
    assert seen(table, "remitted_late", "x") == [2, 3]
    assert table.loc[("remitted_late", "x"), "money_minor"] == 50
    assert seen(table, "not_remitted", "x") == [1, 3]
    assert table.loc[("not_remitted", "x"), "money_minor"] == 20
    assert seen(table, "few_remitted", "y") == [1, 2]
    assert seen(table, "not_remitted", "y") == [0, 1]


def test_promises_for_the_past_are_told_apart() -> None:
    tables = {
        "contact": "event_key, account_key, local_ts, unit_key, result, party_role, verified\n"
        "e1, a1, 2026-06-05 09:00:00, x, answered, debtor, true\ne2, a2, 2026-06-12 09:00:00, x, answered, debtor, true\n",
        # 1 is due before it was made; 2 was made two days before the call it names; 3 and 5 are as they should be.
        "promise": "account_key, made_ts, due_date, amount_minor, unit_key, event_key\n"
        "a1, 2026-06-05 09:05:00, 2026-06-04, 10, x, e1\n"
        "a2, 2026-06-10 09:05:00, 2026-06-15, 20, x, e2\n"
        "a1, 2026-06-05 09:05:00, 2026-06-10, 100, x, e1\n"
        "a3, 2026-06-08 09:05:00, 2026-06-12, 100, x, \n"
        "b1, 2026-06-08 09:05:00, 2026-06-12, 100, y, \n",
        # 95 of 100 had come a day before the promise of a3; half of it is no promise's fulfilment.
        "payment": "account_key, amount_minor, value_date\na3, 95, 2026-06-07\nb1, 50, 2026-06-07\na1, 100, 2026-06-05\n",
    }
    table = found(tables)
    assert seen(table, "backdated", "x") == [2, 4]
    assert table.loc[("backdated", "x"), "money_minor"] == 30
    assert seen(table, "promise_after_payment", "x") == [1, 4]
    assert seen(table, "promise_after_payment", "y") == [0, 1]
    assert seen(table, "promise_without_rpc", "x") == [2, 4]


def test_a_book_that_cannot_be_asked_says_what_is_missing() -> None:
    table = found({}).xs("x", level="unit_key")
    notes = table["note"].to_dict()
    assert notes["cherry_picking"] == notes["round_talk"] == "the book has no rows in contact"
    assert notes["old_money"] == "the book has no rows in payment"
    assert notes["backdated"] == "the book has no rows in promise"
    assert table[["observed", "value", "estimate"]].isna().all(axis=None)
    paid = "account_key, amount_minor, value_date, source\na1, 70, 2026-06-02, agency\n"
    plain = found({"payment": paid, "contact": "account_key, local_ts, unit_key\na1, 2026-06-02 09:00:00, x\n"}).xs("x", level="unit_key")
    assert plain["note"][["remitted_late", "not_remitted", "unverified"]].tolist() == [NO_REMITTANCE, NO_REMITTANCE, NO_VERIFIED]


def test_a_unit_without_placements_in_the_period_is_refused() -> None:
    with pytest.raises(DataError, match=r"unit\(s\) z held a placement|z held a placement"):
        found({}, units=("x", "z"))


def test_of_the_sample_shop_the_cherry_picker_is_found_and_nobody_else(sample_book: Path) -> None:
    book = open_book("sample", as_of=date(2026, 6, 30), folder=sample_book)
    quarter = Period(date(2026, 4, 1), date(2026, 6, 30))
    limits = [LegalLimits.of(version) for version in in_force("legal_limits", start=quarter.start, end=quarter.end)]
    table = judged(facts(book, IntegrityRules(period=quarter), windows=KpiWindows(), limits=limits), Thresholds())
    flagged = table[table["finding"].isin([STRONG, WEAK])]
    assert set(flagged["unit_key"]) == {"ag-d"}
    assert flagged.loc[flagged["finding"] == STRONG, "test"].tolist() == ["cherry_picking"]
    # Planted: 8 calls a month on the top tenth, 0.1 on the rest; what is worth most is known only roughly, so the ratio seen is smaller.
    picked = table[(table["test"] == "cherry_picking") & (table["unit_key"] == "ag-d")].iloc[0]
    assert picked["low"] > 5
