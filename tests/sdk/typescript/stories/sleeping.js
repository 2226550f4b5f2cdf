// Sleeping for so long, and until then.
export default ({ fn, ran }) => [
  fn("sleeping", async ({ event, step }) => {
    await step.run("before", () => ran(event, "before"));
    await step.sleep("nap", "1h");
    await step.run("after", () => ran(event, "after"));
    return "slept";
  }),
  fn("sleeping-until", async ({ event, step }) => {
    await step.run("before", () => ran(event, "before"));
    await step.sleepUntil("nap", new Date(event.data.until_ms));
    await step.run("after", () => ran(event, "after"));
    return "slept";
  }),
];
