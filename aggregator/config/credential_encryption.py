"""Encrypt credentials of sources under the installation's key, bound to one host."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from aggregator.domain.errors import SignInError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aggregator.domain.secrets import Secret


_PURPOSE = b"sign-ins of sources"  # another purpose gets another key (RFC 5869)


class HeaderCipher:
    """Encrypts and decrypts the headers for the requests of a source.

    Args:
        key: the installation's secret key, which encrypts.
        former: former keys; headers encrypted under other keys can't be decrypted.
    """

    def __init__(self, key: Secret, *former: Secret) -> None:
        derived = [_derived(each) for each in (key, *former)]
        others = [_of_former_releases(each) for each in (key, *former)]
        self._present = derived[0]
        self._fernet = MultiFernet([*derived, *others])

    def is_present(self, sealed: str) -> bool:
        """Return whether something was encrypted under the present key."""
        try:
            self._present.decrypt(sealed.encode())
        except InvalidToken:
            return False
        return True

    def encrypted_again(self, sealed: str) -> str | None:
        """Return the same, encrypted under the present key; None: no listed key can decrypt it."""
        try:
            return self._fernet.rotate(sealed.encode()).decode()
        except InvalidToken:
            return None

    def close(self, host: str, headers: Mapping[str, str]) -> str:
        """Encrypt headers for requests to `host` ("name:port") only."""
        return self._fernet.encrypt(json.dumps({"host": host, "headers": dict(headers)}).encode()).decode()

    def open(self, host: str, sealed: str) -> Mapping[str, str]:
        """Decrypt the headers.

        Raises:
            SignInError: they were encrypted under another key or for another host.
        """
        try:
            stored = json.loads(self._fernet.decrypt(sealed.encode()))
        except (InvalidToken, ValueError):
            raise SignInError(
                "The credentials were stored under another AGGREGATOR_SECRET_KEY; set them again with "
                "'aggregator source credentials'."
            ) from None
        if stored["host"] != host:
            raise SignInError(
                f"The credentials are for {stored['host']}, not for {host}; set them again for the new host."
            )
        headers: Mapping[str, str] = stored["headers"]
        return headers


def _derived(key: Secret) -> Fernet:
    derived = HKDF(SHA256(), 32, salt=None, info=_PURPOSE).derive(key.reveal().encode())
    return Fernet(base64.urlsafe_b64encode(derived))


def _of_former_releases(key: Secret) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(_PURPOSE + b"\n" + key.reveal().encode()).digest()))


def basic(user: str, password: str) -> Mapping[str, str]:
    """Return the header for HTTP basic authentication (RFC 7617)."""
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")}
