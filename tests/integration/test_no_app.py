"""Where an app was asked for and there is none, the log says what was looked for."""

from __future__ import annotations

from support.applications import AppFolder
from support.serving import CheckedHttpd


def test_an_entry_file_that_is_not_there_is_named_in_the_log(httpd: CheckedHttpd, probe: AppFolder) -> None:
    httpd.site(document_root=probe.public, body="PassengerEnabled on\nPassengerStartupFile mistyped.py")
    httpd.start()
    assert httpd.get("/anything").status == 404
    httpd.logs.wait_for(rf"JS2001: no app here: there is no {probe.root}/mistyped\.py", "site.example.log")


def test_a_site_that_asks_for_no_app_says_nothing(httpd: CheckedHttpd, probe: AppFolder) -> None:
    httpd.site(document_root=probe.public, body="PassengerStartupFile mistyped.py")
    httpd.start()
    assert httpd.get("/anything").status == 404
    assert httpd.logs.count("JS2001", "site.example.log") == 0
