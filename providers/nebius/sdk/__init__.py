"""Every call to Nebius: clients, timeouts, retries, and what errors mean.

Nothing outside of this package knows the SDK: its functions take and return plain
data of their own and raise `CloudFailure`; no client, message or exception of the SDK
leaves it.
"""
