"""Moves of accounts between month ends on books small enough to count by hand: moves, positions, cash, cures that last, provision."""

from datetime import date

import pytest
from collect_analysis.book.store import Book
from collect_analysis.measures import groups
from collect_analysis.measures.cures import cure_facts
from collect_analysis.measures.flow import MISSING
from collect_analysis.measures.periods import KpiWindows, Period
from collect_analysis.measures.provision import (
    NO_GROUP,
    NOTHING_PROVIDED,
    by_bucket,
    exposures,
    group_reason,
    held_after,
    provision_bridge,
)
from collect_analysis.measures.scopes import Directory
from collect_analysis.measures.sustained_cure import LEFT_EARLY, after_cure, curve, sustained
from collect_analysis.measures.transitions import Scope, Transitions, tet_months

from tests.small_book import book_of

RATES = (0.0, 0.05, 0.2, 0.5, 1.0)
HALF_YEAR = Period(date(2026, 1, 1), date(2026, 6, 30))
DAYS = ("2025-12-31", "2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31", "2026-06-30")


def month_ends(paths: dict[str, str], *, more: str = "") -> str:
    """Table month_end from one path per account: a bucket, an exit or `-` (no row) per month end of DAYS; balance 100 x (month + 1)."""
    lines = ["account_key, month_end, status, bucket, balance_minor, reaged"]
    for account, path in paths.items():
        for place, (day, state) in enumerate(zip(DAYS, path.split(), strict=False)):
            if state == "-":
                continue
            status, bucket = ("open", state.rstrip("r")) if state[0].isdigit() else (state, "0")
            lines.append(f"{account}, {day}, {status}, {bucket}, {100 * (place + 1)}, {'true' if state.endswith('r') else 'false'}")
    return "\n".join(lines) + more


def transitions(
    paths: dict[str, str], *, top: int = 3, portfolios: tuple[str, ...] = (), period: Period = HALF_YEAR, **tables: str
) -> Transitions:
    book = book_of({"month_end": month_ends(paths), **tables}, as_of=date(2026, 6, 30))
    return Transitions(book, Scope(period, top, "quarter", portfolios))


PATHS = {
    "a": "1 2 3 5 0r 1 paid_off",
    "b": "2 0 0 1 sold",
    "c": "5 6 - 6 6 6 6",
    "d": "- - 1 0 0 0 0",
}
ACCOUNTS = """account_key, product_code, portfolio_code, open_date, debt_status
a, card, x, 2024-02-01, overdue
b, card, x, 2025-11-30, overdue
c, loan, y, 2024-02-01, off_balance
d, loan, y, 2026-02-01, overdue"""


def cells(table, *keys: str) -> dict:
    return table.groupby(list(keys))["count"].sum().to_dict()


def test_moves_are_counted_from_pairs_with_product_vintage_and_the_bucket_before() -> None:
    flows = transitions(PATHS, account=ACCOUNTS)
    found = flows.counted("product_code", "vintage")
    assert cells(found, "product_code", "vintage", "from", "to") == {
        ("card", "2024-Q1", "1", "2"): 1,
        ("card", "2024-Q1", "2", "3"): 1,
        # 3 to 5 stays in the joined last bucket; the state still says that it rolled.
        ("card", "2024-Q1", "3", "3"): 1,
        ("card", "2024-Q1", "3", "0"): 1,
        ("card", "2024-Q1", "0", "1"): 1,
        ("card", "2024-Q1", "1", "paid_off"): 1,
        ("card", "2025-Q4", "2", "0"): 1,
        ("card", "2025-Q4", "0", "0"): 1,
        ("card", "2025-Q4", "0", "1"): 1,
        ("card", "2025-Q4", "1", "sold"): 1,
        ("loan", "2024-Q1", "3", "3"): 4,
        ("loan", "2024-Q1", "3", MISSING): 1,
        ("loan", "2026-Q1", "1", "0"): 1,
        ("loan", "2026-Q1", "0", "0"): 3,
    }
    assert found[found["to"] == "3"].groupby("state")["count"].sum().to_dict() == {"rolled": 3, "stayed": 3}
    assert found[(found["from"] == "3") & (found["to"] == "0")]["state"].tolist() == ["reaged"]
    # The balance of a move is that of its start: account a in bucket 2 at the second month end.
    assert found[(found["from"] == "2") & (found["to"] == "3")]["open_minor"].tolist() == [200]
    before = flows.counted("previous")
    # The first pair of every account, and the first after a gap, has no bucket before.
    assert before["count"].sum() == found["count"].sum() - 5
    assert cells(before[before["from"] == "2"], "previous", "from", "to") == {("1", "2", "3"): 1}


def test_months_are_those_of_the_close_and_portfolios_can_be_chosen() -> None:
    flows = transitions(PATHS, account=ACCOUNTS, portfolios=("x",))
    found = flows.counted("month")
    assert cells(found, "month") == {
        date(2026, 1, 31): 2, date(2026, 2, 28): 2, date(2026, 3, 31): 2, date(2026, 4, 30): 2, date(2026, 5, 31): 1, date(2026, 6, 30): 1,
    }  # fmt: skip
    assert transitions(PATHS, account=ACCOUNTS).today()["count"].sum() == 2


def test_a_book_without_accounts_is_followed_all_the_same() -> None:
    found = transitions(PATHS).counted("product_code", "vintage")
    assert found["product_code"].unique().tolist() == found["vintage"].unique().tolist() == ["unassigned"]
    assert found["count"].sum() == 19


def test_positions_say_where_the_accounts_of_an_origin_stood_later() -> None:
    found = transitions(PATHS, account=ACCOUNTS).positions([date(2025, 12, 31), date(2026, 4, 30)], horizon=4)
    later = {key: part.set_index("state")["count"].to_dict() for key, part in found.groupby(["origin", "step"])}
    first, second = date(2025, 12, 31), date(2026, 4, 30)
    assert later[first, 0] == {"1": 1, "2": 1, "3": 1}
    assert later[first, 1] == {"2": 1, "0": 1, "3": 1}
    # The gap of account c at the end of February is no exit.
    assert later[first, 2] == {"3": 1, "0": 1, MISSING: 1}
    # Sold in April: stays sold.
    assert later[first, 4] == {"0": 1, "sold": 1, "3": 1}
    # d entered later and is in no count of the first origin; the second ends with the period.
    assert later[second, 2] == {"paid_off": 1, "3": 1, "0": 1}
    assert (second, 3) not in later


def test_cash_belongs_to_the_bucket_at_the_start_of_its_month() -> None:
    payments = """account_key, amount_minor, value_date
    a, 70, 2026-01-10
    a, 5, 2026-06-30
    b, 30, 2026-01-31
    b, 9, 2025-12-31
    d, 4, 2026-02-20"""
    found = transitions(PATHS, account=ACCOUNTS, payment=payments).cash_by_bucket()
    paid = found[found["cash_minor"] > 0].set_index(["month", "from"])["cash_minor"].to_dict()
    # d entered in February: it was not open at the month end before, so its payment belongs to no bucket.
    assert paid == {(date(2026, 1, 31), "1"): 70, (date(2026, 1, 31), "2"): 30, (date(2026, 6, 30), "1"): 5}
    assert transitions(PATHS).cash_by_bucket().empty
    later = transitions(PATHS, account=ACCOUNTS, payment=payments).cash_after([date(2025, 12, 31), date(2026, 3, 31)], horizon=3)
    after = later.set_index(["origin", "step"])["cash_minor"].to_dict()
    # a and b pay in the first month after the first origin; June is the third month after the second, and nothing comes in between.
    assert [after[date(2025, 12, 31), step] for step in (1, 2, 3)] == [100, 0, 0]
    assert [after[date(2026, 3, 31), step] for step in (1, 2, 3)] == [0, 0, 5]
    assert transitions(PATHS).cash_after([date(2025, 12, 31)], horizon=3).empty


def test_the_months_that_the_lunar_new_year_moved() -> None:
    lines = ["date, working_day, tet_offset"]
    for month, days in ((1, 31), (2, 28), (3, 31)):
        lines += [f"2026-{month:02d}-{day:02d}, true, {(date(2026, month, day) - date(2026, 2, 17)).days}" for day in range(1, days + 1)]
    book = book_of({"month_end": month_ends(PATHS), "calendar": "\n".join(lines)}, as_of=date(2026, 6, 30))
    marked = tet_months(book, Period(date(2026, 1, 1), date(2026, 3, 31)))
    # From 3 February to 9 March: 26 days of February, 9 of March.
    assert marked == {date(2026, 1, 31): False, date(2026, 2, 28): True, date(2026, 3, 31): True}
    assert tet_months(transitions(PATHS).book, HALF_YEAR) == {}


CURES = {
    "lasts": "1 0 0 0 0 0 0",
    "falls": "1 0 0 2 2 2 2",
    "pays": "2 0 paid_off",
    "recalled": "2 0 0 recalled",
    "young": "1 1 1 1 1 0 0",
    "reaged": "3 0r 0 1 1 1 1",
}


def test_cures_are_followed_month_end_by_month_end() -> None:
    flows = transitions(CURES)
    after = after_cure(flows, follow=6)
    told = {(row["from"], row["time"], row["end"]): row["count"] for row in after.to_dict("records")}
    # Re-aged is no cure; `lasts` is seen for five months, `young` for one.
    assert told == {
        ("1", 5, "censored"): 1,
        ("1", 2, "relapsed"): 1,
        ("2", 1, "paid_off"): 1,
        ("2", 2, "recalled"): 1,
        ("1", 1, "censored"): 1,
    }
    whole = sustained(after, months=3, last_month=HALF_YEAR.end, by=[]).iloc[0]
    # Four cures are three months old: one fell back, one was recalled before.
    assert (whole["numerator"], whole["denominator"], whole["left"], whole["note"]) == (3, 4, 1, "")
    by_bucket = sustained(after, months=3, last_month=HALF_YEAR.end, by=["from"]).set_index("from")
    assert by_bucket["value"].to_dict() == {"1": 0.5, "2": 1.0}
    none = sustained(after, months=6, last_month=HALF_YEAR.end, by=[]).iloc[0]
    assert none["note"] == "no cure was followed for 6 months yet"


def test_cures_of_which_most_left_say_that_little_is_known() -> None:
    flows = transitions({"p": "1 0 recalled", "q": "1 0 sold", "r": "1 0 0 1 1 1 1"})
    told = sustained(after_cure(flows, follow=3), months=3, last_month=HALF_YEAR.end, by=[]).iloc[0]
    assert (told["value"], told["left"], told["note"]) == (pytest.approx(2 / 3), 2, LEFT_EARLY)


def test_the_share_that_lasted_is_f7_of_the_dictionary() -> None:
    flows = transitions(CURES)
    whole = sustained(after_cure(flows, follow=3), months=3, last_month=HALF_YEAR.end, by=[]).iloc[0]
    windows = KpiWindows(sustained_months=3)
    facts = cure_facts(flows.book, Directory.of(flows.book, HALF_YEAR.end), HALF_YEAR, windows)
    theirs = flows.book.frame(facts.agg(**{name: facts[name].sum() for name in ("followed", "sustained", "left")})).iloc[0]
    assert (whole["numerator"], whole["denominator"], whole["left"]) == (theirs["sustained"], theirs["followed"], theirs["left"])


def test_the_curve_of_cures_counts_who_was_still_seen() -> None:
    told = curve(after_cure(transitions(CURES), follow=6), by=[])
    # Two months after: `lasts`, `falls` and `recalled` were still there, one of them fell.
    assert told[["time", "at_risk", "events", "value"]].to_numpy().tolist() == [[2, 3, 1, pytest.approx(2 / 3)]]


def provided(*, standing: str = "overdue") -> Book:
    ends = """account_key, month_end, status, bucket, balance_minor, reg_group
    u, 2026-05-31, open, 2, 1000, 2
    u, 2026-06-30, open, 4, 900, 3
    v, 2026-05-31, open, 5, 400, 4
    v, 2026-06-30, open, 1, 300, 2
    w, 2026-05-31, open, 8, 200, 5
    w, 2026-06-30, written_off, 8, 0, 5
    x, 2026-05-31, open, 3, 500, 3
    x, 2026-06-30, paid_off, 0, 0, 1
    y, 2026-06-30, open, 1, 700, 2
    z1, 2026-05-31, open, 1, 100, 1
    z1, 2026-06-30, open, 1, 100, 1
    z2, 2026-05-31, open, 9, 10, 5
    z2, 2026-06-30, open, 9, 10, 5"""
    rows = ["account_key, customer_key, debt_status", *(f"{key}, {key[0]}, {standing}" for key in ("u", "v", "w", "x", "y", "z1", "z2"))]
    return book_of({"month_end": ends, "account": "\n".join(rows)}, as_of=date(2026, 6, 30))


JUNE = Period(date(2026, 6, 1), date(2026, 6, 30))


def test_provision_is_explained_to_the_unit() -> None:
    flows = Transitions(provided(), Scope(JUNE, 7))
    assert group_reason(flows) == ""
    bridge = provision_bridge(exposures(flows), RATES)
    amounts = bridge.set_index("cause")["amount_minor"].to_dict()
    # u: 5 % to 20 % of 1,000, then 100 less at 20 %; v: 50 % to 5 % of 400, then 100 less at 5 %; z is in group 5 with both debts.
    expected = {"worse": 150.0, "better": -180.0, "paid_down": -25.0, "entered": 35.0, "paid_off": -100.0, "written_off": -200.0}
    assert amounts == pytest.approx(expected)
    first = bridge.iloc[0]
    # 50 + 200 + 200 + 100 + 110 before; 180 + 15 + 35 + 110 after.
    assert (first["opening_minor"], first["closing_minor"]) == (pytest.approx(660), pytest.approx(340))
    assert bridge["amount_minor"].sum() == pytest.approx(first["closing_minor"] - first["opening_minor"])


def test_what_the_bridge_releases_is_f10_of_the_dictionary() -> None:
    book = provided()
    bridge = provision_bridge(exposures(Transitions(book, Scope(JUNE, 7))), RATES).set_index("cause")["amount_minor"]
    facts = groups.group_facts(book, Directory.of(book, JUNE.end), JUNE, KpiWindows(provision_rates=RATES))
    released = book.scalar(facts.released_parts.sum())
    assert -(bridge["worse"] + bridge["better"] + bridge["paid_off"]) == pytest.approx(float(str(released)) / groups.PARTS)


def test_provision_by_bucket_is_that_of_the_debtors_group() -> None:
    held = by_bucket(Transitions(provided(), Scope(JUNE, 3)), RATES).set_index("from")["provision_minor"].to_dict()
    # Bucket 1: v 15, y 35, z1 with its debtor's other debt in group 5.
    assert held == pytest.approx({"1": 15 + 35 + 100, "3": 180 + 10})


def test_provision_is_followed_for_the_accounts_that_were_open() -> None:
    flows = Transitions(provided(), Scope(JUNE, 3))
    opening, closing = date(2026, 5, 31), date(2026, 6, 30)
    found = held_after(flows, RATES, [opening, closing], horizon=2).groupby(["origin", "step"])["provision_minor"].sum()
    # 660 before; a month later the same accounts without the 35 of the one that entered: 340 - 35.
    assert found.to_dict() == pytest.approx({(opening, 0): 660, (opening, 1): 305, (closing, 0): 340})


def test_where_groups_or_provision_have_no_meaning_the_reason_is_given() -> None:
    assert group_reason(transitions(PATHS)) == NO_GROUP
    assert group_reason(Transitions(provided(standing="off_balance"), Scope(JUNE, 7))) == NOTHING_PROVIDED
