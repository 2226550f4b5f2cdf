// A run that waits for a signal, from another function or for nothing.
export default ({ fn, ran }) => [
  fn("signals", async ({ event, step }) => {
    ran(event, "entered");
    const found = await step.waitForSignal("approval", {
      signal: `approve/${event.data.key}`,
      timeout: `${event.data.hours}h`,
      onConflict: event.data.onConflict ?? "fail",
    });
    return found;
  }),
  fn("signals-send", async ({ event, step }) =>
    step.sendSignal("approve", { signal: `approve/${event.data.key}`, data: { by: "Ada" } }),
  ),
];
