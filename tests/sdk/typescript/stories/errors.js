// Steps and functions that throw: tried again, caught, and in the end not.
class Broken extends Error {
  name = "Broken";
}

export default ({ fn, ran }) => [
  fn(
    "errors-caught",
    async ({ event, step, attempt }) => {
      try {
        await step.run("charge", () => {
          ran(event, `charge ${attempt}`);
          throw new Broken("card declined");
        });
      } catch (error) {
        const why = `${error.cause?.name ?? error.name}: ${error.message}`;
        return await step.run("instead", () => `sent a bill, since ${why}`);
      }
      return "unreachable";
    },
    { retries: 2 },
  ),
  fn(
    "errors-uncaught",
    async ({ event, step }) => {
      await step.run("charge", () => {
        ran(event, "charge");
        throw new Broken("card declined");
      });
      ran(event, "unreachable");
    },
    { retries: 1 },
  ),
  fn(
    "errors-recovers",
    async ({ event, step, attempt }) =>
      await step.run("flaky", () => {
        ran(event, `flaky ${attempt}`);
        if (attempt < 2) throw new Broken("not yet");
        return attempt;
      }),
    { retries: 2 },
  ),
  fn(
    "errors-in-function",
    async ({ event, step, attempt }) => {
      await step.run("first", () => ran(event, "first"));
      ran(event, `body ${attempt}`);
      throw new Broken("after the step");
    },
    { retries: 1 },
  ),
];
