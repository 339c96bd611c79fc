/** What wrangler.jsonc and the environment give the worker. */
declare module "cloudflare:workers" {
  export const env: {
    readonly PERDURE_URL: string;
    readonly PERDURE_TOKEN: string;
    /** What the failure function did, by order. */
    readonly UNDONE: {
      get(key: string): Promise<string | null>;
      put(key: string, value: string): Promise<void>;
    };
  };
}
