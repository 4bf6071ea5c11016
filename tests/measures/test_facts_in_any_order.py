"""Whoever asks first, and whoever shares: a relation of a period says the same to the last byte, as if it were asked for alone."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from collect_analysis.book.kept import Kept
from collect_analysis.book.places import SHARED
from collect_analysis.book.sample import make_sample
from collect_analysis.book.shelf import content_hash
from collect_analysis.book.store import Book, open_book
from collect_analysis.measures.bases import BASES, RELATIONS
from collect_analysis.measures.conduct import LegalLimits
from collect_analysis.measures.kpi_table import Facts, compared, kpi_table
from collect_analysis.measures.periods import KpiWindows, Period
from hypothesis import given, settings, strategies as st

from tests.bench.kpi_period_scale import limits

AS_OF = date(2026, 6, 30)
ACCOUNTS = 2_000
# A directory is two relations, which are asked for by themselves.
NAMES = sorted(set(RELATIONS) - {"directory"})


@dataclass(frozen=True)
class Asked:
    """What somebody asks of: a period, with windows and limits, himself or as the period before another."""

    period: Period
    windows: KpiWindows
    limits: tuple[LegalLimits, ...]
    as_previous: bool = False

    def of(self, book: Book, kept: Kept | None = None) -> Facts:
        """The facts, in a place of their own or in a given one."""
        if not self.as_previous:
            return Facts(book, self.period, windows=self.windows, limits=self.limits, kept_in=kept)
        after = next(later for later in PERIODS if later.previous == self.period)
        return Facts(book, after, windows=self.windows, limits=self.limits, kept_in=kept).previous


JUNE, MAY, APRIL = (
    Period(date(2026, month, 1), date(2026, month, day)) for month, day in ((6, 30), (5, 31), (4, 30))
)  # fmt: skip
QUARTER = Period(date(2026, 4, 1), AS_OF)
PERIODS = (JUNE, MAY, APRIL, QUARTER, QUARTER.previous)
WINDOWS = (
    KpiWindows(),
    KpiWindows(attribution_days=3, grace_days=10, kept_threshold=0.5, attempt_channels=("call",), liquidation_months=1, new_money_days=60),
)
LIMITS = ((limits(),), (replace(limits(), most_per_day=1),))
asked = st.one_of(
    st.builds(Asked, st.sampled_from(PERIODS), st.sampled_from(WINDOWS), st.sampled_from(LIMITS)),
    st.builds(Asked, st.sampled_from([MAY, APRIL, QUARTER.previous]), st.sampled_from(WINDOWS), st.sampled_from(LIMITS), st.just(True)),
)
questions = st.lists(st.tuples(asked, st.sampled_from(NAMES)), min_size=2, max_size=10)


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("books")
    make_sample(folder / "sample", accounts=ACCOUNTS, seed=1, as_of=AS_OF, now="2026-07-01T00:00:00Z")
    return folder


@pytest.fixture(scope="module")
def book(books: Path) -> Iterator[Book]:
    opened = open_book("sample", as_of=AS_OF, folder=books)
    yield opened
    opened._engine.close()


def hashed(book: Book, facts: Facts, name: str) -> str:
    """Every row of a relation, to the last byte; rows have no order."""
    batches = list(book.batches(facts[name]))
    if not batches:
        return "no rows"
    rows = pa.Table.from_batches(batches)
    return content_hash(rows.sort_by([(column, "ascending") for column in rows.column_names]))


class Alone:
    """What each relation says to somebody who asks for nothing else."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.said: dict[tuple[str, str], str] = {}

    def __call__(self, question: Asked, name: str) -> str:
        key = (repr(replace(question, as_previous=False)), name)
        if key not in self.said:
            facts = replace(question, as_previous=False).of(self.book)
            self.said[key] = hashed(self.book, facts, name)
            facts.close()
        return self.said[key]


@pytest.fixture(scope="module")
def alone(book: Book) -> Alone:
    return Alone(book)


ORDERS = {
    "the period first": lambda now, before: [(facts, name) for facts in (now, before) for name in NAMES],
    "the period before first": lambda now, before: [(facts, name) for facts in (before, now) for name in NAMES],
    "backwards": lambda now, before: [(facts, name) for facts in (before, now) for name in reversed(NAMES)],
    "by turns": lambda now, before: [(facts, name) for name in NAMES for facts in (before, now)],
}


@pytest.mark.parametrize("order", ORDERS)
def test_every_relation_says_the_same_whoever_asks_first(book: Book, alone: Alone, order: str) -> None:
    now = Asked(JUNE, WINDOWS[0], LIMITS[0]).of(book)
    said = {(facts.period, name): hashed(book, facts, name) for facts, name in ORDERS[order](now, now.previous)}
    now.close()
    assert len(said) == 2 * len(NAMES)
    assert [key for key, value in said.items() if value != alone(Asked(key[0], WINDOWS[0], LIMITS[0]), key[1])] == []


@settings(max_examples=12)
@given(asks=questions)
def test_any_order_of_asking_says_the_same(book: Book, alone: Alone, asks: list[tuple[Asked, str]]) -> None:
    together = Kept(book)
    for question, name in asks:
        assert hashed(book, question.of(book, together), name) == alone(question, name), (question, name)
    together.close()


def test_the_questions_have_different_answers(alone: Alone) -> None:
    """If all of them said the same, the tests above would prove nothing."""
    plain = Asked(JUNE, WINDOWS[0], LIMITS[0])
    alike = {name: alone(plain, name) for name in BASES if alone(plain, name) == alone(replace(plain, period=MAY), name)}
    assert set(alike.values()) <= {"no rows"}
    assert len(alike) < len(BASES) / 5
    assert alone(plain, "attributed") != alone(replace(plain, windows=WINDOWS[1]), "attributed")
    assert alone(plain, "breaches") != alone(replace(plain, limits=LIMITS[1]), "breaches")


def test_the_period_before_the_one_before_is_a_period_too(book: Book) -> None:
    back = Facts(book, JUNE).previous.previous
    assert back.period == APRIL
    pd.testing.assert_frame_equal(kpi_table(back, ids=("C12", "F1", "R1")), kpi_table(Facts(book, APRIL), ids=("C12", "F1", "R1")))


# One run of a batch: the questions in the order given, each table of KPIs kept in `out`.
RUN = """
import sys
from pathlib import Path
from tests.measures.test_facts_in_any_order import batch_tables
batch_tables(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3].split(","))
"""
REPORTS = {
    "june": (AS_OF, Asked(JUNE, WINDOWS[0], LIMITS[0])),
    "may as known then": (MAY.end, Asked(MAY, WINDOWS[0], LIMITS[0])),
    "june by other windows": (AS_OF, Asked(JUNE, WINDOWS[1], LIMITS[0])),
    "june under another law": (AS_OF, Asked(JUNE, WINDOWS[0], LIMITS[1])),
}


def batch_tables(books: Path, out: Path, order: list[str]) -> None:
    """The KPI tables of these reports, of one KPI on each of the relations that lean on most, one Parquet file each."""
    for name in order:
        as_of, question = REPORTS[name]
        facts = question.of(open_book("sample", as_of=as_of, folder=books))
        ids = ("F1", "F11", "R1", "R2", "C1", "C4", "C8", "C12", "Q1")
        compared(facts, grains=("company", "portfolio", "sub_function", "unit", "officer"), ids=ids).to_parquet(out / f"{name}.parquet")
        facts.close()


def test_two_processes_that_share_say_what_each_says_alone(books: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outs = [tmp_path / name for name in ("alone", "forwards", "backwards", "again")]
    for out in outs:
        out.mkdir()
    batch_tables(books, outs[0], list(REPORTS))
    monkeypatch.setenv(SHARED, str(tmp_path / "batch"))
    orders = [list(REPORTS), list(reversed(REPORTS))]
    running = [
        subprocess.Popen([sys.executable, "-c", RUN, str(books), str(out), ",".join(order)])
        for out, order in zip(outs[1:3], orders, strict=True)
    ]
    assert [process.wait(timeout=600) for process in running] == [0, 0]
    # Another finds all of it there.
    batch_tables(books, outs[3], orders[1])
    for name in REPORTS:
        bytes_of = {out.name: (out / f"{name}.parquet").read_bytes() for out in outs}
        assert len(set(bytes_of.values())) == 1, name
