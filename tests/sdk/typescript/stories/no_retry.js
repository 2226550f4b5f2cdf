// Errors that are not worth another attempt.
import { NonRetriableError } from "inngest";

export default ({ fn, ran }) => [
  fn(
    "no_retry-step",
    async ({ event, step }) =>
      await step.run("look up", () => {
        ran(event, "look up");
        throw new NonRetriableError("no such user");
      }),
    { retries: 4 },
  ),
  fn(
    "no_retry",
    async ({ event }) => {
      ran(event, "body");
      throw new NonRetriableError("no such user");
    },
    { retries: 4 },
  ),
];
