"""Every word that a page needs is in the catalogue, found from what declares it: parameters, notebooks, recorded names."""

import json
import re
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

import pytest
from collect_analysis.report import texts
from collect_analysis.report.kinds import KINDS
from pydantic import BaseModel

from tests.conftest import PROJECT

GRADES = set("ABCD")


def models(kind: object, seen: set[object]) -> Iterator[type[BaseModel]]:
    """A parameter object and every object within it."""
    for part in [kind, *get_args(kind)]:
        if isinstance(part, type) and issubclass(part, BaseModel) and part not in seen:
            seen.add(part)
            yield part
            for field in part.model_fields.values():
                yield from models(field.annotation, seen)
        elif part is not kind and get_args(part):
            yield from models(part, seen)


def choices(kind: object) -> Iterator[str]:
    """The words that a field of a report file may hold."""
    if get_origin(kind) is Literal:
        yield from (item for item in get_args(kind) if isinstance(item, str) and item)
    else:
        for part in get_args(kind):
            yield from choices(part)


def fields(kind: str) -> list[tuple[str, Any]]:
    return [(name, field) for model in models(KINDS[kind], set()) for name, field in model.model_fields.items()]


def recorded(kind: str, method: str) -> list[str]:
    """The names under which a notebook records."""
    cells = json.loads((PROJECT / "notebooks" / f"{kind}.ipynb").read_text(encoding="utf-8"))["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    return re.findall(rf'record\.{method}\(\s*"(\w+)"', code)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lang", texts.LANGUAGES)
def test_every_parameter_and_each_of_its_choices_has_a_word(kind: str, lang: str) -> None:
    assert fields(kind)
    for name, field in fields(kind):
        assert texts.own(f"parameter_{kind}", name, lang) or texts.label(name, lang)
        for choice in set(choices(field.annotation)) - GRADES:
            assert name == "report" or texts.own(name, choice, lang) or texts.own(f"code_{kind}", choice, lang), f"{name}: {choice}"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lang", texts.LANGUAGES)
def test_every_recorded_table_and_measure_has_a_name(kind: str, lang: str) -> None:
    assert recorded(kind, "table")
    assert all(texts.own(f"table_{kind}", name, lang) or texts.label(name, lang) for name in recorded(kind, "table"))
    assert all(texts.label(name, lang) for name in recorded(kind, "measures?"))
