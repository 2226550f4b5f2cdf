// Events sent as a step, and by the client inside one.
export default ({ client, fn, on, ran }) => [
  fn("sending", async ({ event, step }) => {
    const of = (n) => ({ name: on("sending-received").event, data: { key: event.data.key, n } });
    const { ids } = await step.sendEvent("tell", [of(1), of(2)]);
    const more = await step.run("by the client", async () => (await client.send(of(3))).ids);
    return [...ids, ...more];
  }),
  fn("sending-received", async ({ event }) => ran(event, event.data.n)),
];
