"""What is made once and read by several: named by the function that makes it and by all that the function is given.

Nobody chooses a name, so that none can stand for two things: a recipe is called with exactly what its name is made of.
"""

import hashlib
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from datetime import date, datetime, time
from functools import cached_property
from types import MappingProxyType
from typing import Any

# Whose code is part of a book's key: what is made elsewhere could change without another name.
LIBRARY = "collect_analysis."
_PLAIN = (bool, int, float, str)
_DAYS = (datetime, date, time)


class Keyed:
    """Something that names all it was made from: a book, a recipe."""

    @cached_property
    def key(self) -> str:
        """The name."""
        raise NotImplementedError


@dataclass(frozen=True)
class Recipe(Keyed):
    """How a relation or a small table is made: `make(*given)`, each recipe among `given` made first.

    `make` is a function or a class of the library that knows nothing but what it is given. `given` holds what cannot change: the book, numbers,
    words, days, tuples, frozen records, and the recipes of other relations. `stored` says whether its rows are kept, not what they are.

    Raises
    ------
    TypeError
        `make` is no named function of the library, or something in `given` could change behind its name.
    """

    make: Callable[..., Any]
    given: tuple[object, ...] = ()
    stored: bool = True

    def __post_init__(self) -> None:
        module = sys.modules.get(self.make.__module__)
        if getattr(module, self.make.__qualname__, None) is not self.make or not self.make.__module__.startswith(LIBRARY):
            raise TypeError(f"{self.make.__module__}.{self.make.__qualname__} is no named function of the library; a recipe needs one")
        _ = self.key

    @cached_property
    def key(self) -> str:
        """The name of what is made: a hash of the function's name and of everything that it is given."""
        text = json.dumps([f"{self.make.__module__}.{self.make.__qualname__}", *map(told, self.given)])
        return hashlib.sha256(text.encode()).hexdigest()


def told(value: object) -> object:
    """A value in JSON types that tell it apart from every other value.

    Raises
    ------
    TypeError
        The value could change after it was named.
    """
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    if value is None or isinstance(value, _PLAIN):
        return [kind, repr(value)]
    if isinstance(value, Keyed):
        return [kind, value.key]
    if isinstance(value, _DAYS):
        return [kind, value.isoformat()]
    if isinstance(value, tuple):
        return [kind, *map(told, value)]
    if isinstance(value, MappingProxyType):
        return [kind, *sorted([repr(name), told(entry)] for name, entry in value.items())]
    if is_dataclass(value) and type(value).__dataclass_params__.frozen:  # type: ignore[union-attr]
        return [kind, *[[field.name, told(getattr(value, field.name))] for field in fields(value)]]
    raise TypeError(f"a {kind} may change after it was named; give a recipe numbers, words, days, tuples and frozen records")
