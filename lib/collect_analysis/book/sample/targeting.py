"""Table `target`: plans for money from the expected recovery, from officers up, and for a few rates."""

import numpy as np

from collect_analysis.book.sample import files
from collect_analysis.book.sample.days import Span
from collect_analysis.book.sample.history import History
from collect_analysis.book.sample.people import PORTFOLIOS
from collect_analysis.book.sample.workforce import SUB_FUNCTIONS, UNIT_KIND, UNITS, Workforce

STRETCH, ROUND_MINOR = 1.04, 100_000
P50_OF_TARGET, P80_OF_TARGET = 1 / STRETCH, 1.08 / STRETCH
# Targets of rates: for the company, and for the units of each sub-function (None: no target).
RATE_TARGETS: dict[str, tuple[float, dict[str, float | None]]] = {
    "C4": (0.12, {"soft": 0.22, "tele": 0.11, "field": 0.22, "legal": None, "agency": 0.11}),
    "C8": (0.40, {"soft": 0.62, "tele": 0.36, "field": 0.46, "legal": None, "agency": 0.33}),
    "R9": (0.085, {"soft": 0.27, "tele": 0.065, "field": 0.047, "legal": None, "agency": 0.042}),
}
SCOPES = ("company", "portfolio", "sub_function", "unit", "officer")


def money_plans(history: History, staff: Workforce) -> tuple[np.ndarray, np.ndarray]:
    """Target of every officer and unit by month; a unit is the sum of its officers and of what no officer holds."""
    officer = np.round(history.expected_officer * STRETCH / ROUND_MINOR).astype(np.int64) * ROUND_MINOR
    own = np.zeros(history.expected_unit.shape)
    sums = np.zeros(history.expected_unit.shape, dtype=np.int64)
    for unit in range(len(UNITS)):
        mine = staff.officer_unit == unit
        own[:, unit] = history.expected_unit[:, unit] - history.expected_officer[:, mine].sum(axis=1)
        sums[:, unit] = officer[:, mine].sum(axis=1)
    alone = np.maximum(np.round(own * STRETCH / ROUND_MINOR), 0).astype(np.int64) * ROUND_MINOR
    return officer, sums + alone


def target_columns(history: History, staff: Workforce, span: Span, officer_keys: list[str]) -> dict[str, object]:
    """Table `target`, monthly; officers add up to units, units to sub-functions, these and the portfolios to the company."""
    officer, unit = money_plans(history, staff)
    total = unit.sum(axis=1)
    sub = np.stack([unit[:, kind == UNIT_KIND].sum(axis=1) for kind in range(len(SUB_FUNCTIONS))], axis=1)
    share = history.expected_portfolio / history.expected_portfolio.sum(axis=1, keepdims=True)
    portfolio = np.floor(share * total[:, None] / ROUND_MINOR).astype(np.int64) * ROUND_MINOR
    portfolio[:, 0] += total - portfolio.sum(axis=1)
    blocks = [
        (0, ["all"], total[:, None]), (1, list(PORTFOLIOS), portfolio), (2, list(SUB_FUNCTIONS), sub), (3, list(UNITS), unit),
        (4, officer_keys, officer),
    ]  # fmt: skip
    parts = [_block(scope, keys, "R1", values) for scope, keys, values in blocks]
    flat = np.ones((span.months, 1))
    for rate, (company, by_kind) in RATE_TARGETS.items():
        aims = np.array([by_kind[SUB_FUNCTIONS[kind]] or 0.0 for kind in UNIT_KIND])
        parts += [_block(0, ["all"], rate, flat * company), _block(3, list(UNITS), rate, flat * aims[None, :])]
    scope, key, month_list, kpi, value_list = ([item for part in parts for item in part[place]] for place in range(5))
    value, month = np.array(value_list, dtype=float), np.array(month_list)
    money = np.array([code == "R1" for code in kpi])
    count = len(value)
    return {
        "scope_type": files.pick(SCOPES, np.array(scope)),
        "scope_key": key,
        "period_start": files.days(span.first[month]),
        "period_end": files.days(span.last[month]),
        "kpi": kpi,
        "version": files.whole(np.ones(count)),
        "value": files.real(value),
        "p50": files.real(np.where(money, value * P50_OF_TARGET, np.nan)),
        "p80": files.real(np.where(money, value * P80_OF_TARGET, np.nan)),
        "status": files.constant("approved", count),
        "approver_role": files.constant("director", count),
    }


def _block(scope: int, keys: list[str], kpi: str, values: np.ndarray) -> tuple[list, list, list, list, list]:
    month, place = np.nonzero(values > 0)
    size = len(month)
    return [scope] * size, [keys[item] for item in place], month.tolist(), [kpi] * size, values[month, place].tolist()
