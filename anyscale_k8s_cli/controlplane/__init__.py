"""Anyscale's control plane: who calls it, how, and what it answers.

Belongs here: credentials, login, the HTTP client, the shapes of the API and
the operations on clouds and their resources. Knows nothing of clusters or
providers. Importing this package imports nothing: `httpx` and `pydantic` come
with the modules that use them.
"""
