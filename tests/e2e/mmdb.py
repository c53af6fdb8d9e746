# SPDX-License-Identifier: Apache-2.0
"""Writes small databases in MaxMind's format (maxmind.github.io/MaxMind-DB)."""
import ipaddress
import struct


def encode(value):
    """A value of the data section."""
    if isinstance(value, str):
        data = value.encode()
        return control(2, len(data)) + data
    if isinstance(value, dict):
        return control(7, len(value)) + b"".join(encode(k) + encode(v) for k, v in value.items())
    if isinstance(value, list):
        return control(11, len(value)) + b"".join(map(encode, value))
    if isinstance(value, bool):
        return control(14, int(value))
    if isinstance(value, float):
        return control(3, 8) + struct.pack(">d", value)
    data = value.to_bytes((value.bit_length() + 7) // 8, "big")
    kind = 5 if len(data) <= 2 else 6 if len(data) <= 4 else 9
    return control(kind, len(data)) + data


def control(kind, size):
    first, rest = (kind << 5, b"") if kind < 8 else (0, bytes([kind - 7]))
    if size < 29:
        return bytes([first | size]) + rest
    if size < 285:
        return bytes([first | 29]) + rest + bytes([size - 29])
    return bytes([first | 30]) + rest + struct.pack(">H", size - 285)


def database(networks, record_bits=24, ip_version=6, kind="Test"):
    """networks: {"192.0.2.0/24": value}, none inside of another; IPv4 is ::/96 in a tree of IPv6."""
    nodes, data, places = [[None, None]], b"", {}
    for network, value in networks.items():
        net = ipaddress.ip_network(network)
        encoded = encode(value)
        if encoded not in places:
            places[encoded] = len(data)
            data += encoded
        width = 128 if ip_version == 6 else 32
        bits = net.prefixlen + (width - net.max_prefixlen)
        number = int(net.network_address)
        at = 0
        for i in range(bits):
            side = number >> (width - 1 - i) & 1
            if i == bits - 1:
                nodes[at][side] = ("data", places[encoded])
            else:
                if nodes[at][side] is None:
                    nodes.append([None, None])
                    nodes[at][side] = len(nodes) - 1
                at = nodes[at][side]
    n = len(nodes)

    def number_of(record):
        return n if record is None else record if isinstance(record, int) else n + 16 + record[1]

    tree = b""
    for node in nodes:
        left, right = map(number_of, node)
        if record_bits == 28:
            tree += (left & 0xffffff).to_bytes(3, "big") + bytes([left >> 24 << 4 | right >> 24]) + \
                (right & 0xffffff).to_bytes(3, "big")
        else:
            tree += b"".join(r.to_bytes(record_bits // 8, "big") for r in (left, right))
    metadata = {"binary_format_major_version": 2, "binary_format_minor_version": 0,
                "build_epoch": 1700000000, "database_type": kind, "description": {"en": "test"},
                "ip_version": ip_version, "languages": ["en"], "node_count": n,
                "record_size": record_bits}
    return tree + bytes(16) + data + b"\xab\xcd\xefMaxMind.com" + encode(metadata)


def country(code):
    return {"continent": {"code": "XX", "names": {"en": "Nowhere"}},
            "country": {"geoname_id": 1, "iso_code": code, "names": {"en": code}}}


def system(number):
    return {"autonomous_system_number": number, "autonomous_system_organization": "Test"}
