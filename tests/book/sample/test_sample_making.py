"""Making the shop: same seed same bytes, an old book is replaced whole, what cannot hold the plants is refused."""

import json
from datetime import date

import pytest
from collect_analysis.book.sample import make_sample
from collect_analysis.book.store import open_book, read_manifest
from collect_analysis.errors import ParameterError

AS_OF = date(2026, 6, 30)
SMALL = 2_000


def make(folder, *, seed: int = 5, now: str = "2026-07-01T00:00:00Z", **more):
    return make_sample(folder, accounts=SMALL, seed=seed, as_of=AS_OF, now=now, **more)


def hashes(manifest) -> dict[str, str]:
    return {load.table: load.content_hash for load in manifest.loads}


def test_the_same_seed_makes_the_same_bytes_whenever_it_is_made(tmp_path) -> None:
    first, second = make(tmp_path / "a" / "sample"), make(tmp_path / "b" / "sample", now="2027-01-01T00:00:00Z")
    assert hashes(first) == hashes(second)
    assert first.fingerprint == second.fingerprint
    assert (tmp_path / "a/sample/truth.json").read_bytes() == (tmp_path / "b/sample/truth.json").read_bytes()


def test_another_seed_replaces_the_book_and_leaves_nothing_of_the_old_one(tmp_path) -> None:
    folder = tmp_path / "sample"
    first = make(folder)
    (folder / "left_over").write_text("of an earlier version")
    second = make(folder, seed=6)
    assert read_manifest(folder) == second
    assert hashes(first)["contact"] != hashes(second)["contact"]
    assert [path.name for path in tmp_path.iterdir()] == ["sample"]
    assert not (folder / "left_over").exists()
    assert open_book("sample", as_of=AS_OF, folder=tmp_path).has("contact")


def test_every_plant_is_there_in_the_smallest_shop(tmp_path) -> None:
    make(tmp_path / "sample")
    truth = json.loads((tmp_path / "sample/truth.json").read_text())
    breaches = truth["breaches"]
    assert breaches["FREQ_DAY"]["debtor_days_split_across_units"] == 4
    assert [breaches[rule]["contacts"] for rule in ("HOURS", "RECALL", "PARTY")] == [4, 4, 4]
    assert min(min(found["accounts"].values()) for found in truth["experiments"].values()) > 20
    assert truth["payments"]["duplicates"] > 0
    assert truth["payments"]["reversals"] > 0
    assert truth["faults"]["late_feed"]["rows"] > 0
    assert truth["training"]["officers"]


def test_a_failure_while_making_leaves_the_old_book(tmp_path) -> None:
    folder = tmp_path / "sample"
    before = make(folder)

    def stop(what: str, share: float) -> None:
        if share > 0.2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(folder, seed=9, progress=stop)
    assert read_manifest(folder) == before
    assert [path.name for path in tmp_path.iterdir()] == ["sample"]


def test_progress_only_goes_forward_and_ends_at_one(tmp_path) -> None:
    seen: list[float] = []
    make(tmp_path / "sample", progress=lambda what, share: seen.append(share))
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"accounts": 1_999}, "1999 accounts are too few"),
        ({"months": 17}, "17 months are too few"),
        ({"as_of": date(2026, 6, 29)}, "not the last day of a month"),
        ({"as_of": date(2035, 6, 30)}, "the lunar calendar is known for"),
    ],
)
def test_what_cannot_hold_the_plants_is_refused_and_nothing_is_written(tmp_path, given, words: str) -> None:
    asked = {"accounts": 2_000, "seed": 1, "as_of": AS_OF, "now": "2026-07-01T00:00:00Z"} | given
    with pytest.raises(ParameterError, match=words):
        make_sample(tmp_path / "sample", **asked)
    assert not list(tmp_path.iterdir())


def test_all_problems_are_told_at_once(tmp_path) -> None:
    with pytest.raises(ParameterError) as refused:
        make_sample(tmp_path / "sample", accounts=10, seed=1, as_of=AS_OF, months=3, now="2026-07-01T00:00:00Z")
    assert len(refused.value.problems) == 2


@pytest.mark.parametrize(("as_of", "months"), [(date(2025, 12, 31), 24), (date(2026, 2, 28), 18), (date(2027, 1, 31), 30)])
def test_other_months_hold_the_plants_too(tmp_path, as_of: date, months: int) -> None:
    manifest = make_sample(tmp_path / "sample", accounts=SMALL, seed=3, as_of=as_of, months=months, now="2026-07-01T00:00:00Z")
    book = open_book("sample", as_of=as_of, folder=tmp_path)
    ends = book.frame(book.table("month_end").select("month_end").distinct().order_by("month_end"))
    assert len(ends) == months + 1
    assert ends["month_end"].iloc[-1] == as_of
    assert len(manifest.loads) > 20
