"""What a reversal takes back is checked when it enters, by the delivery and by the book; how grave each fault is, the mapping may say."""

from pathlib import Path

import pytest
from collect_analysis.book.store import Load, read_manifest
from collect_analysis.errors import DataError

from tests.book.payments_source import COLUMNS, Payments

HEADER = "id,account,amount,day,of\n"
LINKED = COLUMNS + "      reversal_of: {from: of}\n"


def load(payments: Payments, body: str, *, name: str = "cash.csv", loss: float = 1, extra: str = "") -> Load:
    payments.deliver(HEADER + body, name)
    loads = payments.load(columns=LINKED, loss=loss, files="cash*.csv", extra=extra).loads
    return next(load for load in loads if load.origin == name)


def found(done: Load) -> dict[str, tuple[str, int, int | None]]:
    return {each.check: (each.severity, each.rows, each.first_line) for each in done.findings if each.rows}


@pytest.mark.parametrize(
    ("rows", "check", "line"),
    [
        ("2,a,-150,03/06/2026,1", "reversal_above_original", 3),
        ("2,b,-50,03/06/2026,1", "reversal_of_other_account", 3),
        ("2,a,-50,31/05/2026,1", "reversal_before_original", 3),
        ("2,a,50,03/06/2026,1", "reversal_same_sign", 3),
        ("2,a,-50,03/06/2026,2", "reversal_endless", 3),
    ],
)
def test_a_reversal_that_contradicts_its_original_is_set_aside(payments: Payments, rows: str, check: str, line: int) -> None:
    done = load(payments, f"1,a,100,01/06/2026,\n{rows}\n")
    assert found(done) == {check: ("quarantine", 1, line)}
    assert list(payments.rows()["payment_key"]) == ["1"]


def test_reversals_that_go_in_a_circle_are_set_aside(payments: Payments) -> None:
    assert found(load(payments, "2,a,-5,03/06/2026,3\n3,a,5,03/06/2026,2\n")) == {"reversal_endless": ("quarantine", 2, 2)}


def test_a_chain_longer_than_money_is_followed_is_set_aside_from_there_on(payments: Payments) -> None:
    chain = "".join(f"{n + 1},a,{-100 if n % 2 else 100},01/06/2026,{n or ''}\n" for n in range(12))
    done = load(payments, chain)
    assert found(done)["reversal_endless"] == ("quarantine", 3, 11)
    assert done.rows_kept == 9


@pytest.mark.parametrize(
    "rows",
    [
        "2,a,-30,03/06/2026,1",
        "2,a,-100,03/06/2026,1\n3,a,100,04/06/2026,2\n4,a,-100,05/06/2026,1",
        "2,a,-60,03/06/2026,1\n3,a,-40,03/06/2026,1",
        "2,a,-60,01/06/2026,1\n3,a,20,04/06/2026,2\n4,a,-20,04/06/2026,3",
        # Posted again under the key of the payment, not of the reversal.
        "2,a,-100,03/06/2026,1\n3,a,100,04/06/2026,1\n4,a,-30,05/06/2026,1",
    ],
)
def test_reversals_in_part_in_several_and_taken_back_are_right(payments: Payments, rows: str) -> None:
    assert not load(payments, f"1,a,100,01/06/2026,\n{rows}\n", loss=0).findings


def test_reversals_of_one_payment_that_are_too_much_together_are_all_set_aside(payments: Payments) -> None:
    done = load(payments, "1,a,100,01/06/2026,\n2,a,-60,03/06/2026,1\n3,a,-60,03/06/2026,1\n")
    assert found(done) == {"reversal_above_original": ("quarantine", 2, 3)}


def test_what_takes_back_a_reversal_may_not_give_back_more_than_it_took(payments: Payments) -> None:
    done = load(payments, "1,a,100,01/06/2026,\n2,a,-60,03/06/2026,1\n3,a,80,04/06/2026,2\n")
    assert found(done) == {"reversal_above_original": ("quarantine", 1, 4)}


def test_the_book_is_looked_up_too(payments: Payments) -> None:
    load(payments, "1,a,100,01/06/2026,\n2,a,-60,03/06/2026,1\n")
    done = load(payments, "3,a,-60,05/06/2026,1\n4,b,-10,05/06/2026,1\n5,a,10,06/06/2026,2\n", name="cash2.csv")
    # 60 taken back, 10 of it given back: 60 more are too much by 10; in which posting is for the source to say.
    assert found(done) == {"reversal_of_other_account": ("quarantine", 1, 3), "reversal_above_original": ("quarantine", 2, 2)}


def test_an_original_that_comes_after_its_reversal_is_held_against_it(payments: Payments) -> None:
    first = load(payments, "2,a,-60,03/06/2026,1\n4,a,-5,03/06/2026,7\n")
    assert found(first) == {"reversal_of_unknown": ("note", 2, 2)}
    second = load(payments, "1,b,100,01/06/2026,\n7,a,5,01/06/2026,\n", name="cash2.csv")
    assert found(second) == {"original_misfits": ("note", 1, 2)}


def test_amounts_below_nothing_without_an_original_are_kept_and_told(payments: Payments) -> None:
    payments.deliver(HEADER + "1,a,-5,01/06/2026,\n2,a,-7,01/06/2026,\n3,a,9,01/06/2026,\n")
    report = payments.load(columns=LINKED)
    assert report.loads[0].rows_kept == 3
    assert report.warnings == (
        "cash.csv, line 2: the row (amount_minor) '-5' is below 0 and names no posting it takes back; it counts as paid out on its own day "
        "(2 rows), kept; name the posting in reversal_of where it takes one back",
    )


def test_a_source_without_links_is_told_of_its_amounts_below_nothing(payments: Payments) -> None:
    payments.deliver("id,account,amount,day\n1,a,-5,01/06/2026\n")
    (done,) = payments.load().loads
    assert found(done) == {"money_out_unlinked": ("note", 1, 2)}


def test_a_reversal_that_counts_otherwise_than_its_original_is_told(payments: Payments) -> None:
    payments.deliver("id,account,amount,day,of,counts\n1,a,100,01/06/2026,,1\n2,a,-40,02/06/2026,1,0\n")
    columns = LINKED.replace("{value: true}", "{from: counts}")
    (done,) = payments.load(columns=columns).loads
    assert found(done) == {"reversal_counts_differently": ("note", 1, 3)}


def test_the_manifest_keeps_what_the_checks_found(payments: Payments) -> None:
    load(payments, "1,a,-5,01/06/2026,\n")
    (kept,) = read_manifest(payments.books / "shop").loads
    assert found(kept) == {"money_out_unlinked": ("note", 1, 2)}
    assert "no posting it takes back" in kept.findings[0].sentence


@pytest.mark.parametrize(("severity", "kept"), [("note", 2), ("quarantine", 1)])
def test_the_mapping_says_how_grave_a_check_is(payments: Payments, severity: str, kept: int) -> None:
    done = load(payments, "1,a,100,01/06/2026,\n2,a,-150,03/06/2026,1\n", extra=f"checks: {{reversal_above_original: {severity}}}")
    assert found(done) == {"reversal_above_original": (severity, 1, 3)}
    assert done.rows_kept == kept


def test_a_check_that_refuses_keeps_the_delivery_out_whatever_may_be_lost(payments: Payments, tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        load(payments, "1,a,-5,01/06/2026,\n2,b,5,01/06/2026,\n", loss=1, extra="checks: {money_out_unlinked: refuse}")
    assert "cash.csv: 1 of 2 rows do not keep the contract of table payment" in error.value.problems[0]
    assert error.value.problems[1].startswith("cash.csv, line 2: the row (amount_minor) '-5' is below 0")
    assert not (payments.books / "shop" / "payment").exists()


def test_another_severity_reads_the_file_anew(payments: Payments) -> None:
    body = "1,a,100,01/06/2026,\n2,a,-150,03/06/2026,1\n"
    assert load(payments, body).rows_kept == 1
    assert load(payments, body, extra="checks: {reversal_above_original: note}").rows_kept == 2
