"""Sign in at the provider of OpenID Connect, confirm who one is there, and sign out there."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple, Protocol

import structlog
from starlette.responses import RedirectResponse, Response

from aggregator.config.credential_encryption import HeaderCipher
from aggregator.domain.access.accounts import ProviderSession, Role
from aggregator.domain.access.single_sign_on import CALLBACK, ProviderAwayError, SignOnError, SignOnRequest, names_from
from aggregator.domain.errors import SignInError
from aggregator.review.attempts import client_of, succeeded
from aggregator.review.auth import safe_next
from aggregator.review.context import HOME, DeskRoute
from aggregator.review.errors import TooManyTriesError
from aggregator.review.one_time import spend
from aggregator.web.responses import JSON

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from starlette.requests import Request

    from aggregator.domain.access.accounts import Account
    from aggregator.domain.access.single_sign_on import EndedSession, SignOnUser
    from aggregator.domain.secrets import Secret
    from aggregator.review.attempts import Subjects
    from aggregator.review.auth import Gate, Present
    from aggregator.review.context import DeskContext, DeskRequest
    from aggregator.review.form import Form
    from aggregator.review.one_time import Claims
    from storage.store import Transaction

_LASTS = timedelta(minutes=10)  # from the begin of a sign-in to the provider's answer
_PURPOSE = "sign-on"
_PLACE = "id token"  # to which encrypted ID tokens are bound
_LONGEST_TOKEN = 64 * 1024  # characters
_LONGEST_KEPT = 16 * 1024  # characters of an ID token that is kept for signing out
_EXPIRED = "This sign-in took too long, or was finished already. Try again."

log = structlog.get_logger(__name__)


class SignOn(Protocol):
    """The sign-on provider."""

    @property
    def label(self) -> str:
        """The provider's name for people."""
        ...

    @property
    def issuer(self) -> str:
        """The provider's own name."""
        ...

    def begin(self, request: SignOnRequest) -> str:
        """Return the address at which the user signs in."""
        ...

    def finish(self, code: str, issuer: str, request: SignOnRequest) -> SignOnUser:
        """Exchange a code for the user's identity."""
        ...

    def end_url(self, id_token: str | None, return_to: str) -> str | None:
        """Return the address at which the user signs out of the provider."""
        ...

    def ended(self, token: str) -> EndedSession:
        """Return what a logout token announces."""
        ...


class _Begun(NamedTuple):
    """A sign-in that a browser began."""

    token: str
    claims: Claims
    request: SignOnRequest


class SignOnPages:
    """The routes of sign-in at the provider.

    A sign-in that was begun is a signed token in a cookie. State, nonce and PKCE's verifier are derived from it, so
    that nothing is stored before the provider has answered.

    Args:
        desk: what the desk's sections share.
        gate: the sessions.
        sign_on: the provider.
        keys: the keys that encrypt ID tokens.
        public_url: the public address, to which the provider returns users.
        refuse: shows the sign-in page with a reason.
    """

    def __init__(
        self,
        desk: DeskContext,
        gate: Gate,
        sign_on: SignOn,
        keys: Callable[[], tuple[Secret, ...]],
        public_url: str,
        refuse: Callable[[Request, str, int], Response],
    ) -> None:
        self._desk = desk
        self._gate = gate
        self._sign_on = sign_on
        self._keys = keys
        self._redirect_url = f"{public_url}{CALLBACK}"
        self._public_url = public_url
        self._refuse = refuse
        self._cookie = "__Host-desk-sign-on" if desk.secure else "desk-sign-on"

    def routes(self) -> Iterable[DeskRoute]:
        """Return the routes that need a session."""
        yield DeskRoute("GET", "/confirm/sign-on", Role.VIEWER, self.confirm)

    def begin(self, request: Request, form: Form) -> Response:
        """Redirect to the provider."""
        del form
        return self._redirect(request, {"next": safe_next(request.query_params.get("next", HOME))})

    def confirm(self, request: DeskRequest) -> Response:
        """Redirect to the provider, where the user must sign in again."""
        since = request.now.isoformat()
        return self._redirect(request.http, {"since": since, "session": _digest(request.session)})

    def finish(self, request: Request, _form: Form) -> Response:
        """Sign in a user who returns from the provider, or confirm who they are."""
        now, address = self._desk.clock(), client_of(request)
        begun = self._begun(request, now)
        if begun is None:  # not counted, since another site may have sent the browser here
            return self._refuse(request, _EXPIRED, 422)
        subjects = {"address": f"sign-on:{address}"}
        try:
            count = self._gate.attempts.count(subjects, now)
        except TooManyTriesError as problem:
            return self._refuse(request, str(problem), 429)
        try:
            values, user = begun.claims.values, self._user(request, begun)
            present = self._gate.present(request, now)
            with self._desk.store.writing() as tx:
                succeeded(tx, subjects)
                if "session" in values:
                    answer = self._confirmed(tx, present, values["session"], user, now)
                else:
                    answer = self._entered(tx, request, values, user, now)
        except ProviderAwayError as problem:
            self._uncount(subjects)  # so that its outage pauses no sign-ins
            answer = self._refuse(request, str(problem), 503)
        except SignOnError as problem:
            log.warning("sign-on refused", reason=str(problem), address=address)
            detail = {"address": address, "with": self._sign_on.label, "problem": str(problem)}
            self._gate.attempts.note_failure(subjects, count, now, detail)
            answer = self._refuse(request, str(problem), 422)
        answer.delete_cookie(self._cookie, path="/", secure=self._desk.secure, httponly=True, samesite="lax")
        return answer

    def end(self, id_token: str | None) -> str | None:
        """Return the address at which a user signs out of the provider, too."""
        try:
            stored = {} if id_token is None else HeaderCipher(*self._keys()).open(_PLACE, id_token)
        except SignInError:  # the key has changed
            stored = {}
        return self._sign_on.end_url(stored.get("token"), f"{self._public_url}{HOME}/sign-in")

    def ended(self, request: Request, form: Form) -> Response:
        """End the sessions that the provider announces to have ended (OpenID Connect Back-Channel Logout)."""
        now, subjects = self._desk.clock(), {"address": f"sign-out:{client_of(request)}"}
        self._gate.attempts.count(subjects, now)
        try:
            ended = self._sign_on.ended(form.raw("logout_token", most=_LONGEST_TOKEN))
            with self._desk.store.writing() as tx:
                self._end_sessions(tx, ended, now)
                succeeded(tx, subjects)
        except ProviderAwayError:
            self._uncount(subjects)
            return Response('{"error": "temporarily_unavailable"}', 503, media_type=JSON)
        except SignOnError as problem:
            log.warning("sign-out of provider refused", reason=str(problem))
            return Response('{"error": "invalid_request"}', 400, media_type=JSON)
        return Response(status_code=200)

    def _uncount(self, subjects: Subjects) -> None:
        with self._desk.store.writing(lock_stream=False) as tx:
            succeeded(tx, subjects)

    def _end_sessions(self, tx: Transaction, ended: EndedSession, now: datetime) -> None:
        if not tx.access.spent.spend(_digest(f"logout\n{ended.token_id}"), ended.expires):
            raise SignOnError("This logout token was used already.")
        account = None if ended.subject is None else tx.access.accounts.by_subject(ended.issuer, ended.subject)
        if ended.subject is not None and account is None:
            return
        session = None if ended.provider_session is None else _digest(ended.provider_session)
        tx.access.accounts.close_at_provider(account.id if account else None, session)
        if account is not None:
            subject = f"account:{account.name}"
            tx.moderation.audit.note(now, account.name, "signed out", subject, {"with": self._sign_on.label})

    def _redirect(self, request: Request, values: Mapping[str, str]) -> Response:
        until = self._desk.clock() + _LASTS
        token = self._gate.tokens.issue(_PURPOSE, "", until, **values)
        try:
            address = self._sign_on.begin(self._request(token, values))
        except SignOnError as problem:
            return self._refuse(request, str(problem), 503)
        answer = RedirectResponse(address, status_code=303)
        answer.set_cookie(
            self._cookie,
            token,
            max_age=int(_LASTS.total_seconds()),
            path="/",
            secure=self._desk.secure,
            httponly=True,
            samesite="lax",
        )
        return answer

    def _request(self, token: str, values: Mapping[str, str]) -> SignOnRequest:
        derive = self._gate.tokens.derive
        since = datetime.fromisoformat(values["since"]) if "since" in values else None
        state, nonce, verifier = (derive(token, label) for label in ("state", "nonce", "verifier"))
        return SignOnRequest(state, nonce, verifier, self._redirect_url, since)

    def _begun(self, request: Request, now: datetime) -> _Begun | None:
        """Return the sign-in that this browser began and the provider's answer belongs to."""
        token = request.cookies.get(self._cookie, "")
        claims = self._gate.tokens.open(token, _PURPOSE, "", now)
        if claims is None:
            return None
        begun = self._request(token, claims.values)
        fits = hmac.compare_digest(request.query_params.get("state", "").encode(), begun.state.encode())
        return _Begun(token, claims, begun) if fits else None

    def _user(self, request: Request, begun: _Begun) -> SignOnUser:
        """Return the user for whom the provider vouches."""
        query = request.query_params
        with self._desk.store.writing(lock_stream=False) as tx:
            if not spend(tx, begun.token, begun.claims):
                raise SignOnError(_EXPIRED)
        if "error" in query or not query.get("code"):
            raise SignOnError(f"The sign-in service refused: {query.get('error', 'no code')[:100]!r}.")
        return self._sign_on.finish(query["code"], query.get("iss", ""), begun.request)

    def _entered(
        self, tx: Transaction, request: Request, values: Mapping[str, str], user: SignOnUser, now: datetime
    ) -> Response:
        account = self._account(tx, user, now)
        id_token = user.id_token if len(user.id_token) <= _LONGEST_KEPT else ""
        sealed = HeaderCipher(*self._keys()).close(_PLACE, {"token": id_token})
        session = ProviderSession(_digest(user.provider_session) if user.provider_session else None, sealed)
        how = {"with": self._sign_on.label}
        token = self._gate.enter(tx, account, client_of(request), now, how, session)
        answer = RedirectResponse(self._desk.pages.link(values.get("next", HOME)), status_code=303)
        self._gate.hand_over(answer, token)
        return answer

    def _confirmed(
        self, tx: Transaction, present: Present | None, session: str, user: SignOnUser, now: datetime
    ) -> Response:
        if present is None or _digest(present.session) != session:
            raise SignOnError(_EXPIRED)
        if (present.account.issuer, present.account.subject) != (user.issuer, user.subject):
            raise SignOnError("You signed in as another user.")
        self._gate.confirm(tx, present.session, now)
        return RedirectResponse(self._desk.pages.link(f"{HOME}/confirm"), status_code=303)

    def _account(self, tx: Transaction, user: SignOnUser, now: datetime) -> Account:
        """Return the account of a provider's user, with the role of their groups; a new user gets a new account."""
        accounts = tx.access.accounts
        found = accounts.by_subject(user.issuer, user.subject)
        if found is None:
            found = _added(tx, user, now)
            self._note(tx, found, "added an account", {"role": user.role.value}, now)
        if found.disabled is not None:
            raise SignOnError("Your account is deactivated. Ask an admin.")
        if found.role is not user.role:
            accounts.change(found.id, role=user.role.value)
            self._note(tx, found, "changed a role", {"from": found.role.value, "to": user.role.value}, now)
        return found

    def _note(self, tx: Transaction, account: Account, what: str, detail: Mapping[str, str], now: datetime) -> None:
        tx.moderation.audit.note(now, self._sign_on.label, what, f"account:{account.name}", dict(detail))


def _added(tx: Transaction, user: SignOnUser, now: datetime) -> Account:
    """Add an account under a free name: an account of the same name or e-mail address is another one."""
    for name in names_from(user.name):
        if tx.access.accounts.add(name, user.role, "", now, issuer=user.issuer, subject=user.subject):
            added = tx.access.accounts.by_subject(user.issuer, user.subject)
            if added is None:
                break
            if user.email is not None:
                tx.access.settings.change(added.id, email=user.email, email_confirmed=now)
            return added
    raise SignOnError("There are too many users of your name. Ask an admin.")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
