// A line that a function logs between its steps is logged once, however often the function is entered.
import { Inngest } from "inngest";

export default ({ client, fn, note, options }) => {
  const logger = { debug() {}, info: (text) => note(...text.split(" logged: ")), warn() {}, error() {} };
  const loud = new Inngest({ id: client.id, logger, ...options });
  return [
    loud.createFunction({ id: "logging", triggers: [{ event: `${client.id}/logging` }], retries: 0 }, async ({ event, step, logger }) => {
      const { key } = event.data;
      logger.info(`${key} logged: first`);
      await step.run("one", () => 1);
      logger.info(`${key} logged: second`);
      await step.run("two", () => 2);
      logger.info(`${key} logged: third`);
    }),
  ];
};
