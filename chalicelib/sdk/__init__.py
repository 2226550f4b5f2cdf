"""What a function imports: the decorator, its triggers, the context, and the errors."""

from chalicelib.sdk.context import AsyncContext, Context, ContextSync
from chalicelib.sdk.errors import (
    InvalidFunction,
    InvalidStepError,
    LimitExceeded,
    NonRetriableError,
    OutputNotSerializable,
    RetryAfterError,
    StepError,
)
from chalicelib.sdk.event import Event
from chalicelib.sdk.flow import Batch, Concurrency, Debounce, Priority, RateLimit, Singleton, Throttle, Timeouts
from chalicelib.sdk.function import Function, function
from chalicelib.sdk.registry import Registry, discover
from chalicelib.sdk.triggers import Cancel, TriggerCron, TriggerEvent
from chalicelib.sdk.waiting import FirstEvent, Signal, WaitFor

__all__ = [
    "AsyncContext",
    "Batch",
    "Cancel",
    "Concurrency",
    "Context",
    "ContextSync",
    "Debounce",
    "Event",
    "FirstEvent",
    "Function",
    "InvalidFunction",
    "InvalidStepError",
    "LimitExceeded",
    "NonRetriableError",
    "OutputNotSerializable",
    "Priority",
    "RateLimit",
    "Registry",
    "RetryAfterError",
    "Signal",
    "Singleton",
    "StepError",
    "Throttle",
    "Timeouts",
    "TriggerCron",
    "TriggerEvent",
    "WaitFor",
    "discover",
    "function",
]
