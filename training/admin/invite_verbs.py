"""The buttons of a training session that bring people in: enrol and invite."""

from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from dtm_ops.accounts.models import User
from dtm_ops.common.desk import AnyUser
from dtm_ops.records.verbs import Verb
from training.admin.people_form import PeopleForm
from training.enums import EnrolmentStatus
from training.models import Enumerator, TrainingSession
from training.permissions import can_run_training
from training.querysets import EnumeratorQuerySet
from training.services.enrolment import enrol, invite, starts_at


class EnrolForm(PeopleForm):
    people_help = _("Active people within your reach who are not enrolled yet. Beyond the seats they wait.")

    def choosable(self, people: EnumeratorQuerySet) -> EnumeratorQuerySet:
        return people.exclude(enrolments__training_session__in=[one.pk for one in self.rows])


def _enrol(training_session: TrainingSession, *, user: User, people: QuerySet[Enumerator]) -> str:
    added = enrol(training_session, people, by=user)
    waiting = training_session.enrolments.filter(status=EnrolmentStatus.WAITING).count()
    words = ngettext("%(count)s person enrolled.", "%(count)s people enrolled.", added) % {"count": added}
    return f"{words} {_now('On the waiting list: %(count)s.') % {'count': waiting}}" if waiting else words


def _invite(training_session: TrainingSession, *, user: User) -> SafeString:
    done = invite(training_session, by=user)
    words = ngettext("%(count)s invitation by mail.", "%(count)s invitations by mail.", done.mailed)
    told = words % {"count": done.mailed}
    if done.without_mail:
        people = ", ".join(str(one.enumerator) for one in done.without_mail)
        told += " " + _now("Without a mailbox, pass their links on: %(people)s.") % {"people": people}
    address = reverse("admin:training_trainingsession_people", args=[training_session.pk])
    return format_html('{} <a href="{}">{}</a>', told, address, _now("People and invitations"))


def _can_invite(training_session: TrainingSession) -> str:
    begins = starts_at(training_session)
    if begins is None:
        return _now("it has no half-days yet")
    if timezone.now() >= begins:
        return _now("it has begun")
    to_ask = training_session.enrolments.filter(status__in=(EnrolmentStatus.ENROLLED, EnrolmentStatus.WAITING))
    return "" if to_ask.exists() else _now("nobody is left to invite: enrol people first")


def _may_run(user: AnyUser, training_session: Any = None) -> bool:
    return can_run_training(user)


ENROL = Verb(
    name="enrol",
    label=_("Enrol people"),
    hint=_("They are enrolled, and asked when you invite."),
    may=_may_run,
    act=_enrol,
    form=EnrolForm,
    in_list=False,
)
INVITE = Verb(
    name="invite",
    label=_("Invite"),
    hint=_("Everybody enrolled and not asked yet gets a mail with a link of their own, in their language."),
    may=_may_run,
    act=_invite,
    fits=_can_invite,
    in_list=False,
)
