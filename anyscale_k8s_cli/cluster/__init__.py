"""The cluster's side: access, Kubernetes objects, helm, waiting and diagnosing.

Belongs here: what holds for any Kubernetes cluster. Does not belong here: what
we install (`addons/`), and anything a provider knows.
"""
