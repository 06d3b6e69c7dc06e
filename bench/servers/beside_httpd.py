"""Servers that run beside httpd, which passes requests on to them by a module of mod_proxy."""

from __future__ import annotations

from bench.scenarios import Scenario
from bench.servers.base import MeasuredServer

KEPT = "enablereuse=on"  # httpd keeps its connections to the server
NOT_KEPT = "disablereuse=on"


class Uwsgi(MeasuredServer):
    """uWSGI behind mod_proxy_uwsgi."""

    needs = {"uwsgi-core": "/usr/bin/uwsgi-core", "uwsgi-plugin-python3": "/usr/lib/uwsgi/plugins/python3_plugin.so"}

    def configuration(self) -> list[str]:
        return self.proxy_pass("uwsgi", "uwsgi.sock")

    def start(self) -> None:
        files = ["--socket", "uwsgi.sock", "--wsgi-file", "passenger_wsgi.py"]
        packages = ["--pythonpath", str(self.packages)] if self.packages else []
        processes = ["--master", "--processes", str(self.workers)]
        command = ["uwsgi-core", "--plugin", "python3", *files, *packages, *processes]
        self.run_helper([*command, "--disable-logging", "--die-on-term"], "uwsgi.sock")
        super().start()


class Gunicorn(MeasuredServer):
    """gunicorn with sync workers behind mod_proxy_http.

    :param flags: on its command line.
    """

    needs = {"gunicorn": "/usr/bin/gunicorn"}

    def __init__(self, scenario: Scenario, workers: int, flags: tuple[str, ...] = ()) -> None:
        super().__init__(scenario, workers)
        self.flags = flags

    def configuration(self) -> list[str]:
        return self.proxy_pass("http", "gunicorn.sock")

    def start(self) -> None:
        if self.packages:
            self.environment["PYTHONPATH"] = str(self.packages)
        command = ["/usr/bin/gunicorn", "--bind", "unix:gunicorn.sock", "--workers", str(self.workers), *self.flags]
        self.run_helper([*command, "passenger_wsgi:application"], "gunicorn.sock")
        super().start()


class RubyServer(MeasuredServer):
    """A server of Ruby apps behind mod_proxy_http.

    :param proxy: parameters of ProxyPass.
    """

    def __init__(self, scenario: Scenario, workers: int, proxy: str = "") -> None:
        super().__init__(scenario, workers)
        self.proxy = proxy
        self.environment = {"RACK_ENV": "production", "RAILS_ENV": "production"}

    def configuration(self) -> list[str]:
        return self.proxy_pass("http", "app.sock", self.proxy)

    def start_with(self, command: list[str], settings: list[str]) -> None:
        """Start it with a file of settings, whose name is the command's last word, then httpd."""
        (self.app_root / command[-1]).write_text("".join(line + "\n" for line in settings))
        self.run_helper(command, "app.sock")
        super().start()


class Puma(RubyServer):
    """Puma in cluster mode, the app loaded before the workers are forked.

    :param threads: of each worker.
    :param more: lines of its configuration.
    """

    needs = {"puma": "/usr/bin/puma"}

    def __init__(
        self, scenario: Scenario, workers: int, threads: int, proxy: str = "", more: tuple[str, ...] = ()
    ) -> None:
        super().__init__(scenario, workers, proxy)
        self.threads = threads
        self.more = more

    def start(self) -> None:
        settings = [
            "workers %d" % self.workers,
            "threads %d, %d" % (self.threads, self.threads),
            "preload_app!",
            'environment "production"',
            'bind "unix://%s/app.sock"' % self.app_root,
            *self.more,
        ]
        self.start_with(["/usr/bin/puma", "--quiet", "-C", "puma.rb"], settings)


class Unicorn(RubyServer):
    """Unicorn, the app loaded before the workers are forked."""

    needs = {"unicorn": "/usr/bin/unicorn"}

    def start(self) -> None:
        settings = [
            "worker_processes %d" % self.workers,
            "preload_app true",
            'listen "%s/app.sock", backlog: 1024' % self.app_root,
        ]
        self.start_with(["/usr/bin/unicorn", "-E", "production", "-c", "unicorn.rb"], settings)
