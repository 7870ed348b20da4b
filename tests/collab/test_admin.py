"""The admin site: every page, what it costs and what it keeps to itself, and the operations on rooms."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib import admin as django_admin
from django.contrib.auth.models import Permission
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.audit import AuditAction, record
from accounts.models import AuditEntry, Group, GroupMember, Organization, OrganizationMember, Session, User
from collab.models import (
    AccessRequest,
    Checkpoint,
    LiveConnection,
    Room,
    RoomMember,
    ServerProcess,
    ShareLink,
    ShareLinkGrant,
    StoredUpdate,
)
from tests.factories import (
    add_to_organization,
    add_to_room,
    make_connection,
    make_group,
    make_link,
    make_link_grant,
    make_organization,
    make_room,
    make_user,
    recorded_access_changes,
)

pytestmark = pytest.mark.django_db

MODELS = [
    User,
    Organization,
    OrganizationMember,
    Group,
    GroupMember,
    Session,
    AuditEntry,
    Room,
    RoomMember,
    ShareLink,
    AccessRequest,
    LiveConnection,
]


@pytest.fixture
def root() -> User:
    return User.objects.create_superuser("root@example.com", None, name="Root")


@pytest.fixture
def admin(client: Client, root: User) -> Client:
    client.force_login(root)
    return client


def staff(*permissions: str) -> Client:
    operator = make_user(is_staff=True)
    operator.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(operator)
    return client


class World:
    """One of everything, and more of what belongs to it with each `add`."""

    def __init__(self) -> None:
        self.user = make_user("Ben", password="the-password-of-ben")
        self.organization = make_organization(member=self.user, name="Northwind Press")
        self.room = make_room(self.organization, editor=self.user, name="Launch notes")
        self.group = make_group(self.organization, self.user)
        self.add(1)

    def add(self, times: int) -> None:
        for _ in range(times):
            other = make_user()
            organization = make_organization(owner=make_user(), guest=self.user)
            make_group(organization, self.user)
            member = add_to_organization(self.organization, other, "member")
            GroupMember.objects.create(group=self.group, member=member)
            add_to_organization(self.organization, f"{uuid4()}@example.com", "guest")
            self._add_to_room(other)
            room = make_room(self.organization, viewer=self.user)
            for user in (self.user, other):
                make_connection(self.room, user)
                make_connection(room, user)
                expires_at = timezone.now() + timedelta(days=1)
                Session.objects.create(user=user, address="192.0.2.1", expires_at=expires_at)
                record(
                    AuditAction.ROOM_CHANGED,
                    organization_id=self.organization.pk,
                    actor=other,
                    room_id=self.room.pk,
                    subject_id=user.pk,
                )

    def _add_to_room(self, other: User) -> None:
        for grantee in (other, make_group(self.organization), f"{uuid4()}@example.com"):
            add_to_room(self.room, grantee, "viewer")
        link = make_link(self.room, created_by=make_user(), password="hashed-password", uses=1)
        ShareLinkGrant.objects.create(link=link, user=other)
        link.wrong_passwords.create(user=make_user())
        AccessRequest.objects.create(
            room=self.room, user=make_user(), role="viewer", status="declined", answered_by=other
        )

    def row_of(self, model: type) -> object:
        """The row that most refers to."""
        known = {User: self.user, Organization: self.organization, Room: self.room, Group: self.group}
        return known.get(model) or model.objects.first()


@pytest.fixture
def world() -> World:
    return World()


def name_of(model: type) -> str:
    return f"{model._meta.app_label}_{model._meta.model_name}"


def list_url(model: type) -> str:
    return reverse(f"admin:{name_of(model)}_changelist")


def page_url(row: object) -> str:
    return reverse(f"admin:{name_of(type(row))}_change", args=[row.pk])


def operate(client: Client, action: str, *rows: object, **form: str):
    posted = {"action": action, "_selected_action": [str(row.pk) for row in rows], **form}
    return client.post(list_url(type(rows[0])), posted, follow=True)


def told(response) -> list[str]:
    return [str(message) for message in response.context["messages"]]


def entry_of(organization: Organization) -> AuditEntry:
    return AuditEntry.objects.get(organization_id=organization.pk)


def queries_of(get: Callable[[], object]) -> int:
    with CaptureQueriesContext(
        database,
    ) as queries:
        get()
    return len(queries)


def test_every_registered_model_is_tested_here() -> None:
    ours = {model for model in django_admin.site._registry if model._meta.app_label in {"accounts", "collab"}}
    assert ours == set(MODELS)


@pytest.mark.parametrize("model", MODELS)
def test_list_costs_the_same_for_any_number_of_rows(admin: Client, world: World, model: type) -> None:
    def get() -> None:
        assert admin.get(list_url(model)).status_code == 200

    get()
    before = queries_of(get)
    world.add(8)
    assert queries_of(get) == before
    assert before < 15


@pytest.mark.parametrize("model", MODELS)
def test_page_costs_the_same_for_any_number_of_rows(admin: Client, world: World, model: type) -> None:
    url = page_url(world.row_of(model))

    def get() -> None:
        assert admin.get(url).status_code == 200

    get()
    before = queries_of(get)
    world.add(8)
    assert queries_of(get) == before
    assert before < 25


@pytest.mark.parametrize("model", MODELS)
def test_search_finds_by_id_and_by_words(admin: Client, world: World, model: type) -> None:
    row = world.row_of(model)
    found = admin.get(list_url(model), {"q": str(row.pk)})
    assert [each.pk for each in found.context["cl"].result_list] == [row.pk]
    assert admin.get(list_url(model), {"q": "some words"}).status_code == 200


def test_filters_of_lists_work(admin: Client, world: World) -> None:
    for model in MODELS:
        changes = admin.get(list_url(model)).context["cl"]
        for spec in changes.filter_specs:
            for choice in list(spec.choices(changes))[:3]:
                assert admin.get(list_url(model) + choice["query_string"]).status_code == 200


def test_pages_keep_secrets_and_documents_to_themselves(admin: Client, world: World) -> None:
    document = "the text of the document"
    StoredUpdate.objects.create(room=world.room, seq=2, data=document.encode())
    Checkpoint.objects.create(room=world.room, seq=1, data=document.encode(), state_vector=b"vector")
    links = ShareLink.objects.all()
    entries = AuditEntry.objects.all()
    secrets = {
        document,
        "hashed-password",
        world.user.password,
        world.user.password.split("$")[-1][:6],
        *links.values_list("digest", flat=True),
        *entries.values_list("digest", flat=True),
    }
    urls = [list_url(model) for model in MODELS]
    urls += [page_url(row) for model in MODELS for row in model.objects.all()]
    for url in urls:
        page = admin.get(url).content.decode()
        assert [secret for secret in secrets if secret in page] == [], url


def test_room_page_shows_members_of_all_kinds_links_connections_and_sizes(
    admin: Client, world: World
) -> None:
    StoredUpdate.objects.create(room=world.room, seq=2, data=b"x" * 2048)
    Checkpoint.objects.create(room=world.room, seq=1, data=b"x" * 1024, state_vector=b"")
    page = admin.get(page_url(world.room)).content.decode()
    for member in world.room.members.all():
        shown = member.user or (f"Group {member.group}" if member.group else f"{member.email} (invited)")
        assert str(shown) in page
    assert "2.0\xa0KB since the checkpoint; updates: 1, of 0 that were ever written" in page
    assert "1.0\xa0KB, up to update 1, written" in page
    for button in ("Kick", "Revoke", "Put in the trash", "Explain access"):
        assert button in page


def test_live_connections_are_the_living_ones(admin: Client) -> None:
    room = make_room()
    living, dead = make_connection(room, make_user()), make_connection(room, make_user())
    ServerProcess.objects.filter(pk=dead.process_id).update(seen_at=timezone.now() - timedelta(minutes=1))
    shown = admin.get(list_url(LiveConnection)).context["cl"].result_list
    assert [row.pk for row in shown] == [living.pk]
    all_of_them = admin.get(list_url(LiveConnection), {"living": "all"}).context["cl"].result_list
    assert {row.pk for row in all_of_them} == {living.pk, dead.pk}
    assert str(dead.user) not in admin.get(page_url(room)).content.decode()


def test_revoke_member_ends_access_and_is_audited(
    admin: Client, root: User, django_capture_on_commit_callbacks
) -> None:
    user = make_user()
    room = make_room(owner=make_user(), editor=user)
    with recorded_access_changes(django_capture_on_commit_callbacks) as changes:
        done = operate(admin, "revoke", room.members.get(user=user))
    assert told(done) == [f"{user} in {room}: access revoked."]
    assert not room.members.filter(user=user).exists()
    assert changes == [(Room, room.pk)]
    entry = entry_of(room.organization)
    assert (entry.action, entry.actor_id, entry.subject_id) == ("room.member.removed", root.pk, user.pk)
    assert entry.details["operator"] is True
    assert entry.address == "127.0.0.1"


def test_revoke_several_asks_first_and_goes_on_past_a_refusal(admin: Client) -> None:
    room = make_room(owner=make_user(), viewer=make_user())
    members = list(room.members.all())
    assert "are you sure?" in operate(admin, "revoke", *members).content.decode()
    assert room.members.count() == 2
    done = told(operate(admin, "revoke", *members, confirmed="yes"))
    assert "1 room members: access revoked." in done
    assert len(done) == 2
    assert [member.role for member in room.members.all()] == ["owner"]


def test_revoke_share_link_ends_what_it_gave(
    admin: Client, root: User, django_capture_on_commit_callbacks
) -> None:
    room, user = make_room(), make_user()
    link = make_link_grant(room, user).link
    with recorded_access_changes(django_capture_on_commit_callbacks) as changes:
        operate(admin, "revoke", link)
    assert not ShareLink.objects.exists()
    assert changes == [(Room, room.pk)]
    entry = entry_of(room.organization)
    assert (entry.action, entry.actor_id, entry.subject_id) == ("share_link.deleted", root.pk, link.pk)


def test_kick_marks_the_connection_and_announces_it(
    admin: Client, root: User, django_capture_on_commit_callbacks
) -> None:
    room, user = make_room(), make_user()
    connection = make_connection(room, user)
    with recorded_access_changes(django_capture_on_commit_callbacks) as changes:
        operate(admin, "kick", connection)
    connection.refresh_from_db()
    assert connection.kicked_at is not None
    assert changes == [(LiveConnection, connection.pk)]
    entry = entry_of(room.organization)
    assert (entry.action, entry.actor_id, entry.subject_id) == ("connection.kicked", root.pk, user.pk)
    assert told(operate(admin, "kick", connection)) == [f"{user} in {room}: Connection not found."]


def test_trash_and_restore_room(admin: Client, root: User, django_capture_on_commit_callbacks) -> None:
    room = make_room()
    with recorded_access_changes(django_capture_on_commit_callbacks) as changes:
        operate(admin, "trash", room)
        room.refresh_from_db()
        assert room.trashed_at is not None
        operate(admin, "trash", room)  # again changes nothing
        operate(admin, "restore", room)
    room.refresh_from_db()
    assert room.trashed_at is None
    assert changes == [(Room, room.pk)] * 2
    entries = AuditEntry.objects.filter(organization_id=room.organization_id).order_by("number")
    assert [(entry.action, entry.actor_id) for entry in entries] == [
        ("room.trashed", root.pk),
        ("room.restored", root.pk),
    ]


@pytest.mark.parametrize(
    ("action", "model"),
    [
        ("trash", Room),
        ("restore", Room),
        ("revoke", RoomMember),
        ("revoke", ShareLink),
        ("kick", LiveConnection),
    ],
)
@pytest.mark.parametrize("permissions", [("view",), ()])
def test_staff_without_the_permission_to_change_does_nothing(
    world: World, action: str, model: type, permissions: tuple[str, ...]
) -> None:
    client = staff(*(f"{verb}_{model._meta.model_name}" for verb in permissions))
    row = world.row_of(model)
    expected = 200 if permissions else 403
    for url in (list_url(model), page_url(row)):
        page = client.get(url)
        assert page.status_code == expected
        assert f'value="{action}"' not in page.content.decode()
    before = (model.objects.filter(pk=row.pk).values().get(), AuditEntry.objects.count())
    operate(client, action, row, confirmed="yes")
    assert (model.objects.filter(pk=row.pk).values().get(), AuditEntry.objects.count()) == before


def test_staff_with_the_permission_to_change_operates() -> None:
    room = make_room()
    connection = make_connection(room, make_user())
    operate(staff("change_liveconnection"), "kick", connection)
    connection.refresh_from_db()
    assert connection.kicked_at is not None


def test_viewer_of_rooms_sees_nothing_of_who_is_in_them(world: World) -> None:
    page = staff("view_room").get(page_url(world.room)).content.decode()
    assert world.user.email not in page
    assert "Explain access" not in page


class TestExplain:
    url = "/admin/collab/room/explain/"

    def ask(self, client: Client, user: object, room: object) -> str:
        answer = client.get(self.url, {"user": str(user), "room": str(room)})
        assert answer.status_code == 200
        return " ".join(answer.content.decode().split())

    def test_names_every_grant_and_what_results(self, admin: Client) -> None:
        user = make_user()
        organization = make_organization(member=user)
        room = make_room(organization, viewer=user, organization_role="viewer")
        group = make_group(organization, user)
        add_to_room(room, group, "editor")
        make_link_grant(room, user, expires_at=timezone.now() + timedelta(days=1))
        for named in (user.email.upper(), user.pk):
            page = self.ask(admin, named, room.pk)
            assert "is <strong>Editor</strong>" in page
            assert "may read, write." in page
            for grant in ("Member of the room", "Share link", "Open to the organization", str(group)):
                assert grant in page
        assert page.index("Group that is a member") < page.index("Member of the room"), "strongest first"

    def test_says_why_there_is_nothing(self, admin: Client) -> None:
        user = make_user()
        room = make_room(viewer=user, trashed_at=timezone.now())
        make_link_grant(room, user, expires_at=timezone.now() - timedelta(days=1))
        add_to_room(room, user.email, "viewer")
        AccessRequest.objects.create(room=room, user=user, role="viewer")
        User.objects.filter(pk=user.pk).update(is_active=False)
        page = self.ask(admin, user.email, room.pk)
        assert "has <strong>no access</strong>" in page
        for reason in ("deactivated", "in the trash", "no member", "not taken up", "expired", "asked"):
            assert reason in page

    @pytest.mark.parametrize(
        ("role", "reason"), [("guest", "A guest"), ("member", "not open to all members")]
    )
    def test_says_what_the_organization_does_not_give(self, admin: Client, role: str, reason: str) -> None:
        user = make_user()
        organization = make_organization(**{role: user})
        page = self.ask(admin, user.email, make_room(organization).pk)
        assert "no access" in page
        assert reason in page

    def test_says_what_is_unknown(self, admin: Client) -> None:
        page = self.ask(admin, "nobody@example.com", "x")
        assert "There is no such user." in page
        assert "There is no such room." in page

    def test_asks_from_both_pages(self, admin: Client, world: World) -> None:
        for row in (world.room, world.user):
            assert f'action="{self.url}"' in admin.get(page_url(row)).content.decode()

    @pytest.mark.parametrize("permission", ["view_room", "view_user"])
    def test_needs_both_permissions(self, world: World, permission: str) -> None:
        query = {"user": world.user.email, "room": str(world.room.pk)}
        assert staff(permission).get(self.url, query).status_code == 403
        assert staff("view_room", "view_user").get(self.url, query).status_code == 200
