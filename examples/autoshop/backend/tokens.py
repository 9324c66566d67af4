"""Signed login tokens: JSON Web Tokens with HS256, as much of them as the shop needs.

The algorithm is fixed and the header of a presented token is never asked which one it likes.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Mapping

_HEADER = {"alg": "HS256", "typ": "JWT"}


class TokenError(Exception):
    """The token is not ours, has been changed, or is too old."""


def issue(secret: str, subject: str, lifetime_seconds: int) -> str:
    """A token that says who has logged in and until when that counts."""
    now = int(time.time())
    claims = {"sub": subject, "iat": now, "exp": now + lifetime_seconds}
    signed = f"{_encode_json(_HEADER)}.{_encode_json(claims)}"
    return f"{signed}.{_signature(secret, signed)}"


def verify(secret: str, token: str) -> str:
    """The subject of a valid token. The signature is checked before anything inside is believed."""
    signed, _, signature = token.rpartition(".")
    if not hmac.compare_digest(_signature(secret, signed).encode(), signature.encode("utf-8", "replace")):
        raise TokenError("the token's signature is wrong")
    try:
        claims = json.loads(_decode(signed.partition(".")[2]))
        subject, expires = claims["sub"], claims["exp"]
    except (ValueError, KeyError, TypeError, binascii.Error):
        raise TokenError("the token is malformed") from None
    if expires <= time.time():
        raise TokenError("the token has expired")
    return str(subject)


def _signature(secret: str, signed: str) -> str:
    digest = hmac.new(secret.encode(), signed.encode("utf-8", "replace"), hashlib.sha256).digest()
    return _encode(digest)


def _encode_json(value: Mapping[str, object]) -> str:
    return _encode(json.dumps(value, separators=(",", ":")).encode())


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
