"""Detect deleted and withheld posts on X, by compliance jobs (free) or by looking posts up (billed)."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

import structlog

from aggregator.domain.activity import WITHHELD_EVERYWHERE
from aggregator.domain.compliance.takedowns import (
    BegunJob,
    Fate,
    IdType,
    JobReport,
    JobStatus,
    LookedUp,
    Takedown,
)
from aggregator.domain.errors import BudgetError, UnreadableError
from aggregator.sources.twitter.normalise import NETWORK, normalise, older_names
from aggregator.sources.twitter.references import (
    history_of,
    included_in,
    newest_of,
    outdated,
    posts_in,
    with_edit_windows,
    with_included,
    with_newest,
)
from aggregator.sources.twitter.tokens import connected
from aggregator.sources.twitter.vocabulary import MOST_PER_POST
from aggregator.system.thread_pools import in_api_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from aggregator.domain.activity import Actor, NewActivity
    from aggregator.source_api.kind import PollContext

log = structlog.get_logger(__name__)

_POSTS = {"tweet", "post"}  # X's resource types in errors


class ReportsTakedowns:
    """The part of X's kind of source that implements `aggregator.source_api.takedowns.TakedownSource`."""

    most_looked_up = 100
    bill_of_one = MOST_PER_POST

    async def begin_job(self, type_: IdType, context: PollContext) -> BegunJob:
        """Create a compliance job.

        Raises:
            NotAllowedError: the plan does not include compliance jobs.
            SourceError: X gave no usable response. The methods below raise it, too.
        """
        async with connected(context) as api:
            job_data = _job_in(await api.create_job(type_.value))
        if not job_data.get("upload_url"):
            raise UnreadableError("X created a compliance job without an upload URL; its API may have changed.")
        return BegunJob(str(job_data["id"]), str(job_data["upload_url"]))

    async def give_ids(self, job: BegunJob, ids: Sequence[str], context: PollContext) -> None:
        """Upload a job's list of ids."""
        from aggregator.sources.twitter import jobs  # imported late: only these requests need their HTTP client

        async with connected(context) as api:
            await in_api_thread(jobs.upload, job.upload_url, ids, on_loopback=api.is_local)

    async def look_at_job(self, job_id: str, type_: IdType, context: PollContext) -> JobReport:
        """Fetch the status of a job; download its result once it is complete."""
        from aggregator.sources.twitter import jobs  # imported late, see `give_ids`

        async with connected(context) as api:
            job_data = _job_in(await api.job(job_id))
            try:
                status = JobStatus(str(job_data.get("status")))
            except ValueError:
                raise UnreadableError(
                    f"X returned an unknown status of a compliance job: {job_data.get('status')!r}."
                ) from None
            if status is not JobStatus.COMPLETE:
                return JobReport(status)
            address = str(job_data.get("download_url") or "")
            verdicts = await in_api_thread(jobs.download, address, type_, on_loopback=api.is_local)
        return JobReport(status, verdicts)

    async def look_up(self, keys: Mapping[str, str], people: Mapping[str, Actor], context: PollContext) -> LookedUp:
        """Look up as many as 100 posts, and the newest versions of those that were edited in the meantime.

        Args:
            keys: keys by the native ids to look up.
            people: known accounts, by native id.
            context: clients, clock and settings.
        """
        later: Mapping[str, Any] = {}
        async with connected(context) as api:
            page = older_names(await api.posts(list(keys)))
            newer = outdated(page)
            for start in range(0, len(newer), self.most_looked_up):
                try:
                    found = older_names(await api.posts(newer[start : start + self.most_looked_up]))
                except BudgetError:  # the others are looked up on another day
                    break
                later = {**with_included(later, found), "data": [*posts_in(later), *posts_in(found)]}
        verdicts = [verdict for result in (page, later) for verdict in verdicts_in(result, keys)]
        current = with_newest(_only(page, lambda post: newest_of(post) == post["id"]), later)
        current["data"] += [post for post in posts_in(later) if f"{NETWORK}:{history_of(post)[0]}" in keys.values()]
        originals = _activities({**current, "data": _missing(current)}, people)
        seen = {f"{NETWORK}:{history_of(post)[0]}" for post in included_in(page)}
        return LookedUp(verdicts, list(_activities(current, people)), list(originals), seen)


def verdicts_in(page: Mapping[str, Any], keys: Mapping[str, str]) -> Iterator[Takedown]:
    """Return the takedowns in a page of looked-up posts. An embedded original counts as well.

    Args:
        page: in the older vocabulary.
        keys: keys by the native ids that were looked up.
    """
    for error in _errors(page):
        native_id = str(error.get("resource_id") or error.get("value") or "")
        if str(error.get("resource_type", "tweet")) not in _POSTS or not native_id.isdigit():
            continue
        found = _fate_of(error)
        if found is not None:
            yield Takedown(keys.get(native_id, f"{NETWORK}:{native_id}"), *found)
    for post in (*posts_in(page), *included_in(page)):
        held_back = post.get("withheld")
        if not isinstance(held_back, dict):
            continue
        codes = {str(code).upper() for code in held_back.get("country_codes") or []}
        for_copyright = held_back.get("copyright") is True and not codes
        if for_copyright or not WITHHELD_EVERYWHERE.isdisjoint(codes):
            why = "for copyright" if held_back.get("copyright") is True else "everywhere"
            yield Takedown(f"{NETWORK}:{history_of(post)[0]}", Fate.WITHHELD, f"withheld on X {why}")


def _fate_of(error: Mapping[str, Any]) -> tuple[Fate, str] | None:
    """Return the takedown that an error about a post means, or None if it means something else."""
    type_ = str(error.get("type", "")).rpartition("/")[2]
    words = f"{error.get('title', '')} {error.get('detail', '')}".casefold()
    if type_ == "resource-not-found":
        return Fate.DELETED, "deleted on X"
    if type_ != "not-authorized-for-resource":
        return None
    if "suspended" in words:
        return Fate.SUSPENDED, "its account on X is suspended"
    if "deactivated" in words:
        return Fate.DEACTIVATED, "its account on X is deactivated"
    return Fate.PROTECTED, "its account on X is protected"


def _activities(page: Mapping[str, Any], people: Mapping[str, Actor]) -> Iterator[NewActivity]:
    """Return the posts of a page as activities, as their authors' timelines would give them."""
    posts = sorted(posts_in(page), key=_author)
    for author, own in groupby(posts, key=_author):
        known = people.get(author)
        account = replace(known, partial=True) if known else None
        try:
            payload = {**page, "data": list(own)}
            yield from with_edit_windows(normalise(payload, account=account), payload)
        except UnreadableError as error:  # An unreadable post must not block the checks of the others.
            log.warning("looked-up posts not read", author=author, reason=str(error))


def _only(page: Mapping[str, Any], which: Callable[[Mapping[str, Any]], bool]) -> dict[str, Any]:
    return {**page, "data": [post for post in posts_in(page) if which(post)]}


def _missing(page: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the included posts that are not posts of the page themselves."""
    own = {post["id"] for post in posts_in(page)}
    return [post for post in included_in(page) if post["id"] not in own and newest_of(post) == post["id"]]


def _author(post: Mapping[str, Any]) -> str:
    return str(post.get("author_id") or "")


def _errors(page: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = page.get("errors")
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _job_in(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    data = payload.get("data")
    if not isinstance(data, dict) or not data.get("id"):
        raise UnreadableError("X's response has no compliance job; its API may have changed.")
    return data
