"""The admin site: operators of accounts, what they may do, and that it is done by services."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission
from django.core.cache import caches
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import AuditEntry, GroupMember, Session, User
from tests.factories import make_group, make_organization, make_user

pytestmark = pytest.mark.django_db

PASSWORD = "correct-horse-battery-staple"


@pytest.fixture
def root() -> User:
    return User.objects.create_superuser("root@example.com", PASSWORD, name="Root")


@pytest.fixture
def admin(client: Client, root: User) -> Client:
    client.force_login(root)
    return client


@pytest.fixture
def user() -> User:
    return make_user("Ben")


def staff(*permissions: str, **fields: object) -> tuple[User, Client]:
    """A member of staff with these permissions, signed in."""
    operator = make_user(is_staff=True, **fields)
    operator.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(operator)
    return operator, client


def make_session(user: User) -> Session:
    return Session.objects.create(user=user, expires_at=timezone.now() + timezone.timedelta(days=1))


def operate(client: Client, model: str, action: str, *rows: object, **form: str):
    """Post an operation as the list does, and follow where it leads."""
    posted = {"action": action, "_selected_action": [str(row.pk) for row in rows], **form}
    return client.post(reverse(f"admin:{model}_changelist"), posted, follow=True)


def told(response) -> list[str]:
    return [str(message) for message in response.context["messages"]]


def profile(user: User, **changes: str) -> dict[str, str]:
    """The form of a user's page."""
    form = {"email": user.email, "name": user.name, **({"is_active": "on"} if user.is_active else {})}
    return {name: value for name, value in (form | changes).items() if value}


def change_url(user: User) -> str:
    return reverse("admin:accounts_user_change", args=[user.pk])


def test_add_user_signs_in_in_any_case(admin: Client, client: Client) -> None:
    form = {"email": "New@Example.com", "name": "New", "usable_password": "true"}
    passwords = {"password1": "correct-horse-battery", "password2": "correct-horse-battery"}
    assert admin.post(reverse("admin:accounts_user_add"), form | passwords).status_code == 302
    assert client.login(username="new@example.com", password="correct-horse-battery")


def test_user_form_deactivates_by_the_service(admin: Client, root: User, user: User) -> None:
    organization, session = make_organization(owner=user), make_session(user)
    assert admin.post(change_url(user), profile(user, is_active="")).status_code == 302
    user.refresh_from_db()
    session.refresh_from_db()
    entry = AuditEntry.objects.get(organization_id=organization.pk)
    assert (user.is_active, user.access_epoch) == (False, 1)
    assert session.ended_at is not None
    assert (entry.action, entry.actor_id, entry.subject_id) == ("user.deactivated", root.pk, user.pk)
    assert entry.address == "127.0.0.1"

    assert admin.post(change_url(user), profile(user, is_active="on")).status_code == 302
    user.refresh_from_db()
    assert (user.is_active, user.access_epoch) == (True, 2)


def test_user_form_leaves_what_moved_since_it_was_read(admin: Client, user: User, monkeypatch) -> None:
    save = User.save

    def save_later(self: User, *args: object, **options: object) -> None:
        User.objects.filter(pk=self.pk).update(access_epoch=7)
        save(self, *args, **options)

    monkeypatch.setattr(User, "save", save_later)
    assert admin.post(change_url(user), profile(user, name="Benedict")).status_code == 302
    user.refresh_from_db()
    assert (user.name, user.access_epoch, user.is_active) == ("Benedict", 7, True)


def test_user_form_does_not_deactivate_oneself(admin: Client, root: User) -> None:
    form = profile(root, is_active="") | {"is_staff": "on", "is_superuser": "on"}
    assert admin.post(change_url(root), form).status_code == 302
    root.refresh_from_db()
    assert root.is_active


@pytest.mark.parametrize("is_usable", [True, False])
def test_password_set_in_the_admin_ends_sessions_and_is_audited(
    admin: Client, root: User, is_usable: bool
) -> None:
    user = make_user(password=PASSWORD)
    epoch = User.objects.get(pk=user.pk).access_epoch
    organization, session = make_organization(member=user), make_session(user)
    url = reverse("admin:auth_user_password_change", args=[user.pk])
    form = (
        {
            "usable_password": "true",
            "password1": "another-horse-battery",
            "password2": "another-horse-battery",
        }
        if is_usable
        else {"usable_password": "false", "unset-password": "1"}
    )
    assert admin.post(url, form).status_code == 302
    user.refresh_from_db()
    session.refresh_from_db()
    assert user.check_password("another-horse-battery") == is_usable == user.has_usable_password()
    assert session.ended_at is not None
    assert user.access_epoch > epoch
    entry = AuditEntry.objects.get(organization_id=organization.pk)
    assert (entry.action, entry.actor_id) == ("user.password_changed", root.pk)
    assert entry.details == {"operator": True}


def test_password_too_weak_is_refused(admin: Client, user: User) -> None:
    url = reverse("admin:auth_user_password_change", args=[user.pk])
    form = {"usable_password": "true", "password1": "12345", "password2": "12345"}
    assert "too short" in admin.post(url, form).content.decode()
    user.refresh_from_db()
    assert not user.check_password("12345")


def test_own_password_is_audited(admin: Client, root: User) -> None:
    organization = make_organization(owner=root)
    form = {"old_password": PASSWORD, "new_password1": "another-horse", "new_password2": "another-horse"}
    assert admin.post(reverse("admin:password_change"), form).status_code == 302
    assert [entry.action for entry in AuditEntry.objects.filter(organization_id=organization.pk)] == [
        "user.password_changed"
    ]


def test_end_sessions_of_several_users_asks_first(admin: Client, root: User) -> None:
    users = [make_user(), make_user()]
    organization = make_organization(owner=users[0], member=users[1])
    sessions = [make_session(user) for user in users]
    asked = operate(admin, "accounts_user", "end_sessions", *users)
    assert "are you sure?" in asked.content.decode()
    assert Session.objects.filter(ended_at=None).count() == 2

    done = operate(admin, "accounts_user", "end_sessions", *users, confirmed="yes")
    assert told(done) == ["2 users: signed out everywhere."]
    assert not Session.objects.filter(pk__in=[session.pk for session in sessions], ended_at=None).exists()
    entries = AuditEntry.objects.filter(organization_id=organization.pk)
    assert {(entry.action, entry.actor_id, entry.subject_id) for entry in entries} == {
        ("session.ended", root.pk, user.pk) for user in users
    }


def test_deactivate_and_activate(admin: Client, user: User) -> None:
    assert told(operate(admin, "accounts_user", "deactivate", user)) == [f"{user.email}: deactivated."]
    user.refresh_from_db()
    assert (user.is_active, user.access_epoch) == (False, 1)
    operate(admin, "accounts_user", "activate", user)
    user.refresh_from_db()
    assert (user.is_active, user.access_epoch) == (True, 2)


def test_deactivate_oneself_is_refused_and_others_are(admin: Client, root: User, user: User) -> None:
    done = operate(admin, "accounts_user", "deactivate", root, user, confirmed="yes")
    assert sorted(told(done)) == ["1 users: deactivated.", "root@example.com: You can't deactivate yourself."]
    assert list(User.objects.filter(is_active=True)) == [root]


def test_end_one_session_leaves_the_others(admin: Client, root: User, user: User) -> None:
    organization = make_organization(member=user)
    session, other = make_session(user), make_session(user)
    page = change_url(user)
    done = operate(admin, "accounts_session", "end", session, next=page)
    assert done.redirect_chain == [(page, 302)]
    session.refresh_from_db()
    other.refresh_from_db()
    assert session.ended_at is not None
    assert other.ended_at is None
    entry = AuditEntry.objects.get(organization_id=organization.pk)
    assert entry.details == {"session": str(session.pk), "operator": True}
    assert entry.actor_id == root.pk


def test_operation_leads_to_no_other_site(admin: Client, user: User) -> None:
    done = operate(admin, "accounts_user", "deactivate", user, next="https://elsewhere.example/")
    assert done.redirect_chain == [(reverse("admin:accounts_user_changelist"), 302)]


def test_revoke_group_member_raises_the_epoch(admin: Client, root: User, user: User) -> None:
    organization = make_organization(member=user)
    member = make_group(organization, user).members.get()
    operate(admin, "accounts_groupmember", "revoke", member)
    user.refresh_from_db()
    assert (GroupMember.objects.count(), user.access_epoch) == (0, 1)
    entry = AuditEntry.objects.get(organization_id=organization.pk)
    assert (entry.action, entry.actor_id, entry.details["operator"]) == (
        "group.member.removed",
        root.pk,
        True,
    )


def test_operation_on_too_many_is_refused(admin: Client, monkeypatch) -> None:
    monkeypatch.setattr("accounts.admin.operations.MOST_OBJECTS", 1)
    users = [make_user(), make_user()]
    done = operate(admin, "accounts_user", "deactivate", *users, confirmed="yes")
    assert told(done) == ["No more than 1 at once: choose fewer."]
    assert not User.objects.filter(is_active=False).exists()


@pytest.mark.parametrize(
    ("model", "action"),
    [
        ("accounts_user", "deactivate"),
        ("accounts_user", "end_sessions"),
        ("accounts_session", "end"),
        ("accounts_groupmember", "revoke"),
    ],
)
def test_viewers_see_and_do_nothing(user: User, model: str, action: str) -> None:
    name = model.partition("_")[2]
    _, viewer = staff(f"view_{name}")
    organization = make_organization(member=user)
    rows = {
        "accounts_user": user,
        "accounts_session": make_session(user),
        "accounts_groupmember": make_group(organization, user).members.get(),
    }
    row = rows[model]
    for url in (reverse(f"admin:{model}_changelist"), reverse(f"admin:{model}_change", args=[row.pk])):
        page = viewer.get(url)
        assert page.status_code == 200
        assert f'value="{action}"' not in page.content.decode()
    operate(viewer, model, action, row, confirmed="yes")
    before = list(type(row).objects.filter(pk=row.pk).values())
    assert before
    assert User.objects.get(pk=user.pk).access_epoch == 0
    assert not Session.objects.filter(ended_at__isnull=False).exists()
    assert not AuditEntry.objects.filter(organization_id=organization.pk).exists()


def test_viewer_of_users_sees_no_sessions_and_no_memberships(user: User) -> None:
    make_session(user)
    make_organization(member=user, name="Northwind Press")
    _, viewer = staff("view_user")
    page = viewer.get(change_url(user)).content.decode()
    assert "Northwind" not in page
    assert "sessions" not in page.lower().replace("end all sessions", "")
    assert viewer.get(reverse("admin:accounts_organization_changelist")).status_code == 403


def test_staff_cannot_make_themselves_more() -> None:
    operator, client = staff("view_user", "change_user")
    other, _ = staff()
    target = make_user()
    promoted = profile(target) | {"is_staff": "on", "is_superuser": "on"}
    assert client.post(change_url(target), promoted, follow=True).status_code == 200
    target.refresh_from_db()
    assert (target.is_staff, target.is_superuser) == (False, False)
    for user in (operator, other, User.objects.create_superuser("root@example.com", PASSWORD, name="Root")):
        form = profile(user, name="Changed") | {"is_superuser": "on"}
        assert client.post(change_url(user), form).status_code == 403
        url = reverse("admin:auth_user_password_change", args=[user.pk])
        assert client.get(url).status_code == 403
        done = operate(client, "accounts_user", "deactivate", user)
        assert told(done) == [f"{user.email}: This is an operator: only a superuser may."]
        user.refresh_from_db()
        assert (user.name, user.is_active) != ("Changed", False)


def test_staff_who_may_change_users_deactivates_them(user: User) -> None:
    _, client = staff("view_user", "change_user")
    assert told(operate(client, "accounts_user", "deactivate", user)) == [f"{user.email}: deactivated."]


def test_user_without_staff_does_not_get_in(user: User, client: Client) -> None:
    client.force_login(user)
    assert client.get(reverse("admin:accounts_user_changelist")).status_code == 302


@pytest.mark.parametrize("model", ["user", "organization", "auditentry", "session", "group"])
def test_nothing_is_deleted_here(admin: Client, user: User, model: str) -> None:
    organization = make_organization(owner=user)
    rows = {
        "user": user,
        "organization": organization,
        "session": make_session(user),
        "group": make_group(organization),
    }
    operate(admin, "accounts_user", "deactivate", user)  # for an entry
    row = rows.get(model) or AuditEntry.objects.get()
    assert (
        admin.post(reverse(f"admin:accounts_{model}_delete", args=[row.pk]), {"post": "yes"}).status_code
        == 403
    )
    operate(admin, f"accounts_{model}", "delete_selected", row, post="yes", confirmed="yes")
    assert type(row).objects.filter(pk=row.pk).exists()


def test_audit_entries_name_people_and_are_found_by_id(admin: Client, root: User, user: User) -> None:
    organization = make_organization(owner=user, name="Northwind Press")
    other = make_organization(owner=make_user())
    operate(admin, "accounts_user", "deactivate", user)
    operate(admin, "accounts_user", "end_sessions", other.members.get().user)
    url = reverse("admin:accounts_auditentry_changelist")
    for query in ({"q": str(organization.pk)}, {"subject": user.pk}, {"organization": organization.pk}):
        page = admin.get(url, query)
        assert [entry.action for entry in page.context["cl"].result_list] == ["user.deactivated"]
        assert {root.email, user.email, "Northwind Press"} <= set(
            page.content.decode().replace("<", ">").split(">")
        )
    assert not admin.get(url, {"organization": "x"}).context["cl"].result_list
    entry = AuditEntry.objects.first()
    assert admin.post(reverse("admin:accounts_auditentry_change", args=[entry.pk]), {}).status_code == 403


def test_lists_of_a_filter_that_is_no_id_are_empty(admin: Client) -> None:
    make_session(make_user())
    url = reverse("admin:accounts_session_changelist")
    assert len(admin.get(url).context["cl"].result_list) == 1
    for nobody in ("x", uuid4()):
        assert not admin.get(url, {"user": nobody}).context["cl"].result_list


def test_sign_in_is_audited_and_failures_are_counted(client: Client, root: User, settings) -> None:
    organization = make_organization(owner=root)
    url = reverse("admin:login")
    form = {"username": "Root@example.com", "password": "wrong", "next": reverse("admin:index")}
    caches["throttles"].clear()
    answers = [client.post(url, form).status_code for _ in range(21)]
    assert (answers[0], answers[19], answers[20]) == (200, 200, 429)
    refused = client.post(url, form | {"password": PASSWORD})  # right, and too late
    assert refused.status_code == 429
    assert int(refused["Retry-After"]) > 0
    caches["throttles"].clear()
    assert client.post(url, form | {"password": PASSWORD}).status_code == 302
    actions = AuditEntry.objects.filter(organization_id=organization.pk).order_by("number")
    assert [(entry.action, entry.actor_id) for entry in actions] == [
        ("session.refused", None),
        ("session.begun", root.pk),
    ]
    caches["throttles"].clear()


def test_sign_in_that_fails_counts_for_those_who_are_signed_in_too(admin: Client) -> None:
    caches["throttles"].clear()
    form = {"username": "other@example.com", "password": "wrong"}
    answers = [admin.post(reverse("admin:login"), form).status_code for _ in range(21)]
    assert answers[-1] == 429
    caches["throttles"].clear()


def test_operation_on_what_is_no_id_is_a_bad_request(admin: Client, user: User) -> None:
    posted = {"action": "deactivate", "_selected_action": ["x", str(uuid4())]}
    assert admin.post(reverse("admin:accounts_user_changelist"), posted).status_code == 400
    user.refresh_from_db()
    assert user.is_active


def test_index_is_named_and_grouped(admin: Client) -> None:
    page = admin.get(reverse("admin:index"))
    assert "Gatehouse" in page.content.decode()
    assert [app["name"] for app in page.context["app_list"]] == [
        "People and organizations",
        "Rooms",
        "Operators",
    ]
    models = [model["object_name"] for app in page.context["app_list"] for model in app["models"]]
    assert not {"OutstandingToken", "BlacklistedToken"} & set(models)
