"""Make and check the messages of WebAuthn, by which browsers register and use passkeys."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, NamedTuple, Self
from urllib.parse import urlsplit

from webauthn import (
    base64url_to_bytes,
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import bytes_to_base64url
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from aggregator.domain.access.accounts import Passkey
from aggregator.review.form import BadFormError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from aggregator.domain.access.accounts import Account

LONGEST_RESPONSE = 16 * 1024  # characters of a browser's message
_LONGEST_CREDENTIAL = 1400  # characters of the 1,023 bytes that the standard allows, in base64url
_TIMEOUT = 120_000  # milliseconds that a browser waits for the user
# What the library raises about messages of any other form.
_UNREADABLE = (WebAuthnException, ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError)
_REQUIRED = UserVerificationRequirement.REQUIRED


class RelyingParty(NamedTuple):
    """The site for which passkeys are valid."""

    id: str  # the host name
    origin: str
    name: str = "Review desk"

    @classmethod
    def of(cls, public_url: str | None) -> Self | None:
        """Return the site of a public address; None if browsers allow no passkeys there."""
        parts = urlsplit(public_url or "")
        host = parts.hostname or ""
        is_secure = parts.scheme == "https" or host == "localhost"
        is_name = ":" not in host and not host.rpartition(".")[2].isdigit()
        return cls(host, f"{parts.scheme}://{parts.netloc}") if host and is_secure and is_name else None


class PasskeyError(BadFormError):
    """A passkey can't be used; the message contains the reason."""


def creation_options(site: RelyingParty, account: Account, challenge: str, existing: Iterable[Passkey]) -> str:
    """Return the options for registering a passkey, as JSON. It must be stored on the authenticator."""
    options = generate_registration_options(
        rp_id=site.id,
        rp_name=site.name,
        user_name=account.name,
        user_id=user_handle(account),
        challenge=challenge.encode(),
        timeout=_TIMEOUT,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, require_resident_key=True, user_verification=_REQUIRED
        ),
        exclude_credentials=_descriptors(existing),
    )
    return options_to_json(options)


def request_options(site: RelyingParty, challenge: str, allowed: Iterable[Passkey] = ()) -> str:
    """Return the options for using a passkey, as JSON; without `allowed`, the user chooses among those of this site."""
    options = generate_authentication_options(
        rp_id=site.id,
        challenge=challenge.encode(),
        timeout=_TIMEOUT,
        allow_credentials=_descriptors(allowed) or None,
        user_verification=_REQUIRED,
    )
    return options_to_json(options)


def registered(
    site: RelyingParty, account: Account, name: str, challenge: str, response: str, now: datetime
) -> Passkey:
    """Return the new passkey in a browser's message.

    Raises:
        PasskeyError: the message is invalid.
    """
    try:
        found = verify_registration_response(
            credential=response,
            expected_challenge=challenge.encode(),
            expected_rp_id=site.id,
            expected_origin=site.origin,
            require_user_verification=True,
        )
    except _UNREADABLE as problem:
        raise PasskeyError("The browser's message about the new passkey is invalid. Try again.") from problem
    credential = bytes_to_base64url(found.credential_id)
    if len(credential) > _LONGEST_CREDENTIAL:
        raise PasskeyError("The passkey's id is too long.")
    return Passkey(0, account.id, credential, name, found.credential_public_key, found.sign_count, now)


def credential_in(response: str) -> str:
    """Return the id of the passkey that a message claims to be from."""
    try:
        id_ = json.loads(response)["id"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise PasskeyError("The browser's message about the passkey is invalid. Try again.") from None
    return id_ if isinstance(id_, str) and len(id_) <= _LONGEST_CREDENTIAL else ""


def new_count(site: RelyingParty, passkey: Passkey, account: Account, challenge: str, response: str) -> int:
    """Check a browser's message that a passkey was used; return its new counter.

    Raises:
        PasskeyError: the message is invalid, or its counter has not grown, as with a copied passkey.
    """
    try:
        handle = json.loads(response)["response"].get("userHandle")
        if handle and base64url_to_bytes(handle) != user_handle(account):
            raise PasskeyError("The passkey is another user's.")
        found = verify_authentication_response(
            credential=response,
            expected_challenge=challenge.encode(),
            expected_rp_id=site.id,
            expected_origin=site.origin,
            credential_public_key=passkey.public_key,
            credential_current_sign_count=passkey.sign_count,
            require_user_verification=True,
        )
    except _UNREADABLE as problem:
        raise PasskeyError("The passkey was not accepted. Try again, or sign in another way.") from problem
    return found.new_sign_count


def user_handle(account: Account) -> bytes:
    """Return the id of an account on authenticators, which has no personal data."""
    return hashlib.sha256(f"desk user\n{account.id}\n{account.created.timestamp()}".encode()).digest()


def _descriptors(passkeys: Iterable[Passkey]) -> list[PublicKeyCredentialDescriptor]:
    return [PublicKeyCredentialDescriptor(id=base64url_to_bytes(passkey.credential)) for passkey in passkeys]
