"""Is a partner's invoice right: billed, recomputed, difference, what is undisputed, and what to do with it; codes and numbers, no wording."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np
import pandas as pd

from collect_analysis.agencies import invoices
from collect_analysis.agencies.invoice_lines import FOOT, PART_COLUMNS, PARTS, REASONS, ROUNDING, charged, half_up, matched, owed_on
from collect_analysis.book.presence import absent, delivered
from collect_analysis.book.store import Book
from collect_analysis.measures.periods import months_from
from collect_analysis.methods.evidence import Condition, refused

PAY, PAY_UNDISPUTED, RETURN = "pay", "pay_undisputed", "return"
DUPLICATED, UNKNOWN_UNIT, OTHER_CURRENCY, NOT_CLOSED = "duplicated_id", "unknown_unit", "other_currency", "not_closed"
OUTSIDE, PERIOD_TWICE, FOOT_UNCLEAR = "outside_period", "period_twice", "foot_unclear"
PROBLEMS = (DUPLICATED, UNKNOWN_UNIT, OTHER_CURRENCY, NOT_CLOSED, OUTSIDE, PERIOD_TWICE, FOOT_UNCLEAR)
INVOICE_COLUMNS = (
    "invoice_id", "unit_key", "period_start", "period_end", "lines", "billed_minor", "recomputed_minor", "difference_minor", "disputed_minor",
    "underbilled_minor", "undisputed_minor", "verdict", "problem",
)  # fmt: skip
REASON_COLUMNS = ("unit_key", "reason", "found", "difference_minor")
TIER_COLUMNS = (
    "unit_key", "tier_from", "rate", "billed_lines", "base_minor", "right_base_minor", "billed_minor", "right_minor", "difference_minor",
)  # fmt: skip
NEEDS = ("payment", "decision", "decision.unit_key", "unit", "tariff")
_MONEY = ("billed_minor", "recomputed_minor", "difference_minor", "disputed_minor", "underbilled_minor", "undisputed_minor")
_HEADS = {
    "invoice_id": "str", "unit_key": "str", "period_start": "datetime64[s]", "period_end": "datetime64[s]", "issued_on": "datetime64[s]",
    "lines": "int64", "summed_minor": "int64", "problem": "str", "billed_minor": "int64",
}  # fmt: skip
# End of a tariff row that is still current, for comparing only.
_NEVER_ENDS = pd.Timestamp("9999-12-31").as_unit("s")
Rounding = Literal["line", "invoice"]


@dataclass(frozen=True, kw_only=True)
class Policy:
    """How invoices are checked.

    `rounding`: commission and tax are rounded half up to the unit on each line, or once on the invoice. `tolerance_minor`: a disputed amount
    up to that is paid. `return_share`: an invoice of which more than this share is disputed is not paid in part but goes back.
    """

    rounding: Rounding = "line"
    tolerance_minor: int = 0
    return_share: float = 0.25


@dataclass(frozen=True, kw_only=True)
class Checked:
    """Invoices, their differences by line and reason, lines beside what they should be, and what was earned without an invoice."""

    invoices: pd.DataFrame
    parts: pd.DataFrame
    lines: pd.DataFrame
    uninvoiced: pd.DataFrame


def problems(lines: pd.DataFrame, *, units: Collection[str], currency: str, as_of: date, start: date, end: date) -> pd.DataFrame:
    """Every invoice once, with the first problem that keeps it from being checked (empty: none).

    duplicated_id: lines of several partners or periods under one number; unknown_unit: the partner is not in table `unit`; other_currency:
    lines in a currency that is not the book's; not_closed: its period ends after `as_of`; outside_period: its period is not inside the
    report's; period_twice: an earlier invoice of the partner bills days of its period; foot_unclear: its lines name several totals.
    Columns: invoice_id, unit_key, period_start, period_end, issued_on, lines, billed_minor (foot of the invoice; without one the sum of its
    lines), summed_minor, problem. Sorted by unit, period and invoice.
    """
    if lines.empty:
        return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in _HEADS.items()})
    line = lines.assign(money=lines["commission_minor"] + lines["tax_minor"], other=lines["currency"] != currency)
    grouped = line.groupby("invoice_id", sort=True)
    heads = grouped.agg(
        unit_key=("unit_key", "first"), period_start=("period_start", "first"), period_end=("period_end", "first"),
        issued_on=("issued_on", "min"), lines=("line_no", "size"), summed_minor=("money", "sum"), foot=("invoice_total_minor", "first"),
        feet=("invoice_total_minor", "nunique"), other=("other", "any"),
    ).reset_index()  # fmt: skip
    several = grouped[["unit_key", "period_start", "period_end", "issued_on"]].nunique().gt(1).any(axis=1).to_numpy(dtype=bool)
    heads = heads.assign(duplicated=several).sort_values(["unit_key", "period_start", "issued_on", "invoice_id"], ignore_index=True)
    reached = heads.groupby("unit_key")["period_end"].transform(lambda days: days.cummax().shift())
    again = reached.notna() & (heads["period_start"] <= reached.fillna(heads["period_start"] - pd.Timedelta(days=1)))
    outside = (heads["period_start"] < pd.Timestamp(start)) | (heads["period_end"] > pd.Timestamp(end))
    tests = [
        heads["duplicated"], ~heads["unit_key"].isin(list(units)), heads["other"], heads["period_end"] > pd.Timestamp(as_of), outside, again,
        heads["feet"] > 1,
    ]  # fmt: skip
    heads["problem"] = np.select([test.to_numpy(dtype=bool) for test in tests], PROBLEMS, default="")
    heads["billed_minor"] = heads["foot"].where(heads["foot"].notna() & (heads["feet"] == 1), heads["summed_minor"]).astype("int64")
    return heads.drop(columns=["foot", "feet", "other", "duplicated"])


def checked(heads: pd.DataFrame, lines: pd.DataFrame, earned: pd.DataFrame, policy: Policy) -> Checked:
    """Which invoices are right to the unit, and what is undisputed of the others?

    `heads`: table of `problems`; an invoice with a problem gets no number but what was billed, and goes back. Identities, in minor units:
    the parts of an invoice add up to its difference = billed - recomputed; disputed + underbilled = difference; undisputed = billed -
    disputed. disputed: what single lines, payments or credits are billed too much; underbilled: too little (negative).
    """
    good = heads[heads["problem"] == ""]
    own = lines[lines["invoice_id"].isin(good["invoice_id"])].reset_index(drop=True)
    found = matched(own, earned)
    recomputed = found.lines.groupby("invoice_id")["right_minor"].sum()
    extra = [_feet(good)]
    if policy.rounding == "invoice":
        once = _rounded_once(owed_on(own, earned))
        gap = recomputed.sub(once, fill_value=0).astype("int64")
        extra.append(_of_invoice(good, ROUNDING, gap))
        recomputed = once
    added = [frame for frame in extra if len(frame)]
    parts = pd.concat([found.parts, *added], ignore_index=True) if added else found.parts
    table = heads.assign(recomputed_minor=heads["invoice_id"].map(recomputed).fillna(0))
    by_line = parts.groupby(["invoice_id", parts["line_no"].fillna(-1), parts["payment_key"].fillna(""), parts["tier_from"].fillna(-1)])
    net = by_line["difference_minor"].sum().reset_index()
    over = net[net["difference_minor"] > 0].groupby("invoice_id")["difference_minor"].sum()
    table["difference_minor"] = table["billed_minor"] - table["recomputed_minor"]
    table["disputed_minor"] = table["invoice_id"].map(over).fillna(0)
    table["underbilled_minor"] = table["difference_minor"] - table["disputed_minor"]
    table["undisputed_minor"] = table["billed_minor"] - table["disputed_minor"]
    clean = table["problem"] == ""
    for name in _MONEY[1:]:
        table[name] = table[name].astype(float).where(clean)
    much = table["disputed_minor"] > policy.return_share * table["billed_minor"].abs()
    table["verdict"] = np.select(
        [~clean | (much & (table["disputed_minor"] > policy.tolerance_minor)), table["disputed_minor"] > policy.tolerance_minor],
        [RETURN, PAY_UNDISPUTED],
        default=PAY,
    )
    return Checked(
        invoices=table[list(INVOICE_COLUMNS)], parts=parts[list(PART_COLUMNS)], lines=found.lines, uninvoiced=uninvoiced(heads, earned)
    )


@dataclass(frozen=True, kw_only=True)
class Check:
    """The invoices of a period: `heads` of `problems`, the conditions `found`, and the `result` (without numbers where one refuses)."""

    heads: pd.DataFrame
    found: list[Condition]
    result: Checked


def check(book: Book, *, start: date, end: date, policy: Policy) -> Check:
    """Holds what was billed for a period against what was earned in it: `problems`, `conditions`, then `checked`."""
    lines, earned = invoices.billed(book, start=start, end=end), invoices.earned(book, start=start, end=end)
    units = set(invoices.unit_names(book)["unit_key"])
    heads = problems(lines, units=units, currency=book.currency, as_of=book.as_of, start=start, end=end)
    found = conditions(heads, earned, uninvoiced(heads, earned), invoices.tariff_rows(book), currency=book.currency)
    # Without them nothing is earned, and every right invoice would go back.
    found.append(delivered(absent(book, NEEDS, months_from(start, end))))
    result = without_numbers(heads, lines, earned) if refused(found) else checked(heads, lines, earned, policy)
    return Check(heads=heads, found=found, result=result)


def by_reason(parts: pd.DataFrame) -> pd.DataFrame:
    """The differences by partner and reason, in the order of REASONS: unit_key, reason, found (lines, payments or credits), difference_minor."""
    first = {name: place for place, name in enumerate(REASONS)}
    grouped = parts.groupby(["unit_key", "reason"], as_index=False).agg(
        found=("difference_minor", "size"), difference_minor=("difference_minor", "sum")
    )
    order = grouped.assign(place=grouped["reason"].map(first)).sort_values(["unit_key", "place"], ignore_index=True)
    return order[list(REASON_COLUMNS)]


def bridge(checked_invoices: Checked) -> pd.DataFrame:
    """From what was earned to what was billed, over the invoices that could be checked: reason, difference_minor, from_minor, to_minor.

    First row `recomputed`, last row `billed`, between them every reason that occurs; each starts where the one before ends. Empty where none
    could be checked.
    """
    good = checked_invoices.invoices[checked_invoices.invoices["recomputed_minor"].notna()]
    if good.empty:
        return pd.DataFrame(columns=["reason", "difference_minor", "from_minor", "to_minor"])
    sums = checked_invoices.parts.groupby("reason")["difference_minor"].sum()
    sums = sums.reindex([name for name in REASONS if name in sums.index])
    start, end = int(good["recomputed_minor"].sum()), int(good["billed_minor"].sum())
    table = pd.DataFrame({"reason": sums.index, "difference_minor": sums.to_numpy(dtype="int64")})
    table["to_minor"] = start + table["difference_minor"].cumsum()
    table["from_minor"] = table["to_minor"] - table["difference_minor"]
    ends = [
        {"reason": name, "difference_minor": money, "from_minor": 0, "to_minor": money}
        for name, money in (("recomputed", start), ("billed", end))
    ]
    return pd.concat([pd.DataFrame(ends[:1]), table, pd.DataFrame(ends[1:])], ignore_index=True)[
        ["reason", "difference_minor", "from_minor", "to_minor"]
    ]


def by_tier(lines: pd.DataFrame) -> pd.DataFrame:
    """Billed and right, by partner, tier of the placement's age and rate billed. Columns: TIER_COLUMNS; tier_from empty: nothing is owed."""
    line = lines.assign(count=lines["line_no"].notna().astype(int), rate=lines["rate"].fillna(lines["right_rate"]))
    grouped = line.groupby(["unit_key", "tier_from", "rate"], as_index=False, dropna=False).agg(
        billed_lines=("count", "sum"), base_minor=("base_minor", "sum"), right_base_minor=("right_base_minor", "sum"),
        billed_minor=("billed_minor", "sum"), right_minor=("right_minor", "sum"),
    )  # fmt: skip
    grouped["difference_minor"] = grouped["billed_minor"] - grouped["right_minor"]
    return grouped[list(TIER_COLUMNS)].sort_values(["unit_key", "tier_from", "rate"], ignore_index=True)


def overlapping_tariffs(tariffs: pd.DataFrame) -> list[str]:
    """Tariff rows that hold on the same day as an earlier one of the same item and tier, by name; all taxes are one item."""
    item = tariffs["tariff_id"].where(tariffs["kind"] == "commission", "tax")
    rows = tariffs.assign(what=item, tier=tariffs["tier_from"].where(tariffs["kind"] == "commission", 0.0))
    named = []
    for _, part in rows.sort_values("valid_from", kind="stable").groupby(["what", "tier"], sort=True):
        ends = part["valid_to"].fillna(_NEVER_ENDS).cummax().shift()
        for row in part[ends.notna() & (part["valid_from"] < ends)].to_dict("records"):
            named.append(f"{row['tariff_id']} {row['tier_from']:g} {row['valid_from']:%Y-%m-%d}")
    return named


def conditions(
    heads: pd.DataFrame, earned: pd.DataFrame, left_over: pd.DataFrame, tariffs: pd.DataFrame, *, currency: str
) -> list[Condition]:
    """Can the invoices be recomputed?

    invoice_lines (refuse): something was billed; invoice_tariffs (refuse): no tariffs overlap; invoice_priced (refuse): every payment has a
    tariff; invoice_placements (refuse): no payment on two placements; invoice_currency (refuse): every payment is in the book's
    currency; invoice_units (note): every partner is in table `unit`; invoice_problems (note): every invoice
    could be checked; invoice_missing (note): whoever earned commission billed it.
    """
    overlap = overlapping_tariffs(tariffs)
    known = earned[earned["known"].astype(bool)]
    unpriced = known[known["rate"].isna() & (known["amount_minor"] != 0)].drop_duplicates("payment_key")
    twice = earned.loc[earned["placements"] > 1, "payment_key"].nunique()
    repeated = int(known[known["placements"] == 1].duplicated("payment_key").sum())
    unknown = sorted({*earned.loc[~earned["known"].astype(bool), "unit_key"], *heads.loc[heads["problem"] == UNKNOWN_UNIT, "unit_key"]})
    bad, foreign = heads[heads["problem"] != ""], known[known["currency"] != currency]
    return [
        Condition(name="invoice_lines", met=len(heads) > 0, details={"invoices": len(heads), "lines": int(heads["lines"].sum())}),
        Condition(name="invoice_tariffs", met=not overlap and repeated == 0, details={"rows": overlap or "-", "payments": repeated}),
        Condition(
            name="invoice_priced", met=unpriced.empty,
            details={"payments": len(unpriced), "money": int(unpriced["amount_minor"].sum()), "units": sorted(unpriced["unit_key"].unique()),
                     "days": sorted({f"{day:%Y-%m-%d}" for day in unpriced["posted_on"]})[:3]},
        ),
        Condition(name="invoice_placements", met=twice == 0, details={"payments": int(twice)}),
        Condition(
            name="invoice_currency", met=foreign.empty,
            details={"payments": len(foreign), "currencies": sorted(foreign["currency"].unique()), "currency": currency},
        ),
        Condition(name="invoice_units", met=not unknown, consequence="note", details={"units": unknown}),
        Condition(name="invoice_problems", met=bad.empty, consequence="note",
                  details={"invoices": list(bad["invoice_id"]), "checked": len(heads) - len(bad), "of": len(heads)}),
        Condition(name="invoice_missing", met=left_over.empty, consequence="note",
                  details={"units": sorted(left_over["unit_key"].unique()), "payments": int(left_over["payments"].sum())}),
    ]  # fmt: skip


def without_numbers(heads: pd.DataFrame, lines: pd.DataFrame, earned: pd.DataFrame) -> Checked:
    """What is left where a refusing condition is not met: what was billed, and no number beside it."""
    table = heads.assign(verdict="", **dict.fromkeys(_MONEY[1:], np.nan))
    nothing = matched(lines.head(0), earned.head(0))
    return Checked(
        invoices=table[list(INVOICE_COLUMNS)],
        parts=nothing.parts,
        lines=nothing.lines,
        uninvoiced=uninvoiced(heads.head(0), earned.head(0)),
    )


def _feet(heads: pd.DataFrame) -> pd.DataFrame:
    return _of_invoice(heads, FOOT, (heads["billed_minor"] - heads["summed_minor"]).set_axis(heads["invoice_id"]))


def _of_invoice(heads: pd.DataFrame, reason: str, money: pd.Series) -> pd.DataFrame:
    units = heads.set_index("invoice_id")["unit_key"]
    gap = money[money != 0].astype("int64")
    return pd.DataFrame(
        {
            "invoice_id": gap.index, "unit_key": units.reindex(gap.index).to_numpy(), "line_no": np.nan, "payment_key": None, "tier_from": np.nan,
            "reason": reason, "difference_minor": gap.to_numpy(),
        }
    )  # fmt: skip


def _rounded_once(owed: pd.DataFrame) -> pd.Series:
    """Commission and tax of each invoice, rounded once per rate of tax."""
    shares = (owed["rate"].astype(float) * PARTS).round().astype("int64")
    exact = [int(money) * int(share) for money, share in zip(owed["amount_minor"], shares, strict=True)]
    sums = owed.assign(exact=pd.Series(exact, index=owed.index, dtype=object), tax_rate=owed["tax_rate"].astype(float).fillna(0.0))
    table = sums.groupby(["invoice_id", "tax_rate"], as_index=False).agg(exact=("exact", "sum"))
    one = pd.Series(1.0 / PARTS, index=table.index)
    commission = half_up(table["exact"], one)
    return (commission + half_up(commission, table["tax_rate"])).groupby(table["invoice_id"]).sum()


def uninvoiced(heads: pd.DataFrame, earned: pd.DataFrame) -> pd.DataFrame:
    """What partners earned on days no invoice of theirs covers: unit_key, payments, base_minor, earned_minor. Sorted."""
    joined = earned[earned["known"].astype(bool)].merge(heads[["unit_key", "period_start", "period_end"]], on="unit_key", how="left")
    inside = (joined["posted_on"] >= joined["period_start"]) & (joined["posted_on"] <= joined["period_end"])
    covered = set(joined.loc[inside, "payment_key"])
    rest = earned[earned["known"].astype(bool) & ~earned["payment_key"].isin(covered)]
    rest = rest.assign(money=charged(rest["amount_minor"], rest["rate"], rest["tax_rate"]))
    grouped = rest.groupby("unit_key", as_index=False).agg(
        payments=("payment_key", "size"), base_minor=("amount_minor", "sum"), earned_minor=("money", "sum")
    )
    return grouped.sort_values("unit_key", ignore_index=True)
