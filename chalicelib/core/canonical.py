"""JSON in its canonical form (RFC 8785), which SDKs make of a call's body before they check its signature.

No library: what is sent must hold integers that the form cannot (it knows doubles only, as JavaScript does), while what
is signed must not; and the form must come out as it does in the SDKs. tests/unit/drivers holds it against theirs.
"""

from __future__ import annotations

from json.encoder import encode_basestring
from typing import Final

from chalicelib.core.errors import UserError

# Beyond it a double is not every integer.
_EXACT: Final = 2**53
# From here on the form writes numbers with an exponent.
_MOST_DIGITS: Final = 21


class NoCanonicalForm(UserError):
    """A value without a canonical form: not JSON, not Unicode, or a number that no double holds."""


def texts(value: object) -> tuple[str, str]:
    """The value as it is sent, and as it is signed. They differ only in numbers beyond 2**53: those are sent as they
    are, so that an app whose language knows large integers, and tells them from doubles, gets them.

    Raises NoCanonicalForm.
    """
    sent = _Writer(exact=True)
    text = sent.write(value)
    return text, _Writer(exact=False).write(value) if sent.met_large else text


class _Writer:
    def __init__(self, *, exact: bool) -> None:
        self._exact = exact
        self._parts: list[str] = []
        self.met_large = False

    def write(self, value: object) -> str:
        try:
            self._write(value)
            text = "".join(self._parts)
            text.encode()
        except RecursionError:
            raise NoCanonicalForm("it is nested too deeply") from None
        except UnicodeEncodeError:
            raise NoCanonicalForm("it holds text that is not valid Unicode") from None
        except (OverflowError, ValueError) as error:
            raise NoCanonicalForm(f"it holds a number that cannot be sent: {error}") from None
        return text

    def _write(self, value: object) -> None:
        add = self._parts.append
        if isinstance(value, str):
            add(encode_basestring(value))
        elif value is None:
            add("null")
        elif isinstance(value, bool):
            add("true" if value else "false")
        elif isinstance(value, int):
            add(self._integer(value))
        elif isinstance(value, float):
            add(self._double(value))
        elif isinstance(value, dict):
            self._object(value)
        elif isinstance(value, list | tuple):
            before = "["
            for item in value:
                add(before)
                self._write(item)
                before = ","
            add("]" if value else "[]")
        else:
            raise NoCanonicalForm(f"it holds a {type(value).__name__}, which is not JSON")

    def _object(self, value: dict[object, object]) -> None:
        add = self._parts.append
        before = "{"
        for key in _sorted(value):
            add(before)
            add(encode_basestring(key))
            add(":")
            self._write(value[key])
            before = ","
        add("}" if value else "{}")

    def _integer(self, value: int) -> str:
        if -_EXACT <= value <= _EXACT:
            return str(value)
        self.met_large = True
        form = number(float(value))  # Raises where no double is so large: the form has no such number.
        return str(value) if self._exact else form

    def _double(self, value: float) -> str:
        form = number(value)
        if -_EXACT <= value <= _EXACT or "e" in form:
            return form
        self.met_large = True
        return repr(value) if self._exact else form


def _sorted(value: dict[object, object]) -> list[str]:
    keys = [key for key in value if isinstance(key, str)]
    if len(keys) != len(value):
        raise NoCanonicalForm("it holds a key that is not a text")
    if all(key.isascii() for key in keys):
        return sorted(keys)
    # By the units of UTF-16: there an emoji comes before U+E000, by code points after it.
    return sorted(keys, key=lambda key: key.encode("utf-16-be"))


def number(value: float) -> str:
    """The number as JavaScript writes it. Raises ValueError for what is no number."""
    if value == 0:
        return "0"
    if value != value or value in (float("inf"), float("-inf")):
        raise ValueError(f"{value} is no JSON number")
    if value.is_integer() and -_EXACT <= value <= _EXACT:
        return str(int(value))
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    point = len(whole) + int(exponent or 0)
    digits = (whole + fraction).lstrip("0")
    point -= len(whole + fraction) - len(digits)
    return ("-" if value < 0 else "") + _placed(digits.rstrip("0"), point)


def _placed(digits: str, point: int) -> str:
    """The digits with their decimal point after so many of them."""
    count = len(digits)
    if count <= point <= _MOST_DIGITS:
        return digits + "0" * (point - count)
    if 0 < point <= _MOST_DIGITS:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return "0." + "0" * -point + digits
    exponent = f"e{point - 1:+d}"
    return digits[0] + (f".{digits[1:]}" if count > 1 else "") + exponent
