"""Loggers that send metrics."""
