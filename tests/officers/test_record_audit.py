"""Which records people look at: what is never right always, what chance makes only where it is more than chance."""

import pandas as pd
from collect_analysis.methods.evidence import grade
from collect_analysis.officers.officer_record_audit.decision import as_by_chance, beyond_chance, conditions, standings, verdict


def findings(rows: list[tuple[str, str, str, int, int, float]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["type", "unit_key", "officer_key", "observed", "trials", "expected"]).assign(money_minor=1000)


ROWS = [
    ("clock", "u", "a", 7, 100, 0.0),
    ("after_hours", "u", "a", 2, 100, 0.0),
    ("overlap", "u", "a", 40, 100, 10.0),
    ("overlap", "u", "b", 9, 100, 10.0),
    ("round_start", "u", "a", 3, 100, 1.7),
    ("short_rpc", "u", "b", 0, 50, 0.0),
]


def told() -> pd.DataFrame:
    table = findings(ROWS)
    return standings(table, beyond_chance(table, "officer_key"), {"duplicate_position": "contact.geo_hash"}).set_index("type")


def test_each_type_stands_as_it_should() -> None:
    status = told()["status"].to_dict()
    assert status["clock"] == "system"
    assert status["after_hours"] == "review"
    assert status["overlap"] == "review"
    assert status["round_start"] == "chance"
    assert status["short_rpc"] == "clean"
    assert status["duplicate_position"] == "untestable"
    assert "contact.geo_hash" in told().loc["duplicate_position", "note"]


def test_only_records_of_officers_beyond_chance_are_reviewed() -> None:
    assert told().loc["overlap", "review"] == 40
    assert told().loc["after_hours", "review"] == 2
    found = verdict(told().reset_index())
    assert found.review == 42
    assert found.types == (("overlap", 40), ("after_hours", 2))
    assert found.system == (("clock", 7),)


def test_overlaps_as_frequent_as_by_chance_speak_of_the_log() -> None:
    table = pd.DataFrame({"type": ["overlap"], "observed": [95], "expected": [100.0]})
    assert as_by_chance(table) == (95, 100)
    assert as_by_chance(table.assign(observed=30)) is None
    assert as_by_chance(table.assign(observed=9, expected=10.0)) is None


def test_chance_alone_sends_hardly_anybody_to_review() -> None:
    import numpy as np

    rng = np.random.default_rng(5)
    sent = 0
    for _ in range(60):
        rows = [("overlap", "u", f"o{officer}", int(rng.poisson(30)), 500, 30.0) for officer in range(60)]
        sent += bool(beyond_chance(findings(rows), "officer_key")["beyond"].any())
    assert sent / 60 < 0.15


def test_an_audit_without_contacts_is_refused_and_single_ratings_are_said() -> None:
    found = conditions(contacts=0, sheets=0, rated_twice=0, assessed=80, needed=1500.0, untestable=("duplicate_position",))
    assert grade("raw", found) == "none"
    unmet = {item.name: item for item in found if not item.met}
    assert set(unmet) == {"ra_contacts", "ra_sheets", "ra_rated_twice", "ra_positions"}
    assert unmet["ra_rated_twice"].details["needed"] == 1500.0
