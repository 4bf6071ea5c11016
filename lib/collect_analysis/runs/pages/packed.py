"""Answers ready to send: packed once, known by their content, and kept as long as they fit."""

import gzip
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from tornado import web

MOST_BYTES = 64_000_000


@dataclass(frozen=True)
class Packed:
    """A page as it travels, and the tag by which a browser knows that it has it already."""

    zipped: bytes
    etag: str

    @classmethod
    def of(cls, page: bytes) -> "Packed":
        """A page, packed."""
        return cls(gzip.compress(page, 4, mtime=0), f'"{hashlib.sha256(page).hexdigest()[:24]}"')

    def send(self, handler: web.RequestHandler) -> None:
        """Answer with the page; with nothing to a browser that has it, unpacked to one that cannot unpack."""
        handler.set_header("Content-Type", "text/html; charset=utf-8")
        handler.set_header("Etag", self.etag)
        handler.set_header("Vary", "Accept-Encoding, Accept-Language, Cookie")
        if handler.request.headers.get("If-None-Match", "").removeprefix("W/") == self.etag:
            handler.set_status(304)
            handler.finish()
        elif "gzip" in handler.request.headers.get("Accept-Encoding", ""):
            handler.set_header("Content-Encoding", "gzip")
            handler.finish(self.zipped)
        else:
            handler.finish(gzip.decompress(self.zipped))


class Kept:
    """Packed pages by what they were made from, the latest asked for; never more than `most_bytes`."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        self._pages: OrderedDict[Hashable, Packed] = OrderedDict()
        self.bytes = 0

    def get(self, key: Hashable, make: Callable[[], bytes]) -> Packed:
        """The page of this key, made if it is not kept."""
        if key not in self._pages:
            page = Packed.of(make())
            self._pages[key] = page
            self.bytes += len(page.zipped)
            while self.bytes > self._most and len(self._pages) > 1:
                self.bytes -= len(self._pages.popitem(last=False)[1].zipped)
            return page
        self._pages.move_to_end(key)
        return self._pages[key]
