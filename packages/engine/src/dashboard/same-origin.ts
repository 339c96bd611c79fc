/** The header that the page sends with each request. Another site can't add it without a preflight. */
const PAGE_HEADER = "perdure-dashboard";

/**
 * Why a request can't come from the dashboard's own page; undefined when it can. A browser that runs another
 * site's page sends the cookie of the dashboard in some cases, but can't imitate these headers.
 */
export function crossOriginReason(request: Request): string | undefined {
  const { headers } = request;
  if (!headers.has(PAGE_HEADER)) return `the header ${PAGE_HEADER} is missing`;
  const site = headers.get("sec-fetch-site");
  if (site !== null && site !== "same-origin")
    return `Sec-Fetch-Site is ${JSON.stringify(site)}, not "same-origin"`;
  const origin = headers.get("origin");
  // Only the host: a proxy that ends TLS changes the scheme.
  const host = headers.get("host") ?? new URL(request.url).host;
  if (origin !== null && (!URL.canParse(origin) || new URL(origin).host !== host))
    return `the Origin ${JSON.stringify(origin)} is not the dashboard's`;
  return undefined;
}
