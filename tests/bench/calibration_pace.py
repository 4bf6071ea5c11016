"""How often does the band of a month-end forecast hold the month's cash? Simulated shops, forecast on four days of the month after 23 others.

A shop's cash: heavy-tailed tickets, salary days, weekends, a level that wanders from month to month, and a rhythm that is not quite the same
in any two months. Tet months: the factors of the weeks around the new year are drawn anew each year around the true ones.
"""

import sys
from datetime import date

import numpy as np
import pandas as pd
from collect_analysis.measures.pace_days import features
from collect_analysis.methods.forecast.completion import Months, fit_curve, forecast, months_of, naive
from collect_analysis.methods.rates.rates import wilson_interval

FIRST, LAST = date(2024, 7, 1), date(2026, 6, 30)
TET = (date(2025, 1, 29), date(2026, 2, 17))
SHARES = (0.2, 0.4, 0.65, 0.9)
TICKETS, TICKET_SPREAD, LEVEL_STEP, RHYTHM = 6000, 1.2, 0.04, 0.05
TET_FACTORS = {"tet_before_2": 1.4, "tet_before_1": 1.5, "tet_week": 0.2, "tet_after_1": 0.65, "tet_after_2": 0.75}
TET_BETWEEN_YEARS = 0.2
LEVELS = (0.8, 0.95)


def calendar() -> pd.DataFrame:
    """The days of two years with two new years, as `measures.pace_days.calendar_days` gives them."""
    days = pd.DataFrame({"date": pd.date_range(FIRST, LAST)})
    offsets = np.stack([(days["date"] - pd.Timestamp(new_year)).dt.days for new_year in TET])
    days["tet_offset"] = offsets[np.abs(offsets).argmin(axis=0), np.arange(len(days))].astype(float)
    days["holiday"] = days["tet_offset"].between(-1, 3)
    days["working_day"] = (days["date"].dt.day_of_week < 5) & ~days["holiday"]
    days["salary_window"] = days["date"].dt.day.between(5, 10)
    return days.assign(listed=True)


def weights(days: pd.DataFrame, featured: pd.DataFrame, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Weight of each day with Tet, drawn anew each year, and without; each day a little off."""
    plain = np.where(days["date"].dt.day_of_week == 5, 0.7, np.where(days["date"].dt.day_of_week == 6, 0.45, 1.0))
    plain = plain * np.where(days["salary_window"], 2.2, 1.0) * np.where(days["holiday"], 0.4, 1.0)
    plain = plain * np.where(featured["closing"] + featured["closing_last"] > 0, 1.35, 1.0) * np.exp(rng.normal(0, RHYTHM, len(days)))
    year = days["date"].dt.year.to_numpy() - FIRST.year - 1
    moved = plain.copy()
    for name, factor in TET_FACTORS.items():
        drawn = np.exp(rng.normal(0, TET_BETWEEN_YEARS, 3)) * factor
        moved *= np.where(featured[name] > 0, drawn[year], 1.0)
    return moved, plain


def shop(days: pd.DataFrame, featured: pd.DataFrame, rng: np.random.Generator) -> Months:
    """One shop's months of cash: a month brings its level whatever its number of days, and Tet moves and takes cash."""
    month = featured["month"].map({name: place for place, name in enumerate(sorted(set(featured["month"])))}).to_numpy()
    moved, plain = weights(days, featured, rng)
    level = np.exp(np.cumsum(rng.normal(0, LEVEL_STEP, month.max() + 1)))
    tickets = rng.poisson(TICKETS * level[month] * moved / np.bincount(month, plain)[month])
    sums = np.array([np.exp(rng.normal(0, TICKET_SPREAD, count)).sum() for count in tickets])
    return months_of(featured.assign(cash_minor=np.round(sums * 1e6)))


def one(months: Months, place: int) -> list[tuple[float, list[bool], float, float]]:
    """Forecasts of month `place` from those before it: share gone, whether each band holds, error, error of the naive rule."""
    past, month = months.only(slice(0, place)), months.only([place])
    curve, actual = fit_curve(past), float(month.totals[0])
    gone = curve.complete(month)[0]
    rows = []
    for share in SHARES:
        day = int(np.argmax(gone >= share)) + 1
        made = forecast(past, month, day=day, curve=curve)
        held = [bool(low <= actual <= high) for low, high in (made.interval(level) for level in LEVELS)]
        rows.append((share, held, abs(made.value / actual - 1), abs(naive(month, day=day) / actual - 1)))
    return rows


def run(replications: int, seed: int) -> pd.DataFrame:
    """Coverage by kind of month, share gone and level: case, level, replications, covered, low, high (Wilson), mape, naive_mape."""
    rng = np.random.default_rng(seed)
    days = calendar()
    featured = features(days)
    found: dict[tuple[str, float], list[tuple[list[bool], float, float]]] = {}
    for _ in range(replications):
        months = shop(days, featured, rng)
        for kind, place in (("plain month", 23), ("Tet month, one Tet seen", 19)):
            for share, held, error, naive_error in one(months, place):
                found.setdefault((kind, share), []).append((held, error, naive_error))
    rows = []
    for (kind, share), items in found.items():
        for number, level in enumerate(LEVELS):
            covered = sum(held[number] for held, _, _ in items)
            low, high = (float(bound[0]) for bound in wilson_interval([covered], [replications]))
            errors = (float(np.mean([error for _, error, _ in items])), float(np.mean([error for _, _, error in items])))
            rows.append((f"{kind}, {share:.0%} gone", level, replications, covered / replications, low, high, *errors))
    return pd.DataFrame(rows, columns=["case", "level", "replications", "covered", "low", "high", "mape", "naive_mape"])


def main() -> None:
    """Print the table of 300 replications, or of as many as the last argument says."""
    print(run(int(sys.argv[-1]) if sys.argv[-1].isdigit() else 300, seed=1).to_string(index=False))


if __name__ == "__main__":
    main()
