"""What a config names beside its records: a table of knowledge, and more words for the codes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from diagnosis.errors import ConfigError, InputError
from diagnosis.readers.tables import read_table
from diagnosis.records import Records
from diagnosis.vocabulary import read_vocabulary

if TYPE_CHECKING:
    from diagnosis.training.schema import Config

__all__ = ["with_knowledge", "with_words"]


def with_knowledge(records: Records, config: Config) -> Records:
    """Return the records with the table that ``knowledge`` names, instead of one of their own.

    Raises
    ------
    ConfigError
        If the kind of model has no use for it.
    InputError, RecordsError
        If there is no such file, or it is no table of knowledge.
    """
    if config.knowledge is None:
        return records
    if config.model.kind != "ranker":
        raise ConfigError(
            "A knowledge table is used by model: {kind: ranker}",
            f"The config has a table and the kind {config.model.kind!r}",
            "Choose the ranker, or leave the table out.",
        )
    path = Path(config.knowledge)
    if not path.exists():
        raise InputError(f"a table of knowledge at {path}", "there is nothing at that path", "correct `knowledge`")
    table = read_table(path, "knowledge", None).table
    own = {name: records.arrow(name) for name in records.names}
    return Records.from_tables({**own, "knowledge": table}, records.info)


def with_words(records: Records, config: Config) -> Records:
    """Return the records with the words of the file that ``vocabulary`` names beside their own.

    Raises
    ------
    InputError
        If there is no such file, or it is no vocabulary.
    """
    if config.vocabulary is None:
        return records
    return records.with_vocabulary(read_vocabulary(config.vocabulary))
