"""The link of a half-day, shown as a QR code in the room, and who says "I am here" without a log-in."""

from contextlib import suppress
from hmac import compare_digest
from typing import Final

from django.core.cache import cache
from django.core.signing import BadSignature, Signer
from django.urls import reverse
from django.utils.translation import gettext as _

from dtm_ops.common.errors import Refused
from training.models import Enrolment, Enumerator, TrainingHalfDay

_SIGNER: Final = Signer(sep=".", salt="training.here")
# Four digits are soon guessed by a program: wrong answers for one person, and from one address, are counted.
WRONG_FOR_A_CODE: Final = 5
WRONG_FROM_AN_ADDRESS: Final = 30
COUNTED_FOR: Final = 15 * 60  # seconds


def presence_path(half_day: TrainingHalfDay) -> str:
    return reverse("training_here", args=[_SIGNER.sign(str(half_day.pk))])


def half_day_of(token: str) -> TrainingHalfDay | None:
    """None: the link of no half-day."""
    try:
        key = int(_SIGNER.unsign(token))
    except (BadSignature, ValueError):
        return None
    return TrainingHalfDay.objects.select_related("training_session").filter(pk=key).first()


def find_attendee(half_day: TrainingHalfDay, *, code: str, last_digits: str, address: str) -> Enumerator:
    """Who of the training has this code and a phone that ends like this. A wrong answer does not say what was wrong."""
    keys = {
        f"here:{half_day.pk}:code:{code.strip().upper()[:20]}": WRONG_FOR_A_CODE,
        f"here:{half_day.pk}:from:{address}": WRONG_FROM_AN_ADDRESS,
    }
    if any((cache.get(key) or 0) >= most for key, most in keys.items()):
        raise Refused(
            _("Too many wrong answers. Wait a quarter of an hour, or tell the trainer that you are here."),
            code="too_many",
        )
    enrolment = (
        Enrolment.objects.filter(training_session=half_day.training_session_id, enumerator__code=code.strip().upper())
        .select_related("enumerator")
        .first()
    )
    phone = enrolment.enumerator.phone if enrolment else ""
    if enrolment is None or not phone or not compare_digest(phone[-4:].encode(), last_digits.strip().encode()):
        _count(keys)
        raise Refused(
            _("Nobody of this training has this code and a phone that ends like this. If your phone has changed, tell"
              " the trainer that you are here."),
            code="unknown_person",
        )  # fmt: skip
    return enrolment.enumerator


def _count(keys: dict[str, int]) -> None:
    for key in keys:
        if not cache.add(key, 1, timeout=COUNTED_FOR):
            # Between the two lines the count may have run out: then it begins anew with the next wrong answer.
            with suppress(ValueError):
                cache.incr(key)
