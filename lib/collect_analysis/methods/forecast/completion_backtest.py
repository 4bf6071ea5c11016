"""How good a month-end forecast has been: every past month and working day, with the months before it only."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from collect_analysis.methods.forecast.completion import TET_SPREAD, Curve, Months, fit_curve, forecast, naive
from collect_analysis.methods.rates.levels import BAND, CONFIDENCE, FEWEST_MONTHS

BACKTEST_COLUMNS = (
    "month", "working_day", "working_days", "date_number", "complete", "paid_minor", "actual_minor", "forecast_minor", "naive_minor",
    "prior_minor", "low80_minor", "high80_minor", "low95_minor", "high95_minor", "tet",
)  # fmt: skip
STAGE_COLUMNS = ("stage", "months", "days", "mape", "naive_mape", "prior_mape", "bias", "covered80", "covered95")
# Stages of a month by the share of its working days that is gone.
STAGES = (("first_quarter", 0.25), ("second_quarter", 0.5), ("third_quarter", 0.75), ("last_quarter", 1.0))


def backtest(months: Months, *, fewest: int = FEWEST_MONTHS, towards: Curve | None = None, tet_spread: float = TET_SPREAD) -> pd.DataFrame:
    """What would have been forecast on each working day of each past month, from the months before it alone?

    One row per month from the `fewest`+1-th on and working day but the last (there the forecast is the cash). Columns: `BACKTEST_COLUMNS`
    (date_number: day of the month; tet: the month holds weeks around the lunar new year).
    """
    rows = []
    for place in range(fewest, len(months.names)):
        past, month = months.only(slice(0, place)), months.only([place])
        actual = float(month.totals[0])
        if (past.totals > 0).sum() < fewest or actual <= 0:
            continue
        curve = fit_curve(past, towards=towards)
        days = np.flatnonzero(month.workday[0])
        for number, day in enumerate(days[:-1], start=1):
            made = forecast(past, month, day=int(day) + 1, curve=curve, tet_spread=tet_spread)
            low80, high80 = made.interval(BAND)
            low95, high95 = made.interval(CONFIDENCE)
            numbers = (
                made.complete,
                made.paid,
                actual,
                made.value,
                naive(month, day=int(day) + 1),
                made.prior,
                low80,
                high80,
                low95,
                high95,
            )
            tet = bool(month.x[0][:, month.tet_features].any())
            rows.append((month.names[0], number, len(days), int(day) + 1, *numbers, tet))
    return pd.DataFrame(rows, columns=list(BACKTEST_COLUMNS))


def by_stage(tested: pd.DataFrame) -> pd.DataFrame:
    """How far off were the forecasts, and how often did the bands hold, by quarter of the month and in all?

    mape, naive_mape, prior_mape: mean absolute error over the actual; bias: mean of forecast/actual - 1; covered80, covered95: shares of days
    whose band held the actual. Days of a month hang together: `months` is the number of independent cases. Columns: `STAGE_COLUMNS`.
    """
    gone = tested["working_day"] / tested["working_days"]
    edges = [0.0, *(edge for _, edge in STAGES)]
    parts: list[tuple[str, pd.DataFrame]] = [
        (name, tested[(gone > low) & (gone <= high)]) for (name, high), low in zip(STAGES, edges[:-1], strict=True)
    ]
    parts += [("tet_months", tested[tested["tet"]]), ("all", tested)]
    return pd.DataFrame([_stage(name, part) for name, part in parts if len(part)], columns=list(STAGE_COLUMNS))


def _stage(name: str, part: pd.DataFrame) -> Sequence[object]:
    actual = part["actual_minor"]
    off = {column: (part[f"{column}_minor"] / actual - 1) for column in ("forecast", "naive", "prior")}
    held = [float(((part[f"low{level}_minor"] <= actual) & (actual <= part[f"high{level}_minor"])).mean()) for level in (80, 95)]
    errors = [float(off[column].abs().mean()) for column in ("forecast", "naive", "prior")]
    return (name, int(part["month"].nunique()), len(part), *errors, float(off["forecast"].mean()), *held)


def unusual_days(months: Months, curve: Curve, *, beyond: float) -> pd.DataFrame:
    """Which days brought far more or less than their month and kind of day let expect?

    z = (cash - expected)/sqrt(dispersion x expected), expected = the month's cash so far x the day's share of the days so far; listed where
    |z| > `beyond`. Columns: month, date_number, cash_minor, expected_minor, z. In order of days.
    """
    known = months.inside & np.isfinite(months.cash)
    shares = np.where(known, curve.shares(months), 0.0)
    gone = shares.sum(axis=1, keepdims=True)
    expected = months.totals[:, None] * np.divide(shares, gone, out=np.zeros_like(shares), where=gone > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(expected > 0, (np.nan_to_num(months.cash) - expected) / np.sqrt(curve.dispersion * expected), 0.0)
    where = np.argwhere(known & (np.abs(z) > beyond))
    rows = [(months.names[row], int(day) + 1, months.cash[row, day], expected[row, day], z[row, day]) for row, day in where]
    return pd.DataFrame(rows, columns=["month", "date_number", "cash_minor", "expected_minor", "z"])
