"""The Azure stand-in: Entra, Resource Manager and blob storage of one subscription.

Belongs here: what Azure enforces on the wire (tokens and their audiences, roles
at scopes, names, long-running operations, replication of the directory, policies
and locks), and what AKS does inside a cluster (Entra tokens, the workload
identity webhook, load balancers). No SDK of Azure is imported.

Kinder than life: api-versions are not told apart; lists come in one page;
conditions on role assignments and deny assignments do not exist; of the built-in
roles only those that matter here are known; clusters and networks cannot be
changed by their APIs; blobs are block blobs, without versions and snapshots; the
hierarchical namespace is a flag without directories; firewalls of accounts are
stored and not enforced.
"""
