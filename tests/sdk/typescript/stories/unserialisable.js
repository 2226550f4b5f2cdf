// A step and a function that return what cannot be written down.
export default ({ fn, ran }) => [
  fn("unserialisable", async ({ event, step }) =>
    step.run("odd", () => {
      ran(event, "step");
      return { n: 1n };
    }),
  ),
  fn("unserialisable-output", async ({ event }) => {
    ran(event, "body");
    return { n: 1n };
  }),
];
