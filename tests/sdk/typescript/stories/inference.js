// The server calls a language model for the run.
export default ({ fn, provider }) => [
  fn(
    "inference",
    async ({ event, step }) => {
      const model = step.ai.models.openai({ model: "small", apiKey: event.data.secret, baseUrl: `${provider}/v1` });
      const body = { messages: [{ role: "user", content: "say it louder" }] };
      const answer = await step.ai.infer("ask", { model, body });
      return answer.choices[0].message.content;
    },
    { retries: 1 },
  ),
];
