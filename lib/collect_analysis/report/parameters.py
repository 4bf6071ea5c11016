"""What a report is run with: one frozen, typed object, validated before a kernel starts and again inside the notebook."""

import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import PydanticCustomError

from collect_analysis.errors import ParameterError, nearest, shape_wanted

MOST_ITEMS = 1000
SHOWN = 80
SECRET = re.compile(
    r"(?i)(passw(or)?d|pwd|token|secret|api[_-]?key)\s*[=:]\s*\S|\w+://[^/\s:@]+:[^@\s]+@|-----BEGIN |\b(ghp_|glpat-|AKIA)\w{12}"
)
ISO_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
PATH_PART = re.compile(r"[a-z0-9](?:[a-z0-9_-]|\.(?!\.)){0,126}")
Statement = Literal["count", "forecast", "claim"]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]


def _iso_date(value: object) -> object:
    if isinstance(value, str) and ISO_DAY.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            return value
    return value


# A calendar day; in files and notebooks an ISO string (2026-06-30), inside a `date`.
Day = Annotated[date, BeforeValidator(_iso_date)]


def _texts(value: object) -> Iterator[str]:
    """Every text in a value, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from (text for pair in value.items() for item in pair for text in _texts(item))
    elif isinstance(value, list):
        yield from (text for item in value for text in _texts(item))


class ReportParameters(BaseModel):
    """What every report kind has. A kind subclasses this in `<subject>/<kind>/parameters.py` and adds its own fields."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)
    kind: ClassVar[str] = ""
    # What its decision rests on: on a count, on a forecast, or on a comparison of some with others, which alone is graded A to D.
    statement: ClassVar[Statement] = "claim"
    # The policies that it reads whatever its book holds.
    policies: ClassVar[tuple[str, ...]] = ()
    # Days that must have passed when a run starts; a kind about a period to come names fewer.
    must_have_passed: ClassVar[tuple[str, ...]] = ("as_of", "period_end")

    name: Slug
    book: Slug
    as_of: Day
    lang: Literal["en", "vi"] = "en"
    audience: Literal["managers", "team_leads"] = "managers"
    min_cell: Annotated[int, Field(ge=3, le=1000)] = 10
    seed: Annotated[int, Field(ge=0)] = 1

    @property
    def report(self) -> str:
        """The report kind: stem of its notebook."""
        return self.kind

    @property
    def slot(self) -> str:
        """What the run is about; runs of one slot replace each other. A kind with a period overrides it."""
        return self.as_of.isoformat()

    def as_json(self) -> dict[str, Any]:
        """The parameters as JSON types, ISO dates: what papermill injects and `results.json` records."""
        return self.model_dump(mode="json")

    @classmethod
    def money_among(cls, parameters: Mapping[str, Any]) -> frozenset[str]:
        """Which of these parameters are money in minor units although their name does not end in `_minor`."""
        return frozenset()

    @field_validator("*", mode="after")
    @classmethod
    def _plain_content(cls, value: Any) -> Any:
        if isinstance(value, (list, dict)) and len(value) > MOST_ITEMS:
            raise ValueError(f"holds {len(value)} items; at most {MOST_ITEMS}")
        if isinstance(value, list) and len(value) != len({repr(item) for item in value}):
            raise ValueError("names the same item twice")
        for text in _texts(value):
            if not all(character.isprintable() or character == "\n" for character in text):
                raise ValueError("holds a control character; write plain text")
            if SECRET.search(text):
                raise PydanticCustomError("secret", "looks like a password or a key")
        return value

    @model_validator(mode="after")
    def _period_in_order(self) -> Self:
        start, end = getattr(self, "period_start", None), getattr(self, "period_end", None)
        if start and end and start > end:
            raise ValueError(f"period_start {start} is after period_end {end}; swap them")
        return self


def validate(model: type[ReportParameters], values: Mapping[str, Any], *, where: str) -> ReportParameters:
    """Build the parameters of a report kind or refuse with every problem at once.

    Raises
    ------
    ParameterError
        Unknown key (with the nearest known one), missing key, wrong type or value; each sentence starts with `where`.
    """
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        raise ParameterError([_sentence(model, problem, where) for problem in error.errors()]) from None


def _sentence(model: type[ReportParameters], problem: Any, where: str) -> str:
    key = ".".join(str(part) for part in problem["loc"])
    message = shape_wanted(problem["type"], problem["msg"])
    if not key:
        return f"{where}: {message}"
    shown = repr(problem["input"])
    shown = shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}..."
    match problem["type"]:
        case "extra_forbidden":
            return f"{where}: unknown parameter '{key}'; {nearest(key, sorted(model.model_fields))}"
        case "missing":
            return f"{where}: parameter '{key}' is missing; add it"
        case "secret":
            return f"{where}: {key} {message}; keep it in an environment variable, a report file is no place for it"
        case "string_pattern_mismatch":
            return f"{where}: {key} is {shown}; write lower-case letters, digits, '-' and '_' (at most 63, no space or path)"
        case kind if kind.startswith("date"):
            return f"{where}: {key} is {shown}; write a day as 2026-06-30"
    return f"{where}: {key} is {shown}: {message}"
