"""A room with its owner and an editor, for each test."""

from __future__ import annotations

import pytest

from accounts.models import User
from collab.models import Room
from tests.factories import make_room, make_user


@pytest.fixture
def owner(transactional_db: None) -> User:
    return make_user()


@pytest.fixture
def user(transactional_db: None) -> User:
    return make_user()


@pytest.fixture
def room(owner: User, user: User) -> Room:
    return make_room(owner=owner, editor=user)
