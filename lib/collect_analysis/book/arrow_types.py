"""The Arrow type of each engine type: how canonical tables lie in Parquet files, whoever writes them."""

import pyarrow as pa

ARROW = {
    "string": pa.string(),
    "date": pa.date32(),
    "timestamp(6)": pa.timestamp("us"),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "boolean": pa.bool_(),
}
