"""`wsgi.file_wrapper` where an application uses it as any other iterable."""

from __future__ import annotations

import io

import pytest

from ferricorn._ferricorn import FileWrapper


def test_iterates_in_blocks() -> None:
    assert list(FileWrapper(io.BytesIO(b"abcde"), 2)) == [b"ab", b"cd", b"e"]


def test_begins_where_the_reader_is() -> None:
    file = io.BytesIO(b"abcde")
    file.seek(3)
    assert b"".join(FileWrapper(file)) == b"de"


def test_blocks_are_of_8_kib_unless_told_otherwise() -> None:
    wrapper = FileWrapper(io.BytesIO(bytes(10_000)))
    assert [len(block) for block in wrapper] == [8192, 10_000 - 8192]
    assert wrapper.blksize == 8192


def test_is_its_own_iterator_and_stays_at_the_end() -> None:
    wrapper = FileWrapper(io.BytesIO(b"a"))
    assert iter(wrapper) is wrapper
    assert [next(wrapper), next(wrapper, None), next(wrapper, None)] == [b"a", None, None]


def test_closes_what_it_wraps() -> None:
    file = io.BytesIO(b"a")
    wrapper = FileWrapper(file)
    assert wrapper.filelike is file
    wrapper.close()
    assert file.closed


def test_what_cannot_be_closed_is_left() -> None:
    class Endless:
        def read(self, size: int) -> bytes:
            return b"x" * size

    wrapper = FileWrapper(Endless(), 3)
    assert [next(wrapper), next(wrapper)] == [b"xxx", b"xxx"]
    wrapper.close()


def test_errors_of_the_file_come_through() -> None:
    class Broken:
        def read(self, size: int) -> bytes:
            raise OSError("the disk is gone")

        def close(self) -> None:
            raise OSError("still gone")

    wrapper = FileWrapper(Broken())
    with pytest.raises(OSError, match="the disk is gone"):
        next(wrapper)
    with pytest.raises(OSError, match="still gone"):
        wrapper.close()


def test_attributes_are_read_only() -> None:
    with pytest.raises(AttributeError):
        FileWrapper(io.BytesIO(b"a")).blksize = 1  # type: ignore[misc]
