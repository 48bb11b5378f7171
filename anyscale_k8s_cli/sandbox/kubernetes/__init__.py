"""A stand-in Kubernetes cluster: an API server over TLS, its controllers, its nodes.

Belongs here: what any cluster does, whatever the platform. What a platform adds
comes in from outside: who its tokens belong to, what it injects into pods, its
load balancers, its nodes. `standin.py` puts the parts together, `store.py` has the
rules of objects, `server.py` the HTTP side, `controllers/` and `pods.py` what makes
things happen.

Not simulated: quotas and network policies are stored and have no effect;
horizontal autoscalers, cron jobs, ingresses and endpoints are not acted upon; nodes
never fail; rules in CEL are not evaluated.
"""
