"""Link checks: what is asked, how politely, and what is never asked. Nothing here leaves the
machine: a resolver and a way to connect stand in for the network."""

import contextlib
import datetime
import io
import socket
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from agreements.models import Agreement, Edition, Revision, Source
from agreements.nightly import links
from agreements.nightly.links import Finding, LinkChecker, addresses_due, by_turns, is_public
from tests import make

PUBLIC_NUMBER = "93.184.215.14"


class Site(BaseHTTPRequestHandler):
    """A made-up site; ``asked`` remembers each request."""

    asked: list = []

    def answer(self):
        self.asked.append((self.command, self.headers["Host"], self.path, dict(self.headers)))
        step, _, rest = self.path.partition("?")[0].strip("/").partition("/")
        if step == "drip":
            self.wfile.write(b"HTTP/1.1 200 OK\r\n")
            for _ in range(200):
                self.wfile.write(b"X")
                self.wfile.flush()
                time.sleep(0.05)
            return
        if step == "silence":
            time.sleep(1)
            return
        if step == "garbage":
            self.wfile.write(b"\x00\x01 not http\r\n\r\n")
            return
        status = int(step)
        if rest == "get-only":
            status = 405 if self.command == "HEAD" else 206
        self.send_response(status)
        if status in (301, 302, 307) and rest:
            self.send_header("Location", rest if ":" in rest else f"/{rest}")
        self.end_headers()

    do_HEAD = do_GET = answer

    def log_message(self, *args):
        """Quiet."""

    def handle(self):
        """A visitor that hangs up is no error of the site."""
        with contextlib.suppress(OSError):
            super().handle()


@pytest.fixture
def site():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    server.daemon_threads = True
    Site.asked = []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def checker(site):
    """A checker for which every host is public and stands on the made-up site."""
    checker = LinkChecker(
        agent="moctracker-test (desk@example.org)",
        resolve=lambda host, port: [PUBLIC_NUMBER],
        connect=lambda number, port, timeout: socket.create_connection(
            ("127.0.0.1", site.server_port), timeout=timeout
        ),
        sleep=lambda seconds: None,
        answer_seconds=0.4,
        address_seconds=0.8,
    )
    checker.reached = []
    connect = checker.connect

    def noted(number, port, timeout):
        checker.reached.append((number, port))
        return connect(number, port, timeout)

    checker.connect = noted
    return checker


@pytest.mark.parametrize(
    ("path", "reachable", "words"),
    [
        ("200", True, "200 OK"),
        ("204", True, "204 No Content"),
        ("404", False, "404 Not Found"),
        ("410", False, "410 Gone"),
        ("500", False, "500 Internal Server Error"),
        ("403", None, "403 Forbidden: not told to a program"),
        ("429", None, "429 Too Many Requests: not told to a program"),
        ("503", None, "503 Service Unavailable: not told to a program"),
        ("299", True, "299"),
        ("200/get-only", True, "206 Partial Content"),
        ("301/200", True, "200 OK, after 1 redirect"),
        ("301/302/307/404", False, "404 Not Found, after 3 redirects"),
        ("302", False, "302 Found that leads nowhere"),
        ("301/301/301/301/301/301/200", False, "more than 5 redirects"),
        ("301/ftp://made-up.example/", False, "refused: neither http nor https"),
        ("301/http://made-up.example:22/", False, "refused: neither port 80 nor port 443"),
        ("301/http://a:b@made-up.example/", False, "refused: an account in the address"),
        ("301/http://[nonsense/", False, "no answer that could be read"),
        ("silence", False, "timed out"),
        ("drip", False, "timed out"),
        ("garbage", False, "no answer that could be read"),
    ],
)
def test_what_was_found_is_said_in_words(checker, path, reachable, words):
    started = time.monotonic()
    assert checker.check(f"http://made-up.example/{path}") == Finding(reachable, words)
    assert time.monotonic() - started < 3


def test_a_site_is_told_who_asks_and_asked_for_the_beginning_at_most(checker):
    checker.check("http://made-up.example/200/get-only?a=b#part")
    (head, host, path, headers), (get, _, _, ranged) = Site.asked
    assert (head, get, host) == ("HEAD", "GET", "made-up.example")
    assert path == "/200/get-only?a=b"
    assert headers["User-Agent"] == "moctracker-test (desk@example.org)"
    assert ranged["Range"] == "bytes=0-1023"


def test_an_address_in_any_script_is_asked_for_as_a_browser_would(checker):
    checker.check("http://厚生.example/200/薬 事?q=“x”")
    _, host, path, _ = Site.asked[0]
    assert host == "xn--3mry39e.example"
    assert path == "/200/%E8%96%AC%20%E4%BA%8B?q=%E2%80%9Cx%E2%80%9D"


@pytest.mark.parametrize(
    "number",
    [
        "127.0.0.1",
        "127.8.9.1",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",  # noqa: S104
        "255.255.255.255",
        "224.0.0.1",
        "240.0.0.1",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "198.18.0.1",
        "203.0.113.1",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fd12::1",
        "fec0::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:93.184.215.14",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "2001::1",
        "2001:db8::1",
        "3fff::1",
        "nonsense",
        "",
    ],
)
def test_a_number_that_is_not_of_the_public_internet_is_never_reached(checker, number):
    assert not is_public(number)
    checker.resolve = lambda host, port: [PUBLIC_NUMBER, number]
    assert checker.check("http://made-up.example/200") == Finding(False, "refused: private address")
    assert checker.reached == []


@pytest.mark.parametrize("number", [PUBLIC_NUMBER, "1.1.1.1", "2606:4700:4700::1111"])
def test_a_number_of_the_public_internet_is_reached(checker, number):
    checker.resolve = lambda host, port: [number]
    assert checker.check("http://made-up.example/200").reachable
    assert checker.reached == [(number, 80)]


def test_a_redirect_towards_a_private_address_is_refused(checker):
    inside = {"inside.example": ["10.0.0.7"]}
    checker.resolve = lambda host, port: inside.get(host, [PUBLIC_NUMBER])
    found = checker.check("http://made-up.example/302/http://inside.example/200")
    assert found == Finding(False, "refused: private address")
    assert checker.reached == [(PUBLIC_NUMBER, 80)]


def test_a_name_that_changes_its_mind_is_reached_at_the_number_that_was_checked(checker):
    answers = iter([[PUBLIC_NUMBER], ["127.0.0.1"], ["127.0.0.1"]])
    checker.resolve = lambda host, port: next(answers)
    assert checker.check("http://made-up.example/404") == Finding(False, "refused: private address")
    assert checker.reached == [(PUBLIC_NUMBER, 80)]


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://made-up.example/", "neither http nor https"),
        ("file:///etc/passwd", "neither http nor https"),
        ("http://made-up.example:8080/", "neither port 80 nor port 443"),
        ("http://made-up.example:99999/", "not an address"),
        ("http://user:secret@made-up.example/", "an account in the address"),
        ("http:///nothing", "not an address"),
        (f"http://{'x' * 70}.example/", "not an address"),
        ("http://[::1", "not an address"),
    ],
)
def test_what_is_no_public_web_address_is_refused_before_anything_is_resolved(checker, url, why):
    checker.resolve = None
    assert checker.check(url) == Finding(False, f"refused: {why}")


def test_a_host_spelled_as_a_number_is_seen_through():
    checker = LinkChecker(agent="x", connect=None)
    for host in ("2130706433", "0x7f.1", "127.1", "localhost", "[::1]"):
        assert not (found := checker.check(f"http://{host}/")).reachable
        assert found.words in ("refused: private address", "no such host")


def test_a_header_cannot_be_smuggled_in_through_an_address(checker):
    checker.check("http://made-up.example/200/a\r\nX-Smuggled: 1")
    assert all("X-Smuggled" not in headers for _, _, _, headers in Site.asked)


def test_one_host_is_asked_with_a_pause_and_another_without(checker):
    pauses = []
    checker.sleep = pauses.append
    checker.check("http://made-up.example/200")
    checker.check("http://other.example/200")
    assert pauses == []
    checker.check("http://made-up.example/404")
    assert len(pauses) == 2, "HEAD and GET both wait"
    assert all(links.PAUSE_SECONDS - 1 < pause <= links.PAUSE_SECONDS for pause in pauses)


def test_hosts_take_turns():
    urls = ["http://a/1", "http://a/2", "http://a/3", "http://b/1", "http://c/1"]
    assert [url[7] for url in by_turns(urls)] == list("abcaa")
    assert sorted(by_turns(urls)) == urls


def test_a_secure_site_must_show_the_certificate_of_the_name_that_was_asked(tmp_path, checker):
    certificate = self_signed("made-up.example", tmp_path)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    server.daemon_threads = True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    checker.connect = lambda number, port, timeout: socket.create_connection(
        ("127.0.0.1", server.server_port), timeout=timeout
    )
    try:
        untrusted = checker.check("https://made-up.example/200")
        checker.tls = ssl.create_default_context(cafile=str(certificate))
        trusted = checker.check("https://made-up.example/200")
        other = checker.check("https://other.example/200")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert trusted == Finding(True, "200 OK")
    for found in (untrusted, other):
        assert not found.reachable
        assert found.words.startswith("certificate not valid: ")


def test_a_port_that_speaks_no_tls_is_a_finding(checker):
    assert checker.check("https://made-up.example/200").reachable is False


def self_signed(name, folder):
    """A certificate for ``name`` with its key, in one file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "made-up.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + built.public_bytes(serialization.Encoding.PEM)
    )
    return path


# The command.


@pytest.fixture
def found(monkeypatch):
    """What the checker shall find, by address; it remembers what it was asked."""
    answers: dict = {}

    class Told(dict):
        asked: list = []

        def __call__(self, checker, url):
            self.asked.append(url)
            return self.get(url, Finding(True, "200 OK"))

    answers = Told()
    answers.asked = []
    monkeypatch.setattr(LinkChecker, "check", lambda self, url: answers(self, url))
    return answers


def run(*arguments):
    out = io.StringIO()
    call_command("check_links", *arguments, stdout=out)
    return out.getvalue()


@pytest.mark.django_db
@pytest.mark.usefixtures("empty_register")
def test_a_run_records_what_it_found_and_changes_no_record(found):
    good, bad, shy = "https://a.example/", "https://b.example/", "https://c.example/"
    made, other = make.agreement(), make.agreement()
    for number, url in enumerate((good, bad, shy), start=1):
        make.source(made, number=number, url=url)
    make.source(other, url=bad)
    make.source(other, number=2)
    found[bad], found[shy] = Finding(False, "404 Not Found"), Finding(None, "403 Forbidden")
    before = Edition.current(), list(Agreement.objects.values("pk", "updated_at", "lock_version"))
    revisions = Revision.objects.count()
    told = run()
    assert sorted(found.asked) == [good, bad, shy], "each address once"
    assert "404 Not Found: https://b.example/" in told
    assert "1 reachable, 1 not reachable, 1 not told to a program" in told
    assert list(Source.objects.order_by("agreement", "number").values_list("reachable", flat=True))[
        :4
    ] == [True, False, None, False]
    assert set(Source.objects.filter(url=bad).values_list("check_result", flat=True)) == {
        "404 Not Found"
    }
    assert Source.objects.filter(checked_at__isnull=True).count() == 1, "the one without address"
    assert before == (
        Edition.current(),
        list(Agreement.objects.values("pk", "updated_at", "lock_version")),
    )
    assert Revision.objects.count() == revisions
    assert set(Agreement.objects.with_unreachable_source()) == {made, other}
    found[bad] = Finding(True, "200 OK")
    run("--older-than", "0")
    assert not Agreement.objects.with_unreachable_source().exists()


@pytest.mark.django_db
@pytest.mark.usefixtures("empty_register")
def test_the_longest_unchecked_come_first_and_what_was_checked_lately_is_left_alone(found):
    made = make.agreement()
    ages = {"never": None, "old": 90, "older": 100, "fresh": 3}
    for number, (name, days) in enumerate(ages.items(), start=1):
        checked = timezone.now() - datetime.timedelta(days=days) if days else None
        make.source(made, number=number, url=f"https://{name}.example/", checked_at=checked)
    gone = make.agreement(state="withdrawn", withdrawal_kind="by_parties", withdrawal_reason="x")
    make.source(gone, url="https://withdrawn.example/")
    due = addresses_due(datetime.timedelta(days=30), most=10)
    assert due == ["https://never.example/", "https://older.example/", "https://old.example/"]
    run("--limit", "2", "--older-than", "30")
    assert sorted(found.asked) == sorted(due[:2])


@pytest.mark.django_db
@pytest.mark.usefixtures("empty_register")
def test_a_run_ends_when_its_time_is_up(found, monkeypatch):
    monkeypatch.setattr("agreements.management.commands.check_links.RUN_SECONDS", -1)
    make.source(make.agreement(), url="https://a.example/")
    assert "The time was up: 1 are left for the next run." in run()
    assert found.asked == []


@pytest.mark.parametrize("arguments", [("--limit", "0"), ("--limit", "x"), ("--older-than", "-1")])
def test_an_argument_that_is_no_such_number_is_refused_by_name(arguments):
    with pytest.raises(CommandError, match=f"argument {arguments[0]}: a whole number from"):
        run("=".join(arguments))
