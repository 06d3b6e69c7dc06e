"""A self-made certificate, made once for each test process."""

from __future__ import annotations

import atexit
import functools
import shutil
import ssl
import subprocess
import tempfile
from pathlib import Path


@functools.lru_cache(maxsize=None)
def certificate() -> tuple[Path, Path]:
    """The paths of a certificate for site.example and of its key."""
    folder = Path(tempfile.mkdtemp(prefix="js-certificate-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    key, made = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=site.example",
            "-addext",
            "subjectAltName=DNS:site.example,DNS:tls.example,DNS:server.example",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
            "-keyout",
            str(key),
            "-out",
            str(made),
        ],
        check=True,
        capture_output=True,
        timeout=30,
    )
    return made, key


def tls_lines() -> str:
    """What a VirtualHost says to speak TLS with it."""
    made, key = certificate()
    return f'SSLEngine on\nSSLCertificateFile "{made}"\nSSLCertificateKeyFile "{key}"\n'


def trusting() -> ssl.SSLContext:
    """For clients that talk to a server with such a certificate."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
