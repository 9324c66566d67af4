complete -c ferricorn -s c -l config -d 'conf file: a path, file:PATH, python:MODULE or a .toml file; read from the command line and GUNICORN_CMD_ARGS only [./gunicorn.conf.py]' -r -F
complete -c ferricorn -s b -l bind -d 'addresses to listen at: host:port, [v6]:port, unix:path or fd://N; with PORT in the environment the default is 0.0.0.0:$PORT [[\'127.0.0.1:8000\']]' -r -f
complete -c ferricorn -l backlog -d 'connections that wait in the kernel until a worker accepts them [2048]' -r -f
complete -c ferricorn -s w -l workers -d 'number of worker processes, or auto: two for each processor that the cgroup allows, no more than find 128 MiB each in its memory limit; WEB_CONCURRENCY, else WORKERS, in the environment changes the default [1]' -r -f
complete -c ferricorn -s k -l worker-class -d 'kind of worker: sync or gthread [sync]' -r -f
complete -c ferricorn -l threads -d 'application threads per worker, at most 1000; more than one makes a sync worker a gthread worker [1]' -r -f
complete -c ferricorn -l worker-connections -d 'most connections one worker holds open [1000]' -r -f
complete -c ferricorn -l max-requests -d 'requests after which a worker is replaced, 0 for never [0]' -r -f
complete -c ferricorn -l max-requests-jitter -d 'upper bound of the random number each worker adds to max_requests [0]' -r -f
complete -c ferricorn -s t -l timeout -d 'seconds a worker may be silent before it is killed, 0 for ever [30]' -r -f
complete -c ferricorn -l graceful-timeout -d 'seconds workers get to finish when asked to leave [30]' -r -f
complete -c ferricorn -l keep-alive -d 'seconds an idle connection waits for its next request, 0 closes it after each response [2]' -r -f
complete -c ferricorn -l asgi-disconnect-grace-period -d 'seconds an ASGI application gets after its client is gone [3] (without effect)' -r -f
complete -c ferricorn -l websocket-max-message-size -d 'longest WebSocket message in bytes, 0 for no limit [16777216] (without effect)' -r -f
complete -c ferricorn -l limit-request-line -d 'longest request line in bytes, at most 8190, 0 for no limit [4094]' -r -f
complete -c ferricorn -l limit-request-fields -d 'most header fields of a request, 0 or more than 32768 count as 32768 [100]' -r -f
complete -c ferricorn -l limit-request-field_size -d 'longest header field in bytes, 0 counts as 8190 [8190]' -r -f
complete -c ferricorn -l reload-extra-file -d 'further files or glob patterns to watch with reload [[]]' -r -F
complete -c ferricorn -l chdir -d 'directory to change to before the application is loaded [the directory the server was started in]' -r -f -a "(__fish_complete_directories)"
complete -c ferricorn -s e -l env -d 'environment variables for the application, KEY=VALUE [[]]' -r -f
complete -c ferricorn -s p -l pid -d 'file to keep the master\'s pid in [None]' -r -F
complete -c ferricorn -l worker-tmp-dir -d 'directory for heartbeat files [None] (without effect)' -r -f -a "(__fish_complete_directories)"
complete -c ferricorn -s u -l user -d 'user that workers run as [the user that started the server]' -r -f -a "(__fish_complete_users)"
complete -c ferricorn -s g -l group -d 'group that workers run as [the group that started the server]' -r -f
complete -c ferricorn -s m -l umask -d 'mode bits to mask out of unix sockets as they are created [0]' -r -f
complete -c ferricorn -l forwarded-allow-ips -d 'peers whose forwarding headers are believed, * for all; FORWARDED_ALLOW_IPS in the environment changes the default [[\'127.0.0.1\', \'::1\']]' -r -f
complete -c ferricorn -l pythonpath -d 'directories to find Python modules in, separated by commas [None]' -r -f -a "(__fish_complete_directories)"
complete -c ferricorn -l paste -d 'PasteDeploy file to load the application from [None]' -r -F
complete -c ferricorn -l proxy-allow-from -d 'peers that may speak the PROXY protocol, * for all [[\'127.0.0.1\', \'::1\']]' -r -f
complete -c ferricorn -l protocol -d 'what clients speak: http or uwsgi [http] (not supported)' -r -f
complete -c ferricorn -l uwsgi-allow-from -d 'peers that may speak uwsgi, * for all [[\'127.0.0.1\', \'::1\']] (without effect)' -r -f
complete -c ferricorn -l paste-global -d 'variables for PasteDeploy, KEY=VALUE [[]]' -r -f
complete -c ferricorn -l forwarder-headers -d 'headers with an underscore that trusted peers may send, separated by commas [[\'SCRIPT_NAME\', \'PATH_INFO\']]' -r -f
complete -c ferricorn -l root-path -d 'path the ASGI application is mounted at [] (without effect)' -r -f
complete -c ferricorn -l access-logfile -d 'access log file, - for stdout, unset for no access log [None]' -r -F
complete -c ferricorn -l access-logformat -d 'template of an access log line [%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"]' -r -f
complete -c ferricorn -l error-logfile -d 'error log file, - for stderr [-]' -r -F
complete -c ferricorn -l log-level -d 'least severe level to log: debug, info, warning, error or critical [info]' -r -f
complete -c ferricorn -l logger-class -d 'Python class that does the logging [gunicorn.glogging.Logger]' -r -f
complete -c ferricorn -l log-config -d 'INI file for Python\'s logging [None]' -r -F
complete -c ferricorn -l log-config-json -d 'JSON file for Python\'s logging [None]' -r -F
complete -c ferricorn -l log-syslog-to -d 'where syslog listens [udp://localhost:514]' -r -f
complete -c ferricorn -l log-syslog-prefix -d 'program name in syslog lines [None]' -r -f
complete -c ferricorn -l log-syslog-facility -d 'facility of syslog lines [user]' -r -f
complete -c ferricorn -l statsd-host -d 'statsd server, host:port or unix://path [None]' -r -f
complete -c ferricorn -l dogstatsd-tags -d 'tags for all metrics, separated by commas []' -r -f
complete -c ferricorn -l statsd-prefix -d 'first part of all metric names []' -r -f
complete -c ferricorn -s n -l name -d 'name in process titles, the application unless given [None]' -r -f
complete -c ferricorn -l keyfile -d 'TLS private key file, PEM; without it the key is in certfile [None]' -r -F
complete -c ferricorn -l certfile -d 'TLS certificate file, PEM, with the chain behind the certificate; turns TLS on [None]' -r -F
complete -c ferricorn -l ssl-version -d 'without effect in Gunicorn too [2] (without effect)' -r -f
complete -c ferricorn -l cert-reqs -d 'whether clients need a certificate: 0 no, 1 optional, 2 required [0]' -r -f
complete -c ferricorn -l ca-certs -d 'file of authorities for client certificates [None]' -r -F
complete -c ferricorn -l ciphers -d 'OpenSSL cipher list [None]' -r -f
complete -c ferricorn -l http-protocols -d 'h1, h2 or both, separated by commas, preferred ones first [[\'h1\']]' -r -f
complete -c ferricorn -l http2-max-concurrent-streams -d 'most streams of an HTTP/2 connection at a time [100]' -r -f
complete -c ferricorn -l http2-initial-window-size -d 'first flow control window of HTTP/2 in bytes [65535]' -r -f
complete -c ferricorn -l http2-max-frame-size -d 'longest HTTP/2 frame in bytes [16384]' -r -f
complete -c ferricorn -l http2-max-header-list-size -d 'longest HTTP/2 header list in bytes, 0 for no other limit than those of requests [65536]' -r -f
complete -c ferricorn -l dirty-app -d 'applications of the dirty pool, module:Class or module:Class:N [[]] (without effect)' -r -f
complete -c ferricorn -l dirty-workers -d 'processes of the dirty pool, 0 for none [0] (not supported)' -r -f
complete -c ferricorn -l dirty-timeout -d 'seconds a task of the dirty pool may take [300] (without effect)' -r -f
complete -c ferricorn -l dirty-threads -d 'threads per dirty worker [1] (without effect)' -r -f
complete -c ferricorn -l dirty-graceful-timeout -d 'seconds dirty workers get to finish [30] (without effect)' -r -f
complete -c ferricorn -l control-socket -d 'unix socket that takes orders while the server runs [gunicorn.ctl in $XDG_RUNTIME_DIR or ~/.gunicorn] (without effect)' -r -F
complete -c ferricorn -l control-socket-mode -d 'mode bits of the control socket [384] (without effect)' -r -f
complete -c ferricorn -l reload-surge -d 'most workers above the number of workers while some are being replaced, at least 1' -r -f
complete -c ferricorn -l boot-timeout -d 'seconds a worker may take until it is ready, 0 for ever; one that takes longer makes a reload fail' -r -f
complete -c ferricorn -l request-timeout -d 'seconds that the application may take for one request, 0 for no limit; then its call is ended and the client gets 504' -r -f
complete -c ferricorn -l queue-timeout -d 'seconds that a request which has arrived may wait for its call, 0 for no limit; then it is not called, and the client gets 503' -r -f
complete -c ferricorn -l max-worker-memory -d 'resident memory in MiB at which a worker is replaced, 0 for no limit' -r -f
complete -c ferricorn -l max-worker-lifetime -d 'seconds after which a worker is replaced, 0 for never; each worker lives up to a tenth longer' -r -f
complete -c ferricorn -l client-head-timeout -d 'seconds a client may take to send the head of a request, its first one from the connection on; 0 for ever' -r -f
complete -c ferricorn -l client-stall-timeout -d 'seconds without a byte after which a client that sends a body or takes a response is given up, 0 for never' -r -f
complete -c ferricorn -l limit-request-body -d 'longest request body in bytes, 0 for any length; longer ones are answered with 413' -r -f
complete -c ferricorn -l client-body-buffer-size -d 'bytes of a request body that are held in memory until the application is called; longer ones wait in a file in tmp_upload_dir' -r -f
complete -c ferricorn -l server-header -d 'value of the response header Server; empty for none' -r -f
complete -c ferricorn -l server-software -d 'SERVER_SOFTWARE in the environ; unset for gunicorn/27.0.1, a blank, ferricorn/ and the version' -r -f
complete -c ferricorn -l db-connections -d 'most connections that all workers together have to a database, 0 for DB_POOL_MAX in each worker' -r -f
complete -c ferricorn -l reload-engine -d 'how changes are noticed: auto, poll or inotify [auto]' -r -f -a "auto\t''
poll\t''
inotify\t''"
complete -c ferricorn -l proxy-protocol -d 'accept the PROXY protocol: off, v1, v2 or auto [off]' -r -f -a "off\t''
v1\t''
v2\t''
auto\t''"
complete -c ferricorn -l http2-cleartext -d 'HTTP/2 without TLS, from peers in forwarded_allow_ips: off or prior-knowledge [off]' -r -f -a "off\t''
prior-knowledge\t''
upgrade\t''
both\t''"
complete -c ferricorn -l header-map -d 'headers with an underscore: drop them, refuse the request, or let them through (dangerous) [drop]' -r -f -a "drop\t''
refuse\t''
dangerous\t''"
complete -c ferricorn -l asgi-loop -d 'event loop of the asgi worker [auto] (without effect)' -r -f -a "auto\t''
asyncio\t''
uvloop\t''"
complete -c ferricorn -l asgi-lifespan -d 'lifespan protocol of the asgi worker [auto] (without effect)' -r -f -a "auto\t''
on\t''
off\t''"
complete -c ferricorn -l http-parser -d 'HTTP/1 parser: auto, fast or python [auto] (without effect)' -r -f -a "auto\t''
fast\t''
python\t''"
complete -c ferricorn -s v -l version -d 'Print the version'
complete -c ferricorn -l reload -d 'restart workers when source files change [False]'
complete -c ferricorn -l spew -d 'print every line of Python as it runs [False] (not supported)'
complete -c ferricorn -l check-config -d 'load configuration and application, then exit with 0 or 1 [False]'
complete -c ferricorn -l print-config -d 'print every setting, then do as check_config [False]'
complete -c ferricorn -l preload -d 'load the application once, before workers are forked [False]'
complete -c ferricorn -l no-sendfile -d 'whether files may be sent by the kernel [None] (without effect)'
complete -c ferricorn -l reuse-port -d 'give every worker a listening socket of its own [False]'
complete -c ferricorn -s D -l daemon -d 'detach from the terminal and run in the background [False]'
complete -c ferricorn -l initgroups -d 'give workers all groups of user [False]'
complete -c ferricorn -l permit-obsolete-folding -d 'accept header fields that go on in the next line [False]'
complete -c ferricorn -l strip-header-spaces -d 'accept blanks before the colon of a header field [False]'
complete -c ferricorn -l permit-unconventional-http-method -d 'accept methods of any letters and length [False]'
complete -c ferricorn -l permit-unconventional-http-version -d 'accept HTTP versions other than 1.0 and 1.1 [False]'
complete -c ferricorn -l casefold-http-method -d 'turn methods to upper case [False]'
complete -c ferricorn -l disable-redirect-access-to-syslog -d 'keep access lines out of syslog [False]'
complete -c ferricorn -l capture-output -d 'send what the application prints to the error log [False]'
complete -c ferricorn -l log-syslog -d 'send the logs to syslog too [False]'
complete -c ferricorn -s R -l enable-stdio-inheritance -d 'keep redirected stdout and stderr when daemon is on [False]'
complete -c ferricorn -l enable-backlog-metric -d 'report how many connections wait to be accepted [False]'
complete -c ferricorn -l suppress-ragged-eofs -d 'take a TLS connection cut short for one that was closed [True]'
complete -c ferricorn -l do-handshake-on-connect -d 'do the TLS handshake right at accept [False] (without effect)'
complete -c ferricorn -l no-control-socket -d 'do without the control socket [False] (without effect)'
complete -c ferricorn -l recycle-after-panic -d 'replace a worker in which a handler of a native application has panicked'
complete -c ferricorn -l explain-config -d 'print every setting with its value and where it came from, then do as check_config'
complete -c ferricorn -s h -l help -d 'Print help'
