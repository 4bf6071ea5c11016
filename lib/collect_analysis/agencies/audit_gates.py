"""Gates that neighbouring pages know of: what the integrity check asks an auditor, and what the partner's invoices bill without its being owed.

The same functions judge here and on those pages, over the same months, so that no page passes an agency that another sends to audit.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from collect_analysis.agencies import integrity_verdict, invoice_check
from collect_analysis.agencies.gates import AUDIT, GATE_COLUMNS, NO_DATA, PASS, WATCH
from collect_analysis.agencies.integrity import IntegrityRules
from collect_analysis.agencies.integrity_verdict import NOT_JUDGED, STRONG, WEAK, Thresholds
from collect_analysis.agencies.invoice_lines import NOT_OWED
from collect_analysis.agencies.placement_policy import AuditRule
from collect_analysis.book.store import Book
from collect_analysis.measures.gate_names import BILLING, INTEGRITY
from collect_analysis.measures.periods import Period, month_start
from collect_analysis.methods.evidence import refused
from collect_analysis.methods.rates.levels import CONFIDENCE
from collect_analysis.methods.rates.rates import wilson_interval

NOT_HELD = "the unit held no placement in these months"
NOT_ASKED = "no test of integrity could be asked"
NOT_CHECKED = "the invoices of these months could not be checked"
NO_INVOICE = "no invoice for these months"
FOUND = "the integrity check of these months sends it to an auditor"
LOOK = "the integrity check of these months finds something worth a look"


@dataclass(frozen=True, kw_only=True)
class AuditFacts:
    """What the gates are judged from: `tests` of `agency_integrity.judged`; `lines`: unit_key, billed, unowed (lines of invoices that could be
    checked); `checkable`: no condition of the invoices refuses; the months `start` to `end`.
    """

    period: Period
    tests: pd.DataFrame
    lines: pd.DataFrame
    checkable: bool


def audit_period(end: Period, rule: AuditRule) -> Period:
    """The last `rule.months` months of a period, or all of it if it is shorter."""
    return Period(max(end.start, month_start(end.end, 1 - rule.months)), end.end)


def audit_facts(book: Book, period: Period) -> AuditFacts:
    """Asks the integrity check and recomputes the invoices of a period, as pages `agency_integrity` and `commission_invoice` do by default."""
    tests = integrity_verdict.tests_of(book, IntegrityRules(period=period), Thresholds())
    checked = invoice_check.check(book, start=period.start, end=period.end, policy=invoice_check.Policy())
    good = checked.heads[checked.heads["problem"] == ""]
    billed = good.groupby("unit_key", as_index=False).agg(billed=("lines", "sum"))
    parts = checked.result.parts
    wrong = parts[parts["reason"].isin(NOT_OWED) & parts["line_no"].notna()].drop_duplicates(["invoice_id", "line_no"])
    lines = billed.assign(unowed=billed["unit_key"].map(wrong.groupby("unit_key").size()).fillna(0).astype("int64"))
    return AuditFacts(period=period, tests=tests, lines=lines, checkable=checked.heads.empty or not refused(checked.found))


def audit_gates(facts: AuditFacts, units: list[str], rule: AuditRule, *, level: float = CONFIDENCE) -> pd.DataFrame:
    """May a unit be given more before an auditor, or the one who pays its invoices, has had a look?

    integrity: audit where a test has a strong finding, watch where it has a weak one, else pass; numerator = findings, denominator = tests
    judged. billing: lines of invoices for which nothing is owed (billed twice, no payment, not on placement ...) per line
    billed, with a Wilson interval; audit where even the lower bound lies over `rule.unowed_lines_share`, watch where the share does, else
    pass. no_data, with the reason, where neither can be asked. Columns: `partners.GATE_COLUMNS`, one row per unit and gate; sorted.
    """
    rows = [_integrity(facts.tests[facts.tests["unit_key"] == unit], unit) for unit in units]
    table = pd.concat([pd.DataFrame(rows), _billing(facts, units, rule, level)], ignore_index=True)
    return table.reindex(columns=list(GATE_COLUMNS)).sort_values(["unit_key", "gate"], ignore_index=True)


def _integrity(own: pd.DataFrame, unit: str) -> dict[str, object]:
    strong, weak = (int((own["finding"] == finding).sum()) for finding in (STRONG, WEAK))
    judged = int((own["finding"] != NOT_JUDGED).sum())
    status = AUDIT if strong else WATCH if weak else PASS if judged else NO_DATA
    told = FOUND if strong else LOOK if weak else ""
    silent = NOT_HELD if own.empty else NOT_ASKED
    return {
        "unit_key": unit, "gate": INTEGRITY, "numerator": float(strong + weak) if judged else np.nan,
        "denominator": float(judged) if judged else np.nan, "unit": "", "status": status, "note": told if judged else silent,
    }  # fmt: skip


def _billing(facts: AuditFacts, units: list[str], rule: AuditRule, level: float) -> pd.DataFrame:
    lines = facts.lines.set_index("unit_key").reindex(units).rename_axis("unit_key").reset_index()
    count, of = lines["unowed"].astype(float), lines["billed"].astype(float)
    if not facts.checkable:
        count, of = count * np.nan, of * np.nan
    low, high = wilson_interval(count, of, level=level)
    share, limit = count / of, rule.unowed_lines_share
    status = np.select([of.isna(), low > limit, share > limit], [NO_DATA, AUDIT, WATCH], default=PASS)
    note = np.where(of.notna(), "", NO_INVOICE if facts.checkable else NOT_CHECKED)
    return lines[["unit_key"]].assign(
        gate=BILLING, numerator=count, denominator=of, unit="share", value=share, low=low, high=high, limit=limit, status=status, note=note
    )
