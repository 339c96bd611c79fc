/** One day, in milliseconds. */
export const DAY: number = 86_400_000;
