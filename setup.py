"""Packaging: metadata, and the build step that makes the Apache module."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

from setuptools import Distribution, find_packages, setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).resolve().parent


def version() -> str:
    """The one place that says it is spawner/version.py."""
    found = re.search(
        r'^VERSION = "([^"]+)"', (HERE / "spawner" / "version.py").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert found, "spawner/version.py names no VERSION"
    return found.group(1)


class BuildWithModule(build_py):
    """Builds the Python packages and, beside them, mod_passenger.so for the interpreter that runs this.

    The module finds that interpreter's packages again when httpd runs: build without isolation, in the environment that
    is to hold them (as scripts/install does). An editable install builds none: `make setup` does it afterwards.
    """

    def run(self) -> None:
        """Called by setuptools."""
        super().run()
        if self.editable_mode:
            return
        configuration = Path(self.build_lib, "conf.d")
        configuration.mkdir(parents=True, exist_ok=True)
        shutil.copy(HERE / "conf.d" / "spawner.configspec", configuration)
        sys.path.insert(0, str(HERE))
        from apache_module.build import build

        build(Path(self.build_lib, "apache_module"))


class BinaryDistribution(Distribution):
    """Says that what is built fits this platform and interpreter only."""

    def has_ext_modules(self) -> bool:
        """Asked by setuptools."""
        return True


setup(
    name="jumpseat",
    version=version(),
    description="An application server for Apache httpd: PassengerEnabled On, restart.txt, preloaded workers",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author="The Jumpseat authors",
    license="MIT",
    packages=find_packages(include=["spawner", "spawner.*", "apache_module", "apache_module.*"]),
    package_data={"apache_module": ["src/*.[ch]", "src/generated/*"]},
    cmdclass={"build_py": BuildWithModule},
    distclass=BinaryDistribution,
    python_requires=">=3.11",  # watchdog 7's floor
    install_requires=[
        "cffi>=1.15",
        "click>=8.1",
        "configobj>=5.0.8",
        "psutil>=5.9.4",
        "rich>=13",
        "watchdog>=7",
        "setuptools",  # cffi compiles the module through it
    ],
    extras_require={
        "test": [
            "Django>=4.2",
            "Flask>=3",
            "hypothesis>=6",
            "mypy>=1.10",
            "pytest>=8",
            "pytest-timeout>=2.3",
            "pytest-xdist>=3.5",
            "ruff>=0.5",
            "types-cffi",
            "types-psutil",
            "types-setuptools",
        ],
    },
    entry_points={
        "console_scripts": [
            "jumpseat = spawner.cli.main:jumpseat",
            "passenger-status = spawner.cli.status:status",
        ],
    },
    classifiers=[
        "Environment :: Web Environment",
        "License :: OSI Approved :: MIT License",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: C",
        "Programming Language :: Python :: 3",
        "Topic :: Internet :: WWW/HTTP :: WSGI :: Server",
    ],
    zip_safe=False,
)
