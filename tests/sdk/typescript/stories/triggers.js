// Several triggers, one with a condition; and a schedule.
export default ({ client, fn, on, note }) => [
  fn(
    "triggers",
    async ({ event }) => {
      note(event.data.key ?? `${client.id}-cron`, event.name);
      return event.data.cron;
    },
    { triggers: [on("triggers"), on("triggers-other", "event.data.n > 1"), { cron: "7 * * * *" }] },
  ),
];
