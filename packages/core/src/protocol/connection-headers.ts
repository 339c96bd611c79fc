/**
 * Headers, in lower case, that describe one connection or one transfer, so a server doesn't forward them: RFC 9110, section
 * 7.6.1, and those that each sender sets itself.
 */
export const CONNECTION_HEADERS: readonly string[] =
  "connection content-length expect host http2-settings keep-alive proxy-authorization proxy-connection te trailer transfer-encoding upgrade".split(
    " ",
  );
