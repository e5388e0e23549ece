import pytest
from django.contrib.auth.models import AnonymousUser
from hypothesis import given, settings
from hypothesis import strategies as st

from locations import permissions, services
from locations.models import AdminUnit, UnitScope
from locations.querysets import Scope, scope_of
from tests.factories.accounts import UserFactory
from tests.factories.locations import AdminUnitFactory, CountryFactory, user_with

pytestmark = pytest.mark.django_db


@pytest.fixture
def tree():
    """A country of two regions with two districts each; ids are such that one begins like another."""
    units = {"0": CountryFactory()}
    for region in ("1", "11"):
        units[region] = AdminUnitFactory(code=region)
        for district in ("1", "2"):
            units[region + "-" + district] = AdminUnitFactory(code=region + "-" + district, parent=units[region])
    return units


def ids(units):
    return sorted(unit.unit_id for unit in units)


@pytest.mark.parametrize(
    ("role", "answers"),
    [
        ("administrator", (True, False, False, False, True, True)),
        ("manager", (False, True, False, False, True, False)),
        ("coordinator", (False, False, True, False, True, False)),
        ("enumerator", (False, False, False, True, False, False)),
    ],
)
def test_predicates_follow_the_role(role, answers):
    user = user_with(role)

    asked = ("is_administrator", "is_manager", "is_coordinator", "is_enumerator", "has_desk", "can_change_gazetteer")
    assert tuple(getattr(permissions, name)(user) for name in asked) == answers


def test_superuser_is_an_administrator_and_no_manager():
    user = UserFactory(is_superuser=True)

    assert scope_of(user) == Scope(roles=frozenset({"administrator"}), everywhere=True)
    assert not permissions.is_manager(user)


@pytest.mark.parametrize("user", [AnonymousUser(), "switched off"])
def test_nobody_and_who_is_switched_off_have_nothing(user, tree):
    if user == "switched off":
        user = user_with("administrator")
        user.is_active = False
        permissions.forget_scope(user)

    assert (scope_of(user), ids(AdminUnit.objects.visible_to(user))) == (Scope(), [])
    assert not permissions.has_desk(user)


def test_coordinator_sees_own_units_and_those_above_and_works_with_own_alone(tree):
    user = user_with("coordinator", tree["1-1"])

    assert ids(AdminUnit.objects.visible_to(user)) == ["000000000", "1", "1-1"]
    assert ids(AdminUnit.objects.in_reach_of(user)) == ["1-1"]


@pytest.mark.parametrize(
    ("role", "count"), [("administrator", 7), ("manager", 7), ("coordinator", 5), ("enumerator", 0)]
)
def test_units_of_each_role(role, count, tree):
    user = user_with(role, tree["1"], tree["11-2"])

    assert AdminUnit.objects.in_reach_of(user).count() == count - (role == "coordinator")
    assert UnitScope.objects.visible_to(user).count() == (2 if count else 0)


def test_coordinator_reads_the_rights_of_own_units(tree):
    user_with("enumerator", tree["11"])
    user = user_with("coordinator", tree["1"])
    inside = user_with("enumerator", tree["1-1"])

    assert list(UnitScope.objects.visible_to(user).values_list("user", flat=True)) == [user.pk, inside.pk]


GRANTS = st.lists(
    st.tuples(
        st.sampled_from(["administrator", "manager", "coordinator", "coordinator", "coordinator", "enumerator"]),
        st.sampled_from(["0", "1", "1-1", "1-2", "11", "11-1", "11-2"]),
    ),
    max_size=4,
    unique=True,
)


@settings(max_examples=60)
@given(grants=GRANTS)
def test_predicates_for_one_unit_answer_as_the_lists_do(tree, grants):
    user = UserFactory()
    for role, unit in grants:
        services.grant_role(user, unit=tree[unit], role=role)

    everything = tree.values()
    assert ids(AdminUnit.objects.visible_to(user)) == ids(u for u in everything if permissions.can_view_unit(user, u))
    assert ids(AdminUnit.objects.in_reach_of(user)) == ids(u for u in everything if permissions.in_reach(user, u))
    shown = [right for right in UnitScope.objects.all() if permissions.in_reach(user, right.unit)]
    assert list(UnitScope.objects.visible_to(user)) == shown


def test_scope_is_read_once_until_a_right_changes(django_assert_num_queries, tree):
    user = UserFactory()

    with django_assert_num_queries(1):
        assert not permissions.has_desk(user)
        assert not permissions.is_manager(user)
    services.grant_role(user, unit=tree["1"], role="coordinator")
    assert permissions.has_desk(user)
    assert services.revoke_role(user, unit=tree["1"], role="coordinator") is True
    assert services.revoke_role(user, unit=tree["1"], role="coordinator") is False
    assert not permissions.has_desk(user)


def test_units_inside_one_another_are_asked_for_once(tree):
    user = user_with("coordinator", tree["1-1"], tree["1"], tree["11-1"])

    assert scope_of(user).paths == ("000000000/1/", "000000000/11/11-1/")
