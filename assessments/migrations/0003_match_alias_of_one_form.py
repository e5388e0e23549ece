"""Back, a key of over 100 letters would not fit: PostgreSQL refuses, and nothing is lost."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('assessments', '0002_kobo_out_and_queues'),
    ]

    operations = [
        migrations.AlterField(
            model_name='matchalias',
            name='key',
            field=models.CharField(editable=False, max_length=255, verbose_name='search key'),
        ),
        migrations.AlterField(
            model_name='matchaliasevent',
            name='key',
            field=models.CharField(editable=False, max_length=255, verbose_name='search key'),
        ),
    ]
