"""Cost and net value per account, by hand and through supplied columns; money that cannot be told."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from collect_analysis.book.store import Book, book_from_frames
from collect_analysis.errors import DataError
from collect_analysis.measures.cohort import open_cohort
from collect_analysis.methods.trials.experiments import arm_means, compare_arms
from collect_analysis.strategies.strategy_review import measures_net_value as measure

from tests.small_book import book_of

AS_OF = date(2026, 6, 30)
ARMS = ["champion", "new"]
TARIFF = """kind, item, amount_minor, rate, valid_from, valid_to, tier_from, tariff_id
channel_event, sms, 10, , 2025-01-01, 2026-02-01, 0, ch
channel_event, sms, 20, , 2026-02-01, , 0, ch
channel_event, call, 100, , 2025-01-01, , 0, ch
officer_minute, tele, 60, , 2025-01-01, , 0, mi
commission, collected, , 0.20, 2025-01-01, , 0, com
commission, collected, , 0.30, 2025-01-01, , 2, com
tax, vat, , 0.10, 2025-01-01, , 0, tax"""
CONTACTS = """account_key, channel, direction, local_ts, officer_key, talk_s, wait_s, wrap_s
n1, sms, out, 2026-01-31 10:00:00, , , ,
n1, sms, out, 2026-02-01 10:00:00, , , ,
n1, call, out, 2026-01-05 10:00:00, o1, 30, 15, 5
n1, call, out, 2025-12-31 10:00:00, o1, 600, 0, 0
n1, call, out, 2026-04-02 10:00:00, o1, 600, 0, 0
n2, call, in, 2026-03-01 10:00:00, o1, 60, , 7
c1, call, out, 2026-01-01 10:00:00, , , ,
c2, sms, out, 2026-04-01 10:00:00, , , ,"""
PAYMENTS = """account_key, amount_minor, value_date, payment_key, reversal_of
n1, 1000, 2026-01-20, p1,
n1, 1000, 2026-03-20, p2,
n2, 500, 2026-02-20, p3,
c1, 400, 2026-01-20, p4,
c1, -400, 2026-02-20, p5, p4
c2, 300, 2026-01-20, p6,"""
PLACED = """n1, placement, , , 2026-01-10, ag, 9000, cn
c2, placement, , , 2025-01-10, team, 9000, c2"""


def tables(**changes: str) -> dict[str, str]:
    head = "account_key, kind, experiment_id, arm, from_date, unit_key, balance_minor, customer_key"
    # n1 and n2 are one customer's accounts.
    keys = {"n1": "cn", "n2": "cn", "n3": "c3", "c1": "c1", "c2": "c2"}
    arms = [f"{key}, experiment, e, {'new' if key[0] == 'n' else 'champion'}, 2026-01-01, , , {who}" for key, who in keys.items()]
    units = "unit_key, unit_type, sub_function, tariff_id\nag, agency, agency, com\nteam, team, tele,"
    officer = "officer_key, unit_key, role, valid_from\no1, team, tele, 2025-01-01"
    decision = "\n".join([head, *arms, *PLACED.splitlines()])
    return {
        "decision": decision, "unit": units, "officer": officer, "tariff": TARIFF, "contact": CONTACTS, "payment": PAYMENTS, **changes,
    }  # fmt: skip


def told(book: Book, **options: object) -> measure.NetValue:
    cohort = open_cohort(book, "e", arms=ARMS, horizon_days=90)
    return measure.net_value(book, cohort, ARMS, horizon_days=90, **options)  # type: ignore[arg-type]


def sums(found: measure.NetValue) -> dict:
    return found.sums.set_index(["outcome", "arm"])["sum_y"].to_dict()


def test_every_contact_minute_and_payment_is_priced_by_hand() -> None:
    found = told(book_of(tables(), as_of=AS_OF))
    assert found.reason == ""
    total = sums(found)
    # n1: texts at 10 and, from February, 20; a call at 100. A call in and contacts outside the 90 days cost no event.
    assert total[("contact_cost", "new")] == 10 + 20 + 100
    # 50 seconds with n1 and 67 with n2, at 1 a second.
    assert total[("officer_cost", "new")] == 117
    # 20 % in the first two months on placement, 30 % after, and a tenth of each as tax; n2 was never placed.
    assert total[("commission_cost", "new")] == 220 + 330
    assert total[("cost", "new")] == 130 + 117 + 550
    assert total[("net_value", "new")] == 2500 - 797
    # c1: a call by no officer, and the payment did not stay; c2: a text on the last day, placed with a team that earns no commission.
    assert total[("cost", "champion")] == 100 + 20
    assert total[("net_value", "champion")] == 300 - 120
    assert found.unpriced == {"contact_cost": 0, "officer_cost": 0, "commission_cost": 0}


def test_net_is_the_customers_own_difference() -> None:
    found = told(book_of(tables(), as_of=AS_OF))
    net = found.sums[(found.sums["outcome"] == "net_value") & (found.sums["arm"] == "new")].iloc[0]
    # The customer with n1 and n2: 2500 - 797; n3: nothing.
    assert (net["clusters"], net["cases"], net["sum_yy"], net["sum_yn"]) == (2, 3, 1703**2, 2 * 1703)


def without(table: str, start: str) -> str:
    return "\n".join(line for line in tables()[table].splitlines() if not line.startswith(start))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"tariff": without("tariff", "channel_event, call")}, "no tariff prices 40.0% of the outbound contacts"),
        ({"tariff": without("tariff", "officer_minute")}, "no tariff prices 100.0% of the officers' time"),
        ({"officer": "officer_key, unit_key, role, valid_from\no2, team, tele, 2025-01-01"}, "100.0% of the officers' time"),
        ({"tariff": without("tariff", "commission")}, "no tariff prices 100.0% of the cash that agencies held"),
    ],
)
def test_work_that_no_tariff_prices_leaves_money_undefined(changes: dict, reason: str) -> None:
    found = told(book_of(tables(**changes), as_of=AS_OF))
    assert reason in found.reason
    assert found.sums.empty


@pytest.mark.parametrize(("missing", "reason"), [("contact", measure.NO_CONTACTS), ("tariff", measure.NO_TARIFF)])
def test_a_book_that_lacks_a_table_says_which(missing: str, reason: str) -> None:
    given = {name: text for name, text in tables().items() if name != missing}
    assert told(book_of(given, as_of=AS_OF)).reason == reason


def supplied(**columns: object) -> Book:
    n = 400
    rng = np.random.default_rng(3)
    paid = rng.integers(0, 5_000, n) * (rng.random(n) < 0.4)
    frame = pd.DataFrame(
        {"arm": np.where(np.arange(n) % 2, "new", "champion"), "outcome_cash_minor": paid, "dose_cost_minor": 40 + paid // 10}
    )
    frame = frame.assign(experiment_id="e", subject_key=[f"s{number}" for number in range(n)], **columns)
    return book_from_frames({"cohort": frame}, as_of=AS_OF, roles={"cohort.outcome_cash_minor": {"kind": "money", "horizon_days": 90}})


def test_a_declared_cost_is_taken_from_each_subject_and_its_interval_counts_both() -> None:
    book = supplied()
    found = told(book, cost="cost_minor")
    means = arm_means(found.sums)
    effects = compare_arms(means, base="champion").set_index("outcome")
    rows = book.frame(book.table("cohort"))
    net = rows["outcome_cash_minor"] - rows["dose_cost_minor"]
    own = net.groupby(rows["arm"])
    assert effects.loc["net_value", "value"] == pytest.approx(own.mean()["new"] - own.mean()["champion"])
    assert effects.loc["net_value", "se"] == pytest.approx(np.sqrt((own.var() / own.size()).sum()), rel=1e-6)


def test_a_supplied_cohort_without_declared_cost_or_with_holes_in_it_has_no_net_value() -> None:
    assert told(supplied()).reason == measure.NO_COST
    cost = pd.Series(np.where(np.arange(400) < 3, None, 5)).astype("Int64")
    assert told(supplied(dose_cost_minor=cost), cost="cost_minor").reason.startswith("3 subjects have no cost_minor")
    with pytest.raises(DataError, match="no dose or money outcome 'price' to read a cost from; it has cash, cost_minor"):
        told(supplied(), cost="price")


def test_a_cost_declared_as_an_outcome_is_no_cash() -> None:
    book = supplied(outcome_spent_minor=7)
    assert sums(told(book, cost="spent"))[("cost", "new")] == 7 * 200
    only = book_from_frames(
        {"cohort": book.frame(book.table("cohort")).drop(columns=["outcome_cash_minor"])},
        as_of=AS_OF,
        roles={"cohort.outcome_spent_minor": {"kind": "money", "horizon_days": 90}},
    )
    assert told(only, cost="spent").reason == measure.NO_CASH
