// The first of several wins; the run does not wait for the others.
export default ({ fn, on, ran }) => [
  fn("race", async ({ event, step, group }) => {
    const winner = await group.parallel({ mode: "race" }, () =>
      Promise.race([
        step.waitForEvent("never", { event: on("never").event, timeout: "300d" }).then(() => "the wait"),
        step.run("quick", () => (ran(event, "quick"), "the step")),
      ]),
    );
    return await step.run("then", () => `${winner} won`);
  }),
];
