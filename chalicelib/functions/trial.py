"""End a trial after seven days, unless the account is upgraded before.

curl -X POST localhost:8288/e/dev -d '{"name": "auth/user.created",
    "data": {"user_id": "u1", "account_id": "a1", "email": "ada@example.com"}}'
curl -X POST localhost:8288/e/dev -d '{"name": "billing/user.upgraded", "data": {"account_id": "a1"}}'
"""

from chalicelib.sdk import Cancel, Context, TriggerEvent, function


def end_trial(account_id: str) -> dict[str, str]:
    # Your billing system's call goes here.
    return {"account_id": account_id, "plan": "free"}


def send_trial_ended(email: str) -> str:
    return f"trial-ended mail to {email}"


@function(
    fn_id="trial",
    trigger=TriggerEvent(event="auth/user.created"),
    # `event` is what started the run, `async` what has come now: an upgrade of the same account.
    cancel=[Cancel(event="billing/user.upgraded", if_exp="async.data.account_id == event.data.account_id")],
)
def trial(ctx: Context) -> dict[str, str]:
    # A sleeping run costs nothing but its storage. An upgrade meanwhile ends it, and nothing below happens.
    ctx.step.sleep("trial-period", "7d")

    account = ctx.step.run("end-trial", end_trial, ctx.event.data["account_id"])
    ctx.step.run("tell-user", send_trial_ended, ctx.event.data["email"])
    ctx.logger.info("trial of account %s is over", account["account_id"])
    return account
