"""What the public page of a certificate may say: whose it is, for which form, and whether it holds."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Final

from training.models import Certificate

# Letters of a Russian or Kazakh keyboard that look like those of a serial.
_LOOK_ALIKES: Final = str.maketrans("АВЕКМНРСТУХЅЈ", "ABEKMHPCTYXSJ")
_GROUP: Final = 4
_LENGTH: Final = 12


class Validity(StrEnum):
    VALID = "valid"
    NOT_YET = "not_yet"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class Verdict:
    """``day``: the last good one of what is valid (None: it does not expire), the first good one of what is not yet,
    the last good one of what expired, the first bad one of what was revoked.
    """

    serial: str
    name: str
    form_kind: str
    major_version: int
    validity: Validity
    day: date | None


def read_serial(typed: str) -> str:
    """As it is printed, from what somebody typed: small letters, blanks, no hyphens, letters of another script."""
    letters = unicodedata.normalize("NFKC", typed).upper().translate(_LOOK_ALIKES)
    bare = re.sub(r"[^0-9A-Z]", "", letters)
    if len(bare) != _LENGTH:
        return re.sub(r"[^0-9A-Z-]", "", letters).strip("-")[:24]
    return "-".join(bare[start : start + _GROUP] for start in range(0, _LENGTH, _GROUP))


def verify(serial: str, *, on: date) -> Verdict | None:
    """None: no such certificate."""
    found = Certificate.objects.filter(serial=serial).select_related("enumerator", "form_kind").first()
    if found is None:
        return None
    validity, day = _validity(found, on)
    return Verdict(found.serial, found.enumerator.full_name, str(found.form_kind), found.major_version, validity, day)


def _validity(certificate: Certificate, on: date) -> tuple[Validity, date | None]:
    revoked, expires = certificate.revoked_on, certificate.expires_on
    if revoked is not None and revoked <= on:
        return Validity.REVOKED, revoked
    if certificate.issued_on > on:
        return Validity.NOT_YET, certificate.issued_on
    if expires is not None and expires < on:
        return Validity.EXPIRED, expires
    ends = [day for day in (expires, revoked - timedelta(days=1) if revoked else None) if day is not None]
    return Validity.VALID, min(ends, default=None)
