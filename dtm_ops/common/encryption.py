"""A text column that the database holds encrypted (Fernet). The first of FIELD_ENCRYPTION_KEYS encrypts, all of
them decrypt.
"""

from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models

if TYPE_CHECKING:
    _TextField = models.TextField[str, str]
else:
    _TextField = models.TextField


def _cipher() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.FIELD_ENCRYPTION_KEYS])


class HiddenText(str):
    """A secret in memory. Reports of errors print the variables of every frame: of this one they show stars."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


class EncryptedTextField(_TextField):
    """Blank stays blank. Cannot be searched or ordered: each writing of one text looks different."""

    def get_prep_value(self, value: Any) -> Any:
        value = super().get_prep_value(value)
        return _cipher().encrypt(value.encode()).decode() if value else value

    def from_db_value(self, value: str | None, *_unused: object) -> str | None:
        if not value:
            return value
        try:
            return HiddenText(_cipher().decrypt(value.encode()).decode())
        except InvalidToken:
            raise ImproperlyConfigured("FIELD_ENCRYPTION_KEYS holds no key that opens what is stored") from None
