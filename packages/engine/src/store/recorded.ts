/** A step that the engine itself has recorded in a run. */
export interface RecordedStep {
  readonly runId: string;
  readonly step: string;
  readonly stepType: string;
  /** Its time was over before what it waited for came. */
  readonly timedOut?: true;
}
