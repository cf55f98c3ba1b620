"""Withdraw posts that were deleted or withheld upstream, with an audit entry for each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from aggregator.domain.compliance.removal import Removal
    from aggregator.domain.compliance.takedowns import Takedown
    from storage.store import Transaction

SYSTEM = "system"  # the `who` of audit entries


def withdraw_posts(
    tx: Transaction, takedowns: Sequence[Takedown], how: str, noticed: datetime, now: datetime
) -> list[Removal]:
    """Withdraw posts in every form; return the results.

    Args:
        tx: a writing transaction with the stream's lock.
        takedowns: of posts.
        how: the way in which they were noticed, for the audit log.
        noticed: when they were noticed.
        now: the present time.
    """
    by_key = {takedown.key: takedown for takedown in takedowns}
    done: dict[str, Removal] = {}
    for upstream in dict.fromkeys(takedown.fate.upstream for takedown in by_key.values()):
        reasons = {key: takedown.reason for key, takedown in by_key.items() if takedown.fate.upstream is upstream}
        done |= tx.compliance.withdraw(reasons, upstream, now)
    for key, removal in done.items():
        if removal.activities:  # else it was not stored, or is removed already
            detail = removal_detail(by_key[key], how, noticed, removal)
            tx.moderation.audit.note(now, SYSTEM, "post gone", key, detail)
    return list(done.values())


def removal_detail(takedown: Takedown, how: str, noticed: datetime, removal: Removal) -> dict[str, Any]:
    """Return the details of a removal for the audit log."""
    return {
        "how": how,
        "reason": takedown.reason,
        "at": takedown.at.isoformat() if takedown.at else None,
        "noticed": noticed.isoformat(),
        "activities": removal.activities,
        "revision": removal.revision,
    }
