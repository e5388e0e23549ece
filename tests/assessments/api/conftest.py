import pytest

from tests.factories.training import EnumeratorFactory
from tests.world import make_world


@pytest.fixture
def world(village, enumerator, sub_area):
    """In Almaty region, the reach of ``coordinator`` and ``enumerator``."""
    return make_world(village, enumerator, kind=sub_area)


@pytest.fixture
def other_person(other_village):
    return EnumeratorFactory(code="E02", full_name="Bolat Demo", home_unit=other_village, phone="+77011234567")


@pytest.fixture
def other_world(world, other_village, other_person, sub_area):
    """In Mangystau, the reach of ``other_coordinator``."""
    return make_world(other_village, other_person, kind=sub_area)


@pytest.fixture
def read(client):
    """``read(user, "rounds/2022-Q4/")``: the JSON of a good answer."""

    def ask(user, address, **parameters):
        client.force_login(user)
        response = client.get(f"/api/v1/{address}", parameters)
        assert response.status_code == 200, response.content
        return response.json()

    return ask
