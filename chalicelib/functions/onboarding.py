"""Welcome a new user, then wait a day for their first function and help those who made none.

curl -X POST localhost:8288/e/dev -d '{"name": "auth/user.created",
    "data": {"user_id": "u1", "email": "ada@example.com"}}'
curl -X POST localhost:8288/e/dev -d '{"name": "app/function.created", "data": {"user_id": "u1"}}'
"""

from datetime import timedelta

from chalicelib.sdk import Cancel, Context, TriggerEvent, function


def send_welcome(email: str) -> str:
    # Your mail provider's call goes here. What a step returns is kept and shown.
    return f"welcome mail to {email}"


def send_follow_up(email: str) -> str:
    return f"follow-up mail to {email}"


@function(
    fn_id="onboarding",
    trigger=TriggerEvent(event="auth/user.created"),
    # `event` is what started the run, `async` what has come now: users who leave get no further mail.
    cancel=[Cancel(event="auth/user.deleted", if_exp="async.data.user_id == event.data.user_id")],
)
def onboarding(ctx: Context) -> str:
    ctx.step.run("send-welcome-email", send_welcome, ctx.event.data["email"])
    created = ctx.step.wait_for_event(
        "first-function",
        event="app/function.created",
        if_exp="async.data.user_id == event.data.user_id",
        timeout=timedelta(hours=24),
    )
    if created is None:  # The day has passed.
        ctx.step.run("follow-up", send_follow_up, ctx.event.data["email"])
        return "followed up"
    return "active"
