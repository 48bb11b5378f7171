"""The stand-in of Anyscale's control plane: strict where the real one is.

Belongs here: its HTTP API, accounts, clouds and their resources, the operator's
registration and reports. It knows AWS only over HTTP: identity proofs are
replayed at an STS address, and addresses in buckets are signed for a client to
use. `ControlPlaneStandIn` is in `server.py`.
"""
