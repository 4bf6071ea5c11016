"""What a scorecard says of whom: bands instead of ranks, gates beside them, and who should look at whom; codes and numbers, no wording."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from collect_analysis.measures.gate_names import BREACHES, GATES, KEPT, QUALITY
from collect_analysis.methods.evidence import Condition
from collect_analysis.methods.rates.levels import CONFIDENCE
from collect_analysis.methods.rates.rates import wilson_interval
from collect_analysis.officers.scorecard_rules import ScorecardRules

ABOVE, WITHIN, BELOW, OPEN = "above", "within", "below", "open"
TOO_FEW, UNRELIABLE, ALONE = "too_few", "unreliable", "alone"
JUDGED = (ABOVE, WITHIN, BELOW, OPEN)
BANDS = (*JUDGED, TOO_FEW, UNRELIABLE, ALONE)
PASS, WATCH, FAIL, NO_DATA = "pass", "watch", "fail", "no_data"
# No data is no reproach; the worst gate is the standing.
_WORST = (NO_DATA, PASS, WATCH, FAIL)
# Expected and observed of a kind of account may differ by so much before the expectation is said to favour some.
CALIBRATED_WITHIN = 0.25
CALIBRATED_FROM = 0.02
LEAST_HISTORY_MONTHS = 4
GATE_COLUMNS = ("scope_key", "sub_function", "gate", "numerator", "denominator", "value", "low", "high", "limit", "status")


def banded(table: pd.DataFrame, rules: ScorecardRules, *, reliability: pd.Series, few: pd.Series) -> pd.DataFrame:
    """In which band is everybody? Bands, not ranks.

    above, below: the whole interval lies on that side of 1. within: the whole interval lies within 1 ± `rules.within`. open: none of these,
    not to be told apart from colleagues. Not banded: too_few (`few`: too little expected), unreliable (the pooled figure of the sub-function is
    less reliable than `rules.least_reliability`, or nobody knows), alone (no index).

    `table`: value, low, high. `reliability`: per row. Adds reliability, band.
    """
    value, low, high = table["value"], table["low"], table["high"]
    band = np.select(
        [
            value.isna() & ~few,
            few,
            ~(reliability >= rules.least_reliability),
            low > 1,
            high < 1,
            (low >= 1 - rules.within) & (high <= 1 + rules.within),
        ],
        [ALONE, TOO_FEW, UNRELIABLE, ABOVE, BELOW, WITHIN],
        default=OPEN,
    )
    return table.assign(reliability=reliability, band=band)


def gate_table(counts: pd.DataFrame, rules: ScorecardRules, *, level: float = CONFIDENCE) -> pd.DataFrame:
    """Which gate does everybody pass?

    A gate fails where even the bound of its Wilson interval that favours the person lies beyond the limit; it is watched where the value lies
    beyond it, or, for hard_breaches, where there is a single one. The limit of kept_promises is `rules.kept_of_colleagues` times the rate of the
    sub-function. Columns: see GATE_COLUMNS (value, low, high, limit: shares). Undefined (no_data): nothing counted.
    """
    table = counts.copy()
    n, d = table["numerator"].to_numpy(dtype=float), table["denominator"].to_numpy(dtype=float)
    table["low"], table["high"] = wilson_interval(n, d, level=level)
    with np.errstate(divide="ignore", invalid="ignore"):
        table["value"] = n / d
    sums = table.groupby(["gate", "sub_function"])[["numerator", "denominator"]].transform("sum")
    colleagues = sums["numerator"] / sums["denominator"].where(sums["denominator"] > 0)
    gate = table["gate"]
    table["limit"] = np.select(
        [gate == QUALITY, gate == BREACHES, gate == KEPT],
        [rules.critical_qa_share, rules.hard_breaches_per_1000 / 1000, rules.kept_of_colleagues * colleagues],
        default=np.nan,
    )
    lower_is_worse = gate == KEPT
    failed = np.where(lower_is_worse, table["high"] < table["limit"], table["low"] > table["limit"])
    beyond = np.where(lower_is_worse, table["value"] < table["limit"], table["value"] > table["limit"])
    watched = beyond | ((gate == BREACHES) & (table["numerator"] > 0))
    table["status"] = np.select([table["value"].isna(), failed, watched], [NO_DATA, FAIL, WATCH], default=PASS)
    return table[list(GATE_COLUMNS)]


def standing(gates: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """The worst gate of everybody in `keys`: scope_key, one column per gate (its status), gate (the worst status), gate_factor (0: a gate is
    failed, else 1): what multiplies whatever is paid on the index, never the index itself.
    """
    wide = pd.DataFrame(
        {name: gates[gates["gate"] == name].drop_duplicates("scope_key").set_index("scope_key")["status"] for name in GATES}, dtype=object
    )
    wide = wide.reindex(list(keys)).fillna(NO_DATA)
    worst = wide.apply(lambda row: _WORST[max(_WORST.index(status) for status in row)], axis=1) if len(wide) else pd.Series(dtype=object)
    table = wide.assign(gate=worst, gate_factor=(worst != FAIL).astype("int64"))
    return table.rename_axis("scope_key").reset_index()


@dataclass(frozen=True, kw_only=True)
class ScorecardVerdict:
    """A scorecard in one object: how many officers are in which band, and the lists a person looks into.

    `counts`: band -> officers; `wrong`: how many of those above or below are expected to be on the other side of 1. `coach`, `recognise`,
    `conduct`: officer keys (gates failed: conduct first); `units_above`, `units_below`: units; `reallocate`: sub-functions that have both.
    `index_above`, `index_below`: mean shrunken index of these officers, what they should get on average next.
    """

    counts: Mapping[str, int]
    wrong: float
    coach: tuple[str, ...] = ()
    recognise: tuple[str, ...] = ()
    conduct: tuple[str, ...] = ()
    units_above: tuple[str, ...] = ()
    units_below: tuple[str, ...] = ()
    reallocate: tuple[str, ...] = ()
    index_above: float = float("nan")
    index_below: float = float("nan")
    unreliable: tuple[str, ...] = field(default=())

    @property
    def judged(self) -> int:
        """Officers who were banded."""
        return sum(self.counts[band] for band in JUDGED)

    @property
    def rest(self) -> int:
        """Officers who were banded and are neither above nor below."""
        return self.counts[WITHIN] + self.counts[OPEN]


def verdict(officers: pd.DataFrame, units: pd.DataFrame, *, refused: bool = False) -> ScorecardVerdict:
    """What follows from the bands? Where the evidence is `refused` nobody is on a list.

    `officers`: officer_key, sub_function, band, value, p_above, gate; `units`: unit_key, sub_function, band.
    """
    counts = {band: int((officers["band"] == band).sum()) for band in BANDS}
    unreliable = tuple(sorted(officers.loc[officers["band"] == UNRELIABLE, "sub_function"].unique()))
    if refused:
        return ScorecardVerdict(counts={**dict.fromkeys(BANDS, 0), UNRELIABLE: len(officers)}, wrong=0.0, unreliable=unreliable)
    above, below = officers[officers["band"] == ABOVE], officers[officers["band"] == BELOW]
    failed = officers["gate"] == FAIL
    high, low = units[units["band"] == ABOVE], units[units["band"] == BELOW]
    return ScorecardVerdict(
        counts=counts,
        wrong=float((1 - above["p_above"]).sum() + below["p_above"].sum()),
        coach=_keys(below[~failed.reindex(below.index)]),
        recognise=_keys(above[~failed.reindex(above.index)]),
        conduct=_keys(officers[failed]),
        units_above=tuple(sorted(high["unit_key"])),
        units_below=tuple(sorted(low["unit_key"])),
        reallocate=tuple(sorted(set(high["sub_function"]) & set(low["sub_function"]))),
        index_above=float(above["value"].mean()),
        index_below=float(below["value"].mean()),
        unreliable=unreliable,
    )


def _keys(table: pd.DataFrame) -> tuple[str, ...]:
    """The officers by key: an order by index would be a ranking."""
    return tuple(sorted(set(table["officer_key"])))


def conditions(
    reliability: pd.DataFrame, calibration: pd.DataFrame, *, kpi: str, months: int, pool_months: int, targets: int, rules: ScorecardRules
) -> list[Condition]:
    """May anybody be banded on these figures?

    `reliability`: table of `officer_index.reliability_table`; `calibration`: of `expected.calibration_table`; `months`: of history in the book;
    `targets`: scopes with a target. Names and consequences: scorecard_history (refuse), scorecard_reliable (refuse if no sub-function is),
    scorecard_some_unreliable (note), scorecard_calibrated (downgrade), scorecard_targets (note).
    """
    led = reliability[reliability["kpi"] == kpi] if len(reliability) else reliability
    good = led[led["reliable"]] if len(led) else led
    bad = led[~led["reliable"].astype(bool)] if len(led) else led
    needed = float(led["months_needed"].min()) if len(led) and led["months_needed"].notna().any() else float("nan")
    best = float(led["pooled"].max()) if len(led) else float("nan")
    weights = calibration["expected_minor"] / calibration.groupby("factor")["expected_minor"].transform("sum")
    # A kind of account that hardly brings cash can neither favour nor harm anybody.
    told = calibration[(weights >= CALIBRATED_FROM) & calibration["value"].notna()]
    off = told[(told["value"] - 1).abs() > CALIBRATED_WITHIN]
    found = [
        Condition(
            name="scorecard_history",
            met=months >= max(LEAST_HISTORY_MONTHS, pool_months),
            details={"months": months, "least": max(LEAST_HISTORY_MONTHS, pool_months)},
        ),
        Condition(
            name="scorecard_reliable" if np.isfinite(needed) or len(good) else "scorecard_reliable_never",
            met=len(good) > 0,
            details={"best": best, "least": rules.least_reliability, "pool_months": pool_months, "needed": needed},
        ),
        Condition(
            name="scorecard_calibrated",
            met=off.empty,
            consequence="downgrade",
            details={"levels": len(off), "all": len(told), "off_share": CALIBRATED_WITHIN, "least_share": CALIBRATED_FROM, **_first(told)},
        ),
        Condition(name="scorecard_targets", met=targets > 0, consequence="note", details={"scopes": targets}),
    ]
    if len(good) and len(bad):
        found.append(
            Condition(
                name="scorecard_some_unreliable",
                met=False,
                consequence="note",
                details={"sub_functions": tuple(sorted(bad["sub_function"])), "least": rules.least_reliability, "needed": _months(bad)},
            )
        )
    return found


def _first(told: pd.DataFrame) -> dict[str, object]:
    """The kind of account where observed and expected lie furthest apart; empty where there is none."""
    if told.empty:
        return {"factor": "", "level": "", "worst": float("nan")}
    row = told.iloc[int(np.argmax((told["value"] - 1).abs()))]
    return {"factor": str(row["factor"]), "level": str(row["level"]), "worst": float(row["value"])}


def _months(bad: pd.DataFrame) -> tuple[str, ...]:
    return tuple("-" if not np.isfinite(value) else str(int(value)) for value in bad.sort_values("sub_function")["months_needed"])
