"""Check the signature and the claims of tokens of a sign-on provider."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from aggregator.domain.access.single_sign_on import CLOCK_SKEW, SignOnError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

# Those of public keys. With others, a token could be unsigned, or signed with the client's own secret.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
_KINDS = ("RSA", "EC", "OKP")  # of keys that are public
_MOST_KEYS = 100
_LEEWAY = int(CLOCK_SKEW.total_seconds())
_LONGEST = 64 * 1024  # characters of a token


class Expected(NamedTuple):
    """What the claims of a token must be."""

    issuer: str
    audience: str
    nonce: str | None = None

    def rules(self) -> Any:  # noqa: ANN401  # keyword arguments of the library
        """Return the rules of the library."""
        values = {"iss": self.issuer, "aud": self.audience, "nonce": self.nonce}
        named = {name: {"essential": True, "value": value} for name, value in values.items() if value is not None}
        return {**named, "exp": {"essential": True}, "iat": {"essential": True}}


class UnknownKeyError(SignOnError):
    """No known key of the provider made the signature; it may have a new one."""


def key_set(document: object) -> KeySet:
    """Return the public keys in a JWKS document; keys of other kinds are left out.

    Raises:
        SignOnError: it has none.
    """
    listed = document.get("keys") if isinstance(document, dict) else None
    found = [_imported(key) for key in listed[:_MOST_KEYS]] if isinstance(listed, list) else []
    keys = [key for key in found if key is not None]
    if not keys:
        raise SignOnError("The sign-in service publishes no usable keys.")
    return KeySet(keys)


def verified(token: str, keys: KeySet, expected: Expected, now: datetime) -> Mapping[str, Any]:
    """Return the claims of a token that has a valid signature and is valid now.

    Raises:
        UnknownKeyError: it is signed with another key.
        SignOnError: it is invalid; the message contains the reason.
    """
    if len(token) > _LONGEST:
        raise SignOnError("The sign-in service's token is too long.")
    try:
        decoded = jwt.decode(token, keys, algorithms=list(ALGORITHMS))
    except (JoseError, ValueError, TypeError, KeyError, RecursionError) as problem:
        _refuse_signature(token, keys, problem)
        raise SignOnError("The sign-in service's token has no valid signature.") from None
    registry = jwt.JWTClaimsRegistry(now=int(now.timestamp()), leeway=_LEEWAY, **expected.rules())
    try:
        registry.validate(decoded.claims)
    except JoseError as problem:
        claim = getattr(problem, "claim", None) or "exp"
        raise SignOnError(f"The sign-in service's token is not valid here and now (claim '{claim}').") from None
    return decoded.claims


def _imported(key: object) -> Any:  # noqa: ANN401  # one of four classes of keys
    """Return a public signature key; None for others."""
    from joserfc.jwk import import_key

    if not isinstance(key, dict) or key.get("kty") not in _KINDS or key.get("use", "sig") != "sig":
        return None
    try:
        return import_key({name: value for name, value in key.items() if name not in {"d", "p", "q", "key_ops"}})
    except (JoseError, ValueError, TypeError, KeyError):
        return None


def _refuse_signature(token: str, keys: KeySet, problem: Exception) -> None:
    """Raise an error for a token whose key is unknown."""
    from joserfc.jws import extract_compact

    try:
        header = extract_compact(token.encode()).headers()
    except (JoseError, ValueError, TypeError, RecursionError):
        raise SignOnError("The sign-in service's token is malformed.") from problem
    if header.get("alg") not in ALGORITHMS:
        raise SignOnError("The sign-in service's token is signed in a way that is not allowed.") from problem
    if header.get("kid") not in [key.kid for key in keys.keys]:
        raise UnknownKeyError("The sign-in service's token is signed with an unknown key.") from problem
