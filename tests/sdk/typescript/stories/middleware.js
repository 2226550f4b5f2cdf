// Middleware that changes what comes in and what goes out, and sees each request.
import { Middleware } from "inngest";

export default ({ fn, ran }) => {
  class Shouting extends Middleware.BaseMiddleware {
    id = "shouting";

    transformFunctionInput(args) {
      this.event = args.ctx.event;
      return { ...args, ctx: { ...args.ctx, event: { ...args.ctx.event, data: { ...args.ctx.event.data, added: "by middleware" } } } };
    }

    async wrapStepHandler({ next }) {
      const said = await next();
      return typeof said === "string" ? said.toUpperCase() : said;
    }

    async wrapRequest({ next }) {
      const response = await next();
      if (this.event) ran(this.event, "responding");
      return response;
    }
  }
  return [
    fn("middleware", async ({ event, step }) => [await step.run("say", () => "quiet"), event.data.added], {
      middleware: [Shouting],
    }),
  ];
};
