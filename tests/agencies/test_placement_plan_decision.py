"""Room, strata and gain of a placement plan by hand; shares that keep every bound whatever the capacities."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from collect_analysis.agencies.placement_plan.decision import (
    NO_LIMIT,
    UNSEEN,
    StratumPlan,
    expected_gain,
    letters_by,
    plan_conditions,
    plan_strata,
    room_table,
)
from collect_analysis.agencies.shares import PlacementPlan, SharePolicy, ShareStep, UnitStanding, propose_shares
from collect_analysis.errors import DataError
from collect_analysis.methods.evidence import Condition
from hypothesis import given, settings, strategies as st

POLICY = SharePolicy(floor=0.05, cap=0.60, max_change=0.10, eta=0.25, exploration_share=0.30, grades=("A", "B"))
THREE = {"a": 0.5, "b": 0.3, "c": 0.2}


def unit(key: str, share: float, *, most: float = 1.0, index: float = 1.0, gate: str = "pass") -> UnitStanding:
    bounds = {"low": index - 1.96 * 0.05, "high": index + 1.96 * 0.05}
    return UnitStanding(unit_key=key, share_now=share, net_index=index, sd=0.05, **bounds, gate=gate, most=most)


def proposed(*units: UnitStanding, conditions: tuple[Condition, ...] = (), randomised: bool = True) -> PlacementPlan:
    return propose_shares(units, policy=POLICY, conditions=conditions, randomised=randomised)


def next_shares(plan: PlacementPlan) -> dict[str, float]:
    return {step.unit_key: step.share_next for step in plan.steps}


def test_room_is_capacity_less_what_is_held_plus_what_comes_back() -> None:
    capacity, held = {"full": 100, "some": 100, "wide": 900, "none": np.nan}, {"full": 130, "some": 90, "wide": 100, "none": 5, "new": 0}
    table = room_table(capacity, held, {"some": 15, "full": 10}, flow_accounts=200).set_index("unit_key")
    assert table["room"].dropna().to_dict() == {"full": 0, "some": 25, "wide": 800}
    assert table["most"].to_dict() == {"full": 0, "new": 1, "none": 1, "some": 0.125, "wide": 1}
    assert table.index[table["note"] == NO_LIMIT].tolist() == ["new", "none"]


def test_a_full_unit_gets_what_it_has_room_for_and_the_page_can_say_so() -> None:
    plan = proposed(unit("a", 0.4, most=0.32), unit("b", 0.3), unit("c", 0.3))
    assert next_shares(plan) == pytest.approx({"a": 0.32, "b": 0.34, "c": 0.34})
    assert {step.unit_key: step.bound for step in plan.steps} == {"a": "capacity", "b": "", "c": ""}


def test_room_binds_even_where_the_evidence_moves_no_share() -> None:
    plan = proposed(unit("a", 0.5, most=0.4), unit("b", 0.3), unit("c", 0.2), randomised=False)
    assert next_shares(plan) == pytest.approx({"a": 0.4, "b": 0.36, "c": 0.24})
    untouched = proposed(unit("a", 0.5, most=0.5), unit("b", 0.3), unit("c", 0.2), randomised=False)
    assert (next_shares(untouched), untouched.proposed) == (THREE, False)


def test_room_is_never_relaxed_and_what_is_left_over_is_said() -> None:
    # No room at all for the largest: the others must take more than one step allows, up to their own room.
    plan = proposed(unit("a", 0.5, most=0.0), unit("b", 0.3), unit("c", 0.2, most=0.35))
    assert next_shares(plan)["a"] == 0
    assert plan.relaxed == ("max_change", "cap")
    assert next_shares(plan)["c"] == pytest.approx(0.35)
    with pytest.raises(DataError) as refused:
        proposed(unit("a", 0.5, most=0.25), unit("b", 0.3, most=0.25), unit("c", 0.2, most=0.25), unit("d", 0.0, gate="blocked"))
    assert "room for 75.0% of the flow (a 25.0%, b 25.0%, c 25.0%, d 0.0%), 25.0% is left over; raise their capacity" in str(refused.value)


def test_no_limit_is_never_told_as_a_bound() -> None:
    assert [step.bound for step in proposed(unit("a", 1.0)).steps] != ["capacity"]


@settings(max_examples=80)
@given(data=st.data(), randomised=st.booleans())
def test_shares_sum_to_one_and_keep_every_bound(data: st.DataObject, randomised: bool) -> None:
    count = data.draw(st.integers(2, 7))
    raw = data.draw(st.lists(st.integers(1, 100), min_size=count, max_size=count))
    most = data.draw(st.lists(st.floats(0, 1), min_size=count, max_size=count))
    index = data.draw(st.lists(st.floats(0.3, 2), min_size=count, max_size=count))
    gates = data.draw(st.lists(st.sampled_from(["pass", "pass", "pass", "watch", "fail", "blocked"]), min_size=count, max_size=count))
    units = [unit(f"u{i}", raw[i] / sum(raw), most=most[i], index=index[i], gate=gates[i]) for i in range(count)]
    # What the units may take at most, in the order of the proposal; a refusal is due exactly where that is less than everything.
    limit = {"blocked": lambda _: 0.0, "fail": lambda one: min(POLICY.floor, one.share_now, one.most)}
    room = sum(limit.get(one.gate, lambda one: one.most)(one) for one in units)
    shut = all(one.gate in limit for one in units)
    if not shut and room < 1 - 1e-12:
        with pytest.raises(DataError, match="room for"):
            proposed(*units, randomised=randomised)
        return
    plan = proposed(*units, randomised=randomised)
    shares = next_shares(plan)
    assert sum(shares.values()) == pytest.approx(1, abs=1e-9)
    assert plan.kept_inside == (1 if shut else 0)
    for one in units:
        share = shares[one.unit_key]
        assert -1e-12 <= share <= one.most + 1e-9
        if one.gate == "blocked":
            assert share == 0
        elif one.gate == "fail":
            assert share <= max(min(POLICY.floor, one.share_now), 0) + 1e-9
        elif "max_change" not in plan.relaxed and one.share_now <= one.most:
            assert abs(share - one.share_now) <= POLICY.max_change + 1e-9
        elif "cap" not in plan.relaxed:
            assert share <= max(POLICY.cap, one.share_now) + 1e-9


def signed(shares: dict[str, float], *, exploration: float = 0.30) -> PlacementPlan:
    steps = tuple(
        ShareStep(unit_key=key, share_now=share, share_next=share, change=0.0, reason="not_distinguishable", bound="", gates="")
        for key, share in sorted(shares.items())
    )
    return PlacementPlan(steps=steps, proposed=True, grade="A", exploration_share=exploration)


FLOW = pd.DataFrame(
    [("easy", 1, "a", 100), ("easy", 1, "b", 50), ("easy", 2, "c", 50), ("hard", 1, "a", 75), ("hard", 1, "b", 75), ("hard", 1, "c", 50)],
    columns=["group", "placement_no", "unit_key", "cases"],
).assign(per_month=lambda table: table["cases"] / 2)
WORTH = pd.DataFrame({"group": ["easy", "hard", "all"], "value": [1000.0, 200.0, 600.0], "note": ""})
NET = pd.DataFrame({"unit_key": ["a", "b"], "value": [1.5, 0.5], "sd": [0.2, 0.1]})


def planned(shares: dict[str, float] = THREE, *, worth: pd.DataFrame = WORTH, exploration: float = 0.30, months: int = 1) -> StratumPlan:
    return plan_strata(FLOW, worth, NET, signed(shares, exploration=exploration), months=months, net_share=0.8, seed=1)


def probabilities(plan: StratumPlan) -> dict[str, dict[str, float]]:
    return plan.table.pivot_table(index="group", columns="unit_key", values="propensity").T.to_dict()


def test_the_best_unit_gets_the_stratum_where_it_matters_most() -> None:
    plan = planned()
    # 100 accounts each; a may have 100, b 60, c 40; everybody keeps a tenth of each stratum. What a is better at is worth five times more on
    # easy accounts, so it takes them up to the others' tenth; b, the worst, is kept to its tenth there.
    assert probabilities(plan) == pytest.approx(
        {"easy": pytest.approx({"a": 0.8, "b": 0.1, "c": 0.1}), "hard": pytest.approx({"a": 0.2, "b": 0.5, "c": 0.3})}
    )
    first = plan.table.set_index(["group", "unit_key"])
    assert first["value_minor"].to_dict() == pytest.approx(
        {("easy", "a"): 1200, ("easy", "b"): 400, ("easy", "c"): 800, ("hard", "a"): 240, ("hard", "b"): 80, ("hard", "c"): 160}
    )
    assert first["share_now"].to_dict() == {
        ("easy", "a"): 0.5, ("easy", "b"): 0.25, ("easy", "c"): 0.25, ("hard", "a"): 0.375, ("hard", "b"): 0.375, ("hard", "c"): 0.25
    }  # fmt: skip
    # 80 x 1200 + 10 x 400 + 10 x 800 + 20 x 240 + 50 x 80 + 30 x 160
    assert plan.table["total_minor"].sum() == pytest.approx(121_600)


def test_what_the_plan_brings_and_how_sure_that_is_by_hand() -> None:
    found = expected_gain(planned(), NET)
    # a brings 100,800 with sd 0.2, b 8,000 with sd 0.1, c 12,800: not judged, as unsure as a.
    # As now: 50 x 1200 + 25 x 400 + 25 x 800 + 37.5 x 240 + 37.5 x 80 + 25 x 160.
    spread = 1.959964 * np.sqrt((100_800 * 0.2) ** 2 + (8_000 * 0.1) ** 2 + (12_800 * 0.2) ** 2)
    # As now a brings 69,000, b 13,000, c 24,000.
    moved = 1.959964 * np.sqrt((31_800 * 0.2) ** 2 + (5_000 * 0.1) ** 2 + (11_200 * 0.2) ** 2)
    wanted = {"value": 121_600, "low": 121_600 - spread, "high": 121_600 + spread, "value_now": 106_000}
    assert found == pytest.approx({**wanted, "gain": 15_600, "gain_low": 15_600 - moved, "gain_high": 15_600 + moved})
    # 200 accounts that scatter by 300 each: 300 x sqrt(200) beside the partners.
    wider = expected_gain(planned(), NET, account_sd=300.0)
    assert wider["high"] - 121_600 == pytest.approx(np.hypot(spread, 1.959964 * 300 * np.sqrt(200)))
    assert wider["gain_low"] == found["gain_low"]


def test_without_a_unit_that_has_accounts_now_no_gain_is_told() -> None:
    found = expected_gain(planned({"a": 0.6, "b": 0.4, "c": 0.0}), NET)
    assert np.isnan([found["value_now"], found["gain"]]).all()
    assert found["value"] > 0


def test_a_stratum_that_never_reached_the_age_takes_the_mean_of_all() -> None:
    plan = planned(worth=WORTH[WORTH["group"] != "hard"], months=3)
    rows = plan.groups.set_index("group")
    assert rows["value"].to_dict() == {"easy": 1000, "hard": 600}
    assert rows["note"].to_dict() == {"easy": "", "hard": UNSEEN}
    assert rows["accounts"].to_dict() == {"easy": 300, "hard": 300}


def test_a_share_below_the_minimum_probability_is_still_kept() -> None:
    plan = planned({"a": 0.59, "b": 0.4, "c": 0.01})
    assert plan.table.loc[plan.table["unit_key"] == "c", "propensity"].tolist() == pytest.approx([0.01, 0.01], abs=1e-6)
    assert plan.table["propensity"].min() >= 0.01 - 1e-6


def test_probabilities_sum_to_one_and_units_get_their_shares_whatever_the_strata() -> None:
    rng = np.random.default_rng(7)
    for _ in range(15):
        groups, units = int(rng.integers(1, 30)), int(rng.integers(2, 7))
        flow = pd.DataFrame(
            [(f"g{g}", 1, f"u{u}", int(rng.integers(1, 400))) for g in range(groups) for u in range(units)], columns=FLOW.columns[:4]
        ).assign(per_month=lambda table: table["cases"] / 3)
        worth = pd.DataFrame({"group": [*(f"g{g}" for g in range(groups)), "all"], "value": rng.gamma(2, 1e5, groups + 1), "note": ""})
        net = pd.DataFrame({"unit_key": [f"u{u}" for u in range(units)], "value": rng.uniform(0.6, 1.5, units), "sd": 0.1})
        shares = dict(zip(net["unit_key"], rng.dirichlet(np.full(units, 2.0)), strict=True))
        table = plan_strata(flow, worth, net, signed(shares), months=3, net_share=0.75, seed=1).table
        assert table.groupby("group")["propensity"].sum().to_numpy() == pytest.approx(1, abs=1e-9)
        total = table["accounts"].sum()
        assert (table.groupby("unit_key")["accounts"].sum() / total).to_dict() == pytest.approx(shares, abs=1e-6)
        assert table["propensity"].min() >= min(0.30 / units, *shares.values()) - 1e-6


REGISTER = pd.DataFrame(
    [
        ("ends", "agency", "2026-09-29", "valid"), ("reaches", "agency", "2026-09-30", "valid"), ("lacks", "agency", None, "valid"),
        ("withdrawn", "agency", "2027-01-01", "withdrawn"), ("team", "team", None, "none"),
    ],
    columns=["unit_key", "unit_type", "authorised_to", "authorisation"],
).assign(unit_name=lambda table: table["unit_key"].str.title())  # fmt: skip


def test_letters_that_end_before_the_period_and_full_units_are_named() -> None:
    lacking = letters_by(REGISTER, date(2026, 9, 30))
    assert lacking["unit_key"].tolist() == ["ends", "lacks", "withdrawn"]
    room = room_table({"a": 10, "b": 100}, {"a": 10, "b": 10}, {}, flow_accounts=100)
    fits, letters, full = plan_conditions(lacking, room, names={"a": "Agency A"}, open_units={"a", "b"})
    # a is full, b has room for 90 of the 100.
    assert (fits.met, fits.consequence, fits.details) == (False, "refuse", {"room_share": pytest.approx(0.9), "missing": 10, "flow": 100})
    assert (letters.name, letters.met, letters.consequence) == ("plan_letters", False, "note")
    assert letters.details == {"units": "Ends, Lacks, Withdrawn", "count": 3}
    assert (full.name, full.met, full.details) == ("plan_room", False, {"units": "Agency A", "count": 1})
    assert all(
        item.met for item in plan_conditions(lacking.head(0), room[room["unit_key"] == "b"].assign(most=1.0), names={}, open_units={"b"})
    )
