"""What an operator does with a running service, or around one."""
