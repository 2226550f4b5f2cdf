// Waiting for an event that belongs to this run, for an hour or for months.
export default ({ fn, on, ran }) => [
  fn("waiting", async ({ event, step }) => {
    const found = await step.waitForEvent("payment", {
      event: on("paid").event,
      if: "async.data.key == event.data.key && async.data.amount > 10",
      timeout: `${event.data.hours}h`,
    });
    return found && { name: found.name, amount: found.data.amount, has_id: Boolean(found.id) };
  }),
  fn(
    "waiting-wrongly",
    async ({ event, step }) => {
      ran(event, "entered");
      await step.waitForEvent("payment", { event: on("paid").event, if: "async.data.key ==", timeout: "1s" });
    },
    { retries: 4 },
  ),
];
