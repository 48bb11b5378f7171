"""Google's SDKs for storage and sign-in: sessions, calls, and what their failures mean."""
