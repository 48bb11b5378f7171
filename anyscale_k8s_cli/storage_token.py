"""Where pods find the token of their own service account by which an object store knows them.

How it comes there is the core's (`addons/storage_token.py`); what is made of it says the
kind of credentials that names this place.
"""

from __future__ import annotations

FOLDER = "/var/run/secrets/anyscale-k8s/storage"
FILE = "token"
PATH = f"{FOLDER}/{FILE}"
