"""Every number that Stepwell promises or enforces. The product's limits follow the public SDK protocol
(docs/ARCHITECTURE.md, "Numbers"), so that an app can move here without meeting smaller ones."""

from __future__ import annotations

from typing import Final

SECOND_MS: Final = 1_000
MINUTE_MS: Final = 60 * SECOND_MS
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS

MAX_EVENTS_PER_REQUEST: Final = 5_000
MAX_EVENT_BYTES: Final = 3 * 1024 * 1024
MAX_EVENT_NAME_CHARS: Final = 256
MAX_EVENT_ID_CHARS: Final = 512
MAX_EVENT_DEPTH: Final = 100
RESERVED_EVENT_PREFIX: Final = "inngest/"
EVENT_ID_WINDOW_MS: Final = DAY_MS

MAX_STEPS: Final = 1_000
MAX_STEP_OUTPUT_BYTES: Final = 4 * 1024 * 1024
MAX_RUN_STATE_BYTES: Final = 32 * 1024 * 1024
MAX_ERROR_CHARS: Final = 8_000
MAX_STEP_NAME_CHARS: Final = 512

DEFAULT_RETRIES: Final = 4
MAX_RETRIES: Final = 20
RETRY_AFTER_MIN_MS: Final = SECOND_MS
RETRY_AFTER_MAX_MS: Final = DAY_MS

MAX_WAIT_MS: Final = 366 * DAY_MS
# Events that one wait may choose from: each has up to 8 rows in the index, and all are written in one transaction.
MAX_CHOICES: Final = 10
# Of the events that resumed a run before a wait, so many are listed in each row of the wait; else the step lists them.
MAX_SPENT_LISTED: Final = 100
DEFAULT_INVOKE_TIMEOUT_MS: Final = 365 * DAY_MS
MAX_SIGNAL_CHARS: Final = 512
MAX_FUNCTION_ID_CHARS: Final = 256
MAX_APP_ID_CHARS: Final = 256
MAX_FUNCTIONS_PER_APP: Final = 1_000
MAX_URL_CHARS: Final = 2_048
# The conditions and keys of an app's functions together: reading so many takes some seconds.
MAX_APP_CONDITION_CHARS: Final = 256 * 1024
# Of concurrency, throttle and rateLimit; and how many events a batch may have.
MAX_FLOW_LIMIT: Final = 1_000_000
MAX_BATCH: Final = 100
# The events of a batch together, as JSON: half of what a Lambda function with little memory can hold several times.
MAX_BATCH_BYTES: Final = 10 * 1024 * 1024
# Of a request that is made for a step.
MAX_GATEWAY_BODY_BYTES: Final = 4 * 1024 * 1024
MAX_GATEWAY_REDIRECTS: Final = 5
# Requests of one parallel group that are made at a time.
MAX_GATEWAY_REQUESTS: Final = 10
# A request begins where so much of the invocation is left, or the invocation has done nothing else; it ends so long
# before the invocation does.
GATEWAY_ROOM_MS: Final = 2 * MINUTE_MS
GATEWAY_RESERVE_MS: Final = 5 * SECOND_MS
MAX_CANCELS: Final = 5
MAX_TRIGGERS: Final = 10

# A work that began this often without anything being recorded is not begun again (DESIGN, "Progress").
MAX_STARTS_WITHOUT_PROGRESS: Final = 3
# Clocks of two invocations may differ by this much: leases live so much longer, and an event counts for a wait
# when it was accepted so much before the wait's own clock says the wait was registered.
CLOCK_SKEW_MS: Final = 10 * SECOND_MS
# Timers this far ahead fit a delayed message (SQS: at most 15 minutes); the rest goes to the timers table.
MAX_MESSAGE_DELAY_MS: Final = 15 * MINUTE_MS
# A schedule is told of up to 75 s ahead, and its jitter must fit the same message.
MAX_JITTER_MS: Final = 12 * MINUTE_MS
# How old what is known of synced apps may be where exactness is not needed.
REGISTRY_MAX_AGE_MS: Final = 10 * SECOND_MS
# A function that its app has no more is known for longer than its longest wait.
RETIRED_KEPT_MS: Final = 400 * DAY_MS
MAX_RETIRED_KEPT: Final = 1_000
# Lambda's recursive-loop detection is switched off for the queue functions; this takes its place.
MAX_HOPS: Final = 100_000

# The last receive of a message does no user work (DESIGN, "Nobody forgotten").
MAX_RECEIVES: Final = 10
# Records are stamped to expire this long after they are written, plus the retention.
EXPIRY_AHEAD_MS: Final = 60 * DAY_MS
DEFAULT_RETENTION_DAYS: Final = 30
# SQS keeps a message for 14 days at most, so a run's records must outlive that.
MIN_RETENTION_DAYS: Final = 14

# A call's body is kept below what Lambda and API Gateway take (6 MB): beyond it the app fetches steps and events.
MAX_CALL_BYTES: Final = 4 * 1024 * 1024
# What Lambda takes of an invocation.
MAX_INVOKE_BYTES: Final = 6 * 1024 * 1024
# An answer: an output of 4 MB may be escaped twice on its way.
MAX_ANSWER_BYTES: Final = 16 * 1024 * 1024
# What is left of an invocation when a call to an app is given up, so that its end can be recorded.
CALL_MARGIN_MS: Final = 3 * SECOND_MS

DEFAULT_PAGE: Final = 20
MAX_PAGE: Final = 100
