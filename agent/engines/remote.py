"""A server that speaks OpenAI's REST API, as engines use it: blocking, over connections that are kept.

Plain `http.client`: an engine is called in worker threads, and a request to a server next door takes a millisecond.
Proxies of the environment are not asked.
"""

from __future__ import annotations

import http.client
import json
import secrets
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit

from agent.errors import ConfigError, EngineError

MOST_IDLE = 4
"""connections that are kept for the next request"""
_STALE = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)
_REMEDIES = {
    401: "give the right api_key",
    403: "give an api_key that may use this model",
    404: "check the model's name, and that the url ends in the server's OpenAI path, usually /v1",
    429: "the server has no room for more requests: wait, or raise its limits",
    503: "the server is still loading its models, or overloaded",
}


class Remote:
    """One server. May be used from several threads at once.

    :param engine: who asks: "openai asr", for messages.
    :param url: up to and including ``/v1``.
    :param api_key: sent as a bearer token; "" sends none.
    :param timeout_s: without a byte, after which the server counts as stuck.
    :raises ConfigError: if the URL is none.
    """

    def __init__(self, engine: str, url: str, api_key: str, timeout_s: float) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(f"{engine}: the url {url!r} is none; give one such as http://127.0.0.1:8000/v1")
        self.url = url.rstrip("/")
        self._engine = engine
        self._host, self._port, self._path = parts.hostname, parts.port, parts.path.rstrip("/")
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._timeout_s = timeout_s
        self._idle: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()

    @contextmanager
    def post(self, path: str, body: bytes, content_type: str) -> Iterator[http.client.HTTPResponse]:
        """A successful answer, to be read. Leaving before its end hangs up, and the server may stop.

        :raises EngineError: if the server refuses, breaks off, or can not be reached; with the remedy.
        """
        connection, response = self._asked(path, body, {"Content-Type": content_type, **self._headers})
        whole = False
        try:
            if response.status >= 400:
                raise self._refused(path, response.status, response.read(65536))
            yield response
            whole = response.isclosed()
        except (OSError, http.client.HTTPException) as error:
            raise self._gone(path, error) from error
        finally:
            response.close()
            with self._lock:
                keep = whole and len(self._idle) < MOST_IDLE
                if keep:
                    self._idle.append(connection)
            if not keep:
                connection.close()

    def close(self) -> None:
        """Close the idle connections."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _asked(
        self, path: str, body: bytes, headers: Mapping[str, str]
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        while True:
            with self._lock:
                kept = self._idle.pop() if self._idle else None
            connection = kept or self._fresh()
            try:
                connection.request("POST", self._path + path, body, dict(headers))
                return connection, connection.getresponse()
            except _STALE as error:
                connection.close()
                if kept is None:  # a kept one may have been closed by the server meanwhile; a new one tells
                    raise self._gone(path, error) from error
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                raise self._gone(path, error) from error

    def _fresh(self) -> http.client.HTTPConnection:
        if self._tls is not None:
            return http.client.HTTPSConnection(self._host, self._port, timeout=self._timeout_s, context=self._tls)
        return http.client.HTTPConnection(self._host, self._port, timeout=self._timeout_s)

    def _refused(self, path: str, status: int, body: bytes) -> EngineError:
        fix = _REMEDIES.get(status) or (
            "look into that server's log" if status >= 500 else "check the model and the other settings"
        )
        return EngineError(self._engine, path, f"{self.url} answered HTTP {status}: {_message(body)}; {fix}")

    def _gone(self, path: str, error: Exception) -> EngineError:
        if isinstance(error, TimeoutError):
            what = f"{self.url} sent nothing for {self._timeout_s:g} s"
            fix = "the server is stuck or overloaded: look into its log, or raise timeout_s"
        else:
            what = f"{self.url} can not be reached or broke off ({str(error) or type(error).__name__})"
            fix = "start that server, or correct its url"
        return EngineError(self._engine, path, f"{what}; {fix}")


def form(fields: Mapping[str, str], file: bytes, name: str, content_type: str) -> tuple[bytes, str]:
    """A body of multipart/form-data, and its content type.

    :param file: the part ``file``.
    """
    mark = secrets.token_hex(16)
    head = "".join(
        f'--{mark}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n' for key, value in fields.items()
    )
    head += (
        f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        f"Content-Type: {content_type}\r\n\r\n"
    )
    return head.encode() + file + f"\r\n--{mark}--\r\n".encode(), f"multipart/form-data; boundary={mark}"


def _message(body: bytes) -> str:
    """The message in an error body, or the body."""
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, LookupError, TypeError):
        return body[:200].decode("utf-8", "replace")
