// Step ids that come again, and ids of any characters.
export default ({ fn }) => [
  fn("ids-duplicate", async ({ step }) => {
    const done = [];
    for (let n = 0; n < 3; n++) done.push(await step.run("same", () => `${n}`));
    return done;
  }),
  fn("ids-odd", async ({ event, step }) => {
    const done = [];
    for (const id of event.data.ids) done.push(await step.run(id, () => id));
    return done;
  }),
];
