"""Test the proxy that fails databases in other tests."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from tests.faults.tcp_proxy import TcpProxy

if TYPE_CHECKING:
    from collections.abc import Iterator

SHORT = 0.2  # seconds in which nothing may come


def _echo(listener: socket.socket) -> None:
    with suppress(OSError):
        while True:
            client, _ = listener.accept()
            threading.Thread(target=_echo_client, args=(client,), daemon=True).start()


def _echo_client(client: socket.socket) -> None:
    with suppress(OSError), client:
        while data := client.recv(100):
            client.sendall(data)


@pytest.fixture
def proxy() -> Iterator[TcpProxy]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_echo, args=(listener,), daemon=True).start()
        with TcpProxy.before("127.0.0.1", listener.getsockname()[1]) as proxy:
            yield proxy


def _connected(proxy: TcpProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=60)


def _echoes(client: socket.socket, *, within: float = 5) -> bool:
    client.settimeout(within)
    client.sendall(b"x")
    try:
        return client.recv(1) == b"x"
    except TimeoutError:
        return False


def test_a_hang_keeps_back_what_comes_and_gives_it_later(proxy: TcpProxy) -> None:
    with _connected(proxy) as before:
        assert _echoes(before)
        proxy.hang()
        assert not _echoes(before, within=SHORT)
        with _connected(proxy) as during:
            assert not _echoes(during, within=SHORT)
            proxy.restore()
            for client in (before, during):
                client.settimeout(5)
                assert client.recv(1) == b"x"


def test_forgotten_connections_stay_silent_and_new_ones_work(proxy: TcpProxy) -> None:
    with _connected(proxy) as before:
        assert _echoes(before)
        proxy.forget()
        with _connected(proxy) as after:
            assert _echoes(after)
        assert not _echoes(before, within=SHORT)


def test_a_refusal_resets_what_is_open(proxy: TcpProxy) -> None:
    with _connected(proxy) as before:
        assert _echoes(before)
        proxy.refuse()
        with pytest.raises(ConnectionError):
            before.recv(1)
        with pytest.raises(ConnectionError):
            _connected(proxy)
    proxy.restore()
    with _connected(proxy) as after:
        assert _echoes(after)


def _ends(client: socket.socket) -> bool:
    client.settimeout(5)
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True


def test_a_reset_ends_open_connections_only(proxy: TcpProxy) -> None:
    with _connected(proxy) as before:
        assert _echoes(before)
        proxy.reset()
        assert _ends(before)
        with _connected(proxy) as after:
            assert _echoes(after)


def test_a_cut_ends_a_connection_within_what_it_carries(proxy: TcpProxy) -> None:
    with _connected(proxy) as client:
        assert _echoes(client)
        proxy.cut()
        client.sendall(b"xyxy")
        assert _ends(client)


def test_a_slow_proxy_passes_everything_on_later(proxy: TcpProxy) -> None:
    with _connected(proxy) as client:
        assert _echoes(client)
        proxy.slow(SHORT)
        began = time.monotonic()
        assert _echoes(client)
        assert time.monotonic() - began >= 2 * SHORT  # there and back
        proxy.restore()
        assert _echoes(client)
