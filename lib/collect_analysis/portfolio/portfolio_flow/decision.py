"""Which part of the portfolio moves worse than months do, what it costs, and how far its projection may be believed; codes and numbers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from collect_analysis.measures.flow import MISSING
from collect_analysis.methods.evidence import Condition
from collect_analysis.methods.forecast.control_band import FEWEST_MONTHS, OUTER
from collect_analysis.methods.forecast.markov_tests import ALL, matters

Standing = Literal["escalate", "watch", "better", "inside", "unknown"]
# What is judged: accounts that went to a worse bucket, and accounts that became current by payment.
ROLLED, CURED = "rolled", "cured"
BAD_SIDE = {ROLLED: ("above", "high"), CURED: ("below", "low")}
# More than this share of accounts without a next month end, and where they went is anybody's guess.
MOST_MISSING = 0.05
# Intervals that are to hold eight times of ten and held fewer than this share are too narrow to plan on.
LEAST_COVERED = 0.7
FEWEST_FORECASTS = 20
SERIES_KEYS = ["product_code", "from", "rate"]


@dataclass(frozen=True, kw_only=True)
class FlowVerdict:
    """Where to act: `rows` as `judged` gives them, worst first; how many were judged, and how many chance alone would escalate."""

    answer: Literal["escalate", "watch", "quiet", "unknown"]
    rows: pd.DataFrame
    judged: int
    by_chance: float
    beyond_minor: float


def flow_series(counts: pd.DataFrame, *, top_bucket: int, unlike: Sequence[object], by: Sequence[str] = ("product_code",)) -> pd.DataFrame:
    """The rates that are judged, month by month.

    `counts` is `Transitions.counted("month", *by)`; `unlike` the months known to be unlike the others. Columns: by, from, rate (rolled:
    to a worse bucket, of every bucket but the last; cured: current by payment, of every bucket but 0), month, numerator, denominator
    (accounts), open_minor (their opening balance), unlike. Accounts whose next month end is missing are in no rate.
    """
    known = counts[counts["to"] != MISSING]
    keys = [*by, "from", "month"]
    total = known.groupby(keys, as_index=False).agg(denominator=("count", "sum"), open_minor=("open_minor", "sum"))
    parts = []
    for rate, left_out in ((ROLLED, str(top_bucket)), (CURED, "0")):
        happened = known[known["state"] == rate].groupby(keys, as_index=False).agg(numerator=("count", "sum"))
        part = total[total["from"] != left_out].merge(happened, on=keys, how="left", validate="one_to_one")
        parts.append(part.assign(rate=rate, numerator=part["numerator"].fillna(0).astype(int)))
    table = pd.concat(parts, ignore_index=True)
    table["unlike"] = table["month"].isin(list(unlike))
    columns = [*by, "from", "rate", "month", "numerator", "denominator", "open_minor", "unlike"]
    return table.sort_values([*by, "from", "rate", "month"], ignore_index=True)[columns]


def judged(bands: pd.DataFrame, *, last_month: object, few: int) -> pd.DataFrame:
    """Which bucket of which product needs somebody, most money beyond noise first?

    `bands` is `control_bands` of `flow_series`. One row per series, of the last month. Adds off (rate less its centre), stake_minor (|off| x
    opening balance: what moved differently), beyond_minor (the part of it outside what 95 of 100 ordinary months allow; 0 inside), standing:
    escalate (worse, outside the band of 99.73 %), watch (worse, outside 95 %; or it would be escalated but the month is known to be unlike
    others or fewer than `few` accounts stand behind it), better (outside 95 % on the good side), inside, unknown (no band).
    """
    rows = bands[bands["month"] == last_month].copy()
    off = rows["value"] - rows["centre"]
    over, under = rows["value"] - rows["watch_high"], rows["watch_low"] - rows["value"]
    outside = np.clip(np.maximum(over, under), 0, None)
    rows = rows.assign(off=off, stake_minor=off.abs() * rows["open_minor"], beyond_minor=outside * rows["open_minor"])
    bad = np.array([side in BAD_SIDE[rate] for side, rate in zip(rows["side"], rows["rate"], strict=True)], dtype=bool)
    far = rows["side"].isin(["above", "below"])
    doubtful = rows["unlike"] | (rows["denominator"] < few)
    outside_watch = rows["side"].isin(["above", "below", "high", "low"])
    rows["standing"] = np.select(
        [rows["side"] == "", bad & far & ~doubtful, bad & outside_watch, outside_watch],
        ["unknown", "escalate", "watch", "better"],
        default="inside",
    )
    place = rows["standing"].map({"escalate": 0, "watch": 1, "better": 2, "inside": 3, "unknown": 4})
    ordered = rows.assign(place=place).sort_values(
        ["place", "beyond_minor", "stake_minor", *[name for name in SERIES_KEYS if name in rows]],
        ascending=[True, False, False, *[True for name in SERIES_KEYS if name in rows]],
        ignore_index=True,
    )
    return ordered.drop(columns="place")


def flow_verdict(rows: pd.DataFrame) -> FlowVerdict:
    """Escalate, watch, leave alone, or cannot tell? `rows` is the table of `judged`."""
    told = rows[rows["standing"] != "unknown"]
    worst = "escalate" if (told["standing"] == "escalate").any() else "watch" if (told["standing"] == "watch").any() else "quiet"
    chosen = rows[rows["standing"].isin(["escalate", "watch"])].reset_index(drop=True)
    return FlowVerdict(
        answer="unknown" if told.empty else worst,  # type: ignore[arg-type]
        rows=chosen,
        judged=len(told),
        by_chance=len(told) * (1 - OUTER) / 2,
        beyond_minor=float(chosen.loc[chosen["standing"] == "escalate", "beyond_minor"].sum()),
    )


def complete(counts: pd.DataFrame) -> Condition:
    """Is every open account found again at the next month end? Up to one in twenty missing is a grade less, more refuses."""
    total, missing = int(counts["count"].sum()), int(counts.loc[counts["to"] == MISSING, "count"].sum())
    if not total:
        return Condition(name="flow_accounts", met=False)
    share = missing / total
    details = {"missing": missing, "accounts": total, "missing_share": share, "most_share": MOST_MISSING}
    return Condition(name="flow_complete", met=missing == 0, consequence=_by_share(share), details=details)


def _by_share(share: float) -> Literal["refuse", "downgrade"]:
    return "refuse" if share > MOST_MISSING else "downgrade"


def first_order(tests: pd.DataFrame) -> Condition:
    """Does the last bucket say all that the bucket before could? `tests` is that of `order_test`; where not, the projection forgets cures."""
    return _test("flow_first_order", tests)


def stationary(tests: pd.DataFrame, months: pd.DataFrame) -> Condition:
    """Are months alike? `tests` is that of `stationarity_test`, `months` that of `departures`: the month least like the others is named."""
    found = _test("flow_stationary", tests)
    worst = months.sort_values(["effect", "month"], ascending=[False, True]).head(1)
    return replace(found, details={**found.details, "month": worst["month"].iloc[0]}) if len(worst) else found


def _test(name: str, tests: pd.DataFrame) -> Condition:
    whole = tests[tests["from"] == ALL]
    if whole.empty or whole["p_value"].isna().all():
        return Condition(name=f"{name}_testable", met=False, consequence="downgrade")
    row = whole.iloc[0]
    each = tests[(tests["from"] != ALL) & tests["effect"].notna()].sort_values(["effect", "from"], ascending=[False, True])
    failing = [str(item["from"]) for _, item in tests[tests["from"] != ALL].iterrows() if matters(item)]
    details = {"effect": float(row["effect"]), "worst": str(each["from"].iloc[0]), "worst_effect": float(each["effect"].iloc[0])}
    details |= {"buckets": failing or [str(each["from"].iloc[0])], "cases": int(row["cases"])}
    return Condition(name=name, met=not failing, consequence="downgrade", details=details)


def forecasts_hold(covered: float, errors: pd.DataFrame, *, level: float, alone: float = float("nan")) -> Condition:
    """Did earlier projections come true? `covered` of `coverage`, `errors` of `errors_by(by=["step"])`; `alone`: how often the bands would
    have held without what earlier errors add.
    """
    forecasts = int(errors["forecasts"].sum()) if len(errors) else 0
    if forecasts == 0:
        return Condition(name="flow_backtested", met=False, consequence="downgrade")
    furthest = errors.sort_values("step").iloc[-1]
    details = {
        "covered_share": covered,
        "promised_share": level,
        "alone_share": alone,
        "forecasts": forecasts,
        "off_share": float(errors.sort_values("step")["off"].iloc[0]),
        "far_off_share": float(furthest["off"]),
        "months": int(furthest["step"]),
    }
    return Condition(name="flow_forecasts_hold", met=covered >= LEAST_COVERED, consequence="downgrade", details=details)


def enough_months(bands: pd.DataFrame) -> Condition:
    """Are there enough ordinary months to say what a month may differ by?"""
    most = int(bands["months_used"].max()) if len(bands) else 0
    details = {"months": most, "least": FEWEST_MONTHS, "more": max(FEWEST_MONTHS - most, 0)}
    return Condition(name="flow_months", met=most >= FEWEST_MONTHS, consequence="note", details=details)
