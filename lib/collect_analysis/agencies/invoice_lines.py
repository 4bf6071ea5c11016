"""Billed lines against what was earned: the reason of every difference and its money, to the unit; codes and numbers, no wording.

Every line is taken apart so that nothing is left over. With base b, rate r, tax rate t as billed and b*, r*, t* as earned, C(b, r) the
commission and V(b, r) commission plus tax, each rounded half up to the unit (halves away from zero, so that a credit undoes its charge):

    billed - V(b, r)          commission_arithmetic (commission - C) and tax_arithmetic (tax - tax of C)
    V(b, r) - V(b, r*)        wrong_rate, of a line that is owed
    V(b, r*) - V(b*, r*)      wrong_base, of a line that is owed
    V(b, r)                   the reason why nothing is owed, of any other line
    -V(b*, r*)                unbilled, of a payment without a line; reversed, of a credit that was not given

Their sum is what was billed minus what was earned.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from collect_analysis.agencies.invoices import AFTER, BEFORE, NEVER

PARTS = 1_000_000
RIGHT = "right"
COMMISSION_ARITHMETIC, TAX_ARITHMETIC, FOOT, ROUNDING = "commission_arithmetic", "tax_arithmetic", "foot", "rounding"
WRONG_RATE, WRONG_BASE, NO_SUCH_TIER = "wrong_rate", "wrong_base", "no_such_tier"
UNKNOWN, NOT_ELIGIBLE, DOUBLE, OTHER_PERIOD = "unknown_payment", "not_eligible", "double_billed", "other_period"
BEFORE_PLACEMENT, AFTER_PLACEMENT, NOT_PLACED = "before_placement", "after_placement", "not_placed"
REVERSED, UNBILLED = "reversed", "unbilled"
NOT_OWED = (UNKNOWN, NOT_ELIGIBLE, BEFORE_PLACEMENT, AFTER_PLACEMENT, NOT_PLACED, DOUBLE, OTHER_PERIOD, NO_SUCH_TIER)
REASONS = (
    *NOT_OWED, REVERSED, WRONG_RATE, WRONG_BASE, COMMISSION_ARITHMETIC, TAX_ARITHMETIC, FOOT, ROUNDING, UNBILLED,
)  # fmt: skip
PART_COLUMNS = ("invoice_id", "unit_key", "line_no", "payment_key", "tier_from", "reason", "difference_minor")
WORKED_COLUMNS = (
    "invoice_id", "unit_key", "line_no", "payment_key", "tier_from", "base_minor", "rate", "billed_minor", "right_base_minor", "right_rate",
    "right_minor", "reason",
)  # fmt: skip
_STANDING = {BEFORE: BEFORE_PLACEMENT, AFTER: AFTER_PLACEMENT, NEVER: NOT_PLACED}


@dataclass(frozen=True, kw_only=True)
class Matched:
    """`lines`: billed lines and what is missing, one row each (WORKED_COLUMNS); `parts`: their differences by reason (PART_COLUMNS)."""

    lines: pd.DataFrame
    parts: pd.DataFrame


def half_up(amount: pd.Series, rate: pd.Series) -> pd.Series:
    """Amount x rate in whole minor units, halves away from zero, without a float on the way; rates count to the millionth."""
    shares = (rate.astype(float).fillna(0.0) * PARTS).round().astype("int64")
    rounded = [_half_up(int(money) * int(share)) for money, share in zip(amount, shares, strict=True)]
    return pd.Series(rounded, index=amount.index, dtype="int64")


def _half_up(whole: int) -> int:
    size = (2 * abs(whole) + PARTS) // (2 * PARTS)
    return size if whole >= 0 else -size


def charged(base: pd.Series, rate: pd.Series, tax: pd.Series) -> pd.Series:
    """Commission with its tax: V(b, r)."""
    commission = half_up(base, rate)
    return commission + half_up(commission, tax)


def matched(lines: pd.DataFrame, earned: pd.DataFrame) -> Matched:
    """Which lines are right, and what is wrong with the others?

    `lines`: table of `measures.invoices.billed`, of invoices that can be checked; `earned`: table of `measures.invoices.earned`, one row per
    payment. A payment is owed on the invoice of its partner whose period holds its day; the first line for it there is the one that is owed.
    A line without a payment bills a tier: it is held against all that is owed in that tier and not billed by a line of its own.
    """
    owed = owed_on(lines, earned)
    single, whole = lines[lines["payment_key"].notna()], lines[lines["payment_key"].isna()]
    found = _single(_credits_named(single, owed), owed)
    taken = owed.merge(found.loc[found["reason"] == RIGHT, ["invoice_id", "payment_key"]], how="left", indicator=True)
    rest = taken[taken["_merge"] == "left_only"].drop(columns="_merge")
    by_tier = rest["invoice_id"].isin(whole["invoice_id"])
    tiers, tiers_left = _whole_tiers(whole, rest[by_tier])
    missing = pd.concat([_missing(rest[~by_tier]), tiers_left], ignore_index=True)
    worked = pd.concat([found, tiers], ignore_index=True)
    return _taken_apart(worked, missing)


def owed_on(lines: pd.DataFrame, earned: pd.DataFrame) -> pd.DataFrame:
    """What is earned, on the invoice whose partner and period it belongs to."""
    heads = lines.drop_duplicates("invoice_id")[["invoice_id", "unit_key", "period_start", "period_end"]]
    joined = earned.merge(heads, on="unit_key")
    inside = (joined["posted_on"] >= joined["period_start"]) & (joined["posted_on"] <= joined["period_end"])
    return joined[inside].drop(columns=["period_start", "period_end"]).reset_index(drop=True)


def _credits_named(lines: pd.DataFrame, owed: pd.DataFrame) -> pd.DataFrame:
    """A negative line that names a payment is a line for a reversal of it: one of the same amount, else the next one that no line names."""
    credit = owed[(owed["payment_key"] != owed["origin_key"]) & (owed["amount_minor"] < 0)]
    credit = credit[["invoice_id", "origin_key", "amount_minor", "payment_key", "posted_on"]]
    credit = credit.rename(columns={"payment_key": "by", "posted_on": "by_on", "amount_minor": "base_minor", "origin_key": "payment_key"})
    open_lines, named = lines[lines["base_minor"] < 0], []
    for keys in (["invoice_id", "payment_key", "base_minor"], ["invoice_id", "payment_key"]):
        pairs = _in_turn(open_lines, keys).merge(_in_turn(credit, keys)[[*keys, "turn", "by", "by_on"]], on=[*keys, "turn"])
        named.append(pairs[["invoice_id", "line_no", "by", "by_on"]])
        taken = pd.MultiIndex.from_frame(pairs[["invoice_id", "line_no"]])
        open_lines = open_lines[~pd.MultiIndex.from_frame(open_lines[["invoice_id", "line_no"]]).isin(taken)]
        credit = credit[~credit["by"].isin(pairs["by"])]
    found = lines.merge(pd.concat(named), on=["invoice_id", "line_no"], how="left", validate="one_to_one")
    found["payment_key"] = found["by"].fillna(found["payment_key"])
    found["posted_on"] = found["by_on"].fillna(found["posted_on"])
    return found.drop(columns=["by", "by_on"])


def _in_turn(rows: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Rows numbered among those of equal keys."""
    return rows.assign(turn=rows.groupby(keys).cumcount())


def _single(lines: pd.DataFrame, owed: pd.DataFrame) -> pd.DataFrame:
    """Lines for one payment each, with what they should be and one reason each."""
    right = owed[["invoice_id", "payment_key", "amount_minor", "tier_from", "rate", "tax_rate"]].rename(
        columns={"amount_minor": "right_base_minor", "tier_from": "right_tier", "rate": "right_rate", "tax_rate": "right_tax"}
    )
    row = lines.merge(right, on=["invoice_id", "payment_key"], how="left", validate="many_to_one")
    inside = (row["posted_on"] >= row["period_start"]) & (row["posted_on"] <= row["period_end"])
    row = row.assign(inside=inside.fillna(False)).sort_values(
        ["unit_key", "payment_key", "inside", "issued_on", "invoice_id", "line_no"], ascending=[True, True, False, True, True, True]
    )
    again = row.groupby(["unit_key", "payment_key"]).cumcount() > 0
    reason = np.select(
        [
            ~row["known"].astype(bool),
            ~row["eligible"].fillna(False).astype(bool),
            row["standing"].isin(list(_STANDING)),
            again,
            ~row["inside"],
            row["right_base_minor"].isna(),
        ],
        [UNKNOWN, NOT_ELIGIBLE, row["standing"].map(_STANDING).fillna(""), DOUBLE, OTHER_PERIOD, NOT_ELIGIBLE],
        default=RIGHT,
    )
    row["reason"] = reason
    row["tier_from"] = row["right_tier"].where(row["reason"] == RIGHT, row["tier_from"])
    return row.sort_values(["invoice_id", "line_no"], ignore_index=True)


def _whole_tiers(lines: pd.DataFrame, rest: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Lines that bill a tier, held against the sums owed in it by rate; and the sums that no line bills."""
    sums = rest.groupby(["invoice_id", "unit_key", "tier_from", "rate"], as_index=False, dropna=False).agg(
        right_base_minor=("amount_minor", "sum"), right_tax=("tax_rate", "first")
    )
    sums["taken"] = False
    rows = []
    # Lines with a rate of the tariff first: what is left over is the one with the wrong rate.
    exact = lines.merge(sums[["invoice_id", "tier_from", "rate"]], how="left", indicator=True)["_merge"] == "both"
    for row in lines.assign(place=(~exact).to_numpy()).sort_values(["place", "invoice_id", "line_no"]).to_dict("records"):
        free = sums[(sums["invoice_id"] == row["invoice_id"]) & (sums["tier_from"] == row["tier_from"]) & ~sums["taken"]]
        same = free[np.isclose(free["rate"], row["rate"])]
        chosen = same if len(same) else free if len(free) == 1 else free.head(0)
        if chosen.empty:
            rows.append(row | {"reason": NO_SUCH_TIER})
            continue
        sums.loc[chosen.index[0], "taken"] = True
        owed = chosen.iloc[0]
        rows.append(
            row
            | {"reason": RIGHT, "right_base_minor": owed["right_base_minor"], "right_rate": owed["rate"], "right_tax": owed["right_tax"]}
        )
    left = sums[~sums["taken"]].rename(columns={"rate": "right_rate"}).assign(reason=UNBILLED, payment_key=None)
    return pd.DataFrame(rows, columns=[*lines.columns, "reason", "right_base_minor", "right_rate", "right_tax"]), left.drop(columns="taken")


def _missing(rest: pd.DataFrame) -> pd.DataFrame:
    """Payments without a line, and credits not given; a payment and its reversals left out of one invoice owe nothing where they net to 0."""
    together = rest.groupby(["invoice_id", "origin_key"])["amount_minor"]
    open_rows = rest[(together.transform("sum") != 0) | (together.transform("size") == 1)]
    return open_rows.rename(columns={"amount_minor": "right_base_minor", "rate": "right_rate", "tax_rate": "right_tax"}).assign(
        reason=np.where(open_rows["reversal_of"].notna(), REVERSED, UNBILLED)
    )


def _taken_apart(worked: pd.DataFrame, missing: pd.DataFrame) -> Matched:
    owed = worked["reason"] == RIGHT
    tax = worked["right_tax"].where(owed, worked["tax_rate"])
    commission = half_up(worked["base_minor"], worked["rate"])
    as_billed = commission + half_up(commission, tax)
    right_base = worked["right_base_minor"].where(owed, 0).fillna(0).astype("int64")
    right_rate = worked["right_rate"].where(owed, worked["rate"])
    at_rate, right = charged(worked["base_minor"], right_rate, tax), charged(right_base, right_rate, tax)
    amounts = {
        COMMISSION_ARITHMETIC: worked["commission_minor"] - commission,
        TAX_ARITHMETIC: worked["tax_minor"] - half_up(commission, tax),
        WRONG_RATE: (as_billed - at_rate).where(owed, 0),
        WRONG_BASE: (at_rate - right).where(owed, 0),
    }
    keys = ["invoice_id", "unit_key", "line_no", "payment_key", "tier_from"]
    parts = [worked[keys].assign(reason=name, difference_minor=amount) for name, amount in amounts.items()]
    parts.append(worked[keys].assign(reason=worked["reason"], difference_minor=as_billed)[~owed])
    gap = charged(missing["right_base_minor"].astype("int64"), missing["right_rate"], missing["right_tax"])
    parts.append(missing.reindex(columns=[*keys, "reason"]).assign(difference_minor=-gap))
    table = pd.concat(parts, ignore_index=True)
    table = table[table["difference_minor"] != 0].astype({"difference_minor": "int64"})
    first = {name: place for place, name in enumerate(REASONS)}
    table = table.assign(place=table["reason"].map(first)).sort_values(
        ["invoice_id", "place", "line_no", "payment_key", "tier_from"], kind="stable", ignore_index=True
    )
    billed = worked.assign(
        billed_minor=worked["commission_minor"] + worked["tax_minor"], right_base_minor=right_base, right_minor=right.where(owed, 0)
    )
    absent = missing.assign(billed_minor=0, right_minor=gap, base_minor=0)
    shown = pd.concat([billed.reindex(columns=list(WORKED_COLUMNS)), absent.reindex(columns=list(WORKED_COLUMNS))], ignore_index=True)
    whole = dict.fromkeys(("base_minor", "billed_minor", "right_base_minor", "right_minor"), "int64")
    shown = shown.sort_values(["invoice_id", "line_no", "payment_key"], kind="stable", ignore_index=True)
    return Matched(lines=shown.astype(whole), parts=table[list(PART_COLUMNS)])
