"""What `import gunicorn` gives where there is no gunicorn: its names, and the version this server stands in for."""

version_info = (27, 0, 1)
__version__ = ".".join(map(str, version_info))
SERVER = "gunicorn"
SERVER_SOFTWARE = f"{SERVER}/{__version__}"

# A package without files: its modules are found by `ferricorn._standins`.
__path__: list[str] = []
