"""Share updates by hand, bounds as properties, gates before money."""

from dataclasses import replace
from math import exp
from typing import Literal

import pytest
from collect_analysis.agencies.shares import PlacementPlan, SharePolicy, UnitStanding, propose_shares
from collect_analysis.errors import DataError
from collect_analysis.methods.evidence import Condition
from hypothesis import given, settings, strategies as st

POLICY = SharePolicy(floor=0.05, cap=0.60, max_change=0.10, eta=0.25, exploration_share=0.20, grades=("A", "B"))


def unit(key: str, share: float, index: float | None = 1.0, sd: float | None = 0.05, *, gate: str = "pass") -> UnitStanding:
    """A unit whose interval reaches 1.96 standard deviations to either side of its index."""
    low, high = (None, None) if index is None or sd is None else (index - 1.96 * sd, index + 1.96 * sd)
    return UnitStanding(unit_key=key, share_now=share, net_index=index, sd=sd, low=low, high=high, gate=gate, gates="")


def plan(
    *units: UnitStanding, policy: SharePolicy = POLICY, conditions: tuple[Condition, ...] = (), randomised: bool = True
) -> PlacementPlan:
    return propose_shares(units, policy=policy, conditions=conditions, randomised=randomised)


def shares(proposal: PlacementPlan) -> dict[str, float]:
    return {step.unit_key: step.share_next for step in proposal.steps}


def test_the_multiplicative_rule_by_hand() -> None:
    found = shares(plan(unit("a", 0.5, 1.1, 0.05), unit("b", 0.5, 0.9, 0.05), policy=replace(POLICY, eta=0.05)))
    # Two standard deviations better and worse: e^0.1 / (e^0.1 + e^-0.1).
    assert found["a"] == pytest.approx(exp(0.1) / (exp(0.1) + exp(-0.1)))


def test_an_index_whose_interval_includes_one_moves_no_share() -> None:
    # A is likelier better than not (one standard deviation and a half), and no more.
    proposal = plan(unit("a", 0.3, 1.075), unit("b", 0.4, 0.95), unit("c", 0.3, 1.0))
    assert shares(proposal) == pytest.approx({"a": 0.3, "b": 0.4, "c": 0.3})
    assert {step.reason for step in proposal.steps} == {"not_distinguishable"}


def test_what_a_unit_told_apart_leaves_is_spread_over_the_others_in_proportion() -> None:
    proposal = plan(unit("a", 0.2, 1.06), unit("b", 0.4, 0.99), unit("worse", 0.4, 0.8))
    found = shares(proposal)
    assert found["worse"] < 0.4
    assert found["a"] / found["b"] == pytest.approx(0.5)
    assert [step.reason for step in proposal.steps] == ["not_distinguishable", "not_distinguishable", "credible_loss"]


def test_a_unit_that_is_to_be_audited_gets_no_larger_share_until_it_is_cleared() -> None:
    better = unit("a", 0.3, 1.4, gate="audit")
    found = plan(better, unit("b", 0.4), unit("c", 0.3))
    assert shares(found) == pytest.approx({"a": 0.3, "b": 0.4, "c": 0.3})
    assert (found.steps[0].reason, found.steps[0].bound) == ("credible_gain", "audit")
    assert shares(plan(replace(better, gate="pass"), unit("b", 0.4), unit("c", 0.3)))["a"] > 0.3
    # A worse one loses all the same, and one may be given what nobody else has room for.
    assert shares(plan(unit("a", 0.3, 0.7, gate="audit"), unit("b", 0.4), unit("c", 0.3)))["a"] < 0.3
    alone = plan(unit("a", 0.5, gate="audit"), unit("b", 0.5, gate="blocked"), policy=replace(POLICY, cap=1.0))
    assert (shares(alone)["a"], alone.relaxed) == (1, ("max_change", "cap", "audit"))


def test_no_step_is_larger_than_allowed_and_the_page_can_say_so() -> None:
    proposal = plan(unit("a", 0.3, 1.5), unit("b", 0.7, 0.6), policy=replace(POLICY, cap=0.9))
    assert shares(proposal) == pytest.approx({"a": 0.4, "b": 0.6})
    assert [step.bound for step in proposal.steps] == ["max_change", "max_change"]
    assert [step.reason for step in proposal.steps] == ["credible_gain", "credible_loss"]


def test_a_failed_gate_beats_any_collections() -> None:
    proposal = plan(unit("best", 0.40, 1.6, gate="fail"), unit("b", 0.30), unit("c", 0.30))
    found = shares(proposal)
    assert found["best"] <= POLICY.floor
    assert proposal.steps[1].unit_key == "best"
    assert (proposal.steps[1].reason, proposal.steps[1].bound) == ("gate_fail", "gate")
    # Two units may take ten points each, the third fifteen they need together: the largest change gives way, and the plan says so.
    assert proposal.relaxed == ("max_change",)


def test_a_partner_that_may_not_act_gets_nothing() -> None:
    assert shares(plan(unit("x", 0.2, 1.3, gate="blocked"), unit("b", 0.4), unit("c", 0.4)))["x"] == 0


def test_a_unit_that_is_not_judged_keeps_its_weight() -> None:
    found = shares(plan(unit("new", 0.2, None, None), unit("b", 0.4), unit("c", 0.4)))
    assert found == pytest.approx({"new": 0.2, "b": 0.4, "c": 0.4})


def test_a_judgmental_comparison_moves_no_share_but_the_gates_still_do() -> None:
    units = (unit("a", 0.25, 1.4), unit("b", 0.45), unit("c", 0.30))
    proposal = plan(*units, randomised=False)
    assert (proposal.grade, proposal.proposed) == ("C", False)
    assert shares(proposal) == {"a": 0.25, "b": 0.45, "c": 0.30}
    gated = plan(*units[:2], unit("c", 0.30, gate="blocked"), randomised=False, policy=replace(POLICY, cap=0.9))
    assert shares(gated)["c"] == 0
    assert shares(gated)["b"] - 0.45 == pytest.approx((0.45 / 0.25) * (shares(gated)["a"] - 0.25))


def test_an_unmet_condition_that_refuses_moves_nothing() -> None:
    refusal = Condition(name="maturity", met=False, detail="too young", consequence="refuse")
    proposal = plan(unit("a", 0.5, 1.4), unit("b", 0.5, 0.8), conditions=(refusal,))
    assert (proposal.grade, proposal.proposed) == ("none", False)


def test_what_cannot_be_asked_is_refused_with_every_reason() -> None:
    with pytest.raises(DataError) as refused:
        plan(unit("a", 0.5), unit("a", 0.3), unit("b", 0.1, gate="fail"))
    assert "comes twice" in str(refused.value)
    assert "sum to 0.9000" in str(refused.value)


@pytest.mark.parametrize("gates", [("blocked", "blocked"), ("fail", "blocked"), ("fail", "fail")])
def test_d5_where_no_unit_passes_its_gates_nobody_is_given_anything(gates: tuple[Literal["fail", "blocked"], ...]) -> None:
    proposal = plan(unit("a", 0.6, 1.4, gate=gates[0]), unit("b", 0.4, 0.8, gate=gates[1]), randomised=False)
    assert (shares(proposal), proposal.kept_inside, proposal.proposed) == ({"a": 0, "b": 0, "inside": 1}, 1, True)
    assert {step.unit_key: step.bound for step in proposal.steps} == {"a": "gate", "b": "gate", "inside": ""}


def test_d5_a_floor_that_asks_for_more_than_the_flow_moves_no_share_but_past_a_gate() -> None:
    twelve = [unit(f"u{number:02d}", 1 / 12, 0.8 + number / 30) for number in range(12)]
    proposal = plan(*twelve, policy=replace(POLICY, floor=0.1))
    assert (proposal.proposed, proposal.floor_asks) == (False, pytest.approx(1.2))
    assert set(shares(proposal).values()) == {1 / 12}
    gated = plan(*twelve[:-1], unit("u11", 1 / 12, gate="blocked"), policy=replace(POLICY, floor=0.1))
    assert (gated.proposed, gated.floor_asks, shares(gated)["u11"]) == (True, pytest.approx(1.1), 0)
    assert sum(shares(gated).values()) == pytest.approx(1)
    assert [shares(gated)[f"u{number:02d}"] for number in range(11)] == pytest.approx([1 / 11] * 11)
    assert plan(*twelve, policy=replace(POLICY, floor=1 / 12)).floor_asks == 0


def test_a_policy_out_of_range_or_misspelt_names_every_problem() -> None:
    with pytest.raises(DataError) as refused:
        SharePolicy.of({"floor": "0.1", "cap": 0.5, "max_chance": 0.1, "eta": 0.25, "exploration_share": 0.2, "grades": ["A"]})
    assert len(refused.value.problems) == 3
    with pytest.raises(DataError, match=r"floor 0.7 lies over cap"):
        replace(POLICY, floor=0.7)


units_strategy = st.lists(
    st.tuples(
        st.floats(0.02, 1),
        st.one_of(st.none(), st.floats(0.5, 1.7)),
        st.floats(0.01, 0.3),
        st.sampled_from(["pass", "pass", "pass", "watch", "audit", "fail", "blocked", "no_data"]),
    ),
    min_size=2,
    max_size=9,
)


@settings(max_examples=200, deadline=None)
@given(raw=units_strategy, randomised=st.booleans())
def test_shares_always_sum_to_one_and_keep_their_bounds(raw, randomised: bool) -> None:
    total = sum(item[0] for item in raw)
    units = [unit(f"u{n}", share / total, index, sd, gate=gate) for n, (share, index, sd, gate) in enumerate(raw)]
    if all(item.gate in ("fail", "blocked") for item in units):
        return
    proposal = plan(*units, randomised=randomised)
    found = shares(proposal)
    assert sum(found.values()) == pytest.approx(1, abs=1e-12)
    assert all(value >= -1e-12 for value in found.values())
    for item in units:
        moved = abs(found[item.unit_key] - item.share_now)
        if item.gate == "blocked":
            assert found[item.unit_key] == 0
        elif item.gate == "fail":
            assert found[item.unit_key] <= POLICY.floor + 1e-9
        elif item.gate == "audit" and "audit" not in proposal.relaxed:
            assert found[item.unit_key] <= item.share_now + 1e-9
        elif not proposal.relaxed:
            assert moved <= POLICY.max_change + 1e-9
    assert found == shares(plan(*reversed(units), randomised=randomised))
