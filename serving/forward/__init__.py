"""Rows that have adapters and pictures to their answers: forwards, prompts, heads."""
