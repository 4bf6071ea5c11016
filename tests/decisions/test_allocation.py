"""The allocation is the optimum of the written problem: hand cases, an independent solver, properties."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from collect_analysis.decisions.allocation import optimum
from collect_analysis.decisions.allocation.draw import draw
from collect_analysis.decisions.allocation.eligibility import eligible
from collect_analysis.decisions.allocation.groups import allocate_groups
from collect_analysis.decisions.allocation.optimum import Allocation, allocate
from collect_analysis.decisions.allocation.problem import Problem, of_matrix, of_tables
from collect_analysis.decisions.allocation.simple_ways import compare
from collect_analysis.decisions.allocation.views import chances, propensities, unit_table
from collect_analysis.errors import DataError
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog


def problem_of(values: list[list[float | None]], capacity: list[float | None], **more) -> Problem:
    """A small problem: accounts a0, a1, ... x units u0, u1, ...; None is not eligible."""
    least = more.pop("least", [0.0] * len(capacity))
    columns = more.pop("accounts", {})
    pairs = [(f"a{i}", f"u{j}", value) for i, row in enumerate(values) for j, value in enumerate(row) if value is not None]
    return of_tables(
        pd.DataFrame(pairs, columns=["key", "unit_key", "value_minor"]),
        pd.DataFrame({"key": [f"a{i}" for i in range(len(values))], **columns}),
        pd.DataFrame({"unit_key": [f"u{j}" for j in range(len(capacity))], "capacity": capacity, "least": least}),
        **{"min_propensity": 0.0, **more},
    )


def linear_programme(problem: Problem) -> float | None:
    """The same problem over propensities, written out and solved by HiGHS: its value with the bonus, None where it is infeasible."""
    row = np.repeat(np.arange(len(problem.keys)), problem.arms)
    stays = (problem.unit == problem.held[row]) * problem.switch_cost
    load = (problem.count * problem.load)[row]
    sums, taken = np.zeros((len(problem.keys), len(row))), np.zeros((len(problem.units), len(row)))
    sums[row, np.arange(len(row))] = 1
    taken[problem.unit, np.arange(len(row))] = load
    found = linprog(
        -(problem.value + stays) * problem.count[row],
        A_ub=np.vstack([taken[np.isfinite(problem.capacity)], -taken]),
        b_ub=np.concatenate([problem.capacity[np.isfinite(problem.capacity)], -problem.least]),
        A_eq=sums,
        b_eq=np.ones(len(problem.keys)),
        bounds=(problem.min_propensity, 1),
        method="highs",
    )
    return -found.fun if found.status == 0 else None


def kept(found: Allocation) -> None:
    """Whatever the problem: propensities sum to 1 and keep their minimum, capacities and minimums are kept, the bound lies above."""
    problem, chance = found.problem, chances(found)
    np.testing.assert_allclose(np.add.reduceat(chance, problem.start[:-1]), 1)
    assert (chance >= problem.min_propensity - 1e-12).all()
    taken = chance * np.repeat(problem.count * problem.load, problem.arms)
    used = np.bincount(problem.unit, weights=taken, minlength=len(problem.units))
    np.testing.assert_allclose(used, found.used)
    assert (used <= problem.capacity * (1 + 1e-5) + 1e-5).all()
    assert (used >= problem.least * (1 - 1e-5) - 1e-5).all()
    assert 0 <= found.gap < 1e-5


def test_two_accounts_that_want_one_place_are_placed_where_the_sum_is_highest() -> None:
    found = allocate(problem_of([[10, 9], [9, 2]], [1, 1]))
    # 9 + 9; greedy takes the 10 and is left with the 2. One more place at u0 would let a0 go there: 10 instead of 9.
    assert found.value == 18
    assert found.bound == 18
    assert dict(zip(found.problem.units, found.price, strict=True)) == {"u0": pytest.approx(1), "u1": 0}
    assert compare(found).set_index("way")["value_minor"].to_dict() == {
        "optimum": 18,
        "greedy": 12,
        "best_first": pytest.approx(15, abs=3),
        "today": 0,
    }


def test_a_minimum_propensity_is_a_mixture_of_trying_and_of_the_optimum() -> None:
    table = propensities(allocate(problem_of([[10, 9], [9, 2]], [1, 1], min_propensity=0.1)))
    assert table["propensity"].tolist() == pytest.approx([0.1, 0.9, 0.9, 0.1])
    # 0.1*10 + 0.9*9 + 0.9*9 + 0.1*2
    assert (table["accounts"] * table["value_minor"]).sum() == pytest.approx(17.4)


def test_minutes_are_what_is_scarce_where_capacity_is_in_minutes() -> None:
    # 60 minutes at u0: the field visit of a0 (60 minutes, +30) against the calls of a1 and a2 (20 minutes, +12 each): per minute calls win,
    # and the 20 minutes left take a third of a0.
    found = allocate(problem_of([[30, 0], [12, 0], [12, 0]], [60, None], capacity_unit="minutes", accounts={"load": [60, 20, 20]}))
    assert found.value == pytest.approx(12 + 12 + 30 / 3, rel=1e-6)
    assert found.price[0] == pytest.approx(30 / 60)


def test_a_minimum_of_a_unit_is_met_by_whom_it_costs_least_and_says_what_it_costs() -> None:
    found = allocate(problem_of([[10, 4], [10, 7], [10, 9]], [None, None], least=[0, 2]))
    # a1 and a2 lose 3 and 1 there; one more would have to be a0, who loses 6.
    assert found.value == 26
    assert unit_table(found)[["binding", "least_cost_minor"]].to_numpy().tolist() == [["", 0], ["least", pytest.approx(6)]]


@st.composite
def problems(draw) -> Problem:
    rows, units = draw(st.integers(1, 6)), draw(st.integers(1, 4))
    amounts = st.integers(-20, 100)
    values = [[draw(amounts) if draw(st.booleans()) else None for _ in range(units)] for _ in range(rows)]
    for at, row in enumerate(values):
        row[at % units] = draw(amounts)
    for at in range(units):
        values[at % rows][at] = draw(amounts)
    count = [draw(st.integers(1, 5)) for _ in range(rows)]
    load = [draw(st.sampled_from([1.0, 1.0, 2.5])) for _ in range(rows)]
    need = sum(n * each for n, each in zip(count, load, strict=True))
    capacity = [draw(st.one_of(st.none(), st.integers(0, int(need) + 1))) for _ in range(units)]
    least = [min(draw(st.integers(0, 3)), 3 if room is None else room) for room in capacity]
    held = [draw(st.sampled_from([None, *[f"u{j}" for j in range(units)]])) for _ in range(rows)]
    return problem_of(
        values,
        capacity,
        least=least,
        accounts={"count": count, "load": load, "held_by": held},
        min_propensity=draw(st.sampled_from([0.0, 0.05, 0.25])),
        switch_cost=draw(st.sampled_from([0.0, 3.0])),
    )


@settings(max_examples=60, deadline=None)
@given(problems())
def test_the_value_is_that_of_an_independent_solver_and_what_has_no_answer_is_refused(problem: Problem) -> None:
    expected = linear_programme(problem)
    if expected is None:
        with pytest.raises(DataError):
            allocate(problem)
        return
    found = allocate(problem)
    assert found.value + found.bonus == pytest.approx(expected, rel=1e-5, abs=1e-3)
    kept(found)


@settings(max_examples=25, deadline=None)
@given(problems(), st.integers(0, 3))
def test_one_more_place_brings_its_shadow_price_and_never_a_loss(problem: Problem, at: int) -> None:
    # Whole numbers throughout, so that the first half of a place is worth the same as the first.
    problem = replace(problem, min_propensity=0.0, load=np.ones(len(problem.keys)))
    at %= len(problem.units)
    if not np.isfinite(problem.capacity[at]) or linear_programme(problem) is None:
        return
    more = problem.capacity.copy()
    more[at] += 0.5
    before, after = allocate(problem), allocate(replace(problem, capacity=more))
    gained = after.value + after.bonus - before.value - before.bonus
    assert gained >= -1e-3
    assert gained == pytest.approx(0.5 * max(before.price[at], 0), abs=1e-3)


def test_minimums_that_use_every_account_still_have_prices_and_a_bound() -> None:
    found = allocate(problem_of([[5, 3], [8, 1], [6, 6], [2, 9]], [None, None], least=[2, 2]))
    assert found.value == 28
    kept(found)


@pytest.fixture(scope="module")
def crowd() -> Problem:
    rng = np.random.default_rng(3)
    balance = rng.lognormal(12, 1.2, 1500)
    values = balance[:, None] * 0.03 * rng.normal(1, 0.15, 12) * rng.lognormal(0, 0.3, (1500, 12))
    eligible = rng.random((1500, 12)) < 0.4
    eligible[np.arange(1500), rng.integers(0, 12, 1500)] = True
    units = pd.DataFrame({"unit_key": [f"u{j}" for j in range(12)], "capacity": rng.integers(110, 170, 12)})
    return of_matrix(values, eligible, keys=[f"k{i}" for i in range(1500)], units=units, min_propensity=0.01)


def test_prices_of_a_sample_and_pairs_added_where_missing_end_at_the_optimum(crowd: Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = allocate(crowd)
    kept(whole)
    rounds = []
    for sample, per_row in ((900, 2.0), (60, 1.0)):
        monkeypatch.setattr(optimum, "AT_ONCE", 100)
        monkeypatch.setattr(optimum, "SAMPLE_PAIRS", sample)
        monkeypatch.setattr(optimum, "PAIRS_PER_ROW", per_row)
        parts = allocate(crowd)
        kept(parts)
        rounds.append(parts.rounds)
        assert parts.value == pytest.approx(whole.value, rel=2e-6)
        assert parts.bound == pytest.approx(whole.bound, rel=2e-6)
    assert max(rounds) > 1, "a poor sample leaves pairs to be added"


def test_greedy_and_the_best_first_lose_what_the_prices_win(crowd: Problem) -> None:
    table = compare(allocate(crowd)).set_index("way")
    assert table.loc["optimum", "below_bound"] < 1e-5
    assert 0.001 < table.loc["greedy", "below_bound"] < 0.05
    assert table.loc["best_first", "below_bound"] > 2 * table.loc["greedy", "below_bound"]


def test_greedy_and_best_first_are_what_a_loop_over_pairs_does(crowd: Problem) -> None:
    problem = replace(crowd, min_propensity=0.0)
    found = allocate(problem)
    row = np.repeat(np.arange(len(problem.keys)), problem.arms)
    by_value = np.argsort(-problem.value, kind="stable")
    said = compare(found, ("greedy",)).set_index("way")["value_minor"]
    assert said["greedy"] == pytest.approx(_loop(problem, row[by_value], by_value))
    order = optimum.of_problem(problem).order
    pairs = np.concatenate([at + np.argsort(-problem.value[at:end], kind="stable") for at, end in _ends(problem, order)])
    said = compare(found, ("best_first",)).set_index("way")["value_minor"]
    assert said["best_first"] == pytest.approx(_loop(problem, row[pairs], pairs))


def _ends(problem: Problem, order: np.ndarray) -> list[tuple[int, int]]:
    return [(int(problem.start[at]), int(problem.start[at + 1])) for at in order]


def _loop(problem: Problem, rows: np.ndarray, pairs: np.ndarray) -> float:
    room, placed, value = problem.capacity.copy(), set(), 0.0
    for row, pair in zip(rows, pairs, strict=True):
        if row not in placed and room[problem.unit[pair]] >= 1:
            placed.add(row)
            room[problem.unit[pair]] -= 1
            value += problem.value[pair]
    return value


def test_the_order_of_accounts_units_and_pairs_changes_nobody() -> None:
    rng = np.random.default_rng(5)
    # Few distinct values: most of it is ties.
    pairs = pd.DataFrame(
        [(f"k{i}", f"u{j}", float(rng.integers(0, 3))) for i in range(60) for j in range(5)], columns=["key", "unit_key", "value_minor"]
    )
    accounts, units = (
        pd.DataFrame({"key": [f"k{i}" for i in range(60)]}),
        pd.DataFrame({"unit_key": [f"u{j}" for j in range(5)], "capacity": 13}),
    )

    def of(how: int | None, seed: int = 0) -> pd.DataFrame:
        tables = [table if how is None else table.sample(frac=1, random_state=how) for table in (pairs, accounts, units)]
        table = propensities(allocate(of_tables(*tables, min_propensity=0.02, seed=seed)))
        return table.sort_values(["key", "unit_key"], ignore_index=True)

    first = of(None)
    for how in (1, 2):
        pd.testing.assert_frame_equal(of(how), first)
    assert (of(None, seed=1)["propensity"] != first["propensity"]).any(), "ties fall by the seed"


def test_a_holder_keeps_the_account_unless_another_brings_more_than_the_threshold() -> None:
    accounts = {"held_by": ["u0", "u0", "u0", None], "held_days": [200, 200, 10, None]}
    values = [[100, 104], [100, 120], [100, 900], [100, 101]]
    found = allocate(problem_of(values, [None, None], accounts=accounts, switch_cost=5.0, stickiness_days=30))
    goes = propensities(found).query("propensity > 0").set_index("key")["unit_key"].to_dict()
    assert goes == {"a0": "u0", "a1": "u1", "a2": "u0", "a3": "u1"}
    assert found.problem.fixed.tolist() == [False, False, True, False]
    assert (found.value, found.bonus) == (421, 10)
    today = compare(found, ("today",)).set_index("way").loc["today"]
    assert (today["value_minor"], today["unplaced"]) == (300, 1)


def test_a_holder_that_may_not_keep_the_account_loses_it_whatever_the_days() -> None:
    accounts = {"held_by": ["u0", None], "held_days": [1, None]}
    found = allocate(problem_of([[None, 3], [1, 5]], [None, None], accounts=accounts, stickiness_days=30))
    assert propensities(found)[["key", "unit_key", "propensity"]].values.tolist() == [
        ["a0", "u1", 1.0],
        ["a1", "u0", 0.0],
        ["a1", "u1", 1.0],
    ]
