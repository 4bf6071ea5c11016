"""Balance before assignment, computed in the engine: against frames, and for every kind of variable that can tell arms apart."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from collect_analysis.book.store import Book, book_from_frames
from collect_analysis.measures.assignment import drawn_again
from collect_analysis.measures.balance import DAY_ZERO, Balance, balance
from collect_analysis.measures.cohort import Cohort, open_cohort
from collect_analysis.methods.rates.strata import stratum_weights
from collect_analysis.methods.trials.assignment import hash_bucket
from scipy import stats

ARMS = ["old", "new"]
AS_OF = date(2026, 6, 30)
ROLES = {"cohort.covariate_score": {"measured": "before"}, "cohort.covariate_late": {"measured": "after"}}


def subjects(n: int = 2_000, **columns: object) -> pd.DataFrame:
    rng = np.random.default_rng(11)
    frame = pd.DataFrame(
        {
            "experiment_id": "e", "subject_key": [f"s{k}" for k in range(n)], "arm": np.where(rng.random(n) < 0.5, "new", "old"),
            "outcome_paid": (rng.random(n) < 0.2).astype(float), "covariate_score": rng.normal(600, 50, n), "covariate_late": rng.random(n),
        }
    )  # fmt: skip
    return frame.assign(**columns)


def opened(frame: pd.DataFrame, **tables: pd.DataFrame) -> tuple[Book, Cohort]:
    book = book_from_frames({"cohort": frame, **tables}, as_of=AS_OF, roles=ROLES)
    return book, open_cohort(book, "e", arms=ARMS, horizon_days=90)


def balance_of(frame: pd.DataFrame, **how: object) -> Balance:
    return balance(*opened(frame), ARMS, **how)


def row(found: Balance, variable: str, level: str = "") -> pd.Series:
    (own,) = [item for _, item in found.table[(found.table["variable"] == variable) & (found.table["level"] == level)].iterrows()]
    return own


def test_means_and_distances_are_those_of_the_frames() -> None:
    frame = subjects()
    new, old = (frame.loc[frame["arm"] == arm, "covariate_score"] for arm in ("new", "old"))
    found = balance_of(frame)
    assert found.variables == ["score"]  # what was measured afterwards is not looked at
    own = row(found, "score")
    assert [own["mean"], own["base_mean"]] == pytest.approx([new.mean(), old.mean()])
    assert own["standardised"] == pytest.approx((new.mean() - old.mean()) / np.sqrt((new.var() + old.var()) / 2))
    reference = stats.ks_2samp(new, old)
    assert own["distance"] == pytest.approx(reference.statistic)
    assert own["cut"] == pytest.approx(reference.statistic_location)
    assert (1 if own["lower"] else -1) == reference.statistic_sign
    x = sm.add_constant(pd.DataFrame({"score": frame["covariate_score"], "rank": frame["covariate_score"].rank()}))
    explained = sm.OLS((frame["arm"] == "new").astype(float), x).fit().rsquared
    assert (found.joint.chi2, found.joint.df) == (pytest.approx((len(frame) - 1) * explained), 2)


def test_a_rule_on_the_running_value_has_distance_one_and_its_cut_point() -> None:
    running = np.random.default_rng(1).uniform(-50, 50, 2_000)
    found = balance_of(subjects(running_value=running, arm=np.where(running > 7, "new", "old")))
    own = row(found, "running_value")
    assert own["distance"] == 1
    assert own["cut"] == pytest.approx(running[running <= 7].max())
    assert not own["lower"]
    assert found.joint.p_value < 1e-100


def test_a_lopsided_amount_is_compared_by_its_rank_too() -> None:
    """A tenth of the lower half goes to the other arm: means of amounts this lopsided do not show it, their ranks do."""
    rng = np.random.default_rng(4)
    amount = rng.lognormal(16, 2.5, 2_000)
    arm = np.where(rng.random(2_000) < 0.5 + 0.1 * (amount < np.median(amount)), "new", "old")
    frame = subjects(arm=arm, covariate_score=amount)
    means = stats.ttest_ind(amount[arm == "new"], amount[arm == "old"], equal_var=False).pvalue
    assert means > 0.01
    assert balance_of(frame).joint.p_value < 0.001


def test_days_codes_and_what_is_unknown_are_compared() -> None:
    base = subjects()
    later = np.where(base["arm"] == "new", 40, 0)
    days = [date(2026, 1, 5) + timedelta(days=int(k)) for k in later + np.arange(2_000) % 30]
    own = row(balance_of(base.assign(assigned_on=days)), "assigned_on")
    assert own["distance"] == 1
    assert DAY_ZERO + timedelta(days=int(own["cut"])) == date(2026, 2, 3)
    codes = balance_of(base.assign(stratum=np.where(base["arm"] == "new", "card", "loan")))
    assert row(codes, "stratum", "card")[["mean", "base_mean", "distance"]].tolist() == [1, 0, 1]
    holes = balance_of(base.assign(covariate_score=base["covariate_score"].mask((base["arm"] == "new") & (base.index % 3 == 0))))
    assert row(holes, "score", "unknown")["base_mean"] == 0
    assert holes.joint.p_value < 1e-20
    assert balance_of(base.assign(covariate_score=600.0)).table.empty


def test_within_strata_only_what_differs_within_them_counts() -> None:
    rng = np.random.default_rng(2)
    late = np.arange(4_000) % 2 == 0
    share = np.where(late, 0.2, 0.7)
    new = rng.random(4_000) < share
    frame = subjects(
        4_000, stratum=np.where(late, "late", "soon"), arm=np.where(new, "new", "old"), propensity=np.where(new, share, 1 - share),
        covariate_score=rng.normal(600, 50, 4_000) + 80 * late,
    )  # fmt: skip
    assert balance_of(frame).joint.p_value < 1e-50
    counts = frame.groupby(["stratum", "arm"]).size().rename("cases").reset_index()
    within = balance_of(frame, strata=["late", "soon"], weights=stratum_weights(counts))
    assert within.joint.p_value > 0.001
    assert within.variables == ["score"]
    assert abs(row(within, "score")["standardised"]) < 0.1


def registered(frame: pd.DataFrame, salt: str = "pepper") -> pd.DataFrame:
    shares = {"old": 0.7, "new": 0.3}
    return pd.DataFrame(
        {
            "experiment_id": "e", "arm": list(shares), "role": ["champion", "challenger"], "share": list(shares.values()), "salt": salt,
            "unit_of_assignment": "account", "starts_on": date(2026, 1, 1), "horizon_days": 90,
        }
    )  # fmt: skip


def test_the_registered_salt_gives_the_arms_again_or_says_how_many_were_moved() -> None:
    frame = subjects()
    drawn = frame.assign(arm=["old" if hash_bucket(key, "pepper") < 7_000 else "new" for key in frame["subject_key"]])
    plan = {"experiment": registered(frame)}
    again, by_chance, moved = drawn_again(*opened(drawn, **plan), ARMS)
    assert (again, moved) == (1.0, 0)
    assert by_chance == pytest.approx(0.58, abs=0.02)
    swapped = drawn.assign(arm=drawn["arm"].mask(drawn.index < 20, "new"))
    assert drawn_again(*opened(swapped, **plan), ARMS)[2] == int((drawn["arm"][:20] == "old").sum())
    other = drawn_again(*opened(frame, **plan), ARMS)
    assert other[0] == pytest.approx(other[1], abs=0.05)
    assert drawn_again(*opened(drawn), ARMS) is None
