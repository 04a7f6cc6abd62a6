// What OpenAI's client for Node.js makes of streams: one request for each model,
// and a line of JSON for each answer.
//
//     node streams.cjs BASE_URL MODEL...

"use strict";

const { APIError, OpenAI } = require("openai");

async function ask(client, model) {
  const heard = { model, text: "", finish: null, error: null };
  try {
    const stream = await client.chat.completions.create({
      model,
      messages: [{ role: "user", content: "Hi" }],
      stream: true,
    });
    for await (const chunk of stream) {
      const [choice] = chunk.choices;
      heard.text += choice.delta.content ?? "";
      heard.finish = choice.finish_reason ?? heard.finish;
    }
  } catch (error) {
    // Anything else is a client that stumbled over what it was sent.
    const told = error instanceof APIError;
    heard.error = told ? `APIError: ${error.message}` : String(error.stack);
  }
  return heard;
}

async function main(baseURL, ...models) {
  const client = new OpenAI({ baseURL, apiKey: "unused", timeout: 30_000 });
  for (const model of models) {
    console.log(JSON.stringify(await ask(client, model)));
  }
}

main(...process.argv.slice(2));
