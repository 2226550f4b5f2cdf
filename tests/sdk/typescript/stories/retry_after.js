// A step that says when to try it again.
import { RetryAfterError } from "inngest";

export default ({ fn, ran }) => [
  fn(
    "retry_after",
    async ({ event, step, attempt }) =>
      await step.run("ask", () => {
        ran(event, `ask ${attempt}`);
        if (attempt === 0) throw new RetryAfterError("busy", new Date(Date.now() + event.data.ms));
        return "answered";
      }),
    { retries: 1 },
  ),
];
