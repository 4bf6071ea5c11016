"""What breaks one condition each that a page judges from a book: tables not delivered, sums of a period, logs, tariffs."""

from collections.abc import Sequence
from datetime import date
from functools import partial
from types import SimpleNamespace

import pandas as pd
from collect_analysis.agencies.placement_plan.decision_tiers import tariff_conditions
from collect_analysis.book.presence import delivered
from collect_analysis.book.store import book_from_frames
from collect_analysis.measures.lot import drawn_alike
from collect_analysis.methods.evidence import Condition
from collect_analysis.portfolio.kpi_period import page_decision

Found = Sequence[Condition]
BOOK = book_from_frames(
    {"contact": pd.DataFrame({"contact_key": ["c1"], "account_key": ["a1"], "ts": [pd.Timestamp("2026-03-05")], "channel": ["call"]})},
    as_of=date(2026, 5, 31),
)
FAULTS = pd.DataFrame({"fault": ["gap"], "tariff_id": ["standard"], "tier_from": [3.0]})
WAITING = pd.DataFrame({"unit_key": ["a", "b"], "finding": ["strong", "none"]})
SUMS = ("counted", "held_against", "gap")


def tariff(*, faults: pd.DataFrame = FAULTS.iloc[:0], waiting: pd.DataFrame = WAITING.iloc[1:]) -> Found:
    return tariff_conditions(faults, waiting, names={"a": "Agency A"})


CASES = {
    "delivered": partial(lambda: [delivered(BOOK, ["payment"])]),
    "drawn_untold": lambda: drawn_alike(None),
    "plan_tariff": partial(tariff, faults=FAULTS),
    "plan_hold_back": partial(tariff, waiting=WAITING),
}


def period_check(code: str, lang: str) -> Found:
    """The check `code` of a period, whose two ways to count do not give the same number."""
    facts = SimpleNamespace(book=SimpleNamespace(has=lambda _: False, currency="VND"))
    row = {"identity": code, "met": False, "scopes": 2, "counted": 7_000_000, "held_against": 9_000_000, "gap": -2_000_000}
    return page_decision.identities(facts, pd.DataFrame([row]), lang=lang)  # type: ignore[arg-type]
