"""At 200,000 accounts the planted effects are large enough to be found, checked on the simulated months without writing the tables."""

from datetime import date

import numpy as np
import pytest
from collect_analysis.book.sample.assigning import AA, MINUTES, PAYER, TIMING
from collect_analysis.book.sample.days import span_of
from collect_analysis.book.sample.people import make_people
from collect_analysis.book.sample.plants import AGENCY_SKILL
from collect_analysis.book.sample.simulation import Simulation
from collect_analysis.book.sample.workforce import make_workforce

ACCOUNTS = 200_000


@pytest.fixture(scope="module")
def shop() -> Simulation:
    span = span_of(date(2026, 6, 30), 24)
    streams = np.random.default_rng(7).spawn(3)
    simulation = Simulation(make_people(ACCOUNTS, span, streams[0]), make_workforce(ACCOUNTS, span, streams[1]), span, streams[2])
    simulation.run()
    return simulation


def cash_within(shop: Simulation, days: int) -> np.ndarray:
    paid, day = shop.history.payments.joined(), shop.assignments.day
    age = paid["day"] - day[paid["account"]]
    inside = (day[paid["account"]] >= 0) & (age >= 0) & (age <= days)
    return np.bincount(paid["account"][inside], paid["amount"][inside], minlength=shop.people.count)


def z_of(shop: Simulation, experiment: int, days: int, metric: str, effect: float) -> float:
    """How many standard errors the challenger's relative gain lies from `effect`."""
    cash = cash_within(shop, days)
    values = (cash > 0).astype(float) if metric == "payer" else cash
    arms = [values[(shop.assignments.experiment == experiment) & (shop.assignments.arm == arm)] for arm in (0, 1)]
    means, errors = [arm.mean() for arm in arms], [arm.std() / np.sqrt(len(arm)) for arm in arms]
    ratio = means[1] / means[0]
    return float((ratio - 1 - effect) / (ratio * np.hypot(errors[0] / means[0], errors[1] / means[1])))


def test_thirty_thousand_accounts_are_in_each_arm_of_exp_payer(shop) -> None:
    sizes = np.bincount(shop.assignments.arm[shop.assignments.experiment == PAYER])
    assert sizes == pytest.approx([30_000, 30_000], rel=0.02)


@pytest.mark.parametrize(
    ("experiment", "days", "metric", "effect", "stands_out"),
    [
        (PAYER, 90, "payer", 0.08, 2.0),
        (PAYER, 180, "payer", 0.08, 2.5),
        (TIMING, 30, "cash", 0.15, 2.0),
        (TIMING, 180, "cash", 0.0, 0.0),
        (MINUTES, 90, "payer", 0.08, 2.0),
        (AA, 90, "payer", 0.0, 0.0),
    ],
)
def test_an_effect_stands_out_where_there_is_one(shop, experiment: int, days: int, metric: str, effect: float, stands_out: float) -> None:
    assert abs(z_of(shop, experiment, days, metric, effect)) < 3
    if stands_out:
        assert z_of(shop, experiment, days, metric, 0.0) > stands_out


def test_agencies_stand_apart_within_strata_and_the_raw_order_is_upside_down(shop) -> None:
    table, paid = shop.placements.table(), shop.history.payments.joined()
    old = table["month"] <= shop.span.months - 6
    start, end = shop.span.first[table["month"]], np.where(table["to_day"] > 0, table["to_day"], shop.span.end + 1)
    order = np.argsort(paid["account"], kind="stable")
    account, day, amount = (paid[name][order] for name in ("account", "day", "amount"))
    low = np.searchsorted(account, table["account"], side="left")
    high = np.searchsorted(account, table["account"], side="right")
    came = np.zeros(len(low), dtype=bool)
    money = np.zeros(len(low))
    for step in range(int((high - low).max())):
        has = low + step < high
        at = np.minimum(low + step, len(day) - 1)
        hit = has & (day[at] >= start) & (day[at] < end)
        came |= hit
        money += np.where(hit, amount[at], 0)
    agency, stratum = table["agency"][old], table["stratum"][old]
    rate = np.bincount(stratum, came[old], minlength=100) / np.maximum(np.bincount(stratum, minlength=100), 1)
    index = np.bincount(agency, came[old]) / np.bincount(agency, rate[stratum])
    raw = np.bincount(agency, money[old]) / np.bincount(agency, table["balance"][old])
    skill = np.array(list(AGENCY_SKILL.values()))

    def ranks(values: np.ndarray) -> np.ndarray:
        return np.argsort(np.argsort(values))

    assert np.corrcoef(ranks(index), ranks(skill))[0, 1] > 0.7
    assert np.corrcoef(ranks(raw), ranks(skill))[0, 1] < -0.7


def test_the_monthly_amount_of_an_officer_is_as_reliable_as_planned(shop) -> None:
    tele = np.flatnonzero((shop.staff.officer_unit >= 1) & (shop.staff.officer_unit <= 6))
    index = shop.history.collected_officer[:, tele] / shop.history.expected_officer[:, tele]
    between = np.corrcoef(index)[np.triu_indices(len(index), 1)].mean()
    assert between == pytest.approx(0.45, abs=0.06)
    assert len(shop.staff.officer_unit) == 300
