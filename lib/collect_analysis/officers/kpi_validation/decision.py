"""May a KPI judge people? The rules, first that applies; codes and numbers, no wording."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from collect_analysis.measures.kpis import KPIS, Kpi
from collect_analysis.methods.evidence import Condition
from collect_analysis.officers.kpi_validation.measures_worth import INDEX, kept_apart

ADOPT, WEIGH_LOW, GATE, DROP, UNKNOWN = "adopt", "weigh_low", "gate", "drop", "unknown"
VERDICTS = (ADOPT, WEIGH_LOW, GATE, DROP, UNKNOWN)
# Fact relations that tell how somebody works, not what it brings: a limit to keep, never points to earn.
GATE_BASES = ("breaches", "quality", "promises")
# Columns of facts that the officer's own entries make: who was reached, what was promised, what was attempted.
OWN_WORD = frozenset({
    "right_party", "reached", "promised", "promises", "attempted", "attempts", "answered", "contacted", "busy_min", "productive_min", "due",
    "promised_minor",
})  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class ValidationRules:
    """Thresholds of the verdict. `least` and `good`: reliability of `pool_months` months together; `longest_months`: nobody waits longer for a
    reliability of `least`; `least_share`, `good_share`: the officer's share of the variance among officers of one unit; `same`: rank correlation from which two
    KPIs say the same.
    """

    least: float = 0.5
    good: float = 0.7
    pool_months: int = 3
    longest_months: int = 12
    least_share: float = 0.05
    good_share: float = 0.20
    same: float = 0.90


def own_word(kpi: Kpi | None) -> str:
    """What of a KPI the officer writes: `both`, `numerator`, `denominator`, or `none`."""
    if kpi is None:
        return "none"
    top, bottom = bool(OWN_WORD & set(kpi.counted)), bool(OWN_WORD & set(kpi.over))
    return "both" if top and bottom else "numerator" if top else "denominator" if bottom else "none"


def judged(
    reliability: pd.DataFrame, control: pd.DataFrame, prediction: pd.DataFrame, overlaps: pd.DataFrame, rules: ValidationRules
) -> pd.DataFrame:
    """What should be done with each KPI, and why? The first rule that applies:

    unknown: no reliability, share or prediction can be told. gate (conduct): it counts breaches, quality or kept promises. drop
    (no_direction): neither more nor less is better; (unreliable): more than `longest_months` months for `least`; (not_theirs): the officer's
    share is under `least_share`; (no_cash): the next month's cash does not follow (the interval of the rank correlation includes 0 or lies below);
    (said_already): a better KPI says the same. adopt: `good` when pooled, `good_share` and more, and nothing of it is the officer's own word.
    weigh_low otherwise: (own_word), (noisy) or (mostly_portfolio).

    Columns: kpi, action, reason, with (the better KPI, where said already), better, word, reliability (pooled), month_reliability, low, high,
    months_half, months_good, share, share_low, share_high, predicts, predicts_low, predicts_high, moves, moves_low, moves_high, officers, note.
    In the order of `reliability`.
    """
    theirs = control[control["source"] == "person"].set_index("kpi")
    ahead = prediction.set_index("kpi")
    table = reliability.set_index("kpi")
    order = list(ahead["value"].where(ahead["low"] > 0, -1.0).sort_values(ascending=False, kind="stable").index)
    # The index of cash over expected is what all others stand for: it is never the one that goes.
    same = kept_apart(overlaps[overlaps["value"].abs() >= rules.same], [INDEX, *(kpi for kpi in order if kpi != INDEX)])
    rows = []
    for kpi, own in table.iterrows():
        record = KPIS.get(str(kpi))
        facts = {
            "kpi": kpi, "better": record.better if record else "higher", "word": own_word(record), "base": record.base if record else "",
            "reliability": own["pooled"], "month_reliability": own["value"], "low": own["low"], "high": own["high"],
            "months_half": own["months_half"], "months_good": own["months_good"], "officers": int(own["officers"]),
            "share": theirs["inside"].get(kpi, np.nan), "share_low": theirs["low"].get(kpi, np.nan),
            "share_high": theirs["high"].get(kpi, np.nan),
            "predicts": ahead["value"].get(kpi, np.nan), "predicts_low": ahead["low"].get(kpi, np.nan),
            "predicts_high": ahead["high"].get(kpi, np.nan), "moves": ahead["moves"].get(kpi, np.nan),
            "moves_low": ahead["moves_low"].get(kpi, np.nan), "moves_high": ahead["moves_high"].get(kpi, np.nan), "note": own["note"],
        }  # fmt: skip
        action, reason = _rule(facts, str(kpi) in same, rules)
        rows.append({**facts, "action": action, "reason": reason, "with": same.get(str(kpi), "") if reason == "said_already" else ""})
    columns = [
        "kpi", "action", "reason", "with", "better", "word", "reliability", "month_reliability", "low", "high", "months_half", "months_good",
        "share", "share_low", "share_high", "predicts", "predicts_low", "predicts_high", "moves", "moves_low", "moves_high", "officers", "note",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def _rule(facts: Mapping[str, object], said: bool, rules: ValidationRules) -> tuple[str, str]:
    number = {name: float(str(facts[name])) for name in ("reliability", "share", "predicts_low", "months_half", "month_reliability")}
    if facts["base"] in GATE_BASES:
        return GATE, "conduct"
    if facts["better"] == "context":
        return DROP, "no_direction"
    if not np.isfinite([number["month_reliability"], number["share"], number["predicts_low"]]).all():
        return UNKNOWN, "not_answerable"
    if not number["months_half"] <= rules.longest_months:
        return DROP, "unreliable"
    if number["share"] < rules.least_share:
        return DROP, "not_theirs"
    if not number["predicts_low"] > 0:
        return DROP, "no_cash"
    if said:
        return DROP, "said_already"
    if facts["word"] != "none":
        return WEIGH_LOW, "own_word"
    if number["reliability"] < rules.good:
        return WEIGH_LOW, "noisy"
    return (ADOPT, "passes") if number["share"] >= rules.good_share else (WEIGH_LOW, "mostly_portfolio")


def conditions(
    *, months: int, reliability: pd.DataFrame, missing: Sequence[str], halves: int, least_months: int = 4, least_officers: int = 20
) -> list[Condition]:
    """Can anything be said of these KPIs? kv_months, kv_officers (refuse), kv_outcome (refuse: without cash nothing can be predicted), kv_halves,
    kv_missing (note).
    """
    officers = int(reliability["officers"].max()) if len(reliability) else 0
    found = [
        Condition(name="kv_months", met=months >= least_months, details={"months": months, "least": least_months}),
        Condition(name="kv_officers", met=officers >= least_officers, details={"officers": officers, "least": least_officers}),
        Condition(name="kv_halves", met=halves > 0, consequence="downgrade", details={"kpis": halves}),
    ]
    if missing:
        found.append(Condition(name="kv_missing", met=False, consequence="note", details={"kpis": tuple(missing)}))
    return found
