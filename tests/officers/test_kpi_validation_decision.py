"""The verdict on a KPI follows the stated rules, first that applies; nothing is said where nothing can be."""

import numpy as np
import pandas as pd
import pytest
from collect_analysis.measures.kpis import KPIS
from collect_analysis.methods.evidence import grade, refused
from collect_analysis.officers.kpi_validation.decision import ValidationRules, conditions, judged, own_word


def verdict(kpi: str, *, month: float = 0.6, share: float = 0.4, low: float = 0.1, other: str = "") -> tuple[str, str, str]:
    """Action, reason and the better KPI for one KPI with these numbers; `other` says the same and predicts better."""
    pooled, needed = 3 * month / (1 + 2 * month), np.ceil((1 - month) / month) if month > 0 else np.nan
    names = [kpi, *([other] if other else [])]
    reliability = pd.DataFrame(
        {
            "kpi": names,
            "value": month,
            "low": 0.1,
            "high": 0.9,
            "pooled": pooled,
            "months_half": needed,
            "months_good": 5.0,
            "officers": 50,
            "note": "",
        }
    )
    control = pd.DataFrame({"kpi": names, "source": "person", "share": share, "inside": share, "low": share - 0.05, "high": share + 0.05})
    prediction = pd.DataFrame(
        {"kpi": names, "value": [0.3, 0.4][: len(names)], "low": low, "high": 0.6, "moves": 0.2, "moves_low": 0.1, "moves_high": 0.3}
    )
    overlaps = (
        pd.DataFrame({"kpi": [kpi], "other": [other], "value": [0.95], "officers": [50]})
        if other
        else pd.DataFrame(columns=["kpi", "other", "value", "officers"])
    )
    row = judged(reliability, control, prediction, overlaps, ValidationRules()).iloc[0]
    return row["action"], row["reason"], row["with"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"kpi": "R9"}, ("adopt", "passes", "")),
        ({"kpi": "C8"}, ("gate", "conduct", "")),
        ({"kpi": "Q1", "low": -0.2}, ("gate", "conduct", "")),
        ({"kpi": "W4"}, ("drop", "no_direction", "")),
        ({"kpi": "R9", "month": np.nan}, ("unknown", "not_answerable", "")),
        ({"kpi": "R9", "month": 0.05}, ("drop", "unreliable", "")),
        ({"kpi": "R9", "month": -0.1}, ("drop", "unreliable", "")),
        ({"kpi": "R9", "share": 0.04}, ("drop", "not_theirs", "")),
        ({"kpi": "R9", "low": 0.0}, ("drop", "no_cash", "")),
        ({"kpi": "R9", "other": "R3"}, ("drop", "said_already", "R3")),
        ({"kpi": "C4"}, ("weigh_low", "own_word", "")),
        ({"kpi": "R9", "month": 0.3}, ("weigh_low", "noisy", "")),
        ({"kpi": "R9", "share": 0.1}, ("weigh_low", "mostly_portfolio", "")),
    ],
)
def test_the_first_rule_that_applies_decides(given, expected) -> None:
    assert verdict(**given) == expected


def test_the_index_of_cash_is_never_the_one_that_goes() -> None:
    assert verdict("R9", other="R5") == ("drop", "said_already", "R5")
    assert verdict("R5", other="R9") == ("adopt", "passes", "")


def test_what_an_officer_writes_is_told_apart() -> None:
    assert [own_word(KPIS[kpi]) for kpi in ("R9", "C4", "C12")] == ["none", "both", "denominator"]


def test_too_few_months_or_officers_refuse_and_say_what_would_do() -> None:
    few = conditions(months=3, reliability=pd.DataFrame({"officers": [12]}), missing=["W7"], halves=1)
    assert [item.name for item in refused(few)] == ["kv_months", "kv_officers"]
    assert few[0].details == {"months": 3, "least": 4}
    assert grade("adjusted", few) == "none"
    assert grade("adjusted", conditions(months=6, reliability=pd.DataFrame({"officers": [40]}), missing=[], halves=1)) == "C"
