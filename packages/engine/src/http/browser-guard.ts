import { isIP } from "node:net";

/** Which browsers' requests an engine takes. */
export interface BrowserRules {
  /** Host names in the `Host` header, beside those of this machine. Not checked when it isn't given. */
  readonly hosts?: readonly string[] | undefined;
  /**
   * Origins of pages, such as `https://console.example.com`, beside pages of this machine. When it isn't given, neither
   * `Origin` nor `Sec-Fetch-Site` is checked.
   */
  readonly origins?: readonly string[] | undefined;
  /** Whether any IP address may stand in the `Host` header: an address, unlike a name, can't be rebound. */
  readonly anyAddress?: boolean | undefined;
}

/**
 * Refuses requests that a web page has made a browser send. A page can reach an engine that listens on this machine alone:
 * by a simple request, which browsers send without asking, or by a name of its own that it rebinds to 127.0.0.1.
 *
 * @returns undefined for a request that may go on, or else a response with status 403
 */
export function createBrowserGuard(rules: BrowserRules): (request: Request) => Response | undefined {
  const hosts = rules.hosts?.map(toHostname);
  const origins = rules.origins?.map((origin) => origin.toLowerCase().replace(/\/+$/, ""));
  const mayStand = (host: string): boolean =>
    isLoopback(host) || hosts?.includes(host) === true || (rules.anyAddress === true && isIP(host) !== 0);
  const hostRefusal = ({ headers, url }: Request): string | undefined => {
    if (!hosts) return undefined;
    const host = headers.get("host") ?? new URL(url).host;
    const name = toHostname(host);
    return mayStand(name)
      ? undefined
      : `the Host ${JSON.stringify(host)} is not one of this engine's; to allow it: --allow-host ${name}`;
  };
  const pageRefusal = ({ headers }: Request): string | undefined => {
    if (!origins) return undefined;
    const origin = headers.get("origin");
    if (origin !== null && origins.includes(origin.toLowerCase())) return undefined;
    if (origin !== null && !isLoopbackOrigin(origin))
      return `pages of the Origin ${JSON.stringify(origin)} may not call this engine; to allow them: --allow-origin ${origin}`;
    if (headers.get("sec-fetch-site")?.toLowerCase() !== "cross-site") return undefined;
    return "pages of other sites may not call this engine (Sec-Fetch-Site: cross-site)";
  };
  return (request) => {
    const reason = hostRefusal(request) ?? pageRefusal(request);
    return reason === undefined
      ? undefined
      : Response.json({ error: `forbidden: ${reason}` }, { status: 403 });
  };
}

/** Whether a host is this machine: `localhost`, a name that ends in it, or a loopback address. */
export function isLoopback(host: string): boolean {
  if (/^(?:.+\.)?localhost$/.test(host)) return true;
  return host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}

function isLoopbackOrigin(origin: string): boolean {
  return URL.canParse(origin) && isLoopback(toHostname(new URL(origin).host));
}

/** A host in one way of writing it: without its port, brackets and final dot. */
function toHostname(host: string): string {
  const name = /^\[(.*)\](?::\d+)?$/.exec(host)?.[1] ?? host.replace(/^([^:]*):\d+$/, "$1");
  return name.toLowerCase().replace(/\.$/, "");
}
