"""The planted effects are in the written tables: recomputed by plain counting, they agree with the truth."""

import numpy as np
import pandas as pd
import pytest

SIDES = ("champion", "challenger")


@pytest.fixture(scope="module")
def assigned(frame) -> pd.DataFrame:
    rows = (
        frame("decision")
        .query("kind == 'experiment'")[["account_key", "customer_key", "experiment_id", "arm", "from_date", "propensity"]]
        .copy()
    )
    rows["from_date"] = pd.to_datetime(rows["from_date"])
    return rows


def outcomes(assigned: pd.DataFrame, cash: pd.DataFrame, experiment: str, days: int) -> pd.DataFrame:
    """Cash of each assigned account from the day of assignment to `days` days after it."""
    own = assigned[assigned["experiment_id"] == experiment]
    joined = own.merge(cash[["account_key", "value_date", "amount_minor"]], on="account_key")
    age = (joined["value_date"] - joined["from_date"]).dt.days
    paid = joined[(age >= 0) & (age <= days)].groupby("account_key")["amount_minor"].sum()
    return own.set_index("account_key").assign(paid=paid).fillna({"paid": 0})


def ratio_and_error(values: pd.Series, arm: pd.Series) -> tuple[float, float]:
    """Challenger mean over champion mean, minus one, and its delta-method standard error."""
    means, errors = zip(*((own.mean(), own.std() / np.sqrt(len(own))) for own in (values[arm == side] for side in SIDES)), strict=True)
    ratio = means[1] / means[0]
    return ratio - 1, ratio * np.hypot(errors[0] / means[0], errors[1] / means[1])


def test_arms_hold_the_planned_share_of_accounts(assigned, frame, truth) -> None:
    counts = assigned.groupby(["experiment_id", "arm"]).size()
    for name, planted in truth["experiments"].items():
        assert {side: int(counts[name, side]) for side in SIDES} == planted["accounts"]
    total = len(frame("account"))
    assert counts["exp-payer"].to_numpy() / total == pytest.approx([0.15, 0.15], abs=0.003)
    assert assigned["propensity"].eq(0.5).all()


def test_a_person_is_in_one_arm_of_one_experiment(assigned) -> None:
    per_person = assigned.groupby("customer_key")[["experiment_id", "arm"]].nunique()
    assert (per_person == 1).all().all()
    assert assigned.groupby("customer_key").size().max() > 1


def test_the_horizon_of_every_assignment_is_complete(assigned, frame, truth) -> None:
    horizon = frame("experiment").drop_duplicates("experiment_id").set_index("experiment_id")["horizon_days"]
    last = assigned["from_date"] + pd.to_timedelta(assigned["experiment_id"].map(horizon), unit="D")
    assert last.max() < pd.Timestamp(truth["as_of"])


def test_assigned_accounts_were_open(assigned, frame) -> None:
    month_end = frame("month_end")
    out = month_end[month_end["status"] != "open"].set_index("account_key")["month_end"]
    left = pd.to_datetime(assigned["account_key"].map(out)).fillna(pd.Timestamp("2100-01-01"))
    opened = pd.to_datetime(assigned["account_key"].map(frame("account").set_index("account_key")["open_date"]))
    assert (opened <= assigned["from_date"]).all()
    assert (left >= assigned["from_date"]).all()


@pytest.mark.parametrize("days", [30, 60, 90, 180])
def test_champion_payers_are_counted_as_in_the_truth_at_every_horizon(assigned, cash, truth, days: int) -> None:
    table = outcomes(assigned, cash, "exp-payer", days)
    paid = int((table.loc[table["arm"] == "champion", "paid"] > 0).sum())
    planted = truth["experiments"]["exp-payer"]["champion_payers"][str(days)]
    assert paid == planted["paid"]
    assert planted["if_challenged"] > planted["paid"]


@pytest.mark.parametrize(
    ("experiment", "days", "metric", "effect"),
    [
        ("exp-payer", 90, "payer", 0.08),
        ("exp-payer", 180, "payer", 0.08),
        ("exp-minutes", 90, "payer", 0.08),
        ("exp-aa", 90, "payer", 0.0),
        ("exp-timing", 30, "cash", 0.15),
        ("exp-timing", 180, "cash", 0.0),
        ("exp-timing", 180, "payer", 0.0),
    ],
)
def test_the_planted_effect_lies_in_the_interval(assigned, cash, experiment: str, days: int, metric: str, effect: float) -> None:
    table = outcomes(assigned, cash, experiment, days)
    values = (table["paid"] > 0).astype(float) if metric == "payer" else table["paid"]
    found, error = ratio_and_error(values, table["arm"])
    assert abs(found - effect) < 3 * error
    assert error < 0.16


def test_the_amount_per_payer_is_the_same_in_both_arms_of_exp_payer(assigned, cash) -> None:
    table = outcomes(assigned, cash, "exp-payer", 180)
    payers = table[table["paid"] > 0]
    found, error = ratio_and_error(payers["paid"], payers["arm"])
    assert abs(found) < 3 * error


def test_exp_timing_moves_cash_and_makes_none(assigned, cash, truth) -> None:
    planted = truth["experiments"]["exp-timing"]["champion_cash"]
    table = outcomes(assigned, cash, "exp-timing", 30)
    assert int(table.loc[table["arm"] == "champion", "paid"].sum()) == planted["paid_30d_minor"]
    assert planted["relative"] == pytest.approx(0.15, abs=0.06)


def test_the_challenger_of_exp_minutes_takes_forty_percent_more_of_the_officers(assigned, frame, truth) -> None:
    own = assigned[assigned["experiment_id"] == "exp-minutes"]
    contact = frame("contact").dropna(subset=["officer_key"]).merge(own, on="account_key")
    age = (contact["local_ts"].dt.normalize() - contact["from_date"]).dt.days
    inside = contact[(age >= 0) & (age <= 90)]
    seconds = (inside["talk_s"].fillna(0) + inside["wrap_s"].fillna(0)).groupby(inside["arm"]).sum()
    assert {side: int(seconds[side]) for side in SIDES} == truth["experiments"]["exp-minutes"]["seconds_by_arm"]
    per_account = seconds / own.groupby("arm").size()
    assert per_account["challenger"] / per_account["champion"] == pytest.approx(1.4, abs=0.06)


def test_arms_of_a_test_are_treated_apart_and_those_of_the_aa_run_are_not(assigned, frame) -> None:
    contact = frame("contact").query("direction == 'out'").merge(assigned, on="account_key")
    age = (contact["local_ts"].dt.normalize() - contact["from_date"]).dt.days
    size = assigned.groupby(["experiment_id", "arm"]).size()
    dose = contact[(age >= 0) & (age < 30)].groupby(["experiment_id", "arm", "channel"]).size()

    def apart(experiment: str, channel: str) -> float:
        rate = [dose[experiment, side, channel] / size[experiment, side] for side in SIDES]
        return rate[1] / rate[0] - 1

    assert apart("exp-payer", "sms") > 0.5
    assert apart("exp-timing", "call") > 0.4
    assert apart("exp-minutes", "call") > 0.2
    assert abs(apart("exp-aa", "call")) < 0.2
    assert abs(apart("exp-payer", "call")) < 0.1
