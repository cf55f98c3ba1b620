"""Register the networks that activities are published on: names, nouns for their posts, and legal terms.

Each kind of source declares its networks, and the registry of kinds registers them here, so that storage and pages can
look them up without importing a kind.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aggregator.domain.activity import ActivityKind

BY_NETWORK = "embed"  # the setting's value: pages show the network's own embed after a click
WEB = "web"  # documents on the open web: feeds, calendars, and items that editors write


@dataclass(frozen=True, slots=True)
class Noun:
    """A network's nouns for one kind of activity."""

    singular: str
    plural: str = ""
    past: str = ""  # the verb for its author: "retweeted"
    passive: str = ""  # the verb for the original: "reposted", if it is another one


@dataclass(frozen=True, slots=True)
class LegalTerms:
    """The legal terms of a network. The defaults forbid everything."""

    public_text: bool = False  # the public API and feeds may contain the content, not only ids and addresses
    embeddable: bool = False  # other sites may show the content in frames and embeds
    edits_replace: bool = True  # an edit must be shown, even if the former version was approved
    link_to_post: bool = False  # cards name the network, and their time links to the post there
    public_text_setting: str = ""  # name of the setting by which operators state that the network agreed
    embeddable_setting: str = ""
    display_setting: str = ""  # name of the setting that is `BY_NETWORK` where only the network may show its posts

    def allows_ids_only(self, values: Mapping[str, Any]) -> bool:
        """Return whether the operators may only store ids, from the values of the settings."""
        return bool(self.display_setting) and values.get(self.display_setting) == BY_NETWORK


@dataclass(frozen=True, slots=True)
class Network:
    """A network, with its display names and legal terms."""

    name: str  # stored with every activity
    label: str = ""
    hosts: frozenset[str] = frozenset()  # hosts whose URLs belong to it
    nouns: Mapping[ActivityKind, Noun] = field(default_factory=dict, hash=False)
    terms: LegalTerms = LegalTerms()
    has_accounts: bool = True  # its actors are accounts; posts have ids
    profile: str = ""  # the address of a profile, with {handle}
    icon: str = ""  # its logo: SVG path data on a 20 by 20 grid, to be filled
    embed: str = ""  # the address at which the network itself shows a post in a frame, with {id} and {theme}

    @property
    def embed_origin(self) -> str:
        """The origin of that address, for security policies."""
        return f"https://{self.embed_host}" if self.embed else ""

    @property
    def embed_host(self) -> str:
        """The host of that address."""
        return urlsplit(self.embed).netloc

    def owns(self, host: str) -> bool:
        """Return whether a host name belongs to the network."""
        host = host.lower()
        return any(host == name or host.endswith(f".{name}") for name in self.hosts)


_web = Network(WEB, terms=LegalTerms(public_text=True, embeddable=True, edits_replace=False), has_accounts=False)
_registered: dict[str, Network] = {WEB: _web}
_of_kind: dict[str, tuple[Network, ...]] = {}


def register(kind: str, networks: Iterable[Network]) -> None:
    """Register the networks of a kind of source.

    Raises:
        ValueError: another network has the same name.
    """
    _of_kind[kind] = tuple(networks)
    for network in _of_kind[kind]:
        if _registered.setdefault(network.name, network) != network:
            raise ValueError(f"two networks are named {network.name!r}")


def network_of(name: str) -> Network:
    """Return a network; an undeclared one has the default terms, which allow nothing."""
    return _registered.get(name) or Network(name, name)


def all_networks() -> list[Network]:
    """Return the registered networks by their labels, the open web last."""
    return sorted(_registered.values(), key=lambda network: (not network.has_accounts, network.label.casefold()))


def profile_of(kind: str, handle: str) -> str | None:
    """Return the URL of a handle's profile on the network of a kind of source."""
    profiles = (network.profile for network in _of_kind.get(kind, ()) if network.profile)
    return next((profile.format(handle=handle) for profile in profiles), None)


def that_replace_edits() -> list[str]:
    """Return the labels of networks whose edits must be shown."""
    return sorted(network.label for network in _registered.values() if network.terms.edits_replace)


def network_at(host: str) -> Network | None:
    """Return the network that a host name belongs to."""
    return next((network for network in _registered.values() if network.owns(host)), None)


def plural(kind: ActivityKind, default: str) -> str:
    """Return the first network's plural noun for a kind of activity, or a default."""
    words = (network.nouns[kind].plural for network in _registered.values() if kind in network.nouns)
    return next(filter(None, words), default)
