"""The format of a mapping file: how the files or tables of a source become canonical tables."""

import hashlib
from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from collect_analysis.book.reasons import Severity

_WORD = r"^[a-z0-9][a-z0-9_-]{0,62}$"
_NAME = r"^[a-z][a-z0-9_]{0,62}$"
_VARIABLE = r"^[A-Z][A-Z0-9_]{0,62}$"
# A million units with two digits after the point, in minor units.
MOST_SCALE = 100_000_000
# Moments counted from 1970-01-01 UTC: microseconds in one unit.
EPOCHS = {"epoch_s": 1_000_000, "epoch_ms": 1_000, "epoch_us": 1}
# Days counted as spreadsheets store them, and the day before their first (1900 is a leap year there, so it is one earlier).
SERIAL_DAYS = {"excel_1900": date(1899, 12, 30), "excel_1904": date(1904, 1, 1)}


def _as_text(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


# A word of the data: numbers and flags in the file stand for their spelling.
Text = Annotated[str, BeforeValidator(_as_text)]
Word = Annotated[str, Field(pattern=_WORD)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", populate_by_name=False)


class Location(_Part):
    """Folder of the files: the environment variable's, else `default` (relative: to the project folder)."""

    variable: Annotated[str, Field(pattern=_VARIABLE)]
    default: str | None = None


class TextCells(_Part):
    """How numbers are written where cells are text, and which words mean an empty cell."""

    decimal: Literal[".", ","] = "."
    grouping: Literal["", ",", ".", " ", "'"] = ""
    missing: list[Text] = []


class TableCells(TextCells):
    """Where the table stands on a sheet or in a text file: its header's row or line, the words with which the footer below it begins."""

    header_row: Annotated[int, Field(ge=1, le=1_000)] = 1
    footer: list[Annotated[Text, Field(min_length=1)]] = []


class CsvFormat(TableCells):
    """A text file with a header line; `line_breaks`: a quoted cell may hold several lines."""

    kind: Literal["csv"]
    delimiter: Literal[",", ";", "\t", "|"] = ","
    encoding: Literal["utf-8", "cp1258", "cp1252", "latin-1", "utf-16"] = "utf-8"
    compression: Literal["none", "gzip"] = "none"
    line_breaks: bool = False
    max_mb: Annotated[int, Field(ge=1, le=100_000)] = 2_000


class ExcelFormat(TableCells):
    """One sheet of an .xlsx workbook."""

    kind: Literal["excel"]
    sheet: str
    max_mb: Annotated[int, Field(ge=1, le=2_000)] = 500


class ParquetFormat(TextCells):
    """A Parquet file; `types` fixes the Arrow types of columns (`int64`, `decimal128(18, 2)`, `date32[day]`, ...)."""

    kind: Literal["parquet"]
    types: dict[str, str] = {}
    max_mb: Annotated[int, Field(ge=1, le=100_000)] = 10_000


class PostgresFormat(TextCells):
    """A table or view of a PostgreSQL database; `variable` names the environment variable that holds the connection text."""

    kind: Literal["postgres"]
    variable: Annotated[str, Field(pattern=_VARIABLE)]
    table: Annotated[str, Field(pattern=r"^[^.\s]+(\.[^.\s]+)?$")]
    types: dict[str, str] = {}
    timeout_s: Annotated[int, Field(ge=1, le=86_400)] = 600


Format = Annotated[CsvFormat | ExcelFormat | ParquetFormat | PostgresFormat, Field(discriminator="kind")]


class Control(_Part):
    """What the sender states of the whole delivery: rows, and the sum of a source column's numbers."""

    rows: Annotated[int, Field(ge=0)] | None = None
    totals: dict[str, Text] = {}


class FiscalQuarter(_Part):
    """A quarter of a fiscal year named after the year in which it ends: source columns, first month of the year, which edge."""

    year: str
    quarter: str
    first_month: Annotated[int, Field(ge=1, le=12)] = 1
    edge: Literal["start", "end"]


class Mark(_Part):
    """A column beside an amount that says whether it came in or went out, and its words for both."""

    source: str = Field(alias="from")
    plus: Annotated[list[Text], Field(min_length=1)]
    minus: Annotated[list[Text], Field(min_length=1)]


class ColumnRule(_Part):
    """How one canonical column is filled.

    One of `from`, `value`, `row_number`, `fiscal_quarter` says where from. Steps run in this order: trim, NFC, missing, `strip`, `upper` or
    `lower`, `codes`, `slug`, `pseudonym`, `prefix`, then the type's own reading (`date`, `timestamp`, `scale`, ...). A second source column
    stands beside the first under `time` (of the day in `from`), `debit` (taken off the credit in `from`) or `mark` (the sign of `from`).
    """

    source: str | None = Field(default=None, alias="from")
    value: Text | None = None
    row_number: bool = False
    fiscal_quarter: FiscalQuarter | None = None

    missing: list[Text] | None = None
    default: Text | None = None
    strip: list[Text] = []
    upper: bool = False
    lower: bool = False
    codes: dict[str, Text] = {}
    others: Literal["keep", "quarantine"] | None = None
    slug: bool = False
    pseudonym: bool = False
    prefix: Text = ""

    time: str | None = None
    date: str | None = None
    drop_time: bool = False
    duration: Literal["h:mm", "h:mm:ss", "mm:ss"] | None = None
    edge: Literal["start", "end"] | None = None
    timestamp: str | None = None
    zone: str | None = None
    to_zone: str | None = None

    decimal: Literal[".", ","] | None = None
    grouping: Literal["", ",", ".", " ", "'"] | None = None
    parentheses: bool = False
    trailing_minus: bool = False
    unicode_minus: bool = False
    percent: bool = False
    debit: str | None = None
    mark: Mark | None = None
    scale: Annotated[int, Field(ge=1, le=MOST_SCALE)] | None = None
    round: bool = False

    equals: Text | None = None
    ends_with: Text | None = None
    true_words: list[Text] = Field(default=[], alias="true")
    false_words: list[Text] = Field(default=[], alias="false")

    @property
    def source_columns(self) -> tuple[str, ...]:
        """Every source column the rule reads."""
        quarter = self.fiscal_quarter
        named = (
            (quarter.year, quarter.quarter) if quarter else (self.source, self.time, self.debit, self.mark.source if self.mark else None)
        )
        return tuple(name for name in named if name)


def declared_signs(rule: ColumnRule, form: TextCells) -> tuple[str | None, str | None]:
    """The decimal and the grouping sign that a mapping declares for a column: its rule's, else the format's; None: it does not say."""
    decimal = rule.decimal or (form.decimal if "decimal" in form.model_fields_set else None)
    grouping = rule.grouping if rule.grouping is not None else form.grouping if "grouping" in form.model_fields_set else None
    return decimal, grouping


class Outcome(ColumnRule):
    """A cohort's outcome and what it is."""

    kind: Literal["binary", "money", "number"]
    horizon_days: Annotated[int, Field(ge=0)] | None = None
    label: dict[Literal["en", "vi"], str] = {}


class Covariate(ColumnRule):
    """A cohort's covariate; one measured after assignment may be changed by the arm."""

    measured: Literal["before", "after"]
    label: dict[Literal["en", "vi"], str] = {}


class Dose(ColumnRule):
    """What was actually done to the subject (minutes, attempts)."""

    label: dict[Literal["en", "vi"], str] = {}


class PivotBlock(_Part):
    """One block of columns of a wide table: the value it stands for and alias -> source column."""

    value: Text
    columns: dict[str, str]


class Unpivot(_Part):
    """A wide table made long: every source row gives one row per block; `column` is the name of the block's value."""

    column: Annotated[str, Field(pattern=_NAME)]
    blocks: Annotated[list[PivotBlock], Field(min_length=1, max_length=400)]


class TableMapping(_Part):
    """How one canonical table is filled. `only` keeps the rows whose source column holds one of the words."""

    columns: dict[str, ColumnRule] = {}
    unpivot: Unpivot | None = None
    only: dict[str, list[Text]] = {}
    outcomes: dict[Annotated[str, Field(pattern=_NAME)], Outcome] = {}
    covariates: dict[Annotated[str, Field(pattern=_NAME)], Covariate] = {}
    doses: dict[Annotated[str, Field(pattern=_NAME)], Dose] = {}

    @property
    def rules(self) -> dict[str, ColumnRule]:
        """Canonical column -> rule, the open columns under their full names, the block's own columns filled in."""
        found: dict[str, ColumnRule] = dict(self.columns)
        for prefix, group in (("outcome", self.outcomes), ("covariate", self.covariates), ("dose", self.doses)):
            found.update({f"{prefix}_{name}": rule for name, rule in group.items()})
        return found

    def roles(self, table: str) -> dict[str, dict[str, object]]:
        """What the mapping declares of open columns, as the manifest keeps it."""
        found: dict[str, dict[str, object]] = {}
        for prefix, group, fields in (
            ("outcome", self.outcomes, {"kind", "horizon_days", "label"}),
            ("covariate", self.covariates, {"measured", "label"}),
            ("dose", self.doses, {"label"}),
        ):
            for name, rule in group.items():
                found[f"{table}.{prefix}_{name}"] = rule.model_dump(include=fields, exclude_defaults=True)
        return found


class Source(_Part):
    """A mapping file: one source, the book it loads into, and the canonical tables it fills.

    `checks` declares how grave a check of the contract is for this source, where that is the shop's to say (`reasons.REASONS`); `zone` is the
    shop's, in which its days begin; `every` says how often a delivery comes, by the day or month in its name.
    """

    source: Word
    book: Word
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    synthetic: bool = False
    location: Location | None = None
    files: str | None = None
    format: Format
    optional: bool = False
    control: Control = Control()
    allowed_loss: Annotated[float, Field(ge=0, le=1, strict=False)] = 0.0
    zone: str | None = None
    every: Literal["day", "working_day", "week", "month"] | None = None
    checks: dict[Annotated[str, Field(pattern=_NAME)], Severity] = {}
    tables: Annotated[dict[str, TableMapping], Field(min_length=1)]

    @property
    def content_hash(self) -> str:
        """Hash of what decides which rows come out; comments, layout, control totals and the place of the files do not change it."""
        said = self.model_dump_json(by_alias=True, exclude_defaults=True, include={"source", "currency", "format", "checks", "tables"})
        return hashlib.sha256(said.encode()).hexdigest()

    @property
    def day_zone(self) -> str | None:
        """The zone in which the days of the source begin: declared, else the one zone of its timestamps; None: not known."""
        zones = {rule.zone for table in self.tables.values() for rule in table.rules.values() if rule.zone}
        return self.zone or (zones.pop() if len(zones) == 1 else None)

    @property
    def uses_pseudonyms(self) -> bool:
        """Whether a column is replaced by a keyed hash."""
        return any(rule.pseudonym for table in self.tables.values() for rule in table.rules.values())
