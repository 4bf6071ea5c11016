"""One odd file is that run's fault only, and it is named: in the list, in `collect list` and `collect show`, in the next `collect run`."""

import asyncio
import hashlib
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from collect_analysis import cli
from collect_analysis.book.durable import write_json
from collect_analysis.runs import run_index
from collect_analysis.runs.pages.listing import CHEAP_SECONDS, FEW_SLOTS, Listing
from collect_analysis.runs.publish import Slot, publish, read_run, seal
from collect_analysis.runs.run_files import DamagedRun, read_results
from collect_analysis.runs.run_index import Key, Published
from collect_analysis.runs.shelf import Shelf
from hypothesis import given, settings, strategies as st

from tests.runs.odd_files import OF_RESULTS, OF_RUN
from tests.small_project import KIND, RUN_ID_TIME, SLOT, SmallProject

GOOD, ODD = f"{RUN_ID_TIME}-aaaaaaaa", f"{RUN_ID_TIME}-bbbbbbbb"
Change = Callable[[bytes], bytes]
CASES = [
    *(pytest.param("run.json", change, id=f"run-{name}") for name, change in OF_RUN.items()),
    *(pytest.param("results.json", change, id=f"results-{name}") for name, change in OF_RESULTS.items()),
]


def odd_run(project: SmallProject, file: str, change: Change) -> Path:
    """Two reports of one run each; one file of the second holds something odd, sealed as if it had been published so."""
    project.published(GOOD)
    slot, folder = project.staged(ODD, name="other")
    slot = Slot(reports=slot.reports, report=KIND, name="other", slot=SLOT)
    write_json(folder / "results.json", {**json.loads((folder / "results.json").read_text()), "name": "other"})
    seal(folder, {**read_run(folder), "state": "complete", "finished": "2026-07-01T01:00:02+00:00", "seconds": 2.0})
    place, _ = publish(slot, folder)
    (place / file).write_bytes(change((place / file).read_bytes()))
    if file == "results.json":
        run = json.loads((place / "run.json").read_text())
        run["files"][file] = hashlib.sha256((place / file).read_bytes()).hexdigest()
        (place / "run.json").write_text(json.dumps(run))
    return place


def listed(reports: Path, lang: str = "en") -> str:
    listing = Listing(Shelf(reports), clock=lambda: datetime(2026, 7, 3, tzinfo=UTC), live=frozenset({"history"}))
    page: list[bytes] = []

    class Browser:
        request = type("request", (), {"headers": {}})
        finish, set_header = staticmethod(page.append), staticmethod(lambda *_: None)

    asyncio.run(listing.page(lang)).send(Browser())  # type: ignore[arg-type]
    return page[0].decode()


class _SlowShelf(Shelf):
    """A shelf on a machine so busy that no walk is short."""

    slots_walked = 1

    def listing(self) -> dict[Key, Published]:
        time.sleep(2 * CHEAP_SECONDS)
        return super().listing()

    @property
    def walked(self) -> int:
        return self.slots_walked


@pytest.mark.parametrize(("slots", "looks"), [(1, 3), (FEW_SLOTS, 3), (FEW_SLOTS + 1, 1)])
def test_e1_a_small_folder_is_looked_through_at_every_view_on_a_busy_machine_too(
    project: SmallProject, monkeypatch: pytest.MonkeyPatch, slots: int, looks: int
) -> None:
    project.published(GOOD)
    monkeypatch.setattr(_SlowShelf, "slots_walked", slots)
    shelf = _SlowShelf(project.reports)
    walks: list[int] = []
    monkeypatch.setattr(run_index, "walk", lambda *given, walk=run_index.walk: walks.append(1) or walk(*given))
    listing = Listing(shelf, clock=lambda: datetime(2026, 7, 3, tzinfo=UTC), live=frozenset())

    async def three_views() -> None:
        for _ in range(3):
            await listing.page("en")

    asyncio.run(three_views())
    assert len(walks) == looks


@pytest.fixture
def project(tmp_path: Path) -> SmallProject:
    made = SmallProject(tmp_path)
    made.write_report()
    return made


@pytest.mark.parametrize(("file", "change"), CASES)
def test_e1_an_odd_file_is_its_own_reports_fault_and_named(project: SmallProject, file: str, change: Change) -> None:
    odd_run(project, file, change)
    text = listed(project.reports)
    assert f'href="/report/{KIND}/shop/{SLOT}/"' in text
    assert f'href="/report/{KIND}/other/{SLOT}/"' not in text
    assert f"Not shown: {file} is not what was published." in text
    shelf = Shelf(project.reports)
    assert shelf.find(KIND, "shop", SLOT) is not None
    with pytest.raises(DamagedRun):
        shelf.find(KIND, "other", SLOT)
    assert [run.name for run in shelf.slots(KIND, "shop")] == ["shop"]
    assert shelf.slots(KIND, "other") == []


@pytest.mark.parametrize(("file", "change"), CASES)
def test_e1_list_and_show_name_it_and_end_without_a_traceback(
    project: SmallProject, file: str, change: Change, capsys: pytest.CaptureFixture[str]
) -> None:
    place = odd_run(project, file, change)

    def collect(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            cli.main([*arguments, "--reports", str(project.reports)])
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    code, out, err = collect("list")
    assert (code, out.count("complete")) == (0, 2 if file == "results.json" else 1)
    assert (f"damaged {KIND}/other/{SLOT}/{ODD}: run.json " in err) is (file == "run.json")
    assert json.loads(collect("list", "--json")[1])["runs"][0]["name"] == "other"
    for arguments in (("show", ODD), ("show", f"{KIND}/other", "--json"), ("compare", ODD, GOOD), ("compare", GOOD, ODD)):
        code, _, err = collect(*arguments)
        assert (code, "Traceback" in err) == (1, False)
        assert f"error: {place / file}: " in err
    assert collect("show", GOOD)[0] == 0


def test_e1_the_next_run_takes_the_place_of_a_damaged_one_and_tidies_what_is_odd_in_staging(project: SmallProject) -> None:
    project.published(ODD)
    run = (project.current() / "run.json").read_bytes()
    # Compared as text, this day lies after every other.
    (project.current() / "run.json").write_bytes(OF_RUN["as-of-word"](run))
    for number, change in enumerate(OF_RUN.values()):
        folder = project.reports / ".staging" / f"20260701T020000Z-{number:08x}"
        folder.mkdir(parents=True)
        (folder / "run.json").write_bytes(change(run))
    (outcome,) = project.run()
    assert outcome.state == "complete"
    assert project.current().resolve() == outcome.folder
    assert "Not shown" not in listed(project.reports)
    assert not list((project.reports / ".staging").glob("2*"))


def test_c5_a_results_file_changed_after_sealing_is_not_told(project: SmallProject) -> None:
    place = project.published(GOOD)
    results = place / "results.json"
    results.write_bytes(results.read_bytes().replace(b"Keep it.", b"Drop it."))
    with pytest.raises(DamagedRun, match="was changed after it was published"):
        read_results(place, read_run(place))
    assert "Drop it." not in listed(project.reports)


def test_an_unreadable_or_missing_file_is_damage_too(project: SmallProject) -> None:
    place = odd_run(project, "run.json", lambda raw: raw)
    assert "Not shown" not in listed(project.reports)
    (place / "results.json").unlink()
    assert "Not shown: results.json" in listed(project.reports)
    (place / "results.json").mkdir()
    assert "Not shown: results.json" in listed(project.reports)
    (place / "run.json").unlink()
    assert "Not shown: run.json" in listed(project.reports)
    assert ">shop" in listed(project.reports)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60)
@given(st.data())
def test_e1_whatever_stands_in_place_of_a_value_is_told_and_not_raised(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    project = SmallProject(tmp_path_factory.mktemp("odd"))
    place = project.published(GOOD)
    file = data.draw(st.sampled_from(["run.json", "results.json"]))
    body = json.loads((place / file).read_text())
    where = body
    while True:
        key = data.draw(st.sampled_from(sorted(where)) if isinstance(where, dict) else st.integers(0, len(where) - 1))
        if not (where[key] and isinstance(where[key], dict | list) and data.draw(st.booleans())):
            break
        where = where[key]
    where[key] = data.draw(anything)
    (place / file).write_text(json.dumps(body))
    if file == "results.json":
        run = json.loads((place / "run.json").read_text())
        run["files"][file] = hashlib.sha256((place / file).read_bytes()).hexdigest()
        (place / "run.json").write_text(json.dumps(run))
    found = run_index.walk(project.reports, {})
    assert list(found) in ([], [(KIND, "shop", SLOT)])
    for lang in ("en", "vi"):
        listed(project.reports, lang)
