"""The parts of a test design as a manager reads them: tables in words, the draw without a person in it, the record that is signed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from collect_analysis.book.store import Book
from collect_analysis.measures import assignment
from collect_analysis.measures.assignment import Draw
from collect_analysis.methods.trials.assignment import salt_id
from collect_analysis.methods.trials.sequential import boundaries
from collect_analysis.report import tables, texts
from collect_analysis.report.recording import NoPeople, RunRecorder, plain
from collect_analysis.report.tables import Absent, ShownTable
from collect_analysis.report.texts import formats, label, say
from collect_analysis.strategies.test_design import preregistration
from collect_analysis.strategies.test_design.decision import DesignVerdict
from collect_analysis.strategies.test_design.measures_history import History
from collect_analysis.strategies.test_design.page import Size, balance_of
from collect_analysis.strategies.test_design.parameters import TestDesign

_COUNTS = ["arm", "share", "cases", "customers", "actual", "kept_arm", "balance_minor"]
_BALANCE = ["variable", "arm", "cases", "base_cases", "mean", "base_mean", "standardised"]
_STRATA = ["stratum", "cases", "off_by", "gap_share", "short"]


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """The draw in aggregates: `counts` per arm, `balance` of the arms, `strata`; empty tables where nobody was drawn."""

    counts: pd.DataFrame
    balance: pd.DataFrame
    strata: pd.DataFrame


def as_measures(plan: pd.DataFrame) -> pd.DataFrame:
    """The plan as measures: value = detectable relative change, by outcome and whether covariates are used."""
    return plan.assign(value=plan["detectable"], adjusted=plan["adjusted"].map({True: "yes", False: "no"}))[
        ["outcome", "adjusted", "value", "note"]
    ]


def named(table: pd.DataFrame, params: TestDesign, past: History) -> pd.DataFrame:
    """The table with supplied outcomes by the label of their mapping."""
    labels = {item.name: item.label[params.lang] for item in past.cohort.outcomes if params.lang in item.label}
    return table.assign(outcome=table["outcome"].replace(labels)) if labels and "outcome" in table.columns else table


def show(
    table: pd.DataFrame,
    params: TestDesign,
    past: History,
    *,
    columns: Sequence[str],
    percent: Sequence[str] = (),
    by_unit: Sequence[str] = (),
    currency: str = "",
    reason: str = "",
) -> ShownTable | Absent:
    """A recorded table as a manager reads it, or the `reason` (a key of the catalogue) why there is none."""
    if table.empty:
        return Absent(say(reason or "design_no_sizes", params.lang))
    whole = table.copy()
    for name in ("enrol_weeks", "size", "seen_size"):
        if name in whole.columns:
            whole[name] = whole[name].round(1)
    if "covariates" in whole.columns:
        whole["covariates"] = [_named_list(item, params.lang) for item in whole["covariates"]]
    return tables.show(named(whole, params, past), lang=params.lang, columns=columns, percent=percent, by_unit=by_unit, currency=currency)


def _named_list(item: str, lang: str) -> str:
    return ", ".join(texts.value("covariates", name, lang) for name in str(item).split(", "))


def show_history(months: pd.DataFrame, params: TestDesign, *, columns: Sequence[str], currency: str) -> ShownTable | Absent:
    """What past cohorts paid, as a manager reads it."""
    if months.empty:
        return Absent(say("design_no_history", params.lang))
    names = {"arm": "cohort", "numerator": "payers", "value": "payer_rate", "low": "payer_rate_low", "high": "payer_rate_high"}
    shown = months.rename(columns={**names, "amount": "amount_minor", "per_payer": "per_payer_minor"})
    return tables.show(shown, lang=params.lang, columns=columns, percent=["payer_rate"], currency=currency)


def show_false_positives(table: pd.DataFrame, params: TestDesign, past: History) -> ShownTable | Absent:
    """How often re-draws of the past came out different, as a manager reads it."""
    names = {"numerator": "came_out_different", "denominator": "re_draws", "value": "false_positive_rate"}
    bounds = {"low": "false_positive_rate_low", "high": "false_positive_rate_high"}
    columns = ["outcome", *names.values(), *bounds.values()]
    shown = table.rename(columns={**names, **bounds})
    return show(shown, params, past, columns=columns, percent=["false_positive_rate"], reason="design_no_history")


def drawing(book: Book, drawn: Draw | None, params: TestDesign) -> Drawing:
    """The draw in aggregates. Strata under `min_cell` customers are told together, in one row without a name."""
    if drawn is None:
        return Drawing(counts=pd.DataFrame(columns=_COUNTS), balance=pd.DataFrame(columns=_BALANCE), strata=pd.DataFrame(columns=_STRATA))
    strata = assignment.strata_table(book, drawn)
    small = strata["cases"] < params.min_cell
    if small.any():
        together = {
            "stratum": say("design_small_strata", params.lang, count=int(small.sum()), min_cell=params.min_cell),
            "cases": int(strata.loc[small, "cases"].sum()),
            "off_by": float(strata.loc[small, "off_by"].max()),
            "gap_share": np.nan,
            "short": bool(strata.loc[small, "short"].any()),
        }
        strata = pd.concat([strata[~small], pd.DataFrame([together])], ignore_index=True)
    strata["stratum"] = [_stratum_named(item, params.lang) for item in strata["stratum"]]
    units = {"balance": "minor"}
    balance = balance_of(book, drawn, params)
    balance["unit"] = [units.get(str(name), "ratio") for name in balance["variable"]]
    return Drawing(counts=assignment.arm_counts(book, drawn), balance=balance, strata=strata.assign(unit="ratio"))


def _stratum_named(stratum: str, lang: str) -> str:
    """A stratum ("bucket 2, balance_band 1") with its variables as the language calls them."""
    parts = [part.partition(" ") for part in stratum.split(", ")]
    return ", ".join(f"{texts.value('strata', name, lang)} {value}".strip() for name, _, value in parts)


def assignment_list(book: Book, record: RunRecorder, drawn: Draw | None, params: TestDesign, verdict: DesignVerdict) -> pd.DataFrame:
    """The operational list, by name: file, rows, sha256, written. It is written only where the report file asks and the verdict is to run."""
    if drawn is None:
        return pd.DataFrame(columns=["file", "rows", "sha256", "written"])
    write = params.write_assignment and verdict.action == "run"
    found = record.operational_list("assignment", assignment.list_batches(book, drawn), write=write)
    return pd.DataFrame([{"file": "lists/assignment.csv", "rows": found.rows, "sha256": found.sha256, "written": write}])


def looks_of(params: TestDesign) -> pd.DataFrame | Absent:
    """When may the test be looked at, and what must be seen to stop? look, fraction, z, nominal_p, spent; absent for a single look."""
    if params.looks == 1:
        return Absent(say("design_one_look", params.lang))
    fractions = np.arange(1, params.looks + 1) / params.looks
    return boundaries(fractions, spending=params.spending)[["look", "fraction", "z", "nominal_p", "spent"]]


def show_looks(record: RunRecorder, params: TestDesign) -> ShownTable | Absent:
    """The planned looks, recorded and shown."""
    looks = looks_of(params)
    if isinstance(looks, Absent):
        return looks
    return tables.show(record.table("looks", looks, people=NoPeople("terms of the test")), lang=params.lang, percent=["fraction"])


def registered(book: Book, drawn: Draw | None, size: Size, verdict: DesignVerdict, params: TestDesign) -> dict[str, object]:
    """The pre-registration record: what was declared, in plain JSON values, nothing that depends on the day it was run."""
    looks = looks_of(params)
    record = {
        "experiment_id": params.experiment_id,
        "hypothesis": params.hypothesis,
        "unit_of_assignment": params.treated_by,
        "arms": [
            {"arm": arm, "role": "champion" if arm == params.champion else "challenger", "share": params.planned_shares[arm]}
            for arm in params.arms
        ],
        "starts_on": params.starts_on,
        "ends_on": preregistration.last_assignment(params.starts_on, params.enrol_months, entry=not size.at_once),
        "primary_outcome": params.primary_outcome,
        "horizon_days": params.horizon_days,
        "margin_relative": params.margin_relative,
        "covariates": params.covariates,
        "guardrails": params.guardrails,
        "dose": params.dose,
        "min_dose_difference": params.min_dose_difference,
        "capacity_tolerance": params.capacity_tolerance,
        "population": {
            name: getattr(params, name)
            for name in ("source", "portfolios", "products", "buckets", "regions", "min_balance_minor", "max_balance_minor", "test_share")
        },
        "draw": {
            "method": params.draw,
            "salt_id": salt_id(params.salt),
            "strata": params.strata,
            "cuts": {name: list(cuts) for name, cuts in drawn.cuts.items() if cuts} if drawn else {},
            "block": drawn.block if drawn else 1,
        },
        "size": {
            "cases": np.floor(size.available),
            "detectable": verdict.detectable,
            "power": params.power,
            "confidence_level": size.level,
        },
        "stop_rule": {
            "looks": params.looks,
            "spending": params.spending if params.looks > 1 else "",
            "z": [] if isinstance(looks, Absent) else list(looks["z"]),
        },
        "verdict": verdict.action,
        "history": {"book": book.manifest.name, "fingerprint": book.manifest.fingerprint, "as_of": params.as_of},
    }
    return plain(record)


def record_table(record: dict[str, object], params: TestDesign) -> pd.DataFrame:
    """The record as rows that can be read: item, registered; its hash last."""
    rows = []
    for key, value in record.items():
        parts = value.items() if isinstance(value, dict) else [("", value)]
        for inner, item in parts:
            called = texts.value("outcome", inner, params.lang) if key == "guardrails" else label(inner, params.lang)
            name = label(key, params.lang) if not inner else f"{label(key, params.lang)}: {called.lower()}"
            written = _written(inner or key, item, params.lang)
            if written:
                rows.append({"item": name, "registered": written})
    rows.append({"item": label("prereg_hash", params.lang), "registered": preregistration.record_hash(record)})
    return pd.DataFrame(rows)


def show_record(record: RunRecorder, registration: dict[str, object], verdict: DesignVerdict, params: TestDesign) -> ShownTable | Absent:
    """Write the record into the run folder, name its hash, and show it; nothing where there is no answer."""
    if verdict.action == "refuse":
        return Absent(say("design_no_record", params.lang))
    digest = record.document("preregistration.json", preregistration.canonical(registration))
    record.check("design_registered", True, detail=say("design_registered", params.lang, sha256=digest))
    return tables.show(record_table(registration, params), lang=params.lang)


def experiment_rows(registration: dict[str, object], params: TestDesign) -> pd.DataFrame:
    """The rows for table `experiment` (`preregistration.experiment_rows`)."""
    return preregistration.experiment_rows(registration, salt=params.salt)


def show_rows(rows: pd.DataFrame, params: TestDesign, *, columns: Sequence[str]) -> ShownTable:
    """The rows for table `experiment` as a manager reads them."""
    shown = rows.rename(columns={"primary_metric": "primary_outcome", "margin": "margin_relative"})
    return tables.show(shown, lang=params.lang, columns=columns, percent=["share", "margin_relative"])


def verdict_table(verdict: DesignVerdict) -> pd.DataFrame:
    """The verdict as one row: action, reason, detectable, margin, accounts_needed, enrol_weeks."""
    row = {name: getattr(verdict, name) for name in ("action", "reason", "detectable", "margin")}
    return pd.DataFrame([{**row, "accounts_needed": verdict.needed, "enrol_weeks": round(verdict.weeks, 1)}])


_SHARES = ("margin_relative", "share", "detectable", "power", "confidence_level", "test_share", "min_dose_difference", "capacity_tolerance")
_NAMED = {
    "unit_of_assignment": "treated_by",
    "covariates": "covariates",
    "strata": "strata",
    "dose": "outcome",
    "verdict": "action",
    "method": "draw",
}


def _written(key: str, item: object, lang: str) -> str:
    """One registered value as the language writes it; empty where nothing was declared."""
    if item is None or item in ("", [], {}):
        return ""
    if key == "arms" and isinstance(item, list):
        return ", ".join(f"{texts.value('arm', arm['arm'], lang)} {formats.share(arm['share'], lang)}" for arm in item)
    if isinstance(item, dict):
        return ", ".join(f"{_written(key, name, lang)} {_written(key, value, lang)}" for name, value in item.items())
    if isinstance(item, list):
        return ", ".join(_written(key, value, lang) for value in item)
    if isinstance(item, str):
        named = texts.value(_NAMED.get(key, key), item, lang)
        return formats.day(named, lang) if key in ("starts_on", "ends_on", "as_of") else named
    number = float(str(item))
    if key in _SHARES:
        return formats.share(number, lang)
    return formats.number(number, lang, digits=0 if number.is_integer() else formats.digits_for([number], 4))
