"""Small MEDS folders for the tests."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

EVENTS = {
    "subject_id": pa.int64(),
    "time": pa.timestamp("us"),
    "code": pa.string(),
    "numeric_value": pa.float32(),
    "text_value": pa.large_string(),
}


def event(subject: int | None, time: str | None, code: str | None, value: float | None = None, text: Any = None) -> Any:
    """One event; the time as ISO 8601."""
    return (subject, datetime.fromisoformat(time) if time else None, code, value, text)


def table_of(events: list[Any]) -> pa.Table:
    columns = zip(*events, strict=True) if events else [()] * len(EVENTS)
    return pa.table({n: pa.array(list(c), k) for (n, k), c in zip(EVENTS.items(), columns, strict=True)})


def write_folder(folder: Path, shards: dict[str, pa.Table], codes: dict[str, Any] | None = None) -> Path:
    """A MEDS folder of these shards, each under its name below ``data/``."""
    for name, table in shards.items():
        file = folder / "data" / f"{name}.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, file)
    (folder / "metadata").mkdir(exist_ok=True)
    if codes:
        kinds = [pa.string(), pa.string(), pa.list_(pa.string())]
        made = {n: pa.array(v, k) for (n, v), k in zip(codes.items(), kinds, strict=True)}
        pq.write_table(pa.table(made), folder / "metadata" / "codes.parquet")
    return folder


#: A stay with a stay before it, and a subject of whom little is known.
STAYS = [
    event(7, None, "GENDER//F"),
    event(7, None, "RACE//UNKNOWN"),
    event(7, "1980-03-01", "MEDS_BIRTH"),
    event(7, "2020-01-01T08:00", "HOSPITAL_ADMISSION//URGENT"),
    event(7, "2020-01-01T09:00", "LAB//50912//mg/dL", 1.1),
    event(7, "2020-01-03T10:00", "DIAGNOSIS//ICD//10//E11"),
    event(7, "2020-01-03T10:00", "HOSPITAL_DISCHARGE//HOME"),
    event(7, "2021-05-01T22:00", "LAB//50912//mg/dL", 39.4),
    event(7, "2021-05-01T23:30", "CHIEF_COMPLAINT", None, "chest pain"),
    event(7, "2021-05-02T00:00", "HOSPITAL_ADMISSION//URGENT"),
    event(7, "2021-05-02T00:00", "ED_OUT"),
    event(7, "2021-05-02T06:00", "LAB//51003//ng/mL", 2.5),
    event(7, "2021-05-02T07:00", "MEDICATION//aspirin", 300.0),
    event(7, "2021-05-03T07:00", "PROCEDURE//ICD//10//027034Z"),
    event(7, "2021-05-06T12:00", "DIAGNOSIS//ICD//10//I21"),
    event(7, "2021-05-06T12:00", "DIAGNOSIS//ICD//10//I10"),
    event(7, "2021-05-06T12:00", "HOSPITAL_DISCHARGE//DIED"),
    event(7, "2021-05-06T12:00", "MEDS_DEATH"),
    event(8, "2022-01-01", "HEART_RATE", 80.0),
]
