import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { generate } from "selfsigned";

/** Files in a folder: an authority, and the key and certificate of a server that it vouches for. */
export interface Certificates {
  readonly authority: string;
  readonly key: string;
  readonly certificate: string;
}

/** @param name the only one that the certificate is good for */
export async function makeCertificates(folder: string, name: string): Promise<Certificates> {
  const authority = await generate([{ name: "commonName", value: "An authority for tests" }], {
    keyType: "ec",
    algorithm: "sha256",
    extensions: [
      { name: "basicConstraints", cA: true, critical: true },
      { name: "keyUsage", keyCertSign: true, critical: true },
    ],
  });
  const server = await generate([{ name: "commonName", value: name }], {
    keyType: "ec",
    algorithm: "sha256",
    ca: { key: authority.private, cert: authority.cert },
    extensions: [{ name: "subjectAltName", altNames: [{ type: 2, value: name }] }],
  });
  const write = (file: string, text: string): string => {
    writeFileSync(join(folder, file), text);
    return join(folder, file);
  };
  return {
    authority: write("authority.pem", authority.cert),
    key: write("server.key", server.private),
    certificate: write("server.pem", server.cert),
  };
}
