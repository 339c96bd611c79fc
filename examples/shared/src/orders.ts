import type { Order } from "./order.ts";

/** An order to try it with. */
export const goodOrder: Order = {
  id: "1001",
  card: "4242 4242",
  items: [
    { sku: "book", quantity: 2, price: 12.5 },
    { sku: "lamp", quantity: 1, price: 49 },
  ],
};

/** One whose card is always declined. */
export const badOrder: Order = {
  id: "1002",
  card: "4000 0000",
  items: [{ sku: "desk", quantity: 1, price: 310 }],
};

/** How each order is delivered: soon again where a step fails, since somebody is watching. */
export const delivery = { retries: 2, retryDelay: "400 * (1 + retried)" } as const;
