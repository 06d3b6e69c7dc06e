"""Requests whose path another module changes after it was decided that they belong to an app."""

from __future__ import annotations

from support.applications import AppFolder
from support.serving import CheckedHttpd

BASE = "/mounted-at-a-path-that-is-longer-than-what-it-is-changed-to"

#: A hook of mod_lua that runs when all modules have had their say about whose the request is.
CHANGE = """\
require "apache2"
function change(r)
    if r.args == "change" then
        r.uri = "/environ/other"
    end
    return apache2.DECLINED
end
"""


def test_a_path_that_is_led_out_of_the_base_uri_reaches_the_app_whole(httpd: CheckedHttpd, probe: AppFolder) -> None:
    script = httpd.folder / "change.lua"
    script.write_text(CHANGE)
    httpd.module("lua")
    mounting = f'PassengerAppRoot "{probe.root}"\nPassengerBaseURI {BASE}\n'
    httpd.site(document_root=probe.public, body=mounting + f'LuaHookFixups "{script}" change')
    httpd.start()
    seen = [httpd.get(f"{BASE}/environ{query}").json()["texts"] for query in ("", "?change")]
    names = [(environ["SCRIPT_NAME"], environ["PATH_INFO"]) for environ in seen]
    assert names == [(BASE, "/environ"), ("", "/environ/other")]
