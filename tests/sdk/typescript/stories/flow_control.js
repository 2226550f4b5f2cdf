// A function for each way to say how many runs start, and when. Each test has its own places and limits.
const key = "event.data.key";
const ways = {
  throttled: { throttle: { limit: 1, period: "1h", key } },
  rated: { rateLimit: { limit: 1, period: "1h", key } },
  once: { idempotency: key },
  debounced: { debounce: { period: "4s", key } },
  single: { singleton: { mode: "skip", key } },
  newest: { singleton: { mode: "cancel", key } },
  paused: {},
  hurried: { timeouts: { finish: "1h" } },
  batched: { batchEvents: { maxSize: 3, timeout: "30s", key } },
};
const waiting = ["single", "newest", "hurried"];

export default ({ fn, on, ran }) => {
  const released = new Set();
  return [
    ...Object.entries(ways).map(([name, options]) =>
      fn(
        name,
        async ({ event, events, step }) => {
          if (waiting.includes(name)) await step.waitForEvent("go", { event: on("go-on").event, timeout: "30d" });
          const numbers = events.map((one) => one.data.n);
          await step.run("step", () => ran(event, `${name} [${numbers.join(", ")}]`));
          return numbers;
        },
        options,
      ),
    ),
    fn(
      "one-at-a-time",
      async ({ event, step }) => {
        await step.run("step", async () => {
          ran(event, `in ${event.data.n}`);
          while (!released.has(event.data.key)) await new Promise((done) => setTimeout(done, 10));
        });
        return event.data.n;
      },
      { concurrency: [{ limit: 1, key }], priority: { run: "event.data.priority" } },
    ),
    fn("release", ({ event }) => {
      released.add(event.data.key);
      ran(event, "released");
    }),
  ];
};
