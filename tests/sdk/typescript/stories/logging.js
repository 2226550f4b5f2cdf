// A line that a function logs between its steps is logged once, however often the function is entered.
export default ({ fn }) => [
  fn("logging", async ({ event, step, logger }) => {
    const { key } = event.data;
    logger.info(`${key} logged: first`);
    await step.run("one", () => 1);
    logger.info(`${key} logged: second`);
    await step.run("two", () => 2);
    logger.info(`${key} logged: third`);
  }),
];
