"""A test design in words, from a small book made by hand, from the sample shop and from a supplied cohort."""

import hashlib
import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from collect_analysis.book.store import Book, book_from_frames, open_book
from collect_analysis.errors import DataError, ParameterError
from collect_analysis.measures import arms
from collect_analysis.measures.cohort import open_cohort
from collect_analysis.methods.trials.experiments import arm_means, at_horizon
from collect_analysis.methods.trials.power import mde_table
from collect_analysis.report import texts
from collect_analysis.report.conditions import worded
from collect_analysis.report.parameters import validate
from collect_analysis.report.recording import RunRecorder
from collect_analysis.strategies.test_design import decision as rules, measures_history, page, page_decision, page_tables, preregistration
from collect_analysis.strategies.test_design.parameters import TestDesign

AS_OF = date(2026, 6, 30)


def parameters(**changes: Any) -> TestDesign:
    values = {
        "name": "d", "book": "b", "as_of": "2026-06-30", "experiment_id": "e", "champion": "champion", "challengers": ["new"],
        "planned_shares": {"champion": 0.5, "new": 0.5}, "starts_on": "2026-07-01", "salt": "summer", "horizon_days": 30,
        "primary_outcome": "payer_rate", "margin_relative": 0.3, "strata": [], "aa_draws": 100,
    }  # fmt: skip
    return validate(TestDesign, {**values, **changes}, where="test")


class Designed:
    """The steps of the notebook, one after the other; with `like`, what was read and drawn for that design is used again."""

    def __init__(self, book: Book, params: TestDesign, run_dir: str | None = None, *, like: "Designed | None" = None) -> None:
        self.book, self.params = book, params
        self.past = like.past if like else page.history_of(book, params)
        self.sums = like.sums if like else measures_history.monthly_sums(book, self.past)
        self.drawn = like.drawn if like else page.draw_of(book, self.past, params)
        rates = pd.DataFrame() if like else page.false_positives_of(book, self.past, params)
        self.found = like.found if like else page.conditions_of(book, self.past, self.drawn, params, sums=self.sums, false_positives=rates)
        self.related = like.related if like else page.correlations(book, self.past, params)
        self.clusters = like.clusters if like else page.clusters_of(book, self.past, self.sums, params)
        self.size = page.size_of(self.past, self.clusters, params)
        self.planned = page.answerable(page.planning_values(self.sums, self.related, self.past, params), self.found)
        self.plan = page.plan_of(self.planned, self.size, params)
        self.verdict = page.verdict_of(self.plan, self.planned, self.size, self.found, params)
        self.decision = page_decision.decision_of(params, self.found, self.plan, self.size, self.verdict, past=self.past)
        self.record = RunRecorder(params, run_dir)

    @property
    def unmet(self) -> list[str]:
        return [item.name for item in self.found if not item.met]

    def registration(self) -> dict[str, object]:
        return page_tables.registered(self.book, self.drawn, self.size, self.verdict, self.params)


def shop(accounts: int = 2_000, *, payer_rate: float = 0.25, seed: int = 4) -> Book:
    """Accounts that stand in bucket 2 for six months; each month end, a quarter of them (planted) pays within ten days, 1,000 each."""
    rng = np.random.default_rng(seed)
    keys = [f"acc-{number:05d}" for number in range(accounts)]
    owners = [f"cus-{number:05d}" for number in range(accounts)]
    account = pd.DataFrame(
        {
            "account_key": keys, "customer_key": owners, "portfolio_code": "p", "product_code": "card", "debt_status": "overdue",
            "open_date": date(2025, 1, 1), "original_minor": 10_000, "currency": "VND", "is_restructured": False, "score_at_entry": 600.0,
        }
    )  # fmt: skip
    closes = [date(2026, 1, 31), date(2026, 2, 28), date(2026, 3, 31), date(2026, 4, 30), date(2026, 5, 31), date(2026, 6, 30)]
    states = [
        pd.DataFrame({"account_key": keys, "month_end": close, "status": "open", "bucket": 2, "balance_minor": 10_000}) for close in closes
    ]
    paid = []
    for number, close in enumerate(closes):
        payers = np.flatnonzero(rng.random(accounts) < payer_rate)
        day = (pd.Timestamp(close) + pd.Timedelta(days=10)).date()
        row = {
            "account_key": [keys[item] for item in payers],
            "amount_minor": 1_000,
            "currency": "VND",
            "value_date": day,
            "eligible": True,
        }
        paid.append(pd.DataFrame({"payment_key": [f"p{number}-{item}" for item in payers], **row}))
    frames = {"account": account, "month_end": pd.concat(states), "payment": pd.concat(paid)}
    return book_from_frames(frames, as_of=AS_OF)


@pytest.fixture(scope="module")
def book() -> Book:
    return shop()


@pytest.fixture(scope="module")
def sound(book: Book) -> Designed:
    return Designed(book, parameters())


@pytest.fixture(scope="module")
def too_long(book: Book) -> Designed:
    return Designed(book, parameters(horizon_days=200))


def test_the_planted_payer_rate_gives_the_size_that_the_formula_gives(sound: Designed) -> None:
    run = sound
    assert run.unmet == []
    own = run.plan[(run.plan["outcome"] == "payer_rate") & ~run.plan["adjusted"]].iloc[0]
    # statsmodels (R's formula): 25 % against 30.610 % has power 0.8 with 1,000 an arm; the planted 25 % and 1,000 accounts an arm.
    assert own["history_mean"] == pytest.approx(0.25, abs=0.01)
    assert own["detectable"] == pytest.approx(0.30610 / 0.25 - 1, rel=0.03)
    assert run.decision.action["action"] == "run"
    assert run.decision.forecast == {}
    assert run.decision.grade == "D"
    assert "2,000 accounts" in run.decision.answer
    assert "can reach grade A" in run.decision.confidence


def test_a_margin_out_of_reach_is_not_run_and_the_numbers_are_said(book: Book, sound: Designed) -> None:
    run = Designed(book, parameters(margin_relative=0.05), like=sound)
    assert run.decision.action["action"] == "do_not_test"
    assert run.decision.answer.startswith("Do not run it like this.")
    needed = run.plan.iloc[0]["accounts_needed"]
    assert f"{needed:,.0f}" in run.decision.answer
    # A tenth of the population is enlarged first; nobody enters this stock, so it cannot be lengthened.
    part = Designed(book, parameters(test_share=0.1), like=sound)
    assert (part.decision.action["action"], part.decision.action["reason"]) == ("enlarge", "population")
    uneven = Designed(book, parameters(planned_shares={"champion": 0.95, "new": 0.05}), like=sound)
    assert (uneven.decision.action["action"], uneven.decision.action["reason"]) == ("enlarge", "split")


def test_an_empty_population_says_what_would_fill_it_and_shows_no_size(book: Book) -> None:
    run = Designed(book, parameters(min_balance_minor=20_000))
    assert "design_population" in run.unmet
    assert run.decision.action["action"] == "refuse"
    assert run.decision.grade == "none"
    assert run.plan[["detectable", "accounts_needed", "history_mean"]].isna().all(axis=None)
    assert "Loosen a filter" in run.decision.confidence
    drawing = page_tables.drawing(book, run.drawn, run.params)
    assert drawing.counts.empty
    assert drawing.strata.empty
    assert page_tables.assignment_list(book, run.record, run.drawn, run.params, run.verdict).empty


def test_a_horizon_longer_than_history_is_refused_with_the_way_out(too_long: Designed) -> None:
    run = too_long
    assert {"design_history", "design_payers"} <= set(run.unmet)
    assert run.decision.action["action"] == "refuse"
    assert "Choose a shorter horizon" in run.decision.confidence
    assert "No past cohort" in run.decision.answer
    assert run.plan["detectable"].isna().all()


def test_too_few_payers_are_no_basis() -> None:
    run = Designed(shop(300, payer_rate=0.01), parameters())
    assert "design_payers" in run.unmet
    assert run.plan["detectable"].isna().all()


def test_strata_smaller_than_a_block_are_told_and_small_ones_are_not_named(book: Book) -> None:
    params = parameters(planned_shares={"champion": 0.99, "new": 0.01}, strata=["balance_band"], balance_cuts=[9_999, 10_001])
    run = Designed(shop(60), params)
    assert "design_strata" in run.unmet
    named = page_tables.drawing(run.book, run.drawn, run.params.model_copy(update={"min_cell": 100})).strata
    assert list(named["stratum"]) == ["1 strata under 100 customers, together"]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"planned_shares": {"champion": 1.0, "new": 0.0}}, "all above 0 and together 1"),
        ({"planned_shares": {"champion": 0.5, "new": 0.4}}, "shares sum to 0.9"),
        ({"planned_shares": {}}, "planned_shares is missing"),
        ({"planned_shares": {"champion": 0.5, "new": 0.3, "other": 0.2}}, "other, which is no arm of this test"),
        ({"strata": ["age"]}, "'bucket', 'balance_band', 'score_band', 'product' or 'region'"),
        ({"salt": ""}, "at least 1 character"),
        ({"starts_on": "2026-06-30"}, "is not after as_of"),
        ({"margin_relative": 0.0}, "smallest relative effect worth having"),
        ({"min_balance_minor": 5, "max_balance_minor": 5}, "is not below max_balance_minor"),
        ({"treated_by": "officer", "write_assignment": True}, "write_assignment lists customers"),
        ({"preregistration": "plan 7"}, "is written by this report"),
        ({"source": "flow"}, "'entry' or 'stock'"),
        ({"test_share": 0.0}, "greater than 0"),
        ({"balance_cuts": [5, 3]}, "must rise"),
    ],
)
def test_parameters_that_cannot_be_followed_are_refused(changes: dict, sentence: str) -> None:
    with pytest.raises(ParameterError, match=sentence):
        parameters(**changes)


def test_a_missing_salt_is_named() -> None:
    values = {**parameters().as_json(), "starts_on": "2026-07-01"}
    del values["salt"]
    with pytest.raises(ParameterError, match="parameter 'salt' is missing"):
        validate(TestDesign, values, where="test")


def test_what_history_does_not_hold_is_refused_by_name(book: Book) -> None:
    with pytest.raises(DataError, match="no outcome 'cash' at 30 days; it has"):
        Designed(book, parameters(primary_outcome="cash"))
    with pytest.raises(DataError, match=r"no covariate\(s\) income"):
        Designed(book, parameters(covariates=["income"]))
    with pytest.raises(DataError, match="products: loan is not in book"):
        Designed(book, parameters(products=["loan"]))


def test_the_record_is_the_same_in_both_languages_and_its_file_has_its_hash(book: Book, sound: Designed, tmp_path: Path) -> None:
    english = Designed(book, parameters(looks=3), str(tmp_path), like=sound)
    vietnamese = Designed(book, parameters(looks=3, lang="vi", name="d-vi"), like=sound)
    registration = english.registration()
    assert preregistration.canonical(registration) == preregistration.canonical(vietnamese.registration())
    page_tables.show_record(english.record, registration, english.verdict, english.params)
    content = (tmp_path / "preregistration.json").read_bytes()
    digest = preregistration.record_hash(registration)
    assert hashlib.sha256(content).hexdigest() == digest
    rows = page_tables.experiment_rows(registration, english.params)
    assert set(rows["prereg_hash"]) == {digest}
    read = json.loads(content)
    assert read["stop_rule"]["z"] == pytest.approx([3.7103, 2.5114, 1.9930], abs=0.0002)
    assert read["draw"]["salt_id"] == hashlib.sha256(b"summer").hexdigest()[:12]
    assert "summer" not in content.decode()
    changed = Designed(book, parameters(looks=3, margin_relative=0.31), like=sound).registration()
    assert preregistration.record_hash(changed) != digest


def test_officers_treated_whole_multiply_the_size(book: Book, sound: Designed) -> None:
    run = Designed(book, parameters(treated_by="officer", officer_accounts=400.0, officer_icc=0.01), like=sound)
    assert run.size.treated_effect == pytest.approx(4.99)
    assert run.plan["accounts_needed"].iloc[0] == pytest.approx(sound.plan["accounts_needed"].iloc[0] * 4.99, rel=0.01)
    assert any("4.99" in caveat for caveat in run.decision.caveats)


def test_several_challengers_share_the_error_rate_and_the_smallest_decides(book: Book, sound: Designed) -> None:
    shares = {"champion": 0.5, "new": 0.3, "other": 0.2}
    run = Designed(book, parameters(challengers=["new", "other"], planned_shares=shares), like=sound)
    assert run.size.level == pytest.approx(0.975)
    assert run.plan["arm_cases"].iloc[0] == 400
    assert any("2 challengers share" in caveat for caveat in run.decision.caveats)


def test_every_condition_and_every_verdict_has_its_words() -> None:
    keys = {place.removeprefix("words.") for _, place, _ in texts.entries() if place.startswith("words.")}
    source = Path(rules.__file__).read_text(encoding="utf-8")
    names = set(re.findall(r'"(design_\w+)"', source))
    assert len(names) == 13
    for name in names:
        assert {f"condition_{name}_unmet", f"condition_{name}_remedy"} <= keys
        assert texts.value("check", name, "vi") != name
    verdicts = set(re.findall(r'verdict\("(\w+)", "(\w+)"', source)) | {("lengthen", "entries"), ("lengthen", "stock_and_entries")}
    for action, reason in verdicts:
        assert f"design_answer_{action}_{reason}" in keys
        assert texts.value("reason", reason, "vi") != reason


def test_a_design_reads_in_vietnamese(book: Book, too_long: Designed) -> None:
    run = Designed(book, parameters(lang="vi", horizon_days=200, looks=2), like=too_long)
    assert run.decision.answer.startswith("Không kết luận")
    details = [item.detail + item.remedy for item in worded(run.found, "vi")]
    assert all(details)
    assert not any("{" in detail for detail in details)
    assert page_tables.show_history(page.history_of_months(run.sums), run.params, columns=[], currency="VND").reason.startswith("Chưa có")


def test_a_supplied_trial_plans_what_its_review_would_have_detected(shared_data: Path) -> None:
    frame = pd.read_csv(shared_data / "collections_email_simulated" / "collections_email.csv")
    table = pd.DataFrame(
        {
            "experiment_id": "trial",
            "subject_key": [f"s{n}" for n in range(len(frame))],
            "arm": "past",
            "outcome_payments": frame["payments"],
        }
    )
    roles = {"cohort.outcome_payments": {"kind": "number", "horizon_days": 90}}
    run = Designed(
        book_from_frames({"cohort": table}, as_of=AS_OF, roles=roles),
        parameters(history_experiment_id="trial", primary_outcome="payments", horizon_days=90, margin_relative=0.02),
    )
    own = run.plan[~run.plan["adjusted"]].iloc[0]
    spread = frame["payments"].std() / frame["payments"].mean()
    assert own["detectable"] == pytest.approx(2.801585 * spread * (4 / 5_000) ** 0.5, rel=1e-5)
    assert run.drawn is None
    assert "design_population" not in [item.name for item in run.found]


def two_arms(names: tuple[str, str], rates: tuple[float, float], *, roles: tuple[str, str] | None = None) -> Book:
    """A past experiment with 2,000 subjects an arm, of whom these shares paid."""
    frame = pd.DataFrame(
        {
            "experiment_id": "past",
            "subject_key": [f"s{n}" for n in range(4_000)],
            "arm": [names[0]] * 2_000 + [names[1]] * 2_000,
            "outcome_paid": [float(place < 2_000 * rate) for rate in rates for place in range(2_000)],
        }
    )
    frames = {"cohort": frame}
    if roles:
        frames["experiment"] = pd.DataFrame({"experiment_id": "past", "arm": names, "role": roles, "share": 0.5})
    return book_from_frames(frames, as_of=AS_OF, roles={"cohort.outcome_paid": {"kind": "binary", "horizon_days": 30}})


PAST = {"history_experiment_id": "past", "primary_outcome": "paid"}


@pytest.mark.parametrize(
    ("names", "roles", "changes"),
    [
        (("champion", "letter"), None, {}),
        (("as_before", "letter"), ("champion", "challenger"), {}),
        (("as_before", "letter"), None, {"history_arm": "as_before"}),
        # What will be the champion of the next test counts, whatever it was in the last one.
        (("letter", "none"), ("challenger", "champion"), {"champion": "letter", "planned_shares": {"letter": 0.5, "new": 0.5}}),
    ],
)
def test_history_is_the_arm_treated_as_the_champion_and_not_all_arms_pooled(names: tuple, roles: tuple | None, changes: dict) -> None:
    run = Designed(two_arms(names, (0.10, 0.30), roles=roles), parameters(**PAST, **changes))
    own = run.plan[~run.plan["adjusted"]].iloc[0]
    assert own["history_mean"] == pytest.approx(0.10)
    # All 4,000 could be assigned again, half to each arm: statsmodels (R's formula) 0.12816 at 2,000 an arm.
    assert own["detectable"] == pytest.approx(0.2816, abs=0.0002)
    assert any(f"arm {names[0]} of experiment past alone" in caveat for caveat in run.decision.caveats)


def test_an_experiment_that_does_not_tell_its_champion_is_refused_with_the_way_out() -> None:
    with pytest.raises(DataError, match=r"has the arms as_before, letter, none called 'champion'.*history_arm"):
        Designed(two_arms(("as_before", "letter"), (0.1, 0.3)), parameters(**PAST))
    with pytest.raises(DataError, match="has no arm 'champion'; its arms are as_before, letter"):
        Designed(two_arms(("as_before", "letter"), (0.1, 0.3)), parameters(**PAST, history_arm="champion"))
    with pytest.raises(ParameterError, match="write history_experiment_id"):
        parameters(history_arm="as_before")


def test_a_margin_past_everybody_is_refused_with_the_largest_that_can_be() -> None:
    run = Designed(two_arms(("champion", "letter"), (0.9, 0.9)), parameters(**PAST, margin_relative=0.2))
    assert run.unmet == ["design_margin"]
    assert run.decision.action["action"] == "refuse"
    assert "Write a margin of at most 11.1 %" in run.decision.confidence.replace("11.1%", "11.1 %")


# The sample shop.


@pytest.fixture(scope="module")
def sample(sample_book: Path) -> Book:
    return open_book("sample", as_of=AS_OF, folder=sample_book)


def test_a_plan_from_the_past_of_an_experiment_is_what_its_review_says_it_could_detect(sample: Book) -> None:
    arms_of = ["champion", "challenger"]
    cohort = open_cohort(sample, "exp-payer", arms=arms_of, horizon_days=90)
    means = at_horizon(arm_means(arms.arm_sums(sample, cohort, arms_of, cohort.outcomes)), 90)
    reviewed = mde_table(means, base="champion").set_index("outcome")["detectable"]
    run = Designed(sample, parameters(history_experiment_id="exp-payer", horizon_days=90, enrol_months=1))
    planned = run.plan[~run.plan["adjusted"]].set_index("outcome")["detectable"]
    # Both know the champion's variation alone; the plan rounds nothing and splits as the experiment did, nearly in halves.
    assert planned["payer_rate"] == pytest.approx(reviewed["payer_rate"], rel=0.01)
    assert run.unmet == []


def test_past_accounts_of_the_shop_show_no_effect_and_a_reproducible_list(sample: Book, tmp_path: Path) -> None:
    params = parameters(
        buckets=[2, 3, 4, 5, 6, 7], covariates=["bucket"], strata=["bucket", "balance_band"], margin_relative=0.5, write_assignment=True,
        horizon_days=90,
    )  # fmt: skip
    first = Designed(sample, params, str(tmp_path / "a"))
    second = Designed(sample, params, str(tmp_path / "b"), like=first)
    second.drawn = page.draw_of(sample, first.past, params)
    runs = [first, second]
    lists = []
    for name, run in zip(("a", "b"), runs, strict=True):
        (tmp_path / name).mkdir()
        assert "design_aa" not in run.unmet
        assert run.verdict.action == "run"
        lists.append(page_tables.assignment_list(sample, run.record, run.drawn, params, run.verdict).iloc[0])
    assert lists[0]["sha256"] == lists[1]["sha256"]
    assert (tmp_path / "a" / "lists" / "assignment.csv").read_bytes() == (tmp_path / "b" / "lists" / "assignment.csv").read_bytes()
    # The bucket goes with who pays, so knowing it makes the test smaller.
    adjusted = runs[0].plan.set_index(["outcome", "adjusted"])["detectable"]
    assert adjusted[("payer_rate", True)] < adjusted[("payer_rate", False)]
