"""Read all settings once from the environment (`AGGREGATOR_*`) into a validated, frozen object.

A secret may be read from a file instead (`AGGREGATOR_SECRET_KEY_FILE`); secrets are masked in every printed form.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aggregator.config.broker_address import BrokerAddress, BrokerKind
from aggregator.config.option_values import Network, Rate
from aggregator.config.options import OPTIONS, SHORTEST_SECRET
from aggregator.domain.errors import SettingsError
from aggregator.domain.secrets import Secret
from aggregator.domain.settings_schema import FOREVER, PREFIX, Option, duration_value
from aggregator.sources import settings as kind_settings
from aggregator.system import private_files

if TYPE_CHECKING:
    from aggregator.domain.access.accounts import Role

__all__ = ["OPTIONS", "Network", "Rate", "Secret", "Settings"]

KEY_FILE = "secret-key"  # in the data directory
FROM_FILE = "file "  # begins the origin of a value that was read from a file

_T = TypeVar("_T")
# How options are written that are None.
_NONE = {
    **dict.fromkeys(("HIDDEN_AGE", "STREAM_AGE"), FOREVER),
    **dict.fromkeys(("RATE_LIMIT", "QUEUE_AGE", "METRICS_NETWORKS"), "off"),
    "LOCAL_SIGN_IN": "all",
}


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings. `origins` has the origin of each option: "environment", a file, "default" or "made"."""

    data_dir: Path
    config_dir: Path | None  # None: nothing is configured
    database_url: Secret
    direct_database_url: Secret | None  # for notifications; None: those of `database_url`
    replica_url: Secret | None  # None: readers use the database itself
    broker_url: Secret
    private_networks: tuple[Network, ...]
    contact_url: str | None
    public_url: str | None
    listen: tuple[str, int]
    trusted_proxies: tuple[Network, ...]
    metrics_networks: tuple[Network, ...] | None  # None: there is no /metrics
    cors_origins: tuple[str, ...]  # or ("*",)
    rate_limit: Rate | None  # None: unlimited
    rate_store: Secret
    secret_key: tuple[Secret, ...] | None  # the present one, then former ones; None: that of the data directory
    lease: timedelta
    host_spacing: timedelta
    host_concurrency: int
    polls_per_hour: float
    polls_per_minute: int
    proxy: Secret | None
    versions_kept: int
    versions_age: timedelta
    log_age: timedelta
    raw_age: timedelta
    hidden_age: timedelta | None  # None: forever
    stream_age: timedelta | None  # None: forever
    incidents_age: timedelta
    queue_age: timedelta | None  # None: no alert about an old queue
    webhook_url: Secret | None
    webhook_secret: Secret | None
    mail_server: Secret | None
    mail_from: str | None
    mail_to: tuple[str, ...]
    oidc_issuer: str | None  # None: users sign in here only
    oidc_client_id: str | None
    oidc_client_secret: Secret | None
    oidc_groups: Mapping[str, Role]
    oidc_groups_claim: str
    oidc_scope: str
    oidc_email_domains: tuple[str, ...]  # (): all
    oidc_label: str | None
    local_sign_in: frozenset[str] | None  # None: all accounts
    timezone: ZoneInfo
    locale: str
    log_level: str
    log_format: str
    kinds: Mapping[str, Any]  # declared by kinds of source, by lower-case name
    origins: Mapping[str, str]

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read and validate all variables.

        Raises:
            SettingsError: a value is invalid, a variable is unknown, or a file can't be read. It lists all problems.
        """
        environ = os.environ if environ is None else environ
        problems = _unknown(environ)
        values: dict[str, Any] = {}
        origins: dict[str, str] = {}
        of_kinds: dict[str, Any] = {}
        for option in every_option():
            target = values if option.name in OPTIONS else of_kinds
            try:
                target[option.key], origins[option.name] = _value(option, environ)
            except SettingsError as problem:
                problems.append(str(problem))
        problems.extend(_incomplete_groups(values))
        if values.get("oidc_issuer") and not values.get("public_url"):
            problems.append("AGGREGATOR_OIDC_ISSUER needs AGGREGATOR_PUBLIC_URL, to which the provider returns users.")
        if problems:
            raise SettingsError("\n".join(problems))
        if values["database_url"] is None:
            origins["DATABASE_URL"] = "default"
            values["database_url"] = f"sqlite:///{(values['data_dir'] / 'aggregator.sqlite3').absolute()}"
        values["database_url"] = Secret(values["database_url"])
        values["broker_url"] = Secret(values["broker_url"])
        values["rate_store"] = Secret(values["rate_store"])
        return cls(**values, kinds=of_kinds, origins=origins)

    @property
    def embedded_database(self) -> bool:
        """Whether the database is an SQLite file, which allows one writing process."""
        return self.database_url.reveal().startswith("sqlite")

    @property
    def embedded_broker(self) -> bool:
        """Whether messages are only passed between threads of one process."""
        return self.broker.kind is BrokerKind.MEMORY

    @property
    def broker(self) -> BrokerAddress:
        """The address of the broker."""
        return BrokerAddress.parse(self.broker_url.reveal())

    @property
    def user_agent_contact(self) -> str:
        """The contact in the User-Agent, or a placeholder if none is set."""
        return self.contact_url or self.public_url or "no contact address configured"

    def secret(self) -> Secret:
        """Return the present key, see `secret_keys`."""
        return self.secret_keys()[0]

    def secret_keys(self) -> tuple[Secret, ...]:
        """Return the key that signs forms and encrypts credentials, then former ones, which are only read with.

        Without the setting, they are in the data directory, where the first one is generated.

        Raises:
            SettingsError: the data directory isn't writable.
        """
        return self.secret_key or _keys_in(self.data_dir)

    def rows(self) -> list[tuple[str, str, str, str]]:
        """Return `(variable, value, origin, meaning)` of all options for display, with secrets masked."""
        return [
            (
                option.variable,
                _displayed(option, getattr(self, option.key) if option.name in OPTIONS else self.kinds[option.key]),
                self.origins[option.name],
                option.meaning,
            )
            for option in every_option()
        ]


def every_option() -> list[Option[Any]]:
    """Return all options, including those of kinds of source."""
    return [*OPTIONS.values(), *kind_settings()]


def _incomplete_groups(values: Mapping[str, Any]) -> list[str]:
    """Return errors about options that must be set together."""
    groups: tuple[tuple[str, ...], ...] = (
        ("WEBHOOK_URL", "WEBHOOK_SECRET"),
        ("OIDC_ISSUER", "OIDC_CLIENT_ID", "OIDC_GROUPS"),
    )
    if values.get("mail_server"):  # processes that send no mail have the others without it
        groups = (*groups, ("MAIL_SERVER", "MAIL_FROM", "MAIL_TO"))
    return [
        f"{', '.join(PREFIX + name for name in names)} go together; set all of them or none."
        for names in groups
        if len({bool(values.get(name.lower())) for name in names}) > 1
    ]


def _unknown(environ: Mapping[str, str]) -> list[str]:
    options = every_option()
    known = {option.variable for option in options}
    known |= {option.variable + "_FILE" for option in options if option.secret}
    return [
        f"{name} is an unknown setting; 'aggregator settings' lists them all."
        for name in sorted(environ)
        if name.startswith(PREFIX) and name not in known
    ]


def _value(option: Option[_T], environ: Mapping[str, str]) -> tuple[_T | None, str]:
    """Return the value of an option and its origin; an empty variable counts as not set."""
    text, origin = environ.get(option.variable, "").strip(), "environment"
    path = environ.get(option.variable + "_FILE", "").strip() if option.secret else ""
    if text and path:
        raise SettingsError(f"{option.variable} and {option.variable}_FILE are both set; keep one of them.")
    if path:
        try:
            text, origin = Path(path).read_text(encoding="utf-8").strip(), f"{FROM_FILE}{path}"
        except (OSError, UnicodeError) as problem:
            raise SettingsError(f"{option.variable}_FILE: {path!r} can't be read: {problem}.") from None
    if not text:
        if option.default is None:
            return None, "not set"
        text, origin = option.default, "default"
    try:
        return option.read(text), origin
    except (ValueError, ZoneInfoNotFoundError, OSError):
        shown = "(hidden, since it is secret)" if option.secret else repr(_without_password(text))
        raise SettingsError(f"{option.variable}: invalid value {shown}; expected {option.allowed}.") from None


def _displayed(option: Option[Any], value: object) -> str:
    if value is None:
        return _NONE.get(option.name, "-")
    if option.name == "SECRET_KEY" and isinstance(value, tuple):
        return "****" if len(value) == 1 else f"**** and {len(value) - 1} former"
    if isinstance(value, Secret):
        return _without_password(value.reveal()) if option.name.endswith(("_URL", "_STORE")) else "****"
    if option.name == "LISTEN" and isinstance(value, tuple):
        host, port = value
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return _formatted(value)


def _formatted(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, timedelta):
        return duration_value(value)
    if isinstance(value, (tuple, frozenset)):
        return ", ".join(sorted(value) if isinstance(value, frozenset) else map(str, value)) or "-"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={part}" for key, part in value.items()) or "-"
    return str(value)


def _without_password(address: str) -> str:
    """Mask any password in an address, even at the cost of masking too much."""
    address = re.sub(r"(://[^/@:]*:).*(@)", r"\1****\2", address, flags=re.DOTALL)
    return re.sub(r"(?i)([?&][a-z_]*passw(?:or)?d=)[^&]*", r"\1****", address)


def _keys_in(data_dir: Path) -> tuple[Secret, ...]:
    """Return the keys in a folder.

    The first one is written to a temporary file and linked, so that no process reads half a key.
    """
    path = data_dir / KEY_FILE
    try:
        if not path.exists():
            private_files.make_folder(data_dir)
            with NamedTemporaryFile(
                "w", dir=data_dir, prefix="secret-key-", encoding="ascii"
            ) as temporary:  # mode 0600
                temporary.write(secrets.token_urlsafe(SHORTEST_SECRET))
                temporary.flush()
                with suppress(FileExistsError):  # another process was faster: use its key
                    os.link(temporary.name, path)
        keys = path.read_text(encoding="ascii").split()
        if not keys or min(map(len, keys)) < SHORTEST_SECRET:
            raise SettingsError(f"{path} contains no valid key; delete the file, and a new key is generated.")
        return tuple(map(Secret, keys))
    except (OSError, UnicodeError) as problem:
        raise SettingsError(
            f"AGGREGATOR_SECRET_KEY is not set and {path} can't be created: {problem}. "
            "Set the variable, or make AGGREGATOR_DATA_DIR writable."
        ) from None
