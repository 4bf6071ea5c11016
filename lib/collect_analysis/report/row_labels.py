"""What names the rows of a recorded table: the columns that are labels, which labels may be told, and which look like a person.

A hidden row keeps its labels, so that nobody takes it for zero; but a label that came with the data may itself be personal, so it is told
only where it is a declared public code: a unit, an account class of the contract, a code the texts have a word for, a number or a band.
"""

import re
import unicodedata
from functools import cache

import pandas as pd

from collect_analysis.book.tables import TABLES
from collect_analysis.measures.scopes import UNASSIGNED
from collect_analysis.report import texts

WITHHELD, MASKED = "withheld-", "masked-"
# Columns whose codes come from registers, policies, report files and our own lists.
PUBLIC = frozenset(
    {
        "across_units", "action", "adjusted", "against", "age_months", "allocation", "arm", "arms", "at", "band", "base",
        "basis", "batch_month", "better", "bucket", "bucket_to", "came", "cause", "channel", "check", "cliff_kind", "cohort",
        "comparison", "comparison_kind", "component", "consequence", "covariate", "covariates", "currency", "date", "day",
        "day_kind", "definition", "digit", "end", "estimand", "estimator", "event", "event_time", "experiment_id", "fifth",
        "first_assigned", "from", "from_bucket", "from_group", "game", "gate", "horizon", "horizon_days", "identity",
        "invoice_id", "kind", "kpi", "kpi_kind", "last_assigned", "level_unit", "list", "look", "look_day", "looks", "measure",
        "method", "month", "month_end", "next_age_months", "next_start", "note", "officer_key", "origin", "outcome",
        "pace_cause", "pace_source", "pace_stage", "pace_step", "panel", "part", "period", "period_end", "period_start",
        "placement", "placement_no", "policy", "pool_months", "property", "rate", "reading", "rule", "rule_id", "ruleset_id",
        "scale", "scheme", "scheme_change", "scope_type", "series", "severity", "side", "sign", "size", "source", "stage",
        "state", "statistic", "status_from", "step", "sub_function", "tariff_id", "tenure_from", "tenure_to", "term", "test",
        "tier_from", "time", "to", "to_group", "treated", "treated_by", "type", "unit", "unit_key", "unit_name", "variable",
        "version", "week", "what", "working_day",
    }
)  # fmt: skip
# Columns whose words come with the data, or are made of them.
FROM_DATA = frozenset(
    {
        "category", "factor", "group", "level", "name", "other", "parent", "portfolio_code", "product_code", "row", "running",
        "scope_key", "segment", "stratum", "vintage",
    }
)  # fmt: skip
LABELS = PUBLIC | FROM_DATA
# Labels where they are words, results where they are numbers.
_WORDS_ONLY = frozenset({"across_units", "base", "better", "running", "size", "statistic"})
# Scopes whose keys stand in a register or are numbers.
_PUBLIC_SCOPES = frozenset({"company", "all", "sub_function", "unit", "agency", "officer", "bucket"})
_NUMBER_OR_BAND = re.compile(r"[<>≤≥+−-]?\d[\d.,]{0,6}(\s?(%|\+|([–_-]|to|&)\s?[<>≤≥]?\d[\d.,]{0,6}))?\+?")
_LONG_NUMBER = re.compile(r"\d{9,}")
_PHONE = re.compile(r"(?<!\d)(\+?84|0)([\s./-]?\d){8,10}(?!\d)")
_MAIL = re.compile(r"[^\s@]+@[^\s@]+\.\w")
# The family names that nine of ten Vietnamese bear, and what stands between family and given name; both without marks.
_FAMILIES = frozenset(
    {
        "bui", "dang", "dao", "dinh", "do", "doan", "duong", "ho", "hoang", "huynh", "lam", "le", "ly", "ngo", "nguyen", "pham",
        "phan", "phung", "tran", "trinh", "truong", "vo", "vu",
    }
)  # fmt: skip
_MIDDLE = frozenset({"van", "thi"})
_WORDS = re.compile(r"[^\W\d_]+")


def labels_of(table: pd.DataFrame) -> list[str]:
    """The label columns of a table, in order."""
    words = [name for name in table.columns if name in _WORDS_ONLY and pd.api.types.is_numeric_dtype(table[name])]
    return [str(name) for name in table.columns if name in LABELS and name not in words]


def looks_personal(text: str) -> bool:
    """Whether a label holds what only a person has: a phone number or another long number, an address of mail, a Vietnamese full name."""
    return bool(_LONG_NUMBER.search(text) or _PHONE.search(text) or _MAIL.search(text) or _holds_full_name(text))


def _holds_full_name(text: str) -> bool:
    words = _WORDS.findall(text)
    for word, after, *rest in zip(words, words[1:], [*words[2:], ""], strict=False):
        if _plain(word) not in _FAMILIES:
            continue
        written_as_name = word[:1].isupper() and after[:1].isupper() and rest[0][:1].isupper()
        if _plain(after) in _MIDDLE or written_as_name:
            return True
    return False


def _plain(word: str) -> str:
    folded = unicodedata.normalize("NFD", word.lower().replace("đ", "d"))
    return "".join(letter for letter in folded if not unicodedata.combining(letter))


def without_personal_labels(table: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """The table with every label from the data that looks like a person made neutral; and how many labels that were, by column."""
    masked: dict[str, int] = {}
    for name in (column for column in labels_of(table) if column in FROM_DATA):
        texts_seen = sorted({item for item in table[name] if isinstance(item, str) and looks_personal(item)})
        if texts_seen:
            masked[name] = len(texts_seen)
            neutral = {item: f"{MASKED}{number}" for number, item in enumerate(texts_seen, start=1)}
            table = table.assign(**{name: table[name].map(lambda item, to=neutral: to.get(item, item) if isinstance(item, str) else item)})
    return table, masked


def neutral(table: pd.DataFrame, small: pd.Series) -> pd.DataFrame:
    """The table with the labels of `small` rows made neutral where they came with the data and are no declared code."""
    for name in (column for column in labels_of(table) if column in FROM_DATA):
        private = small & ~_declared(table, name)
        if private.any():
            numbers = private.cumsum()
            told = [
                f"{WITHHELD}{number}" if is_private else item
                for item, is_private, number in zip(table[name], private, numbers, strict=True)
            ]
            table = table.assign(**{name: told})
    return table


def _declared(table: pd.DataFrame, name: str) -> pd.Series:
    """Which labels of a column are public codes."""
    codes = declared_codes()
    known = [not isinstance(item, str) or item in codes or bool(_NUMBER_OR_BAND.fullmatch(item)) for item in table[name]]
    public = pd.Series(known, index=table.index, dtype=bool)
    if name == "scope_key" and "scope_type" in table.columns:
        public |= table["scope_type"].isin(_PUBLIC_SCOPES)
    return public


@cache
def declared_codes() -> frozenset[str]:
    """Every code that the contract lists or the texts have a word for."""
    allowed = {code for table in TABLES.values() for column in table.columns for code in column.allowed}
    return frozenset(allowed | texts.codes() | {"", UNASSIGNED})
