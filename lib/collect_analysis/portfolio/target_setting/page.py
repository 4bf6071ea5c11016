"""Target setting, step by step: forecast, reconciliation, season, inflow, capacity, past forecasts, fairness, the sheet."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from collect_analysis.book.policy import policy
from collect_analysis.book.store import Book
from collect_analysis.measures.kpis import KPIS
from collect_analysis.measures.periods import KpiWindows, Period
from collect_analysis.methods.evidence import Condition, refused
from collect_analysis.methods.forecast import recovery_forecast
from collect_analysis.methods.forecast.season import EFFECTS, PARTS
from collect_analysis.portfolio import target_sheet, target_sheet_files
from collect_analysis.portfolio.target_setting import decision, decision_fitness, measures as target_inputs
from collect_analysis.portfolio.target_setting.decision import Plan, Terms
from collect_analysis.portfolio.target_setting.measures import Inputs
from collect_analysis.portfolio.target_setting.parameters import TargetSetting
from collect_analysis.report.recording import RunRecorder

OFFICER_LIST = "target_sheet_officers"
NOT_ANSWERABLE = "no target: see the conditions that are not met"
# A target that rests on a refused condition is no target: these leave the table.
_CLAIMED = ("target_minor", "p_reach", "gap_minor", "wanted_minor", "target_of_p50", "low", "high", "value")
_BACKTEST_DRAWS, _PERMUTATIONS = 2000, 999
_ENTRY_MONTHS = 12


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A target with what it was set from, what the past says of such forecasts, and what must hold."""

    inputs: Inputs
    terms: Terms
    plan: Plan
    backtest: pd.DataFrame
    calibration: pd.DataFrame
    fairness: pd.DataFrame
    found: Sequence[Condition]

    @property
    def answerable(self) -> bool:
        """Whether a target may be told."""
        return not refused(self.found)


def windows_of(params: TargetSetting) -> KpiWindows:
    """The windows of the KPI definitions in force on the day before the period."""
    return KpiWindows.of(policy("kpi_windows", on=params.as_of))


def period_of(params: TargetSetting) -> Period:
    """The period of the target."""
    return Period(params.period_start, params.period_end)


def set_target(book: Book, params: TargetSetting) -> Setting:
    """The target of the period and everything that is told of it.

    Raises
    ------
    DataError
        See `target_inputs.read_inputs`.
    """
    period = period_of(params)
    inputs = target_inputs.read_inputs(
        book, period, reference_months=params.reference_months, level_months=params.level_months, history_months=params.history_months,
        cap_quantile=params.cap_quantile, windows=windows_of(params),
    )  # fmt: skip
    above = params.top_down_minor
    if params.top_down_role:
        above = target_inputs.top_down_of(book, period, role=params.top_down_role)  # type: ignore[assignment]
    terms = Terms(
        stretch=params.stretch, top_down=None if above is None else float(above), least_reach=params.least_reach, ramp=tuple(params.ramp),
        step=params.step_minor, draws=params.draws, seed=params.seed, capacity_tolerance=params.capacity_tolerance,
    )  # fmt: skip
    plan = decision.plan_of(inputs, terms)
    past = recovery_forecast.backtest(inputs.past, stretch=params.stretch, draws=_BACKTEST_DRAWS, seed=params.seed)
    calibrated = recovery_forecast.calibration(past)
    fair = decision_fitness.fairness(inputs, draws=_PERMUTATIONS, seed=params.seed)
    found = decision_fitness.conditions_of(inputs, plan, fair, calibrated, terms)
    return Setting(inputs=inputs, terms=terms, plan=plan, backtest=past, calibration=calibrated, fairness=fair, found=found)


def scopes_of(setting: Setting, *, officers: bool = False) -> pd.DataFrame:
    """Every scope with forecast, target and chance (`targets.scopes`), the bounds against the target: value (P50 over target), low, high."""
    table = decision.scopes(setting.plan, officers=officers)
    goal = table["target_minor"].where(table["target_minor"] > 0)
    table["value"], table["low"], table["high"] = (table[f"{name}_minor"] / goal for name in ("p50", "p20", "p80"))
    return _answered(table, setting)


def measured(scopes: pd.DataFrame) -> pd.DataFrame:
    """The targets as measures: value (target), low and high (P20 and P80 of the forecast), accounts."""
    return scopes[["scope_type", "scope_key", "accounts"]].assign(
        value=scopes["target_minor"], low=scopes["p20_minor"], high=scopes["p80_minor"], note=scopes.get("note", "")
    )


def expected_of(setting: Setting) -> pd.DataFrame:
    """What the accounts at hand should bring in the first month before season and new debts, as `expected.expected_of_stock` has it."""
    first = setting.inputs.stock[setting.inputs.stock["month"] == setting.inputs.months[0]]
    row = {"scope_type": "company", "scope_key": "all", "month": setting.inputs.months[0].isoformat(), "note": ""}
    sums = {"accounts": int(first["accounts"].sum()), "value": float(first["expected_cash_minor"].sum())}
    return pd.DataFrame([{**row, **sums}])


def officers_of(record: RunRecorder, setting: Setting, params: TargetSetting) -> pd.DataFrame:
    """The scopes with officers, recorded, for team leads; nothing for others."""
    if params.audience != "team_leads":
        return pd.DataFrame()
    table = scopes_of(setting, officers=True)
    return record.table("officers", table[table["scope_type"] == "officer"].reset_index(drop=True), people="accounts")


def reconciliation_of(setting: Setting) -> pd.DataFrame:
    """Expected recovery, capacity and the number from above, by unit. Columns: sub_function, unit_key, expected_minor, capacity_index,
    limit_minor, wanted_minor (P50 x stretch), target_minor (as allocated), top_down_minor, gap_minor (top_down - target).
    """
    units = setting.plan.units
    signed = setting.plan.leaves.groupby("unit_key")["target"].sum()
    table = units[["sub_function", "unit_key", "capacity_index"]].copy()
    for name, column in (
        ("expected_minor", "expected"),
        ("limit_minor", "limit"),
        ("wanted_minor", "wanted"),
        ("top_down_minor", "top_down"),
    ):
        table[name] = units[column]
    table["target_minor"] = units["unit_key"].map(signed)
    table["gap_minor"] = table["top_down_minor"] - table["target_minor"]
    return _answered(table, setting)


def _answered(table: pd.DataFrame, setting: Setting) -> pd.DataFrame:
    if setting.answerable:
        return table
    empty = table.copy()
    for name in [column for column in _CLAIMED if column in empty.columns]:
        empty[name] = np.nan
    return empty.assign(note=NOT_ANSWERABLE)


def season_of(setting: Setting) -> pd.DataFrame:
    """The season factor of each month of the period with its parts (`targets.season_table`)."""
    table = decision.season_table(setting.plan)
    return table.assign(month=[f"{month:%Y-%m}" for month in table["month"]])


def days_of(setting: Setting) -> pd.DataFrame:
    """How kinds of days differ. Columns: day_kind, value (factor on the cash of a day), low, high (95 %), moves (of its part of the calendar:
    how much of it moves the total of a month).
    """
    effects, part = setting.inputs.past.effects, {kind: name for name, kinds in PARTS.items() for kind in kinds}
    rows = [
        {
            "day_kind": kind,
            "value": float(np.exp(effects.effect[kind])),
            "low": float(np.exp(effects.effect[kind] - 1.96 * effects.se[kind])),
            "high": float(np.exp(effects.effect[kind] + 1.96 * effects.se[kind])),
            "moves": setting.plan.fit.moves[part[kind]],
        }
        for kind in EFFECTS
    ]
    return pd.DataFrame(rows)


def entries_of(setting: Setting) -> pd.DataFrame:
    """New accounts by month, the last ones: month, accounts, balance_minor, collected_minor (in the month of entry)."""
    first = setting.inputs.past.entries
    table = first[first["age"] == 0].groupby("month", as_index=False)[["accounts", "balance_minor", "cash_minor"]].sum()
    table = table.rename(columns={"cash_minor": "collected_minor"}).tail(_ENTRY_MONTHS).reset_index(drop=True)
    return table.assign(month=[f"{month:%Y-%m}" for month in table["month"]])


def capacity_of(setting: Setting) -> pd.DataFrame:
    """Hours, work and capacity index of each unit in the period. Columns: unit_key, accounts, hours, attempts_per_hour,
    right_party_per_hour, intensity, capacity_accounts, capacity_index.
    """
    units = setting.plan.units
    columns = ["attempts_per_hour", "right_party_per_hour", "intensity", "capacity_accounts", "capacity_index"]
    known = units[units["capacity_index"].notna()]
    held = known["accounts"] + known["inflow_accounts"] / len(setting.inputs.months)
    return (
        known[["unit_key"]]
        .assign(worked_accounts=held, hours=known["hours"], **{name: known[name] for name in columns})
        .reset_index(drop=True)
    )


def sheet_of(book: Book, setting: Setting, params: TargetSetting, *, officers: bool = False) -> pd.DataFrame:
    """The target sheet as text: company, sub-functions, units; or the officers' rows alone. Empty where there is no target."""
    rules = target_sheet.Rules(
        period_start=params.period_start, period_end=params.period_end, definition=KPIS["R1"].definition(windows_of(params)),
        version=target_inputs.next_version(book, period_of(params)), stretch=params.stretch, weight=params.weight, gates=tuple(params.gates),
        cap_minor=setting.inputs.cap_minor, frozen_on=params.frozen_on or params.as_of, rebase_share=params.rebase_share,
    )  # fmt: skip
    table = decision.scopes(setting.plan, officers=officers)
    table = table[(table["scope_type"] == "officer") == officers]
    if not setting.answerable:
        table = table.head(0)
    return target_sheet.sheet(table, setting.plan.units.set_index("unit_key")["capacity_index"], rules)


def write_sheet(record: RunRecorder, book: Book, setting: Setting, params: TargetSetting) -> tuple[pd.DataFrame, str]:
    """Write the sheet into the run folder (CSV and Excel, and for team leads the officers' list where asked); its rows and its hash."""
    rows = sheet_of(book, setting, params)
    digest = record.document("target_sheet.csv", target_sheet_files.as_csv(rows))
    record.document("target_sheet.xlsx", target_sheet_files.as_excel(rows))
    if params.audience == "team_leads":
        record.operational_list(OFFICER_LIST, _batches(sheet_of(book, setting, params, officers=True)), write=params.write_officers)
    return rows, digest


def _batches(rows: pd.DataFrame) -> Iterator[pa.RecordBatch]:
    yield from pa.Table.from_pandas(rows.astype(str), preserve_index=False).to_batches()
