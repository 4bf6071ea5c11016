"""Effects by pre-declared segment in words and tables."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from collect_analysis.book.store import Book
from collect_analysis.measures.cohort import Cohort
from collect_analysis.measures.segments import Segment, declared_segments, segment_sums
from collect_analysis.methods.evidence import Condition, refused, withheld
from collect_analysis.methods.rates.segments import INTERACTION_COLUMNS, interaction_tests, shrunk_effects
from collect_analysis.methods.trials.experiments import arm_means, compare_arms
from collect_analysis.report import tables, texts
from collect_analysis.report.disclosure import suppress_small_cells
from collect_analysis.report.figures.style import nothing
from collect_analysis.report.texts import formats, say
from collect_analysis.strategies.experiment import NOT_ANSWERABLE
from collect_analysis.strategies.strategy_review.figures_segments import forest
from collect_analysis.strategies.strategy_review.parameters import StrategyReview

COLUMNS = [
    "segment", "level", "lower", "upper", "level_unit", "outcome", "unit", "horizon_days", "arm", "base", "cases", "base_cases", "base_mean",
    "mean", "value", "low", "high", "relative", "relative_low", "relative_high", "p_value", "p_adjusted", "scale", "shrunk", "shrunk_low",
    "shrunk_high", "note",
]  # fmt: skip
# Claims beside those of `evidence.CLAIMED`.
_CLAIMED = ("shrunk", "shrunk_low", "shrunk_high", "q", "between_sd")


@dataclass(frozen=True, kw_only=True)
class SegmentReview:
    """The declared segments: what they rest on (`conditions`), the effect in each level, and whether the levels differ (`interactions`).

    `effects`: see COLUMNS, one row per segment, level and challenger. `interactions`: see `methods.segments.interaction_tests`.
    `reason`: key of the catalogue that says why there is nothing, else empty.
    """

    conditions: tuple[Condition, ...] = ()
    effects: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=COLUMNS))
    interactions: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=INTERACTION_COLUMNS))
    reason: str = ""


def segment_review(book: Book, cohort: Cohort, params: StrategyReview, found: Sequence[Condition]) -> SegmentReview:
    """The primary effect in every level of the declared segments, as measured and drawn to the overall one.

    A segment that was measured after assignment is named by a condition and left out; where a condition of `found` refuses a claim, no
    number is left.
    """
    segments = declared_segments(cohort, params.segments, params.segment_cuts)
    conditions = _conditions(segments)
    usable = [item for item in segments if not item.late]
    if not usable:
        return SegmentReview(conditions=conditions, reason="segments_all_late" if segments else "no_segments")
    outcome = cohort.outcome(params.primary_outcome, params.horizon_days)
    sums = segment_sums(book, cohort, params.arms, outcome, usable)
    means = suppress_small_cells(arm_means(sums), min_cell=params.min_cell)
    about = ["segment", "level", "lower", "upper", "level_unit"]
    parts = [
        compare_arms(means[(means["segment"] == key["segment"]) & (means["level"] == key["level"])], base=params.champion).assign(
            **{str(name): item for name, item in key.items()}
        )
        for key in sums.drop_duplicates(about[:2])[about].to_dict("records")
    ]
    effects = shrunk_effects(pd.concat(parts, ignore_index=True), margin=params.margin_relative)
    interactions = interaction_tests(effects, margin=params.margin_relative)
    return SegmentReview(conditions=conditions, effects=_claimed(effects[COLUMNS], found), interactions=_claimed(interactions, found))


def _conditions(segments: Sequence[Segment]) -> tuple[Condition, ...]:
    """Were the declared segments known before assignment? None where none was declared."""
    late = [item.name for item in segments if item.late]
    if not segments:
        return ()
    details = {"segments": late or [item.name for item in segments]}
    return (Condition(name="segments_before", met=not late, consequence="note", details=details),)


def _claimed(table: pd.DataFrame, found: Sequence[Condition]) -> pd.DataFrame:
    kept = withheld(table, found, note=NOT_ANSWERABLE)
    return kept.assign(**{name: np.nan for name in _CLAIMED if name in kept.columns}) if refused(found) else kept


def level_name(row: Mapping[Hashable, object], lang: str, currency: str) -> str:
    """A level as a reader knows it: `under 13`, `13 to under 20`, `20 and above`, a code by its name, or `unknown`."""
    if row["level_unit"] == "code" or str(row["level"]) == "unknown":
        return texts.value("segment_level", str(row["level"]), lang)
    lower, upper = (_cut(row[edge], str(row["level_unit"]), lang, currency) for edge in ("lower", "upper"))
    if not lower:
        return say("level_below", lang, upper=upper)
    return say("level_between", lang, lower=lower, upper=upper) if upper else say("level_above", lang, lower=lower)


def _cut(value: object, unit: str, lang: str, currency: str) -> str:
    number = float(str(value))
    if np.isnan(number):
        return ""
    if unit == "minor":
        return formats.money(number, currency, lang, compact=True)
    return formats.number(number, lang, digits=0 if number.is_integer() else formats.digits_for([number], 3))


def named_effects(effects: pd.DataFrame, params: StrategyReview, currency: str) -> pd.DataFrame:
    """The effects with segment and level named in the language of the page."""
    levels = [level_name(row, params.lang, currency) for row in effects.to_dict("records")]
    segments = [texts.value("segment", str(name), params.lang) for name in effects["segment"]]
    return effects.assign(level=levels, segment=segments)


def forest_figure(effects: pd.DataFrame, review: SegmentReview, params: StrategyReview, currency: str):
    """The recorded effects by level, as measured and drawn to the overall effect; the reason where there are none."""
    if review.reason:
        return nothing(say(review.reason, params.lang))
    return forest(named_effects(effects, params, currency), review.interactions, currency=currency, lang=params.lang)


def show_effects(effects: pd.DataFrame, review: SegmentReview, params: StrategyReview, currency: str) -> tables.ShownTable | None:
    """The recorded effects as a manager reads them; nothing where the figure says why there are none."""
    if review.reason:
        return None
    named = named_effects(effects, params, currency).assign(both_cases=effects["cases"] + effects["base_cases"])
    columns = ["segment", "level", *_arm(params), "both_cases", "base_mean", "mean"]
    if (effects["scale"] == "relative").all():
        columns += ["relative", "relative_low", "relative_high", "p_adjusted", "shrunk", "shrunk_low", "shrunk_high"]
        return tables.show(
            named, lang=params.lang, columns=columns, percent=["relative", "shrunk"], by_unit=["base_mean", "mean"], currency=currency
        )
    columns += ["difference", "low", "high", "p_adjusted", "shrunk", "shrunk_low", "shrunk_high"]
    units = ["base_mean", "mean", "difference", "low", "shrunk", "shrunk_low"]
    return tables.show(named.rename(columns={"value": "difference"}), lang=params.lang, columns=columns, by_unit=units, currency=currency)


def show_interactions(table: pd.DataFrame, review: SegmentReview, params: StrategyReview) -> tables.ShownTable | None:
    """The tests of whether the levels differ, each with what it says; nothing where the figure says why there are none."""
    if review.reason:
        return None
    named = table.assign(
        segment=[texts.value("segment", str(name), params.lang) for name in table["segment"]],
        reading=[_reading(row, params.lang) for row in table.to_dict("records")],
    )
    return tables.show(named, lang=params.lang, columns=["segment", *_arm(params), "levels", "q", "df", "p_value", "reading"])


def _reading(row: Mapping[Hashable, object], lang: str) -> str:
    p_value = float(str(row["p_value"]))
    if np.isnan(p_value):
        return ""
    return say("segments_differ" if p_value < 0.05 else "segments_alike", lang)


def _arm(params: StrategyReview) -> list[str]:
    return ["arm"] if len(params.challengers) > 1 else []
