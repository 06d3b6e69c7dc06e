"""`wsgi.file_wrapper`: a file that the app answers with, passed to httpd as a descriptor where that is the same."""

import io
import stat
from typing import Any, Iterator, Optional, Tuple

from ..core.unpatched import os

_BLOCK_SIZE = 64 * 1024  # read at once where the file cannot be passed, whatever smaller size the app names


class FileWrapper:
    """The iterable that PEP 3333 describes. `close` closes the file, if the file can be closed."""

    def __init__(self, filelike: Any, blksize: int = _BLOCK_SIZE) -> None:
        """`filelike`: has read(size in bytes); `blksize`: as PEP 3333 has it."""
        self.filelike = filelike
        self.blksize = blksize
        if hasattr(filelike, "close"):
            self.close = filelike.close

    def __iter__(self) -> Iterator[bytes]:
        size = max(self.blksize, _BLOCK_SIZE)
        data = self.filelike.read(size)
        while data:  # "" at the end of a file that was opened as text
            yield data
            data = self.filelike.read(size)

    def __getitem__(self, key: Any) -> Any:
        """The sequence protocol of old: some middleware of Python 2's time asks for it."""
        data = self.filelike.read(self.blksize)
        if data:
            return data
        raise IndexError


def regular_file(wrapper: FileWrapper) -> Optional[Tuple[int, int, int]]:
    """Return descriptor, offset and size in bytes of what is left of a wrapped plain file; None: it has to be read.

    Only types that are known to give out the file's own bytes: gzip's also has a fileno(). The files of /proc tell a
    size of 0 although they have content.
    """
    file = wrapper.filelike
    if type(file).__module__ == "tempfile":
        file = getattr(file, "file", file)
    raw = file.raw if type(file) in (io.BufferedReader, io.BufferedRandom) else file
    if type(raw) is not io.FileIO:
        return None
    try:
        descriptor = raw.fileno()
        status = os.fstat(descriptor)
        offset = file.tell()
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(status.st_mode) or status.st_size <= offset:
        return None
    return descriptor, offset, status.st_size - offset
