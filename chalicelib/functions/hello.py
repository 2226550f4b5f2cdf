"""The smallest tour: a step, a sleep, and two steps side by side.

curl -X POST localhost:8288/e/dev -d '{"name": "demo/hello", "data": {"name": "Ada"}}'
"""

from chalicelib.sdk import Context, TriggerEvent, function


def greet(name: str) -> str:
    return f"Hello, {name}!"


def count_letters(text: str) -> int:
    return sum(char.isalpha() for char in text)


@function(fn_id="hello", trigger=TriggerEvent(event="demo/hello"))
def hello(ctx: Context) -> dict[str, object]:
    # A step runs once. What it returns is kept, and retries of later steps get the kept value.
    greeting = ctx.step.run("greet", greet, ctx.event.data.get("name", "world"))

    # Nothing runs while the function sleeps, be it a second or a year.
    ctx.step.sleep("breathe", "1s")

    # These two run at the same time; the function goes on when both have ended.
    letters, shouted = ctx.group.parallel(
        (
            lambda: ctx.step.run("count-letters", count_letters, greeting),
            lambda: ctx.step.run("shout", greeting.upper),
        )
    )
    ctx.logger.info("said %s", shouted)
    return {"greeting": greeting, "letters": letters, "shouted": shouted}
