// The stories on the TypeScript SDK: one program, two apps. The first reports steps while it runs (checkpointing, which
// is what the SDK does unless told otherwise), the second does not.
import { readdirSync } from "node:fs";
import http from "node:http";
import { Inngest } from "inngest";
import { serve } from "inngest/node";

const record = new Map();

/** Say that something ran, under the key of the event that made it run. */
export function note(key, what) {
  record.set(key, [...(record.get(key) ?? []), what]);
}

/** What a story's file gets: how to make functions and where to say what they did. */
function storiesOf(appId, options) {
  const client = new Inngest({ id: appId, logger, ...options });
  const on = (name, condition) => ({ event: `${appId}/${name}`, ...(condition ? { if: condition } : {}) });
  const make = (of) => (id, handler, { triggers, retries = 0, ...rest } = {}) =>
    of.createFunction({ id, triggers: triggers ?? [on(id)], retries, ...rest }, handler);
  return {
    client,
    on,
    fn: make(client),
    fnOf: make,
    ran: (event, what) => note(event.data.key, what),
    note,
    provider: process.env.PROVIDER ?? "",
    options,
    // Paths that a story serves besides the app's own: path -> handler(request, response).
    paths: new Map(),
  };
}

// What a function logs goes to the record, under the key that its line begins with; warnings and errors to the log.
function info(text) {
  const [key, said] = String(text).split(" logged: ");
  if (said) note(key, said);
}
const logger = { debug() {}, info, warn: console.warn, error: console.error };
const APPS = [
  { id: process.env.APP_ID, at: "", options: {} },
  { id: `${process.env.APP_ID}-plain`, at: "/plain", options: { checkpointing: false } },
];
const routes = new Map();

for (const { id, at, options } of APPS) {
  const stories = storiesOf(id, options);
  const functions = [];
  for (const file of readdirSync(new URL("stories/", import.meta.url)).sort()) {
    const { default: define } = await import(`./stories/${file}`);
    functions.push(...((await define({ ...stories, at })) ?? []));
  }
  routes.set(`${at}/api/inngest`, serve({ client: stories.client, functions }));
  for (const [path, handler] of stories.paths) routes.set(at + path, handler);
}

const server = http.createServer((request, response) => {
  const { pathname } = new URL(request.url, "http://localhost");
  const known = routes.get(pathname);
  if (known) return known(request, response);
  const key = /^\/record\/([^/]+)$/.exec(pathname)?.[1];
  response.writeHead(key ? 200 : 404, { "Content-Type": "application/json" });
  response.end(JSON.stringify(key ? (record.get(key) ?? []) : { error: "no such path" }));
});
server.keepAliveTimeout = 60_000;
server.listen(Number(process.env.PORT), "127.0.0.1");
process.on("SIGTERM", () => process.exit(0));
