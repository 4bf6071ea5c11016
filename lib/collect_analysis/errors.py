"""The few ways this product refuses, each with its exit code.

Every text says what is wrong, where, how many, which first, and the fix. A check collects all problems and raises once.
"""

import difflib
from collections.abc import Iterable, Sequence


class CollectError(Exception):
    """Base of every refusal; `problems` holds one sentence per problem, `exit_code` what the command returns."""

    exit_code = 1

    def __init__(self, problems: str | Iterable[str]) -> None:
        self.problems = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(self.problems))


class RunError(CollectError):
    """A report was started and did not finish as a complete, verified run."""

    exit_code = 1


class ParameterError(CollectError):
    """A report file, mapping file or option is wrong; nothing was started."""

    exit_code = 2


class DataError(CollectError):
    """The data do not keep the contract, or the book lacks what the report needs."""

    exit_code = 3


class DisclosureError(CollectError):
    """A result would show person-level data to an audience that may not see it."""

    exit_code = 4


class ApprovalError(CollectError):
    """A step needs a signature that is missing, void or by the wrong person."""

    exit_code = 4


class WorkplaceError(CollectError):
    """The command itself cannot work: lock held, disk, missing program, no right to write."""

    exit_code = 5


_SHAPES = {
    "dict_type": "write keys and values, as {key: value}",
    "model_type": "write keys and values, as {key: value}",
    "list_type": "write a list, as [a, b]",
    "string_type": "write one word; a number in quotes",
}
_WORDS = {
    "^[A-Z]{3}$": "write three capital letters, as VND (ISO 4217; XXX where no money is involved)",
    "^[A-Z][A-Z0-9_]{0,62}$": "write capital letters, digits and '_', as COLLECT_DATA",
    "^[a-z0-9][a-z0-9_-]{0,62}$": "write lower-case letters, digits, '-' and '_' (at most 63, no space or path)",
    "^[a-z][a-z0-9_]{0,62}$": "write lower-case letters, digits and '_', beginning with a letter",
}


def shape_wanted(kind: str, message: str, pattern: str = "") -> str:
    """What to write instead, in plain words: `kind`, `message` and `pattern` of a value that a typed file does not take."""
    if kind == "string_pattern_mismatch":
        return _WORDS.get(pattern, message)
    return _SHAPES.get(kind, message.removeprefix("Value error, "))


def nearest(word: str, known: Sequence[str]) -> str:
    """A hint at the nearest known word, or the list of known words: the end of a sentence about an unknown one."""
    match = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if not match:
        folded = {item.lower(): item for item in known}
        match = [folded[item] for item in difflib.get_close_matches(word.lower(), list(folded), n=1, cutoff=0.6)]
    return f"did you mean '{match[0]}'?" if match else f"known: {', '.join(known[:40])}"
