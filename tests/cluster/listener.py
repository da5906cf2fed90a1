"""Knows who tried to leave: prints every IPv4 packet that arrives at an interface, as `from to protocol port`.

Run as a program of its own in the network namespace of the interface, `python listener.py INTERFACE`.
"""

import socket
import struct
import sys

_IPV4, _HEADER = 0x0800, 14
_NAMES = {1: "icmp", 6: "tcp", 17: "udp"}


def main(interface: str) -> None:
    """Print packets until the process is ended."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_IPV4)) as raw:
        raw.bind((interface, _IPV4))
        print("listening", flush=True)
        while True:
            print(described(raw.recv(2048)[_HEADER:]), flush=True)


def described(packet: bytes) -> str:
    """Describe an IPv4 packet (RFC 791) by its ends, its protocol and the port that it goes to."""
    length, protocol = (packet[0] & 15) * 4, packet[9]
    port = struct.unpack_from(">H", packet, length + 2)[0] if protocol in (6, 17) else 0
    ends = " -> ".join(socket.inet_ntoa(packet[place : place + 4]) for place in (12, 16))
    return f"{ends} {_NAMES.get(protocol, protocol)} {port}"


if __name__ == "__main__":
    main(sys.argv[1])
