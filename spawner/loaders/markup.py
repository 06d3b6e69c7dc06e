"""HTML put together so that nothing gets into it unescaped: whatever is not Markup is text."""

from typing import Dict, Iterable

_UNPRINTABLE: Dict[int, int] = {number: 0x2400 + number for number in range(32) if number not in (9, 10)}
_UNPRINTABLE[127] = 0x2421
_UNPRINTABLE.update({number: 0xFFFD for number in range(128, 160)})
_SPECIAL = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("'", "&#x27;"))


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def escape(text: str) -> Markup:
    """Return `text` as HTML shows it; controls, which HTML does not allow, become visible signs."""
    if isinstance(text, Markup):
        return text
    shown = text.translate(_UNPRINTABLE)
    for character, entity in _SPECIAL:
        shown = shown.replace(character, entity)
    return Markup(shown)


def join(parts: Iterable[str]) -> Markup:
    """Return the parts one behind the other."""
    return Markup("".join(escape(part) for part in parts))


def element(tag: str, *children: str, **attributes: str) -> Markup:
    """Return an element; `tag` and the attributes' names are the programmer's (`class_` for class), values are text."""
    given = "".join(' {}="{}"'.format(name.rstrip("_"), escape(value)) for name, value in attributes.items())
    return Markup("<{}{}>{}</{}>".format(tag, given, join(children), tag))


def encode(page: Markup) -> bytes:
    """Return the bytes of a page; characters that no encoding has (of undecodable names) become question marks."""
    return page.encode("utf-8", "replace")
