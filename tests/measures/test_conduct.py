"""Contact limits: what was planted in the sample shop is found to the count, and each contact is judged by the rule of its day."""

import json
from dataclasses import replace
from datetime import date, time
from pathlib import Path

import pytest
from collect_analysis.book.policy import PolicyVersion, in_force
from collect_analysis.book.store import open_book
from collect_analysis.errors import DataError
from collect_analysis.measures.conduct import LegalLimits, breaches_by_rule, judged_contacts
from collect_analysis.measures.kpi_table import Facts
from collect_analysis.measures.periods import Period

from tests.small_book import book_of

WHOLE = Period(date(2024, 7, 1), date(2026, 6, 30))
JUNE = Period(date(2026, 6, 1), date(2026, 6, 30))
(VERSION,) = in_force("legal_limits", start=date(2022, 7, 1), end=date(2026, 6, 30))
LIMITS = LegalLimits.of(VERSION)


def test_planted_breaches_are_found_to_the_count(sample_book: Path) -> None:
    book = open_book("sample", as_of=date(2026, 6, 30), folder=sample_book)
    truth = json.loads((sample_book / "sample" / "truth.json").read_text(encoding="utf-8"))["breaches"]
    facts = Facts(book, WHOLE, limits=[LIMITS])
    found = breaches_by_rule(book, facts["breaches"], [LIMITS]).set_index("rule_id")
    # Six attempts a day are one too many: one breach per debtor and day.
    assert found.loc["FREQ_DAY", "numerator"] == truth["FREQ_DAY"]["debtor_days"]
    assert found.loc["FREQ_DAY", "across_units"] == truth["FREQ_DAY"]["debtor_days_split_across_units"]
    for rule in ("HOURS", "RECALL", "PARTY"):
        assert found.loc[rule, "numerator"] == truth[rule]["contacts"]
    by_unit = breaches_by_rule(book, facts["breaches"], [LIMITS], by_unit=True)
    for rule in ("HOURS", "RECALL", "PARTY"):
        counted = by_unit[(by_unit["rule_id"] == rule) & (by_unit["numerator"] > 0)].set_index("unit_key")["numerator"]
        assert counted.to_dict() == truth[rule]["by_unit"]


def judged(contacts: str, limits: list[LegalLimits], period: Period = JUNE) -> dict[str, int]:
    book = book_of({"contact": contacts}, as_of=date(2026, 7, 31))
    table = judged_contacts(book, period, limits)
    return {name: int(book.frame(table)[name].sum()) for name in ("freq_day", "freq_day_in_unit", "hours", "party", "breach")}


SIX = "account_key, customer_key, local_ts, channel, result, unit_key\n" + "\n".join(
    f"a{number % 2}, p, 2026-06-10 {9 + number}:00:00, {channel}, {result}, t{number % 2}"
    for number, (channel, result) in enumerate(
        [("call", "no_answer"), ("sms", "delivered"), ("call", "answered"), ("app", "delivered"), ("call", "busy"), ("visit", "met")]
    )
)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, 1),
        ({"most_per_day": 6}, 0),
        ({"most_per_day": 3}, 3),
        ({"day_scope": "account"}, 0),
        ({"day_counts": "connected"}, 0),
        ({"day_counts": "delivered", "most_per_day": 3}, 1),
        ({"day_channels": ("call",), "most_per_day": 2}, 1),
    ],
)
def test_the_daily_limit_counts_what_its_parameters_say(changes: dict, expected: int) -> None:
    found = judged(SIX, [replace(LIMITS, **changes)])
    assert found["freq_day"] == expected
    assert found["breach"] == expected


def test_a_limit_that_no_single_unit_breaks_is_told_apart() -> None:
    found = judged(SIX, [LIMITS])
    assert (found["freq_day"], found["freq_day_in_unit"]) == (1, 0)


def test_the_day_ends_at_the_debtors_midnight() -> None:
    lines = [f"a, p, 2026-06-10 23:59:5{second}, t1" for second in range(3)] + [
        f"a, p, 2026-06-11 00:00:0{second}, t1" for second in range(3)
    ]
    limits = replace(LIMITS, opens=time(0), closes=time(23, 59, 59))
    assert judged("\n".join(["account_key, customer_key, local_ts, unit_key", *lines]), [limits])["breach"] == 0


@pytest.mark.parametrize(
    ("moment", "late"), [("07:00:00", 0), ("06:59:59", 1), ("21:00:00", 0), ("21:00:01", 1), ("21:00:30", 1), ("00:00:00", 1)]
)
def test_both_ends_of_the_lawful_hours_are_lawful(moment: str, late: int) -> None:
    assert judged(f"account_key, local_ts\na, 2026-06-10 {moment}", [LIMITS])["hours"] == late


def test_each_contact_is_judged_by_the_rule_of_its_day() -> None:
    before = replace(LIMITS, valid_to=date(2026, 6, 15))
    after = replace(LIMITS, valid_from=date(2026, 6, 15), closes=time(20))
    contacts = "account_key, local_ts\na, 2026-06-14 20:30:00\na, 2026-06-15 20:30:00"
    assert judged(contacts, [before, after])["hours"] == 1


def test_a_contact_after_recall_is_a_breach_unless_the_unit_holds_it_again() -> None:
    tables = {
        "decision": """account_key, unit_key, from_date, to_date, end_reason, balance_minor
a, ag-x, 2026-05-01, 2026-06-10, recall, 1
a, ag-x, 2026-06-20, , , 1
b, ag-x, 2026-05-01, 2026-06-10, expired, 1""",
        "contact": """account_key, local_ts, unit_key
a, 2026-06-09 10:00:00, ag-x
a, 2026-06-10 10:00:00, ag-x
a, 2026-06-20 10:00:00, ag-x
a, 2026-06-12 10:00:00, ag-y
b, 2026-06-12 10:00:00, ag-x""",
    }
    book = book_of(tables, as_of=date(2026, 7, 31))
    frame = book.frame(judged_contacts(book, JUNE, [LIMITS]))
    assert int(frame["recall"].sum()) == 1


def test_a_policy_with_a_wrong_value_is_refused() -> None:
    values = {**VERSION.values, "FREQ_DAY": {**VERSION.values["FREQ_DAY"], "count_unit": "tries"}}
    wrong = PolicyVersion(topic="legal_limits", valid_from=date(2026, 1, 1), valid_to=None, source="x", verified_on=None, values=values)
    with pytest.raises(DataError, match="'tries' is not one of attempt, delivered, connected"):
        LegalLimits.of(wrong)
