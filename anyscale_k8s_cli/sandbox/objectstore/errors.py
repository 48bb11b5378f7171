"""What the store refuses, in S3's form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.sax.saxutils import escape


@dataclass(eq=False)
class S3Error(Exception):
    """`more` are further elements of the answer, such as the region that is right."""

    status: int
    code: str
    message: str
    more: Mapping[str, str] = field(default_factory=dict)

    def body(self) -> bytes:
        elements = {"Code": self.code, "Message": self.message, **self.more}
        inner = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in elements.items())
        return f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{inner}</Error>'.encode()
