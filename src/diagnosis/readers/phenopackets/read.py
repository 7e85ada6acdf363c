"""`read_phenopackets`: GA4GH phenopackets, version 2 -> Records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from diagnosis.errors import InputError, nearest
from diagnosis.readers.json_files import MAX_EXPANSION, sources
from diagnosis.readers.json_values import MAX_BYTES, Decoder
from diagnosis.readers.phenopackets.account import broken, notes_of
from diagnosis.readers.phenopackets.files import values
from diagnosis.readers.phenopackets.judgements import Several
from diagnosis.readers.phenopackets.packets import Packets, inner_packets
from diagnosis.readers.phenopackets.tables import tables_of
from diagnosis.readers.phenopackets.times import BadPartError
from diagnosis.records import Records
from diagnosis.records.loading import OnError

__all__ = ["read_phenopackets"]


def read_phenopackets(
    path: str | Path,
    *,
    several: Several = "first",
    encoding: str | None = None,
    on_error: OnError = "raise",
    quarantine: str | Path | None = None,
    max_packet_bytes: int = MAX_BYTES,
    max_expansion: int = MAX_EXPANSION,
) -> Records:
    """Read GA4GH phenopackets, version 2: a JSON file, NDJSON, or a folder of them; each also with gzip.

    A packet is a case. A phenotypic feature is *present*, one that is ``excluded`` is *absent*; measurements are
    *present* with their value, or what their result says. Nothing is *uncertain*, and what is not listed is
    *unrecorded*. Genes and diseases are never findings.

    The principal diagnosis is the disease of the solved interpretation; without one, the disease that ``diseases``
    says is present. Other diseases are `labels`: confirmed and secondary, ruled out where excluded, provisional where
    the interpretation goes on. The publication is the `group`.

    Parameters
    ----------
    path : path
        A file or a folder with ``.json``, ``.ndjson`` or ``.jsonl``, each also with ``.gz``. Families and cohorts are
        read packet by packet.
    several : {"first", "none"}
        Of several diseases that are confirmed alike, the first that is stated is the principal diagnosis, or none is.
    encoding : str, optional
        JSON is UTF-8; another where a file is not.
    on_error : {"raise", "quarantine"}
        Refuse everything with one report of every error, or set what is wrong aside and load the rest.
    quarantine : path, optional
        File for what is set aside, with its number and reasons.
    max_packet_bytes : int
        A packet that is longer is an error.
    max_expansion : int
        A gzip file that unfolds to more than this many times its size, beyond 64 MB, is read no further.

    Returns
    -------
    Records
        `onset_age_years` is the age of onset: of a class or a range its start, before birth negative (weeks of
        gestation less 40). What an age does not say stands beside it as ``x_onset``. Row numbers of `cases` in the
        report count packets in reading order.

    Raises
    ------
    InputError
        There is nothing to read, or an option is not known.
    RecordsError
        Something cannot be used, with ``on_error="raise"``.
    """
    if several not in ("first", "none"):
        near = nearest(str(several), ("first", "none"))
        raise InputError("several is first or none", f"found {several!r}", "use one of these", near=near)
    if max_packet_bytes < 1 or max_expansion < 1:
        raise InputError("limits of 1 or more", "found a smaller one", "leave them out, or give larger ones")
    decoder = Decoder(encoding)
    files, ignored = sources(path, "phenopackets")
    keep = on_error == "quarantine" and quarantine is not None
    read, lost = Packets(several, keep), _Lost(keep)
    for source in files:
        for one in values(source, decoder, max_packet_bytes, max_expansion):
            if one.reason:
                lost.add(read, one.reason, one.text)
                continue
            for packet, family in inner_packets(one.value):
                try:
                    read.take(packet, family)
                except BadPartError as error:
                    lost.add(read, str(error), packet)
    tables, qualified = tables_of(read)
    features = read.findings.lost
    found = [
        *broken("cases", lost.rows),
        *broken("findings", [(number, reason) for number, reason, _ in features]),
        *notes_of(read, tables["findings"], len(lost.rows), qualified, ignored),
    ]
    lines = {"cases": lost.texts, "findings": [_text(content) for _, _, content in features]}
    return Records.from_tables(
        tables,
        _info(read),
        on_error=on_error,
        quarantine=quarantine,
        found=found,
        lost={name: texts for name, texts in lines.items() if texts},
    )


class _Lost:
    """Packets that are set aside: their numbers in reading order, with reasons and, where wanted, content."""

    def __init__(self, keep: bool) -> None:
        self.rows: list[tuple[int, str]] = []
        self.texts: list[str] = []
        self._keep = keep

    def add(self, read: Packets, reason: str, content: Any) -> None:
        self.rows.append((len(read.cases) + len(self.rows) + 1, reason))
        self.texts.append(_text(content) if self._keep else "")


def _text(content: Any) -> str:
    try:
        # ASCII, so that half a surrogate pair from a file can be written.
        return content if isinstance(content, str) else json.dumps(content)
    except RecursionError:
        return ""


def _info(read: Packets) -> dict[str, Any]:
    systems: dict[str, str] = {}
    for name, version in sorted(read.systems):
        systems[name] = f"{systems[name]}, {version}" if name in systems else version
    return {"source": "GA4GH phenopackets 2"} | ({"systems": systems} if systems else {})
