"""The decision of portfolio and flow: escalate, watch or leave alone, and what the coming months bring, in the language of the page."""

from typing import Any

import pandas as pd

from collect_analysis.methods.evidence import Condition
from collect_analysis.methods.forecast.control_band import FEWEST_MONTHS
from collect_analysis.portfolio.portfolio_flow.decision import FlowVerdict
from collect_analysis.portfolio.portfolio_flow.page import bucket_name, product_names
from collect_analysis.portfolio.portfolio_flow.study import CASH, PROVISION, Review
from collect_analysis.report.conditions import causes, sentences
from collect_analysis.report.recording import Decision
from collect_analysis.report.texts import formats, phrase, say

FIRST_NAMED, FIRST_LISTED = 3, 8
# From this share of cures on that left before they were followed, the share that lasted is mostly a guess.
MOST_LEFT = 0.5


def decision_of(review: Review, verdict: FlowVerdict, *, money: pd.DataFrame, cures: pd.DataFrame, found: list[Condition]) -> Decision:
    """What the month asks of whom. `money` of `Review.money`, `cures` of `Review.cures`, `found` its conditions, not yet worded."""
    lang, params = review.params.lang, review.params
    month = f"{params.period_end:%m/%Y}"
    blocked = review.refused
    parts = (
        [say("answer_refuse_not_answerable", lang, why=causes(found, lang))]
        if blocked
        else [*_acting(review, verdict, month), *_moving(review), *_coming(review, money)]
    )
    named = [_named(review, row) for row in _rows(verdict.rows.head(FIRST_LISTED))]
    standing = verdict.rows["standing"].head(FIRST_LISTED).tolist()
    action: dict[str, object] = {}
    if not blocked:
        for code in ("escalate", "watch"):
            chosen = [name for name, stood in zip(named, standing, strict=True) if stood == code]
            action |= {f"flow_{code}": chosen} if chosen else {}
    return Decision(
        question=say("flow_question", lang, month=month),
        answer=" ".join(parts),
        confidence=_confidence(review, found),
        grade=review.grade,
        caveats=_caveats(review, verdict, cures, found),
        forecast={} if blocked else _forecast(review, money),
        action=action,
    )


def _acting(review: Review, verdict: FlowVerdict, month: str) -> list[str]:
    lang, rows = review.params.lang, verdict.rows
    if verdict.answer == "unknown":
        most = int(review.product_bands["months_used"].max()) if len(review.product_bands) else 0
        return [say("flow_answer_unknown", lang, month=month, months=most, least=FEWEST_MONTHS)]
    if verdict.answer == "quiet":
        return [say("flow_answer_quiet", lang, month=month, judged=verdict.judged)]
    chosen = rows[rows["standing"] == verdict.answer]
    first = "; ".join(_named(review, row) for row in _rows(chosen.head(FIRST_NAMED)))
    beyond = _money(float(chosen["beyond_minor"].sum()), review)
    return [say(f"flow_answer_{verdict.answer}", lang, month=month, count=len(chosen), judged=verdict.judged, first=first, money=beyond)]


def _named(review: Review, row: dict[str, Any]) -> str:
    lang, params = review.params.lang, review.params
    return say(
        f"flow_named_{row['rate']}",
        lang,
        product=product_names(review.book, lang)(row["product_code"]),
        bucket=bucket_name(row["from"], params),
        value=formats.share(row["value"], lang),
        centre=formats.share(row["centre"], lang),
    )


def _moving(review: Review) -> list[str]:
    """Of a hundred accounts of the first overdue bucket that holds enough: how many rolled on, how many were cured, last month."""
    rates = review.last_rates()
    rates = rates[(rates["from"] != "0") & (rates["denominator"] >= review.params.few_accounts)]
    first = rates.sort_values("from", key=lambda column: column.astype(int)).head(2).set_index("rate")
    if not {"rolled", "cured"} <= set(first.index):
        return []
    values = first["value"].astype(float).to_dict()
    numbers = {rate: formats.share(values[rate], review.params.lang) for rate in ("rolled", "cured")}
    bucket = bucket_name(first["from"].iloc[0], review.params)
    return [say("flow_answer_moving", review.params.lang, bucket=bucket, **numbers)]


def _coming(review: Review, money: pd.DataFrame) -> list[str]:
    lang, told = review.params.lang, money[money["note"] == ""]
    said = []
    cash = told[told["state"] == CASH].sort_values("step").head(1)
    if len(cash):
        expected, numbers = float(review.expected["value"].iloc[0]), _numbers(cash.iloc[0], review)
        known = expected == expected
        words = {"expected": _money(expected, review)} if known else {}
        said.append(say("flow_answer_cash_expected" if known else "flow_answer_cash", lang, **words, **numbers))
    held = told[told["state"] == PROVISION].sort_values("step")
    if len(held) > 1:
        first, last = held.iloc[0], held.iloc[-1]
        said.append(
            say(
                "flow_answer_provision", lang, now=_money(float(first["value"]), review), months=int(last["step"]), **_numbers(last, review)
            )
        )
    return said


def _numbers(row: pd.Series, review: Review) -> dict[str, str]:
    return {name: _money(float(row[name]), review) for name in ("value", "low", "high")}


def _confidence(review: Review, found: list[Condition]) -> str:
    lang = review.params.lang
    if review.refused:
        return say("flow_confidence_blocked", lang)
    tried = next((item for item in found if item.name == "flow_forecasts_hold"), None)
    if tried is None:
        return say("flow_confidence_untried", lang)
    covered, promised = tried.details["covered_share"], tried.details["promised_share"]
    numbers = {
        "covered": formats.share(float(str(covered)), lang, digits=0),
        "promised": formats.share(float(str(promised)), lang, digits=0),
    }
    return say("flow_confidence_held" if tried.met else "flow_confidence_missed", lang, **numbers)


def _caveats(review: Review, verdict: FlowVerdict, cures: pd.DataFrame, found: list[Condition]) -> tuple[str, ...]:
    lang = review.params.lang
    unmet = [item for item in found if not item.met]
    said = sentences(unmet, lang)
    if len(verdict.rows):
        chance = formats.number(verdict.by_chance, lang, digits=1)
        said.append(say("flow_caveat_chance", lang, judged=verdict.judged, by_chance=chance))
    whole = cures[(cures["scope_type"] == "all") & (cures["numerator"] > 0)]
    if len(whole) and float(whole["left"].iloc[0]) > MOST_LEFT * float(whole["numerator"].iloc[0]):
        gone = float(whole["left"].iloc[0]) / float(whole["numerator"].iloc[0])
        share = formats.share(gone, lang, digits=0)
        said.append(say("flow_caveat_left", lang, share=share, months=review.windows.sustained_months))
    if review.no_groups:
        said.append(say("flow_caveat_groups", lang, reason=phrase(review.no_groups, lang)))
    return (*said, say("flow_caveat_raw", lang))


def _forecast(review: Review, money: pd.DataFrame) -> dict[str, object]:
    """What can be held against the truth in a month: cash, and the accounts of the last bucket."""
    told = money[(money["note"] == "") & (money["state"] == CASH) & (money["step"] == 1)]
    forecast: dict[str, object] = {}
    if len(told):
        row = told.iloc[0]
        forecast = {"flow_forecast_month": row["month"], "flow_forecast_cash_minor": float(row["value"])}
        forecast |= {"flow_forecast_low_minor": float(row["low"]), "flow_forecast_high_minor": float(row["high"])}
    top = review.projection()
    last = top[(top["step"] == 1) & (top["state"] == str(review.params.top_bucket)) & top["value"].notna()]
    if len(last):
        forecast["flow_forecast_top"] = [round(float(last[name].iloc[0])) for name in ("low", "value", "high")]
    return forecast


def _rows(table: pd.DataFrame) -> list[dict[Any, Any]]:
    return table.to_dict("records")


def _money(value: float, review: Review) -> str:
    return formats.money(value, review.book.currency, review.params.lang, compact=True)
