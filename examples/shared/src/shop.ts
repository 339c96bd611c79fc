// The world outside of the workflow, played in memory: a warehouse, a bank, the post.

/** What the failure function did for an order that couldn't be fulfilled. */
export interface Undone {
  readonly order: string;
  /** What was put back into the warehouse: `2 book`. */
  readonly released: readonly string[];
  readonly reason: string;
  readonly status: number;
  readonly run: string;
}

/** Where the failure function's work is written down: each runtime has a place of its own. */
export interface Records {
  write(undone: Undone): void | Promise<void>;
}

/** All that the workflow touches. */
export interface Shop {
  readonly warehouse: typeof warehouse;
  readonly bank: typeof bank;
  readonly post: typeof post;
  readonly records: Records;
}

/** A shop with this place for its records. */
export function openShop(records: Records): Shop {
  return { warehouse, bank, post, records };
}

const stock = new Map([
  ["book", 100],
  ["lamp", 100],
  ["desk", 100],
]);
const reserved = new Map<string, Map<string, number>>();

const warehouse = {
  async reserve(order: string, sku: string, quantity: number): Promise<{ sku: string; left: number }> {
    await rest(20);
    const left = (stock.get(sku) ?? 0) - quantity;
    if (left < 0) throw new RangeError(`there is no ${sku} left`);
    const ofOrder = reserved.get(order) ?? new Map<string, number>();
    reserved.set(order, ofOrder.set(sku, quantity));
    stock.set(sku, left);
    return { sku, left };
  },

  async ship(order: string): Promise<{ number: string }> {
    await rest(30);
    reserved.delete(order);
    return { number: `parcel-${order}` };
  },

  /** Puts back whatever is reserved. Called twice, it puts back nothing more. */
  async release(order: string): Promise<string[]> {
    const ofOrder = reserved.get(order) ?? new Map<string, number>();
    reserved.delete(order);
    for (const [sku, quantity] of ofOrder) stock.set(sku, (stock.get(sku) ?? 0) + quantity);
    return [...ofOrder].map(([sku, quantity]) => `${quantity} ${sku}`);
  },
};

const bank = {
  async charge(card: string, amount: number): Promise<{ id: string; amount: number }> {
    await rest(40);
    if (card.endsWith("0000")) throw new Error(`card ${card} was declined`);
    return { id: `payment-${card.slice(-4)}`, amount };
  },
};

const post = {
  async send(order: string, text: string): Promise<{ sent: true }> {
    await rest(10);
    console.log(`mail to the customer of ${order}: ${text}`);
    return { sent: true };
  },
};

function rest(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
