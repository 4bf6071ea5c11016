"""Inputs that break one condition each: comparisons of agencies, their integrity, their invoices, plans of placement, period checks."""

from collections.abc import Sequence
from datetime import date
from functools import partial
from types import SimpleNamespace

import numpy as np
import pandas as pd
from collect_analysis.agencies import checks, integrity_verdict, invoice_check
from collect_analysis.agencies.placement_plan.decision import plan_conditions
from collect_analysis.agencies.recording_gaps import CONTACT, PAYMENT
from collect_analysis.agencies.unit_periods import TOTAL
from collect_analysis.agencies.units import NO_PLACEMENTS
from collect_analysis.measures.placements import JUDGMENTAL, RANDOM
from collect_analysis.methods.evidence import Condition

from tests.agencies.test_invoice_lines import MAY, billed, earned

Found = Sequence[Condition]
NAMES = {"a": "Agency A", "b": "Agency B"}
SILENT = pd.DataFrame({"table": [], "unit_key": [], "month": [], "expected": []})
DRIFT = pd.DataFrame({"unit_key": ["a", "b"], "cases": [500.0, 510.0], "p_value": [0.4, 0.4]})


def silent(table: str) -> pd.DataFrame:
    return pd.DataFrame({"table": [table], "unit_key": ["a"], "month": [pd.Timestamp("2026-03-01")], "expected": [40.0]})


def placed(*, units: int = 2, age: int = 6, oldest: int = 9, twice: int = 0, lost: int = 0, drift: pd.DataFrame = DRIFT, basis: str = RANDOM,
           coverage: float = 0.95, gaps: pd.DataFrame = SILENT) -> Found:  # fmt: skip
    held = pd.DataFrame({"unit_key": ["a", "b"][:units], "cases": 500, "oldest_age": oldest})
    counts = {"overlapping": twice, "without_unit": lost, "without_balance": 0}
    panel = SimpleNamespace(horizon=6)
    found = pd.DataFrame({"coverage": [coverage, 0.99]})
    return checks.of_placements(held, found, drift, counts, gaps, panel=panel, age=age, basis=basis, names=NAMES)  # type: ignore[arg-type]


def sections(*, noted: Sequence[str] = (), payments: int = 0, fit_p: float = 0.5, standing: str = "supports", apart_p: float = 0.5,
             young: bool = False) -> Found:  # fmt: skip
    tests = pd.DataFrame({"p_adjusted": [fit_p], "worst_level": ["bucket 5"], "value": [1.4]})
    return checks.of_sections(
        noted=pd.DataFrame({"finding": list(noted), "unit_name": ["Agency A"] * len(noted)}),
        early={"payments": payments}, tests=tests, standings=pd.Series([standing], index=["a"]),
        spread=pd.DataFrame(), sides=pd.DataFrame({"unit_key": ["a"], "p_adjusted": [apart_p]}),
        projected=pd.DataFrame({"unit_key": ["a"], "value": [np.nan if young else 900.0], "young_batches": [3]}), basis=JUDGMENTAL, names=NAMES,
    )  # fmt: skip


def totals(*, gap: bool = False, called: str = "Agency A", new: bool = False, recalled: bool = False, component: str = "") -> Found:
    rows = pd.DataFrame(
        {"unit_key": ["a", "b"], "unit_name": ["Agency A", "Agency B"], "called": [called, "Agency B"], "is_new": [new, False]}
    )
    gaps = pd.DataFrame({"unit_key": ["a"] if gap else []})
    flow = pd.DataFrame({"verdict": ["recalled" if recalled else "kept"]})
    empty = {
        "component": [component], "unit_name": ["Agency A"], "period_start": [pd.Timestamp("2026-01-01")], "others_low": [0.1],
        "others_high": [0.2],
    }  # fmt: skip
    missing = pd.DataFrame(empty) if component else pd.DataFrame(empty).iloc[:0]
    # That totals cannot tell whose accounts were easier holds of every such book.
    return [item for item in checks.of_totals(rows, gaps, flow, missing) if item.name != "comparable_accounts"]


def only_totals() -> Found:
    return [item for item in checks.of_totals(*TOTALS) if item.name == "comparable_accounts"]


TOTALS = (
    pd.DataFrame({"unit_key": ["a"], "unit_name": ["Agency A"], "called": ["Agency A"], "is_new": [False]}), pd.DataFrame(),
    pd.DataFrame({"verdict": ["kept"]}), pd.DataFrame({"component": [], "unit_name": []}),
)  # fmt: skip
PANEL = {
    "two_units": partial(placed, units=1),
    "maturity": partial(placed, age=-1),
    "attribution": partial(placed, twice=3),
    "usable_placements": partial(placed, lost=200),
    "lot_drawn": partial(placed, basis=JUDGMENTAL),
    "lot_kept": partial(placed, drift=DRIFT.assign(p_value=[1e-5, 0.4])),
    "overlap": partial(placed, coverage=0.4),
    "horizon_complete": partial(placed, age=5),
    "agency_cash_recorded": partial(placed, gaps=silent(PAYMENT)),
    "agency_contacts_recorded": partial(placed, gaps=silent(CONTACT)),
    "agency_units_known": partial(sections, noted=[NO_PLACEMENTS]),
    "agency_paid_after_placement": partial(sections, payments=4),
    "agency_calibrated": partial(sections, fit_p=0.001),
    "agency_modelled_stands": partial(sections, standing="misfit"),
    "agency_sides_agree": partial(sections, apart_p=0.01),
    "agency_projectable": partial(sections, young=True),
    "agency_totals_recorded": partial(totals, component=TOTAL),
    "agency_channels_recorded": partial(totals, component="call"),
    "agency_one_name": partial(totals, called="Old Name"),
    "components_add_up": partial(totals, gap=True),
    "inventory_continuous": partial(totals, recalled=True),
    "units_established": partial(totals, new=True),
    "comparable_accounts": only_totals,
}


def integrity(*, units: int = 6, **changes: object) -> Found:
    tests = ["hoarding", "not_remitted", "unverified"]
    table = pd.DataFrame([(test, unit) for test in tests for unit in "abcdef"[:units]], columns=["test", "unit_key"])
    table = table.assign(finding="none", reason="")
    for test, reason in changes.items():
        table.loc[table["test"] == test, ["finding", "reason"]] = ["not_judged", reason]
    return integrity_verdict.conditions(table, least_cases=30)


NOBODY_JUDGED = {
    "hoarding": integrity_verdict.FEW_PEERS,
    "not_remitted": integrity_verdict.FEW_PEERS,
    "unverified": integrity_verdict.FEW_PEERS,
}
INTEGRITY = {
    "ig_judged": partial(integrity, **NOBODY_JUDGED),
    "ig_peers": partial(integrity, units=3),
    "ig_small": partial(integrity, hoarding=integrity_verdict.FEW_CASES),
    "ig_remittance": partial(integrity, not_remitted=integrity_verdict.NOT_ASKED),
    "ig_recordings": partial(integrity, unverified=integrity_verdict.NOT_ASKED),
}
TARIFFS = pd.DataFrame(
    {
        "tariff_id": ["standard"],
        "kind": "commission",
        "tier_from": 0.0,
        "valid_from": [pd.Timestamp("2026-01-01")],
        "valid_to": [pd.NaT],
        "rate": 0.18,
    }
)
OVERLAPPING = pd.concat([TARIFFS, TARIFFS.assign(valid_from=pd.Timestamp("2026-04-01"))], ignore_index=True)
NOT_BILLED = pd.DataFrame({"unit_key": ["b"], "payments": [4]})
PAID = ("p1", 1_000_000, 0, 0.18)


def invoiced(*, payment: tuple = PAID, line: dict | None = None, tariffs: pd.DataFrame = TARIFFS, left: pd.DataFrame = NOT_BILLED.iloc[:0],
             none: bool = False) -> Found:  # fmt: skip
    lines = billed(("p1", 1_000_000, 0.18, 180_000, 18_000, line or {}))
    heads = invoice_check.problems(
        lines.iloc[:0] if none else lines, units=["a"], currency="VND", as_of=date(2026, 6, 30), start=MAY[0].date(), end=MAY[1].date()
    )
    return invoice_check.conditions(heads, earned(payment), left, tariffs, currency="VND")


INVOICE = {
    "invoice_lines": partial(invoiced, none=True),
    "invoice_tariffs": partial(invoiced, tariffs=OVERLAPPING),
    "invoice_priced": partial(invoiced, payment=("p1", 1_000_000, 0, np.nan)),
    "invoice_placements": partial(invoiced, payment=(*PAID, {"placements": 2})),
    "invoice_currency": partial(invoiced, payment=(*PAID, {"currency": "USD"})),
    "invoice_units": partial(invoiced, payment=(*PAID, {"known": False})),
    "invoice_problems": partial(invoiced, line={"period_end": MAY[1] + pd.Timedelta(days=2)}),
    "invoice_missing": partial(invoiced, left=NOT_BILLED),
}
ROOM = pd.DataFrame({"unit_key": ["a", "b"], "most": [0.8, 0.7], "flow_accounts": [1_000.0, 1_000.0]})
LETTERS = pd.DataFrame({"unit_name": ["Agency A"]})


def planned(*, most: Sequence[float] = (0.8, 0.7), letters: pd.DataFrame = LETTERS.iloc[:0]) -> Found:
    return plan_conditions(letters, ROOM.assign(most=list(most)), names=NAMES, open_units=["a", "b"])


PLAN = {
    "plan_fits": partial(planned, most=(0.3, 0.3)),
    "plan_letters": partial(planned, letters=LETTERS),
    "plan_room": partial(planned, most=(0.0, 1.0)),
}
CASES = {**PANEL, **INTEGRITY, **INVOICE, **PLAN}
