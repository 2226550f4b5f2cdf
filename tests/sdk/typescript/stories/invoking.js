// Functions that call functions: the object, its id, one that fails, one that takes too long, one that is not there.
import { NonRetriableError, referenceFunction } from "inngest";

export default ({ client, fn, on, ran }) => {
  const double = fn("invoking-double", async ({ event, step }) => {
    return await step.run("double", () => {
      ran(event, `child of ${event.name}`);
      return 2 * event.data.n;
    });
  });
  const fail = fn(
    "invoking-fail",
    async ({ event }) => {
      ran(event, "child");
      throw new NonRetriableError("the child broke");
    },
    { retries: 1 },
  );
  const forever = fn("invoking-forever", async ({ step }) => {
    await step.waitForEvent("never", { event: on("never").event, timeout: "300d" });
  });
  const caught = async (calling) => {
    try {
      await calling;
    } catch (error) {
      return `caught: ${error.message}`;
    }
    return "unreachable";
  };
  return [
    double,
    fail,
    forever,
    fn("invoking", async ({ event, step }) =>
      step.invoke("call", { function: double, data: { n: 21, key: event.data.key } }),
    ),
    fn("invoking-by-id", async ({ event, step }) =>
      step.invoke("call", {
        function: referenceFunction({ appId: client.id, functionId: "invoking-double" }),
        data: { n: 4, key: event.data.key },
      }),
    ),
    fn("invoking-failing", async ({ event, step }) =>
      caught(step.invoke("call", { function: fail, data: { key: event.data.key } })),
    ),
    fn("invoking-too-long", async ({ step }) => caught(step.invoke("call", { function: forever, timeout: "1h" }))),
    fn("invoking-nobody", async ({ step }) =>
      step.invoke("call", { function: referenceFunction({ functionId: "is-not-there" }) }),
    ),
  ];
};
