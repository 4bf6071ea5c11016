"""The allocation is the optimum of the written problem: hand cases, an independent solver, properties."""

import hashlib
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from collect_analysis.errors import DataError
from collect_analysis.methods.allocation import optimum
from collect_analysis.methods.allocation.draw import draw
from collect_analysis.methods.allocation.eligibility import eligible
from collect_analysis.methods.allocation.groups import allocate_groups
from collect_analysis.methods.allocation.optimum import Allocation, allocate
from collect_analysis.methods.allocation.problem import Problem, of_matrix, of_tables
from collect_analysis.methods.allocation.simple_ways import compare
from collect_analysis.methods.allocation.views import chances, propensities, unit_table
from hypothesis import given, settings, strategies as st
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
    # Capacities are rounded up to a millionth of a place: what that is worth is all that may lie between, also where the value is near 0.
    most = np.abs(problem.value).max(initial=0.0) + problem.switch_cost
    assert 0 <= found.gap * abs(found.bound) <= 1e-5 * (abs(found.bound) + most)


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
    assert propensities(found)[["key", "unit_key", "propensity"]].to_numpy().tolist() == [
        ["a0", "u1", 1.0],
        ["a1", "u0", 0.0],
        ["a1", "u1", 1.0],
    ]


def refusal(problem: Problem) -> str:
    with pytest.raises(DataError) as caught:
        allocate(problem)
    return str(caught.value)


def test_every_fault_of_the_numbers_is_told_at_once() -> None:
    said = refusal(problem_of([[1, np.nan], [np.inf, 2]], [-1, 2], least=[0, 3], min_propensity=1.5, switch_cost=-1.0))
    for part in ("2 value(s) are missing or infinite, in 2 row(s)", "a capacity below 0: u0", "a minimum above the capacity: u0, u1",
                 "min_propensity is 1.5", "switch_cost is -1"):  # fmt: skip
        assert part in said


def test_rows_without_a_unit_idle_units_and_propensities_that_do_not_fit_are_named() -> None:
    said = refusal(problem_of([[1, 2, None], [None, None, None]], [5, 5, 5], min_propensity=0.6, accounts={"region": ["north", "south"]}))
    assert "1 account(s) in 1 row(s) have no eligible unit" in said
    assert "(regions: south 1)" in said
    assert "1 unit(s) have no eligible account: u2" in said
    assert "write at most 0.5" in said


def test_too_little_room_says_how_much_is_missing_and_whose() -> None:
    assert "the accounts need 3 accounts and the units have 2: 1 are missing" in refusal(problem_of([[1], [1], [1]], [2]))
    # There is room, but not where a0 to a2 may go.
    said = refusal(problem_of([[1, None], [1, None], [1, None], [1, 1]], [1, 9], accounts={"region": ["hue", "hue", "vinh", "hue"]}))
    assert "2 accounts cannot be placed" in said
    assert "may only go to u0, which have 1" in said
    assert "raise their capacity by 2 in all" in said
    said = refusal(problem_of([[1, 1], [1, 1], [1, None]], [None, None], least=[0, 3]))
    assert "the minimums of u1 sum to 3 accounts, 1 more than the accounts they may have" in said
    # 4 accounts at 0.25 each are one whole place.
    said = refusal(problem_of([[1, 1]] * 4, [0.5, None], min_propensity=0.25))
    assert "raise the capacity to 1, or write min_propensity 0.125" in said


def test_unknown_and_repeated_keys_are_refused_together() -> None:
    pairs = pd.DataFrame({"key": ["a", "a", "b", "z"], "unit_key": ["u", "u", "v", "u"], "value_minor": 1.0})
    with pytest.raises(DataError) as caught:
        of_tables(pairs, pd.DataFrame({"key": ["a", "b", "b"]}), pd.DataFrame({"unit_key": ["u"], "capacity": [1]}), min_propensity=0)
    for part in ("accounts repeats key in 1 row(s)", "pairs repeats key and unit_key in 1 row(s)", "1 pair(s) name a key", "first v"):
        assert part in str(caught.value)


def test_accounts_draw_their_unit_from_their_own_probabilities_and_can_be_recomputed(crowd: Problem) -> None:
    found = allocate(crowd)
    drawn = draw(found, salt="2026-q3")
    assert drawn.accounts["key"].tolist() == crowd.keys.tolist()
    logged = propensities(found).set_index(["key", "unit_key"])["propensity"]
    pd.testing.assert_series_equal(
        drawn.accounts.set_index(["key", "unit_key"])["propensity"],
        logged.loc[list(zip(drawn.accounts["key"], drawn.accounts["unit_key"], strict=True))],
    )
    assert (drawn.accounts["propensity"] >= crowd.min_propensity).all()
    pd.testing.assert_frame_equal(draw(found, salt="2026-q3").accounts, drawn.accounts)
    assert (draw(found, salt="other").accounts["unit_key"] != drawn.accounts["unit_key"]).any()
    # Over many salts every pair comes as often as its propensity says, the tried ones too.
    tables = [draw(found, salt=f"s{number}").accounts for number in range(60)]
    tried = np.mean([(table["propensity"] < 2 * crowd.min_propensity).mean() for table in tables])
    expected = logged[logged < 2 * crowd.min_propensity].sum() / len(crowd.keys)
    assert tried == pytest.approx(expected, rel=0.1)
    over = drawn.units["drawn"] - drawn.units["expected"]
    assert (over.abs() < 4 * np.sqrt(drawn.units["expected"]) + 1).all()


def test_groups_are_split_and_their_members_drawn() -> None:
    values = pd.DataFrame(
        [("old", "a", 10.0), ("old", "b", 8.0), ("new", "a", 30.0), ("new", "b", 20.0)], columns=["group", "unit_key", "value_minor"]
    )
    groups = pd.DataFrame({"group": ["old", "new"], "accounts": [60, 40]})
    units = pd.DataFrame({"unit_key": ["a", "b"], "capacity": [np.nan, 90.0], "low_share": [0.2, 0.2], "high_share": [0.5, 1.0]})
    today = pd.DataFrame({"group": ["old", "old", "new", "new"], "unit_key": ["a", "b"] * 2, "share": 0.5})
    plan = allocate_groups(values, groups, units, min_propensity=0.1, today=today)
    # Unit a is 10 better on new and 2 better on old; it may have 50: 36 of new (0.9), the other 14 of old.
    shares = plan.table.set_index(["group", "unit_key"])["propensity"]
    assert shares["new", "a"] == pytest.approx(0.9, abs=1e-6)
    assert shares["old", "a"] == pytest.approx(14 / 60, abs=1e-6)
    assert plan.value == pytest.approx(36 * 30 + 4 * 20 + 14 * 10 + 46 * 8, rel=1e-6)
    assert plan.value_now == 30 * 10 + 30 * 8 + 20 * 30 + 20 * 20
    # Without exploration all 40 of new and 10 of old go to a.
    assert plan.exploration_cost == pytest.approx(40 * 30 + 10 * 10 + 50 * 8 - plan.value, rel=1e-4)
    assert plan.units.set_index("unit_key")["binding"].to_dict() == {"a": "high_share", "b": ""}
    assert plan.units.set_index("unit_key")["shadow_price_minor"]["a"] == pytest.approx(2, rel=1e-4)
    members = pd.DataFrame({"key": [f"k{i}" for i in range(100)], "group": ["old"] * 60 + ["new"] * 40})
    drawn = draw(plan.allocation, salt="q3", members=members)
    assert (drawn.accounts["propensity"] >= 0.1).all()
    with pytest.raises(DataError, match="give the accounts of the groups"):
        draw(plan.allocation, salt="q3")
    with pytest.raises(DataError, match="belong to a group that the allocation does not know"):
        draw(plan.allocation, salt="q3", members=members.assign(group="other"))


def test_shares_that_cross_or_leave_the_whole_are_refused_by_unit() -> None:
    values = pd.DataFrame({"group": ["g"], "unit_key": ["a"], "value_minor": [1.0]})
    groups = pd.DataFrame({"group": ["g"], "accounts": [10]})
    for low, high, said in ((0.6, 0.5, "a low_share above their high_share, first a"), (-0.1, 1.0, "a low_share outside 0-1, first a")):
        with pytest.raises(DataError, match=said):
            allocate_groups(values, groups, pd.DataFrame({"unit_key": ["a"], "low_share": [low], "high_share": [high]}), min_propensity=0)


def test_region_skill_and_gates_say_who_may_take_whom_and_what_each_costs() -> None:
    accounts = pd.DataFrame({"region": ["north", "south", None], "skill": ["legal", None, None]})
    serves = pd.DataFrame([("a", "region", "north"), ("b", "region", "north"), ("b", "region", "south"), ("b", "skill", "field")],
                          columns=["unit_key", "requirement", "value"])  # fmt: skip
    found = eligible(accounts, ["a", "b", "c"], serves, closed={"c": "no legal basis"})
    assert found.matrix.tolist() == [[True, False, False], [False, True, False], [True, True, False]]
    assert found.lost.to_numpy().tolist() == [["a", "region", 1], ["b", "skill", 1], ["c", "no legal basis", 3]]
    with pytest.raises(DataError, match=r"2 unit.s. are served or closed and not among the units, first x"):
        eligible(accounts, ["a"], serves.assign(unit_key="x"), closed={"y": "gate"})


def test_a_tried_unit_follows_from_the_hash_that_anybody_can_compute(crowd: Problem) -> None:
    problem = replace(crowd, min_propensity=0.05)
    drawn = draw(allocate(problem), salt="july")
    for at, (key, unit) in enumerate(zip(problem.keys, drawn.accounts["unit_key"], strict=True)):
        share = int(hashlib.sha256(f"july:{key}".encode()).hexdigest()[:8], 16) / 2**32
        arms = problem.unit[problem.start[at] : problem.start[at + 1]]
        if share < 0.05 * len(arms):
            assert unit == problem.units[arms[int(share / 0.05)]]
