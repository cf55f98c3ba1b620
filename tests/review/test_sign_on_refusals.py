"""Test what a sign-in at a provider refuses: wrong tokens, answers, keys and descriptions."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from tests.openid_provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    Key,
    OpenIdProvider,
    signed_with_secret,
    unsigned,
)
from tests.review.conftest import Visitor
from tests.review.sign_on_house import (
    MIRA,
    ProviderVisitor,
    complaint,
    house,
    provider,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.review.conftest import Answer, Installation

__all__ = ["house", "provider"]


def _claims(**claims: Any) -> Callable[[OpenIdProvider, float], None]:
    return lambda provider, _: provider.claimed.update(claims)


def _times(**offsets: float) -> Callable[[OpenIdProvider, float], None]:
    return lambda provider, now: provider.claimed.update({name: now + offset for name, offset in offsets.items()})


def _signs(sign: Callable[[OpenIdProvider, dict[str, Any]], str]) -> Callable[[OpenIdProvider, float], None]:
    def change(provider: OpenIdProvider, _: float) -> None:
        provider.sign = lambda claims: sign(provider, claims)

    return change


def _describes_another(provider: OpenIdProvider, _: float) -> None:
    provider.in_userinfo = frozenset({"groups"})
    provider.claimed["userinfo_sub"] = "eve"


WRONG: dict[str, tuple[Callable[[OpenIdProvider, float], None], str]] = {
    "issuer": (_claims(iss="https://evil.example"), "claim 'iss'"),
    "nonce": (_claims(nonce="another"), "claim 'nonce'"),
    "no nonce": (_claims(nonce=None), "claim 'nonce'"),
    "audience": (_claims(aud="another-client"), "claim 'aud'"),
    "no audience": (_claims(aud=None), "claim 'aud'"),
    "several audiences": (_claims(aud=[CLIENT_ID, "other"]), "for several clients"),
    "another party": (_claims(aud=[CLIENT_ID, "other"], azp="other"), "for another client"),
    "expired": (_times(iat=-500, exp=-61), "claim 'exp'"),
    "no end": (_claims(exp=None), "claim 'exp'"),
    "future": (_times(iat=3600, exp=7200), "claim 'iat'"),
    "not yet": (_times(nbf=3600), "claim 'nbf'"),
    "old": (_times(iat=-3600), "is too old"),
    "no subject": (_claims(sub=None), "named no user"),
    "long subject": (_claims(sub="s" * 256), "named no user"),
    "a time without end": (_claims(iat=-(10**400)), "is too old"),
    "number as subject": (_claims(sub=7), "claim 'sub'"),
    "unsigned": (_signs(lambda _, claims: unsigned(claims)), "not allowed"),
    "client secret": (_signs(lambda _, claims: signed_with_secret(claims, CLIENT_SECRET.encode())), "not allowed"),
    "public key as secret": (
        _signs(lambda p, claims: signed_with_secret(claims, p.key.public()["n"].encode(), kid=p.key.kid)),
        "not allowed",
    ),
    "another key of the same id": (_signs(lambda p, claims: Key(p.key.kid).signed(claims)), "no valid signature"),
    "an unknown key": (_signs(lambda _, claims: Key("unknown").signed(claims)), "unknown key"),
    "changed claims": (
        _signs(lambda p, claims: _with_claims(p.key.signed(claims), unsigned({**claims, "groups": ["web"]}))),
        "no valid signature",
    ),
    "critical header": (_signs(lambda p, claims: p.key.signed(claims, crit=["exp"])), "no valid signature"),
    "no token": (_signs(lambda *_: "x"), "malformed"),
    "long token": (_signs(lambda *_: "x" * 70_000), "too long"),
    "other userinfo": (
        _describes_another,
        "described another user",
    ),
}


def _with_claims(token: str, other: str) -> str:
    head, _, signature = token.split(".")
    return f"{head}.{other.split('.')[1]}.{signature}"


@pytest.mark.parametrize("name", WRONG)
def test_wrong_tokens_are_refused(house: Installation, provider: OpenIdProvider, name: str) -> None:
    change, reason = WRONG[name]
    change(provider, house.clock().timestamp())
    visitor = ProviderVisitor(house.address)

    answer = visitor.sign_in_there()

    assert answer.status == 422
    assert reason in complaint(answer)
    assert visitor.get("/review").status == 303
    with house.store.reading() as tx:
        assert tx.access.accounts.all() == []
        [note] = tx.moderation.audit.page()
    assert (note["what"], note["detail"]["with"]) == ("failed to sign in", "Harbor ID")
    assert CLIENT_SECRET not in str(note)


class Returned:
    """An answer of the provider, which tests send again and again."""

    def __init__(self, house: Installation) -> None:
        self.visitor = ProviderVisitor(house.address)
        self.path = self.visitor.callback(self.visitor.begin(), "mira")
        self.cookie = "; ".join(f"{found.name}={found.value}" for found in self.visitor.jar if "sign-on" in found.name)
        self._query = {key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()}

    def send(self, cookie: str | None = None, **changed: str) -> Answer:
        """Send it from a browser that has this cookie only."""
        headers = {"Accept": "text/html", "Cookie": self.cookie if cookie is None else cookie}
        query = urlencode({**self._query, **changed})
        return Visitor(self.visitor.address).get(f"/review/sign-in/callback?{query}", headers)


def test_answers_are_accepted_once_in_time_in_the_browser_that_began(house: Installation) -> None:
    first = Returned(house)
    assert first.send(cookie="").status == 422  # another browser
    assert first.send(cookie=first.cookie[:-1] + "x").status == 422
    assert first.send(state="another").status == 422
    assert first.send().status == 303
    assert "finished already" in complaint(first.send())  # the same answer again

    second = Returned(house)
    assert "another sign-in service" in complaint(second.send(iss="https://evil.example"))
    assert "finished already" in complaint(second.send())  # a refusal has used it, too

    third = Returned(house)
    house.clock.pass_(minutes=11)
    assert "took too long" in complaint(third.send())


def test_a_logout_token_is_never_used_again(house: Installation, provider: OpenIdProvider) -> None:
    token = provider.logout_token(sub=MIRA["sub"], exp=10**15)
    stranger = Visitor(house.address)
    assert stranger.post("/review/sign-in/ended", {"logout_token": token}, csrf="").status == 200
    house.clock.pass_(days=1, seconds=1)
    with house.store.writing() as tx:
        assert tx.access.accounts.forget(house.clock(), house.clock()) > 0
    assert stranger.post("/review/sign-in/ended", {"logout_token": token}, csrf="").status == 400


def test_another_site_can_neither_end_nor_pause_a_sign_in(house: Installation) -> None:
    visitor = ProviderVisitor(house.address)
    path = visitor.callback(visitor.begin(), "mira")
    for forged in ("", "?code=x&state=y", "?error=x"):
        assert [visitor.get(f"/review/sign-in/callback{forged}").status for _ in range(10)] == [422] * 10
    assert visitor.get(path).status == 303
    with house.store.reading() as tx:
        assert {note["what"] for note in tx.moderation.audit.page()} == {"signed in", "added an account"}


def test_a_page_of_any_length_is_asked_for(house: Installation) -> None:
    visitor = ProviderVisitor(house.address)
    path = visitor.begin(f"/review/sign-in/provider?next=/review?q={'x' * 1900}")
    assert len(visitor.get(visitor.callback(path, "mira")).headers["location"]) > 1900
    other = ProviderVisitor(house.address)
    path = other.begin(f"/review/sign-in/provider?next=/review?q={'x' * 5000}")
    assert other.get(other.callback(path, "mira")).headers["location"] == "/review"


def test_guesses_of_codes_are_paused(house: Installation) -> None:
    statuses = []
    for _ in range(22):
        visitor = ProviderVisitor(house.address)
        state = parse_qs(urlsplit(visitor.begin()).query)["state"][0]
        statuses.append(visitor.get("/review/sign-in/callback?" + urlencode({"code": "x", "state": state})).status)
    assert statuses == [422] * 20 + [429] * 2


def test_a_used_code_is_refused_by_the_provider(house: Installation) -> None:
    """The answer of another sign-in has a code that its own verifier doesn't fit."""
    first, second = ProviderVisitor(house.address), ProviderVisitor(house.address)
    stolen = parse_qs(urlsplit(first.callback(first.begin(), "mira")).query)["code"][0]
    own = parse_qs(urlsplit(second.callback(second.begin(), "root")).query)

    answer = second.get("/review/sign-in/callback?" + urlencode({"code": stolen, "state": own["state"][0]}))

    assert answer.status == 422
    assert "refused to finish this sign-in" in complaint(answer)


def test_a_refusal_of_the_provider_is_shown_and_escaped(house: Installation) -> None:
    visitor = ProviderVisitor(house.address)
    denied = visitor.get(visitor.callback(visitor.begin(), "nobody"))
    assert "'access_denied'" in complaint(denied)

    visitor = ProviderVisitor(house.address)
    state = parse_qs(urlsplit(visitor.begin()).query)["state"][0]
    path = "/review/sign-in/callback?" + urlencode({"error": "<script>alert(1)</script>" * 50, "state": state})
    answer = visitor.get(path)
    assert answer.status == 422
    assert "<script>alert" not in answer.text


def test_a_new_key_is_fetched(house: Installation, provider: OpenIdProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ProviderVisitor(house.address).sign_in_there().status == 303
    provider.key = Key("second")
    refused = ProviderVisitor(house.address).sign_in_there()
    assert "unknown key" in complaint(refused)  # keys were fetched a moment ago

    real = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: real() + 31)
    assert ProviderVisitor(house.address).sign_in_there().status == 303
    assert provider.requests.count("GET /jwks") == 2
    assert provider.requests.count("GET /.well-known/openid-configuration") == 1


@pytest.mark.parametrize(
    ("published", "reason"),
    [
        ({"issuer": "https://evil.example"}, "calls itself"),
        ({"authorization_endpoint": None}, "authorization_endpoint"),
        ({"token_endpoint": "http://provider.example/token"}, "token_endpoint"),
        ({"jwks_uri": "file:///etc/passwd"}, "jwks_uri"),
        ({"end_session_endpoint": "javascript:alert(1)"}, "end_session_endpoint"),
        ({"filler": "x" * 600_000}, "not responding"),
    ],
)
def test_an_unusable_description_is_refused(
    house: Installation, provider: OpenIdProvider, published: dict[str, Any], reason: str
) -> None:
    provider.published = published
    answer = Visitor(house.address).get("/review/sign-in/provider")
    assert answer.status == 503
    assert reason in complaint(answer)


@pytest.mark.parametrize("keys", [{"keys": []}, {"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}, [], {"keys": [7, {}]}])
def test_keys_that_are_none_are_refused(house: Installation, provider: OpenIdProvider, keys: object) -> None:
    provider.published["keys"] = keys
    answer = ProviderVisitor(house.address).sign_in_there()
    assert answer.status == 422
    assert "no usable keys" in complaint(answer) or "no JSON object" in complaint(answer)


def test_forged_announcements_pause_no_sign_in(house: Installation) -> None:
    stranger = ProviderVisitor(house.address)
    sent = [stranger.post("/review/sign-in/ended", {"logout_token": "x"}, csrf="").status for _ in range(22)]
    assert sent == [400] * 20 + [429] * 2
    assert stranger.sign_in_there().status == 303
