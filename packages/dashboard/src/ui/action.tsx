import type { ComponentChildren } from "preact";
import { toCurl } from "../api/curl.ts";
import { type Ask, ask } from "../api/http.ts";
import { visible } from "../format/text.ts";
import { ActionButton, Button, type ButtonProps } from "./button.tsx";
import { closeDialog, DialogHead, openDialog } from "./dialog.tsx";
import { CopyButton } from "./text.tsx";
import { toast } from "./toast.tsx";

/** A request that changes something, and what the user hears of it. */
export interface Action<Answer = unknown> {
  readonly target: string;
  readonly options: Ask;
  /** The sentence after a success, and a page to go on. */
  readonly done: (answer: Answer) => {
    readonly text: string;
    readonly to?: string;
    readonly toLabel?: string;
  };
  readonly after?: ((answer: Answer) => void) | undefined;
}

/** Sends an action's request, and says what came of it. @returns true for a success */
export async function act<Answer>({ target, options, done, after }: Action<Answer>): Promise<boolean> {
  try {
    const answer = await ask<Answer>(target, options);
    toast(done(answer));
    after?.(answer);
    return true;
  } catch (error) {
    toast({ text: visible((error as Error).message), isError: true });
    return false;
  }
}

interface ConfirmProps<Answer> {
  readonly title: string;
  readonly text: ComponentChildren;
  readonly verb: string;
  readonly action: Action<Answer>;
}

/** Asks before an action that can't be undone. It shows the action as a command, too. */
export function confirmAction<Answer>({ title, text, verb, action }: ConfirmProps<Answer>): void {
  openDialog(() => (
    <>
      <DialogHead title={title} />
      <div class="dialog-body">{text}</div>
      <footer class="dialog-foot">
        <CurlButton action={action} />
        <span class="grow" />
        <Button onClick={closeDialog}>Keep</Button>
        <ActionButton
          look="danger"
          onClick={async () => {
            if (await act(action)) closeDialog();
          }}
        >
          {verb}
        </ActionButton>
      </footer>
    </>
  ));
}

/** Copies an action as a command for a shell. */
export function CurlButton<Answer>({ action: { target, options } }: { readonly action: Action<Answer> }) {
  return <CopyButton text={toCurl(target, options)} label="as curl" />;
}

interface ActProps<Answer> extends Omit<ButtonProps, "onClick"> {
  readonly action: Action<Answer>;
}

/** A button for an action that needs no question. */
export function Act<Answer>({ action, ...button }: ActProps<Answer>) {
  return (
    <ActionButton
      {...button}
      onClick={async () => {
        await act(action);
      }}
    />
  );
}
