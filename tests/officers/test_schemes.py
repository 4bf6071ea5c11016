"""Pay schemes by hand: what five officers get, where slabs jump, what gaming gains, and which small change mends it."""

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from collect_analysis.officers.incentive_scheme import decision, decision_cost, decision_gaming
from collect_analysis.officers.incentive_scheme.decision_gaming import MOVING, PARKING, SPLITTING, STUFFING, TIMING, WAIVING
from collect_analysis.officers.incentive_scheme.decision_history import History, work_of
from collect_analysis.officers.incentive_scheme.schemes import Gate, Scheme, Slab, exact_payouts, payouts
from collect_analysis.officers.incentive_scheme.terms import Moves, SchemeRules
from hypothesis import given, settings, strategies as st

LINE = Scheme(pay_per_point_minor=1_000, threshold=0.85, slope=2.0, accelerator=3.0, cap=1.2)
SLABS = Scheme(pay_per_point_minor=1_000, slabs=(Slab(start=0.9, points=50), Slab(start=1.0, points=100)), credit="payment")
HARD = Gate(measure="hard_breaches", full=0, none=1)
NOTHING_BACK = pd.DataFrame({"month": [], "officer_key": [], "days": [], "amount_minor": []})


def history(collected: np.ndarray, expected: float | np.ndarray = 1_000.0, *, noise: float = 25.0, back=NOTHING_BACK, **columns) -> History:
    """Officers (rows) by months (columns) of one unit each five officers."""
    officers, months = collected.shape
    base = np.broadcast_to(np.asarray(expected, dtype=float), collected.shape)
    rows = [
        {
            "month": date(2025 + month // 12, month % 12 + 1, 1), "officer_key": f"o{officer:03d}", "unit_key": f"u{officer // 5}",
            "sub_function": "tele", "payers": 10, "target_minor": base[officer, month],
            "critical_n": 0.0, "critical_d": 4.0, "breaches": 0.0, "kept_n": 6.0, "kept_d": 10.0,
            **{name: values[officer][month] for name, values in columns.items()},
            **dict.fromkeys(("cash_minor", "capped_minor"), collected[officer, month]),
            **dict.fromkeys(("expected_cash_minor", "expected_minor"), base[officer, month]),
            **dict.fromkeys(("variance_cash_minor", "variance_minor"), base[officer, month] ** 2 / noise),
        }
        for officer in range(officers) for month in range(months)
    ]  # fmt: skip
    return History(panel=pd.DataFrame(rows), taken_back=back, lasting={})


def noisy(officers: int = 40, months: int = 12, *, skill: float = 0.0, noise: float = 25.0, seed: int = 1) -> History:
    rng = np.random.default_rng(seed)
    true = rng.gamma(1 / skill**2, skill**2, size=(officers, 1)) if skill else np.ones((officers, 1))
    return history(1_000 * rng.gamma(true * noise, 1 / noise, size=(officers, months)), noise=noise)


def gain(scheme: Scheme, past: History, game: str, **moves) -> np.ndarray:
    return decision_gaming.GAMES[game](scheme, work_of(past, scheme), Moves(**moves)).gain


def test_five_officers_are_paid_as_by_hand() -> None:
    past = history(np.array([[800.0], [850.0], [950.0], [1100.0], [1500.0]]), breaches=[[0], [0], [0], [0], [1]])
    # Own points: 0; 0; 10 x 2 = 20; 15 x 2 + 10 x 3 = 60; capped at 1.2: 30 + 60 = 90. Team: 5,200 / 5,000 = 1.04: 30 + 12 = 42 points.
    scheme = replace(LINE, team_share=0.5, gates=(HARD,))
    assert payouts(scheme, work_of(past, scheme))[:, 0].tolist() == [21_000, 21_000, 31_000, 51_000, 0]
    assert payouts(LINE, work_of(past, LINE))[:, 0].tolist() == [0, 0, 20_000, 60_000, 90_000]


def test_months_are_pooled_and_team_and_gates_multiply() -> None:
    past = history(np.array([[500.0, 1500.0, 1000.0]]), kept_n=[[6, 6, 6]])
    pooled = replace(LINE, pool_months=3)
    assert exact_payouts(pooled, work_of(past, pooled)).tolist()[0] == pytest.approx([0.0, 30_000.0, 30_000.0])


def test_a_gate_on_a_rate_takes_pay_gradually_and_a_breach_takes_it_all() -> None:
    ramp = Gate(measure="kept_promises", full=0.8, none=0.4, floor=0.5)
    assert ramp.factor([0.9, 0.8, 0.6, 0.4, 0.0, np.nan]).tolist() == pytest.approx([1, 1, 0.75, 0.5, 0.5, 1])
    assert HARD.factor([0, 1, 3, np.nan]).tolist() == [1, 0, 0, 1]
    assert Gate(measure="kept_promises", full=0.8, none=0.8).factor([0.8, 0.79]).tolist() == [1, 0]
    assert Gate(measure="critical_qa", full=0.05, none=0.05).factor([0.05, 0.06]).tolist() == [1, 0]


def test_money_taken_back_within_the_clawback_does_not_count() -> None:
    back = pd.DataFrame({"month": [date(2025, 1, 1)] * 2, "officer_key": ["o000"] * 2, "days": [20, 90], "amount_minor": [100.0, 50.0]})
    past = history(np.array([[1000.0]]), back=back)
    assert work_of(past, LINE).collected[0, 0] == 1_150
    assert work_of(past, replace(LINE, clawback_days=60)).collected[0, 0] == 1_050


def test_what_is_held_back_is_paid_for_cures_that_last() -> None:
    lasting = {2: pd.DataFrame({"month": [date(2025, 1, 1)], "officer_key": ["o000"], "lasting_n": [3.0], "lasting_d": [4.0]})}
    past = replace(history(np.array([[1100.0]])), lasting=lasting)
    held = replace(LINE, holdback_share=0.4)
    # 60 points: 0.6 at once and 0.4 x 3/4.
    assert payouts(held, work_of(past, held))[0, 0] == 54_000


def test_a_slab_scheme_has_exactly_its_cliffs_and_a_line_none() -> None:
    past = noisy()
    found = decision_cost.cliffs(SLABS, work_of(past, SLABS))
    assert found["kind"].tolist() == ["jump", "jump"]
    assert found["at"].tolist() == [0.9, 1.0]
    assert found["jump_minor"].tolist() == pytest.approx([50_000, 50_000])
    line = decision_cost.cliffs(LINE, work_of(past, LINE))
    assert set(line["kind"]) == {"bend"}
    assert line["at"].tolist() == [0.85, 1.0, 1.2]
    start = decision_cost.cliffs(replace(LINE, start_points=20), work_of(past, LINE))
    assert start.loc[start["kind"] == "jump", "at"].tolist() == [0.85]


def test_doubling_the_base_doubles_the_cost() -> None:
    past = noisy()
    once, twice = LINE, replace(LINE, pay_per_point_minor=2_000)
    assert decision_cost.cost_by_month(twice, work_of(past, twice), seed=1)["value"].sum() == pytest.approx(
        2 * decision_cost.cost_by_month(once, work_of(past, once), seed=1)["value"].sum(), abs=12
    )
    assert decision_cost.next_quarter(twice, work_of(past, twice), seed=1)[0] == pytest.approx(
        2 * decision_cost.next_quarter(once, work_of(past, once), seed=1)[0], rel=1e-3
    )


def test_sandbagging_a_slab_gains_what_it_gains_by_hand() -> None:
    # 1,050 and 950 in two months: 100 + 50 points. Moving 50 into the second keeps the first at 1.0 and lifts the second to 1.0: 50 more.
    past = history(np.array([[1050.0, 950.0]]))
    assert gain(SLABS, past, TIMING, movable_share=0.1).tolist() == [50_000.0]
    assert gain(SLABS, past, TIMING, movable_share=0.04).tolist() == [0.0]
    # A line of one slope between its ends pays the same for a payment in either month.
    straight = replace(LINE, threshold=0.0, slope=1.0, accelerator=1.0, cap=2.0)
    assert gain(straight, past, TIMING, movable_share=0.1)[0] < 1e-6
    # Three months pooled: the windows that end in months 1 and 4 change, and lie far from 1.0.
    pooled = replace(SLABS, pool_months=3)
    steady = history(np.array([[1050.0, 950.0, 1000.0, 1000.0]]))
    assert gain(pooled, steady, TIMING, movable_share=0.02)[0] <= gain(SLABS, steady, TIMING, movable_share=0.1)[0]


def test_splitting_with_a_colleague_pays_where_who_books_is_credited() -> None:
    # 1,080 and 920: 100 + 50; moving 80 gives both 1.0.
    past = history(np.array([[1080.0], [920.0]]))
    assert gain(SLABS, past, SPLITTING, movable_share=0.1).tolist() == [25_000.0, 25_000.0]
    assert gain(replace(SLABS, credit="opening"), past, SPLITTING).tolist() == [0.0, 0.0]


def test_moving_an_account_with_a_known_payment_pays_unless_the_previous_holder_is_credited() -> None:
    # A payment of 1,080 / 10 = 108 lifts 900 to 1,008 (50 more points); the giver falls from 1,080 to 972 (50 less): together nothing.
    past = history(np.array([[1080.0], [900.0]]))
    assert gain(SLABS, past, MOVING).tolist() == [0.0, 0.0]
    far = history(np.array([[1300.0], [900.0]]))
    assert gain(SLABS, far, MOVING).sum() == 50_000.0
    assert gain(replace(SLABS, moved_credit="previous"), far, MOVING).sum() == 0.0


def test_parking_pays_only_where_the_expectation_can_be_dropped() -> None:
    past = history(np.array([[950.0]]))
    # 950 x 0.97 / (1,000 x 0.9) = 1.024 reaches the slab at 1.0.
    worked = replace(SLABS, expectation="worked")
    assert gain(worked, past, PARKING).tolist() == [50_000.0]
    assert gain(SLABS, past, PARKING).tolist() == [0.0]


def test_sure_promises_open_a_gate_on_the_kept_rate() -> None:
    gate = Gate(measure="kept_promises", full=0.8, none=0.8, floor=0.5)
    past = history(np.array([[1000.0], [1000.0]]), kept_n=[[3], [9]], kept_d=[[10], [10]])
    # Colleagues keep 12 of 20; 3 of 10 is half of that: pay is halved. With 10 sure promises on top 13 of 20 is 1.08 of it.
    gated = replace(SLABS, gates=(gate,))
    assert payouts(gated, work_of(past, gated))[:, 0].tolist() == [50_000, 100_000]
    assert gain(gated, past, STUFFING, stuffed_share=1.0).tolist() == pytest.approx([50_000.0, 0.0])
    assert gain(SLABS, past, STUFFING, stuffed_share=1.0).sum() == 0.0


def test_a_waiver_costs_more_than_it_pays_where_it_is_not_deducted() -> None:
    past = history(np.array([[950.0, 1080.0]]))
    found = decision_gaming.waiving(SLABS, work_of(past, SLABS), Moves(movable_share=0.1, waiver_share=0.2))
    assert found.gain.tolist() == [50_000.0]
    # Between 50 and 80 have to be pulled forward; a fifth of it is waived.
    assert 10.0 <= found.lost_minor <= 16.0
    # Net of the waiver 62.5 must come forward to count as 50: still possible; without deduction 50 is enough.
    net = replace(SLABS, waivers_deducted=True)
    assert decision_gaming.score(net, work_of(past, net), Moves(waiver_share=0.6), WAIVING)["share"] == 0.0


def test_where_officers_do_not_differ_pay_is_luck_and_pooling_helps_where_they_do() -> None:
    equal, unequal = noisy(), noisy(skill=0.3)
    assert decision_cost.luck(LINE, work_of(equal, LINE), seed=1, draws=40).share > 0.9
    table = decision_cost.luck_by_pooling(LINE, work_of(unequal, LINE), seed=1, draws=40)
    assert table["luck_share"].is_monotonic_decreasing
    assert table["luck_share"].iloc[-1] < 0.3


def test_an_average_officer_is_promised_less_than_a_cliff_pays_by_luck() -> None:
    found = decision_cost.luck(SLABS, work_of(noisy(), SLABS), seed=1, draws=40)
    assert found.at_full_minor == 100_000
    assert (found.average_low_minor, found.average_high_minor) == (0.0, 100_000.0)


def test_a_slab_scheme_is_mended_by_small_changes_at_the_same_cost() -> None:
    past = noisy(skill=0.3)
    scheme = replace(SLABS, account_cap=False, gates=(Gate(measure="kept_promises", full=0.8, none=0.8, floor=0.5),))
    rules, moves = SchemeRules(most_exploitable=0.05), Moves()
    found = decision.judged(past, scheme, moves, rules, seed=1, level=0.8, draws=40)
    assert set(found.problems) >= {"cliff", "exploitable"}
    told = decision.verdict(past, found, moves, rules, seed=1, level=0.8)
    assert told.action == "adopt_with_changes"
    assert told.changes[:2] == ("linear", "ramped_gates")
    assert told.changed is not None
    assert told.changed.quarter[0] == pytest.approx(found.quarter[0], rel=0.01)
    assert told.changed.exploitable <= 0.05
    assert not told.changed.cliffs["kind"].isin(["jump", "gate"]).any()


def test_a_scheme_that_pays_luck_is_not_adopted_and_a_fair_line_is() -> None:
    line = replace(LINE, threshold=0.5, accelerator=2.0, cap=1.8, pool_months=3, moved_credit="previous", waivers_deducted=True)
    rules = SchemeRules(most_exploitable=0.05)
    for past, action in ((noisy(skill=0.3), "adopt"), (noisy(), "do_not_adopt")):
        found = decision.judged(past, line, Moves(), rules, seed=1, level=0.8, draws=40)
        assert decision.verdict(past, found, Moves(), rules, seed=1, level=0.8).action == action


def test_cost_over_the_limit_lowers_the_rate_to_it() -> None:
    past = noisy(skill=0.3)
    line = replace(LINE, threshold=0.5, accelerator=2.0, cap=1.8, pool_months=3, moved_credit="previous", waivers_deducted=True)
    rules = SchemeRules(most_exploitable=0.05, most_cost_minor=5_000_000)
    found = decision.judged(past, line, Moves(), rules, seed=1, level=0.8, draws=40)
    told = decision.verdict(past, found, Moves(), rules, seed=1, level=0.8)
    assert (told.action, told.changes) == ("adopt_with_changes", ("lower_rate",))
    assert told.changed is not None
    assert told.changed.quarter[2] <= 5_000_000


def test_too_little_history_refuses() -> None:
    past = noisy(officers=10, months=3)
    assert [item.name for item in decision.conditions(past, [LINE]) if not item.met] == ["scheme_months", "scheme_officers"]
    without = replace(past, panel=past.panel.assign(target_minor=np.nan))
    unmet = [item.name for item in decision.conditions(without, [replace(LINE, basis="attainment")]) if not item.met]
    assert "scheme_targets" in unmet


def test_winners_and_losers_add_up() -> None:
    past = noisy(skill=0.3)
    officers = decision_cost.by_officer(SLABS, LINE, work_of(past, SLABS), work_of(past, LINE))
    units = decision_cost.by_unit(officers)
    assert (units["value"] * units["cases"]).sum() == pytest.approx(officers["gain_minor"].sum())
    fifths = decision_cost.by_skill(officers)
    assert fifths["cases"].sum() == 40
    assert fifths["proposed_minor"].iloc[-1] > fifths["proposed_minor"].iloc[0]


schemes = st.one_of(
    st.builds(
        Scheme, pay_per_point_minor=st.integers(1, 10**6), threshold=st.floats(0, 1.2), start_points=st.floats(0, 50), slope=st.floats(0, 5),
        accelerator=st.floats(0, 5), cap=st.floats(1.3, 3), team_share=st.floats(0, 1), pool_months=st.integers(1, 3),
        gates=st.just((HARD,)),
    ),
    st.builds(
        Scheme, pay_per_point_minor=st.integers(1, 10**6), team_share=st.floats(0, 1), gates=st.just((HARD,)),
        slabs=st.lists(st.builds(Slab, start=st.floats(0, 2), points=st.floats(0, 200)), min_size=1, max_size=4).map(tuple),
    ),
)  # fmt: skip


@settings(deadline=None, max_examples=40)
@given(schemes, st.integers(0, 2**31), st.floats(0, 2_000))
def test_pay_never_falls_with_attainment_is_nothing_after_a_breach_and_adds_up(scheme: Scheme, seed: int, more: float) -> None:
    rng = np.random.default_rng(seed)
    collected = rng.gamma(4, 250, size=(6, 3))
    breaches = np.zeros((6, 3))
    breaches[2, 1] = 1
    better = collected.copy()
    better[0, 2] += more
    before, after = (history(values, breaches=breaches) for values in (collected, better))
    paid, raised = (payouts(scheme, work_of(past, scheme)) for past in (before, after))
    assert paid.dtype == np.int64
    assert raised[0, 2] >= paid[0, 2]
    assert paid[2, 1] == 0
    assert np.abs(paid.sum(axis=0) - exact_payouts(scheme, work_of(before, scheme)).sum(axis=0)).max() <= 0.5 + 1e-3
    assert np.abs(paid - exact_payouts(scheme, work_of(before, scheme))).max() < 1 + 1e-6


@settings(deadline=None, max_examples=15)
@given(schemes, st.integers(0, 2**31))
def test_no_way_of_gaming_ever_loses(scheme: Scheme, seed: int) -> None:
    past = history(np.random.default_rng(seed).gamma(4, 250, size=(6, 4)))
    for game in decision_gaming.CHANNELS:
        assert (gain(scheme, past, game) >= 0).all()
