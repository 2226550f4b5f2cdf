// Step data, output and a part of the event are encrypted before they leave the app.
import { encryptionMiddleware } from "@inngest/middleware-encryption";

export default ({ fn, ran }) => [
  fn(
    "encryption",
    async ({ event, step }) => {
      const found = await step.run("read", () => ({ card: "plain card" }));
      await step.sleep("pause", 1);
      ran(event, found);
      return { sum: found.card };
    },
    { middleware: [encryptionMiddleware({ key: "a secret of the story" })] },
  ),
];
