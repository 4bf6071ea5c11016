"""Value of rules from sums where the decisions live: by hand, decision by decision, and against planted truth."""

from collections.abc import Mapping
from datetime import date

import numpy as np
import pandas as pd
import pytest
from collect_analysis.book.store import Book, book_from_frames
from collect_analysis.errors import DataError
from collect_analysis.methods.targeting.policy_value import Points, Spread, contrast_table, estimate_table
from collect_analysis.strategies.decision_log import DecisionLog, open_log
from collect_analysis.strategies.rule_value import measures as rule_value
from collect_analysis.strategies.rules import Rule, everyone, parse_rule

from tests.bench.calibration_rule_value import log_of, run, truth_of
from tests.strategies.policy_value_by_decision import value_of

AS_OF = date(2026, 6, 30)
ROLES = {
    "cohort.outcome_paid": {"kind": "binary", "horizon_days": 90},
    "cohort.covariate_score": {"measured": "before"},
    "cohort.covariate_late": {"measured": "after"},
}
WHOM = parse_rule(
    "whom",
    [
        {"when": {"score": {"from": 2, "to": 5}}, "then": "call"},
        {"when": {"score": {"missing": True}}, "then": {"call": 0.25, "text": 0.75}},
        {"then": "text"},
    ],
)


def supplied(frame: pd.DataFrame) -> tuple[Book, DecisionLog]:
    cohort = frame.assign(experiment_id="e", assigned_on=date(2026, 1, 1))
    book = book_from_frames({"cohort": cohort}, as_of=AS_OF, roles=ROLES)
    return book, open_log(book, horizon_days=90, experiment_id="e")


def valued(frame: pd.DataFrame, *rules: Rule, outcome: str = "paid", **options) -> tuple[dict[str, Points], Spread]:
    book, log = supplied(frame)
    named = {rule.name: rule.rows for rule in rules}
    covariates = [item for item in log.cohort.covariates if item.name in options.pop("covariates", [])]
    weighed = rule_value.weigh(book, log, log.cohort.outcome(outcome, 90), named, covariates=covariates, **options)
    return rule_value.values(book, weighed)


def drawn(size: int, seed: int, *, clustered: bool) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    score = rng.integers(0, 8, size).astype(float)
    stratum = np.where(rng.random(size) < 0.4, "north", "south")
    share = np.where(stratum == "north", 0.3, 0.6) + 0.002 * rng.integers(0, 50, size)
    call = rng.random(size) < share
    paid = rng.random(size) < 0.2 + 0.03 * score * call
    return pd.DataFrame(
        {
            "subject_key": [f"s{number}" for number in range(size)],
            "cluster_key": [f"c{number // 2 if clustered else number}" for number in range(size)],
            "arm": np.where(call, "call", "text"),
            "propensity": np.where(call, share, 1 - share),
            "stratum": stratum,
            "covariate_score": np.where(rng.random(size) < 0.1, np.nan, score),
            "outcome_paid": paid.astype(float),
        }
    )


def test_four_decisions_by_hand() -> None:
    frame = pd.DataFrame(
        {
            "subject_key": list("abcd"), "arm": ["x", "x", "y", "y"], "propensity": [0.5, 0.25, 0.5, 0.75],
            "outcome_amount": [10.0, 20.0, 30.0, 40.0],
        }
    )  # fmt: skip
    points, spread = valued(frame, everyone("x", name="all"), outcome="amount")
    # Weights 2, 4, 0, 0: (2·10 + 4·20) / 4, / 6.
    assert points["all"].logged == 25
    assert points["all"].ips == pytest.approx(25)
    assert points["all"].self_normalised == pytest.approx(100 / 6)
    # Influences (20-25)/4, (80-25)/4, -25/4, -25/4 over independent units, times 4/3.
    assert spread.error({("all", "ips"): 1.0}) == pytest.approx(np.sqrt((25 + 3025 + 625 + 625) / 16 * 4 / 3))
    # Too few cases for any mean but that of all: (10+20+30+40 less one's own fold) is what the loops find as well.
    own = [
        {"cluster": key, "action": row.arm, "propensity": row.propensity, "y": row.outcome_amount, "stratum": ""}
        for key, row in frame.set_index("subject_key").iterrows()
    ]
    expected = value_of(own, lambda item: {"x": 1.0}, lambda item: 1, folds=5, seed=1)
    assert points["all"].doubly_robust == pytest.approx(expected["doubly_robust"][0])


@pytest.mark.parametrize("clustered", [False, True])
@pytest.mark.parametrize("max_weight", [None, 2.0])
def test_sums_give_what_loops_over_decisions_give(clustered: bool, max_weight: float | None) -> None:
    frame = drawn(300, 3, clustered=clustered)
    points, spread = valued(frame, WHOM, folds=3, seed=7, max_weight=max_weight)
    table = estimate_table(points, spread).set_index("estimator")
    decisions = [
        {
            "cluster": row["cluster_key"], "action": row["arm"], "propensity": row["propensity"], "y": row["outcome_paid"],
            "stratum": row["stratum"], "score": row["covariate_score"],
        }
        for row in frame.to_dict("records")
    ]  # fmt: skip

    def decided(item: dict) -> int:
        return 2 if np.isnan(item["score"]) else 1 if 2 <= item["score"] < 5 else 3

    def chances(item: dict) -> Mapping[str, float]:
        return {1: {"call": 1.0}, 2: {"call": 0.25, "text": 0.75}, 3: {"text": 1.0}}[decided(item)]

    expected = value_of(decisions, chances, decided, folds=3, seed=7, max_weight=max_weight or np.inf)
    for name, (value, error, gain_error) in expected.items():
        assert table.loc[name, "value"] == pytest.approx(value, abs=1e-9)
        assert table.loc[name, "se"] == pytest.approx(error, abs=1e-9)
        if name != "logged":
            assert table.loc[name, "gain_se"] == pytest.approx(gain_error, abs=1e-9)


def test_the_rule_that_was_followed_has_the_value_that_was_seen() -> None:
    frame = drawn(2000, 4, clustered=False)
    frame["propensity"] = np.where(frame["arm"] == "call", 0.45, 0.55)
    same = parse_rule("same", [{"then": {"call": 0.45, "text": 0.55}}])
    points, spread = valued(frame, same)
    table = estimate_table(points, spread).set_index("estimator")
    for name in ("ips", "self_normalised"):
        assert table.loc[name, "value"] == pytest.approx(frame["outcome_paid"].mean(), abs=1e-12)
        assert table.loc[name, "gain_se"] == pytest.approx(0, abs=1e-9)
    assert contrast_table(points, spread, [("same", "")], estimator="self_normalised")["p_value"].iloc[0] == 1


def test_everybody_called_under_even_odds_is_the_mean_of_those_called() -> None:
    frame = drawn(2000, 5, clustered=True).assign(propensity=0.5)
    points, _ = valued(frame, everyone("call", name="all"))
    called = frame.loc[frame["arm"] == "call", "outcome_paid"]
    assert points["all"].self_normalised == pytest.approx(called.mean(), abs=1e-12)


def test_shifting_every_outcome_shifts_self_normalised_and_doubly_robust_exactly() -> None:
    frame = drawn(500, 6, clustered=False).rename(columns={"outcome_paid": "outcome_amount"})
    low, _ = valued(frame, WHOM, outcome="amount")
    high, _ = valued(frame.assign(outcome_amount=frame["outcome_amount"] + 5), WHOM, outcome="amount")
    for name in ("self_normalised", "doubly_robust"):
        assert getattr(high["whom"], name) == pytest.approx(getattr(low["whom"], name) + 5, abs=1e-9)


def test_decisions_of_one_customer_count_once_and_stay_in_one_fold() -> None:
    once = drawn(400, 7, clustered=False)
    twice = pd.concat([once, once.assign(subject_key=once["subject_key"] + "b")])
    _, single = valued(once, WHOM, covariates=["score"])
    _, double = valued(twice, WHOM, covariates=["score"])
    assert double.units == single.units
    key = ("whom", "ips")
    assert double.error({key: 1.0}) == pytest.approx(single.error({key: 1.0}), rel=1e-9)


def test_covariates_make_finer_cells_and_narrow_the_interval() -> None:
    rng = np.random.default_rng(8)
    frame = drawn(4000, 8, clustered=False)
    frame["outcome_paid"] = (rng.random(len(frame)) < 0.05 + 0.11 * frame["covariate_score"].fillna(0)).astype(float)
    plain, finer = (valued(frame, everyone("call", name="all"), covariates=names)[1] for names in ([], ["score"]))
    assert finer.error({("all", "doubly_robust"): 1.0}) < 0.95 * plain.error({("all", "doubly_robust"): 1.0})


def test_several_rules_are_compared_with_each_other() -> None:
    frame = drawn(3000, 9, clustered=True)
    points, spread = valued(frame, WHOM, everyone("call", name="all"))
    table = contrast_table(points, spread, [("whom", ""), ("whom", "all")])
    assert table["value"].iloc[1] == pytest.approx(points["whom"].doubly_robust - points["all"].doubly_robust)
    raw, adjusted = np.sort(table["p_value"]), np.sort(table["p_adjusted"])
    np.testing.assert_allclose(adjusted, [min(1, 2 * raw[0]), max(min(1, 2 * raw[0]), raw[1])])


def test_weights_that_do_not_average_one_show_in_their_row() -> None:
    frame = drawn(4000, 10, clustered=False)
    wrong = frame.assign(propensity=np.where(frame["covariate_score"] >= 5, frame["propensity"] * 0.7, frame["propensity"]))
    book, log = supplied(wrong)
    weighed = rule_value.weigh(book, log, log.cohort.outcomes[0], {"whom": WHOM.rows})
    averages = weighed.averages["whom"].set_index("row")
    assert averages.loc[3, "p_adjusted"] < 0.001 < averages.loc[1, "p_adjusted"]


def test_what_each_row_decides_is_counted() -> None:
    frame = drawn(1000, 11, clustered=True)
    book, log = supplied(frame)
    facts = rule_value.row_facts(book, log, log.cohort.outcomes[0], WHOM.rows).set_index("row")
    score = frame["covariate_score"]
    rows = {1: score.between(2, 4), 2: score.isna(), 3: score.notna() & ~score.between(2, 4)}
    for number, inside in rows.items():
        assert facts.loc[number, "cases"] == inside.sum()
        assert facts.loc[number, "payers"] == frame.loc[inside, "outcome_paid"].sum()
        assert facts.loc[number, "value"] == pytest.approx(frame.loc[inside, "outcome_paid"].mean())
    assert facts["per_week"].isna().all()  # everybody came on one day


def test_what_was_measured_after_the_decision_is_told_apart() -> None:
    _, log = supplied(drawn(50, 12, clustered=False).assign(covariate_late=1.0))
    assert log.late == ("late",)
    assert log.columns == {
        "stratum": ("stratum", "code"), "score": ("covariate_score", "number"), "late": ("covariate_late", "number"),
    }  # fmt: skip


def decisions_of(rows: list[tuple]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["account_key", "unit_key", "segment", "propensity", "from_date"])
    return table.assign(
        decision_key=[f"d{number}" for number in range(len(table))], customer_key=table["account_key"], kind="placement",
        decided_utc=pd.Timestamp("2026-01-01"), balance_minor=100,
    )  # fmt: skip


def test_placements_are_read_as_first_decisions_and_on_request_only_those_drawn() -> None:
    rows = [
        ("a1", "ag-x", "s", 0.5, date(2026, 1, 1)),
        ("a1", "ag-y", "s", 0.5, date(2026, 2, 1)),
        ("a2", "ag-y", "s", 0.5, date(2026, 1, 1)),
        ("a3", "ag-y", "s", None, date(2026, 1, 1)),
        ("a4", "ag-y", "s", 1.0, date(2026, 1, 1)),
    ]
    book = book_from_frames({"decision": decisions_of(rows)}, as_of=AS_OF)
    log = open_log(book, horizon_days=90, decision_kind="placement")
    assert (log.actions, log.later, log.undrawn) == (("ag-x", "ag-y"), 1, 0)
    log = open_log(book, horizon_days=90, decision_kind="placement", only_drawn=True)
    assert log.undrawn == 2
    assert list(book.frame(log.cohort.table.order_by("subject_key"))["subject_key"]) == ["a1", "a2"]
    with pytest.raises(DataError, match=r"no decisions of kind 'segment'.*it has placement \(5\)"):
        open_log(book, horizon_days=90, decision_kind="segment")
    judged = book_from_frames({"decision": decisions_of(rows[3:])}, as_of=AS_OF)
    with pytest.raises(DataError, match="no decision was drawn by lot"):
        open_log(judged, horizon_days=90, decision_kind="placement", only_drawn=True)


def test_estimates_are_unbiased_and_their_intervals_cover() -> None:
    found = run(8, 1).set_index("case")
    assert {"covers: doubly_robust", "bias: doubly_robust", "covers: self_normalised", "covers: ips"} <= set(found.index)
    # 8 replications: four standard errors of a share of 95 %; tests/bench has the thousand.
    covers = found[found.index.str.startswith("covers")]
    assert (covers["rate"] > 0.95 - 4 * np.sqrt(0.95 * 0.05 / 8)).all()
    bias = found[found.index.str.startswith("bias")]
    assert ((bias["low"] <= 0) & (bias["high"] >= 0)).all()


def test_the_planted_truth_is_what_a_long_log_finds() -> None:
    frame = log_of(np.random.default_rng(2), 60_000)
    rows = parse_rule("planted", [{"when": {"score": {"from": 2}}, "then": "call"}, {"then": "text"}])
    points, spread = valued(frame, rows)
    error = spread.error({("planted", "doubly_robust"): 1.0})
    assert abs(points["planted"].doubly_robust - truth_of()) < 4 * error
