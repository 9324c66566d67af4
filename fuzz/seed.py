"""Puts the cases of tests/requests into the corpus of the target `guard`, in the notation of tests/differential/cases.rs."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|\{(.*?)\*(\d+)\}|(.))", re.DOTALL)


def resolved(text: str) -> bytes:
    """Return the bytes that a line stands for."""

    def one(match: re.Match[str]) -> str:
        byte, repeated, count, letter = match.groups()
        if byte:
            return chr(int(byte, 16))
        if count:
            return resolved(repeated).decode("latin-1") * int(count)
        return {"r": "\r", "n": "\n", "t": "\t"}.get(letter, letter)

    return ESCAPE.sub(one, text).encode("latin-1", "replace")


def case(lines: str) -> bytes:
    """Return the bytes of a case."""
    lines = lines.removesuffix("\n") if lines.endswith("\\\n") else lines
    return b"".join(resolved(line[:-1]) if line.endswith("\\") else resolved(line) + b"\r\n" for line in lines.split("\n"))


def main() -> None:
    """Write one file for each case; its first byte says in which pieces it arrives."""
    corpus = ROOT / "fuzz" / "corpus" / "guard"
    corpus.mkdir(parents=True, exist_ok=True)
    for path in sorted((ROOT / "tests" / "requests").glob("*.txt")):
        for number, text in enumerate(path.read_text(encoding="utf-8").split("\n### ")[1:]):
            (corpus / f"{path.stem}-{number}").write_bytes(b"\x07" + case(text.partition("\n")[2]))


if __name__ == "__main__":
    main()
