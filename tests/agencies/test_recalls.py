"""Which accounts come back, by hand on a small book, and the same as a plain loop over the sample shop."""

from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest
from collect_analysis.agencies.placement_plan.measures_recalls import HELD_BACK, RecallRule, judged_placements, recall_batches, recalls
from collect_analysis.book.store import Book, open_book
from collect_analysis.errors import DataError
from collect_analysis.measures.placements import Panel

from tests.small_book import book_of

AS_OF = date(2026, 6, 30)
# Ninety days before the last day of June is the first of April.
RULE = RecallRule(quiet_days=90, oldest_months=9, cooldown_months=2)
PANEL = Panel(start=date(2025, 1, 1), end=AS_OF, horizon=5)
QUIET_SINCE = "2026-01-10"


def told(accounts: dict[str, str], **tables: str) -> dict[str, tuple[str, str]]:
    """Verdict and reason by account; `accounts` gives the day of placement (and the day after the last, after a blank)."""
    rows = [f"{key}, x, {days.split()[0]}, {''.join(days.split()[1:])}, 100, s" for key, days in accounts.items()]
    book = small(rows, **tables)
    frame = book.frame(judged_placements(book, PANEL, RULE).select("account_key", "verdict", "reason"))
    return {row.account_key: (row.verdict, row.reason) for row in frame.itertuples()}


def small(rows: list[str], **tables: str) -> Book:
    empty = {
        "payment": "account_key, amount_minor, value_date\n",
        "contact": "account_key, local_ts, unit_key\n",
        "promise": "account_key, made_ts, due_date, amount_minor\n",
        "arrangement": "account_key, type, from_date, to_date, covered_minor, status\n",
        "legal_stage": "account_key, from_date, to_date\n",
        "ticket": "account_key, type, opened_ts, closed_ts\n",
    }
    decision = "\n".join(["account_key, unit_key, from_date, to_date, balance_minor, segment", *rows]) + "\n"
    return book_of({**empty, **tables, "decision": decision}, as_of=AS_OF)


def test_age_counts_calendar_months_and_needs_nothing_else() -> None:
    paid = "account_key, amount_minor, value_date\nnine, 5, 2026-06-29\neight, 5, 2026-06-29\n"
    found = told({"nine": "2025-09-30", "eight": "2025-10-01"}, payment=paid)
    assert found == {"nine": ("recall", "old"), "eight": ("stays", "")}


def test_an_account_is_quiet_only_when_the_whole_span_of_days_lies_behind_it() -> None:
    assert told({"just": "2026-04-01", "short": "2026-04-02"}) == {"just": ("recall", "quiet"), "short": ("stays", "")}


def test_only_money_that_counts_in_the_span_keeps_an_account() -> None:
    paid = """payment_key, account_key, amount_minor, value_date, eligible, reversal_of
p1, inside, 5, 2026-04-02, true,
p2, outside, 5, 2026-04-01, true,
p3, taken_back, 5, 2026-06-01, true,
p4, taken_back, -5, 2026-06-05, true, p3
p5, not_ours, 5, 2026-06-01, false,
"""
    accounts = dict.fromkeys(["inside", "outside", "taken_back", "not_ours"], QUIET_SINCE)
    found = told(accounts, payment=paid)
    assert found == {"inside": ("stays", ""), **dict.fromkeys(["outside", "taken_back", "not_ours"], ("recall", "quiet"))}


def test_only_the_unit_s_own_right_party_contact_keeps_an_account() -> None:
    log = """account_key, local_ts, unit_key, result, party_role, verified
inside, 2026-04-02 00:00:00, x, answered, debtor, true
outside, 2026-04-01 23:59:59, x, answered, debtor, true
others, 2026-06-01 10:00:00, y, answered, debtor, true
nobody_s, 2026-06-01 10:00:00, , answered, debtor, true
relative, 2026-06-01 10:00:00, x, answered, relative, true
unknown, 2026-06-01 10:00:00, x, answered, debtor, false
rang_out, 2026-06-01 10:00:00, x, no_answer, debtor, true
"""
    names = ["inside", "outside", "others", "nobody_s", "relative", "unknown", "rang_out"]
    found = told(dict.fromkeys(names, QUIET_SINCE), contact=log)
    assert found == {"inside": ("stays", ""), **dict.fromkeys(names[1:], ("recall", "quiet"))}


def test_each_reason_to_stay_holds_an_account_and_ends_on_its_day() -> None:
    holding = {
        "promise": "account_key, made_ts, due_date, amount_minor\npromise, 2026-06-01, 2026-06-30, 5\nwas_promise, 2026-06-01, 2026-06-29, 5\n",
        "arrangement": "account_key, type, from_date, to_date, covered_minor, status\n"
        "arrangement, plan, 2026-01-01, 2026-06-30, 5, active\nopen_arrangement, plan, 2026-01-01, , 5, active\n"
        "was_arrangement, plan, 2026-01-01, 2026-06-29, 5, active\nbroken, plan, 2026-01-01, , 5, broken\n",
        "legal_stage": "account_key, from_date, to_date\nlegal, 2026-01-01,\nwas_legal, 2026-01-01, 2026-06-30\n",
        "ticket": "account_key, type, opened_ts, closed_ts\ndispute, dispute, 2026-06-01,\ncomplaint, complaint, 2026-06-01,\n"
        "was_dispute, dispute, 2026-06-01, 2026-06-30 08:00:00\nrequest, request, 2026-06-01,\n",
    }
    kept = {"promise": "promise", "arrangement": "arrangement", "open_arrangement": "arrangement", "legal": "legal", "dispute": "dispute",
            "complaint": "dispute"}  # fmt: skip
    back = ["was_promise", "was_arrangement", "broken", "was_legal", "was_dispute", "request"]
    found = told(dict.fromkeys([*kept, *back], QUIET_SINCE), **holding)
    assert found == {**{name: ("left", reason) for name, reason in kept.items()}, **dict.fromkeys(back, ("recall", "quiet"))}


def test_the_first_reason_is_told_and_nothing_is_left_that_the_rule_does_not_name() -> None:
    holding = {
        "promise": "account_key, made_ts, due_date, amount_minor\nboth, 2026-06-01, 2026-07-01, 5\nfresh, 2026-06-01, 2026-07-01, 5\n",
        "legal_stage": "account_key, from_date, to_date\nboth, 2026-01-01,\n",
    }
    found = told({"both": "2025-01-15", "fresh": "2026-06-01"}, **holding)
    assert found == {"both": ("left", "promise"), "fresh": ("stays", "")}


def test_only_running_placements_are_judged_and_sums_keep_them_all() -> None:
    rows = ["a, x, 2025-03-01, 2026-06-30, 100, s", "b, x, 2025-03-01, 2026-07-01, 200, s", "c, y, 2026-06-01, , 400, s"]
    rows.append("d, x, 2026-02-01, , 800, s")
    table = recalls(small(rows), PANEL, RULE)
    assert table.to_numpy().tolist() == [
        ["x", "recall", "old", 1, 1, 200],
        ["x", "recall", "quiet", 1, 1, 800],
        ["y", "stays", "", 1, 1, 400],
    ]
    # A debt that was closed for good still has to come back, but its coming back makes no room.
    shut = recalls(small(rows, month_end="account_key, month_end, status\nd, 2026-05-31, written_off\n"), PANEL, RULE)
    assert shut["cases"].tolist() == [1, 1, 1]
    assert shut["open_cases"].tolist() == [1, 0, 1]
    assert recalls(small(["a, x, 2025-03-01, 2026-06-30, 100, s"]), PANEL, RULE).empty


def test_the_list_holds_recalls_only_with_the_day_they_may_be_placed_again() -> None:
    rows = ["b, y, 2025-03-01, , 1, s", "a, y, 2026-02-01, , 1, s", "c, x, 2025-03-01, , 1, s", "d, x, 2026-06-01, , 1, s"]
    promise = "account_key, made_ts, due_date, amount_minor\nb, 2026-06-01, 2026-07-15, 5\n"
    listed = pd.concat([batch.to_pandas() for batch in recall_batches(small(rows, promise=promise), PANEL, RULE)], ignore_index=True)
    assert listed[["account_key", "unit_key", "reason", "months"]].to_numpy().tolist() == [["c", "x", "old", 15], ["a", "y", "quiet", 4]]
    assert {str(pd.Timestamp(day).date()) for day in listed["place_again_from"]} == {"2026-08-01"}


def test_a_malformed_rule_is_refused_with_all_its_faults() -> None:
    with pytest.raises(DataError) as refused:
        RecallRule.of({"quiet_days": 0, "oldest_months": 9.5, "grace": 3})
    text = str(refused.value)
    assert "no 'cooldown_months'" in text
    assert "unknown key recall.grace" in text
    assert "recall.quiet_days is 0" in text
    assert "recall.oldest_months is 9.5" in text
    assert RecallRule.of({"quiet_days": 90, "oldest_months": 9, "cooldown_months": 2}) == RULE


def test_the_sample_shop_is_judged_as_a_plain_loop_judges_it(sample_book: Path) -> None:
    book, rule = open_book("sample", as_of=AS_OF, folder=sample_book), RecallRule(quiet_days=45, oldest_months=5, cooldown_months=2)
    expected = looped(book, rule)
    table = recalls(book, PANEL, rule)
    assert table.set_index(["unit_key", "verdict", "reason"])[["cases", "balance_minor"]].T.to_dict("list") == expected
    assert {"old", "quiet", "promise", "dispute"} <= set(table["reason"])
    listed = pd.concat([batch.to_pandas() for batch in recall_batches(book, PANEL, rule)])
    assert len(listed) == sum(cases for (_, verdict, _), (cases, _) in expected.items() if verdict == "recall")


def looped(book: Book, rule: RecallRule) -> dict[tuple[str, str, str], list[int]]:
    """Accounts and balances by unit, verdict and reason, one placement after the other."""
    today, since = pd.Timestamp(AS_OF), pd.Timestamp(AS_OF - timedelta(days=rule.quiet_days))
    read = {name: book.table(name) for name in ("decision", "payment", "contact", "promise", "arrangement", "legal_stage", "ticket")}
    placed = book.frame(read["decision"].filter(read["decision"].kind == "placement"))
    contact = read["contact"]
    spoken = book.frame(contact.filter(contact.local_ts >= since, contact.verified, contact.result.isin(["answered", "met"])))
    spoken = spoken[spoken["party_role"].isin(["debtor", "guarantor"]) & (pd.to_datetime(spoken["local_ts"]).dt.normalize() > since)]
    payment = read["payment"]
    paid = book.frame(payment.filter(payment.value_date > since.date()))
    undone = set(book.frame(payment.select("reversal_of").distinct())["reversal_of"])
    counted = paid[paid["eligible"] & paid["reversal_of"].isna() & ~paid["payment_key"].isin(undone)]
    payers, reached = set(counted["account_key"]), set(zip(spoken["account_key"], spoken["unit_key"], strict=True))
    others = {name: book.frame(read[name]) for name in ("promise", "arrangement", "legal_stage", "ticket")}
    kept = {
        "promise": others["promise"][pd.to_datetime(others["promise"]["due_date"]) >= today],
        "arrangement": others["arrangement"].query("status == 'active'")[lambda t: ~(pd.to_datetime(t["to_date"]) < today)],
        "legal": others["legal_stage"][lambda t: ~(pd.to_datetime(t["to_date"]) <= today)],
        "dispute": others["ticket"][lambda t: t["type"].isin(["dispute", "complaint"]) & t["closed_ts"].isna()],
    }
    held = {name: set(kept[name]["account_key"]) for name in HELD_BACK}
    found: dict[tuple[str, str, str], list[int]] = {}
    for row in placed.itertuples():
        start, end = pd.Timestamp(row.from_date), pd.Timestamp(row.to_date)
        if start < pd.Timestamp(PANEL.start) or pd.isna(row.unit_key) or not row.balance_minor > 0 or end <= today:
            continue
        months = (today.year - start.year) * 12 + today.month - start.month
        quiet = start <= since and row.account_key not in payers and (row.account_key, row.unit_key) not in reached
        due = "old" if months >= rule.oldest_months else "quiet" if quiet else ""
        reason = next((name for name in HELD_BACK if row.account_key in held[name]), "")
        key = ("stays", "") if not due else ("left", reason) if reason else ("recall", due)
        cell = found.setdefault((row.unit_key, *key), [0, 0])
        cell[0], cell[1] = cell[0] + 1, cell[1] + int(row.balance_minor)
    return found
