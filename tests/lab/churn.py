"""Many connections that stay: `churn.py SERVER STATES PER_SECOND`, run on the LAN client.

One UDP packet after the other, each of another connection, round and round: each firewall state is made once and then
kept alive. Ends with its standard input.
"""

import select
import socket
import sys
import time

PORTS = 500  # of ours, for each port of the server


def main(server: str, states: int, per_second: float) -> None:
    sockets = []
    for port in range(20_000, 20_000 + PORTS):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(("", port))
        sockets.append(sock)
    targets = [(server, 10_000 + n) for n in range(states // PORTS)]
    print('"ready"', flush=True)
    sent, began = 0, time.monotonic()
    while not select.select([sys.stdin], [], [], 0.005)[0]:
        while sent < (time.monotonic() - began) * per_second:
            number = sent % states
            sockets[number % PORTS].sendto(b"x", targets[number // PORTS])
            sent += 1


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
