"""Whether the addresses of the sources still answer: asked politely, within limits, and never
towards a private network.

An address was typed by a person, and a redirect by whoever runs that site. So each hop is resolved
first, refused unless all that it resolves to is public, and then reached at the very number that
was checked: a name that changes its mind between the two leads nowhere.

``robots.txt`` is not asked. RFC 9309 speaks to crawlers, which follow links on their own; this
looks up single documents that a person chose to cite, as a reader would, at a reader's pace.
"""

import contextlib
import datetime
import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import quote, urljoin, urlsplit

from django.db.models import F, Min, Q
from django.utils import timezone

from ..models import Source
from ..models.querysets import PublicationState

#: What one address may cost: seconds for one answer and for all hops together, and the hops.
ANSWER_SECONDS = 10.0
ADDRESS_SECONDS = 30.0
MOST_REDIRECTS = 5
#: Seconds between two requests to one host, and the longest that a whole run may take.
PAUSE_SECONDS = 2.0
RUN_SECONDS = 1800.0
#: A server that refuses HEAD is asked for the beginning of the document; none of it is read.
BEGINNING = "bytes=0-1023"

_REDIRECTS = {301, 302, 303, 307, 308}
#: The site is there and does not say to a program whether the document is.
_NOT_TOLD = {401, 402, 403, 405, 406, 407, 429, 451, 503}
_NOT_PUBLIC_V4 = ipaddress.IPv4Network("192.0.0.0/24"), ipaddress.IPv4Network("192.88.99.0/24")
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
#: Within it: special purposes and Teredo, documentation (twice), and 6to4, which hides an IPv4.
_NOT_PUBLIC_V6 = tuple(
    map(ipaddress.IPv6Network, ("2001::/23", "2001:db8::/32", "3fff::/20", "2002::/16"))
)


@dataclass(frozen=True)
class Finding:
    """What a check found: ``reachable`` is None where the site would not say to a program."""

    reachable: bool | None
    words: str


class _Refused(Exception):
    """An address that we do not ask; the message says why."""


def is_public(number: str) -> bool:
    """Whether an IP address is one of the public internet, and hides no other.

    The standard library's ``is_global`` differs by patch release, so the doubtful ranges of the
    IANA registries are named here.
    """
    try:
        address = ipaddress.ip_address(number)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv4Address):
        special = any(address in network for network in _NOT_PUBLIC_V4)
        return address.is_global and not address.is_multicast and not special
    # IPv4-mapped, IPv4-compatible and NAT64 addresses all lie outside global unicast.
    return address in _GLOBAL_UNICAST and not any(address in net for net in _NOT_PUBLIC_V6)


def resolve(host: str, port: int) -> list[str]:
    """The IP addresses of a host; raises OSError if it has none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(place[4][0]) for place in found))


def connect(number: str, port: int, timeout: float) -> socket.socket:
    """A connection to an IP address; raises OSError."""
    return socket.create_connection((number, port), timeout=timeout)


class _Connection(http.client.HTTPConnection):
    """Speaks over a socket that was opened before, and never opens one by itself."""

    def __init__(self, host: str, port: int, sock: socket.socket) -> None:
        super().__init__(host, port)
        self.sock = sock
        self.auto_open = 0


@dataclass
class LinkChecker:
    """Checks one address after another. What reaches outside is given, so that a test can stand in
    for the network; ``agent`` tells the sites who asks."""

    agent: str
    resolve: Callable[[str, int], list[str]] = resolve
    connect: Callable[[str, int, float], socket.socket] = connect
    sleep: Callable[[float], None] = time.sleep
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context)
    answer_seconds: float = ANSWER_SECONDS
    address_seconds: float = ADDRESS_SECONDS
    _asked: dict[str, float] = field(default_factory=dict)

    def check(self, url: str) -> Finding:
        """Follow ``url`` to its end and say what was found there. Raises nothing: whatever goes
        wrong is a finding."""
        deadline = time.monotonic() + self.address_seconds
        try:
            for hops in range(MOST_REDIRECTS + 1):
                status, location = self._answer(url, deadline)
                if status not in _REDIRECTS:
                    return _told(status, hops)
                if not location:
                    return Finding(False, f"{_words(status)} that leads nowhere")
                url = urljoin(url, location)
            return Finding(False, f"more than {MOST_REDIRECTS} redirects")
        except _Refused as refused:
            return Finding(False, f"refused: {refused}")
        except ssl.SSLCertVerificationError as error:
            return Finding(False, f"certificate not valid: {error.verify_message}"[:100])
        except socket.gaierror:
            return Finding(False, "no such host")
        except (OSError, http.client.HTTPException, ValueError) as error:
            if isinstance(error, TimeoutError) or time.monotonic() >= deadline:
                return Finding(False, "timed out")
            if isinstance(error, ssl.SSLError):
                return Finding(False, "no secure connection")
            return Finding(False, "no answer that could be read")

    def _answer(self, url: str, deadline: float) -> tuple[int, str]:
        """Status and ``Location`` of one hop: by HEAD, or by GET where HEAD is not taken."""
        status, location = self._ask("HEAD", url, deadline)
        if status >= 400 and status != HTTPStatus.TOO_MANY_REQUESTS:
            status, location = self._ask("GET", url, deadline)
        return status, location

    def _ask(self, method: str, url: str, deadline: float) -> tuple[int, str]:
        scheme, host, port, target = _parts(url)
        numbers = self.resolve(host, port)
        if not numbers or not all(map(is_public, numbers)):
            raise _Refused("private address")
        self._wait_for(host)
        if time.monotonic() >= deadline:
            raise TimeoutError
        sock = self.connect(numbers[0], port, self.answer_seconds)
        try:
            if scheme == "https":
                sock = self.tls.wrap_socket(
                    sock, server_hostname=host, do_handshake_on_connect=False
                )
            # Ends the connection under a server that drips its answer letter by letter.
            watch = threading.Timer(max(0.0, deadline - time.monotonic()), _cut, [sock])
            watch.start()
            try:
                if isinstance(sock, ssl.SSLSocket):
                    sock.do_handshake()
                return self._speak(method, host, port, target, sock, deadline)
            finally:
                watch.cancel()
        finally:
            sock.close()
            self._asked[host] = time.monotonic()

    def _speak(
        self, method: str, host: str, port: int, target: str, sock: socket.socket, deadline: float
    ) -> tuple[int, str]:
        connection = _Connection(host, port, sock)
        headers = {"User-Agent": self.agent, "Accept": "*/*", "Connection": "close"}
        if method == "GET":
            headers["Range"] = BEGINNING
        connection.request(method, target, headers=headers)
        with connection.getresponse() as response:
            answer = response.status, response.headers.get("Location") or ""
        if time.monotonic() >= deadline:
            # What was cut off reads like an answer without headers.
            raise TimeoutError
        return answer

    def _wait_for(self, host: str) -> None:
        """A host is asked one thing at a time, with a pause."""
        if host in self._asked:
            rest = self._asked[host] + PAUSE_SECONDS - time.monotonic()
            if rest > 0:
                self.sleep(rest)


def _cut(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


def _parts(url: str) -> tuple[str, str, int, str]:
    """Scheme, host, port and what to ask for; raises _Refused for what we do not ask."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna").decode()
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    except ValueError as error:
        raise _Refused("not an address") from error
    if parts.scheme not in ("http", "https"):
        raise _Refused("neither http nor https")
    if not host:
        raise _Refused("not an address")
    if parts.username is not None or parts.password is not None:
        raise _Refused("an account in the address")
    if port not in (80, 443):
        raise _Refused("neither port 80 nor port 443")
    query = f"?{parts.query}" if parts.query else ""
    return parts.scheme, host, port, quote((parts.path or "/") + query, safe="%/:=&?~+!$,;'@()*[]")


def _words(status: int) -> str:
    """The status in the standard's words, not the server's."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _told(status: int, hops: int) -> Finding:
    words = _words(status)
    if hops:
        words += f", after {hops} redirect{'s' if hops > 1 else ''}"
    if status in _NOT_TOLD:
        return Finding(None, f"{words}: not told to a program")
    return Finding(200 <= status < 300, words)


def addresses_due(older_than: datetime.timedelta, most: int) -> list[str]:
    """At most so many addresses of sources that were never checked, or last ``older_than`` ago:
    the longest unchecked first. Sources of withdrawn records are left alone."""
    before = timezone.now() - older_than
    due = (
        Source.objects.exclude(url="")
        .exclude(agreement__state=PublicationState.WITHDRAWN)
        .filter(Q(checked_at__isnull=True) | Q(checked_at__lt=before))
    )
    oldest = due.order_by().values("url").annotate(last=Min("checked_at"))
    return [row["url"] for row in oldest.order_by(F("last").asc(nulls_first=True), "url")[:most]]


def by_turns(urls: Iterable[str]) -> Iterator[str]:
    """The addresses in such an order that hosts take turns: less waiting for each."""
    waiting: dict[str, deque[str]] = defaultdict(deque)
    for url in urls:
        waiting[url.split("/")[2] if url.count("/") > 1 else url].append(url)
    while waiting:
        for host in list(waiting):
            yield waiting[host].popleft()
            if not waiting[host]:
                del waiting[host]


def record_finding(url: str, finding: Finding) -> None:
    """Keep what was found with every source of this address. It is about the address, not about the
    fact: no revision is made, and no record counts as changed."""
    Source.objects.filter(url=url).update(
        checked_at=timezone.now(), check_result=finding.words[:100], reachable=finding.reachable
    )
