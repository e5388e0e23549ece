"""Reading anew what we hold already: the mapping was mended, a person came into the roster, a place into the plan."""

import json
from itertools import islice

from assessments.models import KoboForm, KoboSubmission
from assessments.querysets import KoboSubmissionQuerySet
from assessments.selectors.typed_words import alike, changed_words, settled_words
from assessments.services.kobo_rows import RowReader, named_by_hand
from assessments.services.kobo_store import Store

AT_ONCE = 500


def reread(
    form: KoboForm, rows: KoboSubmissionQuerySet, *, reader: RowReader | None = None, store: Store | None = None
) -> int:
    """Read those of the rows anew that are the form's, there and not approved, and take over what is different.

    Returns how many are. Asks nothing of Kobo; safe beside a running sync: a row that gets another content meanwhile is
    left to it. ``reader`` and ``store``: where the caller has made them already.
    """
    waiting = (
        rows.filter(form=form, approved_revision=None, current_revision__isnull=False)
        .present()
        .order_by("pk")
        .values_list("kobo_id", "current_revision_id", "current_revision__raw")
    )
    held = waiting.iterator(chunk_size=AT_ONCE)
    reader, store = reader or RowReader(form), store or Store(form)
    changed = 0
    while part := list(islice(held, AT_ONCE)):
        read = [row for _kobo_id, _revision, raw in part if (row := reader.read(json.loads(raw))) is not None]
        changed += store.reread(read, {kobo_id: revision for kobo_id, revision, _raw in part})
    return changed


def reread_settled_meanwhile(form: KoboForm, *, reader: RowReader, store: Store) -> int:
    """For who has read rows with this reader for a while: those that name something which somebody settled, or took
    back, after the reader was made, and those whose enumerator somebody named. Two queries where nobody did.
    """
    settled, named = settled_words(form.round_id), named_by_hand(form)
    words = changed_words(reader.aliases, settled)
    ids = {kobo_id for (kobo_id, _root), _person in named.items() ^ reader.named.items()}
    reader.aliases, reader.named = settled, named
    rows = KoboSubmission.objects.filter(form=form)
    changed = [alike(rows, kind, keys) for kind, keys in words.items() if keys]
    if ids:
        changed.append(rows.filter(kobo_id__in=ids))
    return sum(reread(form, some, reader=reader, store=store) for some in changed)
