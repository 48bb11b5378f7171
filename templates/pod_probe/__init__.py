"""What runs in a pod of the user's cluster, to see with the workloads' own eyes.

Belongs here: a program that a stock Python image can run (3.8 or newer, the standard
library alone), as it is mounted from a ConfigMap. It finds its credentials as the SDKs in
Ray's pods would, uses the bucket, tries to reach hosts, and tells what came of it as
lines of JSON (`report.py`). What it is asked is in the file `question.json` beside it
(`addons/pod_probe.py` writes it); there is nothing secret in either.
"""
