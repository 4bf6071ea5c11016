"""Mapping files: read, typed and checked against the canonical tables before any data are read."""

import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from collect_analysis.book.source_format import (
    ColumnRule,
    Control,
    Covariate,
    CsvFormat,
    Dose,
    ExcelFormat,
    FiscalQuarter,
    Location,
    Outcome,
    ParquetFormat,
    PivotBlock,
    PostgresFormat,
    Source,
    TableMapping,
    Unpivot,
)
from collect_analysis.book.source_rules import rule_problems
from collect_analysis.book.yaml_files import Lines, read_yaml_lines
from collect_analysis.errors import ParameterError, nearest, shape_wanted

__all__ = ["ColumnRule", "Source", "TableMapping", "read_source"]

_FORMATS: dict[str, type[BaseModel]] = {"csv": CsvFormat, "excel": ExcelFormat, "parquet": ParquetFormat, "postgres": PostgresFormat}
_GROUPS: dict[str, type[BaseModel]] = {"columns": ColumnRule, "outcomes": Outcome, "covariates": Covariate, "doses": Dose}
_PARTS: dict[str, type[BaseModel]] = {"location": Location, "control": Control}


def read_source(path: Path) -> Source:
    """The mapping file at `path`, typed and checked against the canonical tables.

    Raises
    ------
    ParameterError
        Unreadable file, unknown key (with the nearest known one), missing key, wrong type; an unknown table or column, a required column
        without a rule, a rule that cannot be followed. All problems at once, each with its line.
    """
    content, lines = _composed(read_yaml_lines(path))
    try:
        source = Source(**content)
    except ValidationError as error:
        raise ParameterError([_sentence(path, lines, problem) for problem in error.errors()]) from None
    problems = [located(path, lines, place, text) for place, text in _whole_problems(path, source)]
    problems += [located(path, lines, place, text) for place, text in rule_problems(source)]
    if problems:
        raise ParameterError(problems)
    return source


def _composed(value: Any) -> Any:
    """A value of the file with composed letters (NFC), as the data are read; some systems write accents apart from their letters."""
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value)
    if isinstance(value, dict):
        return {_composed(key): _composed(item) for key, item in value.items()}
    return type(value)(_composed(item) for item in value) if isinstance(value, list | tuple) else value


def located(path: Path, lines: Lines, place: tuple[str | int, ...], text: str) -> str:
    """A sentence that starts with the file, the line and the key it is about."""
    known = place
    while known and known not in lines:
        known = known[:-1]
    key = ".".join(str(part) for part in place)
    return f"{path}, line {lines.get(known, 1)}: {key}: {text}"


def _whole_problems(path: Path, source: Source) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if source.source != path.stem:
        yield ("source",), f"is '{source.source}' and the file is {path.name}; the two must agree"
    if source.format.kind == "postgres":
        if source.files is not None or source.location is not None:
            yield ("files",), "a postgres source has neither files nor location; remove them"
        return
    for name in ("location", "files"):
        if getattr(source, name) is None:
            yield (name,), "is missing; add it"
    parts = Path(source.files or "").parts
    if source.files is not None and (not parts or Path(source.files).is_absolute() or ".." in parts):
        yield ("files",), f"is '{source.files}'; name a file or pattern below the location, without '..' and not absolute"


def _sentence(path: Path, lines: Lines, problem: Any) -> str:
    place, model = _place(problem["loc"])
    kind = problem["type"]
    if kind == "extra_forbidden":
        return located(path, lines, place, f"unknown key; {nearest(str(place[-1]), _known_keys(model))}")
    if kind == "missing":
        return located(path, lines, place, "is missing; add it")
    if kind.startswith("union_tag"):
        return located(path, lines, (*place, "kind"), "must be one of csv, excel, parquet, postgres")
    given = repr(problem["input"])
    # What may be a connection text with its password is not repeated on a screen or in a log.
    shown = "a connection text" if "://" in given or "password" in given.lower() else given
    return located(path, lines, place, f"is {shown}; {shape_wanted(kind, problem['msg'], problem.get('ctx', {}).get('pattern', ''))}")


def _place(loc: tuple[str | int, ...]) -> tuple[tuple[str | int, ...], type[BaseModel]]:
    """The keys of the file that lead to a problem (the format's kind, which pydantic inserts, left out) and the model that judged it."""
    if len(loc) > 1 and loc[0] == "format" and loc[1] in _FORMATS:
        return (loc[0], *loc[2:]), _FORMATS[str(loc[1])]
    if len(loc) == 1:
        return loc, Source
    if loc[0] != "tables":
        return loc, _PARTS.get(str(loc[0]), Source)
    if len(loc) <= 3:
        return loc, TableMapping
    if loc[2] == "unpivot":
        return loc, PivotBlock if "blocks" in loc[:-1] else Unpivot
    return loc, FiscalQuarter if "fiscal_quarter" in loc[:-1] else _GROUPS.get(str(loc[2]), TableMapping)


def _known_keys(model: type[BaseModel]) -> list[str]:
    return sorted(field.alias or name for name, field in model.model_fields.items())
