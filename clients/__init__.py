"""People and programs that ask the service over HTTP."""
