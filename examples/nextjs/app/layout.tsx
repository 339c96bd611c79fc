import type { ReactNode } from "react";

export const metadata = { title: "An order" };

export default function Layout({ children }: { readonly children: ReactNode }) {
  return (
    <html lang="en">
      <body style={{ font: "16px/1.5 system-ui", margin: "3rem auto", maxWidth: "42rem" }}>{children}</body>
    </html>
  );
}
