// The loop of a Lambda runtime: asks for a call, lets the handler answer it, and tells the answer.
//
//     node runtime.mjs HANDLER.js
//
// AWS's own runtime client for Node is built from C++ when it is installed; this one does no more than is needed.

import { Agent, request } from "node:http";
import { createRequire } from "node:module";

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const agent = new Agent({ keepAlive: true, maxSockets: 1 });

/** Sends a request to the Runtime API; returns the headers and the body of its answer. */
function send(method, path, body = "") {
  const headers = body ? { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(body) } : {};
  return new Promise((resolve, reject) => {
    const sent = request({ agent, host, port, method, path: `/2018-06-01/runtime/${path}`, headers }, (answer) => {
      const parts = [];
      answer.on("data", (part) => parts.push(part));
      answer.on("end", () => resolve({ headers: answer.headers, body: Buffer.concat(parts).toString() }));
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

const { handle } = createRequire(import.meta.url)(process.argv[2]);
for (;;) {
  const call = await send("GET", "invocation/next");
  const id = call.headers["lambda-runtime-aws-request-id"];
  try {
    const answer = await handle(JSON.parse(call.body));
    await send("POST", `invocation/${id}/response`, JSON.stringify(answer));
  } catch (error) {
    const said = { errorType: error.name, errorMessage: error.message, trace: String(error.stack).split("\n") };
    await send("POST", `invocation/${id}/error`, JSON.stringify(said));
  }
}
