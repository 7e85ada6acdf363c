"""Where the workers of `engine: dask` are."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from diagnosis.training.section import Section

__all__ = ["DaskPlan"]


class DaskPlan(Section):
    """Where the workers of `engine: dask` are. Their sockets are open: a trusted network only."""

    scheduler: str | None = None
    """Address of a scheduler whose workers have this library, such as `tcp://host:8786`; null: worker processes are
    started on this machine."""
    workers: Annotated[int, Field(ge=2)] | None = None
    """How many workers share the cases, and are waited for. Null: all of the scheduler's; on this machine one a core,
    two at least. A model of another number of workers differs within what its draws leave open."""
