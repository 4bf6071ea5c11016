"""The season of a month: planted effects of days, shrinkage, and a salary day that moves no month."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from collect_analysis.methods.forecast import season
from collect_analysis.methods.forecast.season import EFFECTS, PARTS

TRUE = {"free_day": -0.5, "salary_day": 0.6, "before_new_year": 0.4, "at_new_year": -1.5, "after_new_year": -0.4}
NEW_YEARS = [date(2024, 2, 10), date(2025, 1, 29), date(2026, 2, 17)]


def days(first: str = "2023-07-01", last: str = "2026-06-30", *, noise: float = 0.15, seed: int = 1) -> pd.DataFrame:
    dates = pd.date_range(first, last)
    offset = [min(((day.date() - new).days for new in NEW_YEARS), key=abs) for day in dates]
    table = pd.DataFrame({"date": dates.date, "working_day": dates.day_of_week < 5, "salary_window": dates.day.isin(range(5, 11)),
                          "tet_offset": offset})  # fmt: skip
    kinds = season.day_kinds(table)
    log = sum(kinds[name] * TRUE[name] for name in EFFECTS)
    rng = np.random.default_rng(seed)
    return kinds.assign(cash=1e6 * np.exp(log + rng.normal(0, noise, len(kinds))))


def test_planted_effects_of_days_are_found() -> None:
    found = season.day_effects(days())
    for name, true in TRUE.items():
        assert abs(found.effect[name] - true) < 4 * max(found.se[name], 0.02), name


def test_scaling_all_cash_changes_no_effect() -> None:
    table = days("2025-01-01", "2025-12-31")
    once, thousandfold = season.day_effects(table), season.day_effects(table.assign(cash=1000 * table["cash"]))
    assert thousandfold.effect == pytest.approx(once.effect, rel=1e-6)


def test_parts_of_the_calendar_multiply_to_the_whole() -> None:
    table = days("2025-01-01", "2025-12-31")
    effects = season.day_effects(table)
    parts = season.month_parts(table, effects)
    whole = np.exp(sum(table[name] * effects.effect[name] for name in EFFECTS)).groupby(table["month"]).mean()
    assert np.exp(parts[list(PARTS)].sum(axis=1)).to_numpy() == pytest.approx(whole.to_numpy())


def test_what_moves_the_month_is_told_from_what_only_moves_days() -> None:
    table = days()
    effects = season.day_effects(table)
    parts = season.month_parts(table, effects)
    rng = np.random.default_rng(2)
    # The new year moves money between months; working and salary days do not.
    ratio = pd.Series((parts["lunar_new_year"] + rng.normal(0, 0.02, len(parts))).to_numpy(), index=parts["month"])
    fit = season.fit_season(season.relative_parts(parts, ratio, window=12), effects)
    assert fit.moves["lunar_new_year"] == pytest.approx(1.0, abs=0.1)
    assert fit.moves["working_days"] < 0.5
    assert fit.left == pytest.approx(0.02, rel=0.5)
    assert all(0 <= value <= 1 for value in fit.moves.values())


def test_a_short_history_keeps_no_factor() -> None:
    table = days("2025-09-01", "2025-12-31")
    effects = season.day_effects(table)
    parts = season.month_parts(table, effects)
    ratio = pd.Series(0.01 * np.arange(len(parts)), index=parts["month"])
    fit = season.fit_season(season.relative_parts(parts, ratio, window=12, least=1), effects)
    assert set(fit.moves.values()) == {0.0}
    assert season.season_factors(parts, fit)["season"].tolist() == [1.0] * len(parts)


def test_no_cash_has_no_effects() -> None:
    found = season.day_effects(days("2025-01-01", "2025-02-28").assign(cash=0.0))
    assert set(found.effect.values()) == {0.0}
