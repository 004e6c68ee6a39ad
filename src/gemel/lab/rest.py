"""One call of a node's REST from a host: rest.py METHOD URL [TOKEN]; the JSON body on standard input, the answer out.

Standard library only: it runs inside the hosts. The certificate is not looked at: a blank node's is its own.
"""

import http.client
import json
import ssl
import sys
from urllib.parse import urlsplit

PATIENCE = 300.0  # seconds: an emulated machine is slow


def call(method: str, url: str, token: str, body: bytes) -> tuple[int, str]:
    """The status and the text of the answer."""
    parts = urlsplit(url)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection(parts.netloc, timeout=PATIENCE, context=context)
    headers = {"Content-Type": "application/json"} if body else {}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    connection.request(method, f"{parts.path}?{parts.query}" if parts.query else parts.path, body or None, headers)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def main() -> int:
    method, url, *token = sys.argv[1:]
    status, text = call(method, url, token[0] if token else "", sys.stdin.buffer.read())
    if status >= 400:
        print(f"{method} {url}: {status} {text}", file=sys.stderr)
        return 1
    print(text or json.dumps(None))
    return 0


if __name__ == "__main__":
    sys.exit(main())
