"""The whole system in one command: train, publish, serve, ask, swap, stop, report.

Drives the other parts as a person would, by their commands in child processes, and asks the
service over HTTP. Imports none of them.
"""
