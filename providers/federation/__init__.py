"""How a cluster proves itself to a cloud that it is not part of; no platform of its own.

Belongs here: whether the issuer of a cluster's tokens can be read by others, and what a
token of the operator's service account is exchanged for at a cloud's own service. Which
cloud it is, and which store is then used, says the provider that a cluster is set up with.
The identity is always the user's: nothing here is ever written.
"""
