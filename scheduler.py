"""The beat schedule: `celery -A scheduler beat`.

One stateless `tick` looks at what is due; a second scheduler does no harm, since the claim is made in the database.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from celery.schedules import crontab

if TYPE_CHECKING:
    from collections.abc import Mapping

    from celery import Celery

TICK = 5.0  # seconds between looks at what is due
ATTEND = 60.0  # seconds between looks at what people should know of
UPKEEP = 15.0  # seconds between looks at whose name is not known yet

SCHEDULE: Mapping[str, Any] = {
    # A tick that could not be delivered before the next one is sent is worth nothing.
    "tick": {"task": "tick", "schedule": TICK, "options": {"expires": TICK, "queue": "control"}},
    # People who appear get their names and pictures together: soon, but not each by a request of their own.
    "upkeep": {"task": "upkeep", "schedule": UPKEEP, "options": {"expires": UPKEEP, "queue": "twitter"}},
    # Whatever one does not get to, the next one does; one that comes late would only run beside that.
    "sweep": {"task": "sweep", "schedule": crontab(minute="23"), "options": {"expires": 1800.0, "queue": "twitter"}},
    # People learn of a source that stopped, or a queue that nobody looks at.
    "attend": {"task": "attend", "schedule": ATTEND, "options": {"expires": ATTEND, "queue": "control"}},
    "prune": {"task": "prune", "schedule": crontab(hour="3", minute="17"), "options": {"expires": 3600.0}},
}


def __getattr__(name: str) -> Celery:
    """Give `celery -A scheduler` its app: the worker's, with the schedule."""
    if name == "app":
        from worker import app

        app.conf.beat_schedule = dict(SCHEDULE)
        return app
    raise AttributeError(name)
