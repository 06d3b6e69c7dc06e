"""The module: that it is built, that httpd can load it, and that the configuration does."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator, Optional

from spawner.cli.checks.apache import Apache, find_program
from spawner.cli.checks.finding import ERROR, OK, WARNING, Finding

_REBUILD = "build it for this Apache: make install (or make setup)"
_ENABLE = "a2enmod passenger, or put the lines of `jumpseat module-config` into its configuration"


class Module:
    """mod_passenger.so and httpd's configuration."""

    def __init__(self, apache: Apache) -> None:
        self._apache = apache

    def run(self) -> Iterator[Finding]:
        """Apache, its configuration, the file, and whether both fit."""
        if self._apache.control is None or self._apache.binary is None:
            yield Finding(ERROR, "Apache", "there is no httpd on this machine", "install apache2 (Debian) or httpd")
            return
        if find_program(self._apache.control) is None:
            told = "there is no program %s" % self._apache.control
            yield Finding(ERROR, "Apache", told, "give the httpd or apachectl that is meant")
            return
        self._apache.load()
        modules = self._apache.modules
        if modules is None:
            told = "%s cannot read its configuration: %s" % (self._apache.control, self._apache.problem)
            yield Finding(ERROR, "Apache's configuration", told, "mend what it names: %s -t" % self._apache.control)
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
            told = "mod_wsgi is loaded, too: a path belongs to one of them only"
            yield Finding(WARNING, "other modules", told, "a2dismod wsgi, where nothing needs it")

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
