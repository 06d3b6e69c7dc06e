"""Makes registry folders as a spawner does, with real admin sockets."""

from __future__ import annotations

import json
import os
import socket
import threading
from pathlib import Path
from typing import Any, Optional


class Registry:
    """A registry folder. Names are short: a socket's path holds at most 107 bytes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[dict[str, Any]] = []  # what the sockets were asked
        self._listeners: list[tuple[socket.socket, threading.Thread]] = []

    def add(
        self, name: str, reply: Optional[bytes] = None, httpd_pid: Optional[int] = None, **replies: bytes
    ) -> Path:
        """An instance; with `reply`, its admin socket sends that to `status`, and `replies` to other commands."""
        folder = self.folder / name
        folder.mkdir()
        facts = {
            "name": name,
            "httpd_pid": os.getpid() if httpd_pid is None else httpd_pid,
            "server_root": "/etc/apache2",
        }
        (folder / "instance.json").write_text(json.dumps(facts), encoding="utf-8")
        if reply is not None:
            self._serve(folder / "admin.sock", {"status": reply, **replies})
        return folder

    def _serve(self, path: Path, replies: dict[str, bytes]) -> None:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(path))
        listener.listen()
        thread = threading.Thread(target=_answer_until_closed, args=(listener, replies, self.asked))
        thread.start()
        self._listeners.append((listener, thread))

    def close(self) -> None:
        """End every admin socket."""
        for listener, thread in self._listeners:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            listener.close()


def _answer_until_closed(listener: socket.socket, replies: dict[str, bytes], asked: list[dict[str, Any]]) -> None:
    while True:
        try:
            line, _ = listener.accept()
        except OSError:
            return
        with line, line.makefile("rb") as questions:
            question = json.loads(questions.readline())
            asked.append(question)
            if question["command"] in replies:
                line.sendall(replies[question["command"]])
