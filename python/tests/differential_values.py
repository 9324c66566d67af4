"""The values with which test_differential.py tries every setting: what files and flags say, and what differs on purpose."""

from __future__ import annotations

TEXTS = ("'text'", "' padded '", "''", "None")
PATHS = ("'some/file'", "'/absolute/file'", "None")
NUMBERS = ("0", "7", "'12'", "'0x10'", "True", "1000000")
SWITCHES = ("True", "False", "'true'", "'FALSE'", "'True '", "None")
ADDRESSES = ("'10.0.0.1'", "'10.0.0.1, ::1'", "'*'", "'10.0.0.0/8,fe80::/10'", "''")
LISTS = ("[]", "['a=1']", "['a=1', 'b=2']", "'a=1'", "('a=1', 'b=2')")

# What a file may say about each setting that can be tried together with the others.
IN_FILES: dict[str, tuple[str, ...]] = {
    "bind": ("'127.0.0.1:1'", "['127.0.0.1:1', 'unix:/tmp/x']", "'[::1]:2'", "('localhost', )", "['unix://x']"),
    "backlog": NUMBERS,
    "workers": NUMBERS,
    "worker_class": ("'sync'", "'gthread'", "'gunicorn.workers.sync.SyncWorker'", "gthread.ThreadWorker"),
    "threads": ("1", "'7'", "0", "True", "1000"),
    # None at all ends the start here.
    "worker_connections": NUMBERS[1:],
    "max_requests": NUMBERS,
    "max_requests_jitter": NUMBERS,
    "timeout": NUMBERS,
    "graceful_timeout": NUMBERS,
    "keepalive": NUMBERS,
    "limit_request_line": NUMBERS,
    "limit_request_fields": NUMBERS,
    "limit_request_field_size": NUMBERS,
    "reload": SWITCHES,
    "reload_engine": ("'auto'", "'poll'", "'inotify'"),
    "reload_extra_files": ("[]", "['extra.txt']", "'extra.txt'", "['extra.txt', '*.py']"),
    "spew": ("False", "'false'", "None"),
    "preload_app": SWITCHES,
    "sendfile": SWITCHES,
    "reuse_port": SWITCHES,
    "daemon": SWITCHES,
    "raw_env": LISTS,
    "pidfile": PATHS,
    "worker_tmp_dir": ("'/tmp'", "None"),
    "user": ("0", "'0'", "'root'", "None"),
    "group": ("0", "'0'", "'root'", "None"),
    "umask": ("0", "0o22", "'0o22'", "'0x12'", "18"),
    "initgroups": SWITCHES,
    "tmp_upload_dir": ("'/tmp'", "None"),
    "secure_scheme_headers": ("{}", "{'X-SCHEME': 'https'}", "{'x-scheme': 'https', 'A': 'b'}"),
    "forwarded_allow_ips": ADDRESSES,
    "accesslog": ("'-'", "'some/file'", "None", "''"),
    "disable_redirect_access_to_syslog": SWITCHES,
    "access_log_format": ("'%(h)s'", "'%({x-y}i)s \"%(r)s\"'", "' %(s)s '"),
    "errorlog": ("'-'", "'some/file'", "' - '"),
    "loglevel": ("'debug'", "'WARNING'", "'nonsense'", "''"),
    "capture_output": SWITCHES,
    "logger_class": ("'gunicorn.glogging.Logger'", "'hooks.Logger'", "hooks.Logger", "glogging.Logger"),
    "logconfig": PATHS,
    "logconfig_dict": ("{}", "{'version': 1}", "{'loggers': {'shop': {'level': 'INFO', 'handlers': []}}}"),
    "logconfig_json": PATHS,
    "syslog_addr": ("'unix:///dev/log#dgram'", "'udp://localhost:514'", "'tcp://[::1]:514'"),
    "syslog": SWITCHES,
    "syslog_prefix": TEXTS,
    "syslog_facility": ("'local3'", "'USER'"),
    "enable_stdio_inheritance": SWITCHES,
    "statsd_host": ("'localhost:8125'", "'localhost'", "'unix:///run/statsd'", "None", "'[::1]:9'"),
    "dogstatsd_tags": ("'a:b,c'", "''"),
    "statsd_prefix": ("'shop'", "'shop.'", "''", "'shop..'"),
    "enable_backlog_metric": SWITCHES,
    "proc_name": TEXTS,
    "default_proc_name": ("'text'", "''"),
    "pythonpath": ("'lib'", "'lib,/absolute'", "None"),
    "permit_obsolete_folding": ("False", "'false'"),
    "strip_header_spaces": ("False", "'false'"),
    "permit_unconventional_http_method": SWITCHES,
    "permit_unconventional_http_version": ("False", "'false'"),
    "casefold_http_method": SWITCHES,
    "forwarder_headers": ("''", "'SCRIPT_NAME'", "'script_name, x_y'"),
    "header_map": ("'drop'", "'refuse'", "'DANGEROUS'"),
    "raw_paste_global_conf": LISTS,
    "proxy_protocol": ("'off'", "'none'", "False", "None", "'OFF'"),
    "proxy_allow_ips": ADDRESSES,
    "protocol": ("'http'",),
    "uwsgi_allow_ips": ADDRESSES,
    # A file that is not there is refused by ours, after the settings were printed.
    "keyfile": ("None", "''"),
    "certfile": ("None", "''"),
    "ssl_version": ("2", "'TLS'", "ssl.PROTOCOL_TLS_SERVER"),
    "cert_reqs": ("0", "2", "'1'", "ssl.CERT_OPTIONAL"),
    "ca_certs": PATHS,
    "suppress_ragged_eofs": SWITCHES,
    "do_handshake_on_connect": SWITCHES,
    "ciphers": ("'ECDHE-RSA-AES128-GCM-SHA256'", "' ECDHE-RSA-AES128-GCM-SHA256 '", "''", "None"),
    "http_protocols": ("'h1'", "' H1 '", "'H1'"),
    "http2_cleartext": ("'off'", "'OFF'", "'prior-knowledge'", "False", "None"),
    "http2_max_concurrent_streams": ("1", "'12'", "1000000"),
    "http2_initial_window_size": NUMBERS,
    "http2_max_frame_size": ("16384", "'20000'", "16777215"),
    "http2_max_header_list_size": NUMBERS,
    "asgi_loop": ("'auto'", "'asyncio'", "'UVLOOP'"),
    "asgi_lifespan": ("'auto'", "'on'", "'OFF'"),
    "asgi_disconnect_grace_period": NUMBERS,
    "websocket_max_message_size": NUMBERS,
    "http_parser": ("'auto'", "'python'", "'PYTHON'"),
    "root_path": ("'/shop'", "''"),
    "dirty_apps": LISTS,
    "dirty_workers": ("0", "'0'"),
    "dirty_timeout": NUMBERS,
    "dirty_threads": NUMBERS,
    "dirty_graceful_timeout": NUMBERS,
    "control_socket": ("'some/socket'", "'/absolute/socket'"),
    "control_socket_mode": ("0o600", "600", "'0o660'", "'0x12'"),
    "control_socket_disable": SWITCHES,
}

# How many positional arguments each hook takes.
ARITIES = {
    "on_starting": 1, "on_reload": 1, "when_ready": 1, "pre_fork": 2, "post_fork": 2, "post_worker_init": 1,
    "worker_int": 1, "worker_abort": 1, "pre_exec": 1, "pre_request": 2, "post_request": 4, "child_exit": 2,
    "worker_exit": 2, "nworkers_changed": 3, "on_exit": 1, "ssl_context": 2, "on_dirty_starting": 1,
    "dirty_post_fork": 2, "dirty_worker_init": 1, "dirty_worker_exit": 2,
}

# How a file may name a hook that takes `count` arguments; the last is a lambda.
HOOK_FORMS = ("hooks.own{count}", "'hooks.own{count}'", "hooks.Hooks().own{count}", "lambda {names}: None")

# What is tried alone, since it decides what is read, where, or what else is looked at: arguments, lines of the file.
ALONE: dict[str, tuple[tuple[str, str], ...]] = {
    "config": (("-c other.py", ""), ("--config=file:other.py", ""), ("-c python:other", ""), ("", "config = 'other.py'")),
    "wsgi_app": (("", "wsgi_app = 'app:other'"), ("", "wsgi_app = ' app '"), ("", "wsgi_app = None")),
    "check_config": (("--check-config", ""), ("", "check_config = True"), ("", "check_config = 'false'")),
    "print_config": (("--print-config", ""), ("", "print_config = False"), ("", "print_config = 'true'")),
    "chdir": (("--chdir inner", ""), ("--chdir /tmp/../tmp/", ""), ("", "chdir = 'inner'"), ("", "chdir = ' . '")),
    "paste": (("--paste shop.ini", ""), ("--paster ./shop.ini#other", ""), ("", "paste = None")),
}

# Texts for the flags that take one; without an entry those of the kind are tried.
BY_FLAG: dict[str, tuple[str, ...]] = {
    "bind": ("127.0.0.1:1", "unix:x", "[::1]:2", "localhost"),
    "worker_class": ("sync", "gthread", "gunicorn.workers.gthread.ThreadWorker"),
    "threads": ("1", "0", "4"),
    "worker_connections": ("7", "1000000"),
    "reload_engine": ("auto", "poll", "inotify"),
    "reload_extra_files": ("extra.txt", "*.txt"),
    "user": ("0", "root"),
    "group": ("0", "root"),
    "umask": ("0", "022", "0o22", "0x12"),
    "forwarded_allow_ips": ("10.0.0.1", "10.0.0.0/8, ::1", "*", ""),
    "proxy_allow_ips": ("10.0.0.1", "10.0.0.0/8, ::1", "*", ""),
    "uwsgi_allow_ips": ("10.0.0.1", "10.0.0.0/8, ::1", "*", ""),
    "logger_class": ("gunicorn.glogging.Logger", "hooks.Logger"),
    "statsd_host": ("localhost:8125", "localhost", "unix:///run/statsd"),
    "syslog_addr": ("unix:///dev/log#dgram", "udp://localhost:514"),
    "header_map": ("drop", "refuse", "DANGEROUS"),
    "proxy_protocol": ("off", "none", "false"),
    "protocol": ("http",),
    "keyfile": ("",),
    "certfile": ("",),
    "ciphers": ("ECDHE-RSA-AES128-GCM-SHA256", ""),
    "ssl_version": ("2",),
    "cert_reqs": ("0", "2"),
    "http_protocols": ("h1", "H1"),
    "http2_max_concurrent_streams": ("1", "1000000"),
    "http2_cleartext": ("off", "OFF", "prior-knowledge"),
    "http2_max_frame_size": ("16384", "20000"),
    "asgi_loop": ("auto", "uvloop"),
    "asgi_lifespan": ("auto", "OFF"),
    "http_parser": ("auto", "python"),
    "dirty_workers": ("0",),
    "control_socket_mode": ("600", "0o660"),
}
OF_KIND = {"int": ("0", "7", "1000000"), "str": ("text", " padded ", ""), "append": ("a=1", "b=")}

# What ours does not have: a line of a file, and the flag for the same. Gunicorn prints it, ours refuses it by name.
ABSENT = (
    ("spew = True", "--spew"),
    ("protocol = 'uwsgi'", "--protocol=uwsgi"),
    ("dirty_workers = 1", "--dirty-workers=1"),
)

# Lines of a file that Gunicorn prints and ours refuses, and why.
STRICTER = {
    "bind = '127.0.0.1:port'": "no port; Gunicorn notices when it starts",
    "threads = 1001": "more than there can be; Gunicorn starts any number",
    "ciphers = 'text'": "no cipher; Gunicorn notices when it starts",
    "http2_cleartext = 'both'": "HTTP/2 has given up the change of protocol in the middle of a connection",
    "bind = []": "no address at all; Gunicorn starts, and nobody can reach it",
    "raw_env = ['x']": "no pair; Gunicorn notices when it starts",
    "statsd_host = 'localhost:70000'": "no port; Gunicorn fails at the first metric",
    "protocol = 'ftp'": "no protocol; Gunicorn takes it for HTTP",
    "worker_class = 'nonsense'": "no worker class; Gunicorn notices when it starts",
    "worker_class = gthread.TConn": "a class that is no worker, or one of the application's own",
    "secure_scheme_headers = {'X-SCHEME': 1}": "headers are texts; the header would never fit",
    "backlog = 5000000000": "more than listen(2) takes; Gunicorn fails when it listens",
    "loglevel = None": "no level; Gunicorn fails with a traceback",
    "access_log_format = None": "no format; Gunicorn fails with a traceback at the first request",
    "user = -1": "no user; Gunicorn fails in the worker",
    "workers = 10**20": "more processes than there can be",
}

# Lines of a file that both take and print differently, and why.
DIFFERENT = {
    "post_request = hooks.own2": "Gunicorn prints the wrapper that it puts around a hook of two arguments",
    "post_request = hooks.own3": "Gunicorn prints the wrapper that it puts around a hook of three arguments",
    "logconfig_dict = {'handler': hooks.Hooks}": "ours prints classes within a dict as it prints them elsewhere",
}

HOOKS = """from gunicorn.glogging import Logger as Original
class Logger(Original): pass
def own1(a): ...
def own2(a, b): ...
def own3(a, b, c): ...
def own4(a, b, c, d): ...
class Hooks:
    def own1(self, a): ...
    def own2(self, a, b): ...
    def own3(self, a, b, c): ...
    def own4(self, a, b, c, d): ...
"""

# The files in the directory in which the servers are asked.
FILES = {
    "app.py": "def application(environ, start_response): ...\nother = application\n",
    "hooks.py": HOOKS,
    "other.py": "timeout = 77\n",
    "extra.txt": "",
    "inner/app.py": "def application(environ, start_response): ...\n",
    "shop.ini": "[app:main]\npaste.app_factory = factory:make\n[app:other]\npaste.app_factory = factory:make\n",
    "factory.py": "def make(global_config, **local): return lambda environ, start_response: []\n",
}
# What values of files are written with.
IMPORTS = "import hooks, ssl\nfrom gunicorn.workers import gthread\nfrom gunicorn import glogging\n"
