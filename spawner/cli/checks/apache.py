"""Apache and the module: that httpd is there, that the module is built, and that the configuration loads it."""

from __future__ import annotations

import os
import shutil
import subprocess  # nosec B404  # runs apachectl
import tempfile
from pathlib import Path
from typing import Iterator, Optional, Sequence

from spawner.cli.checks.findings import ERROR, OK, WARNING, Finding

FOLDERS = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"
_TIMEOUT = 60.0  # seconds for one call of httpd
_MODULE_FOLDERS = ("/usr/lib/apache2/modules", "/usr/lib64/httpd/modules", "/usr/lib/httpd/modules")
_REBUILD = "build it for this Apache: make install (or make setup)"
_ENABLE = "a2enmod passenger, or put the lines of `jumpseat module-config` into its configuration"


class Apache:
    """One httpd: where it is, and what it reports about itself.

    :param control: the program that is asked; None: apachectl and its other names, which know the distribution's
        variables.
    :param configuration: an httpd.conf; None: the one that it takes by itself.
    :param apxs: Apache's build tool, which knows the folder of modules; None: looked for.
    """

    def __init__(self, control: Optional[str] = None, configuration: Optional[Path] = None, apxs: Optional[str] = None):
        self.control = control or find_program("apache2ctl", "apachectl", "httpd", "apache2")
        is_binary = control is not None and not control.endswith("ctl")  # apachectl takes no configuration of ours
        self.binary = control if is_binary else find_program("apache2", "httpd")
        self.apxs = apxs or find_program("apxs2", "apxs")
        self._configuration = ["-f", str(configuration.resolve())] if configuration is not None else []
        self._modules: Optional[list[str]] = None
        self._problem = ""

    def load(self) -> None:
        """Have it read its configuration, for `modules` and `problem`."""
        done = _run([str(self.control), "-t", "-D", "DUMP_MODULES", *self._configuration])
        if done.returncode == 0:
            self._modules = [line.split()[0] for line in done.stdout.splitlines() if "_module (" in line]
        else:
            self._problem = last_lines(done.stderr or done.stdout)

    @property
    def modules(self) -> Optional[list[str]]:
        """The modules that the configuration loads; None where it cannot be read."""
        return self._modules

    @property
    def problem(self) -> str:
        """Why the configuration cannot be read."""
        return self._problem

    @property
    def mpm(self) -> Optional[str]:
        """Its MPM: event, worker or prefork."""
        for name in self._modules or []:
            if name.startswith("mpm_") and name.endswith("_module"):
                return name[len("mpm_") : -len("_module")]
        return None

    def module_folder(self) -> Optional[Path]:
        """Where its modules are."""
        if self.apxs:
            done = _run([self.apxs, "-q", "LIBEXECDIR"])
            if done.returncode == 0 and done.stdout.strip():
                return Path(done.stdout.strip())
        return next((Path(name) for name in _MODULE_FOLDERS if os.path.isdir(name)), None)

    def try_module(self, module: Path) -> str:
        """Have it load a module with its MPM and nothing else.

        :returns: empty, or why it cannot.
        """
        folder = self.module_folder()
        mpm = folder / ("mod_mpm_%s.so" % (self.mpm or "event")) if folder is not None else None
        lines = ['LoadModule mpm_%s_module "%s"' % (self.mpm or "event", mpm)] if mpm and mpm.exists() else []
        with tempfile.TemporaryDirectory(prefix="jumpseat-") as name:
            configuration = Path(name, "httpd.conf")
            lines += ['ServerRoot "%s"' % name, 'DefaultRuntimeDir "%s"' % name, "ServerName localhost"]
            lines += ["Listen 127.0.0.1:1", "ErrorLog /dev/null", 'LoadModule passenger_module "%s"' % module]
            configuration.write_text("\n".join(lines) + "\n", encoding="utf-8")
            done = _run([str(self.binary), "-t", "-f", str(configuration)])
        return "" if done.returncode == 0 else last_lines(done.stderr or done.stdout)


def find_program(*names: str) -> Optional[str]:
    """The first of these programs that is there."""
    folders = os.environ.get("PATH", "") + ":" + FOLDERS
    return next((found for name in names for found in [shutil.which(name, path=folders)] if found), None)


def last_lines(text: str, count: int = 3) -> str:
    """The last lines of a program's output, on one line."""
    return " / ".join(line.strip() for line in text.strip().splitlines()[-count:])


def _run(command: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PATH": os.environ.get("PATH", "") + ":" + FOLDERS}
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT, env=environment)  # nosec B603  # a list of words, without a shell
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(command, 1, "", "%s: %s" % (command[0], error))


class Module:
    """mod_passenger.so and httpd's configuration."""

    def __init__(self, apache: Apache) -> None:
        self._apache = apache

    def run(self) -> Iterator[Finding]:
        """Look for Apache, read its configuration, and try whether it can load the module."""
        if self._apache.control is None or self._apache.binary is None:
            yield Finding(ERROR, "Apache", "there is no httpd on this machine", "install apache2 (Debian) or httpd")
            return
        if find_program(self._apache.control) is None:
            text = "there is no program %s" % self._apache.control
            yield Finding(ERROR, "Apache", text, "name an httpd or apachectl that exists")
            return
        self._apache.load()
        modules = self._apache.modules
        if modules is None:
            text = "%s cannot read its configuration: %s" % (self._apache.control, self._apache.problem)
            yield Finding(ERROR, "Apache's configuration", text, "correct what it names: %s -t" % self._apache.control)
        else:
            yield from self._configured(modules)
        yield from self._built()

    def _configured(self, modules: list[str]) -> Iterator[Finding]:
        mpm = self._apache.mpm
        yield Finding(OK, "Apache", "%s, %s" % (self._apache.binary, "MPM %s" % mpm if mpm else "MPM built in"))
        if "passenger_module" in modules:
            yield Finding(OK, "Apache's configuration", "it loads the module")
        else:
            yield Finding(ERROR, "Apache's configuration", "it does not load the module", _ENABLE)
        if "wsgi_module" in modules:
            text = "mod_wsgi is loaded, too: a path can belong to only one of them"
            yield Finding(WARNING, "other modules", text, "a2dismod wsgi, if nothing needs it")

    def _built(self) -> Iterator[Finding]:
        module = self._file()
        if module is None:
            yield Finding(ERROR, "module", "mod_passenger.so is not built", _REBUILD)
            return
        problem = self._apache.try_module(module)
        if problem:
            yield Finding(ERROR, "module", "Apache cannot load %s: %s" % (module, problem), _REBUILD)
        else:
            yield Finding(OK, "module", "Apache can load %s" % module)

    def _file(self) -> Optional[Path]:
        from apache_module.build import DEFAULT_OUTPUT, MODULE_FILE  # brings cffi, which may be what is missing

        folder = self._apache.module_folder()
        candidates = [folder / MODULE_FILE] if folder is not None else []
        return next((path for path in [*candidates, DEFAULT_OUTPUT / MODULE_FILE] if path.is_file()), None)
