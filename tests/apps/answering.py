"""Answers of every kind, right and wrong ones, each under its name as path. `/names` lists them.

The file `closed` gets a line for each iterable that was closed: its name.
"""

import io
import sys

PLAIN = ("Content-Type", "text/plain")
ANSWERS = {}


def answer(function):
    """Makes a function the answer at the path of its name."""
    ANSWERS["/" + function.__name__.replace("_", "-")] = function
    return function


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/names":
        start_response("200 OK", [PLAIN])
        return ["\n".join(ANSWERS).encode()]
    return ANSWERS[path](environ, start_response)


def status(name, value):
    ANSWERS["/status-" + name] = lambda environ, start_response: (start_response(value, [PLAIN]), [b"body"])[1]


def header(name, headers):
    ANSWERS["/header-" + name] = lambda environ, start_response: (
        start_response("200 OK", headers() if callable(headers) else headers),
        [b"body"],
    )[1]


def length(name, value, body, code="200 OK"):
    ANSWERS["/length-" + name] = lambda environ, start_response: (
        start_response(code, [PLAIN, ("Content-Length", value)]),
        body() if callable(body) else body,
    )[1]


def body(name, make):
    ANSWERS["/body-" + name] = lambda environ, start_response: (start_response("200 OK", [PLAIN]), make())[1]


def bodiless(code, name, headers, pieces):
    ANSWERS[f"/{code[:3]}-{name}"] = lambda environ, start_response: (start_response(code, headers), pieces)[1]


class Closing:
    """An iterable that says when it is closed."""

    def __init__(self, name, pieces, error=None):
        self.name, self.pieces, self.error = name, iter(pieces), error

    def __iter__(self):
        return self

    def __next__(self):
        return next(self.pieces)

    def close(self):
        with open("closed", "a") as file:
            file.write(self.name + "\n")
        if self.error:
            raise self.error


class Sized(Closing):
    """One that knows how many pieces it has."""

    def __init__(self, name, pieces):
        super().__init__(name, pieces)
        self.count = len(pieces)

    def __len__(self):
        return self.count


class Indexed:
    """A body that has no `__iter__`."""

    def __getitem__(self, index):
        return [b"one", b"two"][index]


class Bytes(bytes):
    pass


class Text(str):
    pass


def generated(*pieces):
    yield from pieces


def breaks(*pieces):
    """These pieces, then an error."""
    yield from pieces
    raise LookupError("the body broke on purpose")


# Status lines.

status("usual", "200 OK")
status("own-words", "200 Quite Fine")
status("no-words", "200")
status("blank-words", "200 ")
status("two-blanks", "200  Two")
status("blank-behind", "404 Not Found ")
status("latin-1", "200 Sch\xf6n")
status("beyond-latin-1", "200 \u2603")
status("odd-number", "299 Odd")
status("high-number", "599 High")
status("highest-number", "999 Highest")
status("low-number", "099 Low")
status("two-digits", "20 Short")
status("four-digits", "2000 Long")
status("no-number", "OK")
status("no-digits", "2x0 OK")
status("wide-digits", "\u0662\u0660\u0660 OK")
status("empty", "")
status("blank-before", " 200 OK")
status("tab", "200\tOK")
status("tab-in-words", "200 A\tB")
status("line-end", "200 OK\r\nX-Injected: yes")
status("line-feed", "200 OK\nX-Injected: yes")
status("nul", "200 O\0K")
status("bytes", b"200 OK")
status("number", 200)
status("none", None)
status("text", Text("200 OK"))

# Headers.

header("none", [])
header("tuple-of-pairs", (PLAIN,))
header("generator", lambda: (pair for pair in [PLAIN]))
header("dict-items", {"X-A": "1", "X-B": "2"}.items())
header("pair-as-list", [["X-A", "1"]])
header("three-parts", [("X-A", "1", "2")])
header("one-part", [("X-A",)])
header("not-a-list", None)
header("text-for-list", "X-A")
header("name-bytes", [(b"X-A", "1")])
header("value-bytes", [("X-A", b"1")])
header("value-number", [("X-A", 1)])
header("value-none", [("X-A", None)])
header("name-empty", [("", "1")])
header("name-blank", [("X A", "1")])
header("name-blank-behind", [("X-A ", "1")])
header("name-colon", [("X-A:", "1")])
header("name-line-end", [("X-A\r\nX-Injected", "1")])
header("name-nul", [("X\0A", "1")])
header("name-latin-1", [("X-\xe4", "1")])
header("name-underscore", [("x_a", "1")])
header("name-odd", [("!#$%&'*+.^`|~", "1")])
header("name-text", [(Text("X-A"), Text("1"))])
header("value-empty", [("X-A", "")])
header("value-blanks", [("X-A", "  one  two \t ")])
header("value-tab", [("X-A", "one\ttwo")])
header("value-cr", [("X-A", "one\rtwo")])
header("value-lf", [("X-A", "one\nX-Injected: yes")])
header("value-cr-lf", [("X-A", "one\r\nX-Injected: yes")])
header("value-folded", [("X-A", "one\r\n two")])
header("value-lf-behind", [("X-A", "one\n")])
header("value-nul", [("X-A", "one\0")])
header("value-escape", [("X-A", "one\x1b")])
header("value-del", [("X-A", "one\x7f")])
header("value-latin-1", [("X-A", "caf\xe9")])
header("value-beyond-latin-1", [("X-A", "\u2603")])
header("value-long", [("X-A", "x" * 100_000)])
header("many", [(f"X-{number}", str(number)) for number in range(400)])
header("duplicates", [("X-A", "1"), ("X-B", "2"), ("x-a", "3"), ("X-A", "4")])
header("cookies", [("Set-Cookie", "b=2; Path=/"), ("X-Between", "1"), ("Set-Cookie", "a=1")])
header("case", [("x-lower-Case", "1"), ("ETAG", '"x"'), ("WWW-Authenticate", "Basic")])
header("connection-close", [("Connection", "close")])
header("connection-keep-alive", [("Connection", "keep-alive")])
header("connection-upgrade", [("Connection", "upgrade"), ("Upgrade", "websocket")])
header("upgrade-other", [("Upgrade", "h2c")])
header("keep-alive", [("Keep-Alive", "timeout=5")])
header("transfer-encoding", [("Transfer-Encoding", "chunked")])
header("transfer-encoding-other", [("Transfer-Encoding", "gzip")])
header("transfer-encoding-length", [("Transfer-Encoding", "chunked"), ("Content-Length", "4")])
header("te", [("TE", "trailers")])
header("trailer", [("Trailer", "X-A")])
header("trailers", [("Trailers", "X-A")])
header("proxy", [("Proxy-Authenticate", "Basic"), ("Proxy-Authorization", "Basic x")])
header("date", [("Date", "Thu, 01 Jan 1970 00:00:00 GMT")])
header("server", [("Server", "application")])
header("location", [("Location", "/elsewhere?a=b#c")])
header("hop-by-hop-bad", [("Connection", "a\r\nX-Injected: yes")])

# Content-Length.

length("right", "4", [b"body"])
length("short-body", "10", [b"body"])
length("no-body", "10", [])
length("long-body", "2", [b"body"])
length("long-body-pieces", "5", lambda: generated(b"one", b"two", b"three"))
length("right-pieces", "6", lambda: generated(b"one", b"two"))
length("short-pieces", "10", lambda: generated(b"one", b"two"))
length("zero", "0", [])
length("zero-with-body", "0", [b"body"])
length("zero-with-pieces", "0", lambda: generated(b"one", b"two"))
length("negative", "-1", [b"body"])
length("plus", "+4", [b"body"])
length("blanks", " 4 ", [b"body"])
length("empty", "", [b"body"])
length("no-number", "four", [b"body"])
length("unit", "4b", [b"body"])
length("leading-zeros", "0004", [b"body"])
length("underscore", "1_0", [b"0123456789"])
length("list", "4, 4", [b"body"])
length("wide-digit", "\u0664", [b"body"])
length("superscript", "\xb2", [b"body"])
length("huge", "99999999999999999999999", [b"body"])
length("fits-after-pieces", "3", lambda: Closing("length-fits-after-pieces", [b"one", b"two"]))
header("length-twice", [("Content-Length", "4"), ("Content-Length", "4")])
header("length-differs", [("Content-Length", "4"), ("Content-Length", "2")])
header("length-number", [("Content-Length", 4)])

# Bodies.

body("list", lambda: [b"one", b"two"])
body("tuple", lambda: (b"one", b"two"))
body("one-piece", lambda: [b"one"])
body("empty-list", lambda: [])
body("empty-tuple", lambda: ())
body("empty-piece", lambda: [b""])
body("empty-pieces", lambda: [b"", b"one", b"", b"two", b""])
body("generator", lambda: generated(b"one", b"two"))
body("generator-empty", lambda: generated())
body("generator-empty-pieces", lambda: generated(b"", b"one", b"", b"two", b""))
body("generator-only-empty", lambda: generated(b"", b""))
body("iterator", lambda: iter([b"one", b"two"]))
body("map", lambda: map(bytes.upper, [b"one", b"two"]))
body("indexed", lambda: Indexed())
body("sized", lambda: Sized("body-sized", [b"one", b"two"]))
body("sized-one", lambda: Sized("body-sized-one", [b"one"]))
body("closing", lambda: Closing("body-closing", [b"one", b"two"]))
body("closing-empty", lambda: Closing("body-closing-empty", []))
body("bytes", lambda: b"body")
body("empty-bytes", lambda: b"")
body("text", lambda: "body")
body("dict", lambda: {b"one": 1, b"two": 2})
body("bytes-subclass", lambda: [Bytes(b"one"), Bytes(b"two")])
body("bytes-subclass-pieces", lambda: generated(Bytes(b"one"), Bytes(b"two")))
body("bytearray", lambda: [bytearray(b"one")])
body("memoryview", lambda: [memoryview(b"one")])
body("text-pieces", lambda: ["one", "two"])
body("text-first", lambda: generated("one"))
body("text-second", lambda: Closing("body-text-second", [b"one", "two"]))
body("number-pieces", lambda: [1, 2])
body("none-pieces", lambda: [None])
body("none", lambda: None)
body("number", lambda: 7)
body("nested", lambda: [[b"one"]])
body("large", lambda: [b"x" * 1_500_000])
body("large-pieces", lambda: generated(*[b"x" * 100_000] * 12))
body("many-pieces", lambda: generated(*[b"x"] * 500))
body("breaks-at-once", lambda: Closing("body-breaks-at-once", breaks()))
body("breaks-after-empty", lambda: Closing("body-breaks-after-empty", breaks(b"")))
body("breaks-later", lambda: Closing("body-breaks-later", breaks(b"one")))
body("breaks-much-later", lambda: Closing("body-breaks-much-later", breaks(*[b"x" * 100_000] * 10)))
body("close-breaks", lambda: Closing("body-close-breaks", [b"one"], LookupError("close broke on purpose")))
body("close-breaks-too", lambda: Closing("body-close-breaks-too", breaks(b"one"), ValueError("close broke too")))
body("stops-itself", lambda: Closing("body-stops-itself", generated(b"one")))
length("breaks-at-once", "6", lambda: Closing("length-breaks-at-once", breaks()))
length("breaks-later", "6", lambda: Closing("length-breaks-later", breaks(b"one")))
length("breaks-when-complete", "3", lambda: Closing("length-breaks-when-complete", breaks(b"one")))
length("close-breaks", "3", lambda: Closing("length-close-breaks", [b"one"], LookupError("close broke on purpose")))
length("text-second", "6", lambda: Closing("length-text-second", [b"one", "two"]))

# Responses that have no body.

for code in ("204 No Content", "304 Not Modified", "100 Continue", "101 Switching Protocols", "103 Early Hints"):
    bodiless(code, "empty", [("X-A", "1")], [])
    bodiless(code, "body", [("X-A", "1")], [b"body"])
    bodiless(code, "length", [("X-A", "1"), ("Content-Length", "4")], [b"body"])
    bodiless(code, "zero", [("X-A", "1"), ("Content-Length", "0")], [])
bodiless("205 Reset Content", "empty", [], [])


@answer
def no_content_pieces(environ, start_response):
    start_response("204 No Content", [])
    return Closing("no-content-pieces", [b"one", b"two"])


@answer
def not_modified_breaks(environ, start_response):
    start_response("304 Not Modified", [])
    return Closing("not-modified-breaks", breaks(b"one"))


@answer
def websocket(environ, start_response):
    start_response("101 Switching Protocols", [("Connection", "Upgrade"), ("Upgrade", "websocket")])
    return []


# start_response.


@answer
def start_never(environ, start_response):
    return [b"body"]


@answer
def start_never_empty(environ, start_response):
    return []


@answer
def start_twice(environ, start_response):
    start_response("200 OK", [PLAIN])
    start_response("201 Created", [PLAIN])
    return [b"body"]


@answer
def start_in_generator(environ, start_response):
    start_response("200 OK", [PLAIN])
    yield b"one"


@answer
def start_late_in_generator(environ, start_response):
    yield b""
    start_response("200 OK", [PLAIN])
    yield b"one"


@answer
def start_too_late(environ, start_response):
    yield b"one"
    start_response("200 OK", [PLAIN])
    yield b"two"


@answer
def start_after_the_end(environ, start_response):
    start_response("200 OK", [PLAIN])
    yield b"one"
    start_response("201 Created", [PLAIN])
    yield b"two"


@answer
def start_without_arguments(environ, start_response):
    start_response("200 OK")
    return [b"body"]


@answer
def start_with_keywords(environ, start_response):
    start_response(status="200 OK", headers=[PLAIN], exc_info=None)
    return [b"body"]


@answer
def start_with_too_many(environ, start_response):
    start_response("200 OK", [PLAIN], None, "more")
    return [b"body"]


@answer
def exc_info_first(environ, start_response):
    try:
        raise LookupError("on second thoughts")
    except LookupError:
        start_response("503 Second Thoughts", [PLAIN], sys.exc_info())
    return [b"body"]


@answer
def exc_info_second(environ, start_response):
    start_response("200 OK", [("X-First", "1")])
    try:
        raise LookupError("on second thoughts")
    except LookupError:
        start_response("503 Second Thoughts", [("X-Second", "2")], sys.exc_info())
    return [b"body"]


@answer
def exc_info_in_generator(environ, start_response):
    start_response("200 OK", [])
    yield b""
    try:
        raise LookupError("on second thoughts")
    except LookupError:
        start_response("503 Second Thoughts", [PLAIN], sys.exc_info())
    yield b"body"


@answer
def exc_info_too_late(environ, start_response):
    start_response("200 OK", [PLAIN])
    yield b"one"
    try:
        raise LookupError("after the first piece")
    except LookupError:
        start_response("503 Second Thoughts", [PLAIN], sys.exc_info())
    yield b"two"


@answer
def exc_info_of_nothing(environ, start_response):
    start_response("200 OK", [PLAIN], (None, None, None))
    return [b"body"]


@answer
def bad_then_good(environ, start_response):
    try:
        start_response("200 OK", [("X-A", "a\r\nb")])
    except Exception:
        start_response("200 OK", [("X-B", "good")])
    return [b"body"]


@answer
def raises(environ, start_response):
    raise LookupError("on purpose")


@answer
def raises_after_start(environ, start_response):
    start_response("200 OK", [PLAIN])
    raise LookupError("on purpose")


@answer
def raises_stop_iteration(environ, start_response):
    start_response("200 OK", [PLAIN])
    raise StopIteration


@answer
def raises_connection_reset(environ, start_response):
    raise ConnectionResetError("on purpose")


@answer
def raises_broken_pipe_later(environ, start_response):
    start_response("200 OK", [PLAIN])
    yield b"one"
    raise BrokenPipeError("on purpose")


@answer
def raises_timeout(environ, start_response):
    raise TimeoutError("on purpose")


# write().


@answer
def write_alone(environ, start_response):
    start_response("200 OK", [PLAIN])(b"written")
    return []


@answer
def write_and_list(environ, start_response):
    start_response("200 OK", [PLAIN])(b"written")
    return [b"one", b"two"]


@answer
def write_and_pieces(environ, start_response):
    start_response("200 OK", [PLAIN])(b"written")
    return Closing("write-and-pieces", [b"one", b"two"])


@answer
def write_twice(environ, start_response):
    write = start_response("200 OK", [PLAIN])
    write(b"one")
    write(b"two")
    return ()


@answer
def write_nothing(environ, start_response):
    start_response("200 OK", [PLAIN])(b"")
    return [b"body"]


@answer
def write_length(environ, start_response):
    write = start_response("200 OK", [("Content-Length", "5")])
    write(b"one")
    write(b"two")
    return [b"three"]


@answer
def write_too_little(environ, start_response):
    start_response("200 OK", [("Content-Length", "10")])(b"one")
    return [b"two"]


@answer
def write_text(environ, start_response):
    start_response("200 OK", [PLAIN])("text")
    return [b"body"]


@answer
def write_then_raise(environ, start_response):
    start_response("200 OK", [PLAIN])(b"written")
    raise LookupError("on purpose")


@answer
def write_then_text(environ, start_response):
    start_response("200 OK", [PLAIN])(b"written")
    return ["text"]


@answer
def write_then_start(environ, start_response):
    start_response("200 OK", [PLAIN])(b"written")
    start_response("201 Created", [PLAIN])
    return [b"body"]


@answer
def write_no_content(environ, start_response):
    start_response("204 No Content", [])(b"written")
    return [b"body"]


@answer
def write_in_generator(environ, start_response):
    write = start_response("200 OK", [PLAIN])
    write(b"one")
    yield b"two"
    write(b"three")
    yield b"four"


# file_wrapper.

LINES = b"".join(b"line %d\n" % number for number in range(5000))


def file_of(name, offset=0):
    with open("served-" + name, "wb") as file:
        file.write(LINES)
    source = open("served-" + name, "rb")
    source.seek(offset)
    return source


def wrapped(name, source, *size, headers=(PLAIN,), code="200 OK"):
    ANSWERS["/file-" + name] = lambda environ, start_response: (
        start_response(code, list(headers)),
        environ["wsgi.file_wrapper"](source(), *size),
    )[1]


class Reader:
    """Something that can be read and is no file; says when it is closed."""

    def __init__(self, name):
        self.name, self.source = name, io.BytesIO(LINES)

    def read(self, *size):
        return self.source.read(*size)

    def close(self):
        with open("closed", "a") as file:
            file.write(self.name + "\n")


wrapped("whole", lambda: file_of("whole"))
wrapped("offset", lambda: file_of("offset", 100))
wrapped("at-end", lambda: file_of("at-end", len(LINES)))
wrapped("beyond-end", lambda: file_of("beyond-end", len(LINES) + 10))
wrapped("length", lambda: file_of("length"), headers=[("Content-Length", str(len(LINES)))])
wrapped("part", lambda: file_of("part", 5), headers=[("Content-Length", "20")])
wrapped("too-short", lambda: file_of("too-short"), headers=[("Content-Length", str(len(LINES) + 10))])
wrapped("zero", lambda: file_of("zero"), headers=[("Content-Length", "0")])
wrapped("block-size", lambda: file_of("block-size"), 100)
wrapped("not-modified", lambda: file_of("not-modified"), code="304 Not Modified")
wrapped("memory", lambda: io.BytesIO(b"0123456789"), 4)
wrapped("memory-length", lambda: io.BytesIO(b"0123456789"), 4, headers=[("Content-Length", "6")])
wrapped("reader", lambda: Reader("file-reader"))
wrapped("empty", lambda: io.BytesIO(b""))
wrapped("text", lambda: io.StringIO("text"))
wrapped("unbuffered", lambda: open(file_of("unbuffered").name, "rb", buffering=0))
wrapped("device", lambda: open("/dev/null", "rb"))


@answer
def file_iterated(environ, start_response):
    start_response("200 OK", [PLAIN])
    return (piece for piece in environ["wsgi.file_wrapper"](io.BytesIO(b"0123456789"), 4))


@answer
def file_itself(environ, start_response):
    start_response("200 OK", [PLAIN])
    return file_of("itself")


@answer
def file_after_write(environ, start_response):
    start_response("200 OK", [PLAIN])(b"written\n")
    return environ["wsgi.file_wrapper"](file_of("after-write"))


# Early hints.


def hinted(name, *hints):
    def respond(environ, start_response):
        for headers in hints:
            environ["wsgi.early_hints"](headers)
        start_response("200 OK", [PLAIN])
        return [b"body"]

    ANSWERS["/hints-" + name] = respond


hinted("one", [("Link", "</a.css>; rel=preload")])
hinted("several", [("Link", "</a.css>; rel=preload"), ("Link", "</b.js>; rel=preload")], [("Link", "</c.js>")])
hinted("none", [])
hinted("hop-by-hop", [("Connection", "close"), ("Link", "</a.css>")])
hinted("bad", [("Link", "a\r\nX-Injected: yes")])
hinted("bytes", [(b"Link", b"</a.css>")])


@answer
def hints_after_start(environ, start_response):
    start_response("200 OK", [PLAIN])
    environ["wsgi.early_hints"]([("Link", "</a.css>")])
    return [b"body"]


@answer
def hints_too_late(environ, start_response):
    start_response("200 OK", [PLAIN])
    yield b"one"
    environ["wsgi.early_hints"]([("Link", "</a.css>")])
    yield b"two"


@answer
def hints_then_raise(environ, start_response):
    environ["wsgi.early_hints"]([("Link", "</a.css>")])
    raise LookupError("on purpose")
