"""Cost and net value in words and tables: what one account is worth more after cost."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd

from collect_analysis.book.store import Book
from collect_analysis.measures.cohort import Cohort
from collect_analysis.methods.evidence import Condition, withheld
from collect_analysis.methods.trials.break_even import COLUMNS as BREAK_EVEN, break_even
from collect_analysis.methods.trials.experiments import arm_means, compare_arms
from collect_analysis.report import tables, texts
from collect_analysis.report.disclosure import suppress_small_cells
from collect_analysis.report.texts import formats, say
from collect_analysis.strategies.experiment import NOT_ANSWERABLE
from collect_analysis.strategies.strategy_review import measures_net_value as measure
from collect_analysis.strategies.strategy_review.parameters import StrategyReview

ORDER = (measure.CASH, measure.CONTACTS, measure.OFFICERS, measure.COMMISSION, measure.COST, measure.NET)
EFFECTS = [
    "outcome", "unit", "horizon_days", "arm", "base", "cases", "base_cases", "base_mean", "mean", "value", "low", "high", "relative",
    "relative_low", "relative_high", "p_value", "p_adjusted", "note",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class NetReview:
    """Cash, cost and net value per account of each challenger against the champion (`effects`), and the effect that pays for the extra cost.

    `reason`: the sentence that says why money cannot be told, else empty.
    """

    effects: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=EFFECTS))
    break_even: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=BREAK_EVEN))
    reason: str = ""


def net_review(book: Book, cohort: Cohort, params: StrategyReview, found: Sequence[Condition]) -> NetReview:
    """What does an account of each arm bring, cost and leave at the primary horizon?"""
    told = measure.net_value(book, cohort, params.arms, horizon_days=params.horizon_days, cost=params.cost)
    if told.reason:
        return NetReview(reason=told.reason)
    means = suppress_small_cells(arm_means(told.sums), min_cell=params.min_cell)
    effects = withheld(compare_arms(means, base=params.champion)[EFFECTS], found, note=NOT_ANSWERABLE)
    tariffs = measure.WORK in set(effects["outcome"])
    share = _commission_share(told.sums, params.champion)
    needed = break_even(effects, cash=measure.CASH, cost=measure.WORK if tariffs else measure.COST, commission_share=share)
    place = {name: number for number, name in enumerate(ORDER)}
    ordered = effects.assign(place=effects["outcome"].map(place).fillna(len(ORDER))).sort_values(["arm", "place"], kind="stable")
    return NetReview(effects=ordered[EFFECTS].reset_index(drop=True), break_even=needed)


def _commission_share(sums: pd.DataFrame, champion: str) -> float:
    """Commission over cash in the champion's arm; from the sums, as its mean may rest on too few accounts to be told."""
    total = sums[sums["arm"] == champion].set_index("outcome")["sum_y"]
    cash = float(total[measure.CASH])
    return float(total.get(measure.COMMISSION, 0.0)) / cash if cash > 0 else float("nan")


def show_net(effects: pd.DataFrame, review: NetReview, params: StrategyReview, currency: str) -> tables.ShownTable:
    """Cash, what it cost, and what is left, per account assigned; why it cannot be told otherwise."""
    if effects.empty:
        return tables.show(pd.DataFrame({"note": [texts.phrase(review.reason, params.lang)]}), lang=params.lang)
    shown = effects[effects["outcome"].isin(ORDER)].rename(columns={"outcome": "money_part", "value": "difference"})
    columns = ["money_part", *_arm(params), "base_mean", "mean", "difference", "low", "high", "relative"]
    units = ["base_mean", "mean", "difference", "low"]
    caption = " ".join(worth(effects, params, currency))
    return tables.show(shown, lang=params.lang, columns=columns, percent=["relative"], by_unit=units, currency=currency, caption=caption)


def worth(effects: pd.DataFrame, params: StrategyReview, currency: str) -> list[str]:
    """A sentence per challenger: what one account is worth more, or less, after cost."""
    rows = effects[(effects["outcome"] == measure.NET) & effects["value"].notna()]
    return [_worth(row, params, currency) for row in rows.to_dict("records")]


def _worth(row: dict, params: StrategyReview, currency: str) -> str:
    lang = params.lang
    key = "worth_more" if row["low"] > 0 else "worth_less" if row["high"] < 0 else "worth_open"
    value, low, high = (formats.money(row[name], currency, lang) for name in ("value", "low", "high"))
    size = formats.money(abs(row["value"]), currency, lang)
    days = formats.number(row["horizon_days"], lang)
    return say(key, lang, arm=row["arm"], champion=params.champion, days=days, value=value, size=size, low=low, high=high)


def show_break_even(table: pd.DataFrame, review: NetReview, params: StrategyReview, currency: str) -> tables.ShownTable | None:
    """The effect on cash that pays for what a challenger costs more, beside the one observed; nothing where `show_net` says why not."""
    if review.reason:
        return None
    named = table.rename(columns={"value": "needed_cash", "relative": "break_even", "relative_low": "break_even_low"})
    named = named.rename(columns={"relative_high": "break_even_high", "observed": "observed_effect", "kept": "kept_of_cash"}).assign(
        unit="minor"
    )
    columns = [
        "arm",
        "base_cash",
        "kept_of_cash",
        "extra_cost",
        "needed_cash",
        "break_even",
        "break_even_low",
        "break_even_high",
        "observed_effect",
    ]
    percent = ["kept_of_cash", "break_even", "observed_effect"]
    units = ["base_cash", "extra_cost", "needed_cash"]
    return tables.show(named, lang=params.lang, columns=columns, percent=percent, by_unit=units, currency=currency)


def _arm(params: StrategyReview) -> list[str]:
    return ["arm"] if len(params.challengers) > 1 else []
