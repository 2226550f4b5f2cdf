// The first of several wins, and the function goes on with it. The SDK tells of the end when the others have ended, too.
export default ({ fn, on, ran }) => [
  fn("race", async ({ event, step, group }) => {
    const winner = await group.parallel({ mode: "race" }, () =>
      Promise.race([
        step.waitForEvent("late", { event: on("late").event, timeout: "1h" }).then(() => "the wait"),
        step.run("quick", () => (ran(event, "quick"), "the step")),
      ]),
    );
    return await step.run("then", () => (ran(event, "then"), `${winner} won`));
  }),
];
