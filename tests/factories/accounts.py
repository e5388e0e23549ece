import factory

from dtm_ops.accounts.models import User


class UserFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = User

    username = factory.Sequence(lambda number: f"user{number}")
    first_name = "Test"
    last_name = factory.Sequence(lambda number: f"Person {number}")
