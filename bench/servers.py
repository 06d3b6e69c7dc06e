"""The servers that are measured: a static file, Jumpseat, its workers behind mod_proxy_scgi, and peers from Debian."""

from __future__ import annotations

import abc
import hashlib
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Optional

from apache_module.build import module_config_lines
from bench.private_httpd import MODULES, PrivateHttpd, wait_until

HERE = Path(__file__).parent
HELLO = HERE / "hello" / "passenger_wsgi.py"
PYTHON = "/usr/bin/python3"


class MeasuredServer(abc.ABC):
    """A server that answers `GET /hello`.

    :ivar needs: files that Debian's packages bring, by package.
    """

    name = "?"
    needs: dict[str, str] = {}

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.httpd = PrivateHttpd(type(self).__name__.lower())
        self.helpers: list[subprocess.Popen[bytes]] = []
        self.environment: dict[str, str] = {}  # of helpers, beside this process's own
        self.app_root = self.httpd.folder / "app"
        (self.app_root / "public").mkdir(parents=True)
        shutil.copyfile(HELLO, self.app_root / "passenger_wsgi.py")
        self.app_root.chmod(0o755)

    @classmethod
    def missing(cls) -> Optional[str]:
        """The package that has to be installed first, if any."""
        return next((package for package, path in cls.needs.items() if not os.path.exists(path)), None)

    @abc.abstractmethod
    def configuration(self) -> str:
        """What httpd's configuration says beyond the common."""

    def start(self) -> None:
        """Bring everything up."""
        self.httpd.start(self.configuration())

    def pids(self) -> list[int]:
        """The processes whose descendants count."""
        return [self.httpd.pid, *(helper.pid for helper in self.helpers)]

    def stop(self) -> None:
        """End everything."""
        for helper in self.helpers:
            helper.send_signal(signal.SIGTERM)
            helper.wait(20)
        self.httpd.stop()

    def run_helper(self, command: list[str], socket: str) -> None:
        """Start a server beside httpd, as Apache's user, and wait for its socket.

        :raises RuntimeError: it does not make the socket within 20 s.
        """
        become = {"user": "www-data", "group": "www-data"} if os.geteuid() == 0 else {}
        with open(self.httpd.folder / "helper.log", "wb") as log:
            helper = subprocess.Popen(  # type: ignore[call-overload]
                command, cwd=self.app_root, env={**os.environ, **self.environment}, stdout=log, stderr=log, **become
            )
        self.helpers.append(helper)
        wait_until((self.app_root / socket).exists, "%s makes no %s" % (command[0], socket))


class StaticFile(MeasuredServer):
    """httpd's own limit."""

    name = "static file (the limit)"

    def configuration(self) -> str:
        (self.httpd.folder / "public" / "hello").write_text("Hello, World!")
        return ""


class Jumpseat(MeasuredServer):
    """This project."""

    name = "Jumpseat"

    def configuration(self) -> str:
        settings = self.httpd.folder / "spawner.conf"
        settings.write_text("[apps]\naccept_plain_scgi = yes\n")
        return "\n".join(
            [
                *module_config_lines(HERE.parent / "build"),
                'PassengerInstanceRegistryDir "%s/run"' % self.httpd.folder,
                'PassengerSpawnerConfigFile "%s"' % settings,
                "PassengerMinInstances %d" % self.workers,
                "PassengerMaxPoolSize %d" % self.workers,
                "PassengerPython %s" % PYTHON,
                'PassengerAppRoot "%s"' % self.app_root,
                'DocumentRoot "%s/public"' % self.app_root,
                self.more(),
            ]
        )

    def more(self) -> str:
        """What a server derived from this one adds."""
        return ""


class ProxyScgi(Jumpseat):
    """Stock mod_proxy_scgi in front of the very same workers: they answer plain SCGI, too."""

    name = "mod_proxy_scgi, same workers"

    def more(self) -> str:
        return "\n".join(
            [
                "LoadModule proxy_module %s/mod_proxy.so" % MODULES,
                "LoadModule proxy_scgi_module %s/mod_proxy_scgi.so" % MODULES,
                'ProxyPass "/proxied/" "unix:%s/app.sock|scgi://localhost/"' % self.httpd.folder,
            ]
        )

    def start(self) -> None:
        super().start()
        key = "%s (production)" % self.app_root
        name = hashlib.sha256(key.encode()).hexdigest()[:16] + ".sock"
        instance = self.httpd.folder / "run" / ("httpd-%d" % self.httpd.pid)
        os.symlink(instance / "apps" / name, self.httpd.folder / "app.sock")


class ModWsgi(MeasuredServer):
    """mod_wsgi in daemon mode, one thread a process."""

    name = "mod_wsgi daemon, 1 thread"
    needs = {"libapache2-mod-wsgi-py3": MODULES + "/mod_wsgi.so"}

    def configuration(self) -> str:
        return "\n".join(
            [
                "LoadModule wsgi_module %s/mod_wsgi.so" % MODULES,
                'WSGISocketPrefix "%s/wsgi"' % self.httpd.folder,
                "WSGIDaemonProcess hello processes=%d threads=1" % self.workers,
                'WSGIScriptAlias / "%s/passenger_wsgi.py" process-group=hello application-group=%%{GLOBAL}'
                % self.app_root,
            ]
        )


class Uwsgi(MeasuredServer):
    """uWSGI behind mod_proxy_uwsgi."""

    name = "uWSGI + mod_proxy_uwsgi"
    needs = {"uwsgi-plugin-python3": "/usr/lib/uwsgi/plugins/python3_plugin.so", "uwsgi-core": "/usr/bin/uwsgi-core"}

    def configuration(self) -> str:
        return "\n".join(
            [
                "LoadModule proxy_module %s/mod_proxy.so" % MODULES,
                "LoadModule proxy_uwsgi_module %s/mod_proxy_uwsgi.so" % MODULES,
                'ProxyPass "/" "unix:%s/uwsgi.sock|uwsgi://localhost/"' % self.app_root,
            ]
        )

    def start(self) -> None:
        make_writable(self.app_root)
        plugin = ["--plugin", "python3"]
        quiet = ["--disable-logging", "--die-on-term"]
        files = ["--socket", "uwsgi.sock", "--wsgi-file", "passenger_wsgi.py"]
        self.run_helper(
            ["uwsgi-core", *plugin, *files, "--master", "--processes", str(self.workers), *quiet],
            "uwsgi.sock",
        )
        super().start()


class Gunicorn(MeasuredServer):
    """gunicorn with sync workers behind mod_proxy_http."""

    name = "gunicorn sync + mod_proxy_http"
    needs = {"gunicorn": "/usr/bin/gunicorn"}

    def configuration(self) -> str:
        return "\n".join(
            [
                "LoadModule proxy_module %s/mod_proxy.so" % MODULES,
                "LoadModule proxy_http_module %s/mod_proxy_http.so" % MODULES,
                'ProxyPass "/" "unix:%s/gunicorn.sock|http://localhost/"' % self.app_root,
            ]
        )

    def start(self) -> None:
        make_writable(self.app_root)
        command = ["/usr/bin/gunicorn", "--bind", "unix:gunicorn.sock", "--workers", str(self.workers)]
        self.run_helper([*command, "passenger_wsgi:application"], "gunicorn.sock")
        super().start()


class Passenger(MeasuredServer):
    """Phusion Passenger as Debian packages it."""

    name = "Phusion Passenger"
    needs = {"libapache2-mod-passenger": MODULES + "/mod_passenger.so"}

    def configuration(self) -> str:
        root = Path("/etc/apache2/mods-available/passenger.conf").read_text()
        lines = [line for line in root.splitlines() if "PassengerRoot" in line]
        return "\n".join(
            [
                "LoadModule passenger_module %s/mod_passenger.so" % MODULES,
                *lines,
                "PassengerPython %s" % PYTHON,
                "PassengerMinInstances %d" % self.workers,
                "PassengerMaxPoolSize %d" % self.workers,
                'PassengerAppRoot "%s"' % self.app_root,
                'DocumentRoot "%s/public"' % self.app_root,
            ]
        )


def make_writable(folder: Path) -> None:
    """Let Apache's user make sockets in the folder."""
    if os.geteuid() == 0:
        shutil.chown(folder, "www-data", "www-data")


ALL: list[type[MeasuredServer]] = [StaticFile, Jumpseat, ProxyScgi, Uwsgi, ModWsgi, Gunicorn, Passenger]
PATHS: dict[type[MeasuredServer], str] = {ProxyScgi: "/proxied/hello"}
