"""Azure Blob Storage, for every platform that may have its bucket there.

Belongs here: a container in an account that is there, the rules by which browsers are let
in, and how Azure is called. Accounts and identities that are made are the platform's own.
"""
