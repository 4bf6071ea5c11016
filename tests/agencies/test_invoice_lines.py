"""Billed lines against what was earned: a worked example, the identity to the unit, and every reason by itself."""

import numpy as np
import pandas as pd
import pytest
from collect_analysis.agencies import invoice_lines
from collect_analysis.agencies.invoice_lines import Matched, half_up, matched

MAY = pd.Timestamp("2026-05-01"), pd.Timestamp("2026-05-31")
LINE = {
    "invoice_id": "i1", "unit_key": "a", "period_start": MAY[0], "period_end": MAY[1], "issued_on": pd.Timestamp("2026-06-03"), "tier_from": np.nan,
    "invoice_total_minor": np.nan, "currency": "VND", "known": True, "eligible": True, "posted_on": pd.Timestamp("2026-05-10"), "standing": "on",
    "tax_rate": 0.10,
}  # fmt: skip
PAID = {
    "unit_key": "a", "posted_on": pd.Timestamp("2026-05-10"), "reversal_of": None, "currency": "VND", "tax_rate": 0.10, "placements": 1, "known": True,
}  # fmt: skip


def billed(*rows: tuple) -> pd.DataFrame:
    """Lines: payment, base, rate, commission, tax, and what else is special."""
    made = [
        {
            **LINE,
            "line_no": number,
            "payment_key": row[0],
            "base_minor": row[1],
            "rate": row[2],
            "commission_minor": row[3],
            "tax_minor": row[4],
        }
        | (row[5] if len(row) > 5 else {})
        for number, row in enumerate(rows, start=1)
    ]
    return pd.DataFrame(made)


def earned(*rows: tuple) -> pd.DataFrame:
    """Payments: key, amount, tier, rate, and what else is special."""
    made = [
        {**PAID, "payment_key": row[0], "origin_key": row[0], "amount_minor": row[1], "tier_from": row[2], "rate": row[3]}
        | (row[4] if len(row) > 4 else {})
        for row in rows
    ]
    return pd.DataFrame(made)


# Tier 0 pays 18 %, tier 3 pays 22 %, tax is 10 %. p3 was taken back in the same month (r3).
FIVE = earned(
    ("p1", 1_000_000, 0, 0.18),
    ("p2", 333_333, 0, 0.18),
    ("p3", 500_000, 3, 0.22),
    ("p4", 250_001, 3, 0.22),
    ("p5", 700_000, 0, 0.18),
    ("r3", -500_000, 3, 0.22, {"reversal_of": "p3", "origin_key": "p3"}),
)


def by_reason(found: Matched) -> dict[str, int]:
    return found.parts.groupby("reason")["difference_minor"].sum().to_dict()


def test_a_right_invoice_of_five_payments_and_a_reversal_differs_by_nothing() -> None:
    lines = billed(
        ("p1", 1_000_000, 0.18, 180_000, 18_000),
        ("p2", 333_333, 0.18, 60_000, 6_000),
        ("p3", 500_000, 0.22, 110_000, 11_000),
        ("p4", 250_001, 0.22, 55_000, 5_500),
        ("p5", 700_000, 0.18, 126_000, 12_600),
        ("r3", -500_000, 0.22, -110_000, -11_000),
    )
    found = matched(lines, FIVE)
    assert found.parts.empty
    # 198,000 + 66,000 + 121,000 + 60,500 + 138,600 - 121,000
    assert found.lines["right_minor"].sum() == found.lines["billed_minor"].sum() == 463_100


def test_every_mistake_of_a_wrong_invoice_is_named_with_its_money() -> None:
    lines = billed(
        ("p1", 1_000_000, 0.18, 180_000, 18_000),
        ("p2", 333_333, 0.18, 60_001, 6_000),
        ("p3", 500_000, 0.22, 110_000, 11_000),
        ("p4", 260_001, 0.22, 57_200, 5_720),
        ("p1", 1_000_000, 0.18, 180_000, 18_000),
        ("p9", 100_000, 0.22, 22_000, 4_400, {"standing": "never"}),
    )
    found = matched(lines, FIVE)
    assert by_reason(found) == {
        "commission_arithmetic": 1,
        "reversed": 121_000,
        "wrong_base": 62_920 - 60_500,
        "double_billed": 198_000,
        "not_placed": 24_200,
        "tax_arithmetic": 2_200,
        "unbilled": -138_600,
    }
    assert found.lines["billed_minor"].sum() - found.lines["right_minor"].sum() == found.parts["difference_minor"].sum() == 209_221


@pytest.mark.parametrize(
    ("special", "reason"),
    [
        ({"known": False, "eligible": None}, "unknown_payment"),
        ({"eligible": False}, "not_eligible"),
        ({"standing": "before"}, "before_placement"),
        ({"standing": "after"}, "after_placement"),
        ({"standing": "never"}, "not_placed"),
        ({"posted_on": pd.Timestamp("2026-04-30")}, "other_period"),
    ],
)
def test_a_line_that_is_not_owed_is_disputed_whole_for_one_reason(special: dict, reason: str) -> None:
    found = matched(billed(("p7", 1_000, 0.18, 180, 18, special)), FIVE.head(0))
    assert by_reason(found) == {reason: 198}


def test_a_tier_charged_too_early_costs_the_difference_of_the_rates_with_its_tax() -> None:
    found = matched(billed(("p1", 1_000_000, 0.22, 220_000, 22_000)), FIVE.head(1))
    assert by_reason(found) == {"wrong_rate": 44_000}


def test_a_credit_may_name_the_payment_it_takes_back() -> None:
    lines = billed(("p3", 500_000, 0.22, 110_000, 11_000), ("p3", -500_000, 0.22, -110_000, -11_000))
    assert matched(lines, FIVE[FIVE["payment_key"].isin(["p3", "r3"])]).parts.empty


def test_a_payment_and_its_reversal_both_left_out_owe_nothing() -> None:
    lines = billed(("p1", 1_000_000, 0.18, 180_000, 18_000))
    assert matched(lines, FIVE[FIVE["payment_key"].isin(["p1", "p3", "r3"])]).parts.empty


# p1 was taken back in part, in two steps; the first step was given back.
PARTS = earned(
    ("p1", 1_000_000, 0, 0.18),
    ("r1", -300_000, 0, 0.18, {"reversal_of": "p1", "origin_key": "p1"}),
    ("r2", -100_000, 0, 0.18, {"reversal_of": "p1", "origin_key": "p1"}),
    ("b1", 300_000, 0, 0.18, {"reversal_of": "r1", "origin_key": "p1"}),
)


def test_credits_in_parts_are_told_apart_by_their_amounts() -> None:
    lines = billed(
        ("p1", 1_000_000, 0.18, 180_000, 18_000),
        ("p1", -100_000, 0.18, -18_000, -1_800),
        ("p1", -300_000, 0.18, -54_000, -5_400),
        ("b1", 300_000, 0.18, 54_000, 5_400),
    )
    assert matched(lines, PARTS).parts.empty
    # What went out and came back within the month needs no line.
    assert matched(lines.head(2), PARTS).parts.empty


def test_a_payment_taken_back_in_part_and_left_out_owes_what_is_left() -> None:
    """1,000,000 - 100,000 at 18 % with 10 % tax were earned and not billed; what went out and came back again owes nothing."""
    lines = billed(("p9", 1_000, 0.18, 180, 18))
    found = matched(lines, pd.concat([PARTS, earned(("p9", 1_000, 0, 0.18))], ignore_index=True))
    assert found.parts["difference_minor"].sum() == -178_200


def test_lines_that_bill_a_tier_are_held_against_the_sums_of_the_tier() -> None:
    # Tier 0: 2,033,333 x 18 % = 365,999.94; tier 3: 750,001 - 500,000 = 250,001 x 22 % = 55,000.22.
    lines = billed((None, 2_033_333, 0.18, 366_000, 36_600, {"tier_from": 0.0}), (None, 250_001, 0.26, 65_000, 6_500, {"tier_from": 3.0}))
    assert by_reason(matched(lines, FIVE)) == {"wrong_rate": 11_000}
    assert by_reason(matched(lines.head(1), FIVE)) == {"unbilled": -60_500}
    strange = billed((None, 1_000, 0.30, 300, 30, {"tier_from": 12.0}))
    assert by_reason(matched(strange, FIVE.head(1))) == {"no_such_tier": 330, "unbilled": -198_000}


def test_halves_are_rounded_up_and_a_credit_undoes_its_charge() -> None:
    amounts = pd.Series([25, 24, -25, 10**15 + 5])
    assert half_up(amounts, pd.Series([0.10] * 4)).tolist() == [3, 2, -3, 10**14 + 1]


def test_reasons_always_add_up_to_billed_minus_earned() -> None:
    rng = np.random.default_rng(7)
    for _ in range(20):
        keys = [f"p{number}" for number in range(30)]
        paid = earned(*[(key, int(rng.integers(1, 10**7)), 0, 0.18) for key in keys[:20]])
        rows = [
            (key, int(rng.integers(-(10**6), 10**7)), float(rng.choice([0.18, 0.22])), int(rng.integers(0, 10**6)), int(rng.integers(0, 10**5)),
             {"standing": str(rng.choice(["on", "before", "after", "never"])), "eligible": bool(rng.random() < 0.8)})
            for key in rng.choice(keys, 25)
        ]  # fmt: skip
        found = matched(billed(*rows), paid)
        billed_minor = sum(row[3] + row[4] for row in rows)
        owed = invoice_lines.charged(paid["amount_minor"], paid["rate"], paid["tax_rate"]).sum()
        assert found.parts["difference_minor"].sum() == billed_minor - owed
        assert found.lines["right_minor"].sum() == owed
