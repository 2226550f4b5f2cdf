// A function that returns what cannot be written down. Of a step the SDK writes down what it can, without a word.
export default ({ fn, ran }) => [
  fn("unserialisable", async ({ event }) => {
    ran(event, "body");
    return { n: 1n };
  }),
];
