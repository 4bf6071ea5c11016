"""A month's pace as it is read: forecast, scopes, bridge, test of the forecast, days to act on; a part that cannot be told says why."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pandas as pd

from collect_analysis.book.presence import absent
from collect_analysis.book.store import Book
from collect_analysis.measures import pace
from collect_analysis.measures.scopes import COMPANY
from collect_analysis.methods.evidence import Condition, Grade, grade, refused
from collect_analysis.methods.forecast.completion import Curve, Forecast, naive
from collect_analysis.methods.forecast.completion_backtest import backtest, by_stage, unusual_days
from collect_analysis.methods.profiling import bridge
from collect_analysis.methods.rates.levels import FEWEST_MONTHS
from collect_analysis.portfolio.pace import decision
from collect_analysis.portfolio.pace.decision import PaceVerdict
from collect_analysis.portfolio.pace.measures_outlook import (
    Explained,
    Outlook,
    company_forecast,
    explain,
    openings,
    outlook,
    scope_forecasts,
)
from collect_analysis.portfolio.pace.parameters import Pace
from collect_analysis.report import conditions, tables, texts
from collect_analysis.report.scope_names import code_labels, scope_names
from collect_analysis.report.texts import say

# Rows of a table by bucket and product; the recorded table has all of them.
MOST_CELLS = 12
# Below this probability a unit is marked on the figure.
UNLIKELY = 0.2
FORECAST_NAME = "month_end_forecast"


@dataclass(frozen=True, kw_only=True)
class Landing:
    """Everything the page is made of. Without a forecast (`made` None) a condition refused it; the tables then hold the reason."""

    book: Book
    params: Pace
    known: Outlook
    found: tuple[Condition, ...]
    verdict: PaceVerdict
    curve: Curve | None = None
    made: Forecast | None = None
    scopes: pd.DataFrame | None = None
    explained: Explained | None = None
    no_bridge: str = ""
    tested: pd.DataFrame | None = None
    stages: pd.DataFrame | None = None
    unusual: pd.DataFrame | None = None

    @property
    def plan(self) -> float:
        """The company's plan; NaN without one."""
        return self.known.plan("company", COMPANY)

    @property
    def grade(self) -> Grade:
        """A comparison with months before: never better than D."""
        return grade("raw", self.found)

    @property
    def why_not(self) -> str:
        """Why there is no forecast, in the language of the page."""
        return " ".join(conditions.sentences(refused(self.found), self.params.lang))


def land(book: Book, params: Pace) -> Landing:
    """Everything that can be said of the month on the day of the book."""
    known = outlook(book, history_months=params.history_months, reference_months=params.reference_months)
    found = decision.basis(known)
    rules = {name: getattr(params, name) for name in ("hold_above", "most_uplift", "concentrated_share")}
    if refused(found):
        judged = decision.verdict(None, known.plan("company", COMPANY), None, **rules)
        return Landing(book=book, params=params, known=known, found=tuple(found), verdict=judged)
    curve, made = company_forecast(known, tet_spread=params.tet_spread)
    scopes = scope_forecasts(known, curve, made, level=params.level, tet_spread=params.tet_spread)
    explained, no_bridge = None, absent(book, ("account", "month_end"), openings(known, params.reference_months))
    if not no_bridge:
        explained = explain(
            known,
            curve,
            reference_months=params.reference_months,
            top_bucket=params.top_bucket,
            quantile=params.large_ticket_quantile,
            order=params.order,
        )
    tested = backtest(known.past, fewest=FEWEST_MONTHS, tet_spread=params.tet_spread)
    stages = by_stage(tested)
    found += [*decision.quality(stages), *([decision.exactness(explained)] if explained else [])]
    return Landing(
        book=book,
        params=params,
        known=known,
        found=tuple(found),
        verdict=decision.verdict(made, known.plan("company", COMPANY), explained, **rules),
        curve=curve,
        made=made,
        scopes=scopes,
        explained=explained,
        no_bridge=no_bridge,
        tested=tested,
        stages=stages,
        unusual=decision.unusual(unusual_days(known.months, curve, beyond=0.0), known.by_day, beyond=params.unusual_beyond),
    )


def checks(landed: Landing) -> list[Condition]:
    """The conditions, worded."""
    return conditions.worded(landed.found, landed.params.lang)


def _or_reason(landed: Landing, table: pd.DataFrame | None, *, absent: str = "") -> pd.DataFrame:
    """The table, or one note that says why there is none."""
    if table is not None and len(table):
        return table.reset_index(drop=True)
    return pd.DataFrame({"note": [absent if landed.made else landed.why_not]})


def _no_bridge(landed: Landing) -> str:
    """Why accounts cannot be counted by unit and bucket, in the language of the page."""
    return say("pace_no_bridge", landed.params.lang, why=texts.phrase(landed.no_bridge, landed.params.lang))


def shown(table: pd.DataFrame, landed: Landing, columns: Sequence[str], percent: Sequence[str] = ()) -> tables.ShownTable | tables.Absent:
    """A recorded table as it is read; the reason where it has none of its columns."""
    if not set(columns) <= set(table.columns):
        return tables.Absent(str(table["note"].iloc[0]))
    band = texts.say("band_of", landed.params.lang, band=texts.percent(landed.params.level, landed.params.lang))
    called = {"low_minor": band[:1].upper() + band[1:]}
    return tables.show(
        table, lang=landed.params.lang, columns=columns, currency=landed.book.currency, percent=percent, called=called, scaled=True
    )


def curve_table(landed: Landing) -> pd.DataFrame:
    """Cash so far, the forecast path with its band, and the plan, by day.

    Columns: series (current, forecast, target), date, day (of the month), working_day, value, low, high (minor units).
    """
    made, curve = landed.made, landed.curve
    if made is None or curve is None:
        return _or_reason(landed, None)
    month, today = landed.known.month, landed.known.as_of.day
    size = int(month.inside[0].sum())
    gone = curve.complete(month)[0][:size]
    days = np.arange(1, size + 1)
    frame = pd.DataFrame({"date": [month.names[0] + timedelta(days=int(day) - 1) for day in days], "day": days})
    frame["working_day"] = month.working[0][:size].astype(int)
    paid = np.cumsum(np.nan_to_num(month.cash[0][:size]))
    left = (gone - made.complete) / (1 - made.complete) if made.complete < 1 else np.zeros(size)
    low, high = made.interval(landed.params.level)
    parts = [frame.assign(series="current", value=paid)[:today]]
    ahead = {name: made.paid + (end - made.paid) * left for name, end in (("value", made.value), ("low", low), ("high", high))}
    parts.append(frame.assign(series="forecast", **ahead)[today - 1 :])
    if np.isfinite(landed.plan):
        parts.append(frame.assign(series="target", value=landed.plan * gone))
    return pd.concat(parts, ignore_index=True)[["series", "date", "day", "working_day", "value", "low", "high"]]


def sources_table(landed: Landing) -> pd.DataFrame:
    """What the forecast is made of, beside the rule it replaces.

    Columns: pace_source (combined, pace, prior, naive), value_minor, low_minor, high_minor, pace_weight, gap_minor (value - plan).
    """
    made = landed.made
    if made is None:
        return _or_reason(landed, None)
    low, high = made.interval(landed.params.level)
    divided = naive(landed.known.month, day=landed.known.as_of.day)
    nothing = float("nan")
    rows = [
        ("combined", made.value, low, high, 1.0),
        ("pace", made.pace, nothing, nothing, made.pace_weight),
        ("prior", made.prior, nothing, nothing, 1 - made.pace_weight),
        ("naive", divided, nothing, nothing, nothing),
    ]
    table = pd.DataFrame(rows, columns=["pace_source", "value_minor", "low_minor", "high_minor", "pace_weight"])
    money = ["value_minor", "low_minor", "high_minor"]
    table[money] = table[money].round()
    return table.assign(gap_minor=table["value_minor"] - landed.plan)


def scope_table(landed: Landing) -> pd.DataFrame:
    """Forecast and chance of the plan for the company, sub-functions and units; of units those the report file names, if it names any.

    Columns as `pace_outlook.FORECAST_COLUMNS`, low and high around value.
    """
    if landed.scopes is None:
        return _or_reason(landed, None)
    named = landed.params.units
    table = landed.scopes
    return table[(table["scope_type"] != "unit") | table["scope_key"].isin(named)] if named else table


def told(table: pd.DataFrame, landed: Landing, scope_type: str) -> tables.ShownTable | tables.Absent:
    """The forecasts of one kind of scope, lowest chance first."""
    if "scope_type" not in table:
        return shown(table, landed, ["scope"])
    rows = table[table["scope_type"] == scope_type].sort_values(["reach", "scope_key"], kind="stable", ignore_index=True)
    names = _names(landed)
    forecast = {"value_minor": rows["value"], "low_minor": rows["low"], "high_minor": rows["high"], "chance": rows["reach"]}
    named = rows.assign(scope=[names(scope_type, key) for key in rows["scope_key"]], **forecast)
    columns = ["scope", "paid_minor", "value_minor", "low_minor", "high_minor", "plan_minor", "gap_minor", "chance"]
    whole = named.assign(**{name: named[name].round() for name in columns if name.endswith("_minor")})
    return shown(whole, landed, columns, percent=["chance"])


def landing_points(table: pd.DataFrame, landed: Landing) -> pd.DataFrame:
    """Forecast over plan of each scope with a plan, named, for the figure. Columns: label, value, low, high, unlikely (flag)."""
    if "scope_type" not in table:
        return table
    rows = table[table["plan_minor"].gt(0) & table["value"].notna()]
    names = _names(landed)
    ratio = rows[["value", "low", "high"]].div(rows["plan_minor"], axis=0)
    label = [names(kind, key) for kind, key in zip(rows["scope_type"], rows["scope_key"], strict=True)]
    return ratio.assign(label=label, unlikely=rows["reach"] < UNLIKELY).reset_index(drop=True)


def _names(landed: Landing) -> Callable[[str, str], str]:
    return scope_names(landed.book, landed.params.lang)


def forecast_measures(landed: Landing) -> pd.DataFrame:
    """What the run records of each scope told: forecast, plan and chance. Columns: measure, scope_type, scope_key, value, low, high, unit, kpi."""
    table = scope_table(landed)
    if "scope_type" not in table:
        return pd.DataFrame(columns=["measure", "scope_type", "scope_key", "value", "low", "high", "unit", "kpi", "note"])
    keys = table[["scope_type", "scope_key", "note"]]
    own = keys.assign(measure=FORECAST_NAME, value=table["value"], low=table["low"], high=table["high"], unit="minor", kpi="R15")
    plan = keys.assign(measure="plan", value=table["plan_minor"], unit="minor", kpi="")
    chance = keys.assign(measure="chance_of_plan", value=table["reach"], unit="share", kpi="")
    return pd.concat([own, plan, chance], ignore_index=True)


def bridge_table(landed: Landing) -> pd.DataFrame:
    """The bridge as steps. Columns: pace_step (plan_to_date or reference, the parts, actual), amount_minor, from_minor, to_minor."""
    explained = landed.explained
    if explained is None:
        return _or_reason(landed, None, absent=_no_bridge(landed))
    first = "plan_to_date" if explained.plan_minor is not None else "reference"
    rows = [(first, explained.start_minor, 0, explained.start_minor)]
    at = explained.start_minor
    for name, amount in explained.totals.items():
        rows.append((name, amount, at, at + amount))
        at += amount
    rows.append(("actual", explained.actual_minor, 0, explained.actual_minor))
    return pd.DataFrame(rows, columns=["pace_step", "amount_minor", "from_minor", "to_minor"])


def bridge_by(landed: Landing, key: str) -> pd.DataFrame:
    """The bridge by unit (with the plan), or by bucket or product (against the reference); most money short first."""
    explained = landed.explained
    if explained is None:
        return _or_reason(landed, None, absent=_no_bridge(landed))
    source, parts = (explained.units, explained.parts) if key == "unit_key" else (explained.cells, bridge.PARTS[1:])
    found = bridge.by(source, key, parts=parts).rename(columns={name: f"{name}_minor" for name in parts})
    return found.rename(columns={"plan_minor": "asked_minor"})


def bridge_shown(table: pd.DataFrame, landed: Landing, key: str) -> tables.ShownTable | tables.Absent:
    """The bridge by one key, named."""
    if key not in table:
        return shown(table, landed, [key])
    names, lang = _names(landed), landed.params.lang
    heads = {"unit_key": "unit_name", "bucket": "bucket", "product_code": "product_code"}
    if key == "unit_key":
        label = [names("unit", name) for name in table[key]]
    elif key == "bucket":
        label = [bucket_name(int(name), landed) for name in table[key]]
    else:
        products = code_labels(landed.book, "product_code", lang)
        label = [products.get(str(name), str(name)) for name in table[key]]
    parts = [name for name in table.columns if name.endswith("_minor") and name != "gap_minor"]
    return shown(table.assign(**{heads[key]: label}), landed, [heads[key], "gap_minor", *parts])


def bucket_name(bucket: int, landed: Landing) -> str:
    """What a bucket is called: its number, the last one with all after it, entrants and accounts that nobody held in words."""
    lang = landed.params.lang
    if bucket in (pace.ENTERED, pace.NOT_HELD):
        return say("pace_bucket_entered" if bucket == pace.ENTERED else "pace_bucket_not_held", lang)
    return f"{bucket}+" if bucket == landed.params.top_bucket else str(bucket)


def stage_table(landed: Landing) -> pd.DataFrame:
    """How good the forecast has been (`completion_backtest.by_stage`)."""
    stages = None if landed.stages is None else landed.stages.rename(columns={"stage": "pace_stage", "days": "forecasts"})
    return _or_reason(landed, stages, absent=say("pace_not_tested", landed.params.lang))


def error_curve(landed: Landing) -> pd.DataFrame:
    """Mean error over the months tested by share of working days gone. Columns: series (combined, prior, naive), gone (twentieths), value."""
    tested = landed.tested
    if tested is None or tested.empty:
        return _or_reason(landed, None, absent=say("pace_not_tested", landed.params.lang))
    gone = np.ceil(tested["working_day"] / tested["working_days"] * 20) / 20
    parts = []
    for name, column in (("combined", "forecast_minor"), ("prior", "prior_minor"), ("naive", "naive_minor")):
        error = (tested[column] / tested["actual_minor"] - 1).abs().groupby(gone).mean()
        parts.append(pd.DataFrame({"series": name, "gone": error.index, "value": error.to_numpy()}))
    return pd.concat(parts, ignore_index=True)


def tested_table(landed: Landing) -> pd.DataFrame:
    """Every forecast of the test, for whoever wants to check it; columns of `completion_backtest.BACKTEST_COLUMNS`."""
    return _or_reason(landed, landed.tested, absent=say("pace_not_tested", landed.params.lang))


def unusual_table(landed: Landing) -> pd.DataFrame:
    """Days unlike their kind, latest first."""
    table = landed.unusual
    absent = say("pace_nothing_unusual", landed.params.lang)
    if table is not None:
        table = table.rename(columns={"cause": "pace_cause", "z": "unusual_z"}).sort_values("date", ascending=False)
    return _or_reason(landed, table, absent=absent)


def ahead_table(landed: Landing) -> pd.DataFrame:
    """What each coming day should bring (`decision.pace.days_ahead`)."""
    if landed.made is None or landed.curve is None:
        return _or_reason(landed, None)
    table = decision.days_ahead(landed.known, landed.curve, landed.made, plan=landed.plan)
    money = [name for name in table.columns if name.endswith("_minor")]
    return _or_reason(
        landed, table.assign(**{name: table[name].round() for name in money}), absent=say("pace_no_days_left", landed.params.lang)
    )


def bridge_measures(steps: pd.DataFrame) -> pd.DataFrame:
    """The steps of the bridge as measures. Columns: pace_step, value."""
    if "pace_step" not in steps:
        return pd.DataFrame(columns=["pace_step", "value"])
    return steps[["pace_step"]].assign(value=steps["amount_minor"])


def error_measures(stages: pd.DataFrame) -> pd.DataFrame:
    """Mean errors and coverage by part of the month as measures. Columns: measure, pace_stage, value."""
    if "pace_stage" not in stages:
        return pd.DataFrame(columns=["measure", "pace_stage", "value"])
    kept = ["mape", "prior_mape", "naive_mape", "bias", "covered80", "covered95"]
    return stages.melt(id_vars=["pace_stage"], value_vars=kept, var_name="measure", value_name="value")
