// A run that an event cancels.
export default ({ fn, on, ran }) => [
  fn(
    "cancelling",
    async ({ event, step }) => {
      await step.run("before", () => ran(event, "before"));
      await step.waitForEvent("never", { event: on("never").event, timeout: "300d" });
      await step.run("after", () => ran(event, "after"));
    },
    { cancelOn: [{ event: on("called-off").event, if: "async.data.key == event.data.key" }] },
  ),
];
