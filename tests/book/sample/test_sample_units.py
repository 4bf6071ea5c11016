"""Agencies and officers: true skill, confounded by who gets which debts, and a course that changes nothing."""

import numpy as np
import pandas as pd
import pytest

PLACED_DAYS = 183


@pytest.fixture(scope="module")
def placements(frame, cash) -> pd.DataFrame:
    """Placements at least six months old, with the cash that came in while they ran."""
    rows = frame("decision").query("kind == 'placement'").copy()
    rows["from_date"], rows["to_date"] = pd.to_datetime(rows["from_date"]), pd.to_datetime(rows["to_date"])
    rows = rows[rows["from_date"] <= "2026-01-01"]
    joined = rows[["decision_key", "account_key", "from_date", "to_date"]].merge(cash, on="account_key")
    inside = (joined["value_date"] >= joined["from_date"]) & (joined["to_date"].isna() | (joined["value_date"] < joined["to_date"]))
    paid = joined[inside].groupby("decision_key")["amount_minor"].sum()
    return rows.set_index("decision_key").assign(paid=paid).fillna({"paid": 0})


def rank_correlation(values: pd.Series, skill: dict[str, float]) -> float:
    return float(values.reindex(list(skill)).rank().corr(pd.Series(skill).rank()))


def test_a_quarter_or_more_of_the_placements_were_drawn_with_a_logged_probability(placements, frame, truth) -> None:
    every = frame("decision").query("kind == 'placement'")
    drawn = every["propensity"].notna()
    assert int(drawn.sum()) == truth["agencies"]["random_placements"]
    assert len(every) == truth["agencies"]["placements"]
    assert drawn.mean() > 0.25
    assert every.loc[drawn, "propensity"].unique() == pytest.approx([1 / 6])
    # Drawn placements fall on the six agencies alike, judged ones do not.
    share = every[drawn]["unit_key"].value_counts(normalize=True)
    assert share.between(1 / 6 - 0.03, 1 / 6 + 0.03).all()


def test_batches_are_named_by_month_and_number_and_strata_hold_both(placements) -> None:
    month = placements["from_date"].dt.strftime("%Y-%m")
    ordinal = placements["placement_no"].map({1: "first", 2: "second", 3: "third"})
    assert (placements["batch_id"] == month + "-" + ordinal).all()
    assert (placements["segment"].str.split("-").str[0] == ordinal).all()
    assert placements["segment"].nunique() > 40
    assert (placements["from_date"].dt.day == 1).all()


def test_no_account_is_with_two_agencies_at_once(frame) -> None:
    rows = frame("decision").query("kind == 'placement'").sort_values(["account_key", "from_date"])
    later = rows.groupby("account_key")["from_date"].shift(-1)
    assert not (later.notna() & (rows["to_date"].isna() | (rows["to_date"] > later))).any()


def test_the_raw_rate_ranks_agencies_against_their_skill(placements, truth) -> None:
    skill = truth["agencies"]["skill"]
    sums = placements.groupby("unit_key")[["paid", "balance_minor"]].sum()
    assert rank_correlation(sums["paid"] / sums["balance_minor"], skill) < -0.5
    assert np.std(list(skill.values()), ddof=1) == pytest.approx(0.06, abs=0.002)


def test_payers_over_payers_expected_in_the_stratum_agree_with_skill(placements, truth) -> None:
    skill = truth["agencies"]["skill"]
    paid = (placements["paid"] > 0).astype(float)
    expected = paid.groupby(placements["segment"]).transform("mean")
    sums = pd.DataFrame({"o": paid, "e": expected, "v": expected * (1 - expected)}).groupby(placements["unit_key"]).sum()
    index, error = sums["o"] / sums["e"], np.sqrt(sums["v"]) / sums["e"]
    assert (abs(index - pd.Series(skill)) < 3 * error).all()
    raw = paid.groupby(placements["unit_key"]).mean()
    assert rank_correlation(index, skill) > rank_correlation(raw, skill) + 0.3


def test_one_agency_works_only_the_most_valuable_tenth(placements, frame, truth) -> None:
    every = frame("decision").query("kind == 'placement'").copy()
    stratum = placements.groupby("segment")[["paid", "balance_minor"]].sum()
    every["value"] = every["balance_minor"] * every["segment"].map(stratum["paid"] / stratum["balance_minor"])
    every["top"] = every["value"] >= every.groupby("batch_id")["value"].transform(lambda values: values.quantile(0.9))
    contact = frame("contact")
    calls = contact[(contact["direction"] == "out") & (contact["channel"] == "call") & contact["unit_key"].str.startswith("ag-")]
    joined = calls.merge(every, on=["account_key", "unit_key"])
    day = joined["local_ts"].dt.normalize()
    inside = (day >= pd.to_datetime(joined["from_date"])) & (joined["to_date"].isna() | (day < pd.to_datetime(joined["to_date"])))
    share = joined[inside].groupby("unit_key")["top"].mean()
    picker = truth["agencies"]["cherry_picker"]
    assert share[picker] > 0.5
    assert share.drop(picker).max() < 0.25
    dormant = 1 - every.merge(calls[["account_key", "unit_key"]].drop_duplicates().assign(called=1), how="left")["called"].fillna(0)
    by_unit = dormant.groupby(every["unit_key"].to_numpy()).mean()
    assert by_unit[picker] > by_unit.drop(picker).max() + 0.3


def test_every_agency_has_a_valid_letter_and_a_tariff_by_age(frame) -> None:
    agency = frame("unit").query("unit_type == 'agency'")
    assert len(agency) == 6
    assert agency[["authorisation_id", "authorised_to", "partner_type", "tariff_id"]].notna().all().all()
    commission = frame("tariff").query("kind == 'commission'")
    assert commission["tier_from"].tolist() == [0, 3, 6]
    assert commission["rate"].is_monotonic_increasing


@pytest.fixture(scope="module")
def officer_months(frame, cash) -> pd.DataFrame:
    """Cash of the accounts each tele officer held at the close, officer by month."""
    held = frame("month_end")[["account_key", "month_end", "unit_key", "officer_key"]].dropna()
    held = held[held["unit_key"].str.startswith("tele-")].assign(month=pd.to_datetime(held["month_end"]).dt.to_period("M"))
    paid = cash.assign(month=cash["value_date"].dt.to_period("M")).groupby(["account_key", "month"])["amount_minor"].sum()
    joined = held.join(paid, on=["account_key", "month"]).fillna({"amount_minor": 0})
    sums = joined[joined["month"] >= "2024-07"].pivot_table(index="officer_key", columns="month", values="amount_minor", aggfunc="sum")
    return sums.fillna(0)


def test_a_month_of_an_officer_is_about_half_noise(officer_months, truth) -> None:
    index = officer_months / officer_months.mean()
    between = index.corr().to_numpy()[np.triu_indices(index.shape[1], 1)].mean()
    assert 0.3 < between < 0.6
    assert truth["officers"]["measured_reliability"] == pytest.approx(0.45, abs=0.1)


def test_the_long_run_of_an_officer_follows_true_skill(officer_months, truth) -> None:
    skill = pd.Series(truth["officers"]["skill"]).reindex(officer_months.index)
    assert officer_months.sum(axis=1).corr(skill) > 0.8
    month = officer_months.corrwith(skill, axis=0)
    assert 0.4 < month.mean() < 0.85


def test_the_trained_were_the_weakest_of_one_month_and_come_back_by_themselves(officer_months, frame, truth) -> None:
    planted = truth["training"]
    trained = frame("training")["officer_key"].tolist()
    assert trained == planted["officers"]
    index = officer_months / officer_months.mean()
    month = pd.Period(planted["selection_month"])
    ranks = index[month].rank()
    assert ranks[trained].max() <= 2 * len(trained) + 2
    gain = (index.loc[trained, month + 1 :].mean().mean() - index.loc[trained, month].mean()) / index[month].std()
    assert gain > 0.4
    assert planted["true_effect"] == 0.0


def test_three_hundred_officers_serve_the_full_shop_and_fewer_a_small_one(frame) -> None:
    from datetime import date

    from collect_analysis.book.sample.days import span_of
    from collect_analysis.book.sample.workforce import make_workforce

    span = span_of(date(2026, 6, 30), 24)
    sizes = [make_workforce(accounts, span, np.random.default_rng(1)).officers for accounts in (100_000, 200_000, 1_000_000)]
    assert sizes == [300, 300, 300]
    assert frame("officer")["officer_key"].nunique() < 60


def test_intervals_of_an_officer_follow_one_another(frame) -> None:
    rows = frame("officer").sort_values(["officer_key", "valid_from"])
    later = rows.groupby("officer_key")["valid_from"].shift(-1)
    assert (rows["valid_to"].isna() == later.isna()).all()
    assert (rows["valid_to"].dropna() == later.dropna()).all()
