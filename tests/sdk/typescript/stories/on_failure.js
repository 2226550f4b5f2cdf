// A handler that is called when a function has failed for good; it has steps of its own.
export default ({ fn, ran, note }) => [
  fn(
    "on_failure",
    async ({ event }) => {
      ran(event, "main");
      throw new Error("it broke");
    },
    {
      retries: 1,
      onFailure: async ({ event, error, step }) => {
        const failed = event.data.event;
        await step.run("tell", () => note(failed.data.key, `handler: ${error.message}`));
      },
    },
  ),
];
