"""A source enters once, whole, or not at all; what was read is told; a crash leaves the book as it was."""

import fcntl
import json
import re
import subprocess
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest
from collect_analysis.book import intake, shelf
from collect_analysis.book.intake import import_source
from collect_analysis.book.store import open_book, read_manifest
from collect_analysis.errors import DataError, ParameterError, WorkplaceError

from tests.book.payments_source import AS_OF, COLUMNS, HEADER, NOW, Payments

ROW = "1,a,100,01/06/2026\n"


def test_a_delivery_is_loaded_typed_sorted_and_described(payments: Payments) -> None:
    payments.deliver(HEADER + "002,0012,1.234.567,05/06/2026\n001,NA,20,13/06/2026\n003,0012,7,01/06/2026\n")
    report = payments.load()
    (done,) = report.loads
    assert (done.table, done.source, done.origin, done.rows_read, done.rows_kept) == ("payment", "cash", "cash.csv", 3, 3)
    assert (done.money_read_minor, done.money_kept_minor, done.loaded_at) == (1_234_594, 1_234_594, NOW.isoformat())
    stored = pd.read_parquet(payments.books / "shop" / done.file)
    assert list(stored["payment_key"]) == ["003", "002", "001"]
    assert list(stored["account_key"]) == ["0012", "0012", "NA"]
    assert list(stored["amount_minor"]) == [7, 1_234_567, 20]
    assert set(stored["currency"]) == {"VND"}
    book = open_book("shop", as_of=AS_OF, folder=payments.books)
    assert book.has("payment")
    assert json.loads(json.dumps(report.as_json()))["loads"][0]["rows_kept"] == 3


def test_the_same_delivery_again_changes_nothing_and_says_so(payments: Payments) -> None:
    payments.deliver(HEADER + ROW)
    payments.load()
    first = payments.manifest.read_bytes()
    again = payments.load(now=datetime(2026, 8, 1))
    assert (again.unchanged, again.loads) == (1, ())
    assert payments.manifest.read_bytes() == first


def test_changed_content_under_the_same_name_takes_the_former_ones_place(payments: Payments) -> None:
    payments.deliver(HEADER + ROW)
    (first,) = payments.load().loads
    payments.deliver(HEADER + "1,a,150,01/06/2026\n2,b,5,01/06/2026\n")
    second = payments.load()
    assert second.superseded == (first.load_id,)
    assert list(payments.rows()["amount_minor"]) == [150, 5]
    old, new = read_manifest(payments.books / "shop").loads
    assert (old.superseded_by, new.superseded_by) == (new.load_id, "")


def test_a_changed_mapping_reads_the_file_anew_and_a_comment_does_not(payments: Payments) -> None:
    payments.deliver(HEADER + ROW)
    (first,) = payments.load().loads
    assert payments.load(extra="# a note").unchanged == 1
    second = payments.load(columns=COLUMNS + "      channel: {value: bank}\n")
    assert second.superseded == (first.load_id,)
    assert list(payments.rows()["channel"]) == ["bank"]


def test_an_earlier_delivery_brought_back_is_read_again(payments: Payments) -> None:
    for amount in (100, 150, 100):
        payments.deliver(HEADER + f"1,a,{amount},01/06/2026\n")
        payments.load()
    assert list(payments.rows()["amount_minor"]) == [100]
    loads = read_manifest(payments.books / "shop").loads
    assert [bool(load.superseded_by) for load in loads] == [True, False]
    assert len({load.load_id for load in loads}) == 2


def test_another_pseudonym_key_reads_the_file_anew(payments: Payments, monkeypatch: pytest.MonkeyPatch) -> None:
    payments.deliver(HEADER + ROW)
    columns = COLUMNS.replace("{from: account, missing: []}", "{from: account, pseudonym: true}")
    keys = []
    for secret in ("k" * 16, "l" * 16):
        monkeypatch.setenv("COLLECT_PSEUDONYM_KEY", secret)
        assert len(payments.load(columns=columns).loads) == 1
        assert payments.load(columns=columns).unchanged == 1
        keys += list(payments.rows()["account_key"])
    assert len(set(keys)) == 2


def test_files_of_a_pattern_are_deliveries_of_their_own(payments: Payments) -> None:
    payments.deliver(HEADER + ROW, "cash-1.csv")
    payments.deliver(HEADER + "2,a,5,02/06/2026\n", "cash-2.csv")
    assert [load.origin for load in payments.load(files="cash-*.csv").loads] == ["cash-1.csv", "cash-2.csv"]
    payments.deliver(HEADER + "3,a,7,03/06/2026\n", "cash-3.csv")
    more = payments.load(files="cash-*.csv")
    assert (more.unchanged, [load.origin for load in more.loads]) == (2, ["cash-3.csv"])
    assert list(payments.rows()["amount_minor"]) == [100, 5, 7]


def test_rows_the_book_has_from_another_file_are_repeats_or_conflicts(payments: Payments) -> None:
    payments.deliver(HEADER + ROW + "2,a,5,02/06/2026\n", "cash-1.csv")
    payments.load(files="cash-*.csv")
    payments.deliver(HEADER + ROW + "3,a,7,03/06/2026\n", "cash-2.csv")
    (repeat,) = payments.load(files="cash-*.csv").loads
    assert (repeat.rows_kept, repeat.rows_quarantined) == (1, 1)
    told = payments.quarantine(repeat.load_id).iloc[0]
    assert (told["reason"], told["sentence"]) == ("already_loaded", "the row is in the book already, from cash, cash-1.csv")
    payments.deliver(HEADER + "1,a,999,01/06/2026\n", "cash-3.csv")
    with pytest.raises(DataError, match=r"cash-3\.csv, line 2: .*the key is in the book with other values, from cash, cash-1\.csv"):
        payments.load(files="cash-*.csv")
    assert list(payments.rows()["amount_minor"]) == [100, 5, 7]


def test_a_row_may_move_from_one_changed_file_to_another(payments: Payments) -> None:
    payments.deliver(HEADER + ROW + "2,a,5,02/06/2026\n", "cash-1.csv")
    payments.deliver(HEADER + "3,a,7,03/06/2026\n", "cash-2.csv")
    payments.load(files="cash-*.csv")
    payments.deliver(HEADER + ROW, "cash-1.csv")
    payments.deliver(HEADER + "2,a,6,02/06/2026\n3,a,7,03/06/2026\n", "cash-2.csv")
    moved = payments.load(files="cash-*.csv")
    assert [load.rows_quarantined for load in moved.loads] == [0, 0]
    assert list(payments.rows()["amount_minor"]) == [100, 6, 7]


def test_too_many_unfit_rows_stop_the_intake_and_leave_the_book_as_it_was(payments: Payments) -> None:
    payments.deliver(HEADER + ROW)
    payments.load()
    before = payments.manifest.read_bytes()
    payments.deliver(HEADER + ROW + "2,a,x,01/06/2026\n3,a,y,01/06/2026\n4,,5,01/06/2026\n")
    with pytest.raises(DataError) as refused:
        payments.load(loss=0.5)
    first, second, third = refused.value.problems
    load_id = re.search(r"payment-[0-9a-f]{16}", first).group()
    assert refused.value.exit_code == 3
    assert first == (
        f"cash.csv: 3 of 4 rows do not keep the contract of table payment (allowed share 0.5); nothing was loaded, every one is in "
        f"rejected/{load_id}.parquet of book 'shop'"
    )
    assert second == (
        "cash.csv, line 3: column 'amount' (amount_minor) 'x' is no number as declared (decimal ',', grouping '.') (2 rows); "
        "correct the declaration, or the source"
    )
    assert (
        third == "cash.csv, line 5: column 'account' (account_key) is empty and may not be (1 rows); mend the source, or declare `default`"
    )
    assert list(payments.quarantine(load_id, "rejected")["line"]) == [3, 4, 5]
    assert payments.manifest.read_bytes() == before
    assert sorted(path.name for path in (payments.books / "shop").iterdir()) == [".lock", "book.json", "payment", "rejected"]
    assert payments.load(loss=0.75).loads[0].rows_quarantined == 3


def test_control_totals_must_agree_and_both_figures_are_told(payments: Payments) -> None:
    payments.deliver(HEADER + "1,a,1.000,01/06/2026\n2,a,5,01/06/2026\n")
    with pytest.raises(DataError) as refused:
        payments.load(extra='control: {rows: 3, totals: {amount: "1006"}}')
    assert refused.value.problems == (
        "source cash: 2 rows were delivered and 3 stated; deliver it whole, or correct control.rows",
        "source cash: 'amount' adds up to 1005 and 1006 is stated; deliver it whole, or correct control.totals",
    )
    assert not payments.manifest.exists()
    assert payments.load(extra='control: {rows: 2, totals: {amount: "1005.00"}}').loads[0].rows_kept == 2


def test_control_totals_are_of_the_whole_delivery(payments: Payments) -> None:
    payments.deliver(HEADER + ROW, "cash-1.csv")
    payments.load(files="cash-*.csv", extra="control: {rows: 1}")
    payments.deliver(HEADER + "2,a,5,02/06/2026\n", "cash-2.csv")
    with pytest.raises(DataError, match="2 rows were delivered and 3 stated"):
        payments.load(files="cash-*.csv", extra="control: {rows: 3}")
    assert payments.load(files="cash-*.csv", extra="control: {rows: 2}").unchanged == 1


def test_b25_a_header_without_rows_is_refused_unless_the_source_is_optional(payments: Payments) -> None:
    payments.deliver(HEADER)
    with pytest.raises(DataError, match=r"cash\.csv: holds a header and no rows; deliver it again, or declare the source `optional: true`"):
        payments.load()
    assert payments.load(extra="optional: true").loads[0].rows_read == 0


def test_an_absent_file_names_the_variable_or_is_told(payments: Payments) -> None:
    with pytest.raises(DataError, match=r"source cash: no file 'cash\.csv' in folder .*; set CASH_DIR to the folder that holds it"):
        payments.load()
    skipped = import_source(payments.mapping(), books=payments.books, now=NOW, skip_absent=True)
    assert "cash.csv" in skipped.absent
    assert not payments.books.exists()


def test_the_variable_goes_before_the_default(payments: Payments, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "cash.csv").write_text(HEADER + ROW, encoding="utf-8")
    monkeypatch.setenv("CASH_DIR", str(tmp_path / "elsewhere"))
    assert payments.load().loads[0].rows_kept == 1


def test_b38_a_link_out_of_the_folder_is_refused(payments: Payments, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    secret = tmp_path / "secret.csv"
    secret.write_text(HEADER + ROW, encoding="utf-8")
    (payments.folder / "cash.csv").symlink_to(secret)
    with pytest.raises(DataError, match=r"cash\.csv: is not a regular file but a link"):
        payments.load()


def test_b56_a_book_holds_one_currency_and_real_or_synthetic_data(payments: Payments) -> None:
    payments.deliver(HEADER + ROW)
    payments.load()
    path = payments.mapping(extra="synthetic: true")
    path.write_text(path.read_text(encoding="utf-8").replace("currency: VND", "currency: USD"), encoding="utf-8")
    with pytest.raises(DataError) as refused:
        import_source(path, books=payments.books, now=NOW)
    assert refused.value.problems == (
        "book 'shop' is in VND, source cash in USD; load it into a book of its own",
        "book 'shop' holds real data, source cash is synthetic; load it into a book of its own",
    )


def test_a_dry_run_reads_everything_and_writes_nothing(payments: Payments) -> None:
    payments.deliver(HEADER + ROW + "2,a,x,01/06/2026\n")
    report = payments.load(dry_run=True, loss=0.5)
    assert (report.loads[0].rows_kept, report.loads[0].rows_quarantined) == (1, 1)
    with pytest.raises(DataError):
        payments.load(dry_run=True, loss=0)
    assert not payments.books.exists()


@pytest.mark.parametrize("step", [1, 2, 3])
def test_r12_a_kill_at_any_step_into_place_leaves_the_old_book_or_the_new(payments: Payments, step: int) -> None:
    payments.deliver(HEADER + ROW)
    payments.load()
    before = payments.manifest.read_bytes()
    payments.deliver(HEADER + "1,a,150,01/06/2026\n")
    script = f"""
import os, signal
from datetime import datetime
from pathlib import Path
from collect_analysis.book.intake import import_source

whole, calls = os.replace, []
def replace(*arguments):
    calls.append(arguments)
    if len(calls) == {step}:
        os.kill(os.getpid(), signal.SIGKILL)
    whole(*arguments)
os.replace = replace
import_source(Path({str(payments.mapping())!r}), books=Path({str(payments.books)!r}), now=datetime(2026, 7, 1))
"""
    killed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    # The steps are: the staged file whole, the file into place, the manifest.
    assert killed.returncode == -9, killed.stderr
    assert payments.manifest.read_bytes() == before
    assert list(payments.rows()["amount_minor"]) == [100]
    payments.load()
    assert list(payments.rows()["amount_minor"]) == [150]
    assert not (payments.books / "shop" / ".incoming").exists()


def test_r11_a_disk_that_fills_up_leaves_the_old_book(payments: Payments, monkeypatch: pytest.MonkeyPatch) -> None:
    payments.deliver(HEADER + ROW)
    payments.load()
    before = payments.manifest.read_bytes()
    payments.deliver(HEADER + "1,a,150,01/06/2026\n")

    def full(rows, path, **options) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shelf.pyarrow.parquet, "write_table", full)
    with pytest.raises(WorkplaceError, match="No space left on device"):
        payments.load()
    assert payments.manifest.read_bytes() == before


def test_a_busy_book_is_told_and_not_waited_for(payments: Payments) -> None:
    payments.deliver(HEADER + ROW)
    payments.load()
    with (payments.books / "shop" / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with pytest.raises(WorkplaceError, match="book 'shop' is busy: another import holds it") as refused:
            payments.load()
    assert refused.value.exit_code == 5
    assert payments.load().unchanged == 1


def test_the_lock_of_a_killed_import_does_not_stay(payments: Payments) -> None:
    payments.deliver(HEADER + ROW)
    payments.load()
    code = "import fcntl, os, signal, sys; handle = open(sys.argv[1], 'w'); fcntl.flock(handle, fcntl.LOCK_EX); os.kill(os.getpid(), signal.SIGKILL)"
    subprocess.run([sys.executable, "-c", code, str(payments.books / "shop" / ".lock")], check=False)
    assert payments.load().unchanged == 1


def test_r33_a_folder_that_cannot_be_written_is_told(payments: Payments) -> None:
    payments.deliver(HEADER + ROW)
    payments.books.write_text("a file stands where the folder should be", encoding="utf-8")
    with pytest.raises(
        WorkplaceError, match=r"books.shop: cannot be written \(Not a directory\); check the rights, or set COLLECT_BOOKS"
    ) as refused:
        payments.load()
    assert refused.value.exit_code == 5


def test_equal_content_has_an_equal_fingerprint_whatever_its_order(payments: Payments, tmp_path: Path) -> None:
    prints = []
    for number, body in enumerate((ROW + "2,a,5,02/06/2026\n", "2,a,5,02/06/2026\n" + ROW)):
        folder = tmp_path / str(number)
        folder.mkdir()
        other = Payments(folder)
        other.deliver(HEADER + body)
        other.load(now=NOW.replace(day=number + 1))
        prints.append(read_manifest(other.books / "shop").fingerprint)
    assert prints[0] == prints[1]
    payments.deliver(HEADER + ROW)
    payments.load()
    assert read_manifest(payments.books / "shop").fingerprint != prints[0]


def test_excel_and_parquet_say_the_same_as_csv(payments: Payments, tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"id": ["1", "2"], "account": ["01", "b"], "amount": [100, 250], "day": pd.to_datetime(["2026-06-01", "2026-06-02"]).date}
    )
    hashes = set()
    forms = {
        "csv": "{kind: csv}",
        "xlsx": "{kind: excel, sheet: cash}",
        "parquet": '{kind: parquet, types: {amount: int64, day: "date32[day]"}}',
    }
    for kind, form in forms.items():
        folder = tmp_path / kind
        folder.mkdir()
        other = Payments(folder)
        path = folder / f"cash.{kind}"
        if kind == "csv":
            frame.assign(day=["01/06/2026", "02/06/2026"]).to_csv(path, index=False)
        elif kind == "xlsx":
            frame.to_excel(path, sheet_name="cash", index=False)
        else:
            frame.to_parquet(path, index=False)
        (done,) = other.load(files=path.name, form=form).loads
        assert done.rows_kept == 2
        hashes.add(done.content_hash)
    assert len(hashes) == 1


COHORT = """\
source: {source}
book: trial
currency: VND
synthetic: true
location: {{variable: CASH_DIR, default: {folder}}}
files: trial.csv
format: {{kind: csv}}
tables:
  cohort:
    columns:
      experiment_id: {{value: {experiment}}}
      subject_key: {{row_number: true, prefix: "s-"}}
      arm: {{from: arm}}
    outcomes:
      paid: {{from: paid, kind: {kind}, horizon_days: 90, label: {{en: Paid, vi: Đã trả}}}}
      cash_minor: {{from: cash, kind: money, horizon_days: 90}}
    covariates:
      opened: {{from: opened, measured: after, true: [Y], false: [N]}}
    doses:
      minutes: {{from: minutes}}
"""


def trial(payments: Payments, source: str, experiment: str, kind: str = "binary"):
    payments.deliver("arm,paid,cash,opened,minutes\nnew,1,500,Y,2.5\nold,0,,N,\n", "trial.csv")
    path = payments.folder / f"{source}.yml"
    path.write_text(COHORT.format(source=source, folder=payments.folder, experiment=experiment, kind=kind), encoding="utf-8")
    return import_source(path, books=payments.books, now=NOW)


def test_open_columns_are_typed_by_their_name_and_carry_their_roles(payments: Payments) -> None:
    trial(payments, "one", "letters")
    book = open_book("trial", as_of=AS_OF, folder=payments.books)
    rows = pd.read_parquet(payments.books / "trial" / book.manifest.loads[0].file)
    assert rows["outcome_paid"].tolist() == [1.0, 0.0]
    assert rows["outcome_cash_minor"].tolist()[0] == 500
    assert rows["covariate_opened"].tolist() == [1.0, 0.0]
    assert rows["dose_minutes"].tolist()[0] == 2.5
    assert rows["subject_key"].tolist() == ["s-1", "s-2"]
    assert book.manifest.roles["cohort.outcome_paid"] == {
        "kind": "binary", "horizon_days": 90, "label": {"en": "Paid", "vi": "Đã trả"}, "experiment": "letters", "sources": ["one"]
    }  # fmt: skip
    assert book.manifest.roles["cohort.covariate_opened"]["measured"] == "after"
    assert book.manifest.synthetic


def test_two_sources_may_share_a_role_but_not_contradict_it(payments: Payments) -> None:
    trial(payments, "one", "letters")
    trial(payments, "two", "calls")
    role = read_manifest(payments.books / "trial").roles["cohort.outcome_paid"]
    assert role["sources"] == ["one", "two"]
    assert "experiment" not in role
    before = (payments.books / "trial" / "book.json").read_bytes()
    with pytest.raises(DataError, match=r"source three: cohort\.outcome_paid is declared .*number.* and one, two of this book .*binary"):
        trial(payments, "three", "visits", kind="number")
    assert (payments.books / "trial" / "book.json").read_bytes() == before


def test_a_misspelt_rule_is_refused_before_a_file_is_opened(payments: Payments) -> None:
    with pytest.raises(
        ParameterError, match=r"cash\.yml, line \d+: tables\.payment\.columns\.amount_minor\.form: unknown key; did you mean 'from'"
    ):
        payments.load(columns=COLUMNS.replace("{from: amount}", "{form: amount}"))


def test_a_table_no_longer_filled_is_told(payments: Payments) -> None:
    payments.deliver(HEADER + ROW)
    payments.load()
    manifest = read_manifest(payments.books / "shop")
    stray = replace(manifest.loads[0], load_id="contact-1", table="contact", rows_kept=0)
    intake.write_manifest(payments.books / "shop", replace(manifest, loads=(*manifest.loads, stray)))
    assert payments.load().warnings == ("source cash no longer fills table contact; what it loaded there stays",)


def test_progress_is_told_by_file_and_table(payments: Payments) -> None:
    payments.deliver(HEADER + ROW)
    told: list[str] = []
    import_source(payments.mapping(), books=payments.books, now=NOW, progress=told.append)
    assert told == ["cash: reading cash.csv", "cash: cash.csv -> payment"]
