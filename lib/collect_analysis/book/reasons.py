"""Why a row is set aside, refused or remarked on: every reason with its sentence, its fix and its severity, once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

# refuse: the delivery is not loaded; quarantine: its rows are set aside, and count as loss; note: its rows are kept, and told.
Severity = Literal["refuse", "quarantine", "note"]


@dataclass(frozen=True)
class Reason:
    """A class of fault: what is wrong, and what to do. `may_be` lists the severities that `checks` of a mapping file may declare instead."""

    sentence: str
    fix: str
    severity: Severity = "quarantine"
    may_be: tuple[Severity, ...] = ()


_SOURCE = "mend the source"
_ANY: tuple[Severity, ...] = ("refuse", "quarantine", "note")
REASONS: dict[str, Reason] = {
    "missing": Reason("is empty and may not be", f"{_SOURCE}, or declare `default`{{beside}}"),
    "unknown_code": Reason("is not listed", "add it under `codes` of the mapping file, or mend the source"),
    "not_allowed": Reason("is none of {allowed}", "map it under `codes` of the mapping file"),
    "key_characters": Reason("holds characters that cannot be seen", _SOURCE),
    "damaged_id": Reason("is an id written as a number and has lost digits", "deliver ids as text"),
    "no_name_left": Reason("has no letter or digit to make a key of", "give it a code under `codes`"),
    "unreadable_number": Reason("is no number as declared (decimal {decimal!r}, grouping {grouping!r})", "{hint}"),
    "either_number": Reason(
        "is {fraction} if the point is a decimal sign and {whole} if it groups digits; the mapping file does not say which",
        'declare `decimal: "."` or `grouping: "."` under `format`',
        severity="refuse",
    ),
    "both_sides": Reason("stands on the credit and the debit side of one row", _SOURCE),
    "unknown_mark": Reason("has a mark that is neither {plus} nor {minus}", "list it under `mark`, or mend the source"),
    "signed_twice": Reason("is below 0 and has a mark of its sign beside it", "take off `mark`, or mend the source"),
    "too_fine": Reason("is finer than {unit}", f"{_SOURCE}, or declare `round: true`"),
    "too_large": Reason("is larger than any amount can be", _SOURCE),
    "out_of_range": Reason("lies outside {low} .. {high}", f"{_SOURCE}; a share is not a percentage"),
    "unreadable_flag": Reason("is neither {true} nor {false}", "declare the words under `true` and `false`"),
    "unreadable_date": Reason("is no day written as {pattern}", "{hint}"),
    "day_of_no_zone": Reason("is a moment with an offset, whose day depends on the zone", "declare `to_zone`, as Asia/Ho_Chi_Minh"),
    "unreadable_timestamp": Reason("is no moment written as {pattern}", "{hint}"),
    "other_epoch": Reason("makes no sense as {pattern}, and does as {other}", "declare `timestamp: {other}`, or mend the source"),
    "unreadable_duration": Reason("is no duration written as {pattern}", "correct `duration` of the mapping file, or the source"),
    "no_zone": Reason("has no offset and no zone is declared", "declare `zone`"),
    "ambiguous_time": Reason("does not exist or exists twice in {zone}", "deliver it with its offset"),
    "unreadable_quarter": Reason("is no fiscal year and quarter", "years have two or four digits, quarters are 1 to 4"),
    "date_out_of_range": Reason("lies outside {low} .. {high}", "list an open end under `missing`, or mend the source"),
    "after_now": Reason("lies after {now}", _SOURCE),
    "duplicate_exact": Reason("the row came before, word for word", "nothing is lost; deliver each row once"),
    "duplicate_conflict": Reason("the same key stands on rows that differ", "say in the source which one holds"),
    "conflicts_with_load": Reason("the key is in the book with other values, from {origin}", "deliver that file anew, corrected"),
    "already_loaded": Reason("the row is in the book already, from {origin}", "nothing is lost; deliver each row once"),
    "payment_before_entry": Reason(
        "is paid before the debt entered the book", "correct the account's open_date, or the payment", may_be=_ANY
    ),
    "off_month_end": Reason(
        "is not the last day of its month: {days}{hint}",
        "declare `edge: end` to move it there, or mend the source",
        "refuse",
        ("refuse", "quarantine"),
    ),
    "off_period_edge": Reason(
        "is not the {which} day of a month: {days}", "declare `edge: {edge}` to move it there, or mend the source", "refuse", _ANY
    ),
    "moved_to_edge": Reason("is moved to the {which} day of its month, as `edge` says: {days}", "nothing is lost", "note"),
    "status_after_final": Reason(
        "contradicts a final status: the account had left before, or is still there later; {again:,} open again",
        "correct the status, or leave the exit out; an account that is open again counts as received again",
        "note",
        _ANY,
    ),
    "overlapping_placements": Reason(
        "begins while another placement of the account runs, {accounts:,} accounts in all; the one that began first counts",
        "end the placement before, or correct its days",
        "note",
        _ANY,
    ),
    "ends_before_it_begins": Reason("lies before {start}", "correct one of the two days", may_be=_ANY),
    "overlapping_intervals": Reason(
        "lies in the interval of another row of the same {of}, which of the two holds is unknown",
        "end one before the other begins ({end}); an empty end never ends",
        may_be=_ANY,
    ),
    "unknown_reference": Reason(
        "is none that table {table} knows, {distinct:,} different in all", "deliver {table} in full", severity="note", may_be=_ANY
    ),
    "total_row": Reason(
        "is the heading of a total and no id", 'declare `footer: ["{word}"]` under `format`', severity="refuse", may_be=_ANY
    ),
    "fraction_id": Reason("is a number with a fraction and no id", "map the column that holds ids, or deliver them as text", may_be=_ANY),
    "whole_number_id": Reason(
        "is an id made a number, written with '{ending}'",
        'declare `strip: ["{ending}"]` if the ids have no leading zeros, or deliver them as text',
        may_be=_ANY,
    ),
    "word_for_nothing": Reason(
        "is a word for nothing, and as an id would join what has none", "list it under `missing`, or declare `missing: []`", may_be=_ANY
    ),
    "id_text_and_number": Reason(
        "is stored as a number while other ids of the column are texts", "store all ids as text", severity="note", may_be=_ANY
    ),
    "id_lost_zeros": Reason("differs from an id in {where} by leading zeros only", "deliver ids as text, with their zeros", may_be=_ANY),
    "money_beside_former": Reason(
        "{rows:,} rows hold {total:,} in minor units (median {median:,}); the former delivery, {former}, {former_rows:,} rows and "
        "{former_total:,} (median {former_median:,})",
        "nothing needs to be done where that is right",
        severity="note",
    ),
    "money_jump": Reason(
        "the median amount is {median:,} in minor units, {factor:.4g} times the {former_median:,} of the former delivery, {former} "
        "({rows:,} rows, {total:,} in all; before {former_rows:,} rows, {former_total:,})",
        "check `scale`, `decimal` and `grouping`, and whether all amounts came",
        severity="note",
        may_be=("refuse", "note"),
    ),
    "rows_gone": Reason(
        "{gone:,} of the {rows:,} rows of the delivery that this one replaces are in none any more",
        "check that it is whole",
        severity="note",
        may_be=("refuse", "note"),
    ),
    "delivery_shrunk": Reason(
        "{gone:,} of the {rows:,} rows of the delivery that this one replaces are in none any more, more than a tenth",
        "deliver it whole; another delivery needs a name of its own; rows taken back on purpose are declared under `checks`",
        severity="refuse",
        may_be=("refuse", "note"),
    ),
    "new_column": Reason(
        "{count} columns are new since {former}: {columns}", "map them if they are needed", severity="note", may_be=("refuse", "note")
    ),
    "column_gone": Reason(
        "{count} columns are gone since {former}: {columns}",
        "ask the sender whether that is meant",
        severity="note",
        may_be=("refuse", "note"),
    ),
    "missing_delivery": Reason(
        "between the first and the last delivery {count} lack, one being due every {step}: {days}",
        "deliver them, or take `every` out of the mapping file",
        severity="refuse",
        may_be=("refuse", "note"),
    ),
    "gap_in_deliveries": Reason(
        "between the first and the last delivery {count} lack, most of them coming every {step}: {days}",
        "deliver them; declare `every` to have such gaps refused",
        severity="note",
        may_be=("refuse", "note"),
    ),
    "unit_spelled_alike": Reason(
        "is another spelling of a unit: {shown}",
        "join them under `codes` of the mapping file, or mend the source",
        severity="refuse",
        may_be=_ANY,
    ),
    "spelled_alike": Reason(
        "is another spelling of a word: {shown}", "join them under `codes` of the mapping file", severity="note", may_be=_ANY
    ),
    "cut_line": Reason(
        "stands at the end of a last line that is not ended: it may be cut off in the middle",
        "deliver the file whole, or with its sum under `control`",
        may_be=_ANY,
    ),
    "footer_total_differs": Reason(
        "'{column}' adds up to {found} and the total below the table is {stated}",
        "deliver the file whole, or its total right",
        severity="refuse",
        may_be=("refuse", "note"),
    ),
    "bucket_contradicts_dpd": Reason(
        "does not hold such days past due ({days}); 1 is 1-30 days, 2 is 31-60, and so on", "correct the bucket, or the days", may_be=_ANY
    ),
    "ids_differ_by_zeros": Reason(
        "is spelled with other leading zeros on another row", "deliver each id in one spelling", severity="note", may_be=_ANY
    ),
    "posted_twice": Reason("repeats account, amount and day of another payment", "check for double posting", severity="note", may_be=_ANY),
    "reversal_endless": Reason(
        "names postings that lead to no payment: itself, a circle, or a chain too long", "name the posting that it takes back", may_be=_ANY
    ),
    "reversal_of_unknown": Reason(
        "names a posting the book does not hold; neither is counted", "deliver the original", severity="note", may_be=_ANY
    ),
    "reversal_of_other_account": Reason("takes back a posting of another account", "correct reversal_of, or the account", may_be=_ANY),
    "reversal_before_original": Reason("lies before the posting that it takes back", "correct one of the two days", may_be=_ANY),
    "reversal_same_sign": Reason(
        "has the sign of the posting that it takes back, and makes it more than came in",
        "write what is taken back with the opposite sign",
        may_be=_ANY,
    ),
    "reversal_above_original": Reason(
        "takes back more than its posting left, alone or with other reversals of it", "correct the amounts, or the links", may_be=_ANY
    ),
    "reversal_counts_differently": Reason(
        "counts otherwise than the posting it takes back; what holds for the original holds for both",
        "give both the same `eligible`",
        severity="note",
        may_be=_ANY,
    ),
    "original_misfits": Reason(
        "is taken back by a posting in the book that does not fit it: another account, an earlier day, the same sign or a larger amount",
        "correct the reversal, or the original",
        severity="note",
        may_be=_ANY,
    ),
    "money_out_unlinked": Reason(
        "is below 0 and names no posting it takes back; it counts as paid out on its own day",
        "name the posting in reversal_of where it takes one back",
        severity="note",
        may_be=_ANY,
    ),
}
# Set aside because the book has the row: not a loss.
REPEATS = frozenset(["duplicate_exact", "already_loaded"])


def severity_of(reason: str, declared: Mapping[str, Severity]) -> Severity:
    """How grave a reason is: as the mapping file declares, else as it is by itself."""
    return declared.get(reason, REASONS[reason].severity)


@dataclass(frozen=True)
class Fault:
    """Cells of one column with one reason: row positions in the table's delivery and what stood there; no rows: the whole delivery."""

    target: str
    source_column: str
    reason: str
    rows: np.ndarray
    values: list[str | None]
    facts: dict[str, object] = field(default_factory=dict)
    severity: Severity = "quarantine"

    @classmethod
    def of_whole(cls, reason: str, declared: Mapping[str, Severity], **facts: object) -> "Fault":
        """A fault of a delivery, or of the series it belongs to, as a whole."""
        return cls("", "", reason, np.zeros(0, dtype=np.int64), [], facts, severity_of(reason, declared))

    @property
    def sentence(self) -> str:
        """What is wrong with each of these cells."""
        return REASONS[self.reason].sentence.format(**self.facts)

    @property
    def fix(self) -> str:
        """What to do."""
        return REASONS[self.reason].fix.format(**self.facts)
