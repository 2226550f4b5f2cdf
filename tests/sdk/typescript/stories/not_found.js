// A function that was synced and is no longer in the code that answers.
import { Inngest } from "inngest";
import { serve } from "inngest/node";

export default ({ client, fnOf, on, ran, paths, at, options }) => {
  const ghost = new Inngest({ id: `${client.id}-ghost`, ...options });
  const of = (name) =>
    fnOf(ghost)(`not_found-${name}`, async ({ event }) => (ran(event, "ran"), "here"), {
      triggers: [on(`not_found-${name}`)],
    });
  const kept = of("kept");
  // One path syncs two functions and names another path, which serves only one of them: the code of today.
  paths.set("/ghost", serve({ client: ghost, functions: [kept, of("gone")], servePath: `${at}/ghost/now` }));
  paths.set("/ghost/now", serve({ client: ghost, functions: [kept] }));
};
