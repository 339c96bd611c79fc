/** The worker gets these from wrangler.jsonc and the environment. */
declare module "cloudflare:workers" {
  export const env: {
    readonly PERDURE_URL: string;
    readonly PERDURE_TOKEN: string;
    /** The result of the failure function, by order. */
    readonly UNDONE: {
      get(key: string): Promise<string | null>;
      put(key: string, value: string): Promise<void>;
    };
  };
}
