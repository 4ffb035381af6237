"""Whatever is written to the server's socket: a typed refusal at worst, nothing in the log, nothing left."""

from __future__ import annotations

import base64
import json

from hypothesis import example, given
from hypothesis import strategies as st

from tests.fuzz import FUZZ, SLOW
from tests.fuzz.quiet import quietly
from tests.fuzz.server import ANSWER_S, FRIEND, KEY, SILENCE_S, Client, connected, serving
from tests.fuzz.targets import CORPUS

CALLS = "/v1/realtime/calls"
SECRETS = "/v1/realtime/client_secrets"
INVITATIONS = "/v1/rooms/kitchen/invitations"
OFFERS = [path.read_bytes() for path in sorted((CORPUS / "offer").iterdir())]
FRAGMENTS = [path.read_bytes() for path in sorted((CORPUS / "candidates").iterdir())]
RIGHT = f"Bearer {KEY}".encode()
HEAD = b"POST /v1/realtime/calls HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/sdp\r\n"
CUT = HEAD + b"Content-Length: 50\r\n\r\nv=0"

LATIN = st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0"), max_size=30).map(
    lambda text: text.encode("latin-1")
)
JUNK = st.binary(max_size=40).map(lambda data: data.translate(None, b"\r\n\0"))
TOKENS = st.sampled_from(
    [
        b"Bearer ek_",
        b"Bearer ek_a.b.c",
        b"Bearer ek_\xff.\xfe.\xfd",
        b"Bearer ek_" + base64.urlsafe_b64encode(b"[" * 9000) + b".e30.e30",
        b"Bearer ek_" + base64.urlsafe_b64encode(b'{"alg": "none"}') + b".e30.",
        b"Bearer ek_" + base64.urlsafe_b64encode(b'{"alg": ["HS256"], "b64": false}') + b"..e30",
        b"Bearer \xff",
        b"Bearer",
        b"Basic dXNlcjpwYXNz",
        b"\xf0\x9f\x94\x91",
        RIGHT,
    ]
)
HEADERS = st.one_of(
    st.tuples(st.just(b"Authorization"), TOKENS | JUNK),
    st.tuples(st.just(b"Sec-WebSocket-Protocol"), TOKENS.map(lambda t: b"openai-insecure-api-key." + t[7:]) | JUNK),
    st.tuples(st.just(b"Origin"), st.sampled_from([FRIEND.encode(), b"null", b"http://[", b"http://localhost"]) | JUNK),
    st.tuples(st.just(b"Host"), st.sampled_from([b"evil.example", b"[::1", b"localhost:x", b""]) | JUNK),
    st.tuples(st.just(b"Expect"), st.sampled_from([b"100-continue", b"tea"]) | JUNK),
    st.tuples(st.just(b"Upgrade"), st.sampled_from([b"websocket", b"h2c"])),
    st.tuples(st.just(b"Connection"), st.sampled_from([b"close", b"keep-alive", b"upgrade"]) | JUNK),
    st.tuples(st.just(b"If-None-Match"), st.sampled_from([b"*", b'"a", W/"b"', b'"']) | JUNK),
    st.tuples(st.just(b"Accept-Encoding"), st.sampled_from([b"gzip", b"br;q=x"]) | JUNK),
    st.tuples(st.just(b"Content-Encoding"), st.sampled_from([b"gzip", b"deflate", b"br", b"zstd", b"tea"])),
    st.tuples(st.just(b"Access-Control-Request-Headers"), JUNK),
    st.tuples(st.just(b"Antiphon-Call-Id"), JUNK),
    st.tuples(st.just(b"Cookie"), JUNK),
    st.tuples(st.sampled_from([b"<script>alert(1)</script>", b"X y", b"", b"\xff", b"X-\x01"]), LATIN),
    st.tuples(JUNK, JUNK),
)
KINDS = st.sampled_from(
    [
        b"application/sdp",
        b"application/sdp; charset=rot13",
        b"application/trickle-ice-sdpfrag",
        b"application/trickle-ice-sdpfrag; charset=tea",
        b"application/json",
        b"application/json; charset=punycode",
        b"multipart/form-data",
        b"multipart/form-data; boundary=b",
        b"multipart/form-data; boundary=\xff",
        b"multipart/form-data; boundary=" + b"b" * 80,
        b"application/x-www-form-urlencoded",
        b"text/plain;;;=",
        b"\xff/\xfe",
    ]
)
PATHS = (
    st.sampled_from([CALLS, f"{CALLS}/rtc_1", f"{CALLS}/rtc_1/hangup", SECRETS, "/", "/index.html", "/metrics"])
    | st.sampled_from([INVITATIONS, f"{CALLS}?room=kitchen&name=%ff%00", f"{CALLS}?room=..", "/whip/%00?name=a"])
    | st.sampled_from(
        ["/readyz", "*", "/%", "/%ff%00", "//evil.example/", "http://[::1/", "/..%2fetc/passwd", "/?a=%ff"]
    )
    | st.text(max_size=20).map(lambda text: f"/{text}")
)
METHODS = st.sampled_from(["GET", "POST", "PATCH", "DELETE", "PUT", "OPTIONS", "CONNECT", "TRACE", "PROPFIND", "get"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("\ud800"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["session", "expires_after", "seconds", "anchor", "antiphon", "most_minutes", "role", "name", "room"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)
SECRET = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(["session", "expires_after", "antiphon", "unknown", "name", "minutes"], JSON)
).map(lambda value: json.dumps(value).encode())
FIXED = st.sampled_from(
    [b"", b"{", b"null", b'{"session": {"a": NaN}}', b'{"session": {"a": 1e999}}', b"\xff\xfe{\x00}\x00"]
)
NESTED = st.sampled_from([500, 60_000]).map(b"[".__mul__)
BODIES = FIXED | NESTED | SECRET | st.sampled_from(OFFERS) | st.sampled_from(FRAGMENTS) | st.binary(max_size=200)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """A request that is framed as it should be, and holds whatever it likes."""
    headers = [(b"Host", b"localhost"), (b"Content-Type", draw(KINDS))]
    headers += draw(st.lists(HEADERS, max_size=4))
    headers = draw(st.permutations([*headers, (b"Authorization", RIGHT)])) if draw(st.booleans()) else headers
    line = f"{draw(METHODS)} {draw(PATHS)} HTTP/1.{draw(st.integers(0, 1))}".encode("utf-8", "replace")
    return framed(line, headers, draw(BODIES), chunked=draw(st.booleans()))


def framed(line: bytes, headers: list[tuple[bytes, bytes]], body: bytes, *, chunked: bool = False) -> bytes:
    """On the wire."""
    if chunked:
        headers = [*headers, (b"Transfer-Encoding", b"chunked")]
        body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
    else:
        headers = [*headers, (b"Content-Length", b"%d" % len(body))]
    return b"\r\n".join([line, *(name + b": " + value for name, value in headers), b"", body])


def posted(path: str, kind: bytes, body: bytes) -> bytes:
    """A good request but for its body."""
    headers = [(b"Host", b"localhost"), (b"Authorization", RIGHT), (b"Content-Type", kind)]
    return framed(f"POST {path} HTTP/1.1".encode(), headers, body)


async def survived(data: bytes, *, keys: bool, framed: bool = False) -> None:
    """It is answered or waited upon; a connection that is not ended takes the next request as if nothing was."""
    async with serving(keys=keys) as port:
        async with connected(port) as client:
            for answer in (found := await client.send(data, ANSWER_S if framed else SILENCE_S)):
                answer.check()
            if framed and b"CONNECT" not in data and b"pgrade" not in data:  # these change what follows
                assert found or client.ended, "no answer"
                if found and found[-1].status != 101 and found[-1].headers.get("connection") != "close":
                    await healthy(client)
        async with connected(port) as another:
            await healthy(another)


async def healthy(client: Client) -> None:
    """The next request is understood."""
    found = await client.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", ANSWER_S)
    if not client.ended:
        assert [answer.status for answer in found] == [200], found


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A request with a few bytes changed, cut out or put in, anywhere."""
    data = bytearray(draw(requests()))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        data[at : at + draw(st.integers(0, 6))] = draw(st.binary(max_size=6) | st.sampled_from([b"\r\n", b"\r\n\r\n"]))
    return bytes(data)


LENGTHS = st.sampled_from([b"-1", b"99999999999999999999", b"1000000000", b"0x10", b"1, 2", b"1_0", b"", b"+5", b"5 5"])


@SLOW
@given(st.binary(max_size=300) | damaged(), st.booleans())
@example(CUT, True)
@example(b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"a: b\r\n" * 2000 + b"\r\n", False)
@example(b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", False)
@example(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40), False)
@example(b"GET /\n\r\n", False)
@example(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", False)
def test_any_bytes_are_refused_or_waited_upon(data: bytes, keys: bool) -> None:
    quietly(survived(data, keys=keys))


@SLOW
@given(LENGTHS, st.binary(max_size=20), st.booleans())
def test_a_length_that_is_none_is_refused(length: bytes, body: bytes, doubled: bool) -> None:
    lengths = b"Content-Length: " + length + b"\r\n" + (b"Content-Length: 5\r\n" if doubled else b"")
    quietly(survived(HEAD + lengths + b"\r\n" + body, keys=False))


def odd(line: bytes, name: bytes, value: bytes, body: bytes = b"") -> bytes:
    """A good request but for one header."""
    return framed(line + b" HTTP/1.1", [(b"Host", b"localhost"), (name, value)], body)


TRICKLE = f"PATCH {CALLS}/rtc_1".encode()


@FUZZ
@given(requests(), st.booleans())
@example(odd(b"GET /metrics", b"Authorization", b"Bearer \xff"), True)
@example(odd(b"GET /metrics", b"Authorization", b"Bearer ek_\xff.\xff.\xff"), False)
@example(odd(b"GET /healthz", b"Expect", b"\xff"), False)
@example(odd(b"GET /v1/realtime", b"Upgrade: websocket\r\nConnection", b"\x80"), True)
@example(odd(b"GET /healthz", b"Expect", b"tea"), False)
@example(odd(TRICKLE, b"Content-Type", b"application/trickle-ice-sdpfrag; charset=tea", b"a=x"), False)
@example(odd(TRICKLE, b"Content-Type", b"application/trickle-ice-sdpfrag", b"\xff"), False)
@example(odd(b"POST " + SECRETS.encode(), b"Content-Encoding", b"deflate", b"no deflate"), False)
@example(
    framed(
        b"OPTIONS / HTTP/1.1",
        [(b"Host", b"localhost"), (b"Origin", FRIEND.encode()), (b"Access-Control-Request-Headers", b"\xff")],
        b"",
    ),
    True,
)
def test_any_request_is_answered_and_the_next_one_too(data: bytes, keys: bool) -> None:
    quietly(survived(data, keys=keys, framed=True))


PART = st.tuples(
    st.sampled_from(
        [
            b'Content-Disposition: form-data; name="sdp"',
            b'Content-Disposition: form-data; name="sdp"; filename="x"',
            b'Content-Disposition: form-data; name="session"',
            b'Content-Disposition: form-data; name="_charset_"',
            b"Content-Disposition: form-data",
            b"Content-Disposition: \xff",
            b"X: y",
        ]
    ),
    st.sampled_from(
        [
            b"",
            b"Content-Type: application/sdp",
            b"Content-Type: text/plain; charset=tea",
            b"Content-Type: text/plain; charset=unicode_escape",
            b"Content-Type: text/plain; charset=idna",
            b"Content-Type: multipart/mixed; boundary=c",
            b"Content-Transfer-Encoding: base64",
            b"Content-Transfer-Encoding: tea",
            b"Content-Encoding: deflate",
            b"Content-Length: 3",
        ]
    ),
    st.sampled_from(OFFERS)
    | st.binary(max_size=60)
    | st.sampled_from([b"v=0\\ud800", b"v=0", b"{", b'{"instructions": "Be kind."}', b'{"audio": null}', b"[" * 5000]),
)


NAMED = b'Content-Disposition: form-data; name="sdp"'


@SLOW
@given(st.lists(PART, max_size=4), st.sampled_from([b"--b--\r\n", b"--b--", b"--b", b""]))
@example([(NAMED, b"Content-Type: text/plain; charset=tea", b"v=0")], b"--b--\r\n")
@example([(NAMED, b"Content-Type: text/plain; charset=unicode_escape", b"v=0\\ud800")], b"--b--\r\n")
@example([(NAMED, b"Content-Transfer-Encoding: tea", b"v=0")], b"--b--\r\n")
@example([(b"X: y", b"", b"v=0")], b"--b--\r\n")
def test_any_form_is_an_offer_or_a_refusal(parts: list[tuple[bytes, bytes, bytes]], end: bytes) -> None:
    written = b"".join(
        b"--b\r\n" + b"\r\n".join(line for line in (name, kind) if line) + b"\r\n\r\n" + content + b"\r\n"
        for name, kind, content in parts
    )
    quietly(survived(posted(CALLS, b"multipart/form-data; boundary=b", written + end), keys=True, framed=True))


@SLOW
@given(BODIES, KINDS, st.sampled_from([SECRETS, INVITATIONS]))
@example(b'{"session": {"a": 1e999}}', b"application/json", SECRETS)
@example(b"{}", b"application/json; charset=tea", SECRETS)
@example(b'{"name": "\\ud800", "minutes": 1e308}', b"application/json", INVITATIONS)
def test_any_body_makes_a_token_or_a_refusal(body: bytes, kind: bytes, path: str) -> None:
    quietly(survived(posted(path, kind, body), keys=True, framed=True))


def test_a_client_that_is_gone_in_mid_request_is_no_error() -> None:
    for cut in (1, len(CUT) // 2, len(CUT) - 1, len(CUT)):
        quietly(survived(CUT[:cut], keys=False))
