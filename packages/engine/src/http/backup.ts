import { z } from "zod";
import { type Routes, route } from "./route.ts";

const MEDIA = "application/vnd.sqlite3";

/** The whole database, as a file. The route is a POST, so that a read-only token can't copy all data. */
export const backups = {
  "/v2/backup": {
    POST: route({
      summary: "Get a copy of the database, as it is at one moment",
      answers: { 200: z.custom<Response>() },
      media: MEDIA,
      async handle(_, { store }) {
        const { size, content } = await store.backup();
        return new Response(content, {
          headers: {
            "Content-Type": MEDIA,
            "Content-Length": String(size),
            "Content-Disposition": 'attachment; filename="perdure-backup.db"',
            "Cache-Control": "no-store",
          },
        });
      },
    }),
  },
} satisfies Routes;
