"""Segments: who is in which level, what is refused, and the sums that add up to the whole."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from collect_analysis.book.store import Book, book_from_frames
from collect_analysis.errors import DataError
from collect_analysis.measures import arms, segments
from collect_analysis.measures.cohort import Cohort, open_cohort

AS_OF = date(2026, 6, 30)
ARMS = ["champion", "new"]
ROLES = {"covariate_age": {"measured": "before"}, "covariate_opened": {"measured": "after"}, "covariate_debt_minor": {"measured": "before"}}


def supplied(**columns: object) -> tuple[Book, Cohort]:
    n = 240
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "arm": np.where(np.arange(n) % 2, "new", "champion"), "covariate_age": rng.integers(20, 60, n).astype(float),
            "covariate_opened": rng.random(n), "covariate_debt_minor": rng.integers(0, 900, n), "outcome_paid": (rng.random(n) < 0.4) * 1.0,
            "stratum": np.where(np.arange(n) % 3, "north", "south"), "customer_key": [f"c{number // 2}" for number in range(n)],
        }
    ).assign(**columns)  # fmt: skip
    frame = frame.assign(experiment_id="e", subject_key=[f"s{number}" for number in range(n)])
    roles = {f"cohort.{name}": role for name, role in ROLES.items()} | {"cohort.outcome_paid": {"kind": "binary", "horizon_days": 90}}
    book = book_from_frames({"cohort": frame}, as_of=AS_OF, roles=roles)
    return book, open_cohort(book, "e", arms=ARMS, horizon_days=90)


def sums_of(names: list[str], cuts: dict[str, list[float]], **columns: object) -> pd.DataFrame:
    book, cohort = supplied(**columns)
    declared = segments.declared_segments(cohort, names, cuts)
    return segments.segment_sums(book, cohort, ARMS, cohort.outcome("paid", 90), declared)


def test_levels_hold_their_lower_cut_and_add_up_to_the_whole() -> None:
    book, cohort = supplied()
    table = sums_of(["age"], {"age": [30, 45]})
    assert list(dict.fromkeys(table["level"])) == ["< 30", "30 to < 45", ">= 45"]
    age = book.frame(cohort.table.filter(cohort.table["arm"] == "new"))["covariate_age"]
    counted = table[table["arm"] == "new"].set_index("level")["cases"]
    assert counted.to_dict() == {"< 30": (age < 30).sum(), "30 to < 45": ((age >= 30) & (age < 45)).sum(), ">= 45": (age >= 45).sum()}
    whole = arms.arm_sums(book, cohort, ARMS, [cohort.outcome("paid", 90)]).set_index("arm")
    for column in ("cases", "positive", "sum_y"):
        assert table.groupby("arm")[column].sum().to_dict() == whole[column].to_dict()


def test_codes_are_levels_and_what_is_unknown_is_one() -> None:
    strata = np.where(np.arange(240) % 4 == 0, None, np.where(np.arange(240) % 3, "north", "south"))
    table = sums_of(["stratum"], {}, stratum=strata)
    assert list(dict.fromkeys(table["level"])) == ["north", "south", "unknown"]
    ages = np.where(np.arange(240) < 40, np.nan, 50.0)
    table = sums_of(["age"], {"age": [30]}, covariate_age=ages)
    assert table.groupby("level")["cases"].sum().to_dict() == {"< 30": 0, ">= 30": 200, "unknown": 40}


def test_several_segments_are_told_one_after_the_other() -> None:
    table = sums_of(["stratum", "debt_minor"], {"debt_minor": [300, 600]})
    assert table.drop_duplicates(["segment", "level"])[["segment", "level_unit"]].to_numpy().tolist() == [
        ["stratum", "code"], ["stratum", "code"], ["debt_minor", "minor"], ["debt_minor", "minor"], ["debt_minor", "minor"],
    ]  # fmt: skip


def test_a_segment_from_after_assignment_is_marked_and_never_summed() -> None:
    book, cohort = supplied()
    (declared,) = segments.declared_segments(cohort, ["opened"], {"opened": [0.5]})
    assert declared.late
    with pytest.raises(DataError, match=r"segment\(s\) opened are not declared as measured before assignment"):
        segments.segment_sums(book, cohort, ARMS, cohort.outcome("paid", 90), [declared])


def test_more_than_six_levels_are_refused_by_name() -> None:
    strata = [f"branch {number % 7}" for number in range(240)]
    with pytest.raises(DataError, match=r"7 levels together, at most 6 \(stratum: branch 0, branch 1, .*branch 6\)"):
        sums_of(["stratum"], {}, stratum=strata)
    with pytest.raises(DataError, match=r"7 levels .*stratum: north, south; age: < 20, 20 to < 30, .*>= 50"):
        sums_of(["stratum", "age"], {"age": [20, 30, 40, 50]})


@pytest.mark.parametrize(
    ("names", "cuts", "sentence"),
    [
        (["agee"], {"agee": [30]}, "no segment 'agee'; it has age, debt_minor, opened, stratum"),
        (["age"], {}, "'age' is a number; declare its cut points"),
        (["stratum"], {"stratum": [1]}, "'stratum' is made of codes; take it out of segment_cuts"),
    ],
)
def test_segments_that_cannot_be_followed_are_refused(names: list[str], cuts: dict, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        sums_of(names, cuts)


def test_a_segment_known_of_nobody_is_refused() -> None:
    with pytest.raises(DataError, match="'stratum' is known of nobody"):
        sums_of(["stratum"], {}, stratum=None)


def test_accounts_of_the_book_are_told_by_product() -> None:
    keys = [f"a{number}" for number in range(8)]
    decision = pd.DataFrame(
        {
            "decision_key": keys, "account_key": keys, "customer_key": keys, "kind": "experiment", "experiment_id": "e",
            "decided_utc": pd.Timestamp("2026-01-01"), "from_date": date(2026, 1, 1), "arm": ["champion", "new"] * 4,
        }
    )  # fmt: skip
    account = pd.DataFrame(
        {
            "account_key": keys, "customer_key": keys, "portfolio_code": "p", "product_code": ["card"] * 6 + ["loan"] * 2,
            "debt_status": "npl", "open_date": date(2025, 1, 1), "original_minor": 100, "currency": "VND", "is_restructured": False,
        }
    )  # fmt: skip
    payment = pd.DataFrame(
        [{"payment_key": "p", "account_key": "a1", "amount_minor": 5, "currency": "VND", "value_date": date(2026, 1, 9), "eligible": True}]
    )
    book = book_from_frames({"decision": decision, "account": account, "payment": payment}, as_of=AS_OF)
    cohort = open_cohort(book, "e", arms=ARMS, horizon_days=90)
    declared = segments.declared_segments(cohort, ["product_code"], {})
    table = segments.segment_sums(book, cohort, ARMS, cohort.outcome("payer_rate", 90), declared).set_index(["level", "arm"])
    assert table["cases"].to_dict() == {("card", "champion"): 3, ("card", "new"): 3, ("loan", "champion"): 1, ("loan", "new"): 1}
    assert table["sum_y"].to_dict() == {("card", "champion"): 0, ("card", "new"): 1, ("loan", "champion"): 0, ("loan", "new"): 0}
