"""Of which days there are logs of each web site, by the names of files: nothing is asked for it.

A site's logs lie in a folder that has its number for a name ("<logFile>", Microsoft Learn: ``W3SVC``
and the site's id; those of all sites in one file in ``W3SVC``).
"""

from __future__ import annotations

import ntpath
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from opsproof.collection.listing import Listed
from opsproof.collection.look import Look
from opsproof.collection.model import Kind, SiteLogs, State
from opsproof.logs.habits import iis_day

_DAILY = frozenset({"daily", "hourly"})
"""Periods after which a log's name says of which day it is; that of a weekly one only looks so."""


def site_logs(look: Look, listed: Iterable[Listed], home: Mapping[str, int]) -> Iterator[SiteLogs]:
    """The sites that begin a log each day or each hour, and whose folder could be listed.

    ``home`` maps the lower-case path of a log that came home to its bytes: it counts though it is not on
    the host any more. A site without any log, as a new one is, is left out.
    """
    roots = [one for one in listed if one.folder.kind is Kind.IIS and one.state is State.COLLECTED]
    readable = {one.folder.path.lower() for one in roots}
    sizes = {found.path: found.size for one in roots for found in one.files}
    there = {path.lower() for path in sizes}
    sizes |= {path: size for path, size in home.items() if path not in there}
    names: dict[str, str] = {}
    days: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for path, size in sizes.items():
        folder, name = ntpath.split(path)
        day = iis_day(name)
        if day is not None:
            above = ntpath.basename(folder)
            names.setdefault(above.lower(), above)
            days[above.lower()][day.isoformat()] += size
    for wanted in sorted(_watched(look, readable) & days.keys()):
        yield SiteLogs(
            folder=f"{Kind.IIS}/{names[wanted]}", days=dict(sorted(days[wanted].items()))
        )


def _watched(look: Look, readable: set[str]) -> set[str]:
    """The lower-case names of the folders in which a log is begun on each day with a request."""
    if look.central == "CentralW3C":
        daily = look.central_period.lower() in _DAILY
        return {"w3svc"} if daily and look.central_folder.lower() in readable else set()
    if look.central != "Site":
        return set()
    return {
        f"w3svc{site.id}"
        for site in look.sites or ()
        if site.enabled and site.period.lower() in _DAILY and site.directory.lower() in readable
    }
