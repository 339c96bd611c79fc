/** What the engine asks of a store for itself rather than for its messages. */
export interface Upkeep {
  /** A setting, as it was last written. */
  setting(name: string): Promise<string | undefined>;

  /** Writes a setting that still is what it `was`. @returns whether it did */
  changeSetting(name: string, was: string | undefined, value: string): Promise<boolean>;

  /** How much there is to do. `now` in milliseconds since 1970. */
  depths(now: number): Promise<Depths>;
}

/** Numbers of messages. */
export interface Depths {
  /** To be delivered now. */
  readonly due: number;
  /** Not before a time to come. */
  readonly waiting: number;
  /** Until their flow control, or the room for their destination, lets them. */
  readonly held: number;
  readonly deadLetters: number;
}
