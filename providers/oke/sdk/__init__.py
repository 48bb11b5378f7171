"""Every call to Oracle Cloud. No type of its SDK leaves this package.

Belongs here: who we are, where the services are, the calls, and what their failures mean.
"""

from anyscale_k8s_cli.imports import without

# For keys in hardware, of which Oracle's own configuration file knows nothing.
with without("pkcs11"):
    import oci as oci
