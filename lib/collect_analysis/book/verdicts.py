"""What becomes of a delivery with faults: refused with its evidence, or loaded with its findings in the manifest."""

import numpy as np

from collect_analysis.book.contract import Delivery
from collect_analysis.book.reasons import REPEATS, Fault
from collect_analysis.book.store import Finding, Load

MOST_REASONS = 5


def told(delivery: Delivery, fault: Fault) -> str:
    """A fault in words: where it shows first, the column, what stands there, what is wrong, in how many rows."""
    if not len(fault.rows):
        return f"{delivery.origin}: {fault.sentence}"
    named = f"column '{fault.source_column}'" if fault.source_column else "the row"
    shown = "" if fault.values[0] is None else f" {fault.values[0]!r}"
    target = f" ({fault.target})" if fault.target else ""
    line = delivery.lines[fault.rows[0]]
    return f"{delivery.origin}, line {line}: {named}{target}{shown} {fault.sentence} ({len(fault.rows):,} rows)"


def problems(delivery: Delivery, load: Load, *, allowed: float, evidence: str) -> list[str]:
    """Why a delivery is refused, the gravest and commonest reasons first; none: it is loaded.

    It is refused for a fault of that severity, and if more than the share `allowed` of its rows is set aside; exact repeats are no loss.
    `evidence` says where every row with a fault is kept.
    """
    faults = [fault for fault in delivery.faults if fault.reason not in REPEATS]
    lost = len(np.unique(np.concatenate([fault.rows for fault in faults]))) if faults else 0
    if lost <= allowed * load.rows_read and not any(fault.severity == "refuse" for fault in faults):
        return []
    said = [
        f"{load.origin}: {lost:,} of {load.rows_read:,} rows do not keep the contract of table {load.table} (allowed share "
        f"{allowed:g}); nothing was loaded, every one is in {evidence}"
    ]
    faults.sort(key=lambda fault: (fault.severity != "refuse", -len(fault.rows)))
    return said * bool(lost) + [f"{told(delivery, fault)}; {fault.fix}" for fault in faults[:MOST_REASONS]]


def remarks(delivery: Delivery) -> list[str]:
    """What was noted of a delivery and kept."""
    return [f"{told(delivery, fault)}{', kept' if len(fault.rows) else ''}; {fault.fix}" for fault in delivery.noted]


def findings(delivery: Delivery) -> tuple[Finding, ...]:
    """What the checks found in a delivery, as the manifest keeps it: no value of a cell, no key."""
    return tuple(
        finding(fault, int(delivery.lines[fault.rows[0]]) if len(fault.rows) else None) for fault in [*delivery.noted, *delivery.faults]
    )


def finding(fault: Fault, first_line: int | None = None) -> Finding:
    """A fault as the manifest keeps it."""
    return Finding(
        check=fault.reason,
        severity=fault.severity,
        column=fault.target,
        rows=len(fault.rows),
        first_line=first_line,
        sentence=fault.sentence,
    )
