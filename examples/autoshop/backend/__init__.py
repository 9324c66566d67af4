"""Edgar's Auto Shop: the Flask application behind `make demo`."""
