"""DynamoDB and SQS in memory, as the adapters use them: fast, deterministic, and by the clock of this process.

It speaks the wire's JSON and sits where moto does (`wire`), so nothing above it knows the difference: tests/contract
holds it to the same as moto and ministack. What real AWS refuses it refuses with the same codes; what it does not know
(an operation, a parameter, a form of an expression) raises NotImplementedError and is never passed over.
"""

from chalicelib.testing.memory.account import Account
from chalicelib.testing.memory.wire import serving

__all__ = ["Account", "serving"]
