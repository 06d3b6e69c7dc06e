"""Packaging: the metadata, and the packages' data. The Apache module is built by apache_module/build.py."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).resolve().parent


def version() -> str:
    """The one place that says it is spawner/version.py."""
    found = re.search(
        r'^VERSION = "([^"]+)"', (HERE / "spawner" / "version.py").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert found, "spawner/version.py names no VERSION"
    return found.group(1)


class BuildPackages(build_py):
    """Copies the packages, and conf.d/spawner.configspec to where spawner/spawner_conf.py looks for it.

    The Apache module is not built here: it holds the path of the packages that it runs, which is known only once they
    are installed. `make setup` and `make install` call apache_module.build then.
    """

    def run(self) -> None:
        """Called by setuptools."""
        super().run()
        if not self.editable_mode:
            configuration = Path(self.build_lib, "conf.d")
            configuration.mkdir(parents=True, exist_ok=True)
            shutil.copy(HERE / "conf.d" / "spawner.configspec", configuration)


setup(
    name="jumpseat",
    version=version(),
    description="An application server for Apache httpd: PassengerEnabled On, restart.txt, preloaded workers",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author="The Jumpseat authors",
    license="MIT",
    packages=find_packages(include=["spawner", "spawner.*", "apache_module", "apache_module.*"]),
    package_data={"apache_module": ["src/**/*.[ch]"], "spawner": ["cli/**/*.rb", "loaders/**/*.rb", "loaders/**/*.js"]},
    cmdclass={"build_py": BuildPackages},
    python_requires=">=3.11",  # watchdog 7's floor
    install_requires=[
        "cffi>=1.15",
        "click>=8.1",
        "configobj>=5.0.8",
        "psutil>=5.9.4",
        "rich>=13",
        "watchdog>=7",
    ],
    extras_require={
        "bench": ["matplotlib>=3.6"],
        "test": [
            "Django>=4.2",
            "Flask>=3",
            "atheris>=3",
            "bandit[toml]>=1.9",
            "hypothesis>=6",
            "mypy>=1.10",
            "numpy>=1.26",
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
            "passenger = spawner.cli.main:passenger",
            "passenger-config = spawner.cli.commands.passenger_config:passenger_config",
            "passenger-memory-stats = spawner.cli.commands.memory_stats:passenger_memory_stats",
            "passenger-status = spawner.cli.commands.passenger_status:passenger_status",
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
