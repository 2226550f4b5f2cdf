// Answers that are streamed: whitespace while the step works, then what it came to.
import { Inngest } from "inngest";
import { serve } from "inngest/node";

export default ({ client, fnOf, on, ran, paths, options }) => {
  const streamed = new Inngest({ id: `${client.id}-streamed`, ...options });
  const functions = [
    fnOf(streamed)(
      "streaming",
      async ({ step }) => [await step.run("one", () => "worked"), await step.run("two", () => "worked")],
      { triggers: [on("streaming")] },
    ),
    fnOf(streamed)(
      "streaming-failing",
      async ({ event, attempt }) => {
        ran(event, attempt);
        throw new Error("it broke in the stream");
      },
      { triggers: [on("streaming-failing")], retries: 1 },
    ),
  ];
  paths.set("/streamed", serve({ client: streamed, functions, streaming: true }));
};
