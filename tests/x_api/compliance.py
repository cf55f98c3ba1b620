"""Simulate X's batch compliance: clients upload lists of ids and download those that were removed."""

from __future__ import annotations

import json
import secrets
import threading
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from aggregator.demo.x_shapes import moment

if TYPE_CHECKING:
    from datetime import datetime

    from starlette.requests import Request

    from tests.x_api.world import SimulatedWorld

TYPES = ("tweets", "users")
LIFETIME = timedelta(days=7)  # in a job's result
UPLOAD_TIME = timedelta(minutes=15)


@dataclass
class Job:
    """A job; `ids` is set once they are uploaded."""

    id: str
    type: str
    created: datetime
    name: str | None
    key: str = field(default_factory=lambda: secrets.token_urlsafe(12))  # makes its URLs secret
    ids: list[str] | None = None
    uploaded: datetime | None = None
    failed: bool = False


class Compliance:
    """The jobs. `duration` is the run time of a job, by the clock."""

    def __init__(self, world: SimulatedWorld) -> None:
        self.jobs: dict[str, Job] = {}
        self.duration = timedelta()
        self._world = world
        self._clock = world.clock
        self._lock = threading.Lock()

    def routes(self) -> list[Route]:
        """Return the routes of the files, which need no token: their URLs are secret."""
        return [
            Route("/compliance/{id}/{key}/ids", self._upload, methods=["PUT"]),
            Route("/compliance/{id}/{key}/found", self._download),
        ]

    def create(self, type_: str, name: str | None) -> Job:
        """Create a job."""
        with self._lock:
            job = Job(str(1_700_000_000_000_000_000 + len(self.jobs)), type_, self._clock(), name)
            self.jobs[job.id] = job
            return job

    def shape(self, job: Job, base: str) -> dict[str, Any]:
        """Return a job in the format of the API."""
        payload = {
            "id": job.id,
            "type": job.type,
            "status": self.status(job),
            "created_at": moment(job.created),
            "upload_url": f"{base}/compliance/{job.id}/{job.key}/ids",
            "upload_expires_at": moment(job.created + UPLOAD_TIME),
            "download_url": f"{base}/compliance/{job.id}/{job.key}/found",
            "download_expires_at": moment(job.created + LIFETIME),
        }
        return payload | ({"name": job.name} if job.name else {})

    def status(self, job: Job) -> str:
        """Return the status of a job."""
        now = self._clock()
        if job.failed:
            return "failed"
        if job.uploaded is None:
            return "expired" if now > job.created + UPLOAD_TIME else "created"
        if now > job.created + LIFETIME:
            return "expired"
        return "complete" if now >= job.uploaded + self.duration else "in_progress"

    async def _upload(self, request: Request) -> Response:
        job = self._job(request)
        if job is None or self.status(job) != "created":
            return PlainTextResponse("No.", 403)
        job.ids = (await request.body()).decode("ascii", "replace").split()
        job.uploaded = self._clock()
        return Response(status_code=200)

    async def _download(self, request: Request) -> Response:
        job = self._job(request)
        if job is None or self.status(job) != "complete":
            return PlainTextResponse("No.", 403)
        lines = [json.dumps(line) for id_ in job.ids or () if (line := self._line(job.type, id_))]
        return PlainTextResponse("".join(f"{line}\n" for line in lines))

    def _job(self, request: Request) -> Job | None:
        job = self.jobs.get(request.path_params["id"])
        return job if job is not None and secrets.compare_digest(job.key, request.path_params["key"]) else None

    def _line(self, type_: str, id_: str) -> dict[str, str] | None:
        if not id_.isdigit():
            return None
        if type_ == "tweets":
            reason = self._world.fate(int(id_))
        else:
            reason = self._world.restricted.get(id_) or (None if id_ in self._world.accounts else "deleted")
        if reason is None:
            return None
        now = moment(self._clock())
        return {"id": id_, "action": "delete", "created_at": now, "redacted_at": now, "reason": reason}
