"""Parquet tables, read by pyarrow (optional)."""

from __future__ import annotations

import importlib.util
from io import BytesIO

import numpy as np
import pandas as pd

from lib.errors import InputError
from lib.observed.packed import LIMIT, TOO_LARGE
from lib.observed.wording import quoted

PARQUET = b"PAR1"
INSTALL = "is a Parquet file, which needs pyarrow: pip install '.[parquet]'"


def read_parquet(content: bytes) -> pd.DataFrame:
    """All columns of a table, those of a pandas index among them; `InputError` if it is damaged or pyarrow is missing."""
    if importlib.util.find_spec("pyarrow") is None:
        raise InputError(INSTALL)
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(BytesIO(content))
        if file.metadata.num_rows * file.metadata.num_columns * np.dtype(float).itemsize > LIMIT:
            raise InputError(TOO_LARGE)
        table = file.read().to_pandas(ignore_metadata=True)
    except InputError:
        raise
    except Exception as error:  # of another library, on a file that may be damaged in any way
        raise InputError(f"is a damaged Parquet file: {quoted(error)}") from None
    table.index.name = "row"
    return table
