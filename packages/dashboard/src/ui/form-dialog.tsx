import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { type Action, act, CurlButton } from "./action.tsx";
import { ActionButton, Button } from "./button.tsx";
import { closeDialog, DialogHead, Field, openDialog } from "./dialog.tsx";

/** A field of a form: a line, a number, or several lines. */
export interface FormField {
  readonly name: string;
  readonly label: string;
  readonly type?: "text" | "number" | "lines";
  readonly value?: string;
  readonly hint?: ComponentChildren;
  readonly readOnly?: boolean;
  readonly required?: boolean;
}

export type FormValues = Readonly<Record<string, string>>;

interface FormProps {
  readonly title: string;
  readonly verb: string;
  readonly fields: readonly FormField[];
  readonly toAction: (values: FormValues) => Action;
}

/** Asks for some values, and sends them. */
export function openForm(props: FormProps): void {
  openDialog(() => <Form {...props} />);
}

function Form({ title, verb, fields, toAction }: FormProps) {
  const [values, setValues] = useState<FormValues>(
    Object.fromEntries(fields.map(({ name, value = "" }) => [name, value])),
  );
  const action = toAction(values);
  const isReady = fields.every(({ name, required }) => !required || values[name] !== "");
  return (
    <>
      <DialogHead title={title} />
      <div class="dialog-body">
        {fields.map(({ name, label, type = "text", hint, readOnly, required }) => (
          <Field key={name} label={label} hint={hint}>
            {(id) => {
              const common = { id, readOnly, required, value: values[name] ?? "", class: "mono" };
              const change = (value: string): void => setValues((last) => ({ ...last, [name]: value }));
              return type === "lines" ? (
                <textarea
                  {...common}
                  rows={6}
                  spellcheck={false}
                  onInput={({ currentTarget }) => change(currentTarget.value)}
                />
              ) : (
                <input
                  {...common}
                  type={type}
                  {...(type === "number" ? { min: 1 } : {})}
                  onInput={({ currentTarget }) => change(currentTarget.value)}
                />
              );
            }}
          </Field>
        ))}
      </div>
      <footer class="dialog-foot">
        <CurlButton action={action} />
        <span class="grow" />
        <Button onClick={closeDialog}>Close</Button>
        <ActionButton
          look="primary"
          disabled={!isReady}
          onClick={async () => {
            if (await act(action)) closeDialog();
          }}
        >
          {verb}
        </ActionButton>
      </footer>
    </>
  );
}
