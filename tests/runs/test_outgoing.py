"""Nothing that tells who somebody is leaves a run, wherever it stands: asked of the whole, through the command, and of each rule."""

import json
import zipfile
from datetime import date
from pathlib import Path

import pytest
from collect_analysis.book.person_keys import FOLDER, PersonKeys, person_keys, words_of
from collect_analysis.book.sample import files
from collect_analysis.book.store import Manifest, write_manifest
from collect_analysis.errors import DisclosureError
from collect_analysis.runs import outgoing

from tests.small_project import SmallProject

ACCOUNTS = [f"debt-{number:06d}" for number in range(40)]
OFFICERS = ["desk-017", "desk-018"]


def book_of(folder: Path, accounts: list[str] = ACCOUNTS) -> Path:
    accounts_at = {
        "account_key": accounts,
        "customer_key": [f"Person {key}" for key in accounts],
        "open_date": [date(2026, 1, 1)] * len(accounts),
    }
    loads = (
        files.write(folder, "account", accounts_at, now=""),
        files.write(folder, "officer", {"officer_key": OFFICERS, "unit_key": ["tele-1"] * 2}, now=""),
    )
    write_manifest(folder, Manifest(name=folder.name, synthetic=True, currency="VND", loads=loads))
    return folder


def keys_of(folder: Path, accounts: list[str] = ACCOUNTS) -> PersonKeys:
    return person_keys(book_of(folder / "tiny", accounts))


# What an analyst may write without meaning harm; by the name of the report it tells keys at every place, by printing only, or nowhere.
LEAKS = """
import pandas as pd
from collect_analysis.book.store import open_book
from collect_analysis.report import kinds
from collect_analysis.report.figures import intervals
from collect_analysis.report.recording import Decision, RunRecorder
params = kinds.from_notebook("kpi_period", globals())
book = open_book(params.book, as_of=params.as_of)
record = RunRecorder(params, run_dir)
some = book.frame(book.table("account").select(id="account_key").limit(20)).assign(cases=40, value=0.5)
key = some["id"][0] if name == "everywhere" else "A"
if name == "everywhere": record.table("renamed", some, people="cases")
record.table("inside", pd.DataFrame({"batch": [f"late ({key})"], "cases": [40], "value": [0.5]}), people="cases")
mail = "an.b" + "@example.com" if name == "everywhere" else "them"
record.table("mail", pd.DataFrame({"portfolio": [f"ask {mail}"], "cases": [40], "value": [0.5]}), people="cases")
if name == "leads": record.table("officers", pd.DataFrame({"officer_key": ["desk-" + "017"], "cases": [40], "value": [0.5]}), people="cases")
record.measure("kept_rate", 0.75, people=40, unit="share", by={"unit": key})
record.check("whole", True, detail=f"first of them: {key}")
record.document("note.txt", f"see {key}")
points = pd.DataFrame({"unit": [key], "value": [0.5], "low": [0.4], "high": [0.6]})
record.figure("kept", intervals.interval_plot(points, label="unit", xlabel="x", lang="en"))
record.decide(Decision(question="Keep?", answer=f"Keep {key}.", confidence="high", grade="C"))
print(record.finish())
"""
PRINTED = "print(some) if name == 'printed' else None"
LAST = "some if name == 'last' else None"
PLACES = (
    "tables/renamed.csv, column 'id': 20 keys of account.account_key",
    "tables/inside.csv, column 'batch': 1 key of account.account_key",
    "tables/mail.csv, column 'portfolio': a mail address",
    "results.json, measure 'kept_rate', label 'unit': 1 key of account.account_key",
    "results.json, checks[0].detail: 1 key of account.account_key",
    "results.json, decision.answer: 1 key of account.account_key",
    "note.txt, text: 1 key of account.account_key",
    "figures/kept.svg, drawing: 1 key of account.account_key",
)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, dict], str, int, Path]:
    """Runs that tell persons, and two that do not, by one command."""
    project = SmallProject(tmp_path_factory.mktemp("leaks"), LEAKS, PRINTED, LAST)
    book_of(project.books / "tiny")
    for name in ("everywhere", "printed", "last", "clean"):
        project.write_report(name)
    project.write_report("leads", audience="team_leads")
    done = project.collect("run", "parameters", "--json", "--workers", "2")
    runs = {run["name"]: run for run in json.loads(done.stdout)["runs"]}
    return runs, done.stderr, done.returncode, project.reports


@pytest.mark.parametrize("place", PLACES)
def test_a_key_is_refused_wherever_it_stands(outcomes, place: str) -> None:
    assert place in outcomes[0]["everywhere"]["error"]["message"]


@pytest.mark.parametrize("name", ["everywhere", "printed", "last"])
def test_nothing_of_such_a_run_is_published_and_the_refusal_repeats_no_key(outcomes, name: str) -> None:
    runs, stderr, _, reports = outcomes
    assert (runs[name]["state"], runs[name]["error"]["type"]) == ("failed", "DisclosureError")
    assert not any(key in runs[name]["error"]["message"] + stderr for key in [*ACCOUNTS, "an.b@example.com"])
    assert not (reports / "kpi_period" / name).exists()


@pytest.mark.parametrize("name", ["printed", "last"])
def test_what_a_cell_printed_or_left_as_its_last_value_is_looked_at(outcomes, name: str) -> None:
    assert "notebook.ipynb, cells[" in outcomes[0][name]["error"]["message"]


def test_the_command_ends_as_a_matter_of_disclosure(outcomes) -> None:
    assert outcomes[2] == DisclosureError.exit_code == 4


def test_what_tells_nobody_is_published_and_officers_to_their_leads(outcomes) -> None:
    assert (outcomes[0]["clean"]["state"], outcomes[0]["leads"]["state"]) == ("complete", "complete")


def written(folder: Path, **files_of: str | bytes) -> Path:
    for name, content in files_of.items():
        path = folder / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def told(folder: Path, keys: PersonKeys, *, audience: str = "managers") -> str:
    with pytest.raises(DisclosureError) as error:
        outgoing.refuse_persons(folder, {}, keys, audience=audience)
    return str(error.value)


@pytest.mark.parametrize("spelling", ["debt-000017", "DEBT_000017", "(debt 000017)", "x/debt-000017/y", "debt-000017&amp;debt-000018"])
def test_a_key_is_found_in_any_spelling_of_its_words(tmp_path: Path, spelling: str) -> None:
    folder = written(tmp_path / "run", page_dot_html=f"<td>{spelling}</td>")
    assert "page.html, page" in told(folder, keys_of(tmp_path))


def test_numbers_that_are_keys_are_told_from_ordinary_numbers_by_chance(tmp_path: Path) -> None:
    keys = keys_of(tmp_path, [str(number) for number in range(100_000, 130_000)])
    assert keys.density(6) == pytest.approx(30_000 / 900_000)
    counts = written(tmp_path / "counts", tables__a_dot_csv="cases,name\n100001,100002 of 103\n100003,x\n", page_dot_html="100017 accounts")
    outgoing.refuse_persons(counts, {}, keys, audience="managers")
    column = written(tmp_path / "ids", tables__a_dot_csv="id,cases\n" + "".join(f"{100_000 + 7 * n},{n}\n" for n in range(5)))
    assert "tables/a.csv, column 'id': 5 keys of account.account_key" in told(column, keys)
    long = keys_of(tmp_path / "long", [str(700_000_000_000 + number) for number in range(30_000)])
    single = written(tmp_path / "one", results_dot_json=json.dumps({"checks": [{"detail": "see 700000000017"}]}))
    assert "results.json, checks[0].detail" in told(single, long)
    money = written(tmp_path / "money", tables__a_dot_csv="amount_minor\n700000000017\n712345678901\n")
    outgoing.refuse_persons(money, {}, long, audience="managers")


def test_phone_numbers_and_mail_addresses_are_refused_and_amounts_are_not(tmp_path: Path) -> None:
    keys = keys_of(tmp_path)
    for number, text in enumerate(("0912345678", "0912 345 678", "+84 912 345 678".replace("84 ", "84"), "an@example.com")):
        told(written(tmp_path / f"{number}", page_dot_html=f"<p>call {text} now</p>"), keys)
    fine = written(tmp_path / "fine", page_dot_html="<p>VND 0.912345678, 2026-06-30, 20,912,345,678, 0.35 0.45 0.12</p>")
    outgoing.refuse_persons(fine, {}, keys, audience="managers")


def test_a_file_that_cannot_be_read_is_not_published(tmp_path: Path) -> None:
    keys = keys_of(tmp_path)
    assert "note.bin cannot be read" in told(written(tmp_path / "bytes", note_dot_bin=b"\xff\xfe\x00"), keys)
    assert "sheet.xlsx cannot be read" in told(written(tmp_path / "sheet", sheet_dot_xlsx=b"no archive"), keys)


def test_the_cells_of_a_workbook_are_read(tmp_path: Path) -> None:
    folder = written(tmp_path / "run")
    folder.mkdir()
    with zipfile.ZipFile(folder / "sheet.xlsx", "w") as book:
        book.writestr("xl/sharedStrings.xml", "<sst><si><t>debt-000017</t></si></sst>")
    assert "sheet.xlsx, xl/sharedStrings.xml" in told(folder, keys_of(tmp_path))


def test_lists_for_operations_hold_persons_and_are_not_looked_at(tmp_path: Path) -> None:
    folder = written(tmp_path / "run", lists__calls_dot_csv="account_key\ndebt-000017\n")
    outgoing.refuse_persons(folder, {}, keys_of(tmp_path), audience="managers")


def test_officers_are_persons_to_managers(tmp_path: Path) -> None:
    folder = written(tmp_path / "run", tables__o_dot_csv="who\ndesk-017\n")
    keys = keys_of(tmp_path)
    assert "column 'who': 1 key of officer.officer_key" in told(folder, keys)
    outgoing.refuse_persons(folder, {}, keys, audience="team_leads")


def test_keys_are_kept_beside_the_book_until_it_changes(tmp_path: Path) -> None:
    folder = book_of(tmp_path / "tiny")
    first = person_keys(folder)
    (kept,) = (folder / FOLDER).glob("*.npz")
    assert kept.stat().st_mode & 0o077 == 0
    assert person_keys(folder).among([words_of("debt-000017")], officers=False) == ["debt-000017"]
    book_of(folder, ["loan-000001"])
    assert person_keys(folder).among(["debt-000017", "loan-000001"], officers=False) == ["loan-000001"]
    assert len(list((folder / FOLDER).glob("*.npz"))) == 1
    assert len(first.persons) == 80
