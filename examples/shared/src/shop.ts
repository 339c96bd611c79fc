// The world outside of the workflow, played in memory: a warehouse, a bank, the post.

/** The measures for an order that couldn't be fulfilled. */
export interface Undone {
  readonly order: string;
  /** The items that were put back into the warehouse: `2 book`. */
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
  readonly bank: Bank;
  readonly post: typeof post;
  readonly records: Records;
}

/**
 * A shop with this place for its records.
 *
 * @param trusting its bank takes every card
 */
export function openShop(records: Records, trusting = false): Shop {
  return { warehouse, bank: openBank(trusting), post, records };
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

  /** Puts back what is reserved. Called twice, or before anything is, it puts back nothing more. */
  async release(order: string, sku: string): Promise<void> {
    const quantity = reserved.get(order)?.get(sku) ?? 0;
    reserved.get(order)?.delete(sku);
    stock.set(sku, (stock.get(sku) ?? 0) + quantity);
  },
};

interface Bank {
  charge(card: string, amount: number): Promise<{ id: string; amount: number }>;
  refund(payment: string): Promise<void>;
}

function openBank(trusting: boolean): Bank {
  return {
    async charge(card, amount) {
      await rest(40);
      if (card.endsWith("0000") && !trusting) throw new Error(`card ${card} was declined`);
      return { id: `payment-${card.slice(-4)}`, amount };
    },

    async refund(payment) {
      await rest(40);
      console.log(`refunded ${payment}`);
    },
  };
}

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
