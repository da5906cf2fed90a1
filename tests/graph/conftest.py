"""A project in which users build images of their own."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.conftest import Project


@pytest.fixture
def user(built_by: Callable[..., Project]) -> Project:
    """A project with the images of v1.22.15 built for one platform, to do with it what a test likes."""
    return built_by("platform=amd64")
