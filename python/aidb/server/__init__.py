"""The server: a Python composition root that configures, starts and stops one native data plane."""
