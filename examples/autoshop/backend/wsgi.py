"""What a WSGI server imports: `backend.wsgi:application`."""

from __future__ import annotations

from backend.app import create_app

application = create_app()
