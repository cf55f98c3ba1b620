"""Store pictures that editors upload for their own posts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from storage.engine import upsert
from storage.tables.stream import activity, upload

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection


class Uploads:
    """The uploaded pictures, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def keep(self, activity_id: int, name: str | None, body: bytes | None, now: datetime) -> None:
        """Keep one picture of an activity, and delete its others; a picture without `body` is stored already."""
        own = upload.c.activity_id == activity_id
        others = own if name is None else own & (upload.c.name != name)
        self._connection.execute(upload.delete().where(others))
        if name is not None and body is not None:
            index = ["name", "activity_id"]
            statement = upsert.statement(self._connection, upload, index=index, changing=[])
            self._connection.execute(statement.values(name=name, activity_id=activity_id, body=body, created=now))

    def of(self, activity_id: int, name: str) -> bytes | None:
        """Return a picture of an item, shown or not."""
        chosen = select(upload.c.body).where(upload.c.activity_id == activity_id, upload.c.name == name)
        body: bytes | None = self._connection.execute(chosen).scalar()
        return body

    def get(self, name: str, *, also_hidden: bool = False) -> bytes | None:
        """Return a picture of an item that is shown; `also_hidden`: or of one that isn't shown."""
        chosen = select(upload.c.body).join(activity, activity.c.id == upload.c.activity_id)
        chosen = chosen.where(upload.c.name == name, activity.c.gone.is_(None))
        if not also_hidden:
            chosen = chosen.where(activity.c.visible)
        body: bytes | None = self._connection.execute(chosen.limit(1)).scalar()
        return body
