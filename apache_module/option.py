"""What a row of the option table (`directives.py`) is made of."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Mapping, Optional, Union

INTEGER_LIMIT = 2147483647


class Kind(enum.Enum):
    """What a value is, and so how it is checked when httpd reads its configuration."""

    FLAG = "flag"
    INTEGER = "integer"
    CHOICE = "choice"
    TEXT = "text"
    TOKEN = "token"  # nosec B105  # a kind of word: a name as RFC 9110 has it for headers and cookies
    COOKIE_ATTRIBUTES = "cookie attributes"
    PATH_IN_APP = "path in app"  # absolute, or relative to the app root; need not exist
    FILE_IN_APP = "file in app"  # relative to the app root, never outside it
    DIRECTORY = "directory"  # exists
    CREATED_DIRECTORY = "created directory"  # its parent exists
    READ_FILE = "read file"  # exists
    WRITTEN_FILE = "written file"  # its folder exists
    INTERPRETER = "interpreter"  # can be executed; a bare name is looked up in PATH
    USER = "user"
    GROUP = "group"
    URI_SET = "uri set"
    URL_LIST = "url list"
    SETTINGS = "settings"  # names with a value each; of one that is given again the last value counts


class Scope(enum.Enum):
    """Where a directive may stand. LOCATION and OPTIONS are allowed in every `.htaccess`.

    See `Directive.htaccess` for others.
    """

    SERVER = "server config"
    DIRECTORY = "server config, virtual host, directory"
    APPLICATION = "server config, virtual host, directory, location"
    LOCATION = "server config, virtual host, directory, location, .htaccess"
    OPTIONS = "server config, virtual host, directory, location, .htaccess (AllowOverride Options)"


@dataclass(frozen=True)
class Directive:
    """One option.

    :ivar name: the directive without its prefix `Passenger`.
    :ivar default: the value when nothing is configured. None: there is none, or it is found at run time
        (`default_text` says how).
    :ivar minimum: least number allowed, for INTEGER; `maximum`: the largest.
    :ivar unit: what an INTEGER counts.
    :ivar choices: for CHOICE, each word allowed, with the canonical word it stands for; for GROUP, words allowed
        beside the names of groups; for SETTINGS, each name that has an effect, with the name in messages.
    :ivar on_when: for a FLAG without a static default: on exactly when that other option has that value.
    :ivar off_when: the same, but off exactly then.
    :ivar on_wire: httpd sends it to the spawner (in `begin` for SERVER scope, else in `register`).
    :ivar respawn: when it changes, running app processes have to be replaced.
    :ivar htaccess: allowed in `.htaccess` where PassengerAllowHtaccess is on. Only for a value that is a string or a
        list (`settings.c` does not look at any file for it then), and only if the spawner uses it with the rights of
        the app's user alone (docs/decisions/027-htaccess.md).
    :ivar aliases: older names of the same directive, in full, which Passenger honours.
    """

    name: str
    kind: Kind
    scope: Scope
    default: Union[None, bool, int, str]
    meaning: str
    minimum: int = 0
    maximum: int = INTEGER_LIMIT
    unit: str = ""
    choices: Optional[Mapping[str, str]] = None
    on_when: Optional[tuple[str, Union[str, bool]]] = None
    off_when: Optional[tuple[str, Union[str, bool]]] = None
    on_wire: bool = False
    respawn: bool = False
    default_text: str = ""
    difference: str = ""
    htaccess: bool = False
    aliases: tuple[str, ...] = ()

    @property
    def directive(self) -> str:
        """The name as it stands in a configuration file."""
        return "Passenger" + self.name

    @property
    def wire_name(self) -> str:
        """The name in messages, C structs and Python dataclasses: `AppGroupName` is `app_group_name`."""
        # A capital begins a word when a small letter follows it or stands before it, so that `BaseURI` is `base_uri`.
        letters = []
        for index, letter in enumerate(self.name):
            before, after = self.name[index - 1 : index], self.name[index + 1 : index + 2]
            if letter.isupper() and index and (before.islower() or (before.isupper() and after.islower())):
                letters.append("_")
            letters.append(letter.lower())
        return "".join(letters)

    @property
    def default_condition(self) -> Optional[tuple[str, Union[str, bool]]]:
        """The other option, and its value, by which the default is chosen; None: it is `default`."""
        return self.on_when or self.off_when

    @property
    def server_wide(self) -> bool:
        """Whether one value holds for the whole server."""
        return self.scope is Scope.SERVER
