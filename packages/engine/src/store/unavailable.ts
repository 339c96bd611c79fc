/**
 * The engine can't open or use a database: another engine uses it, it isn't a database of this engine, or it
 * is broken, closed or full. The message says which.
 */
export class StoreUnavailable extends Error {
  override name = "StoreUnavailable";
}
