import { setTimeout as rest } from "node:timers/promises";

// The world outside of the workflow, played in memory: a warehouse, a bank, the post.

const stock = new Map([
  ["book", 100],
  ["lamp", 100],
  ["desk", 100],
]);
const reserved = new Map<string, Map<string, number>>();

export const warehouse = {
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

export const bank = {
  async charge(card: string, amount: number): Promise<{ id: string; amount: number }> {
    await rest(40);
    if (card.endsWith("0000")) throw new Error(`card ${card} was declined`);
    return { id: `payment-${card.slice(-4)}`, amount };
  },
};

export const post = {
  async send(order: string, text: string): Promise<{ sent: true }> {
    await rest(10);
    console.log(`mail to the customer of ${order}: ${text}`);
    return { sent: true };
  },
};
