"""What a load balancer asks."""

from __future__ import annotations

import pytest
from django.test import AsyncClient

from collab.live import LiveEngine, stop_engine


async def test_healthz_answers_ok() -> None:
    assert (await AsyncClient().get("/healthz")).json() == {"status": "ok"}


@pytest.mark.django_db(transaction=True)
async def test_readyz_with_everything_there_answers_200() -> None:
    response = await AsyncClient().get("/readyz")
    assert response.status_code == 200
    assert response.json() == {"database": "ok", "layer": "ok", "engine": "ok"}
    await stop_engine()


@pytest.mark.django_db(transaction=True)
async def test_readyz_without_its_layer_answers_503_and_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LiveEngine, "hears_others", False)
    response = await AsyncClient().get("/readyz")
    assert response.status_code == 503
    assert response.json()["layer"] == "unavailable"
    await stop_engine()
