"""Sign-ins of sources, unreadable in the database: encrypted under the installation's key, bound to one host."""

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
    """Seals and opens the headers that one source's requests carry.

    Args:
        key: the installation's secret key; what is sealed under another one can't be opened.
    """

    def __init__(self, key: Secret) -> None:
        derived = hashlib.sha256(b"sign-ins of sources\n" + key.reveal().encode()).digest()
        self._fernet = Fernet(base64.urlsafe_b64encode(derived))

    def close(self, host: str, headers: Mapping[str, str]) -> str:
        """Seal headers for requests to `host` ("name:port") alone."""
        return self._fernet.encrypt(json.dumps({"host": host, "headers": dict(headers)}).encode()).decode()

    def open(self, host: str, sealed: str) -> Mapping[str, str]:
        """Return the headers.

        Raises:
            SignInError: they were sealed under another key or for another host.
        """
        try:
            stored = json.loads(self._fernet.decrypt(sealed.encode()))
        except (InvalidToken, ValueError):
            raise SignInError(
                "The credentials were stored under another AGGREGATOR_SECRET_KEY; set them again with "
                "'aggregator source credentials'."
            ) from None
        if stored["host"] != host:
            raise SignInError(f"The sign-in is for {stored['host']}, not for {host}; give it again for the new host.")
        headers: Mapping[str, str] = stored["headers"]
        return headers


def basic(user: str, password: str) -> Mapping[str, str]:
    """Return the header of an HTTP sign-in (RFC 7617)."""
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")}
