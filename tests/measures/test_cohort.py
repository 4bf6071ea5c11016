"""Cohorts from decisions and from a supplied table, by hand and against the same sums in pandas."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from collect_analysis.book.store import Book, book_from_frames
from collect_analysis.errors import DataError
from collect_analysis.measures import arms
from collect_analysis.measures.cohort import Cohort, open_cohort
from collect_analysis.methods.trials.experiments import arm_means, compare_arms
from collect_analysis.strategies import adjusted
from collect_analysis.strategies.strategy_review.measures_recovery import cumulative_recovery

AS_OF = date(2026, 6, 30)
START = date(2026, 1, 1)
ARMS = ["champion", "new"]


def decisions(rows: list[dict]) -> pd.DataFrame:
    base = {"kind": "experiment", "experiment_id": "e", "propensity": 0.5, "from_date": START, "decided_utc": pd.Timestamp(START)}
    return pd.DataFrame([{"decision_key": f"d{number}", **base, **row} for number, row in enumerate(rows)])


def payments(rows: list[tuple]) -> pd.DataFrame:
    """Rows of (key, account, amount, days after START, reversal of, eligible)."""
    return pd.DataFrame(
        [
            {
                "payment_key": key, "account_key": account, "amount_minor": amount, "currency": "VND",
                "value_date": START + timedelta(days=days), "reversal_of": reversal, "eligible": eligible,
            }
            for key, account, amount, days, reversal, eligible in rows
        ]
    )  # fmt: skip


# The feed came, though nobody of the test is in it.
SOMEBODY_PAID = payments([("elsewhere", "other", 1, 5, None, True)])


def subjects(book: Book, cohort: Cohort) -> pd.DataFrame:
    return book.frame(cohort.table).set_index("subject_key").sort_index()


@pytest.fixture
def small() -> Book:
    """Two customers per arm; customer c1 holds two accounts."""
    rows = [
        {"account_key": "a1", "customer_key": "c1", "arm": "new", "balance_minor": 900},
        {"account_key": "a2", "customer_key": "c1", "arm": "new"},
        {"account_key": "a3", "customer_key": "c2", "arm": "new"},
        {"account_key": "a4", "customer_key": "c3", "arm": "champion"},
        {"account_key": "a5", "customer_key": "c4", "arm": "champion"},
        {"account_key": "a5", "customer_key": "c4", "arm": "champion", "from_date": START + timedelta(days=40)},
        {"account_key": "a9", "customer_key": "c9", "arm": "new", "experiment_id": "other"},
    ]
    money = [
        ("p1", "a1", 100, 0, None, True),  # on the day of assignment
        ("p2", "a1", 40, 30, None, True),  # last day of the 30-day horizon
        ("p3", "a2", 70, 31, None, True),
        ("p4", "a3", 500, -1, None, True),  # before assignment
        ("p5", "a4", 60, 10, None, True),
        ("p6", "a4", -60, 80, "p5", True),  # the cash of day 10 did not stay
        ("p7", "a5", 25, 10, None, False),  # posted twice
        ("p8", "a5", 25, 90, None, True),
        ("p9", "a5", 25, 91, None, True),
        ("p10", "a5", -25, 20, "p7", True),  # takes back what never counted
    ]
    talk = {"direction": "out", "channel": "call", "result": "answered", "party_role": "debtor", "verified": True, "officer_key": "o"}
    contacts = [
        {"account_key": "a1", "days": 0, "talk_s": 100, "wrap_s": 20, **talk},
        {"account_key": "a1", "days": 90, "talk_s": 60, **talk, "verified": False},
        {"account_key": "a1", "days": 91, "talk_s": 600, **talk},
        {"account_key": "a2", "days": 3, "talk_s": 600, **talk, "officer_key": None},
        {"account_key": "a4", "days": 3, "talk_s": 30, **talk, "direction": "in"},
        {"account_key": "a4", "days": -3, "talk_s": 30, **talk},
    ]
    contact = pd.DataFrame(contacts).assign(event_key=lambda t: "k" + t.index.astype(str), customer_key="c")
    contact["local_ts"] = pd.Timestamp(START) + pd.to_timedelta(contact.pop("days"), unit="D") + pd.Timedelta(hours=20)
    contact["ts_utc"] = contact["local_ts"] - pd.Timedelta(hours=7)
    ticket = pd.DataFrame(
        {
            "ticket_key": ["t1", "t2"], "type": ["complaint", "dispute"], "account_key": ["a3", "a3"], "owner_side": "amc",
            "opened_ts": [pd.Timestamp("2026-02-01 10:00"), pd.Timestamp("2026-05-01 10:00")], "due_ts": pd.Timestamp("2026-06-01"),
        }
    )  # fmt: skip
    month_end = pd.DataFrame(
        {
            "account_key": ["a1", "a1", "a4", "a4"],
            "month_end": [date(2025, 11, 30), date(2025, 12, 31), date(2025, 12, 31), date(2026, 1, 31)],
            "status": "open", "bucket": [1, 2, 3, 4], "balance_minor": [50, 60, 70, 80],
        }
    )  # fmt: skip
    frames = {"decision": decisions(rows), "payment": payments(money), "contact": contact, "ticket": ticket, "month_end": month_end}
    return book_from_frames(frames, as_of=AS_OF)


@pytest.fixture
def cohort(small: Book) -> Cohort:
    return open_cohort(small, "e", arms=ARMS, horizon_days=90, horizons=[30])


def test_one_row_per_account_of_the_experiment(small: Book, cohort: Cohort) -> None:
    table = subjects(small, cohort)
    assert list(table.index) == ["a1", "a2", "a3", "a4", "a5"]
    assert list(table["cluster_key"]) == ["c1", "c1", "c2", "c3", "c4"]
    assert list(table["assigned_on"]) == [START] * 5


def test_money_counts_from_the_day_of_assignment_to_the_last_day_of_the_horizon(small: Book, cohort: Cohort) -> None:
    table = subjects(small, cohort)
    assert list(table["amount_d30_minor"]) == [140, 0, 0, 0, 0]
    assert list(table["amount_d90_minor"]) == [140, 70, 0, 0, 25]
    assert list(table["payer_d90"]) == [1, 1, 0, 0, 1]
    assert list(table["paid_before"]) == [0, 0, 500, 0, 0]


def test_work_counts_in_the_same_days(small: Book, cohort: Cohort) -> None:
    table = subjects(small, cohort)
    assert list(table["outbound_contacts"]) == [2, 1, 0, 0, 0]
    assert list(table["right_party_contacts"]) == [1, 1, 0, 0, 0]
    assert list(table["agent_minutes"]) == [3, 0, 0, 0.5, 0]
    assert list(table["complaints"]) == [0, 0, 1, 0, 0]
    assert list(table["disputes"]) == [0, 0, 0, 0, 0]


def test_standing_is_that_of_the_last_month_end_before_assignment(small: Book, cohort: Cohort) -> None:
    table = subjects(small, cohort)
    assert table["bucket"].tolist()[0] == 2
    assert table["bucket"].tolist()[3] == 3
    assert table["balance"].tolist()[0] == 900  # the one the decision logged
    assert table["balance"].tolist()[3] == 70
    assert adjusted.missing_covariates(small, cohort, ARMS, cohort.covariates)["bucket"] == 3


def test_sums_run_over_customers(small: Book, cohort: Cohort) -> None:
    sums = arms.arm_sums(small, cohort, ARMS, [cohort.outcome("cash_per_account", 90)]).set_index("arm")
    new = sums.loc["new", ["clusters", "cases", "positive", "sum_y", "sum_y2", "sum_yy", "sum_yn", "sum_nn"]].tolist()
    # c1: 210 on two accounts, c2: 0 on one.
    assert new == [2, 3, 2, 210, 140**2 + 70**2, 210**2, 420, 5]
    assert sums.loc["champion", ["clusters", "cases", "positive", "sum_y"]].tolist() == [2, 2, 1, 25]


def test_curve_ends_where_the_outcome_of_the_horizon_stands(small: Book, cohort: Cohort) -> None:
    curve = cumulative_recovery(small, cohort, ARMS).set_index(["arm", "day"])
    assert curve.loc[("new", 29), "value"] == pytest.approx(100 / 3)
    assert curve.loc[("new", 30), "value"] == pytest.approx(140 / 3)
    assert curve.loc[("new", 90), "numerator"] == 210
    assert curve.loc[("champion", 90), "value"] == 12.5
    assert curve.index.get_level_values("day").max() == 90


def test_a_horizon_that_is_open_for_too_many_is_not_read(small: Book) -> None:
    late = book_from_frames(
        {
            "decision": decisions([{"account_key": f"a{n}", "customer_key": f"c{n}", "arm": ARMS[n % 2]} for n in range(20)]),
            "payment": SOMEBODY_PAID,
        },
        as_of=date(2026, 3, 1),
    )
    cohort = open_cohort(late, "e", arms=ARMS, horizon_days=60, horizons=[59])
    assert arms.open_horizons(late, cohort, ARMS) == {59: 0.0, 60: 1.0}
    sums = arms.arm_sums(late, cohort, ARMS, [cohort.outcome("cash_per_account", 59), cohort.outcome("cash_per_account", 60)])
    assert sums.groupby("horizon_days")["note"].first().tolist() == ["", "the horizon is not over for 100.0% of the cases"]
    assert cumulative_recovery(late, cohort, ARMS)["day"].max() == 59


def test_cash_by_day_is_no_row_of_noughts_where_no_payment_was_delivered() -> None:
    rows = [{"account_key": f"a{n}", "customer_key": f"c{n}", "arm": ARMS[n % 2]} for n in range(20)]
    for frames, days in (({"payment": SOMEBODY_PAID}, 61), ({}, 0)):
        book = book_from_frames({"decision": decisions(rows), **frames}, as_of=AS_OF)
        curve = cumulative_recovery(book, open_cohort(book, "e", arms=ARMS, horizon_days=60), ARMS)
        assert len(curve) == 2 * days


def test_customers_in_two_arms_are_counted(small: Book, cohort: Cohort) -> None:
    assert arms.shared_subjects(small, cohort, ARMS) == (0, 0)
    rows = [
        {"account_key": "a1", "customer_key": "c1", "arm": "new"},
        {"account_key": "a2", "customer_key": "c1", "arm": "champion"},
        {"account_key": "a3", "customer_key": "c3", "arm": "champion"},
        {"account_key": "a3", "customer_key": "c3", "arm": "new", "from_date": START + timedelta(days=9)},
    ]
    crossed = book_from_frames({"decision": decisions(rows)}, as_of=AS_OF)
    other = open_cohort(crossed, "e", arms=ARMS, horizon_days=90)
    assert arms.shared_subjects(crossed, other, ARMS) == (1, 1)
    assert subjects(crossed, other).loc["a3", "arm"] == "champion"  # as first assigned


def test_an_unknown_experiment_and_an_unknown_arm_are_named_with_what_there_is(small: Book) -> None:
    with pytest.raises(DataError, match=r"nobody in experiment 'x'.*knows e, other"):
        open_cohort(small, "x", arms=ARMS, horizon_days=90)
    with pytest.raises(DataError, match=r"no arm\(s\) neww; its arms are champion, new"):
        open_cohort(small, "e", arms=["champion", "neww"], horizon_days=90)


def test_a_planned_arm_that_got_nobody_stays_in_sight() -> None:
    plan = pd.DataFrame(
        {
            "experiment_id": "e", "arm": ["champion", "new"], "role": ["champion", "challenger"], "share": 0.5,
            "unit_of_assignment": "customer",
            "starts_on": START, "horizon_days": 90,
        }
    )  # fmt: skip
    book = book_from_frames(
        {"experiment": plan, "decision": decisions([{"account_key": "a", "customer_key": "c", "arm": "champion"}])}, as_of=AS_OF
    )
    cohort = open_cohort(book, "e", arms=ARMS, horizon_days=90)
    facts = arms.arm_facts(book, cohort).set_index("arm")
    assert facts.loc["new", ["role", "share", "cases"]].tolist() == ["challenger", 0.5, 0]
    assert arms.arm_sums(book, cohort, ARMS, [cohort.outcome("cash_per_account", 90)]).set_index("arm").loc["new", "cases"] == 0


@pytest.fixture
def supplied() -> tuple[Book, pd.DataFrame]:
    rng = np.random.default_rng(4)
    n = 900
    frame = pd.DataFrame({"experiment_id": "letters", "subject_key": [f"s{i}" for i in range(n)], "arm": rng.choice(["a", "b", "c"], n)})
    frame["cluster_key"] = [f"h{i // 3}" for i in range(n)]
    frame["covariate_before"] = rng.normal(50, 9, n)
    frame["covariate_owing"] = rng.integers(1, 9, n)
    frame["covariate_opened"] = rng.integers(0, 2, n)
    frame["outcome_paid"] = 5 + 0.3 * frame["covariate_before"] + (frame["arm"] == "b") + rng.normal(0, 1, n)
    frame["outcome_answered"] = (rng.random(n) < 0.3).astype(int)
    other = pd.DataFrame({"experiment_id": ["mail"], "subject_key": ["z"], "arm": ["a"], "outcome_elsewhere": [1.0]})
    roles = {
        "cohort.outcome_paid": {"kind": "number", "horizon_days": 60},
        "cohort.outcome_answered": {"kind": "binary", "label": {"en": "Answered"}},
        "cohort.covariate_before": {"measured": "before"},
        "cohort.covariate_owing": {"measured": "before"},
        "cohort.covariate_opened": {"measured": "after"},
    }
    return book_from_frames({"cohort": pd.concat([frame, other])}, as_of=AS_OF, roles=roles), frame


def test_a_supplied_cohort_brings_its_own_outcomes_and_covariates(supplied: tuple[Book, pd.DataFrame]) -> None:
    book, _ = supplied
    cohort = open_cohort(book, "letters", arms=["a", "b"], horizon_days=30)
    assert [(item.name, item.unit, item.horizon_days) for item in cohort.outcomes] == [("paid", "count", 60), ("answered", "share", 30)]
    assert {item.name: item.measured for item in cohort.covariates} == {"before": "before", "owing": "before", "opened": "after"}
    assert cohort.payments is None
    assert cumulative_recovery(book, cohort, ["a", "b"]).empty
    assert arms.dose_outcomes(cohort) == []


def test_sums_of_a_supplied_cohort_are_those_of_pandas(supplied: tuple[Book, pd.DataFrame]) -> None:
    book, frame = supplied
    cohort = open_cohort(book, "letters", arms=["a", "b"], horizon_days=30)
    sums = arms.arm_sums(book, cohort, ["a", "b"], [cohort.outcome("paid", 60)]).set_index("arm")
    for arm, part in frame[frame["arm"].isin(["a", "b"])].groupby("arm"):
        cluster = part.groupby("cluster_key")["outcome_paid"].agg(["sum", "size"])
        expected = [
            len(cluster), len(part), (part["outcome_paid"] > 0).sum(), part["outcome_paid"].sum(), (part["outcome_paid"] ** 2).sum(),
            (cluster["sum"] ** 2).sum(), (cluster["sum"] * cluster["size"]).sum(), (cluster["size"] ** 2).sum(),
        ]  # fmt: skip
        assert sums.loc[arm, ["clusters", "cases", "positive", "sum_y", "sum_y2", "sum_yy", "sum_yn", "sum_nn"]].tolist() == pytest.approx(
            expected
        )


@pytest.mark.parametrize("interacted", [True, False])
@pytest.mark.parametrize("clustered", [False, True])
def test_adjusted_effects_are_statsmodels(supplied: tuple[Book, pd.DataFrame], clustered: bool, interacted: bool) -> None:
    _, frame = supplied
    household = frame.index // 3
    frame = frame.assign(arm=frame["arm"].to_numpy()[3 * household])  # a household is in one arm
    frame["outcome_paid"] += (frame["arm"] == "c") * 0.2 * frame["covariate_before"]
    frame = frame if clustered else frame.drop(columns="cluster_key")
    roles = {f"cohort.covariate_{name}": {"measured": "before"} for name in ("before", "owing")}
    book = book_from_frames({"cohort": frame}, as_of=AS_OF, roles=roles)
    cohort = open_cohort(book, "letters", arms=["a", "b", "c"], horizon_days=30)
    outcome, chosen = cohort.outcome("paid", 30), adjusted.covariates_of(cohort, ["before", "owing"])
    found = adjusted.adjusted_comparison(book, cohort, outcome, chosen, base="a", arms=["b", "c"], interacted=interacted).set_index("arm")
    x = pd.DataFrame({arm: (frame["arm"] == arm).astype(float) for arm in "bc"})
    for name in ("before", "owing"):
        x[name] = frame[f"covariate_{name}"] - frame[f"covariate_{name}"].mean()
        for arm in "bc" if interacted else "":
            x[f"{name}:{arm}"] = x[name] * x[arm]
    options = {"cov_type": "cluster", "cov_kwds": {"groups": household}} if clustered else {"cov_type": "HC2"}
    expected = sm.OLS(frame["outcome_paid"], sm.add_constant(x)).fit(use_t=True, **options)
    for arm in "bc":
        assert found.loc[arm, ["value", "se"]].tolist() == pytest.approx([expected.params[arm], expected.bse[arm]], rel=1e-8)
    within = frame["outcome_paid"] - frame.groupby("arm")["outcome_paid"].transform("mean")
    assert found.loc["b", "variance_kept"] == pytest.approx(expected.ssr / (within**2).sum())
    if not interacted:
        told = adjusted.explained(book, cohort, [outcome], chosen, arms=["a", "b", "c"]).set_index("covariate")
        assert told["theta"].tolist() == pytest.approx([expected.params["before"], expected.params["owing"]])
        assert told["rho2"].tolist() == pytest.approx([1 - expected.ssr / (within**2).sum()] * 2)
        assert told["multiplier"].tolist() == pytest.approx(1 / (1 - told["rho2"]))


def test_a_household_in_two_arms_has_no_adjusted_effect(supplied: tuple[Book, pd.DataFrame]) -> None:
    book, _ = supplied
    cohort = open_cohort(book, "letters", arms=["a", "b", "c"], horizon_days=30)
    chosen = adjusted.covariates_of(cohort, ["before"])
    with pytest.raises(DataError, match=r"clusters \(customers\) are in more than one arm"):
        adjusted.adjusted_comparison(book, cohort, cohort.outcome("paid", 60), chosen, base="a", arms=["b", "c"])


def test_a_covariate_with_one_value_in_an_arm_is_found(supplied: tuple[Book, pd.DataFrame]) -> None:
    _, frame = supplied
    frame = frame.assign(covariate_owing=frame["covariate_owing"].mask(frame["arm"] == "b", 4))
    book = book_from_frames({"cohort": frame}, as_of=AS_OF)
    cohort = open_cohort(book, "letters", arms=["a", "b"], horizon_days=30)
    assert adjusted.flat_covariates(book, cohort, ["a", "b"], cohort.covariates) == {"owing": "b"}


def test_a_covariate_measured_after_assignment_is_never_adjusted_for(supplied: tuple[Book, pd.DataFrame]) -> None:
    book, _ = supplied
    cohort = open_cohort(book, "letters", arms=["a", "b"], horizon_days=30)
    chosen = adjusted.covariates_of(cohort, ["before", "opened"])
    with pytest.raises(DataError, match="opened are not declared as measured before"):
        adjusted.adjusted_comparison(book, cohort, cohort.outcome("paid", 60), chosen, base="a", arms=["b"])


def test_impossible_values_are_counted() -> None:
    frame = pd.DataFrame(
        {
            "experiment_id": "e", "subject_key": list("uvwxyz"), "arm": list("aaabbb"), "outcome_paid_minor": [5, -1, None, 0, 3, 4],
            "outcome_done": [0, 1, 1, 0, 2, 1], "assigned_on": [START] * 6,
            "event_on": [START, START - timedelta(days=1), None, None, START + timedelta(days=3), START - timedelta(days=9)],
        }
    )  # fmt: skip
    book = book_from_frames(
        {"cohort": frame}, as_of=AS_OF, roles={"cohort.outcome_paid_minor": {"kind": "money"}, "cohort.outcome_done": {"kind": "binary"}}
    )
    cohort = open_cohort(book, "e", arms=["a", "b"], horizon_days=30)
    found = arms.flaws(book, cohort, ["a", "b"], cohort.outcomes).set_index("outcome")
    assert found.loc["paid", ["missing", "negative"]].tolist() == [1, 1]
    assert found.loc["done", "not_yes_no"] == 1
    assert found["early"].tolist() == [2] * len(found)


def test_an_outcome_that_is_not_there_is_refused_with_those_that_are(small: Book, cohort: Cohort) -> None:
    with pytest.raises(DataError, match="no outcome 'cash' at 90 days; it has cash_per_account at 30 days"):
        cohort.outcome("cash", 90)
    with pytest.raises(DataError, match="nothing called visits to guard; it has agent_minutes"):
        arms.guardrail_outcomes(cohort, ["visits"])


def test_cash_per_minute_sums_over_customers(small: Book, cohort: Cohort) -> None:
    sums = arms.ratio_sums(small, cohort, ARMS, over="agent_minutes", horizon_days=90).set_index("arm")
    assert sums.loc["new", ["clusters", "sum_y", "sum_x", "sum_yy", "sum_xx", "sum_xy"]].tolist() == [2, 210, 3, 210**2, 9, 630]


def test_a_later_day_never_lowers_what_was_collected_when_nothing_is_taken_back() -> None:
    rng = np.random.default_rng(6)
    rows = [{"account_key": f"a{n}", "customer_key": f"c{n // 2}", "arm": ARMS[n // 2 % 2]} for n in range(200)]
    money = [(f"p{n}", f"a{rng.integers(200)}", int(rng.integers(1, 999)), int(rng.integers(0, 120)), None, True) for n in range(500)]
    book = book_from_frames({"decision": decisions(rows), "payment": payments(money)}, as_of=AS_OF)
    cohort = open_cohort(book, "e", arms=ARMS, horizon_days=90, horizons=[30, 60])
    curve = cumulative_recovery(book, cohort, ARMS)
    assert (curve.groupby("arm")["numerator"].diff().dropna() >= 0).all()
    # The curve's interval is that of the effect table's means (normal against Student's t).
    means = arm_means(arms.arm_sums(book, cohort, ARMS, [cohort.outcome("cash_per_account", days) for days in (30, 60, 90)]))
    for row in means.to_dict("records"):
        point = curve[(curve["arm"] == row["arm"]) & (curve["day"] == row["horizon_days"])].iloc[0]
        assert point["value"] == pytest.approx(row["value"])
        assert (point["high"] - point["value"]) / 1.959964 == pytest.approx(np.sqrt(row["variance"]), rel=1e-6)
    assert len(compare_arms(means, base="champion")) == 3


def test_one_supplied_outcome_may_be_read_at_several_horizons() -> None:
    frame = pd.DataFrame(
        {
            "experiment_id": "e", "subject_key": ["s1", "s2", "s3", "s4"], "arm": ["champion", "champion", "new", "new"],
            "outcome_cash_d30_minor": [0, 5, 7, 0], "outcome_cash_d180_minor": [4, 5, 7, 0], "outcome_seen_d9": [1, 0, 0, 1],
        }
    )  # fmt: skip
    roles = {"cohort.outcome_seen_d9": {"kind": "binary", "horizon_days": 14}}
    book = book_from_frames({"cohort": frame}, as_of=AS_OF, roles=roles)
    cohort = open_cohort(book, "e", arms=ARMS, horizon_days=90)
    named = {(item.name, item.horizon_days): item.column for item in cohort.outcomes}
    assert named == {
        ("cash", 30): "outcome_cash_d30_minor", ("cash_payer_rate", 30): "payer_cash_d30", ("cash", 180): "outcome_cash_d180_minor",
        ("cash_payer_rate", 180): "payer_cash_d180", ("seen_d9", 14): "outcome_seen_d9",
    }  # fmt: skip
    sums = arms.arm_sums(book, cohort, ARMS, [item for item in cohort.outcomes if item.name == "cash_payer_rate"])
    assert sums[["horizon_days", "arm", "positive"]].to_numpy().tolist() == [
        [30, "champion", 1], [30, "new", 1], [180, "champion", 2], [180, "new", 1],
    ]  # fmt: skip


def test_what_came_after_a_horizon_and_what_came_by_it_add_up(small: Book) -> None:
    cohort = open_cohort(small, "e", arms=ARMS, horizon_days=90, horizons=[30])
    wider, later = arms.after_early(cohort)
    assert [(item.name, item.unit, item.horizon_days) for item in later] == [
        ("cash_per_account_after_30", "minor", 90),
        ("payer_rate_after_30", "share", 90),
    ]
    table = subjects(small, wider)
    assert list(table["after_30_amount_d90_minor"]) == [0, 70, 0, 0, 25]
    assert list(table["after_30_payer_d90"]) == [0, 1, 0, 0, 1]
    assert (table["after_30_amount_d90_minor"] + table["amount_d30_minor"]).tolist() == table["amount_d90_minor"].tolist()


def test_a_month_of_payments_that_was_not_delivered_costs_a_grade_and_is_named() -> None:
    rows = [{"account_key": f"a{n}", "customer_key": f"c{n}", "arm": ARMS[n % 2]} for n in range(4)]
    paid = [("p1", "a0", 100, 5, None, True), ("p2", "a1", 100, 70, None, True)]
    book = book_from_frames({"decision": decisions(rows), "payment": payments(paid)}, as_of=AS_OF)
    (found,) = open_cohort(book, "e", arms=ARMS, horizon_days=90).delivered
    missing = sorted(
        {f"{START + timedelta(days=day):%Y-%m}" for day in range(91)} - {f"{START + timedelta(days=day):%Y-%m}" for day in (5, 70)}
    )
    assert not found.met
    assert found.consequence == "downgrade"
    assert all(month in str(found.details["what"]) for month in missing)


def test_a_cohort_without_any_payment_of_its_days_refuses_once_the_horizon_is_over() -> None:
    rows = [{"account_key": f"a{n}", "customer_key": f"c{n}", "arm": ARMS[n % 2]} for n in range(4)]
    bare = book_from_frames({"decision": decisions(rows)}, as_of=AS_OF)
    (found,) = open_cohort(bare, "e", arms=ARMS, horizon_days=90).delivered
    assert (found.met, found.consequence, found.details["what"]) == (False, "refuse", ["the book has no rows in payment"])
    before = book_from_frames({"decision": decisions(rows), "payment": payments([("p", "a0", 1, -200, None, True)])}, as_of=AS_OF)
    (found,) = open_cohort(before, "e", arms=ARMS, horizon_days=90).delivered
    assert (found.met, found.consequence) == (False, "refuse")
    young = book_from_frames({"decision": decisions(rows)}, as_of=START + timedelta(days=89))
    (found,) = open_cohort(young, "e", arms=ARMS, horizon_days=90).delivered
    assert found.consequence == "downgrade"


def test_work_and_complaints_that_were_not_delivered_are_untold_and_not_none(small: Book) -> None:
    rows = [{"account_key": f"a{n}", "customer_key": f"c{n}", "arm": ARMS[n % 2]} for n in range(4)]
    bare = book_from_frames({"decision": decisions(rows), "payment": SOMEBODY_PAID}, as_of=AS_OF)
    cohort = open_cohort(bare, "e", arms=ARMS, horizon_days=90)
    assert cohort.doses == ()
    assert cohort.untold["outbound_contacts"] == "the book has no rows in contact"
    assert cohort.untold["complaints"] == "the book has no rows in ticket"
    assert arms.guardrail_outcomes(cohort, ["complaints"]) == []
