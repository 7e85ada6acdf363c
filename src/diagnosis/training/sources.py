"""Records from where a config says they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diagnosis.readers import read_records

if TYPE_CHECKING:
    from diagnosis.records import Records
    from diagnosis.training.schema import Source

__all__ = ["read_source"]


def read_source(source: Source) -> Records:
    """Read records from where a config says; the format `sample` is the package's own."""
    if source.format == "sample":
        from diagnosis.sample import load_sample

        return load_sample()
    assert source.path is not None
    return read_records(source.path, format=source.format, encoding=source.encoding, options=source.options)
