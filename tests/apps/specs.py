"""Applications named in every form of an application spec."""


def make(*args, **kwargs):
    def made(environ, start_response):
        body = ("%r %r" % (args, sorted(kwargs.items()))).encode()
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
        return [body]

    return made


application = make("the default")
named = make("named")
not_callable = 42


def make_none():
    return None
