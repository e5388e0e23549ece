"""The list of focus groups on the phones of a form: what its page says of it, and the button that sends it now."""

from typing import Any

from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from kombu.exceptions import OperationalError

from assessments.enums import RoundStatus
from assessments.messages import kobo_message
from assessments.models import AssignmentList, KoboForm
from assessments.permissions import can_connect_kobo
from assessments.services.assignment_lists import is_current, write_list
from assessments.tasks import publish_form_list
from dtm_ops.accounts.models import User
from dtm_ops.common.desk import AnyUser
from dtm_ops.common.errors import Refused
from dtm_ops.records.verbs import Verb


def list_section(form: KoboForm) -> dict[str, Any]:
    """For the form's own page: what phones have, whether that is today's plan, and what went wrong, in words."""
    known = AssignmentList.objects.filter(form=form).first()
    content, lines = write_list(form)
    return {
        "known": known,
        "has_been_sent": known is not None and bool(known.md5),
        "is_current": known is not None and is_current(known, content),
        "planned": lines,
        "error": kobo_message(known.error_code, known.error_params) if known and known.error_code else "",
    }


def _may_send(user: AnyUser, form: Any = None) -> bool:
    return can_connect_kobo(user)


def _can_be_sent(form: KoboForm) -> str:
    if not form.is_active:
        return _now("the form is not synchronised: switch it on first")
    return "" if form.round.status == RoundStatus.OPEN else _now("its round is not open")


def _queue(form: KoboForm, *, user: User) -> str:
    if why := _can_be_sent(form):
        raise Refused(why, code="not_now")
    try:
        publish_form_list.delay_on_commit(form.pk)
    except OperationalError:
        raise Refused(
            _now("The queue of background work does not answer: nothing was started. Tell your administrator."),
            code="broker_down",
        ) from None
    return _now("The focus groups of %(form)s are being sent; its page says when phones can get them.") % {"form": form}


SEND_LIST = Verb(
    name="send_list",
    label=_("Send focus groups to phones"),
    hint=_("Phones offer each enumerator the focus groups that are planned now. It also happens by itself."),
    may=_may_send,
    act=_queue,
    fits=_can_be_sent,
    # Queued at once, so that a queue that does not answer is told here.
    is_atomic=False,
)
