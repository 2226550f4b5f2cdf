// State of several megabytes: too much for the call, so the SDK fetches it.
import { createHash } from "node:crypto";

const sha = (text) => createHash("sha256").update(text).digest("hex");
const block = (n, size) => sha(String(n)).repeat(Math.floor(size / 64) + 1).slice(0, size);

export default ({ fn }) => [
  fn("big_state", async ({ event, step }) => {
    const blocks = [];
    for (let n = 0; n < 4; n++) blocks.push(await step.run(`block ${n}`, () => block(n, event.data.size)));
    // The app must fetch its state for what comes after a wait, whether or not it reports steps while it runs.
    await step.sleep("pause", 1);
    return await step.run("sum", () => sha(blocks.join("")));
  }),
];
