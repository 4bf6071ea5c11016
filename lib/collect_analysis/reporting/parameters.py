"""What a report is run with: one frozen, typed object, validated before a kernel starts and again inside the notebook."""

import difflib
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from collect_analysis.errors import ParameterError

Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]


def _iso_date(value: object) -> object:
    if isinstance(value, str) and len(value) == 10:
        try:
            return date.fromisoformat(value)
        except ValueError:
            return value
    return value


# A calendar day; in files and notebooks an ISO string (2026-06-30), inside a `date`.
Day = Annotated[date, BeforeValidator(_iso_date)]


class ReportParameters(BaseModel):
    """What every report kind has. A kind subclasses this in `reporting/kinds/<kind>.py` and adds its own fields."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")
    kind: ClassVar[str] = ""

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

    @field_validator("*", mode="after")
    @classmethod
    def _no_repeats(cls, value: Any) -> Any:
        if isinstance(value, list) and len(value) != len({repr(item) for item in value}):
            raise ValueError("names the same item twice")
        return value


def validate(model: type[ReportParameters], values: Mapping[str, Any], *, where: str) -> ReportParameters:
    """Build the parameters of a report kind or refuse with every problem at once.

    Raises
    ------
    ParameterError
        Unknown key (with the nearest known one), missing key, wrong type or value; each sentence starts with `where`.
    """
    try:
        return model(**values)
    except ValidationError as error:
        raise ParameterError([_sentence(model, problem, where) for problem in error.errors()]) from None


def from_notebook(kind: str, namespace: Mapping[str, Any]) -> Any:
    """The parameters of report `kind` from a notebook's variables (pass `globals()`), validated as in a scheduled run."""
    from collect_analysis.reporting.kinds import KINDS

    model = KINDS[kind]
    values = {field: namespace[field] for field in model.model_fields if field in namespace}
    return validate(model, values, where=f"notebook {kind}")


def nearest(word: str, known: list[str]) -> str:
    """A hint at the nearest known word, or the list of known words."""
    match = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"did you mean '{match[0]}'?" if match else f"known: {', '.join(known)}"


def _sentence(model: type[ReportParameters], problem: Any, where: str) -> str:
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"{where}: unknown parameter '{key}'; {nearest(key, sorted(model.model_fields))}"
    if problem["type"] == "missing":
        return f"{where}: parameter '{key}' is missing; add it"
    if problem["type"].startswith("date"):
        return f"{where}: {key} is {problem['input']!r}; write a day as 2026-06-30"
    return f"{where}: {key} is {problem['input']!r}: {problem['msg'].removeprefix('Value error, ')}"
