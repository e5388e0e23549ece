"""People who were in the roster before: what they are known by, and the key by which they are found."""

from django.db import migrations

from dtm_ops.common.spelling import skeleton

# As the trigger does for a new person: in use since before anybody asked, so without a first day.
IDENTITIES = """
INSERT INTO training_enumeratoridentity (enumerator_id, kind, value, user_id, note)
SELECT id, 'phone', phone, NULL::bigint, '' FROM training_enumerator WHERE phone <> ''
UNION ALL SELECT id, 'email', email, NULL, '' FROM training_enumerator WHERE email <> ''
UNION ALL SELECT id, 'kobo', kobo_username, NULL, '' FROM training_enumerator WHERE kobo_username <> ''
UNION ALL SELECT id, 'login', '', user_id, '' FROM training_enumerator WHERE user_id IS NOT NULL
"""


def fill_search_keys(apps, schema_editor):
    people = apps.get_model("training", "Enumerator")
    rows = list(people.objects.filter(search_key="").only("pk", "full_name"))
    for person in rows:
        person.search_key = f" {' '.join(dict.fromkeys(skeleton(person.full_name).split()))} "
    people.objects.bulk_update(rows, ["search_key"], batch_size=500)


class Migration(migrations.Migration):
    dependencies = [("training", "0002_people_courses_tests_and_tasks")]

    # Backwards nothing is to do: the columns and the table go with the migration before.
    operations = [
        migrations.RunSQL(IDENTITIES, migrations.RunSQL.noop),
        migrations.RunPython(fill_search_keys, migrations.RunPython.noop),
    ]
