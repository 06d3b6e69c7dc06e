"""What the Ruby loader makes of the CGI variables of a request, beyond what every loader does with them."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Optional

import pytest

from spawner import loaders

ENVIRONMENT = Path(loaders.__file__).with_name("ruby") / "rack" / "environment.rb"
#: Reads a JSON array: the variables and the class of the body; writes the environment's texts.
PROGRAM = """\
require "json"
require "stringio"
require ARGV[0]
variables, body = JSON.parse($stdin.read)
variables.transform_values!(&:b)
environment = JumpseatLoader::Environment.new("Apache", 1, true)
environment = environment.complete(variables, Object.const_get(body).new)
puts JSON.generate(environment.select { |_, value| value.is_a?(String) })
"""

pytestmark = pytest.mark.skipif(shutil.which("ruby") is None, reason="needs Ruby")


def environment(variables: dict[str, str], body: str = "StringIO") -> dict[str, str]:
    command = ["ruby", "-e", PROGRAM, str(ENVIRONMENT)]
    answer = subprocess.run(command, input=json.dumps([variables, body]), capture_output=True, text=True, timeout=60)
    assert answer.returncode == 0, answer.stderr
    return dict(json.loads(answer.stdout))


@pytest.mark.parametrize(
    ("uri", "script_name", "path_info", "expected"),
    [
        ("/a%2fb%20c", "", "/a%2fb c", "/a%2fb%20c"),
        ("/sub/a%2Fb%20c", "/sub", "/a%2Fb c", "/a%2Fb%20c"),
        ("/a%252fb%20", "", "/a%2fb ", "/a%252fb%20"),
        ("/rewritten", "", "/a%2fb", "/a%252fb"),
    ],
)
def test_an_encoded_slash_that_httpd_has_left_alone_is_not_encoded_twice(
    uri: str, script_name: str, path_info: str, expected: str
) -> None:
    variables = {"REQUEST_URI": uri, "SCRIPT_NAME": script_name, "PATH_INFO": path_info, "CONTENT_LENGTH": "0"}
    assert environment(variables)["PATH_INFO"] == expected


@pytest.mark.parametrize(
    ("length", "body", "expected"),
    [(None, "Object", "chunked"), (None, "StringIO", None), ("5", "Object", None), ("5", "StringIO", None)],
)
def test_a_body_without_a_length_comes_in_chunks(length: Optional[str], body: str, expected: Optional[str]) -> None:
    variables = {"REQUEST_URI": "/", "SCRIPT_NAME": "", "PATH_INFO": "/"}
    variables |= {} if length is None else {"CONTENT_LENGTH": length}
    assert environment(variables, body).get("HTTP_TRANSFER_ENCODING") == expected
