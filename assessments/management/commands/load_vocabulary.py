"""`manage.py load_vocabulary`: the form kinds, indicators and categories of the product. Idempotent."""

from typing import Any

from django.core.management.base import BaseCommand

from assessments.services.vocabulary import load_vocabulary


class Command(BaseCommand):
    help = "Add the product's form kinds, indicators and categories where they are missing."

    def handle(self, *args: Any, **options: Any) -> None:
        added = load_vocabulary()
        self.stderr.write("Vocabulary: " + ", ".join(f"{count} {name} added" for name, count in added.items()))
