import { testEngine } from "@perdure/test";

/** Answers with the error of a test that runs inside of workerd. */
export default {
  async fetch(): Promise<Response> {
    const error = await testEngine({ workflows: {} }).catch((thrown: unknown) => thrown);
    return new Response(String(error));
  },
};
