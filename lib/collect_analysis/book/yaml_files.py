"""The one reader of YAML files: one document, no surprises, every refusal with its line."""

import codecs
import math
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from collect_analysis.errors import ParameterError

MAX_BYTES = 64 * 1024
MAX_DEPTH = 20
MAX_DIGITS = 18  # more do not fit 64 bits; such a number is an id and belongs in quotes

# Path of a value in the document -> the line it starts on.
Lines = dict[tuple[str | int, ...], int]

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"-?(?:0|[1-9][0-9]*)\.[0-9]+(?:[eE][-+]?[0-9]+)?")
_AMBIGUOUS = (
    (re.compile(r"[-+]?0[0-9_]+"), "a number with a leading zero"),
    (re.compile(r"\+[0-9][0-9_.]*"), "a number with a plus sign"),
    (re.compile(r"[-+]?[0-9]+(?::[0-9]{1,2})+(?:\.[0-9]*)?"), "a time of day or a number to base 60"),
    (re.compile(r"[-+]?[0-9][0-9_]*_[0-9_]*(?:\.[0-9_]*)?"), "a number with underscores"),
    (re.compile(r"[-+]?0[xXoObB][0-9a-fA-F_]+"), "a number to another base"),
    (re.compile(r"[-+]?(?:[0-9]+\.?|\.[0-9]+|[0-9]+(?:\.[0-9]*)?[eE][-+]?[0-9]+|[0-9]+\.[0-9]+)"), "a number in an unusual spelling"),
    (re.compile(r"[-+]?\.?(?:nan|inf(?:inity)?)", re.IGNORECASE), "no finite number"),
    (re.compile(r"true|false", re.IGNORECASE), "a truth value in capitals; write true or false"),
)
_FIRST_BYTES = ((codecs.BOM_UTF16_LE, "UTF-16"), (codecs.BOM_UTF16_BE, "UTF-16"))


def read_yaml(path: Path, *, limit: int = MAX_BYTES) -> dict[str, Any]:
    """What a YAML file says, as JSON types; dates, times and anything else that could be read in two ways stay text.

    Keys are text as written. Plain `true` and `false` are flags, plain decimal integers and floats with digits on both sides of the dot are
    numbers, an empty value, `~` and `null` are None. `0012`, `12:30`, `1_000`, `0x10`, `1e5`, `.nan` are refused: quote them. `yes`, `no`,
    `on`, `off` are words.

    Raises
    ------
    ParameterError
        No such file, larger than `limit` bytes, not UTF-8 (a byte-order mark and CRLF are accepted), tabs, more than one document, an
        anchor, alias or tag, a key given twice, an ambiguous scalar, or no mapping at the top. Sentences name file and line.
    """
    return read_yaml_lines(path, limit=limit)[0]


def read_yaml_lines(path: Path, *, limit: int = MAX_BYTES) -> tuple[dict[str, Any], Lines]:
    """What a YAML file says, and on which line each value stands; as `read_yaml`."""
    text = _text(path, limit)
    builder = _Builder(path)
    try:
        value = builder.document(iter(yaml.parse(text, Loader=yaml.SafeLoader)))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}, line {mark.line + 1}" if mark else str(path)
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "not readable"
        raise ParameterError(f"{where}: not valid YAML: {problem}; check indentation, colons and quotes there") from None
    if builder.problems:
        raise ParameterError(builder.problems)
    if not isinstance(value, dict) or not value:
        raise ParameterError(f"{path}: holds no `key: value` lines at the top; write at least one")
    return value, builder.lines


def _text(path: Path, limit: int) -> str:
    try:
        status = path.stat()
    except OSError as error:
        raise ParameterError(f"{path}: cannot be read ({error.strerror}); check the name and the rights") from None
    if not stat.S_ISREG(status.st_mode):
        raise ParameterError(f"{path}: is not a regular file; name a .yml file")
    if status.st_size > limit:
        raise ParameterError(f"{path}: has {status.st_size:,} bytes, more than the {limit:,} allowed; a parameter file is short, split it")
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ParameterError(f"{path}: cannot be read ({error.strerror}); check the rights") from None
    for start, name in _FIRST_BYTES:
        if raw.startswith(start):
            raise ParameterError(f"{path}: is {name}; save it as UTF-8")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ParameterError(f"{path}, line {line}: byte 0x{raw[error.start]:02X} is not UTF-8; save the file as UTF-8") from None
    if "\0" in text:
        raise ParameterError(f"{path}, line {text.count(chr(10), 0, text.index(chr(0))) + 1}: holds a NUL; save the file as UTF-8 text")
    if "\t" in text:
        line = text.count("\n", 0, text.index("\t")) + 1
        raise ParameterError(f'{path}, line {line}: holds a tab; indent with spaces, and write a tab in a value as "\\t" in double quotes')
    return text


class _Builder:
    """Builds plain values from parser events, collecting problems and the line of every value."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problems: list[str] = []
        self.lines: Lines = {}

    def document(self, events: Iterator[yaml.Event]) -> Any:
        """The value of the only document."""
        value: Any = None
        documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._problem(event, "a second document starts here; keep one document per file")
                    break
            elif isinstance(event, yaml.NodeEvent):
                value = self._value(event, events, ())
        return value

    def _value(self, event: yaml.Event, events: Iterator[yaml.Event], path: tuple[str | int, ...]) -> Any:
        self.lines[path] = _line(event)
        if len(path) > MAX_DEPTH:
            raise ParameterError(f"{self._at(event)}: nested deeper than {MAX_DEPTH} levels; flatten it")
        anchor, tag = getattr(event, "anchor", None), getattr(event, "tag", None)
        if isinstance(event, yaml.AliasEvent):
            return self._problem(event, f"alias *{anchor}; write the value out again")
        if anchor is not None:
            self._problem(event, f"anchor &{anchor}; anchors and aliases are not used here, write the value out")
        if tag is not None:
            self._problem(event, f"tag {tag}; tags are not used here, remove it")
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(events, path)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(events, path)
        return self._scalar(event) if isinstance(event, yaml.ScalarEvent) else None

    def _mapping(self, events: Iterator[yaml.Event], path: tuple[str | int, ...]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        first: dict[str, int] = {}
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            line = _line(event)
            key = event.value if isinstance(event, yaml.ScalarEvent) and not event.anchor and not event.tag else ""
            if key == "":
                raise ParameterError(f"{self._at(event)}: a key must be one plain word; write `key: value`")
            if key in found:
                self._problem(event, f"key '{key}' stands on line {first[key]} already; keep one of the two")
            found[key] = self._value(next(events), events, (*path, key))
            first.setdefault(key, line)
            self.lines[(*path, key)] = line
        return found

    def _sequence(self, events: Iterator[yaml.Event], path: tuple[str | int, ...]) -> list[Any]:
        found: list[Any] = []
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            found.append(self._value(event, events, (*path, len(found))))
        return found

    def _scalar(self, event: yaml.ScalarEvent) -> Any:
        word = event.value
        if event.style is not None:
            return word
        if word in ("", "~", "null"):
            return None
        if word in ("true", "false"):
            return word == "true"
        if _INTEGER.fullmatch(word):
            if len(word.lstrip("-")) > MAX_DIGITS:
                return self._problem(event, f'{word} has more than {MAX_DIGITS} digits; quote it: "{word}"')
            return int(word)
        if _FLOAT.fullmatch(word) and math.isfinite(float(word)):
            return float(word)
        for pattern, meaning in _AMBIGUOUS:
            if pattern.fullmatch(word):
                return self._problem(event, f'{word} could be {meaning}; quote it: "{word}"')
        return word

    def _at(self, event: yaml.Event) -> str:
        return f"{self.path}, line {_line(event)}"

    def _problem(self, event: yaml.Event, sentence: str) -> None:
        self.problems.append(f"{self._at(event)}: {sentence}")


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 0
