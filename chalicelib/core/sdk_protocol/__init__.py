"""What goes over the wire between Stepwell and an app on an SDK: a call's request, and what its answer means. Pure.

The authority is what the published SDKs for Python, TypeScript and Go send and read; docs/CALLING.md tells it.
"""

from chalicelib.core.sdk_protocol.answers import Answer, reply_of
from chalicelib.core.sdk_protocol.request import Prepared, Sender, memo_wire, prepare

__all__ = ["Answer", "Prepared", "Sender", "memo_wire", "prepare", "reply_of"]
