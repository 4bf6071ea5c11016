"""Pace: cash by working day, against the period before and the target."""

from datetime import date

import pytest
from collect_analysis.measures.pace import pace, working_days
from collect_analysis.measures.periods import Period, month_end, month_start

from tests.small_book import book_of

JUNE = Period(date(2026, 6, 1), date(2026, 6, 30))
# 6 and 7 June 2026 are a weekend.
PAYMENTS = """account_key, amount_minor, value_date
a, 10, 2026-06-01
a, 20, 2026-06-06
a, 30, 2026-06-08
a, 40, 2026-06-30
a, 50, 2026-05-01
a, 150, 2026-05-29
a, 99, 2026-05-31"""


def test_weekend_money_counts_on_the_next_working_day() -> None:
    table = pace(book_of({"payment": PAYMENTS}, as_of=date(2026, 6, 30)), JUNE)
    current = table[table["series"] == "current"]
    assert current["working_day"].tolist() == list(range(1, 23))
    paid = current[current["collected_minor"] > 0]
    assert paid[["working_day", "collected_minor", "cumulative_minor"]].to_numpy().tolist() == [[1, 10, 10], [6, 50, 60], [22, 40, 100]]


def test_money_after_the_last_working_day_counts_on_it() -> None:
    table = pace(book_of({"payment": PAYMENTS}, as_of=date(2026, 6, 30)), JUNE)
    before = table[table["series"] == "previous"]
    assert before.iloc[-1][["working_day", "collected_minor", "cumulative_minor"]].tolist() == [21, 249, 299]


def test_the_target_follows_the_rhythm_of_the_period_before_and_ends_at_the_target() -> None:
    table = pace(book_of({"payment": PAYMENTS}, as_of=date(2026, 6, 30)), JUNE, target_minor=299)
    plan = table[table["series"] == "target"].set_index("working_day")["cumulative_minor"]
    assert plan.iloc[-1] == pytest.approx(299)
    # Working day 1 of 22 is 1/22 of the way; the period before had 50 at 1/21 and nothing at 0.
    assert plan.loc[1] == pytest.approx(50 * 21 / 22)
    assert plan.is_monotonic_increasing


def test_the_calendar_of_the_book_decides_what_a_working_day_is() -> None:
    days = "\n".join(f"2026-06-{day:02d}, {'false' if day in (6, 7, 30) else 'true'}" for day in range(1, 31))
    book = book_of({"calendar": f"date, working_day\n{days}", "payment": PAYMENTS}, as_of=date(2026, 6, 30))
    listed = working_days(book, JUNE)
    assert len(listed) == 27
    assert str(listed.iloc[-1].date()) == "2026-06-29"


def test_a_book_without_cash_in_the_period_has_no_curve() -> None:
    book = book_of({"payment": "account_key, amount_minor, value_date\na, 1, 2025-01-01"}, as_of=date(2026, 6, 30))
    assert pace(book, JUNE).empty


@pytest.mark.parametrize(
    ("months", "first", "last"), [(0, "2026-01-01", "2026-01-31"), (-1, "2025-12-01", "2025-12-31"), (13, "2027-02-01", "2027-02-28")]
)
def test_months_are_counted_across_years(months: int, first: str, last: str) -> None:
    assert month_start(date(2026, 1, 31), months).isoformat() == first
    assert month_end(date(2026, 1, 31), months).isoformat() == last


def test_the_period_before_a_quarter_is_a_quarter() -> None:
    quarter = Period(date(2026, 1, 1), date(2026, 3, 31))
    assert (quarter.previous.start, quarter.previous.end) == (date(2025, 10, 1), date(2025, 12, 31))
