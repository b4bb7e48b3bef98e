"""Web logs whose lines have a fixed form, read one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from opsproof.logs.readers import web
from opsproof.logs.readers.base import Damage, Fields, Log, Notes
from opsproof.logs.readers.lines import blocks, cleaned, opened
from opsproof.logs.table import Table, TableBuilder

Parse = Callable[[str], dict[str, str] | None]
"""The fields of a line by the names of the W3C format; None where the line is no request."""


def read_lines(
    log: Log,
    wanted: Fields,
    notes: Notes,
    parse: Parse,
    moment: Callable[[dict[str, str]], int],
    names: tuple[str, ...],
) -> Iterator[Table]:
    """Batches of the requests of one log; record ids are line numbers.

    ``moment`` gives the time of a request from its fields, as :mod:`opsproof.logs.times` counts.
    ``names`` are the fields that every line has a place for.
    """
    with opened(log.path, notes) as file:
        for block in blocks(file, notes):
            builder = TableBuilder(log.source, wanted, web.FORMS)
            kept: list[str] = []
            offset = block.offset
            lines = block.data.split(b"\n")[:-1]
            for number, data in enumerate(lines, block.number):
                line = cleaned(data, number, offset, notes)
                fields = parse(line)
                if fields is not None:
                    when = moment(fields)
                    web.derive(fields, "web")
                    builder.add(when, number, fields)
                    kept.append(line)
                elif line.strip():
                    unfinished = not block.finished and number == block.number + len(lines) - 1
                    what = "the last line is unfinished" if unfinished else "a line is no request"
                    notes.damaged(Damage(what, offset=offset, record=number, records=1))
                offset += len(data) + 1
            if kept:
                table = builder.build(
                    lambda row, kept=kept: parse(kept[row]) or {},  # type: ignore[misc]
                    web.site(f"{log.path.absolute()}/{log.name}"),
                    numbers=web.NUMBERS,
                )
                table.block, table.declared = block.offset, web.declared(names)
                yield table
