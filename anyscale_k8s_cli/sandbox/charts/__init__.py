"""Stand-in charts of our own, and the repository that serves them.

The folders beside this file are charts with the names, values, objects and hooks
of the real ones. They are written from published facts and hold none of the
vendors' text; their images name the workloads of `sandbox/workloads/`.
"""
