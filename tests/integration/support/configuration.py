"""The text of a private httpd's configuration."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

MODULES = Path("/usr/lib/apache2/modules")
USUAL_MODULES = ("authz_core", "mime", "dir", "alias", "env", "setenvif", "headers", "autoindex")

#: More threads in one child than any test has clients: when all are busy, the event MPM closes kept connections.
THREADED = """\
StartServers 1
ServerLimit 16
ThreadsPerChild 64
MinSpareThreads 8
MaxSpareThreads 128
MaxRequestWorkers 128
"""
FORKED = """\
StartServers 4
MinSpareServers 2
MaxSpareServers 16
ServerLimit 80
MaxRequestWorkers 80
"""
MPM_LIMITS = {"event": THREADED, "worker": THREADED, "prefork": FORKED}

BASE = """\
ServerRoot "{folder}"
DefaultRuntimeDir "{folder}"
PidFile "{folder}/httpd.pid"
Listen 127.0.0.1:{port}
ServerName server.example
{identity}
ErrorLog "{folder}/logs/error.log"
LogLevel info
Timeout 60
KeepAliveTimeout 5
GracefulShutdownTimeout 10
{limits}
"""

REST = """\
TypesConfig /dev/null
AddType text/html .html
AddType text/plain .txt
AddType text/css .css
<Directory />
    AllowOverride None
    Require all granted
</Directory>
PassengerInstanceRegistryDir "{folder}/run"
PassengerDataBufferDir "{folder}/buffer"
PassengerStatThrottleRate 0
"""

REST_WITHOUT_OURS = REST.partition("PassengerInstance")[0]


@dataclass
class Site:
    """One VirtualHost. Its ErrorLog is `<name>.log`; `body` is its text beyond what is common to all."""

    name: str
    document_root: Path | None = None
    body: str = ""
    port: int | None = None

    @property
    def log(self) -> str:
        return f"{self.name}.log"

    def text(self, folder: Path, default_port: int) -> str:
        lines = [
            f"<VirtualHost *:{self.port or default_port}>",
            f"ServerName {self.name}",
            f'ErrorLog "{folder}/logs/{self.log}"',
        ]
        if self.document_root is not None:
            lines.append(f'DocumentRoot "{self.document_root}"')
        return "\n".join([*lines, self.body, "</VirtualHost>\n"])


@dataclass
class Configuration:
    """Everything that one httpd.conf says. Tests add to `modules`, `globals` and `sites`."""

    folder: Path
    port: int
    mpm: str = "event"
    identity: str = ""
    product: str = ""
    modules: list[str] = field(default_factory=lambda: list(USUAL_MODULES))
    globals: list[str] = field(default_factory=list)
    sites: list[Site] = field(default_factory=list)

    def text(self) -> str:
        base = BASE.format(folder=self.folder, port=self.port, limits=MPM_LIMITS[self.mpm], identity=self.identity)
        rest = REST if self.product else REST_WITHOUT_OURS
        parts = [
            self._load(f"mpm_{self.mpm}"),
            base,
            *map(self._load, dict.fromkeys(self.modules)),
            self.product,
            rest.format(folder=self.folder),
            *self.globals,
            *(site.text(self.folder, self.port) for site in self.sites),
        ]
        return "\n".join(parts)

    @staticmethod
    def _load(name: str) -> str:
        return f"LoadModule {name}_module {MODULES}/mod_{name}.so"


def server_identity() -> str:
    """The lines that say as whom httpd's children run; none for a normal user."""
    return "User www-data\nGroup www-data" if os.geteuid() == 0 else ""
