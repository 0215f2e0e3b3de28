"""Free text without what must not be kept: cards, addresses, numbers of people, and secrets.

A provider's message may quote the payer or our own key. It is read here before it goes into a failure, a log line or a
dead letter. Where it is not clear whether something is a secret, it is taken for one.
"""

import re
from unicodedata import category

import msgspec

_MOST_READ = 8192
"""Characters that are looked at: a provider's message is a line, and a page of HTML need not be searched whole."""

_FEWEST_DIGITS, _MOST_DIGITS = 13, 19

_EDGE = 64
"""What is left out before the place where a long text was cut, since half of a card number is not seen as one."""

_PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (replacement, re.compile(pattern))
    for replacement, pattern in (
        (r"[secret]@", r"(?<=://)[^\s/@]++@"),
        (r"[jwt]", r"(?<![\w-])eyJ[\w-]++(?:\.[\w-]*+)++"),
        (r"[secret]", r"(?i)(?<![a-z0-9])(?:(?:sk|rk|pk|rzp)_(?:live|test)|whsec)_\w++"),
        (r"[secret]", r"(?<!\w)A21AA[\w-]{10,}+"),  # PayPal's access tokens begin like this
        (r"[secret]", r"(?<!\w)(?:pi|seti|cs)_\w*?_secret_\w++"),
        (r"\1 [secret]", r"(?i)\b(bearer|basic)[\s:]++(?!\[)[\w+/=.~-]{6,}+"),
        (
            r"\1=[secret]",
            (
                r"(?i)\b((?:\w++-)?\w*?(?:token|secret|password|passwd|pwd|api_?key|authorization))"
                r"[\"']?\s*+[=:]\s*+[\"']?(?:(?:bearer|basic)\s++)?[^\s\"'&,;}]++[\"']?"
            ),
        ),
        (r"\1 [cvc]", r"(?i)\b(cvc|cvv|cvn|cid|security code|card code)2?\b[\s\"':=#]*+(?:is\s++)?\d{3,4}(?!\d)"),
        (r"[email]", r"(?:(?<![^\s\[\]<>\"(),:;@])[^\s\[\]<>\"(),:;@]++|\"[^\"]*+\")@[\w-]++(?:\.[\w-]++)*+"),
        (r"[iban]", r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b"),
        (r"[iban]", r"(?i)\b[a-z]{2}\d{2}[a-z0-9]{11,30}\b"),
        (r"[phone]", r"\+\d(?:[\s()./-]{0,2}+\d){5,}+"),
        (r"[card]", r"\d(?:[\s./\u2010-\u2015-]{0,3}+\d){11,}+"),
        (r"[phone]", r"(?<![\w.])\(?\d{2,4}\)?[\s.-]\d{3,4}[\s.-]\d{3,4}(?!\w)"),
        (r"[phone]", r"(?<!\w)\d{9,11}(?!\w)"),
    )
)


def redacted(text: str, at_most: int = 200) -> str:
    """Return the first `at_most` characters of `text`, with `[card]`, `[email]` … in place of what must not be kept.

    Control characters become spaces and invisible ones are left out. What was redacted once stays as it is.
    """
    clean = _clean(text[:_MOST_READ])
    if len(text) > _MOST_READ:
        clean = clean[:-_EDGE]
    while (
        once := _replaced(clean)[:at_most].rstrip()
    ) != clean:  # the cut may end a word that was none of these before
        clean = once
    return clean


def is_card_number(text: str) -> bool:
    """Return whether `text` is a card's number and nothing else: 13 to 19 digits whose check digit is right.

    Names that somebody chose are looked at so, since `redacted` would take any long number for a card. Source: ISO/IEC
    7812-1, annex B (Luhn's formula).
    """
    digits = text.replace(" ", "").replace("-", "")
    if not (digits.isascii() and digits.isdecimal() and _FEWEST_DIGITS <= len(digits) <= _MOST_DIGITS):
        return False
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (sum(map(int, digits[-1::-2])) + sum(doubled)) % 10 == 0


def masked_email(email: str) -> str:
    """Return an e-mail of which only the first character and the last label are told: `j***@***.com`.

    Masking what is masked changes nothing. What does not look like an e-mail is masked whole: `***`.
    """
    found = _EMAIL.fullmatch(email) if email.isprintable() else None
    return f"{found[1]}***@***.{found[2]}" if found else "***"


def shown_without(value: msgspec.Struct, *hidden: str) -> str:
    """Return a representation of a value without the fields `hidden`."""
    shown = (f"{name}={getattr(value, name)!r}" for name in value.__struct_fields__ if name not in hidden)
    return f"{type(value).__name__}({', '.join(shown)})"


def _clean(text: str) -> str:
    """Return the text without what cannot be seen: it could stand between the digits of a card."""
    kinds = ((char, category(char)) for char in text)
    return "".join(
        " " if kind in {"Cc", "Zl", "Zp"} else char for char, kind in kinds if kind not in _INVISIBLE
    ).strip()


def _replaced(text: str) -> str:
    for replacement, pattern in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


# the last label of a domain is of letters (RFC 3696, section 2), so a mask shows no digit that follows a dot
_EMAIL = re.compile(r"([^\s@])[^\s@]*@(?:[^\s@.]+\.)+([^\W\d_]{2,63}|xn--[a-zA-Z0-9-]{1,59})")

_INVISIBLE = frozenset({"Cf", "Cs", "Co", "Cn"})
