// The server makes a request for the run.
export default ({ fn, provider }) => [
  fn("fetching", async ({ step }) => {
    const response = await step.fetch(`${provider}/echo`, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Story": "told" },
      body: JSON.stringify({ n: 1 }),
    });
    return { status: response.status, body: await response.json() };
  }),
];
