// How often the function is entered for three steps in a row.
export default ({ fn, ran }) => [
  fn("replays", async ({ event, step }) => {
    ran(event, "entered");
    const done = [];
    for (let n = 0; n < 3; n++) done.push(await step.run(`step ${n}`, () => n));
    return done;
  }),
];
