"""Small tables that the reports of a batch share: found by their recipe, so that none outlives a change of what it was made from.

A table is put into place whole; two workers that make the same one at once write the same rows. What is damaged or cannot be kept is made
again.
"""

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from collect_analysis.book.places import SHARED
from collect_analysis.book.recipes import Recipe


class SharedTables:
    """The tables kept in `folder`, each under the key of its recipe."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def table(self, recipe: Recipe, run: Callable[[Recipe], pd.DataFrame]) -> pd.DataFrame:
        """The table of this recipe; run and kept if it is not there."""
        path = self._folder / f"{recipe.key}.parquet"
        with suppress(OSError, pa.ArrowInvalid):
            return pq.read_table(path, page_checksum_verification=True).to_pandas()
        made = run(recipe)
        # Sharing saves time; a full disk costs only that.
        with suppress(OSError):
            self._keep(path, pa.Table.from_pandas(made, preserve_index=False))
        return made

    def _keep(self, path: Path, rows: pa.Table) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self._folder, suffix=".tmp")
        os.close(handle)
        temporary = Path(name)
        try:
            pq.write_table(rows, temporary, write_page_checksum=True)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def shared_tables() -> SharedTables | None:
    """The tables shared by those who name the same folder in COLLECT_SHARED; None where nobody shares."""
    folder = os.environ.get(SHARED)
    return SharedTables(Path(folder)) if folder else None
