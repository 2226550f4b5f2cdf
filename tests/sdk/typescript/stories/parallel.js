// Steps side by side: all of them, some that fail, and branches that run on by themselves.
export default ({ fn, on, ran }) => [
  fn("parallel", async ({ event, step }) => {
    const noted = (name) => step.run(name, () => (ran(event, name), name));
    const done = await Promise.all(["a", "b", "c"].map(noted));
    return [...done, await noted("then")];
  }),
  fn(
    "parallel-failing",
    async ({ event, step }) => {
      try {
        await Promise.all([
          step.run("good", () => ran(event, "good")),
          step.run("bad", () => {
            ran(event, "bad");
            throw new Error("one of them broke");
          }),
        ]);
      } catch (error) {
        return `caught: ${error.message}`;
      }
      return "unreachable";
    },
    { retries: 1 },
  ),
  fn("parallel-branches", async ({ event, step, group }) => {
    const noted = (name) => step.run(name, () => (ran(event, name), name));
    const quick = async () => (await noted("quick 1")) + (await noted("quick 2"));
    const slow = async () => {
      await step.waitForEvent("gate", {
        event: on("gate").event,
        if: "async.data.key == event.data.key",
        timeout: "300d",
      });
      return await noted("slow");
    };
    return await group.parallel({ mode: "race" }, () => Promise.all([quick(), slow()]));
  }),
];
