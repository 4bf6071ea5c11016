"""Every report kind on books that lack a table or a month: a page that says so, or a refusal that names it; no Python error, no nought.

What each report does is written down here, so that none of them changes its mind in silence.
"""

from datetime import date
from pathlib import Path

import pytest
from collect_analysis.book.sample import make_sample
from collect_analysis.report.kinds import KINDS

from tests.faults.lacking_books import lacks_of
from tests.faults.lacking_runs import REPORTS, parameters_of, period_of, run_lacking

REFUSED = {
    "agency_evaluation/quarterly": ("payment", "unit"),
    "agency_integrity/quarter": ("decision",),
    "drivers/exp-payer": ("decision",),
    "incentive_scheme/sample-linear": (
        "month_end",
        "payment",
        "month_end of the before month",
        "month_end of the last month",
        "payment of the last month",
        "all but the last month",
    ),
    "kpi_validation/sample-months": ("all but the last month",),
    "placement_plan/next-quarter": ("payment", "unit"),
    "portfolio_flow/sample": ("month_end", "month_end of the last month", "all but the last month", "payment of the last month"),
    "quasi_experiment/early-offer": ("payment", "account", "month_end", "all but the last month"),
    "quasi_experiment/visits-card": ("account", "payment", "decision"),
    "quasi_experiment/visits-overlap": ("payment", "decision"),
    "rule_value/exp-payer": ("month_end", "payment", "decision", "all but the last month"),
    "rule_value/placements": ("payment", "decision"),
    "scorecard/sample-quarter": (
        "month_end",
        "payment",
        "month_end of the before month",
        "month_end of the last month",
        "payment of the last month",
        "all but the last month",
    ),
    "strategy_review/exp-payer": ("decision",),
    "target_setting/next-month": (
        "month_end",
        "payment",
        "month_end of the before month",
        "month_end of the last month",
        "payment of the last month",
        "all but the last month",
    ),
    "test_design/sms-wording": ("account", "month_end", "payment"),
    "test_monitor/exp-payer": ("payment", "decision"),
}
PAGE = {
    "agency_integrity/quarter": ("payment", "payment of the last month", "all but the last month"),
    "commission_invoice/sample-quarter": ("payment", "decision", "payment of the last month", "all but the last month"),
    "incentive_scheme/sample-linear": ("account", "decision"),
    "kpi_period/sample-month": ("payment",),
    "officer_record_audit/sample-quarter": (
        "account",
        "month_end",
        "payment",
        "decision",
        "month_end of the before month",
        "payment of the last month",
        "all but the last month",
    ),
    "pace/sample-may": (
        "account",
        "month_end",
        "payment",
        "calendar",
        "month_end of the before month",
        "payment of the last month",
        "all but the last month",
    ),
    "placement_plan/next-quarter": ("decision",),
    "quasi_experiment/early-offer": ("month_end of the before month", "payment of the last month"),
    "quasi_experiment/visits-card": ("month_end", "month_end of the before month", "payment of the last month", "all but the last month"),
    "quasi_experiment/visits-overlap": (
        "account",
        "month_end",
        "month_end of the before month",
        "payment of the last month",
        "all but the last month",
    ),
    "rule_value/exp-payer": ("account", "month_end of the before month", "payment of the last month"),
    "rule_value/placements": (
        "account",
        "month_end",
        "month_end of the before month",
        "payment of the last month",
        "all but the last month",
    ),
    "test_design/sms-wording": ("decision", "month_end of the before month", "payment of the last month", "all but the last month"),
    "test_monitor/exp-payer": ("account",),
}
CASES = [(report, lack, how) for how, of in (("refused", REFUSED), ("page", PAGE)) for report, lacks in of.items() for lack in lacks]


@pytest.fixture(scope="module")
def small_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = Path(tmp_path_factory.mktemp("shop"), "sample")
    make_sample(folder, accounts=3_000, seed=1, as_of=date(2026, 6, 30), now="2026-07-01T00:00:00Z")
    return folder


def test_every_kind_is_tried() -> None:
    assert {report for report, _, _ in CASES} == set(REPORTS)
    assert {report.partition("/")[0] for report in REPORTS} == set(KINDS)


@pytest.mark.parametrize(("report", "name", "how"), CASES)
def test_what_is_absent_is_told(small_shop: Path, report: str, name: str, how: str) -> None:
    start, end = period_of(parameters_of(report))
    (lack,) = (lack for lack in lacks_of(start, end, first=date(2024, 7, 1)) if lack.name == name)
    ended = run_lacking(small_shop, report, lack)
    assert ended.how == how, ended.said
    if how == "page" and name == "payment":
        assert not [number for number, value in ended.numbers.items() if number.startswith("measure") and " R1 " in number and value == 0]


@pytest.mark.parametrize(
    ("report", "name", "table"),
    [
        ("test_monitor/exp-payer", "month_end", "losses"),
        ("strategy_review/exp-payer", "payment", "cumulative_recovery"),
        ("drivers/exp-payer", "payment", "prognosis_parts"),
    ],
)
def test_a_count_of_what_is_absent_is_no_nought(small_shop: Path, report: str, name: str, table: str) -> None:
    start, end = period_of(parameters_of(report))
    (lack,) = (lack for lack in lacks_of(start, end, first=date(2024, 7, 1)) if lack.name == name)
    whole, ended = run_lacking(small_shop, report, None), run_lacking(small_shop, report, lack)
    counted = {number for number, value in whole.numbers.items() if number.startswith(f"table {table}.") and value not in (0, None)}
    assert counted
    assert not {number for number in counted if ended.numbers.get(number) == 0}
