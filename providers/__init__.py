"""The platforms, one package each; and what S3 stores share."""

import os

# gRPC, which SDKs of several platforms stand on, reads these when it is first imported.
# Else it tells on standard error of each child process that is started beside it, and of
# failures that its callers tell of.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
