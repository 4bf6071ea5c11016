"""Gates: who may act at all, and whose conduct stands against more."""

from datetime import date

import pandas as pd
import pytest
from collect_analysis.agencies import gates as partners
from collect_analysis.agencies.gates import ConductWindow, GateLimits
from collect_analysis.book.store import Book, book_from_frames
from collect_analysis.errors import DataError
from collect_analysis.measures.placements import Panel

PANEL = Panel(start=date(2025, 1, 1), end=date(2026, 6, 30), horizon=3)
WINDOW = ConductWindow.of(PANEL, months=12)
LIMITS = GateLimits(complaints_per_10k=50, breaches_per_1000=1, critical_qa_share=0.05, third_party_per_1000=0.1)


def unit(key: str, **given) -> dict:
    row = {
        "unit_key": key, "valid_from": date(2024, 1, 1), "name": key.upper(), "unit_type": "agency", "partner_type": "law_firm",
        "authorisation_id": f"letter-{key}", "authorised_to": date(2026, 12, 31),
    }  # fmt: skip
    return {**row, **given}


UNITS = [
    unit("fine"),
    unit("late", authorised_to=date(2026, 6, 29)),
    unit("none", authorisation_id=None),
    unit("kind", partner_type="none"),
    unit("team", unit_type="team", partner_type=None, authorisation_id=None, authorised_to=None),
]


def book(*, tickets: list[dict] | None = None, qa: list[dict] | None = None, accounts: int = 400) -> Book:
    keys = [*(row["unit_key"] for row in UNITS), "stranger"]
    placed = [
        {
            "decision_key": f"{key}-{n}", "account_key": f"{key}-{n}", "customer_key": f"{key}-{n}", "kind": "placement", "unit_key": key,
            "decided_utc": pd.Timestamp("2026-01-02"), "from_date": date(2026, 1, 2), "balance_minor": 1000,
        }
        for key in keys
        for n in range(accounts)
    ]  # fmt: skip
    frames = {"unit": UNITS, "decision": placed, "ticket": tickets or [], "qa": qa or []}
    return book_from_frames({name: pd.DataFrame(rows) for name, rows in frames.items()}, as_of=date(2026, 6, 30))


def judged(source: Book, contacts: pd.DataFrame | None = None) -> pd.DataFrame:
    table = contacts if contacts is not None else pd.DataFrame(columns=["unit_key", "contacts", "breach", "party"])
    return partners.gates(source, PANEL, table, window=WINDOW, limits=LIMITS)


def complaint(number: int, unit_key: str, day: str) -> dict:
    opened = pd.Timestamp(day)
    return {
        "ticket_key": f"t{number}", "type": "complaint", "opened_ts": opened, "due_ts": opened, "owner_side": "agency", "unit_key": unit_key,
    }  # fmt: skip


def test_who_may_act_on_the_day() -> None:
    known = partners.register(book()).set_index("unit_key")
    expected = {"fine": "valid", "late": "expired", "none": "missing", "kind": "missing", "team": "not_needed", "stranger": "unknown"}
    assert known["authorisation"].to_dict() == expected
    assert known.loc["stranger", "unit_name"] == "stranger"


def test_a_partner_without_a_legal_basis_is_blocked_whatever_else_is_fine() -> None:
    standing = partners.standing(judged(book())).set_index("unit_key")
    assert standing["status"].to_dict() == {
        "fine": "pass", "team": "pass", "late": "blocked", "none": "blocked", "kind": "blocked", "stranger": "blocked",
    }  # fmt: skip
    assert standing.loc["late", "gates"] == "authorisation"
    assert standing.loc["fine", "gates"] == ""


def test_few_complaints_are_watched_and_many_fail() -> None:
    # 3 of 400 accounts: 75 per 10,000, exact Poisson interval from 15.5; 30 of 400: 750, from 506.
    few = [complaint(n, "fine", "2026-02-01") for n in range(3)]
    many = [complaint(100 + n, "team", "2026-02-01") for n in range(30)]
    table = judged(book(tickets=[*few, *many])).query("gate == 'complaints'").set_index("unit_key")
    assert table.loc["fine", "value"] == pytest.approx(75)
    assert table.loc["fine", "low"] == pytest.approx(15.47, abs=0.01)
    assert table.loc["fine", "high"] == pytest.approx(219.2, abs=0.1)
    assert table.loc["fine", "status"] == "watch"
    assert table.loc["team", "status"] == "fail"
    assert table.loc["late", "status"] == "pass"


def test_complaints_before_the_window_do_not_count() -> None:
    old = [complaint(n, "team", "2025-05-31") for n in range(30)]
    assert judged(book(tickets=old)).query("gate == 'complaints' and unit_key == 'team'")["numerator"].tolist() == [0]


def test_contacts_and_quality_are_judged_by_their_lower_bound() -> None:
    contacts = pd.DataFrame({"unit_key": ["fine", "team"], "contacts": [100_000, 1_000], "breach": [400, 2], "party": [60, 0]})
    qa = [
        {
            "qa_key": f"q{n}", "event_key": f"e{n}", "unit_key": "fine", "assessor_key": "x", "assessed_on": date(2026, 3, 1),
            "form_version": "1", "score": 1.0, "critical_fail": n < 8,
        }
        for n in range(200)
    ]  # fmt: skip
    table = judged(book(qa=qa), contacts).set_index(["unit_key", "gate"])
    assert table.loc[("fine", "breaches"), "status"] == "fail"
    assert table.loc[("team", "breaches"), "status"] == "watch"
    assert table.loc[("fine", "third_party"), "status"] == "fail"
    # Wilson, 8 of 200: 2.04 % to 7.69 %.
    assert table.loc[("fine", "critical_qa"), ["low", "high"]].tolist() == pytest.approx([0.0204, 0.0769], abs=5e-5)
    assert table.loc[("fine", "critical_qa"), "status"] == "pass"
    assert table.loc[("team", "critical_qa"), "status"] == "no_data"


def test_the_window_is_the_end_of_the_period_and_never_longer_than_it() -> None:
    assert ConductWindow(start=date(2025, 7, 1), end=date(2026, 6, 30)) == WINDOW
    short = Panel(start=date(2026, 4, 1), end=date(2026, 6, 30), horizon=3)
    assert ConductWindow.of(short, months=12).start == date(2026, 4, 1)


def test_a_misspelt_gate_names_every_problem() -> None:
    with pytest.raises(DataError) as refused:
        GateLimits.of({"complaint_per_10k": 50, "breaches_per_1000": "1", "critical_qa_share": 0.05, "third_party_per_1000": 0.1})
    assert len(refused.value.problems) == 3
