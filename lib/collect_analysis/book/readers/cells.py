"""What every reader returns."""

from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Cells:
    """One delivery as text.

    `frame` has one column per source column, cells are text as delivered, None where the source holds nothing; `lines` (k,) is the line or
    row of the source each came from; `origin` names the file or table; `content_hash` is the SHA-256 of what was delivered.
    """

    frame: pd.DataFrame
    lines: np.ndarray
    origin: str
    content_hash: str
