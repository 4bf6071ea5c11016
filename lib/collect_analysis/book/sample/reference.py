"""Tables that govern the work: calendar, tariffs, law, rule sets, experiments, codes, feeds."""

import hashlib
from datetime import date

import numpy as np

from collect_analysis.book.sample import files
from collect_analysis.book.sample.days import SALARY_DAYS, Span, day_of, holidays, is_working_day, number, tet_offset
from collect_analysis.book.sample.labels import LABELS
from collect_analysis.book.sample.people import PRODUCTS, REGIONS
from collect_analysis.book.sample.plants import EXPERIMENTS, PLANTS

HOLE_PRODUCT, HOLE_FROM, HOLE_TO = "consumer_loan", 30, 31
SEGMENT_RULES, VISIT_RULES, ROLLOUT_RULES = "segments-sample", "visits-sample", "early-offer-sample"
TARIFFS = (
    ("channel-2024", "channel_event", "call", 0, 350, None),
    ("channel-2024", "channel_event", "voicebot", 0, 250, None),
    ("channel-2024", "channel_event", "sms", 0, 450, None),
    ("channel-2024", "channel_event", "app", 0, 20, None),
    ("channel-2024", "channel_event", "email", 0, 30, None),
    ("channel-2024", "channel_event", "letter", 0, 18_000, None),
    ("channel-2024", "channel_event", "visit", 0, 60_000, None),
    ("minutes-2024", "officer_minute", "soft", 0, 900, None),
    ("minutes-2024", "officer_minute", "tele", 0, 1_100, None),
    ("minutes-2024", "officer_minute", "field", 0, 1_500, None),
    ("commission-2024", "commission", "collected", 0, None, 0.18),
    ("commission-2024", "commission", "collected", 3, None, 0.22),
    ("commission-2024", "commission", "collected", 6, None, 0.26),
    ("tax-2024", "tax", "vat", 0, None, 0.10),
)
LAW = (
    ("FREQ_DAY", 5.0, None, None, "policy"),
    ("HOURS", None, "07:00:00", "21:00:00", "policy"),
    ("PARTY", None, None, None, "hard"),
    ("RECALL", None, None, None, "hard"),
)
LAW_SOURCE = (
    "Circular 43/2016/TT-NHNN, Article 7(2)(đ), as amended by Circular 18/2019/TT-NHNN, in force from 2020-01-01; binds finance companies, "
    "adopted here as company policy"
)
LAW_FROM, LAW_CHECKED_DAYS_BEFORE_END = date(2020, 1, 1), 45


def calendar_columns(span: Span) -> dict[str, object]:
    """Table `calendar`: half a year before the first month to half a year after the last."""
    listed = [day_of(value) for value in range(span.start - 184, span.end + 185)]
    return {
        "date": files.days(np.array([number(day) for day in listed])),
        "working_day": [is_working_day(day) for day in listed],
        "holiday": [holidays(day.year).get(day) for day in listed],
        "tet_offset": [tet_offset(day) for day in listed],
        "salary_window": [SALARY_DAYS[0] <= day.day <= SALARY_DAYS[1] for day in listed],
    }


def tariff_columns(span: Span) -> dict[str, object]:
    """Table `tariff`: prices of channels and minutes, commission by months on placement, tax."""
    names, kinds, items, tiers, amounts, rates = zip(*TARIFFS, strict=True)
    count = len(TARIFFS)
    return {
        "tariff_id": list(names),
        "kind": list(kinds),
        "item": list(items),
        "tier_from": [float(tier) for tier in tiers],
        "valid_from": files.days(np.full(count, span.start - 366)),
        "amount_minor": list(amounts),
        "rate": list(rates),
        "currency": ["VND"] * count,
    }


def legal_param_columns(span: Span) -> dict[str, object]:
    """Table `legal_param`: the Vietnamese set."""
    rules, limits, starts, ends, severities = zip(*LAW, strict=True)
    count = len(LAW)
    return {
        "set_id": ["VN-FC"] * count,
        "rule_id": list(rules),
        "scope_from": files.days(np.full(count, number(LAW_FROM))),
        "limit_value": list(limits),
        "window_from": list(starts),
        "window_to": list(ends),
        "severity": list(severities),
        "source": [LAW_SOURCE] * count,
        "verified_on": files.days(np.full(count, span.end - LAW_CHECKED_DAYS_BEFORE_END)),
    }


def ruleset_columns(span: Span, start: np.ndarray) -> dict[str, object]:
    """Table `ruleset`: segments with a hole for one product, the visit rule and its companion, the regions of the roll-out."""
    rows = [*_segment_rows(span), *_visit_rows(span), *_rollout_rows(span, start)]
    names = ("ruleset_id", "rule_id", "product_code", "dpd_min", "dpd_max", "balance_min_minor", "segment", "unit_key", "from", "rationale")
    columns: dict[str, object] = {name: [row[place] for row in rows] for place, name in enumerate(names) if name != "from"}
    columns["seq"] = files.whole(np.arange(1, len(rows) + 1))
    columns["effective_from"] = files.days(np.array([row[8] for row in rows]))
    return columns


def _segment_rows(span: Span) -> list[tuple]:
    bands = (
        (0, 0, "CURRENT", "soft-1"),
        (1, 30, "EARLY", "soft-1"),
        (31, 60, "MIDDLE", None),
        (61, 180, "LATE", None),
        (181, 9999, "AGED", None),
    )
    rows = []
    for product in PRODUCTS:
        for low, high, segment, unit in bands:
            # The boundary of one product was moved on both sides: nobody owns days 30 and 31.
            first = HOLE_TO + 1 if product == HOLE_PRODUCT and low == 31 else low
            last = HOLE_FROM - 1 if product == HOLE_PRODUCT and high == 30 else high
            rule = f"{product}-{segment}".upper().replace("_", "-")
            rows.append((SEGMENT_RULES, rule, product, first, last, None, segment, unit, span.start, "Segments by days past due"))
    return rows


def _visit_rows(span: Span) -> list[tuple]:
    cut = PLANTS.visit_cut_off_minor
    return [
        (VISIT_RULES, "FIELD-CARD", "card", 31, 180, cut, "field_visit", None, span.start, "Visit where the balance pays for it"),
        (VISIT_RULES, "FIELD-CASH-LOAN", "cash_loan", 31, 180, cut, "field_visit", None, span.start, "Visit where the balance pays for it"),
        (VISIT_RULES, "OFFER-CASH-LOAN", "cash_loan", 31, 180, cut, "discount_offer", None, span.start, "Discount offer on larger loans"),
    ]


def _rollout_rows(span: Span, start: np.ndarray) -> list[tuple]:
    return [
        (ROLLOUT_RULES, f"REGION-{code}".upper(), None, 31, 9999, None, "early_offer", None, int(span.first[month]), "Roll-out by region")
        for code, month in zip(REGIONS, start, strict=True)
        if month >= 0
    ]


def experiment_columns(first_day: dict[str, int], last_day: dict[str, int]) -> dict[str, object]:
    """Table `experiment`: two arms of equal share each."""
    plans = [plan for plan in EXPERIMENTS for _ in range(2)]
    return {
        "experiment_id": [plan.experiment_id for plan in plans],
        "arm": ["champion", "challenger"] * len(EXPERIMENTS),
        "role": ["champion", "challenger"] * len(EXPERIMENTS),
        "share": [0.5] * len(plans),
        "salt": [f"salt-{plan.experiment_id}" for plan in plans],
        "unit_of_assignment": ["customer"] * len(plans),
        "starts_on": files.days(np.array([first_day[plan.experiment_id] for plan in plans])),
        "ends_on": files.days(np.array([last_day[plan.experiment_id] for plan in plans])),
        "horizon_days": files.whole(np.array([plan.horizon_days for plan in plans])),
        "primary_metric": ["cash_per_account" if plan.early_cash_effect else "payer_rate" for plan in plans],
        "margin": [plan.margin for plan in plans],
        # What was declared before the first assignment, so that a later change of it would show.
        "prereg_hash": [hashlib.sha256(repr((plan.experiment_id, plan.horizon_days, plan.margin)).encode()).hexdigest() for plan in plans],
    }


def code_columns() -> dict[str, object]:
    """Table `code`: labels in two languages."""
    return {
        "list": [row[0] for row in LABELS],
        "code": [row[1] for row in LABELS],
        "label_en": [row[2] for row in LABELS],
        "label_vi": [row[3] for row in LABELS],
    }
