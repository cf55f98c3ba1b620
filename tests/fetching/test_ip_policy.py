from ipaddress import ip_network

import pytest

from aggregator.fetching.ip_policy import deny_reason, parsed, within

FORBIDDEN = [
    "127.0.0.1",
    "127.255.255.254",
    "::1",
    "0.0.0.0",
    "0.1.2.3",
    "::",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "fc00::1",
    "fd00:ec2::254",
    "fec0::1",
    "100.64.0.1",
    "100.100.100.200",
    "169.254.169.254",
    "fe80::1",
    "fe80::1%eth0",
    "192.0.0.192",
    "192.0.0.1",
    "168.63.129.16",
    "224.0.0.1",
    "239.255.255.250",
    "ff02::1",
    "240.0.0.1",
    "255.255.255.255",
    "192.0.2.1",
    "198.18.0.1",
    "203.0.113.9",
    "::ffff:127.0.0.1",
    "::ffff:7f00:1",
    "::ffff:10.0.0.1",
    "::ffff:0:127.0.0.1",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::a00:1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2001:0:1::1",
    "2001:db8::1",
    "192.88.99.1",
    "localhost",
    "0x7f.1",
    "127.1",
]

PUBLIC = ["8.8.8.8", "93.184.216.34", "2606:4700:4700::1111", "::ffff:8.8.8.8", "172.32.0.1", "100.128.0.1", "11.0.0.1"]


@pytest.mark.parametrize("address", FORBIDDEN)
def test_an_address_that_is_not_public_is_refused_with_a_reason(address: str) -> None:
    assert deny_reason(address, ())


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_fine(address: str) -> None:
    assert deny_reason(address, ()) is None


def test_the_operator_opens_a_network_and_nothing_beside_it() -> None:
    allowed = [ip_network("127.0.0.1/32"), ip_network("fd00::/8")]
    assert deny_reason("127.0.0.1", allowed) is None
    assert deny_reason("::ffff:127.0.0.1", allowed) is None
    assert deny_reason("fd12::1", allowed) is None
    assert deny_reason("127.0.0.2", allowed) == "this machine"
    assert deny_reason("64:ff9b::7f00:1", allowed)


def test_within_sees_through_a_mapped_address() -> None:
    assert within("::ffff:10.1.2.3", [ip_network("10.0.0.0/8")])
    assert not within("11.0.0.1", [ip_network("10.0.0.0/8")])
    assert not within("example.org", [ip_network("0.0.0.0/0")])


def test_the_zone_of_a_link_local_address_is_no_part_of_it() -> None:
    assert str(parsed("fe80::1%lo")) == "fe80::1"
