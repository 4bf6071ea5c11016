"""A changed meaning is announced: the hash of every definition as last released stands in a file, and a change must be in the changelog."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from collect_analysis.measures.kpis import KPIS
from collect_analysis.measures.kpis.record import Kpi
from collect_analysis.measures.periods import KpiWindows

from tests.conftest import PROJECT

RELEASED = json.loads((Path(__file__).parent / "kpi_definitions.json").read_text(encoding="utf-8"))


def announced(changelog: str) -> str:
    """What the changelog says under "Numbers that change", of all releases."""
    return "\n".join(re.findall(r"### Numbers that change\n(.*?)(?=\n##|\Z)", changelog, flags=re.DOTALL))


def unannounced(records: Mapping[str, Kpi], released: Mapping[str, str], changelog: str) -> list[str]:
    """Definitions that differ from those released and that the changelog does not name by their new hash."""
    told = announced(changelog)
    now = {name: kpi.definition(KpiWindows()) for name, kpi in records.items()}
    return [meaning for name, meaning in now.items() if meaning != released.get(name) and meaning not in told]


def test_every_kpi_is_in_the_file_of_released_definitions() -> None:
    assert set(RELEASED) == set(KPIS)


def test_a_changed_definition_is_named_under_numbers_that_change() -> None:
    changelog = (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8")
    # Add a line such as: C8: a promise is kept at 80 % instead of 90 % (C8@1f0c9a2b).
    assert unannounced(KPIS, RELEASED, changelog) == []


def test_a_change_that_nobody_announced_is_found() -> None:
    changed = replace(KPIS["C8"], formula=("promises kept / promises made", "số lời hứa được giữ / số lời hứa"))
    meaning = changed.definition(KpiWindows())
    assert meaning != RELEASED["C8"]
    assert unannounced({"C8": changed}, RELEASED, "## 0.2\n\n### Added\n- C8\n") == [meaning]
    assert unannounced({"C8": changed}, RELEASED, f"## 0.2\n\n### Numbers that change\n- C8 counts promises made ({meaning}).\n") == []


def test_wording_and_translation_are_no_change() -> None:
    kpi = KPIS["C8"]
    reworded = replace(kpi, names=("Kept", "Giữ lời"), formula=(kpi.formula[0], "khác"), pitfalls=())
    assert reworded.definition(KpiWindows()) == kpi.definition(KpiWindows())
