export const config = { api: { bodyParser: false } };
export default function handler(_request: unknown, response: { end(text: string): void }) { response.end("pages"); }
