"""Mail single-use links and notices to the desk's users, in the background."""

from __future__ import annotations

import queue
import threading
from email.message import EmailMessage
from typing import TYPE_CHECKING

import structlog

from aggregator.domain.access.accounts import LinkPurpose
from aggregator.domain.access.links import make_link
from aggregator.domain.errors import AggregatorError
from aggregator.services.alert_delivery import send_mail

if TYPE_CHECKING:
    from collections.abc import Callable

    from aggregator.config.settings import Settings
    from aggregator.domain.access.accounts import Account
    from aggregator.domain.clock import Clock
    from storage.store import Store

_MOST_WAITING = 100  # mails
_RESET = """Hello {name},

a new password was requested for your account at the review desk. Set it within an hour, here:

{link}

The link works once. If you did not request it, ignore this mail: your password stays as it is.
"""
_CONFIRM = """Hello {name},

confirm within a day that this is your e-mail address at the review desk:

{link}

If you have no account there, ignore this mail: nothing else is sent.
"""
_NOTICE = """Hello {name},

{what}

If that was not you, tell an admin of the review desk at once.
"""

log = structlog.get_logger(__name__)


class AccountMail:
    """Sends mail about accounts from a thread, so that the time of a response never reveals whether mail is sent.

    Mail that waits when the process ends is lost; users request it again.
    """

    def __init__(self, store: Store, settings: Callable[[], Settings], clock: Clock) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._waiting: queue.Queue[Callable[[], None]] = queue.Queue(_MOST_WAITING)
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    @property
    def is_configured(self) -> bool:
        """Whether links can be mailed: there are a mail server and a public address."""
        settings = self._settings()
        return settings.mail_server is not None and settings.public_url is not None

    def request_reset(self, email: str) -> None:
        """Mail links for new passwords to an address, if accounts have confirmed it."""

        def work() -> None:
            with self._store.reading() as tx:
                accounts = tx.access.accounts.with_email(email)
                stored = {account.id: tx.access.settings.get(account.id).email for account in accounts}
            local = self._settings().local_sign_in
            for account in accounts:
                # Never to the typed address: other letters have the same lower case.
                if (address := stored[account.id]) and (local is None or account.name in local):
                    self.send_reset(account, address)

        self._later(work)

    def mail_reset(self, account: Account, email: str) -> None:
        """Mail a link for a new password to a confirmed address."""
        self._later(lambda: self.send_reset(account, email))

    def mail_confirmation(self, account: Account, email: str) -> None:
        """Mail a link that confirms an address."""
        self._later(lambda: self.send_confirmation(account, email))

    def mail_notice(self, account: Account, email: str, what: str) -> None:
        """Mail a notice of a change to an address."""
        text = _NOTICE.format(name=account.name, what=what)
        self._later(lambda: self._send(email, "Review desk: your account was changed", text))

    def send_reset(self, account: Account, email: str) -> None:
        """Mail a link for a new password, and wait until it is sent.

        Raises:
            OSError: sending failed.
        """
        link = self._link(account, LinkPurpose.PASSWORD)
        self._send(email, "Review desk: set a new password", _RESET.format(name=account.name, link=link))

    def send_confirmation(self, account: Account, email: str) -> None:
        """Mail a link that confirms an address, and wait until it is sent.

        Raises:
            OSError: sending failed.
        """
        link = self._link(account, LinkPurpose.EMAIL, email)
        self._send(email, "Review desk: confirm your e-mail address", _CONFIRM.format(name=account.name, link=link))

    def _link(self, account: Account, purpose: LinkPurpose, email: str | None = None) -> str:
        link = make_link(purpose)
        with self._store.writing(lock_stream=False) as tx:
            tx.access.links.add(link.digest, account.id, purpose, self._clock() + link.lasts, email)
        return link.address(self._settings().public_url or "")

    def _send(self, email: str, subject: str, text: str) -> None:
        settings = self._settings()
        if settings.mail_server is None or settings.mail_from is None:
            return
        message = EmailMessage()
        message["From"] = settings.mail_from
        message["To"] = email
        message["Subject"] = subject
        message.set_content(text)
        send_mail(settings.mail_server, message)

    def _later(self, work: Callable[[], None]) -> None:
        if not self.is_configured:
            return
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="account-mail", daemon=True)
                self._thread.start()
        try:
            self._waiting.put_nowait(work)
        except queue.Full:
            log.warning("account mail dropped", waiting=_MOST_WAITING)

    def _run(self) -> None:
        while True:
            work = self._waiting.get()
            try:
                work()
            except (OSError, AggregatorError) as problem:
                log.warning("account mail not sent", reason=str(problem))
            except Exception as problem:  # noqa: BLE001  # such as of the database: later mail is sent nevertheless
                log.warning("account mail not sent", reason=type(problem).__name__)
            finally:
                self._waiting.task_done()
