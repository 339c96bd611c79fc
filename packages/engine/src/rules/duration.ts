/** In milliseconds. */
export const DAY: number = 86_400_000;
