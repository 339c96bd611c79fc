/** @throws TypeError unless a number is absent or whole, and at least `least` */
export function checkWhole(name: string, value: number | undefined, least: 0 | 1): void {
  if (value === undefined || (Number.isInteger(value) && value >= least)) return;
  throw new TypeError(`${name} must be a whole number from ${least} on; got ${value}.`);
}
