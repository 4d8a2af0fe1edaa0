"""Queries in, answers out; knows neither HTTP nor TorchServe."""
