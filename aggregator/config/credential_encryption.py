"""Encrypt credentials of sources under the installation's key, bound to one host."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING

from cryptography.fernet import Fernet, InvalidToken

from aggregator.domain.errors import SignInError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aggregator.domain.secrets import Secret


class HeaderCipher:
    """Encrypts and decrypts the headers for the requests of a source.

    Args:
        key: the installation's secret key; headers encrypted under another key can't be decrypted.
    """

    def __init__(self, key: Secret) -> None:
        derived = hashlib.sha256(b"sign-ins of sources\n" + key.reveal().encode()).digest()
        self._fernet = Fernet(base64.urlsafe_b64encode(derived))

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


def basic(user: str, password: str) -> Mapping[str, str]:
    """Return the header for HTTP basic authentication (RFC 7617)."""
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")}
