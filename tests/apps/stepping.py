"""Does with `wsgi.input` what the query says, step by step, and answers with what came of each step, as JSON.

A step is a method, with its arguments behind commas: `read,3;readline;readlines,5;next;list`. A word is a number, `None`, `size=N`,
or else a text.
"""

import json
from urllib.parse import unquote


def value(word):
    if word == "None":
        return None
    try:
        return int(word)
    except ValueError:
        return word


def do(source, step):
    name, *words = step.split(",")
    named = dict(word.split("=") for word in words if "=" in word)
    named = {key: value(word) for key, word in named.items()}
    plain = [value(word) for word in words if "=" not in word]
    if name == "next":
        return next(source)
    if name == "list":
        return list(source)
    if name == "first":
        return next(iter(source))
    return getattr(source, name)(*plain, **named)


def shown(result):
    if isinstance(result, list):
        return [shown(part) for part in result]
    return result.decode("latin-1") if isinstance(result, bytes) else repr(type(result))


def application(environ, start_response):
    results = []
    for step in unquote(environ["QUERY_STRING"]).split(";"):
        try:
            results.append(shown(do(environ["wsgi.input"], step)))
        except Exception as error:
            results.append(type(error).__name__)
    body = json.dumps(results).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
