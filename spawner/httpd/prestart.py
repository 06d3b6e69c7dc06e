"""PassengerPreStart: a HEAD request to each URL, so that its app runs before the first visitor comes."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
from typing import Optional
from urllib.parse import SplitResult, unquote, urlsplit

from spawner.logs.log import Log
from spawner.version import VERSION


def request_for(url: SplitResult) -> bytes:
    """The HEAD request of a URL.

    :raises ValueError: the URL has control characters.
    """
    target = (url.path or "/") + ("?" + url.query if url.query else "")
    lines = ["HEAD %s HTTP/1.1" % target, "Host: %s" % url.netloc.rpartition("@")[2]]
    if url.username is not None:
        secret = "%s:%s" % (unquote(url.username), unquote(url.password or ""))
        lines.append("Authorization: Basic %s" % base64.b64encode(secret.encode()).decode())
    lines += ["User-Agent: Jumpseat/%s (prestart)" % VERSION, "Connection: close", "", ""]
    if any(character <= " " and character != " " or character == "\x7f" for line in lines for character in line):
        raise ValueError("control characters in the URL")
    return "\r\n".join(lines).encode("latin-1")


async def prestart(address: str, timeout: float, log: Log) -> None:
    """Request a URL from this machine's own httpd and log the result. No error of the other end is raised.

    :param timeout: seconds for the whole request.
    """
    try:
        url = urlsplit(address)
        status = await asyncio.wait_for(_head(url), timeout)
    except asyncio.TimeoutError:
        log.warn(3005, "PassengerPreStart got no answer within %g s: %s" % (timeout, address))
    except (OSError, ValueError, EOFError) as error:
        log.warn(3006, "PassengerPreStart failed: %s: %s" % (address, error or type(error).__name__))
    else:
        log.info(3007, "PassengerPreStart was answered: %s: %s" % (address, status))


async def _head(url: SplitResult) -> str:
    if url.scheme not in ("http", "https") or not url.hostname:
        raise ValueError("neither an http nor an https URL")
    request = request_for(url)
    reader, writer = await _connect(url)
    try:
        writer.write(request)
        await writer.drain()
        line = await reader.readline()
        while (await reader.readline()).strip():  # read the rest of the head, or httpd logs a client that left
            pass
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    if not line:
        raise EOFError("no answer")
    return line.decode("latin-1").strip()


async def _connect(url: SplitResult) -> "tuple[asyncio.StreamReader, asyncio.StreamWriter]":
    """Connect to this machine first: the URL's host may be a proxy in front of it."""
    encryption = _unverified() if url.scheme == "https" else None
    port = url.port or (443 if encryption else 80)
    hosts = ["127.0.0.1", "::1", url.hostname or ""]
    for host in hosts[:-1]:
        with contextlib.suppress(OSError):
            return await _open(host, port, url, encryption)
    return await _open(hosts[-1], port, url, encryption)


async def _open(
    host: str, port: int, url: SplitResult, encryption: Optional[ssl.SSLContext]
) -> "tuple[asyncio.StreamReader, asyncio.StreamWriter]":
    name = url.hostname if encryption else None
    return await asyncio.open_connection(host, port, ssl=encryption, server_hostname=name)


def _unverified() -> ssl.SSLContext:
    """TLS to this machine itself: the certificate is for its public name, and nobody is in between."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
