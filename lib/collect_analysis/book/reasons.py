"""Why a row is set aside: every reason with its sentence and its fix, once."""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Reason:
    """A class of fault: what is wrong, and what to do."""

    sentence: str
    fix: str


_SOURCE = "mend the source"
REASONS: dict[str, Reason] = {
    "missing": Reason("is empty and may not be", f"{_SOURCE}, or declare `default`"),
    "unknown_code": Reason("is not listed", "add it under `codes` of the mapping file, or mend the source"),
    "not_allowed": Reason("is none of {allowed}", "map it under `codes` of the mapping file"),
    "key_characters": Reason("holds characters that cannot be seen", _SOURCE),
    "damaged_id": Reason("is an id written as a number and has lost digits", "deliver ids as text"),
    "no_name_left": Reason("has no letter or digit to make a key of", "give it a code under `codes`"),
    "unreadable_number": Reason(
        "is no number as declared (decimal {decimal!r}, grouping {grouping!r})", "correct the declaration, or the source"
    ),
    "too_fine": Reason("is finer than {unit}", f"{_SOURCE}, or declare `round: true`"),
    "too_large": Reason("is larger than any amount can be", _SOURCE),
    "out_of_range": Reason("lies outside {low} .. {high}", f"{_SOURCE}; a share is not a percentage"),
    "unreadable_flag": Reason("is neither {true} nor {false}", "declare the words under `true` and `false`"),
    "unreadable_date": Reason("is no day written as {pattern}", "correct `date` of the mapping file, or the source"),
    "unreadable_timestamp": Reason("is no moment written as {pattern}", "correct `timestamp` of the mapping file, or the source"),
    "no_zone": Reason("has no offset and no zone is declared", "declare `zone`"),
    "ambiguous_time": Reason("does not exist or exists twice in {zone}", "deliver it with its offset"),
    "unreadable_quarter": Reason("is no fiscal year and quarter", "years have two or four digits, quarters are 1 to 4"),
    "date_out_of_range": Reason("lies outside {low} .. {high}", "list an open end under `missing`, or mend the source"),
    "after_now": Reason("lies after {now}", _SOURCE),
    "duplicate_exact": Reason("the row came before, word for word", "nothing is lost; deliver each row once"),
    "duplicate_conflict": Reason("the same key stands on rows that differ", "say in the source which one holds"),
    "conflicts_with_load": Reason("the key is in the book with other values, from {origin}", "deliver that file anew, corrected"),
    "already_loaded": Reason("the row is in the book already, from {origin}", "nothing is lost; deliver each row once"),
    "payment_before_entry": Reason("is paid before the debt entered the book", "correct the account's open_date, or the payment"),
}
# Set aside because the book has the row: not a loss.
REPEATS = frozenset(["duplicate_exact", "already_loaded"])


@dataclass(frozen=True)
class Fault:
    """Cells of one column with one reason: row positions in the table's delivery and what stood there."""

    target: str
    source_column: str
    reason: str
    rows: np.ndarray
    values: list[str | None]
    facts: dict[str, object] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        """What is wrong with each of these cells."""
        return REASONS[self.reason].sentence.format(**self.facts)

    @property
    def fix(self) -> str:
        """What to do."""
        return REASONS[self.reason].fix
