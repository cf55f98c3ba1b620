"""Share compiled SQL statements between the stores of different tests, which would compile each one again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from storage.engine.connect import make_engine

if TYPE_CHECKING:
    from sqlalchemy import Engine


class SharedStatements(dict[Any, Any]):
    """A cache of statements by the kind of their database; SQLAlchemy has one for each engine."""

    def get(self, key: Any, default: Any = None) -> Any:
        """Return a statement."""
        return super().get(_shared(key), default)

    def __setitem__(self, key: Any, statement: Any) -> None:
        super().__setitem__(_shared(key), statement)


def _shared(key: tuple[Any, ...]) -> tuple[Any, ...]:
    dialect, *statement = key
    return (dialect.name, dialect.driver, dialect.server_version_info, *statement)


_STATEMENTS = SharedStatements()


def make_sharing_engine(url: str, *, pooled: bool = True) -> Engine:
    """Create the engine for a database URL as the store does, with the shared cache."""
    engine = make_engine(url, pooled=pooled)
    engine.update_execution_options(compiled_cache=_STATEMENTS)
    return engine
