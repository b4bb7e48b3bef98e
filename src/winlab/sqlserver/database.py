"""One database: its rows, its catalogue, and who may write now.

Locking is coarser than the server's: one transaction writes a database at a time, and readers wait
for the tables that it wrote (READ COMMITTED with locks) unless they say NOLOCK or READ UNCOMMITTED.
Row and page locks,
lock escalation and row versions are not modelled.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from winlab.sqlserver.catalog import Catalog
from winlab.sqlserver.sqlite import Storage
from winlab.sqlserver.types import DEFAULT_COLLATION
from winlab.sqlserver.values import Cell

if TYPE_CHECKING:
    from winlab.sqlserver.session import Session


@dataclass(frozen=True)
class DatabaseState:
    """A database at rest."""

    name: str
    id: int
    collation: str
    created: datetime
    online: bool
    catalog: Catalog
    identities: dict[int, int]
    image: bytes


class Database:
    """A database that is attached. SQLite is opened when it is first needed."""

    def __init__(
        self,
        name: str,
        number: int,
        *,
        created: datetime,
        collation: str = DEFAULT_COLLATION,
        online: bool = True,
    ) -> None:
        """Empty."""
        self.name = name
        self.id = number
        self.collation = collation
        self.created = created
        self.online = online
        self.catalog = Catalog()
        self.identities: dict[int, int] = {}
        self.owner: Session | None = None
        self.touched: set[int] = set()
        self.volatile: dict[str, str] = {}
        self._storage: Storage | None = None
        self._image = b""
        self._catalog_before: Catalog | None = None
        self._watchers: list[Callable[[], None]] = []

    @property
    def storage(self) -> Storage:
        """SQLite, opened from the image when need be."""
        if self._storage is None:
            self._storage = Storage()
            if self._image:
                self._storage.connection.deserialize(self._image)
        return self._storage

    # -- transactions ------------------------------------------------------------------------

    def own(self, session: Session) -> None:
        """Let a session's transaction write; nobody else may hold it."""
        if self.owner is session:
            return
        assert self.owner is None
        self.owner = session
        self._catalog_before = self.catalog
        self.storage.run("BEGIN")

    def commit(self) -> None:
        """Keep what the owner wrote, and let others go on."""
        self.storage.run("COMMIT")
        self._let_go()

    def roll_back(self, keep: set[str]) -> None:
        """Undo what the owner wrote. ``keep`` are places of table variables: they do not take part."""
        kept = {place: self.storage.fetch(f"SELECT * FROM {place}") for place in keep}  # noqa: S608 - our own names
        self.storage.run("ROLLBACK")
        for place, rows in kept.items():
            self.storage.run(f"DROP TABLE IF EXISTS {place}")
            self.storage.run(self.volatile[place])
            for row in rows:
                marks = ", ".join(f":p{at}" for at in range(len(row)))
                bound = {f"p{at}": cell for at, cell in enumerate(row)}
                self.storage.run(f"INSERT INTO {place} VALUES ({marks})", bound)  # noqa: S608 - our own names
        assert self._catalog_before is not None
        self.catalog = self._catalog_before
        self._let_go()

    def _let_go(self) -> None:
        self.owner = None
        self.touched.clear()
        self._catalog_before = None
        watchers, self._watchers = self._watchers, []
        for tell in watchers:
            tell()

    def has(self, place: str) -> bool:
        """Whether a temporary table is there."""
        bound: dict[str, Cell] = {"p0": place.removeprefix("temp.")}
        return bool(self.storage.fetch("SELECT 1 FROM sqlite_temp_master WHERE name = :p0", bound))

    def watch(self, tell: Callable[[], None]) -> Callable[[], None]:
        """Call ``tell`` once when the owner lets go; the answer ends the watch."""
        self._watchers.append(tell)

        def end() -> None:
            if tell in self._watchers:
                self._watchers.remove(tell)

        return end

    # -- state -------------------------------------------------------------------------------

    def save(self) -> DatabaseState:
        """The database as it is on disk: without what an open transaction wrote."""
        return DatabaseState(
            self.name,
            self.id,
            self.collation,
            self.created,
            self.online,
            self._catalog_before or self.catalog,
            dict(self.identities),
            self._bytes(),
        )

    def _bytes(self) -> bytes:
        if self._storage is None:
            return self._image
        if self.owner is not None:
            raise RuntimeError("a database is saved between transactions")
        return self._storage.connection.serialize()

    @classmethod
    def load(cls, state: DatabaseState) -> Database:
        """A database from its state."""
        found = cls(
            state.name,
            state.id,
            created=state.created,
            collation=state.collation,
            online=state.online,
        )
        found.catalog = state.catalog
        found.identities = dict(state.identities)
        found._image = state.image
        return found
