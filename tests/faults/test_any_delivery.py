"""Any mapping file on any cells: `collect import` ends as it says, in no traceback, and every row and amount is kept or set aside."""

import csv
import io
import json
from contextlib import redirect_stderr, redirect_stdout
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from collect_analysis import cli
from hypothesis import HealthCheck, given, settings, strategies as st

from tests.book.sheets import saved, workbook

NOW = "2026-07-01T10:00:00+07:00"
HEADER = ["id", "account", "amount", "day", "at", "more"]
NUMBERS = [
    "0",
    "-7",
    "1.000",
    "900,5",
    "1,234.50",
    "(5)",
    "5-",
    "−3",
    "1e5",
    "1E+18",
    "12,5 %",
    "NaN",
    "inf",
    "9" * 17,
    "9" * 40,
    "0x1F",
    "٣",
]
DAYS = ["2026-06-01", "01/06/2026", "31/02/2026", "46174", "9999-12-31", "0001-01-01", "1/6/26", "2026-06", "20260601", "June 1"]
MOMENTS = [
    "2026-06-01 08:00:00", "2026-06-01T08:00:00Z", "2026-06-01T08:00:00.123456789+07:00", "9999-12-31 23:59:59", "1780272000",
    "1780272000000", "-1", "25:00", "8:15", "2026-06-01 24:00:00",
]  # fmt: skip
WORDS = ["", " ", "a", "A ", "0012", "12", "8001.0", "NULL", "Total", "Tổng cộng", "=1+1", '"', "a\tb", "\u200b1", "e\u0301", "#N/A", "-"]
texts = st.sampled_from(NUMBERS + DAYS + MOMENTS + WORDS)
typed = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**18), 10**18),
    st.floats(allow_nan=False, allow_infinity=False),
    st.dates(date(1900, 3, 1), date(9999, 12, 31)),
    st.datetimes(datetime(1900, 3, 1), datetime(9999, 12, 31)),
    st.times(),
    st.timedeltas(timedelta(0), timedelta(days=2)),
    texts,
)
columns = st.sampled_from(HEADER)


def some(column: str, **options: st.SearchStrategy) -> st.SearchStrategy:
    """A rule: its own column as it is or with one option, or any column with any of the options."""
    own = {"from": st.just(column)}
    one = [st.fixed_dictionaries({**own, name: option}) for name, option in options.items()]
    anything = st.fixed_dictionaries({"from": columns}, optional=options)
    return st.one_of(st.fixed_dictionaries(own), st.fixed_dictionaries(own), st.one_of(one), anything)


DECLARED = {
    "strip": st.lists(st.sampled_from([".0", "-", "VND", " "]), max_size=2),
    "missing": st.lists(st.sampled_from(["-", "NULL", "0", ""]), max_size=2),
    "upper": st.booleans(),
    "slug": st.booleans(),
    "prefix": st.just("c-"),
}
missing = DECLARED["missing"]
payment_keys, account_keys = some("id", **DECLARED), some("account", **DECLARED)
money = some(
    "amount",
    decimal=st.sampled_from([".", ","]),
    grouping=st.sampled_from(["", ".", ",", " ", "'"]),
    scale=st.sampled_from([1, 100, 1000]),
    round=st.booleans(),
    parentheses=st.booleans(),
    trailing_minus=st.booleans(),
    unicode_minus=st.booleans(),
    missing=missing,
    debit=columns,
    mark=st.fixed_dictionaries({"from": columns, "minus": st.just(["-", "a"]), "plus": st.just(["A", "12"])}),
)
days = some(
    "day",
    date=st.sampled_from(["%d/%m/%Y", "%Y%m%d", "%d/%m/%y", "%Y-%m", "excel", "%Q"]),
    edge=st.sampled_from(["start", "end"]),
    drop_time=st.booleans(),
    to_zone=st.sampled_from(["Asia/Ho_Chi_Minh", "UTC", "Mars/Base"]),
    missing=missing,
)
moments = some(
    "at",
    timestamp=st.sampled_from(["%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:%S.%f", "epoch_s", "epoch_ms", "excel"]),
    zone=st.sampled_from(["Asia/Ho_Chi_Minh", "Europe/Berlin", "UTC"]),
    time=columns,
    missing=missing,
)
rules = st.fixed_dictionaries(
    {
        "payment_key": payment_keys,
        "account_key": account_keys,
        "amount_minor": money,
        "value_date": days,
        "eligible": st.just({"value": "true"}),
    },
    optional={"posted_utc": moments},
)
shapes = st.just({}) | st.fixed_dictionaries(
    {},
    optional={
        "header_row": st.integers(1, 3),
        "footer": st.just(["Total", "Tổng"]),
        "decimal": st.sampled_from([".", ","]),
        "grouping": st.sampled_from(["", ".", ","]),
        "missing": missing,
    },
)
WIDTH = len(HEADER)


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[dict, list[list]]:
    """A format and the rows of a file of that format."""
    kind = draw(st.sampled_from(["csv", "excel"]))
    cells = typed if kind == "excel" else texts
    plausible = st.tuples(
        st.integers(1, 40).map(str), st.sampled_from(["a", "b"]), st.integers(-99, 999).map(str), st.sampled_from(DAYS[:2]), cells, cells
    ).map(list)
    odd = st.lists(cells, min_size=WIDTH, max_size=WIDTH)
    rows = draw(st.lists(st.one_of(plausible, plausible, odd), max_size=8))
    form = {"kind": kind, **draw(shapes)} | ({"sheet": "cash"} if kind == "excel" else {})
    return form, rows


def deliver(folder: Path, form: dict, rows: list[list]) -> str:
    """Write the rows below their header; the name of the file."""
    whole = [*[["A title"]] * (form.get("header_row", 1) - 1), HEADER, *rows]
    if form["kind"] == "excel":
        return saved(workbook(whole), folder / "cash.xlsx").name
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(whole)
    (folder / "cash.csv").write_text(text.getvalue(), encoding="utf-8")
    return "cash.csv"


def collect(folder: Path, mapping: dict) -> tuple[int, dict, str]:
    path = folder / "cash.yml"
    path.write_text(yaml.safe_dump(mapping, allow_unicode=True), encoding="utf-8")
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = cli._exit_code(["import", str(path), "--books", str(folder / "books"), "--now", NOW, "--json"])
    return code, json.loads(out.getvalue()), err.getvalue()


@settings(max_examples=120, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(delivery=deliveries(), rules=rules, loss=st.sampled_from([0, 1, 1]))
def test_any_mapping_on_any_cells_ends_as_the_command_says(
    tmp_path_factory: pytest.TempPathFactory, delivery: tuple[dict, list[list]], rules: dict, loss: float
) -> None:
    folder = Path(tmp_path_factory.mktemp("any"))
    form, rows = delivery
    code, told, err = collect(
        folder,
        {
            "source": "cash",
            "book": "shop",
            "currency": "VND",
            "location": {"variable": "ANY_DIR", "default": str(folder)},
            "files": deliver(folder, form, rows),
            "format": form,
            "allowed_loss": loss,
            "tables": {"payment": {"columns": rules}},
        },
    )
    assert "Traceback" not in err
    problems = [problem for error in told.get("errors", [told.get("error")]) for problem in error["problems"]]
    assert code in (0, 2, 3), problems
    assert bool(problems) == (code != 0)
    for load in (load for each in told.get("imports", []) for load in each["loads"]):
        assert load["rows_read"] <= len(rows)
        assert load["rows_read"] == load["rows_kept"] + load["rows_quarantined"]
        assert load["money_read_minor"] == load["money_kept_minor"] + load["money_quarantined_minor"]
