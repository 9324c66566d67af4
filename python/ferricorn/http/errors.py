"""The exceptions of `gunicorn.http.errors`, so that `except` clauses can name them.

Nothing here raises one: requests are parsed and refused before an application is called.
"""


class NoMoreData(OSError):
    """A request ended before it was whole."""


class ParseException(Exception):
    """Something is wrong with a request."""


class ConfigurationProblem(ParseException):
    """A request needs what the settings rule out."""


class InvalidRequestLine(ParseException):
    """The first line of a request makes no sense."""


class InvalidRequestMethod(ParseException):
    """There is no such method."""


class ExpectationFailed(ParseException):
    """A client expects something else than 100-continue."""


class InvalidHTTPVersion(ParseException):
    """There is no such version of HTTP."""


class InvalidHeader(ParseException):
    """The value of a header makes no sense."""


class ObsoleteFolding(ParseException):
    """A header goes on in the next line."""


class InvalidHeaderName(ParseException):
    """The name of a header is none."""


class InvalidResponseHeader(InvalidHeader):
    """An application answers with a header whose value makes no sense."""


class InvalidResponseHeaderName(InvalidHeaderName):
    """An application answers with a header whose name is none."""


class UnsupportedTransferCoding(ParseException):
    """A body is coded in a way nobody here knows."""


class InvalidChunkSize(ParseException):
    """The size of a chunk is no number."""


class ChunkMissingTerminator(ParseException):
    """A chunk does not end where it should."""


class InvalidChunkExtension(ParseException):
    """What follows the size of a chunk makes no sense."""


class LimitRequestLine(ParseException):
    """The first line of a request is too long."""


class LimitRequestHeaders(ParseException):
    """There are too many headers, or one is too long."""


class InvalidProxyLine(ParseException):
    """The line of the PROXY protocol makes no sense."""


class InvalidProxyHeader(ParseException):
    """The header of the PROXY protocol makes no sense."""


class ForbiddenProxyRequest(ParseException):
    """A peer that is not trusted speaks the PROXY protocol."""


class InvalidSchemeHeaders(ParseException):
    """Headers of a trusted proxy contradict each other about the scheme."""


class InvalidH2CPreface(ParseException):
    """HTTP/2 without TLS begins in the wrong way."""
