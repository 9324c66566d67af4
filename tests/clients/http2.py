"""A client with a real HTTP/2 library: `python http2.py URL` ends with 0 if the application `environ_and_more` answers as it should."""

import asyncio
import sys

import httpx


def check(found, wanted):
    if found != wanted:
        raise SystemExit("found %r, wanted %r" % (found, wanted))


def requests(url):
    with httpx.Client(base_url=url, http1=False, http2=True, verify=False, timeout=30) as client:
        response = client.get("/environ?a=b", headers=[("X-One", "1"), ("X-One", "2"), ("Cookie", "a=b"), ("Cookie", "c=d")])
        check((response.status_code, response.http_version), (200, "HTTP/2"))
        environ = response.json()
        for key, wanted in {
            "REQUEST_METHOD": "GET",
            "SERVER_PROTOCOL": "HTTP/2.0",
            "HTTP_VERSION": "2",
            "RAW_URI": "/environ?a=b",
            "PATH_INFO": "/environ",
            "QUERY_STRING": "a=b",
            "HTTP_HOST": url.partition("//")[2],
            "HTTP_X_ONE": "1,2",
            "HTTP_COOKIE": "a=b; c=d",
            "wsgi.url_scheme": url.partition(":")[0],
            "gunicorn.http2.priority_weight": 16,
            "gunicorn.http2.priority_depends_on": 0,
        }.items():
            check((key, environ.get(key)), (key, wanted))
        check("CONTENT_LENGTH" in environ, False)
        check(client.get("/missing").status_code, 404)
        check(client.head("/environ").content, b"")
        check(client.post("/echo", content=b"body").content, b"body")
        body = bytes(range(256)) * 20000
        check(client.post("/echo", content=body).content == body, True)
        check(client.post("/echo", content=iter([b"no", b" ", b"length"])).content, b"no length")
        check(client.get("/pieces").content, b"".join(b"piece %d\n" % number for number in range(100)))
        check(client.get("/cookies").headers.get_list("set-cookie"), ["b=2", "a=1"])
        check(client.get("/empty").status_code, 204)
        connection = client.get("/hop-by-hop").headers
        check([connection.get(name) for name in ("connection", "transfer-encoding", "x-kept")], [None, None, "yes"])
        check("date" in connection and "server" in connection, True)


async def streams(url):
    async with httpx.AsyncClient(base_url=url, http1=False, http2=True, verify=False, timeout=60) as client:
        bodies = [b"%d" % number * 1000 for number in range(60)]
        answers = await asyncio.gather(*(client.post("/echo", content=body) for body in bodies))
        check([answer.content for answer in answers] == bodies, True)


requests(sys.argv[1])
asyncio.run(streams(sys.argv[1]))
