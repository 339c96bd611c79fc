import { isIP } from "node:net";

/** The requests from browsers that an engine accepts. */
export interface BrowserRules {
  /**
   * Accepted host names in the `Host` header, besides the names of this machine. Without this option, the
   * engine doesn't check the header.
   */
  readonly hosts?: readonly string[] | undefined;
  /**
   * Accepted origins of pages, such as `https://console.example.com`, besides pages of this machine. Without
   * this option, the engine checks neither `Origin` nor `Sec-Fetch-Site`.
   */
  readonly origins?: readonly string[] | undefined;
  /** Accepts any IP address in the `Host` header: an attacker can rebind a name, but not an address. */
  readonly anyAddress?: boolean | undefined;
}

/**
 * Refuses requests that a web page makes a browser send. A page can reach an engine that listens only on this
 * machine: with a simple request, which browsers send without asking, or with its own domain, rebound to
 * 127.0.0.1.
 *
 * @returns undefined for an accepted request, otherwise a response with status 403
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

/** True for a host that is this machine: `localhost`, a name that ends in it, or a loopback address. */
export function isLoopback(host: string): boolean {
  if (/^(?:.+\.)?localhost$/.test(host)) return true;
  return host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}

function isLoopbackOrigin(origin: string): boolean {
  return URL.canParse(origin) && isLoopback(toHostname(new URL(origin).host));
}

/** Normalizes a host: removes its port, brackets and final dot. */
function toHostname(host: string): string {
  const name = /^\[(.*)\](?::\d+)?$/.exec(host)?.[1] ?? host.replace(/^([^:]*):\d+$/, "$1");
  return name.toLowerCase().replace(/\.$/, "");
}
