"""`manage.py load_courses`: the courses of the product. Idempotent."""

from typing import Any

from django.core.management.base import BaseCommand

from training.services.courses import load_courses


class Command(BaseCommand):
    help = "Add the product's courses where they are missing. Needs the form kinds of load_vocabulary."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stderr.write(f"Courses: {load_courses()} added")
