"""Every call to Oracle Cloud. No type of its SDK leaves this package.

Belongs here: who we are, where the services are, the calls, and what their failures mean.
"""
