// A run that the app itself starts, in a request: it tells the server of its steps, and goes on there when it must wait.
import { Inngest, step } from "inngest";
import { endpointAdapter, serveEndpoint } from "inngest/node";

export default ({ client, note, paths, at }) => {
  const durable = new Inngest({ id: `${client.id}-endpoint`, endpointAdapter });
  const handle = (path, handler) => paths.set(path, serveEndpoint(durable.endpoint(handler)));
  const keyOf = (request) => new URL(request.url).searchParams.get("key");
  handle("/endpoint", async (request) => {
    const key = keyOf(request);
    const sum = await step.run("add", () => (note(key, "add"), 1 + 1));
    const twice = await step.run("double", () => (note(key, "double"), 2 * sum));
    return Response.json({ twice });
  });
  handle("/endpoint/waits", async (request) => {
    const key = keyOf(request);
    await step.run("before", () => note(key, "before"));
    await step.sleep("nap", "1h");
    await step.run("after", () => note(key, "after"));
    return Response.json({ woke: true });
  });
};
