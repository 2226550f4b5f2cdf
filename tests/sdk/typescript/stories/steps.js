// Two steps; the second works with what the first returned.
export default ({ fn, ran }) => [
  fn("steps", async ({ event, step }) => {
    const first = await step.run("one", () => {
      ran(event, "one");
      return { n: 1, nested: { list: [1, 2.5, null, true, "ü"] } };
    });
    const second = await step.run("two", () => {
      ran(event, "two");
      return first.n + 1;
    });
    const nothing = await step.run("nothing", () => null);
    return { first, second, nothing };
  }),
];
