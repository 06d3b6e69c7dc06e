"""Servers that are modules of httpd: httpd alone, Jumpseat, Phusion Passenger, mod_wsgi."""

from __future__ import annotations

import hashlib
import http.client
import os
from pathlib import Path

from apache_module.build import module_config_lines
from bench.answers import START_SECONDS
from bench.private_httpd import MODULES
from bench.scenarios import Runtime, Scenario
from bench.servers.base import MeasuredServer

CHECKOUT = Path(__file__).resolve().parents[2]


class StaticFile(MeasuredServer):
    """httpd's own limit: the same body from a file."""

    hello_only = True

    def configuration(self) -> list[str]:
        file = self.httpd.folder / "public" / self.scenario.path.lstrip("/")
        file.write_bytes(self.scenario.expected)
        return []


class PassengerDirectives(MeasuredServer):
    """What Jumpseat and Phusion Passenger are told alike.

    :param more: directives of this variant.
    """

    def __init__(self, scenario: Scenario, workers: int, more: tuple[str, ...] = ()) -> None:
        super().__init__(scenario, workers)
        self.more = more

    def configuration(self) -> list[str]:
        interpreter = {Runtime.PYTHON: "PassengerPython", Runtime.RUBY: "PassengerRuby"}[self.scenario.runtime]
        return [
            "%s %s" % (interpreter, self.interpreter),
            "PassengerMinInstances %d" % self.workers,
            "PassengerMaxPoolSize %d" % self.workers,
            'PassengerAppRoot "%s"' % self.app_root,
            'DocumentRoot "%s/public"' % self.app_root,
            *self.more,
        ]


class Jumpseat(PassengerDirectives):
    """This project."""

    titles = ("jumpseat: ",)

    def configuration(self) -> list[str]:
        return [
            *module_config_lines(CHECKOUT / "build"),
            'PassengerInstanceRegistryDir "%s/run"' % self.httpd.folder,
            *super().configuration(),
        ]


class ProxyScgi(Jumpseat):
    """Stock mod_proxy_scgi in front of the very same workers: they answer plain SCGI, too."""

    hello_only = True

    def configuration(self) -> list[str]:
        settings = self.httpd.folder / "spawner.conf"
        settings.write_text("[apps]\naccept_plain_scgi = yes\n")
        proxied = self.proxy_pass("scgi", "proxied.sock")
        return [
            *super().configuration(),
            'PassengerSpawnerConfigFile "%s"' % settings,
            *proxied[:2],
            'ProxyPass "/start" !',
            *proxied[2:],
        ]

    def start(self) -> None:
        super().start()
        connection = http.client.HTTPConnection("127.0.0.1", self.httpd.port, timeout=START_SECONDS)
        connection.request("GET", "/start")  # which Jumpseat's own module serves, so that the workers start
        connection.getresponse().read()
        connection.close()
        key = "%s (production)" % self.app_root
        name = hashlib.sha256(key.encode()).hexdigest()[:16] + ".sock"
        instance = self.httpd.folder / "run" / ("httpd-%d" % self.httpd.pid)
        os.symlink(instance / "apps" / name, self.app_root / "proxied.sock")


class PhusionPassenger(PassengerDirectives):
    """Phusion Passenger as Debian packages it."""

    # Jumpseat's own module may lie where the package's would.
    needs = {"libapache2-mod-passenger": "/var/lib/dpkg/info/libapache2-mod-passenger.list"}
    titles = ("Passenger RubyApp: ", "Passenger AppPreloader: ", "wsgi-loader.py")

    def configuration(self) -> list[str]:
        debian = Path("/etc/apache2/mods-available/passenger.conf").read_text().splitlines()
        return [
            "LoadModule passenger_module %s/mod_passenger.so" % MODULES,
            *(line for line in debian if "PassengerRoot" in line),
            "PassengerPoolIdleTime 0",
            "PassengerDisableSecurityUpdateCheck on",
            "PassengerDisableAnonymousTelemetry on",
            *super().configuration(),
        ]


class ModWsgi(MeasuredServer):
    """mod_wsgi in daemon mode, one thread a process."""

    needs = {"libapache2-mod-wsgi-py3": MODULES + "/mod_wsgi.so"}
    titles = ("(wsgi:app)",)

    def configuration(self) -> list[str]:
        folders = ":".join(str(folder) for folder in (self.app_root, self.packages) if folder)
        return [
            "LoadModule wsgi_module %s/mod_wsgi.so" % MODULES,
            'WSGISocketPrefix "%s/wsgi"' % self.httpd.folder,
            "WSGIDaemonProcess app processes=%d threads=1 display-name=%%{GROUP} python-path=%s"
            % (self.workers, folders),
            'WSGIScriptAlias / "%s/passenger_wsgi.py" process-group=app application-group=%%{GLOBAL}' % self.app_root,
        ]
