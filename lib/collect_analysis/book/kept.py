"""The relations of a book that are made once for several that read them, and the small tables that runs share: each found by its recipe."""

import weakref
from contextlib import AbstractContextManager, ExitStack
from typing import Any

import ibis.expr.types as ir
import pandas as pd

from collect_analysis.book.recipes import Recipe
from collect_analysis.book.store import Book


class Kept:
    """What is made of a book when first asked for: relations, kept where the data live, and small tables, shared with other runs.

    Several may keep in one place, whatever they ask for and in whatever order: what is found was made by the very recipe that is asked for.
    Relations live as long as this object; `close` gives their space back earlier.
    """

    def __init__(self, book: Book) -> None:
        self._book = book
        self._made: dict[str, Any] = {}
        self._stack = ExitStack()
        weakref.finalize(self, self._stack.close)

    def made(self, recipe: Recipe) -> Any:
        """What the recipe makes: a relation (its rows kept if it is `stored`), or anything else small."""
        if recipe.key not in self._made:
            self._made[recipe.key] = self._held(recipe)
        return self._made[recipe.key]

    def table(self, recipe: Recipe) -> pd.DataFrame:
        """The small table that the recipe makes; where reports share, the first of them makes it for the others."""
        shared = self._book.shared
        table: pd.DataFrame = self._run(recipe) if shared is None else shared.table(recipe, self._run)
        return table

    def close(self) -> None:
        """Give back the space of everything made."""
        self._made.clear()
        self._stack.close()

    def _held(self, recipe: Recipe) -> Any:
        made = self._run(recipe)
        if isinstance(made, ir.Table) and recipe.stored:
            made = self._book.materialized(made)
        return self._stack.enter_context(made) if isinstance(made, AbstractContextManager) else made

    def _run(self, recipe: Recipe) -> Any:
        return recipe.make(*[self._ready(value) for value in recipe.given])

    def _ready(self, value: object) -> object:
        """A recipe made, anything else as it is. A relation lives on one engine: recipes of another book belong to another `Kept`."""
        if isinstance(value, Book) and value is not self._book:
            raise ValueError("a recipe names another book than the one that its relations are kept for")
        return self.made(value) if isinstance(value, Recipe) else value
