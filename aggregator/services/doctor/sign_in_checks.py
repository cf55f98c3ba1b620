"""Check sign-in at the review desk: the sign-on provider, and the address to which it returns users."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from aggregator.domain.access.accounts import Role
from aggregator.domain.access.single_sign_on import SignOnError
from aggregator.domain.monitoring.findings import error, warning
from aggregator.services.single_sign_on import RedirectRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aggregator.domain.monitoring.findings import Finding
    from aggregator.services.doctor.examination import Subject


def check_sign_on(subject: Subject) -> Iterator[Finding]:
    """Check the provider's description and keys, and that users can return from it."""
    settings = subject.settings
    if settings.oidc_issuer is None or subject.check_provider is None:
        if settings.local_sign_in is not None and not settings.local_sign_in:
            yield error(
                "sign-in-impossible",
                "No account may sign in at the review desk.",
                "Set AGGREGATOR_OIDC_ISSUER, or name accounts in AGGREGATOR_LOCAL_SIGN_IN.",
            )
        return
    try:
        subject.check_provider()
    except RedirectRefusedError as problem:
        yield error(
            "sign-on-redirect-unknown",
            str(problem),
            "Register this address with the service; it follows from AGGREGATOR_PUBLIC_URL.",
        )
    except SignOnError as problem:
        yield error(
            "sign-on-unusable",
            f"The sign-in service {settings.oidc_issuer} can't be used: {problem}",
            "Correct AGGREGATOR_OIDC_ISSUER, or let this machine reach the service.",
        )
    public = urlsplit(settings.public_url or "")
    if public.scheme == "http" and public.hostname not in {"localhost", "127.0.0.1", "::1"}:
        yield error(
            "sign-on-redirect-insecure",
            f"Users return from the sign-in service to {settings.public_url}/review/sign-in/callback, unencrypted.",
            "Set AGGREGATOR_PUBLIC_URL to the https address, and register that address with the service.",
        )
    if Role.ADMIN not in settings.oidc_groups.values():
        yield warning(
            "sign-on-without-admins",
            "No group of the sign-in service has the role admin.",
            "Name such a group in AGGREGATOR_OIDC_GROUPS, or keep a local admin in AGGREGATOR_LOCAL_SIGN_IN.",
        )
