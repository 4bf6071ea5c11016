import json
import time
from datetime import date
from itertools import product
from pathlib import Path

import pytest
from collect_analysis.errors import ParameterError
from collect_analysis.runs import report_files
from hypothesis import given, strategies as st

from tests.small_project import KIND, PARAMETERS, REPORT, SmallProject

TODAY = date(2026, 7, 1)


@pytest.fixture
def project(tmp_path: Path) -> SmallProject:
    return SmallProject(tmp_path)


def refused(project: SmallProject) -> tuple[str, ...]:
    with pytest.raises(ParameterError) as caught:
        project.plan()
    return caught.value.problems


def test_a_file_is_one_run_named_as_the_file(project: SmallProject) -> None:
    project.write_report("shop")
    (run,) = project.plan()
    assert (run.report, run.name, run.slot) == (KIND, "shop", "2026-06-01--2026-06-30")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param({"book": None, "bok": "tiny"}, "unknown parameter 'bok'; did you mean 'book'?", id="B1-unknown-key"),
        pytest.param({"book": None}, "parameter 'book' is missing; add it", id="B2-missing"),
        pytest.param({"min_cell": '"12"'}, "min_cell is '12': Input should be a valid integer", id="B3-text-for-integer"),
        pytest.param({"min_cell": "yes"}, "min_cell is 'yes': Input should be a valid integer", id="B3-yes-is-a-word"),
        pytest.param({"lang": True}, "lang is True", id="B3-flag-for-word"),
        pytest.param({"seed": True}, "seed is True: Input should be a valid integer", id="B3-flag-for-integer"),
        pytest.param({"seed": 1.5}, "seed is 1.5", id="B3-float-for-integer"),
        pytest.param({"seed": -1}, "seed is -1: Input should be greater than or equal to 0", id="B3-range"),
        pytest.param({"seed": "0012"}, "quote it", id="B4-leading-zero"),
        pytest.param({"seed": "12:30"}, "quote it", id="B4-base-sixty"),
        pytest.param({"seed": "1_000"}, "quote it", id="B4-underscore"),
        pytest.param({"two words": 1}, "unknown parameter 'two words'", id="B8-S1-name-with-a-blank"),
        pytest.param({"seed": "1e999"}, "quote it", id="B10-infinite"),
        pytest.param({"seed": ".nan"}, "quote it", id="B10-nan"),
        pytest.param({"as_of": "2026-02-31"}, "as_of is '2026-02-31'; write a day as 2026-06-30", id="B11-no-such-day"),
        pytest.param({"as_of": "2026-6-3"}, "as_of is '2026-6-3'; write a day", id="B11-short-day"),
        pytest.param({"as_of": "01/06/2026"}, "as_of is '01/06/2026'; write a day", id="B11-other-order"),
        pytest.param({"as_of": "2026-W01-1"}, "as_of is '2026-W01-1'; write a day", id="B11-week-day"),
        pytest.param({"as_of": '"2026-06-30T00:00:00"'}, "write a day", id="B11-time-for-day"),
        pytest.param(
            {"as_of": "2026-07-02"}, "as_of is 2026-07-02, after today (2026-07-01); choose a day that has passed", id="B11-future"
        ),
        pytest.param({"as_of": "2026-07-31", "period_end": "2026-07-31"}, "period_end is 2026-07-31, after today", id="B11-future-period"),
        pytest.param(
            {"period_start": "2026-06-30", "period_end": "2026-06-01"}, "period_start 2026-06-30 is after period_end", id="B12-order"
        ),
        pytest.param({"units": ["a", "b", "a"]}, "names the same item twice", id="B13-repeated"),
        pytest.param({"units": [f"u{number}" for number in range(2000)]}, "at most 1000", id="B13-long-list"),
        pytest.param({"units": "a"}, "units is 'a': write a list, as [a, b]", id="B13-no-list"),
        pytest.param({"name": '"../x"'}, "name is '../x'; write lower-case letters", id="B15-S4-parent"),
        pytest.param({"name": "/x"}, "name is '/x'; write lower-case letters", id="B15-S4-absolute"),
        pytest.param({"name": "a/b"}, "write lower-case letters", id="B15-S4-folder"),
        pytest.param({"name": '"%2e%2e"'}, "write lower-case letters", id="B15-S4-encoded"),
        pytest.param({"name": "CON"}, "write lower-case letters", id="B15-device"),
        pytest.param({"name": '"shop."'}, "write lower-case letters", id="B15-trailing-dot"),
        pytest.param({"name": "x" * 300}, "write lower-case letters", id="B15-long"),
        pytest.param({"name": "shоp"}, "write lower-case letters", id="B15-cyrillic-o"),
        pytest.param({"name": '"shop\\n"'}, "name is", id="B15-newline"),
        pytest.param({"book": "../tiny"}, "write lower-case letters", id="B15-book"),
        pytest.param({"units": ["a\u0000b"]}, "control character", id="B9-nul"),
        pytest.param({"units": ["\u2028x"]}, "control character", id="B9-line-separator"),
        pytest.param(
            {"units": ["postgresql://desk:hunter2@db/shop"]}, "looks like a password or a key; keep it in an environment", id="B18-dsn"
        ),
        pytest.param({"units": ["password=hunter2"]}, "looks like a password or a key", id="B18-password"),
        pytest.param({"report": "kpi_perod"}, "report is 'kpi_perod'; did you mean 'kpi_period'?", id="W1-kind"),
        pytest.param({"report": None}, "parameter 'report' is missing", id="W1-no-kind"),
        pytest.param({"report": ["kpi_period"]}, "report is ['kpi_period']", id="W1-kind-type"),
        pytest.param({"run_dir": "/x"}, "unknown parameter 'run_dir'", id="B8-run-folder"),
        pytest.param({"__class__": 1}, "unknown parameter '__class__'", id="B8-dunder"),
    ],
)
def test_a_wrong_file_is_refused_with_file_key_and_fix(project: SmallProject, values: dict, expected: str) -> None:
    file = project.write_report(**values)
    problems = refused(project)
    assert any(expected in problem for problem in problems), problems
    assert all(problem.startswith(str(file)) for problem in problems)


def test_a_target_is_set_before_its_period() -> None:
    file = Path(__file__).resolve().parents[2] / "parameters" / "target_setting" / "next-month.yml"
    first_days = date(2026, 7, 1)
    assert {planned.parameters.period_end for planned in report_files.read(file, today=first_days)} == {date(2026, 7, 31)}
    with pytest.raises(ParameterError, match="as_of is 2026-06-30, after today"):
        report_files.read(file, today=date(2026, 6, 29))


def test_b18_the_secret_itself_is_not_told(project: SmallProject) -> None:
    project.write_report(units=["password=hunter2"])
    assert "hunter2" not in "\n".join(refused(project))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(b"", "holds no", id="B17-empty"),
        pytest.param("report: kpi_period\n".encode("utf-16"), "save it as UTF-8", id="B17-utf16"),
        pytest.param(b"report: kpi_period\n---\nreport: kpi_period\n", "second document", id="B17-two-documents"),
        pytest.param(b"report: kpi_period\nlang: en\nlang: vi\n", "stands on line 2", id="B5-twice"),
        pytest.param(b"a: &a [x]\nb: [*a, *a]\n", "alias", id="B6-alias"),
        pytest.param(b"report: !shop kpi_period\n", "tag", id="B7-tag"),
        pytest.param(b"report: kpi_period\n" + b"#" * 70_000, "more than", id="B6-large"),
    ],
)
def test_a_file_that_is_no_plain_yaml_is_refused(project: SmallProject, content: bytes, expected: str) -> None:
    project.write_report().write_bytes(content)
    assert expected in "\n".join(refused(project))


def test_b17_a_byte_order_mark_and_windows_lines_are_accepted(project: SmallProject) -> None:
    file = project.write_report()
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n"))
    assert len(project.plan()) == 1


def test_problems_of_all_files_are_told_at_once(project: SmallProject) -> None:
    first = project.write_report("one", bok="tiny", seed=-1)
    second = project.write_report("two", lang="fr")
    problems = refused(project)
    assert [problem.split(": ")[0] for problem in problems].count(str(first)) == 2
    assert any(problem.startswith(str(second)) and "'en' or 'vi'" in problem for problem in problems)


def test_w2_for_each_makes_one_run_per_cell_named_after_its_values(project: SmallProject) -> None:
    project.write_report("shop", for_each={"lang": ["en", "vi"], "units": [["tele-1"], ["tele-2", "field-1"]]})
    names = [run.name for run in project.plan()]
    assert names == ["shop-en-tele-1", "shop-en-tele-2-field-1", "shop-vi-tele-1", "shop-vi-tele-2-field-1"]


def test_a_day_in_for_each_tells_the_slot_and_not_the_name(project: SmallProject) -> None:
    months = [{"period_start": "2026-05-01", "period_end": "2026-05-31"}, {"period_start": "2026-06-01", "period_end": "2026-06-30"}]
    project.write_report("shop", period_start=None, period_end=None, for_each={"month": months})
    assert [(run.name, run.slot) for run in project.plan()] == [("shop", "2026-05-01--2026-05-31"), ("shop", "2026-06-01--2026-06-30")]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param({"for_each": {"lang": []}}, "for_each.lang is []; write a list of at least one value", id="B13-empty"),
        pytest.param({"for_each": {"lang": "en"}}, "for_each.lang is 'en'; write a list", id="no-list"),
        pytest.param({"for_each": ["lang"]}, "for_each is ['lang']; write a list under each key", id="no-mapping"),
        pytest.param({"for_each": {"lang": ["en", "en"]}}, "for_each.lang names the same value twice", id="B13-repeated"),
        pytest.param({"lang": "en", "for_each": {"lang": ["vi"]}}, "lang is set both in the file and in for_each", id="twice"),
        pytest.param({"for_each": {"name": ["a", "b"]}}, "for_each.name sets the name", id="name"),
        pytest.param({"for_each": {"lnag": ["en", "vi"]}}, "unknown parameter 'lnag'; did you mean 'lang'?", id="B1-key"),
        pytest.param(
            {"for_each": {"seed": list(range(40)), "min_cell": list(range(3, 43))}}, "makes 1600 runs; at most 1000", id="B13-cap"
        ),
        pytest.param({"as_of": None, "for_each": {"as_of": ["2026-06-30", "2026-07-01"]}}, "would replace kpi_period/shop", id="one-slot"),
    ],
)
def test_a_wrong_for_each_is_refused(project: SmallProject, values: dict, expected: str) -> None:
    project.write_report("shop", **values)
    assert any(expected in problem for problem in refused(project)), refused(project)


def test_a_mistake_in_a_fanned_file_is_told_once(project: SmallProject) -> None:
    project.write_report("shop", bok="x", for_each={"lang": ["en", "vi"]})
    assert len(refused(project)) == 1


def test_two_files_may_not_make_the_same_run(project: SmallProject) -> None:
    project.write_report("one", name="shop")
    project.write_report("two", name="shop")
    (problem,) = refused(project)
    assert "would replace kpi_period/shop/2026-06-01--2026-06-30, which" in problem


def test_a_folder_means_the_report_files_below_it(project: SmallProject) -> None:
    file = project.write_report("shop")
    for other in ("sources", "policy", "rules"):
        folder = project.root / "parameters" / other
        folder.mkdir(exist_ok=True)
        (folder / "x.yml").write_text("not: a report\n")
    assert report_files.find([project.root / "parameters", file]) == [file]


def test_a_path_that_is_not_there_is_refused(project: SmallProject) -> None:
    with pytest.raises(ParameterError, match="no such report file or folder"):
        report_files.find([project.root / "absent.yml"])
    with pytest.raises(ParameterError, match="no report file"):
        report_files.find([project.root / "parameters" / "policy"])


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        pytest.param(
            PARAMETERS.replace("lang = ", "lnag = "), "sets 'lnag', which kpi_period does not know; did you mean 'lang'?", id="surplus"
        ),
        pytest.param(PARAMETERS.replace("run_dir = None", ""), "does not set 'run_dir'; add it", id="missing"),
        pytest.param(PARAMETERS + "\nimport os", "is not one plain assignment", id="code"),
        pytest.param(PARAMETERS + "\nos.x = 1", "is not one plain assignment", id="attribute"),
        pytest.param("lang = ", "does not parse, line 1", id="syntax"),
    ],
)
def test_a_notebook_that_takes_other_parameters_is_refused(project: SmallProject, parameters: str, expected: str) -> None:
    project.write_report()
    project.write_notebook(parameters=parameters)
    assert any(expected in problem for problem in refused(project)), refused(project)


def test_a_kind_without_notebook_or_without_parameters_cell_is_refused(project: SmallProject) -> None:
    project.write_report()
    path = project.root / "notebooks" / f"{KIND}.ipynb"
    content = json.loads(path.read_text())
    content["cells"][0]["metadata"]["tags"] = []
    path.write_text(json.dumps(content))
    assert "0 code cells are tagged 'parameters'" in refused(project)[0]
    path.unlink()
    assert "there is no such notebook" in refused(project)[0]


# B9, B14, S2: what a value says never changes what a file means.
@given(text=st.text(st.characters(blacklist_categories=("Cc", "Cs", "Cf", "Zl", "Zp", "Co", "Cn", "Zs")), min_size=1, max_size=40))
def test_b9_a_value_is_data_whatever_it_says(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    from collect_analysis.report.kinds import KINDS
    from collect_analysis.report.parameters import SECRET, validate

    if SECRET.search(text):
        return
    values = {key: value for key, value in REPORT.items() if key != "report"}
    parameters = validate(KINDS[KIND], {**values, "name": "shop", "units": [text]}, where="file")
    assert json.loads(json.dumps(parameters.as_json()))["units"] == [text]


def test_w1_thirty_wrong_files_are_refused_within_a_second(project: SmallProject) -> None:
    keys, words = ("bok", "lnag", "sed"), [f"w{number}" for number in range(10)]
    for key, word in product(keys, words):
        project.write_report(f"{key}-{word}", **{key: word})
    start = time.monotonic()
    problems = refused(project)
    assert len(problems) == 30
    assert time.monotonic() - start < 1
